//! Calling conventions: the way into generated code and every callback out of it, with a canary in
//! each register and on the stack that the convention protects, and rubbish in each that it doesn't.
//!
//! On x86_64 the code for Windows is called as `extern "win64"` whatever system this runs on, and
//! on arm64 that for Apple silicon. No function has more than four arguments, nor any of less than
//! 32 bits, so none is passed on the stack, which Apple packs, and all conventions of arm64 agree.

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod machine;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod machine;

#[path = "../common/mod.rs"]
mod common;
mod embedder;

use {
    common::SBPFVersion,
    embedder::{Event, RETURNED_METER_COST, Session},
    machine::CONVENTIONS,
    sbpf_runtime::abi::{Anchor, Exception},
};

/// One convention: for which machine code is generated, and how it is entered and left.
struct Convention {
    /// The machine.
    target: &'static str,
    /// Enters generated code with canaries in place, and gives what has become of them.
    enter: unsafe fn(code: *const u8, anchor: Anchor, canaries: &mut Canaries) -> i64,
    /// Addresses of the functions to call back, in the order of the context: access, unwind,
    /// syscall. They leave rubbish wherever the convention lets them.
    callbacks: [*const (); 3],
}

/// More words than any convention protects.
type Canaries = [u64; 48];

/// The first canary.
const CANARY: u64 = 0x9e37_79b9_7f4a_7c15;

/// Canaries that differ in every byte.
fn canaries() -> Canaries {
    std::array::from_fn(|index| CANARY.wrapping_mul(index as u64 + 1))
}

/// Runs `text` by every convention, with r1 at the input and `meter`.
fn for_all(version: SBPFVersion, text: &str, meter: i64, check: impl Fn(&str, &Session, i64)) {
    for convention in CONVENTIONS {
        let mut session = Session::new(version, text, convention);
        let mut found = canaries();
        let returned = session.enter(convention, meter, &mut found);
        assert_eq!(found, canaries(), "{}", convention.target);
        check(convention.target, &session, returned);
    }
}

/// Every register of the virtual machine has a value of its own while a callback runs.
const BUSY: &str = "entrypoint:
    mov64 r2, 2
    mov64 r3, 3
    mov64 r4, 4
    mov64 r5, 5
    mov64 r6, 6
    mov64 r7, 7
    mov64 r8, 8
    mov64 r9, 9
    ldxdw r0, [r1+8]
    add64 r0, r2
    lsh64 r0, 4
    add64 r0, r3
    lsh64 r0, 4
    add64 r0, r4
    lsh64 r0, 4
    add64 r0, r5
    lsh64 r0, 4
    add64 r0, r6
    lsh64 r0, 4
    add64 r0, r7
    lsh64 r0, 4
    add64 r0, r8
    lsh64 r0, 4
    add64 r0, r9
    stxdw [r1+16], r0
    exit";

#[test]
fn values_survive_an_access() {
    for_all(SBPFVersion::V3, BUSY, 1000, |target, session, returned| {
        assert_eq!(returned, 1000 - 26, "{target}");
        // The callback fills the word that is read with ones.
        let expected = (0x1111_1111_1111_1111_u64 + 2) << 28 | 0x345_6789;
        assert_eq!(session.registers()[0], expected, "{target}");
        assert_eq!(session.word(16), expected, "{target}");
        // One range check stands for both accesses.
        let access = Event::Access { pc: 8, offset: 8 };
        assert_eq!(session.events(), [access], "{target}");
    });
}

/// The second level of the region cache is looked up by a generated function, which keeps all
/// registers of its caller.
#[test]
fn values_survive_the_second_level_of_the_cache() {
    for convention in CONVENTIONS {
        let mut session = Session::new(SBPFVersion::V3, BUSY, convention);
        session.cache_input();
        let mut found = canaries();
        let returned = session.enter(convention, 1000, &mut found);
        assert_eq!(found, canaries(), "{}", convention.target);
        assert_eq!(returned, 1000 - 26, "{}", convention.target);
        let expected = (0x1111_1111_1111_1111_u64 + 2) << 28 | 0x345_6789;
        assert_eq!(session.word(16), expected, "{}", convention.target);
        assert_eq!(session.events(), [], "{}", convention.target);
    }
}

#[test]
fn values_survive_a_syscall() {
    let text = "entrypoint:
        mov64 r1, 1
        mov64 r2, -2
        mov64 r3, 3
        mov64 r4, -4
        mov64 r5, 5
        mov64 r6, 6
        mov64 r7, 7
        mov64 r8, 8
        mov64 r9, 9
        syscall sys_log
        lsh64 r0, 4
        add64 r0, r1
        add64 r0, r2
        add64 r0, r3
        add64 r0, r4
        lsh64 r0, 4
        add64 r0, r5
        lsh64 r0, 4
        add64 r0, r6
        lsh64 r0, 4
        add64 r0, r7
        lsh64 r0, 4
        add64 r0, r8
        lsh64 r0, 4
        add64 r0, r9
        exit";
    for_all(SBPFVersion::V3, text, 1000, |target, session, returned| {
        assert_eq!(returned, 1000 - 26 - RETURNED_METER_COST, "{target}");
        let arguments = [1, -2_i64 as u64, 3, -4_i64 as u64, 5];
        let result = arguments
            .iter()
            .fold(0, |sum: u64, word| sum.wrapping_add(*word));
        let sum = result.wrapping_shl(4).wrapping_sub(2);
        let expected = sum << 20 | 0x5_6789;
        assert_eq!(session.registers()[0], expected, "{target}");
        assert_eq!(
            session.events(),
            [Event::Syscall { pc: 9, arguments }],
            "{target}"
        );
    });
}

/// Three functions deep, each with registers of its own.
const NESTED: &str = "entrypoint:
    mov64 r6, 16
    mov64 r7, 17
    mov64 r8, 18
    mov64 r9, 19
    call function_middle
    add64 r0, r6
    add64 r0, r7
    add64 r0, r8
    add64 r0, r9
    exit
    function_middle:
    mov64 r6, 26
    mov64 r7, 27
    mov64 r8, 28
    mov64 r9, 29
    call function_inner
    add64 r0, r6
    add64 r0, r7
    add64 r0, r8
    add64 r0, r9
    exit
    function_inner:
    mov64 r6, 36
    ldxdw r1, [r1+0]
    syscall sys_log
    add64 r0, r6
    exit";

#[test]
fn values_survive_calls() {
    for_all(
        SBPFVersion::V3,
        NESTED,
        1000,
        |target, session, returned| {
            assert_eq!(returned, 1000 - 25 - RETURNED_METER_COST, "{target}");
            let word = 0x1111_1111_1111_1111;
            let expected = word + 36 + 26 + 27 + 28 + 29 + 16 + 17 + 18 + 19;
            assert_eq!(session.registers()[0], expected, "{target}");
            let arguments = [word, 0, 0, 0, 0];
            assert_eq!(
                session.events(),
                [
                    Event::Access { pc: 21, offset: 0 },
                    Event::Syscall { pc: 22, arguments }
                ],
                "{target}"
            );
        },
    );
}

#[test]
fn a_negative_meter_passes_through_every_frame() {
    for convention in CONVENTIONS {
        let mut session = Session::new(SBPFVersion::V3, NESTED, convention);
        session.fail_syscalls();
        let mut found = canaries();
        let returned = session.enter(convention, 1000, &mut found);
        assert_eq!(found, canaries(), "{}", convention.target);
        assert!(returned < 0, "{}", convention.target);
        let events = session.events();
        assert_eq!(
            events[2..],
            [
                Event::Unwind {
                    pc: 15,
                    saved: [26, 27, 28, 29]
                },
                Event::Unwind {
                    pc: 5,
                    saved: [16, 17, 18, 19]
                }
            ],
            "{}",
            convention.target
        );
    }
}

#[test]
fn an_exception_passes_through_every_frame() {
    let text = NESTED.replace("syscall sys_log", "div64 r0, r2");
    for_all(SBPFVersion::V3, &text, 1000, |target, session, returned| {
        assert!(returned < 0, "{target}");
        assert_eq!(
            session.exception(),
            Some((Exception::DivideByZero, 22)),
            "{target}"
        );
        let unwound = session.events().iter();
        let unwound = unwound.filter(|event| matches!(event, Event::Unwind { .. }));
        assert_eq!(unwound.count(), 2, "{target}");
    });
}

#[test]
fn every_budget_is_left_to_the_interpreter() {
    for meter in 0..25 + RETURNED_METER_COST {
        for_all(
            SBPFVersion::V3,
            NESTED,
            meter,
            |target, session, returned| {
                assert!(returned < 0, "{target}, {meter}: {returned}");
                let (exception, pc) = session.exception().expect("it has left");
                // The functions start there.
                let expected = match pc {
                    0 | 10 | 20 => Exception::BailoutAtEntry,
                    _ => Exception::Bailout,
                };
                assert_eq!(exception, expected, "{target}, {meter}");
            },
        );
    }
}

#[test]
fn a_meter_that_may_not_last_is_passed_on_with_the_result() {
    // The function is not of one block, which would be inlined.
    let text = "entrypoint:
        call function_target
        add64 r0, 1
        exit
        function_target:
        mov64 r0, 7
        jne r0, 7, out
        out:
        exit";
    for_all(SBPFVersion::V3, text, 5, |target, session, returned| {
        assert!(returned < 0, "{target}: {returned}");
        let short = Event::Short {
            pc: 1,
            meter: 1,
            result: 7,
        };
        assert_eq!(session.events(), [short], "{target}");
    });
}

#[test]
fn values_survive_a_call_of_an_address() {
    let text = "entrypoint:
        mov64 r6, 16
        mov64 r7, 17
        mov64 r2, 2
        mov64 r3, 3
        mov64 r4, 4
        mov64 r5, 5
        call function_target
        lddw r8, 0x100000000
        add64 r8, 112
        callx r8
        add64 r0, r6
        add64 r0, r7
        exit
        function_target:
        mov64 r1, 7
        syscall sys_log
        exit";
    for_all(SBPFVersion::V3, text, 1000, |target, session, returned| {
        assert_eq!(returned, 1000 - 19 - 2 * RETURNED_METER_COST, "{target}");
        assert_eq!(session.registers()[0], 7 + 2 + 3 + 4 + 5 + 16 + 17);
    });
}
