//! What is around instructions: frames, helpers, regions, faults, the meter.

use {
    crate::{
        agreement::{CHARGE, Case, FAIL_IF_ODD, MIX},
        assembly::*,
    },
    sbpf_cranelift::ebpf::{
        Fault, HelperError, Helpers, Memory, Options, Program, Session, map_handle,
    },
    std::panic::AssertUnwindSafe,
};

fn fault(case: &Case) -> (Fault, usize, u64) {
    let outcome = case.agree(10_000).outcome;
    let fault = outcome.result.expect_err("it fails");
    (fault, outcome.pc, outcome.instructions)
}

#[test]
fn registers_at_the_start() {
    let case = |context: usize| {
        let text = [copy(0, 1), insn(0x1f, 0, 2, 0, 0), EXIT];
        Case::new(&text, vec![0; context])
    };
    assert_eq!(case(24).result(), (3 << 32) - 24);
    assert_eq!(case(0).result(), 0);
    let others = [
        copy(0, 3),
        insn(0x0f, 0, 7, 0, 0),
        insn(0x0f, 0, 9, 0, 0),
        EXIT,
    ];
    assert_eq!(Case::new(&others, vec![1]).result(), 0);
    let frame = [copy(0, 10), EXIT];
    assert_eq!(Case::new(&frame, vec![1]).result(), (2 << 32) + 512);
}

#[test]
fn calls_keep_registers_and_have_frames_of_their_own() {
    let text = [
        set(6, 60),
        set(9, 90),
        insn(0x7a, 10, 0, -8, 11),
        set(1, 5),
        local(5),
        insn(0x79, 1, 10, -8, 0),
        insn(0x0f, 0, 1, 0, 0),
        insn(0x0f, 0, 6, 0, 0),
        insn(0x0f, 0, 9, 0, 0),
        EXIT,
        // Its own frame is zero.
        insn(0x79, 0, 10, -8, 0),
        insn(0x7a, 10, 0, -8, 1000),
        insn(0x0f, 0, 1, 0, 0),
        set(6, 1),
        set(9, 2),
        EXIT,
    ];
    assert_eq!(Case::new(&text, Vec::new()).result(), 5 + 11 + 60 + 90);
}

#[test]
fn a_callee_reaches_its_caller_s_frame() {
    let text = [
        insn(0x7a, 10, 0, -16, 40),
        copy(1, 10),
        insn(0x07, 1, 0, 0, -16),
        local(2),
        insn(0x79, 0, 10, -16, 0),
        EXIT,
        insn(0x79, 2, 1, 0, 0),
        insn(0x07, 2, 0, 0, 2),
        insn(0x7b, 1, 2, 0, 0),
        EXIT,
    ];
    assert_eq!(Case::new(&text, Vec::new()).result(), 42);
}

#[test]
fn recursion_ends_at_the_call_depth() {
    // r0 += 1, until r1 is 0.
    let text = [
        insn(0x15, 1, 0, 3, 0),
        insn(0x07, 1, 0, 0, -1),
        local(-3),
        insn(0x07, 0, 0, 0, 1),
        EXIT,
    ];
    let with = |depth: i32, call_depth: u32| {
        let options = Options {
            call_depth,
            ..Options::default()
        };
        let text = [&[set(1, depth)], &text[..]].concat();
        Case::with(&text, Vec::new(), &options)
    };
    assert_eq!(with(7, 8).result(), 7);
    assert_eq!(fault(&with(8, 8)), (Fault::CallDepth, 3, 1 + 3 * 8));
    assert_eq!(with(0, 1).result(), 0);
    assert_eq!(fault(&with(1, 1)), (Fault::CallDepth, 3, 4));
    assert_eq!(with(999, 1000).result(), 999);
    assert_eq!(fault(&with(1000, 1000)).0, Fault::CallDepth);
}

#[test]
fn helpers_are_called_by_number() {
    let text = [
        set(1, 1),
        set(2, 2),
        set(3, 3),
        set(4, 4),
        set(5, 5),
        set(6, 6),
        helper(MIX as i32),
        copy(7, 0),
        helper(MIX as i32),
        insn(0xaf, 0, 7, 0, 0),
        insn(0x0f, 0, 6, 0, 0),
        EXIT,
    ];
    let observed = Case::new(&text, vec![0; 4]).agree(100);
    assert_eq!(observed.outcome.instructions, 12);
    assert!(observed.outcome.result.is_ok());
    assert_ne!(observed.context[0], 0);
}

extern "C" fn weigh(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    [a, b, c, d, e]
        .into_iter()
        .zip(1..)
        .fold(0, |sum, (value, weight)| {
            sum.wrapping_mul(7).wrapping_add(value ^ weight)
        })
}

#[test]
fn plain_functions_are_helpers_too() {
    // In a loop with a closure, so that both ways and what follows them share registers.
    let text = [
        set(6, 5),
        insn(0x79, 7, 1, 0, 0),
        set(1, 1),
        set(2, 2),
        set(3, 3),
        copy(4, 7),
        copy(5, 6),
        helper(3),
        copy(8, 0),
        helper(2_000),
        insn(0xaf, 7, 0, 0, 0),
        insn(0x0f, 7, 8, 0, 0),
        insn(0x0f, 7, 1, 0, 0),
        insn(0x0f, 7, 5, 0, 0),
        insn(0x07, 6, 0, 0, -1),
        insn(0x55, 6, 0, -14, 0),
        copy(0, 7),
        EXIT,
    ];
    for (function, closure) in [(3, 2_000), (2_000, 3)] {
        for meter in [true, false] {
            let options = Options {
                meter,
                ..Options::default()
            };
            let program = Program::from_bytes(text.as_flattened(), &options).expect("it is valid");
            let compiled = program.compile().expect("it compiles");
            let mut expected = 0x1234;
            for round in (1..=5).rev() {
                let weighed = weigh(1, 2, 3, expected, round);
                let masked = weighed.wrapping_add(1) & 0xff_ffff;
                let (first, second) = match function {
                    3 => (weighed, masked),
                    _ => (masked, weighed),
                };
                expected = (expected ^ second)
                    .wrapping_add(first)
                    .wrapping_add(1 + round);
            }
            for limit in 0..100 {
                let run = |is_compiled: bool| {
                    let mut helpers = Helpers::new();
                    helpers.register_function(function, weigh);
                    helpers.register(closure, |call| {
                        let [a, b, c, d, e] = *call.arguments;
                        Ok(weigh(a, b, c, d, e).wrapping_add(1) & 0xff_ffff)
                    });
                    let mut memory = Memory::new();
                    memory.own_context(&0x1234u64.to_le_bytes());
                    match is_compiled {
                        true => compiled.run(&mut memory, &mut helpers, limit),
                        false => program.interpret(&mut memory, &mut helpers, limit),
                    }
                };
                let found = run(true);
                assert_eq!(found, run(false), "limit {limit}");
                if limit == 99 {
                    assert_eq!(found.result, Ok(expected));
                }
            }
        }
    }
}

#[test]
fn what_never_reads_the_frame_pointer_has_no_stack() {
    let address = 2u64 << 32;
    let text = [
        &constant(1, 0, address)[..],
        &[insn(0x79, 0, 1, 0, 0), EXIT],
    ]
    .concat();
    let violation = Fault::AccessViolation {
        address,
        size: 8,
        store: false,
    };
    let case = Case::new(&text, Vec::new());
    assert_eq!(fault(&case).0, violation);
    assert!(case.agree(10).stack.is_empty());
    let text = [&text[..3], &[copy(2, 10), EXIT]].concat();
    let case = Case::new(&text, Vec::new());
    assert_eq!(case.result(), 0);
    assert_eq!(case.agree(10).stack, [0; 512]);
}

#[test]
fn helpers_end_programs() {
    let call = |number: u32, argument: i32| {
        let text = [set(1, argument), set(2, 22), helper(number as i32), EXIT];
        Case::new(&text, Vec::new())
    };
    assert_eq!(call(FAIL_IF_ODD, 2).result(), 22);
    let odd = Fault::Helper {
        number: FAIL_IF_ODD,
        error: HelperError("odd".into()),
    };
    assert_eq!(fault(&call(FAIL_IF_ODD, 3)), (odd, 2, 3));
    assert_eq!(fault(&call(1234, 0)), (Fault::UnknownHelper(1234), 2, 3));
}

#[test]
fn helpers_charge() {
    let text = [set(1, 50), helper(CHARGE as i32), set(0, 1), EXIT];
    let case = Case::new(&text, Vec::new());
    let outcome = case.agree(54).outcome;
    assert_eq!((outcome.result, outcome.instructions), (Ok(1), 54));
    let outcome = case.agree(53).outcome;
    assert_eq!(outcome.result, Err(Fault::InstructionLimit));
    assert_eq!((outcome.pc, outcome.instructions), (3, 53));
    let outcome = case.agree(20).outcome;
    assert_eq!((outcome.pc, outcome.instructions), (2, 20));
}

#[test]
fn a_helper_s_panic_goes_on() {
    let program = Program::from_bytes([helper(1), EXIT].as_flattened(), &Options::default());
    let compiled = program
        .expect("it is valid")
        .compile()
        .expect("it compiles");
    let panics = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut helpers = Helpers::new();
        helpers.register(1, |_| panic!("of a helper"));
        compiled.run(&mut Memory::new(), &mut helpers, 10)
    }));
    assert!(panics.is_err());
}

#[test]
fn accesses_outside_of_regions_fail() {
    let context = (3u64 << 32, 16u64);
    let map = (4u64 << 32, 64u64);
    let stack = (2u64 << 32, 512u64);
    for (start, length) in [context, map, stack] {
        for size in [(0x10u8, 1u64), (0x08, 2), (0x00, 4), (0x18, 8)] {
            let (code, bytes) = size;
            for store in [false, true] {
                let access = |address: u64| {
                    let access = match store {
                        false => insn(0x61 | code, 0, 1, 0, 0),
                        true => insn(0x63 | code, 1, 0, 0, 0),
                    };
                    // There is a stack only for those that read r10.
                    let code = [copy(9, 10), access, EXIT];
                    let text = [&constant(1, 0, address)[..], &code].concat();
                    Case::new(&text, vec![0; 16])
                };
                assert_eq!(access(start).result(), 0);
                assert_eq!(access(start + length - bytes).result(), 0);
                for address in [
                    start + length - bytes + 1,
                    start + length,
                    start.wrapping_sub(1),
                ] {
                    let violation = Fault::AccessViolation {
                        address,
                        size: bytes as u32,
                        store,
                    };
                    assert_eq!(fault(&access(address)), (violation, 3, 3));
                }
            }
        }
    }
    for address in [
        0,
        8,
        1 << 32,
        u64::MAX,
        u64::MAX - 7,
        5 << 32,
        map_handle(0),
    ] {
        let text = [
            &constant(1, 0, address)[..],
            &[insn(0xdb, 1, 2, 0, 0), EXIT],
        ]
        .concat();
        let violation = Fault::AccessViolation {
            address,
            size: 8,
            store: true,
        };
        assert_eq!(fault(&Case::new(&text, vec![0; 16])).0, violation);
    }
}

#[test]
fn earlier_stores_of_a_failing_stretch_stay() {
    let text = [
        insn(0x7a, 1, 0, 0, 1),
        insn(0x7a, 1, 0, 8, 2),
        insn(0x7a, 1, 0, 16, 3),
        EXIT,
    ];
    let observed = Case::new(&text, vec![0; 20]).agree(10);
    assert!(observed.outcome.result.is_err());
    assert_eq!((observed.outcome.pc, observed.outcome.instructions), (2, 3));
    assert_eq!(
        observed.context[..16],
        [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(observed.context[16..], [0; 4]);
}

#[test]
fn read_only_maps_are_not_written() {
    let text = |access: [u8; 8]| [&constant(1, 2, 3)[..], &[access, EXIT]].concat();
    let run = |access: [u8; 8]| {
        let program = Program::from_bytes(text(access).as_flattened(), &Options::default());
        let program = program.expect("it is valid");
        let values = [7; 8];
        let mut memory = Memory::new();
        memory.set_read_only_map(3, &values);
        let interpreted = program.interpret(&mut memory, &mut Helpers::new(), 10);
        let compiled = program.compile().expect("it compiles");
        let found = compiled.run(&mut memory, &mut Helpers::new(), 10);
        assert_eq!(found, interpreted);
        found.result
    };
    assert_eq!(run(insn(0x71, 0, 1, 4, 0)), Ok(7));
    let violation = |size| Fault::AccessViolation {
        address: 7 << 32,
        size,
        store: true,
    };
    assert_eq!(run(insn(0x72, 1, 0, 0, 0)), Err(violation(1)));
    assert_eq!(run(insn(0xc3, 1, 0, 0, 1)), Err(violation(4)));
}

#[test]
fn constants_stand_for_maps_variables_and_code() {
    let load = |source: u8, value: u64| {
        let mut options = Options::default();
        options.variables.insert(-5, 1 << 40);
        let text = [&constant(0, source, value)[..], &[EXIT]].concat();
        Case::with(&text, Vec::new(), &options).result()
    };
    assert_eq!(load(1, 2), map_handle(2));
    assert_eq!(load(5, 2), map_handle(2));
    assert_eq!(load(2, 12 << 32 | 1), Memory::address_of_map(1) + 12);
    assert_eq!(load(6, 12 << 32 | 1), Memory::address_of_map(1) + 12);
    assert_eq!(load(3, u64::from(-5i32 as u32)), 1 << 40);
    // The instruction behind the first half and one more.
    assert_eq!(load(4, 1), (1 << 32) + 2 * 8);
}

#[test]
fn helpers_are_told_maps() {
    let text = [&constant(1, 1, 3)[..], &[helper(1), EXIT]].concat();
    let program = Program::from_bytes(text.as_flattened(), &Options::default());
    let compiled = program
        .expect("it is valid")
        .compile()
        .expect("it compiles");
    let mut helpers = Helpers::new();
    helpers.register(1, |call| {
        assert_eq!(
            (call.map(0), call.map(1), call.map(9)),
            (Some(3), None, None)
        );
        Ok(5)
    });
    let outcome = compiled.run(&mut Memory::new(), &mut helpers, 10);
    assert_eq!(outcome.result, Ok(5));
}

#[test]
fn without_a_meter_nothing_is_counted() {
    let options = Options {
        meter: false,
        ..Options::default()
    };
    let text = [
        set(0, 100_000),
        insn(0x07, 0, 0, 0, -1),
        insn(0x55, 0, 0, -2, 0),
        EXIT,
    ];
    let outcome = Case::with(&text, Vec::new(), &options).agree(0).outcome;
    assert_eq!((outcome.result, outcome.instructions), (Ok(0), 0));
}

#[test]
fn one_program_runs_on_many_threads() {
    let text = [insn(0x79, 0, 1, 0, 0), insn(0x07, 0, 0, 0, 1), EXIT];
    let program = Program::from_bytes(text.as_flattened(), &Options::default());
    let compiled = program
        .expect("it is valid")
        .compile()
        .expect("it compiles");
    std::thread::scope(|scope| {
        for number in 0..4u64 {
            let compiled = &compiled;
            scope.spawn(move || {
                let mut context = number.to_le_bytes();
                let mut memory = Memory::new();
                memory.set_context(&mut context);
                let outcome = compiled.run(&mut memory, &mut Helpers::new(), 10);
                assert_eq!(outcome.result, Ok(number + 1));
            });
        }
    });
}

#[test]
fn a_session_starts_with_the_same_registers() {
    // r0 to r9 are what they were, and then everything that changes them happens.
    let mut text: Vec<[u8; 8]> = (3..10)
        .map(|register| insn(0x0f, 0, register, 0, 0))
        .collect();
    text.push(copy(6, 0));
    text.extend((2..10).filter(|r| *r != 6).map(|register| set(register, 7)));
    text.extend([
        insn(0x79, 4, 1, 0, 0),
        insn(0x7b, 10, 4, -8, 0),
        local(4),
        helper(FAIL_IF_ODD as i32),
        insn(0x79, 3, 1, 12, 0),
        copy(0, 6),
        EXIT,
        set(1, 2),
        set(5, 5),
        set(9, 9),
        set(0, 3),
        EXIT,
    ]);
    for context in [8, 16, 24] {
        let case = Case::new(&text, vec![1; context]);
        case.agree(1_000);
    }
}

/// Runs a session further and further down the native stack, until there are `below` bytes between here and
/// `start`, and again on the way back.
fn run_below(session: &mut Session<'_, '_, '_>, start: usize, below: usize) {
    let bytes = std::hint::black_box([7u8; 4096]);
    assert_eq!(session.run(10).result, Ok(1));
    if start - bytes.as_ptr().addr() < below {
        run_below(session, start, below);
    }
    assert_eq!(session.run(10).result, Ok(1));
    assert_eq!(std::hint::black_box(bytes)[7], 7);
}

#[test]
fn a_session_runs_anywhere_on_the_native_stack() {
    let program = Program::from_bytes([set(0, 1), EXIT].as_flattened(), &Options::default());
    let compiled = program
        .expect("it is valid")
        .compile()
        .expect("it compiles");
    // To where there is not enough left for a program.
    let deep = std::thread::Builder::new().stack_size(1 << 20);
    let thread = deep.spawn(move || {
        let (mut memory, mut helpers) = (Memory::new(), Helpers::new());
        let mut session = compiled.session(&mut memory, &mut helpers);
        let here = 0u8;
        run_below(
            &mut session,
            (&raw const here).addr(),
            (1 << 20) - (192 << 10),
        );
    });
    thread
        .expect("there is a thread")
        .join()
        .expect("it ends well");
}

#[test]
fn a_session_runs_again_on_the_same_memory() {
    // Counts in the context, and finds its stack zero each time.
    let text = [
        insn(0x79, 0, 1, 0, 0),
        insn(0x79, 2, 10, -8, 0),
        insn(0x7a, 10, 0, -8, 5),
        insn(0x0f, 0, 2, 0, 0),
        insn(0x07, 0, 0, 0, 1),
        insn(0x7b, 1, 0, 0, 0),
        insn(0x2d, 0, 6, 0, 0),
        EXIT,
    ];
    let program = Program::from_bytes(text.as_flattened(), &Options::default());
    let compiled = program
        .expect("it is valid")
        .compile()
        .expect("it compiles");
    let mut memory = Memory::new();
    memory.own_context(&[0; 8]);
    let mut helpers = Helpers::new();
    let mut session = compiled.session(&mut memory, &mut helpers);
    assert_eq!(session.run(100).result, Ok(1));
    assert_eq!(session.run(8).result, Ok(2));
    let short = session.run(7);
    assert_eq!((short.result, short.pc), (Err(Fault::InstructionLimit), 7));
    assert_eq!(session.run(0).instructions, 0);
    let context = Memory::address_of_context();
    session
        .memory()
        .write(context, &[40])
        .expect("it is inside");
    assert_eq!(session.run(100).result, Ok(41));
    assert_eq!(session.memory().context(), [41, 0, 0, 0, 0, 0, 0, 0]);
}
