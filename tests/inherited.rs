//! Registers r6 to r9 of a caller, which only the interpreter reads once it has taken over: at any depth, whoever
//! has written them.

mod common;

use {
    common::*,
    rand::{Rng, SeedableRng, seq::IndexedRandom},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::*,
};

/// Registers that all functions leave as they are: pointers to the input, behind the stack, and to the reader; and
/// what is decided by.
const INPUT: u8 = 1;
const DECISION: u8 = 2;
const BEHIND: u8 = 4;
const READER: u8 = 5;
/// What they use.
const SCRATCH: u8 = 3;
const FRAME: u8 = 10;

/// Bytes of frames without gaps.
const STACK: u64 = 10 * 4096;

/// One step of a function.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Writes a register.
    Write(u8),
    /// Writes it if the decision is this.
    WriteIf(u8, i32),
    /// Writes it in each turn of a loop.
    WriteInTurns(u8),
    /// Reads it, so that it has to be passed.
    Read(u8),
    /// Calls another function.
    Call(usize),
    /// Calls its address.
    CallAddress(usize),
    /// Calls code that is not known to be a function, so that the interpreter takes over. It reads all registers.
    CallReader,
    /// Returns if the decision is this.
    ReturnIf(i32),
    /// Goes on in another function if the decision is this.
    GoToIf(usize, i32),
    /// Accesses the frame.
    UseFrame,
    /// Accesses the input.
    UseInput,
    /// Has a handler take the stack from under the frames, if there is one.
    Displace,
    /// The same by a syscall.
    Redirect,
    Syscall,
    /// Does not return.
    Fail,
}

/// Functions, the first of which is the program's entry.
type Functions = Vec<Vec<Step>>;

/// Where everything is in the text, as found out by writing it once.
#[derive(Debug, Clone, Default, PartialEq)]
struct Places {
    functions: Vec<usize>,
    reader: usize,
}

fn program(version: SBPFVersion, functions: &Functions) -> Case {
    let mut places = Places {
        functions: vec![0; functions.len()],
        reader: 0,
    };
    loop {
        let (text, found) = write(version, functions, &places);
        if found == places {
            return Case::text(&text, &places.functions[1..]).input(vec![3; 64]);
        }
        places = found;
    }
}

fn write(version: SBPFVersion, functions: &Functions, places: &Places) -> (Text, Places) {
    let address = |pc: usize| MM_BYTECODE_START + 8 * pc as u64;
    let mut text = Text::new(version);
    let mut found = Places::default();
    text.computed_address(READER, places.reader);
    set_common(&mut text);
    for steps in functions {
        let entry = if found.functions.is_empty() {
            0
        } else {
            text.pc()
        };
        found.functions.push(entry);
        for (index, step) in steps.iter().enumerate() {
            let mark = (text.pc() + index) as i32;
            step.write(&mut text, mark, &places.functions, address);
        }
        text.exit();
    }
    found.reader = text.pc();
    for argument in 1..5 {
        text.copy(argument, argument + 5);
    }
    text.syscall("sys_log");
    set_common(&mut text);
    text.exit();
    (text, found)
}

fn set_common(text: &mut Text) -> &mut Text {
    text.constant(BEHIND, MM_STACK_START + STACK);
    text.constant(INPUT, MM_INPUT_START);
    text.load(Size::Byte, DECISION, INPUT, 0)
}

impl Step {
    fn write(
        self,
        text: &mut Text,
        mark: i32,
        functions: &[usize],
        address: impl Fn(usize) -> u64,
    ) {
        match self {
            Self::Write(register) => text.mov(register, mark),
            Self::WriteIf(register, decision) => {
                text.push(JNE64_IMM, DECISION, 0, 1, decision);
                text.mov(register, mark)
            }
            Self::WriteInTurns(register) => {
                text.mov(SCRATCH, 2);
                text.mov(register, mark);
                text.push(ADD64_IMM, SCRATCH, 0, 0, -1);
                text.push(JNE64_IMM, SCRATCH, 0, -3, 0)
            }
            Self::Read(register) => text.push(ADD64_REG, 0, register, 0, 0),
            Self::Call(function) => text.call(functions[function]),
            Self::CallAddress(function) => {
                text.constant(SCRATCH, address(functions[function]));
                text.callx(SCRATCH)
            }
            Self::CallReader => text.callx(READER),
            Self::ReturnIf(decision) => {
                text.push(JNE64_IMM, DECISION, 0, 1, decision);
                text.exit()
            }
            Self::GoToIf(function, decision) => {
                let distance = functions[function] as i64 - text.pc() as i64 - 1;
                text.push(JEQ64_IMM, DECISION, 0, distance as i16, decision)
            }
            Self::UseFrame => text.store_immediate(Size::Double, FRAME, -8, 9),
            Self::UseInput => text.store(Size::Double, INPUT, 8, DECISION),
            Self::Displace => text.load(Size::Byte, SCRATCH, BEHIND, 3),
            Self::Redirect => {
                text.syscall_with("sys_redirect", &[MM_STACK_START, 0, 0, STACK]);
                set_common(text)
            }
            Self::Syscall => text.syscall("sys_log"),
            Self::Fail => text.syscall("sys_fail"),
        };
    }
}

/// How a function may get to the interpreter, which goes on in the reader.
const WAYS: [&[Step]; 7] = [
    &[Step::CallReader],
    &[Step::Syscall, Step::CallReader],
    &[Step::Redirect, Step::CallReader],
    &[Step::Displace, Step::UseInput, Step::CallReader],
    // At the access already, because of the frame.
    &[
        Step::Displace,
        Step::ReturnIf(9),
        Step::UseFrame,
        Step::CallReader,
    ],
    // In the caller.
    &[Step::UseFrame, Step::Displace],
    &[Step::UseFrame, Step::Redirect],
];

fn with_handler(case: Case) -> Case {
    case.configure(|config| config.enable_stack_frame_gaps = false)
        .memory(|layout| layout.handled(Handler::Redirect, 0))
}

/// One function writes a register, in one of these ways, before or behind a call; another one, two calls further
/// in, leaves to the interpreter.
#[test]
fn the_nearest_caller_has_it() {
    let writes = [
        vec![],
        vec![Step::Write(7)],
        vec![Step::WriteIf(7, 3)],
        vec![Step::WriteIf(7, 4)],
        vec![Step::WriteInTurns(7)],
        vec![Step::Read(7)],
    ];
    let pairs = writes
        .iter()
        .flat_map(|first| writes.iter().map(move |second| (first, second)));
    for version in SBPFVersion::ALL {
        for way in WAYS {
            for (number, (first, second)) in pairs.clone().enumerate() {
                // Each way of writing meets both kinds of calls.
                let call = match (number + number / writes.len()) % 2 {
                    0 => Step::Call,
                    _ => Step::CallAddress,
                };
                let mut functions = vec![
                    vec![Step::Write(6), Step::Write(7), Step::Write(8)],
                    first.clone(),
                    second.clone(),
                    way.to_vec(),
                ];
                functions[0].extend([Step::Write(9), call(1), Step::CallReader]);
                functions[1].extend([call(2), Step::UseFrame, Step::CallReader]);
                functions[2].extend([Step::Write(8), call(3), Step::CallReader]);
                with_handler(program(*version, &functions)).check();
            }
        }
    }
}

/// Functions at random.
#[test]
fn whoever_has_written_them() {
    let mut random = ChaCha8Rng::seed_from_u64(0x1a_4e81_7ed0);
    let mut read = 0;
    for _ in 0..800 {
        let count = random.random_range(2..6);
        let functions = (0..count)
            .map(|index| {
                let length = random.random_range(0..9);
                let mut steps: Vec<Step> = (0..length)
                    .map(|_| step(&mut random, index, count))
                    .collect();
                if index + 1 == count || random.random_ratio(1, 3) {
                    steps.extend(*WAYS.choose(&mut random).expect("there are some"));
                }
                steps
            })
            .collect();
        let version = SBPFVersion::ALL
            .choose(&mut random)
            .expect("there are some");
        let case = program(*version, &functions)
            .register(6, 0x66)
            .register(7, 0x77)
            .register(9, 0x99)
            .budget(600);
        let case = match random.random() {
            true => with_handler(case),
            false => case,
        };
        let verdict = case.check();
        read += u32::from(verdict.outcome.result.starts_with("Ok"));
    }
    assert!(read > 150, "hardly a program ends: {read}");
}

fn step(random: &mut ChaCha8Rng, function: usize, count: usize) -> Step {
    let register = random.random_range(6..10);
    let decision = random.random_range(2..5);
    let later = random.random_range(function + 1..count + 1);
    if later == count {
        return Step::Write(register);
    }
    match random.random_range(0..23) {
        0..=3 => Step::Write(register),
        4..=6 => Step::WriteIf(register, decision),
        7 => Step::WriteInTurns(register),
        8 => Step::Read(register),
        9..=11 => Step::Call(later),
        12..=13 => Step::CallAddress(later),
        14 => Step::ReturnIf(decision),
        15 => Step::GoToIf(later, decision),
        16 => Step::UseFrame,
        17 => Step::UseInput,
        18 => Step::Displace,
        19 => Step::CallReader,
        20 => Step::Syscall,
        21 => Step::Redirect,
        _ => Step::Fail,
    }
}
