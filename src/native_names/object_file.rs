//! An object file in memory, from which gdb takes the names of functions and how to unwind them.
//!
//! Every sBPF instruction has a symbol, so that gdb, which shows the nearest one, shows its pc.

use {
    super::symbols::Symbols,
    cranelift_codegen::isa::unwind::UnwindInfo,
    gimli::{
        LittleEndian,
        write::{Address, DebugFrame, EndianVec, FrameTable},
    },
    object::{
        Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
        elf::SHF_EXECINSTR,
        write::{Object, Symbol, SymbolSection},
    },
    sbpf_runtime::code::CodeMemory,
};

const ARCHITECTURE: Architecture = if cfg!(target_arch = "aarch64") {
    Architecture::Aarch64
} else {
    Architecture::X86_64
};

/// The file for the functions of `symbols`, which are in `code`.
///
/// # Errors
/// When it can't be written, in words.
pub(super) fn write(symbols: &Symbols, code: &CodeMemory) -> Result<Vec<u8>, String> {
    let address = code.as_ptr().addr() as u64;
    let mut object = Object::new(BinaryFormat::Elf, ARCHITECTURE, Endianness::Little);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    object.set_section_data(text, code.bytes(), 16);
    let mut add = |name: String, start: u32, length: u32| {
        object.add_symbol(Symbol {
            name: name.into_bytes(),
            value: u64::from(start),
            size: u64::from(length),
            kind: SymbolKind::Text,
            scope: SymbolScope::Compilation,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    };
    for function in &symbols.functions {
        let ends = function.places.iter().skip(1).map(|(start, _)| *start);
        let places = function.places.iter().zip(ends.chain([function.length]));
        let first = function
            .places
            .first()
            .map_or(function.length, |place| place.0);
        add(function.name.clone(), function.start, first);
        for ((start, pc), end) in places {
            let length = end.saturating_sub(*start);
            add(
                symbols.name_at(*pc as usize),
                function.start + start,
                length,
            );
        }
    }
    let frames = object.add_section(Vec::new(), b".debug_frame".to_vec(), SectionKind::Debug);
    object.set_section_data(frames, unwind_table(symbols, address)?, 8);
    let mut file = object.write().map_err(|error| error.to_string())?;
    place_text(&mut file, address);
    Ok(file)
}

/// How the frames of all functions are unwound.
fn unwind_table(symbols: &Symbols, address: u64) -> Result<Vec<u8>, String> {
    let mut table = FrameTable::default();
    if let Some(convention) = &symbols.convention {
        let convention = table.add_cie(convention.clone());
        for function in &symbols.functions {
            if let Some(UnwindInfo::SystemV(unwinding)) = &function.unwinding {
                let start = Address::Constant(address + u64::from(function.start));
                table.add_fde(convention, unwinding.to_fde(start));
            }
        }
    }
    let mut section = DebugFrame(EndianVec::new(LittleEndian));
    let written = table.write_debug_frame(&mut section);
    written.map_err(|error| error.to_string())?;
    Ok(section.0.into_vec())
}

/// Says that the text of `file`, which this module has written, lies at `address`.
fn place_text(file: &mut [u8], address: u64) {
    // Offsets in ELF's header and in its section headers.
    const SECTIONS: usize = 40;
    const SECTION_LENGTH: usize = 64;
    const FLAGS: usize = 8;
    const ADDRESS: usize = 16;
    let word = |bytes: &[u8], at: usize| {
        let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<8>());
        word.map_or(0, |word| u64::from_le_bytes(*word))
    };
    let sections = word(file, SECTIONS) as usize;
    let Some(sections) = file.get_mut(sections..) else {
        return;
    };
    for section in sections.chunks_exact_mut(SECTION_LENGTH) {
        if word(section, FLAGS) & u64::from(SHF_EXECINSTR) != 0 {
            section[ADDRESS..ADDRESS + 8].copy_from_slice(&address.to_le_bytes());
        }
    }
}
