//! Large programs, and one program on many threads.

mod common;

use {
    common::{
        engine::{Engine, Prepared, run},
        memory::Memory,
        *,
    },
    solana_sbpf::ebpf::*,
};

/// One function of many blocks, entered in a loop.
#[test]
fn long_function() {
    for version in [SBPFVersion::V0, SBPFVersion::V2, SBPFVersion::V3] {
        let mut text = Text::new(version);
        text.copy(6, 1).mov(7, 0);
        for block in 0..1500 {
            text.push(ADD64_IMM, 7, 0, 0, block);
            text.push(JSET64_IMM, 7, 0, 2, 1 << (block % 5));
            text.push(XOR64_REG, 8, 7, 0, 0);
            text.store(Size::Byte, 6, (block % 200) as i16, 8);
        }
        text.copy(0, 8).exit();
        Case::text(&text, &[]).check().succeeds();
    }
}

/// A straight line longer than any stretch that is charged at once.
#[test]
fn long_block() {
    for version in [SBPFVersion::V0, SBPFVersion::V2, SBPFVersion::V3] {
        let mut text = Text::new(version);
        for index in 0..4000i32 {
            let register = (index % 9) as u8;
            text.push(ADD64_REG, register, ((index * 7) % 10) as u8, 0, 0);
            if index % 16 == 0 {
                text.store(
                    Size::Double,
                    10,
                    -8 * (1 + (index / 16 % 500) as i16),
                    register,
                );
            }
        }
        text.exit();
        Case::text(&text, &[]).check().succeeds();
    }
}

/// Many functions, each called once through the one before, in a tree of three.
#[test]
fn many_functions() {
    const COUNT: usize = 1000;
    for version in [SBPFVersion::V0, SBPFVersion::V2, SBPFVersion::V3] {
        let mut text = Text::new(version);
        let start = |index: usize| 6 * index;
        for index in 0..COUNT {
            text.push(ADD64_IMM, 0, 0, 0, index as i32);
            text.push(JGT64_IMM, 6, 0, 0, 3);
            for child in 1..=3 {
                let child = 3 * index + child;
                if child < COUNT {
                    text.call(start(child));
                } else {
                    text.push(XOR64_IMM, 0, 0, 0, child as i32);
                }
            }
            text.exit();
        }
        let functions: Vec<usize> = (0..COUNT).map(start).collect();
        Case::text(&text, &functions).check().succeeds();
    }
}

/// Branches over most of the range of a 16-bit offset.
#[test]
fn far_jumps() {
    for version in [SBPFVersion::V0, SBPFVersion::V2, SBPFVersion::V3] {
        let mut text = Text::new(version);
        text.push(JA, 0, 0, 30_002, 0);
        let back = text.pc();
        text.push(ADD64_IMM, 0, 0, 0, 1);
        text.push(JLT64_IMM, 0, 0, 30_000, 5);
        for _ in 0..30_000 {
            text.push(MOV64_REG, 3, 3, 0, 0);
        }
        let distance = back as i64 - text.pc() as i64 - 1;
        text.push(JLT64_IMM, 0, 0, distance as i16, 4);
        text.exit();
        Case::text(&text, &[]).check().succeeds();
    }
}

/// One compiled program, run by several threads at once on memory of their own.
#[test]
fn many_threads() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r6, r1
            mov64 r7, 200
            loop:
            ldxb r1, [r6+0]
            call function_work
            stxb [r6+0], r0
            add64 r6, 1
            add64 r7, -1
            jne r7, 0, loop
            exit
            function_work:
            stxdw [r10-8], r1
            mov64 r2, r0
            syscall sys_log
            ldxdw r1, [r10-8]
            add64 r0, r1
            exit";
        let case = Case::assembly(*version, text);
        let engines = [Engine::Cranelift];
        let prepared = Prepared::new(
            &case.program,
            &case.config,
            &[],
            true,
            &engines,
            case.compilation,
        )
        .expect("the program compiles");
        let prepared = &prepared;
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let case = &case;
                scope.spawn(move || {
                    let input = pattern(thread, 256);
                    let layout = Layout::standard(&case.config, *version, &input);
                    let registers = [(1, MM_INPUT_START)];
                    let mut expected = Memory::new(&layout);
                    let mut actual = Memory::new(&layout);
                    for budget in (0..40).map(|step| step * 97) {
                        let outcome = |engine, memory: &mut Memory| {
                            run(prepared, engine, memory, &registers, budget)
                        };
                        let expected = outcome(Engine::Interpreter, &mut expected);
                        let actual = outcome(Engine::Cranelift, &mut actual);
                        let difference = report::difference(&expected, &actual);
                        assert_eq!(difference, None, "thread {thread}, budget {budget}");
                    }
                });
            }
        });
    }
}
