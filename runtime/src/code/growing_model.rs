//! Growing code in every order that threads and memory allow.
//!
//! This is `growing.rs` once more, on the types of loom, which runs a test again and again: with each
//! order of what its threads do to shared memory, and for each relaxed load with each value that it may
//! see. The loads of generated code are as [`GrowingCode::address`]'s, or stronger.

use {
    super::{CodeMemory, platform},
    crate::site::{AccessSite, CallSite, Inherited, RegisterSet},
    growing::GrowingCode,
    loom::{
        model,
        sync::{self, Arc},
        thread,
    },
};

#[allow(dead_code, unreachable_pub, clippy::duplicate_mod)]
#[path = "growing.rs"]
mod growing;

/// The function that is added in these tests.
const NUMBER: u32 = 1;

/// Where its code is said to be; nothing is executed here.
fn place(byte: usize) -> *const u8 {
    std::ptr::without_provenance(0x1000 + byte)
}

fn call_site() -> CallSite {
    CallSite {
        return_pc: 7,
        saved: RegisterSet::of(8),
    }
}

fn access_site() -> AccessSite {
    AccessSite {
        base: -1,
        leaves: 1,
        inherited: Inherited::of(RegisterSet::of(9)),
        low: -2,
        span: 3,
        own_offset: 1,
        own_span: 2,
        store: 1,
        pc: 4,
        spent: -5,
        count: 6,
        resume: 7,
    }
}

/// Does what the compiling thread does once it has code.
fn add(growing: &GrowingCode, address: *const u8) {
    assert!(growing.set_access_site(0, &access_site()));
    assert!(growing.set_call_site(0, &call_site()));
    growing.publish(NUMBER, address);
}

#[test]
fn who_has_a_function_has_its_sites() {
    model(|| {
        let growing = Arc::new(GrowingCode::new(2, 2, 1, 1));
        let compiler = thread::spawn({
            let growing = Arc::clone(&growing);
            move || add(&growing, place(0))
        });
        let is_there = growing.has(NUMBER);
        if is_there {
            assert_eq!(growing.address(NUMBER), Some(place(0)));
            assert_eq!(growing.access_site(0), access_site());
            assert_eq!(growing.call_site(0), call_site());
        }
        compiler.join().expect("it does not panic");
        assert!(growing.has(NUMBER));
    });
}

/// A function that two threads add at the same time: what both see is one or the other, and its sites
/// are whole all the time. Nothing adds functions so, but nothing would go wrong either.
#[test]
fn a_function_that_is_added_twice_is_whole() {
    model(|| {
        let growing = Arc::new(GrowingCode::new(2, 2, 0, 1));
        let compilers = [0, 1].map(|byte| {
            let growing = Arc::clone(&growing);
            thread::spawn(move || {
                growing.set_call_site(0, &call_site());
                growing.publish(NUMBER, place(byte));
            })
        });
        if let Some(address) = growing.address(NUMBER) {
            assert!([place(0), place(1)].contains(&address));
            assert_eq!(growing.call_site(0), call_site());
        }
        for compiler in compilers {
            compiler.join().expect("it does not panic");
        }
    });
}

#[test]
fn code_of_several_threads_is_side_by_side() {
    if !GrowingCode::is_possible() {
        return;
    }
    model(|| {
        let growing = Arc::new(GrowingCode::new(4, 4, 0, 0));
        let seal = |growing: &GrowingCode, byte: u8| {
            let start = growing.seal(&[byte; 9]).expect("there is memory");
            growing.publish(u32::from(byte), start);
        };
        let compiler = thread::spawn({
            let growing = Arc::clone(&growing);
            move || seal(&growing, 1)
        });
        seal(&growing, 2);
        compiler.join().expect("it does not panic");
        let address = |number| growing.address(number).expect("it is there").addr();
        assert!(address(1).abs_diff(address(2)) >= 9);
    });
}
