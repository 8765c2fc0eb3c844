//! A file that code is executed from, by which valgrind knows the names of functions: it has no other
//! way to learn of code made at run time, and reads the symbols of a file when it is mapped.
//!
//! It takes a file for a program's or a library's if both a segment of code and one of data are mapped.

use {
    super::symbols::Symbols,
    object::{
        Endianness, elf,
        write::elf::{FileHeader, ProgramHeader, SectionHeader, Sym, Writer},
    },
    sbpf_runtime::code::{CodeMemory, FileLayout},
    std::io,
};

const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    elf::EM_AARCH64
} else {
    elf::EM_X86_64
};

/// Seals `code` in memory that is mapped from a file with the functions of `symbols`. The file has no
/// name any more when this returns.
///
/// # Errors
/// When the file can't be written or mapped.
pub(super) fn seal(symbols: &Symbols, code: &[u8]) -> io::Result<CodeMemory> {
    let layout = FileLayout::of(code.len())?;
    let file = write(symbols, code, &layout).map_err(io::Error::other)?;
    let path = tempfile::Builder::new()
        .prefix("sbpf-cranelift-")
        .suffix(".so")
        .tempfile()?;
    std::fs::write(path.path(), file)?;
    // SAFETY: the file is this function's own, only this user may write to it, and it has no name any
    // more when this returns.
    unsafe { CodeMemory::seal_in_file(path.as_file(), &layout, code) }
}

/// A shared object in which addresses are offsets in the file.
fn write(symbols: &Symbols, code: &[u8], layout: &FileLayout) -> object::write::Result<Vec<u8>> {
    let (text, data) = (layout.code as u64, layout.data as u64);
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut bytes);
    writer.reserve_file_header();
    writer.reserve_program_headers(2);
    writer.reserve_until(layout.end);
    writer.reserve_null_section_index();
    let text_name = writer.add_section_name(b".text");
    let text_section = writer.reserve_section_index();
    let data_name = writer.add_section_name(b".data");
    writer.reserve_section_index();
    writer.reserve_symtab_section_index();
    writer.reserve_strtab_section_index();
    writer.reserve_shstrtab_section_index();
    writer.reserve_null_symbol_index();
    let names: Vec<_> = symbols
        .functions
        .iter()
        .map(|function| {
            writer.reserve_symbol_index(Some(text_section));
            writer.add_string(function.name.as_bytes())
        })
        .collect();
    writer.reserve_symtab();
    writer.reserve_strtab();
    writer.reserve_shstrtab();
    writer.reserve_section_headers();

    writer.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: MACHINE,
        e_entry: 0,
        e_flags: 0,
    })?;
    writer.write_align_program_headers();
    for (flags, start, end) in [
        (elf::PF_R | elf::PF_X, text, data),
        (elf::PF_R | elf::PF_W, data, layout.end as u64),
    ] {
        writer.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: flags,
            p_offset: start,
            p_vaddr: start,
            p_paddr: start,
            p_filesz: end - start,
            p_memsz: end - start,
            p_align: text,
        });
    }
    writer.pad_until(layout.code);
    writer.write(code);
    writer.pad_until(layout.end);
    writer.write_null_symbol();
    for (function, name) in symbols.functions.iter().zip(names) {
        writer.write_symbol(&Sym {
            name: Some(name),
            section: Some(text_section),
            st_info: elf::STB_GLOBAL << 4 | elf::STT_FUNC,
            st_other: elf::STV_DEFAULT,
            st_shndx: 0,
            st_value: text + u64::from(function.start),
            st_size: u64::from(function.length),
        });
    }
    writer.write_strtab();
    writer.write_shstrtab();
    writer.write_null_section_header();
    for (name, flags, start, length) in [
        (
            text_name,
            elf::SHF_ALLOC | elf::SHF_EXECINSTR,
            text,
            code.len() as u64,
        ),
        (
            data_name,
            elf::SHF_ALLOC | elf::SHF_WRITE,
            data,
            layout.end as u64 - data,
        ),
    ] {
        writer.write_section_header(&SectionHeader {
            name: Some(name),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: u64::from(flags),
            sh_addr: start,
            sh_offset: start,
            sh_size: length,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: 16,
            sh_entsize: 0,
        });
    }
    writer.write_symtab_section_header(1);
    writer.write_strtab_section_header();
    writer.write_shstrtab_section_header();
    Ok(bytes)
}
