//! What keeps a program from having bytes of its choice executed: constants that are not found in
//! the code, a layout that nobody can predict, and marks for the processor.

mod common;

use {
    common::*,
    sbpf_cranelift::{Cache, CompileOptions, CompiledProgram, GeneratedCode},
    solana_sbpf::ebpf::*,
    std::collections::HashSet,
};

const X86_64: &str = "x86_64-unknown-linux-gnu";
const MACHINES: [&str; 5] = [
    X86_64,
    "x86_64-pc-windows-msvc",
    "x86_64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
];

/// `pop rax`, `syscall`, `ret`; and the same with the sign bit clear.
const WORDS: [i32; 2] = [0xc3050f58_u32 as i32, 0x43050f58];
/// Two words, neither of which is a byte with its sign.
const DOUBLE_WORD: u64 = 0xc3050f58_eb5841ff;
/// An offset of which 12 bits matter, into the frame and off another register.
const OFFSET: i16 = -0x7fb;
const FAR_OFFSET: i16 = 0x5805;

fn generate(case: &Case, target: &str, seed: Option<u64>) -> Vec<u8> {
    generate_with(case, target, |options| options.seed = seed)
}

fn generate_with(case: &Case, target: &str, change: impl Fn(&mut CompileOptions)) -> Vec<u8> {
    let executable = case.program.load(&case.config, &[]).expect("it loads");
    let mut options = CompileOptions::default();
    options.target = Some(target.parse().expect("it is a triple"));
    change(&mut options);
    let generated = GeneratedCode::generate(&executable, &options).expect("it compiles");
    generated.bytes().to_vec()
}

fn contains(code: &[u8], gadget: &[u8]) -> bool {
    code.windows(gadget.len()).any(|window| window == gadget)
}

fn with_mitigations(case: Case, on: bool) -> Case {
    case.configure(|config| mitigate(config, on, if on { 256 } else { 0 }))
}

/// Every opcode of a version with `word` as its immediate, and `offset` where it is no distance.
fn planted(version: SBPFVersion, word: i32, offset: i16, base: u8) -> Case {
    let mut text = Text::new(version);
    for opcode in 0..=u8::MAX {
        let is_wide = opcode == LD_DW_IMM && !version.disable_lddw();
        text.push(JEQ64_IMM, 5, 0, if is_wide { 2 } else { 1 }, 0);
        let jumps = matches!(opcode & 7, 5 | 6);
        match opcode {
            CALL_IMM => text.syscall("sys_log"),
            CALL_REG => text.callx(2),
            _ if is_wide => {
                text.push(opcode, 1, 0, 0, DOUBLE_WORD as i32);
                text.push(0, 0, 0, 0, (DOUBLE_WORD >> 32) as i32)
            }
            _ if jumps => text.push(opcode, 1, 2, 0, word),
            _ => {
                // What is stored goes to the destination. Nothing else may change r10.
                let stores = matches!(opcode & 7, 2 | 3) && version != SBPFVersion::V2;
                let destination = if base != 10 || stores { base } else { 1 };
                text.push(opcode, destination, base, offset, word)
            }
        };
    }
    text.exit();
    Case::text(&text, &[]).unverified()
}

/// The bytes that are looked for.
fn gadgets(word: i32, offset: i16) -> [Vec<u8>; 4] {
    [
        word.to_le_bytes().to_vec(),
        DOUBLE_WORD.to_le_bytes().to_vec(),
        DOUBLE_WORD.to_le_bytes()[4..].to_vec(),
        i32::from(offset).to_le_bytes().to_vec(),
    ]
}

#[test]
fn no_constant_of_the_program_is_in_its_code() {
    for version in SBPFVersion::ALL {
        for word in WORDS {
            for (offset, base) in [(OFFSET, 10), (FAR_OFFSET, 3)] {
                let case = with_mitigations(planted(*version, word, offset, base), true);
                for target in MACHINES {
                    for seed in 0..3 {
                        let code = generate(&case, target, Some(seed));
                        for gadget in gadgets(word, offset) {
                            assert!(
                                !contains(&code, &gadget),
                                "{version:?}, {target}, seed {seed}: {gadget:x?} is in the code"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// What the other tests look for is there if nothing hides it.
#[test]
#[cfg(feature = "hand-written")]
fn constants_are_in_the_code_if_they_are_not_hidden() {
    for version in SBPFVersion::ALL {
        let case = with_mitigations(planted(*version, WORDS[0], OFFSET, 10), false);
        let code = generate(&case, X86_64, None);
        let [word, double_word, _, offset] = gadgets(WORDS[0], OFFSET);
        assert!(contains(&code, &word), "{version:?}");
        assert_eq!(
            contains(&code, &double_word),
            !version.disable_lddw(),
            "{version:?}"
        );
        // Without frames of a fixed size it is added to an address.
        assert!(contains(&code, &offset), "{version:?}");
        // Arm64 has no place for them.
        let code = generate(&case, "aarch64-unknown-linux-gnu", None);
        for gadget in [word, double_word, offset] {
            assert!(!contains(&code, &gadget), "{version:?}");
        }
    }
}

/// Numbers that follow from where instructions are, and from how many there are.
#[test]
fn no_number_of_instructions_is_in_the_code() {
    // A division by zero at a pc of two bytes of the program's choice.
    const PC: u32 = 0x050f;
    let mut text = Text::new(SBPFVersion::V0);
    text.push(ADD64_IMM, 0, 0, 0, 1);
    while text.pc() < PC as usize {
        text.push(ADD64_IMM, 0, 0, 0, 1);
        text.push(JEQ64_IMM, 0, 0, 0, 7);
    }
    text.push(DIV64_REG, 0, 1, 0, 0);
    // A block that costs as much as a number of two bytes.
    text.push(JEQ64_IMM, 0, 0, 0, 7);
    const COST: u32 = 0x191;
    for _ in 1..COST {
        text.push(ADD64_IMM, 0, 0, 0, 1);
    }
    text.exit();
    let case = |on| with_mitigations(Case::text(&text, &[]).unverified(), on);
    let raised = (PC << 8 | 1).to_le_bytes();
    let exit = (text.pc() as u32 - 1).to_le_bytes();
    // What is paid before an `exit` is added.
    let paid = COST.wrapping_neg().to_le_bytes();
    for target in MACHINES {
        let code = generate(&case(true), target, Some(1));
        for number in [raised, exit, paid, COST.to_le_bytes()] {
            assert!(!contains(&code, &number), "{target}: {number:x?}");
        }
    }
    if cfg!(feature = "hand-written") {
        let code = generate(&case(false), X86_64, None);
        for number in [raised, exit, paid] {
            assert!(contains(&code, &number), "{number:x?}");
        }
    }
}

#[test]
fn numbers_of_places_are_hidden() {
    // More accesses than a byte can count, each with a check of its own.
    let mut text = Text::new(SBPFVersion::V0);
    for _ in 0..0x142 {
        text.load(Size::Byte, 2, 1, 0);
        text.push(ADD64_IMM, 1, 0, 0, 1);
    }
    text.exit();
    let number = [0xbe_u8, 0x41, 1, 0, 0];
    let is_there = |on: bool| {
        let case = with_mitigations(Case::text(&text, &[]).unverified(), on);
        let code = generate(&case, X86_64, Some(1));
        // `mov` to any register.
        (0xb8..=0xbf).any(|opcode| contains(&code, &[opcode, number[1], 1, 0, 0]))
    };
    assert!(!is_there(true));
    if cfg!(feature = "hand-written") {
        assert!(is_there(false));
    }
}

fn functions() -> Case {
    let mut text = "entrypoint:\n call function_0\n exit\n".to_string();
    for function in 0..40 {
        text.push_str(&format!(
            "function_{function}:\n add64 r0, {}\n ldxdw r0, [r1+0]\n jeq r0, 5, end_{function}\n \
             call function_{}\nend_{function}:\n exit\n",
            1000 + function,
            (function + 1) % 40
        ));
    }
    Case::assembly(SBPFVersion::V0, text)
}

#[test]
fn code_follows_from_the_seed_or_else_differs() {
    let case = functions();
    for target in MACHINES {
        assert!(generate(&case, target, Some(1)) == generate(&case, target, Some(1)));
        assert!(generate(&case, target, Some(1)) != generate(&case, target, Some(2)));
        assert!(generate(&case, target, None) != generate(&case, target, None));
        if cfg!(feature = "hand-written") {
            let case = with_mitigations(functions(), false);
            assert!(generate(&case, target, None) == generate(&case, target, None));
        }
    }
}

/// Where the code of `add64 r0, 1000 + n` is, in many compilations: `mov` of the hidden constant is
/// not to be found, but the place where functions return from is told by the entries of `callx`.
#[test]
fn functions_are_at_unpredictable_places() {
    let mut text = Text::new(SBPFVersion::V0);
    text.callx(2).exit();
    let first = text.pc();
    for _ in 0..20 {
        text.push(ADD64_IMM, 0, 0, 0, 1).exit();
    }
    let starts: Vec<usize> = (0..20).map(|function| first + 2 * function).collect();
    let case = Case::text(&text, &starts).unverified();
    let executable = case.program.load(&case.config, &[]).expect("it loads");
    let mut offsets = vec![HashSet::new(); starts.len()];
    for seed in 0..200 {
        let mut options = CompileOptions::default();
        options.seed = Some(seed);
        let generated = GeneratedCode::generate(&executable, &options).expect("it compiles");
        for (start, offsets) in starts.iter().zip(&mut offsets) {
            offsets.insert(generated.entries()[*start]);
        }
    }
    for offsets in offsets {
        assert!(
            offsets.len() > 100,
            "{} places in 200 compilations",
            offsets.len()
        );
        let lowest = offsets.iter().min().expect("there are some");
        let highest = offsets.iter().max().expect("there are some");
        assert!(highest - lowest > 500, "from {lowest} to {highest}");
    }
}

/// What that can't do: instructions of a function are as far from each other as ever.
#[test]
fn a_single_function_is_moved_as_a_whole() {
    let mut text = Text::new(SBPFVersion::V0);
    text.push(MUL64_REG, 0, 1, 0, 0)
        .push(DIV64_REG, 0, 1, 0, 0)
        .exit();
    let executable = Case::text(&text, &[])
        .program
        .load(&Case::text(&text, &[]).config, &[]);
    let executable = executable.expect("it loads");
    let code = |seed| {
        let mut options = CompileOptions::default();
        options.seed = Some(seed);
        options.target = Some(X86_64.parse().expect("it is a triple"));
        GeneratedCode::generate(&executable, &options).expect("it compiles")
    };
    let divisions: HashSet<_> = (0..200)
        .map(|seed| {
            let generated = code(seed);
            // `imul` of a register by another, `div` by one.
            let place = |found: fn(&[u8]) -> bool| generated.bytes().windows(3).position(found);
            let product = place(|window| window[..2] == [0x0f, 0xaf]).expect("it multiplies");
            let quotient = place(
                |window| matches!(window, [0x48 | 0x49, 0xf7, operand] if operand & 0xf8 == 0xf0),
            );
            let quotient = quotient.expect("it divides");
            (quotient, quotient - product)
        })
        .collect();
    let places: HashSet<_> = divisions.iter().map(|(place, _)| place).collect();
    let distances: HashSet<_> = divisions.iter().map(|(_, distance)| distance).collect();
    assert!(places.len() > 100, "{} places", places.len());
    assert_eq!(distances.len(), 1, "{distances:?}");
}

/// Code that is found in a cache runs with the key that it was made with.
#[test]
fn cached_code_brings_its_key() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let case = functions();
    let executable = case.program.load(&case.config, &[]).expect("it loads");
    let compile = || {
        let mut options = CompileOptions::default();
        options.cache = Cache::in_directory(directory.path());
        CompiledProgram::compile_with(&executable, &options).expect("it compiles")
    };
    let stored = compile().machine_code().to_vec();
    let again = compile();
    assert_eq!(again.origin(), sbpf_cranelift::CodeOrigin::Directory);
    assert!(again.machine_code() == stored);
}

#[test]
fn both_settings_do_what_the_interpreter_does() {
    for on in [false, true] {
        // V2 has another name for the product.
        let versions = SBPFVersion::ALL.iter();
        for version in versions.filter(|version| **version != SBPFVersion::V2) {
            let text = "
                mov64 r6, r1
                mov64 r0, 0x12345678
                add64 r0, -0x1234567
                add32 r0, 0x7654321
                mul64 r0, 0x10001
                xor64 r0, -0x7fffffff
                and32 r0, 0x7fffff0f
                or64 r0, 0x1000000
                mov32 r2, -0x10000
                add64 r0, r2
                jgt r0, 0x7654321, behind
                mov64 r0, 5
                behind:
                jslt r0, -0x7654321, end
                add64 r0, 1
                end:
                exit";
            with_mitigations(Case::assembly(*version, text), on)
                .check()
                .succeeds();
        }
        let text = "
            lddw r0, 0x1122334455667788
            stdw [r10-2000], 0x1234567
            stw [r10-3004], -0x1234567
            sth [r10-3000], 0x1234
            stb [r10-2999], -2
            ldxdw r2, [r10-2000]
            xor64 r0, r2
            ldxw r2, [r10-3004]
            xor64 r0, r2
            ldxdw r2, [r10-3000]
            xor64 r0, r2
            stxdw [r1+200], r0
            ldxdw r2, [r1+201]
            div64 r0, 1000
            mod64 r0, 0x7654321
            add64 r1, 300
            ldxb r2, [r1-1000]
            exit";
        let case = Case::assembly(SBPFVersion::V0, text);
        with_mitigations(case, on)
            .check()
            .fails_with("AccessViolation");
    }
}

/// Registers that nothing was put into say nothing about earlier runs or the host.
#[test]
fn registers_are_empty_at_the_start() {
    for version in SBPFVersion::ALL {
        let mut text = "mov64 r7, r1\n".to_string();
        for register in [0, 2, 3, 4, 5, 6, 8, 9] {
            text.push_str(&format!("jne r{register}, 0, found\n"));
        }
        text.push_str("mov64 r0, 42\nexit\nfound:\nmov64 r0, 1\nexit");
        Case::assembly(*version, text).check().returns(42);
    }
}

/// A case without `or`, to tell marks from a constant: where `bti c` and `paciasp` are.
#[test]
fn branches_are_marked_and_return_addresses_signed() {
    const BTI_C: [u8; 4] = 0xd503_245f_u32.to_le_bytes();
    const PACIASP: [u8; 4] = 0xd503_233f_u32.to_le_bytes();
    const PACIBSP: [u8; 4] = 0xd503_237f_u32.to_le_bytes();
    let case = functions();
    let of = |target, protect| {
        generate_with(&case, target, |options| {
            options.protect_branches = protect;
            options.seed = Some(1);
        })
    };
    let marks = |code: &[u8]| [BTI_C, PACIASP, PACIBSP].map(|mark| contains(code, &mark));
    for target in ["aarch64-unknown-linux-gnu", "aarch64-apple-darwin"] {
        assert_eq!(marks(&of(target, false)), [false; 3], "{target}");
        let [bti, pac_a, pac_b] = marks(&of(target, true));
        assert!(bti || pac_a || pac_b, "{target}");
        assert!(pac_a != pac_b, "{target}");
    }
    // Nothing of the kind is known of x86_64.
    assert!(of(X86_64, true) == of(X86_64, false));
}
