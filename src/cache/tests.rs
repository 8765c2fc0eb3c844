//! What changes a key, and what files are refused.

use {
    super::{
        file::{self, Defect, ReadError, Stored},
        key::CodeKey,
    },
    crate::{CompileOptions, GeneratedCode, generated, isa},
    sbpf_lowering::{
        decode::Program,
        dialect::{CallxRegister, Dialect, FrameLayout},
    },
    solana_sbpf::{program::SBPFVersion, vm::Config},
    std::collections::{HashMap, HashSet},
};

/// `mov64 r1, 1`, `ldxdw r0, [r1+8]`, `call 1`, `callx`-free, `exit`, `exit`.
const TEXT: [u8; 40] = [
    0xb7, 1, 0, 0, 1, 0, 0, 0, //
    0x79, 0x10, 8, 0, 0, 0, 0, 0, //
    0x85, 0x10, 0, 0, 1, 0, 0, 0, //
    0x95, 0, 0, 0, 0, 0, 0, 0, //
    0x95, 0, 0, 0, 0, 0, 0, 0,
];

fn program() -> Program<'static> {
    let dialect = crate::config::dialect(SBPFVersion::V0, &Config::default());
    Program {
        text: &TEXT,
        text_address: 1 << 32,
        entry: 0,
        function_starts: vec![3],
        functions: HashMap::from([(7, 4)]),
        syscalls: HashMap::from([(8, 0), (9, 1)]),
        dialect: dialect.expect("it is supported"),
    }
}

fn key_with(program: &Program<'_>, options: &CompileOptions) -> CodeKey {
    let isa = isa::of(options).expect("it is known");
    CodeKey::of(program, options, &isa)
}

fn key(program: &Program<'_>) -> CodeKey {
    key_with(program, &CompileOptions::default())
}

/// A change to something that shapes code.
type Change<T> = fn(&mut T);

#[test]
fn each_field_of_the_dialect_changes_the_key() {
    let changes: [Change<Dialect>; 19] = [
        |dialect| dialect.explicit_sign_extension ^= true,
        |dialect| dialect.swapped_subtraction ^= true,
        |dialect| dialect.product_quotient_remainder ^= true,
        |dialect| dialect.negation ^= true,
        |dialect| dialect.load_double_word ^= true,
        |dialect| dialect.little_endian ^= true,
        |dialect| dialect.moved_memory_classes ^= true,
        |dialect| dialect.jump32 ^= true,
        |dialect| dialect.callx_register = CallxRegister::Source,
        |dialect| dialect.callx_register = CallxRegister::Destination,
        |dialect| dialect.static_syscalls ^= true,
        |dialect| dialect.frames = FrameLayout::Manual,
        |dialect| {
            dialect.frames = FrameLayout::Fixed {
                size: 4096,
                stride: 1,
            }
        },
        |dialect| {
            dialect.frames = FrameLayout::Fixed {
                size: 4097,
                stride: 2,
            }
        },
        |dialect| dialect.meter ^= true,
        |dialect| dialect.translation ^= true,
        |dialect| dialect.regions_adjoin ^= true,
        |dialect| dialect.direct_functions ^= true,
        |_| (),
    ];
    let mut keys = HashSet::new();
    for change in changes {
        let mut program = program();
        change(&mut program.dialect);
        keys.insert(key(&program));
    }
    assert_eq!(keys.len(), changes.len());
    assert_eq!(key(&program()), key(&program()), "the same is the same");
}

#[test]
fn each_part_of_a_program_changes_the_key() {
    let changes: [Change<Program<'_>>; 13] = [
        |program| program.text = &TEXT[..32],
        |program| program.text = &[0x95, 0, 0, 0, 0, 0, 0, 0],
        |program| program.text_address += 8,
        |program| program.entry = 1,
        |program| program.function_starts.clear(),
        |program| program.function_starts = vec![2],
        |program| program.functions = HashMap::from([(7, 3)]),
        |program| program.functions = HashMap::from([(6, 4)]),
        |program| program.functions.clear(),
        // The same syscalls under other numbers.
        |program| program.syscalls = HashMap::from([(8, 1), (9, 0)]),
        |program| program.syscalls = HashMap::from([(8, 0)]),
        |program| program.syscalls = HashMap::from([(8, 0), (10, 1)]),
        |_| (),
    ];
    let mut keys = HashSet::new();
    for change in changes {
        let mut program = program();
        change(&mut program);
        keys.insert(key(&program));
    }
    assert_eq!(keys.len(), changes.len());
}

#[test]
fn machines_change_the_key_and_what_shapes_no_code_does_not() {
    let with = |change: Change<CompileOptions>| {
        let mut options = CompileOptions::default();
        change(&mut options);
        key_with(&program(), &options)
    };
    let machines: [Change<CompileOptions>; 4] = [
        |options| options.target = "x86_64-unknown-linux-gnu".parse().ok(),
        |options| options.target = "x86_64-pc-windows-msvc".parse().ok(),
        |options| options.target = "aarch64-unknown-linux-gnu".parse().ok(),
        |options| options.target = "aarch64-apple-darwin".parse().ok(),
    ];
    let keys: HashSet<_> = machines.map(with).into_iter().collect();
    assert_eq!(keys.len(), machines.len());
    assert_eq!(with(|options| options.verify_ir = true), with(|_| ()));
    assert_eq!(with(|options| options.threads = 2), with(|_| ()));
    assert_ne!(with(|options| options.seed = Some(0)), with(|_| ()));
    assert_ne!(
        with(|options| options.seed = Some(0)),
        with(|options| options.seed = Some(1))
    );
    assert_eq!(
        with(|options| options.cache = crate::Cache::none()),
        with(|_| ())
    );
}

fn generated() -> (CodeKey, GeneratedCode) {
    let (program, options) = (program(), CompileOptions::default());
    let isa = isa::of(&options).expect("it is known");
    let generated = generated::generate(&program, &options, &*isa).expect("it compiles");
    (key(&program), generated)
}

/// What is read of a file of these bytes.
fn decode(key: &CodeKey, instructions: usize, file: &[u8]) -> Result<Stored, Defect> {
    match file::read(key, instructions, file, file.len() as u64) {
        Ok(stored) => Ok(stored),
        Err(ReadError::Defect(defect)) => Err(defect),
        Err(error) => panic!("reading memory: {error}"),
    }
}

#[test]
fn a_file_gives_back_what_was_stored() {
    let (key, mut generated) = generated();
    assert!(!generated.sites.accesses.is_empty());
    // The program has no `callx`, but others do.
    generated.entries = vec![0, 16, 0, 32, 0];
    // Nor is there a key on every machine.
    generated.key = 0x0123_4567_89ab_cdef;
    let file = file::encode(&key, &generated);
    let stored = decode(&key, 5, &file).expect("it is whole");
    assert_eq!(stored.code.bytes(), generated.code);
    assert_eq!(stored.entries, generated.entries);
    assert_eq!(stored.sites.accesses, generated.sites.accesses);
    assert_eq!(stored.sites.calls, generated.sites.calls);
    assert_eq!(stored.statistics, generated.statistics);
    assert_eq!(stored.constant_key, generated.key);
}

#[test]
fn no_damaged_file_is_accepted() {
    let (key, generated) = generated();
    let file = file::encode(&key, &generated);
    assert!(decode(&key, 5, &file).is_ok());
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(decode(&key, 5, &damaged).is_err(), "byte {at} changed");
        assert!(decode(&key, 5, &file[..at]).is_err(), "{at} bytes");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert_eq!(decode(&key, 5, &longer).err(), Some(Defect::Length));
    // As long as it was when it was opened, and no longer.
    let truncated = file::read(&key, 5, &file[..file.len() - 1], file.len() as u64);
    assert!(matches!(truncated, Err(ReadError::Defect(Defect::Length))));
}

/// A file with a right hash whatever is in it.
fn altered(change: impl FnOnce(&mut GeneratedCode)) -> Option<Defect> {
    let (key, mut generated) = generated();
    change(&mut generated);
    decode(&key, 5, &file::encode(&key, &generated)).err()
}

#[test]
fn no_impossible_field_is_accepted() {
    assert_eq!(altered(|_| ()), None);
    let code = |generated: &GeneratedCode| generated.code.len() as u32;
    let entry = Some(Defect::Field("entry"));
    assert_eq!(altered(|it| it.entries = vec![0, 0, 0, 0, code(it)]), entry);
    assert_eq!(altered(|it| it.entries = vec![0]), entry);
    assert_eq!(altered(|it| it.code.clear()), Some(Defect::Field("code")));
    let instructions = Some(Defect::Field("number of instructions"));
    assert_eq!(altered(|it| it.statistics.instructions = 6), instructions);
    let access = Some(Defect::Field("access site"));
    assert_eq!(altered(|it| it.sites.accesses[0].base += 1), access);
    assert_eq!(altered(|it| it.sites.accesses[0].base += 88), access);
    assert_eq!(altered(|it| it.sites.accesses[0].store = 2), access);
    assert_eq!(altered(|it| it.sites.accesses[0].pc = 6), access);
    assert_eq!(altered(|it| it.sites.accesses[0].resume = 6), access);
    let call = Some(Defect::Field("call"));
    let site = |return_pc, bits| sbpf_runtime::site::CallSite {
        return_pc,
        saved: sbpf_runtime::site::RegisterSet::from_bits(bits),
    };
    assert_eq!(altered(|it| it.sites.calls.push(site(5, 0x7c0))), None);
    assert_eq!(altered(|it| it.sites.calls.push(site(6, 0))), call);
    assert_eq!(altered(|it| it.sites.calls.push(site(1, 0x20))), call);
    assert_eq!(altered(|it| it.sites.calls.push(site(1, 0x800))), call);
}

#[test]
fn another_program_s_file_and_another_version_are_told() {
    let (key, generated) = generated();
    let mut file = file::encode(&key, &generated);
    let mut other = program();
    other.entry = 1;
    let other = self::key(&other);
    assert_eq!(decode(&other, 5, &file).err(), Some(Defect::Key));
    file[8] = 1;
    assert_eq!(decode(&key, 5, &file).err(), Some(Defect::Version(1)));
    assert_eq!(decode(&key, 5, b"#!/bin/sh").err(), Some(Defect::Magic));
    assert_eq!(decode(&key, 5, b"").err(), Some(Defect::Magic));
}
