//! ELF files of standard eBPF with bytes changed.

use {
    super::{
        ebpf::{self, compare, options, refused},
        head::Head,
    },
    crate::{Divergence, Observation, Target, common::upstream},
    sbpf_cranelift::ebpf::{Program, programs},
};

pub(super) const TARGET: Target = Target {
    name: "ebpf-elf",
    about: "ELF files of standard eBPF with bytes changed",
    unit: 8,
    seeds,
    dictionary,
    longest: 16 << 10,
    share: 10,
    run,
};

/// What clang made of a program with a map, as `rbpf` ships it.
fn seeds() -> Vec<Vec<u8>> {
    let directory = upstream::package_directory("rbpf", "0.4.1");
    let file = directory.join("examples/load_elf__block_a_port.o");
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    (0..8u8)
        .map(|choice| [&[0, 0, 0, choice, choice, 64, 0, 0][..], &bytes].concat())
        .collect()
}

/// What the loader looks for, and instructions for it to relocate.
fn dictionary() -> Vec<Vec<u8>> {
    let names = [
        ".text",
        ".maps",
        "maps",
        ".rodata",
        ".data",
        ".bss",
        ".rel.text",
        ".symtab",
        ".strtab",
        "license",
    ];
    let names = names.iter().map(|name| [name.as_bytes(), &[0]].concat());
    // Types of relocations, with the kind of symbol that they have most often.
    let relocations = [1u64, 2, 3, 4, 10].map(|kind| (1 << 32 | kind).to_le_bytes().to_vec());
    // Kinds of sections, and flags.
    let words = [1u32, 2, 3, 4, 6, 8, 9].map(|word| word.to_le_bytes().to_vec());
    let magic = [b"\x7fELF\x02\x01\x01\0".to_vec()];
    let instructions = (ebpf::TARGET.dictionary)();
    names
        .chain(relocations)
        .chain(words)
        .chain(magic)
        .chain(instructions)
        .collect()
}

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, file)) = Head::split(input) else {
        return Ok(Observation::default());
    };
    // Some of them by name.
    let names = programs(file);
    let names = names.as_deref().unwrap_or_default();
    let name = names.get(usize::from(head.more[1]));
    let name = name.map(|name| name.section.as_str());
    match Program::from_elf(file, name, &options(&head)) {
        Ok(program) => compare(program, &head),
        Err(error) => Ok(refused(&error)),
    }
}
