//! ELF files of clang's BPF target: a program with the functions that it calls and its data.
//!
//! Sections of code that the program's section calls into are put one behind the other. The symbols
//! in a section `.maps` or `maps` become maps 0, 1, … in their order, and the sections of data the
//! maps behind those.

use {
    super::{
        error::ElfError,
        memory::{TEXT, map_address},
        program::{Data, Image},
        pseudo::map_handle,
    },
    object::{
        LittleEndian, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget,
        SectionIndex, SymbolIndex, SymbolKind,
        elf::{EM_BPF, SHF_ALLOC, SHF_EXECINSTR},
        read::elf::{ElfFile64, FileHeader as _},
    },
    std::collections::{BTreeMap, HashMap},
};

/// `R_BPF_64_64`: a 64-bit constant.
const CONSTANT: u32 = 1;
/// `R_BPF_64_ABS64`: a word of data.
const WORD: u32 = 2;
/// `R_BPF_64_32`: a call.
const CALL: u32 = 10;

/// The most bytes of data that a file may ask for.
const MAX_DATA: u64 = 256 << 20;

type File<'d> = ElfFile64<'d, LittleEndian>;

/// A program in an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramName {
    /// The section that it is in.
    pub section: String,
    /// The function that it starts with.
    pub function: String,
    section_index: SectionIndex,
    offset: u64,
}

/// The programs of an ELF file, in the file's order; those in `.text`, which usually are functions
/// that others call, come last.
///
/// # Errors
/// When the file is no ELF file of eBPF.
pub fn programs(bytes: &[u8]) -> Result<Vec<ProgramName>, ElfError> {
    named_programs(&parse(bytes)?)
}

/// Loads the program of this name, or the first one.
pub(super) fn load(bytes: &[u8], name: Option<&str>) -> Result<Image, ElfError> {
    let file = parse(bytes)?;
    let program = choose(named_programs(&file)?, name)?;
    let mut linker = Linker::new(&file)?;
    linker.place(program.section_index)?;
    linker.link_code()?;
    linker.link_data()?;
    let base = linker.bases[&program.section_index] as u64;
    Ok(Image {
        entry: ((base + program.offset) / 8) as usize,
        names: linker.names()?,
        text: linker.text,
        maps: linker.map_names,
        data: linker.data.into_values().collect(),
    })
}

fn parse(bytes: &[u8]) -> Result<File<'_>, ElfError> {
    // The architecture decides first: other classes and byte orders fail to parse below.
    let file = File::parse(bytes)?;
    match file.elf_header().e_machine(LittleEndian) {
        EM_BPF => Ok(file),
        _ => Err(ElfError::Machine),
    }
}

fn is_code<'d>(section: &impl ObjectSection<'d>) -> bool {
    has_flag(section, SHF_EXECINSTR.into()) && section.size() > 0
}

fn has_flag<'d>(section: &impl ObjectSection<'d>, flag: u64) -> bool {
    matches!(section.flags(), object::SectionFlags::Elf { sh_flags } if sh_flags & flag != 0)
}

fn named_programs(file: &File<'_>) -> Result<Vec<ProgramName>, ElfError> {
    let mut programs = Vec::new();
    for section in file.sections().filter(is_code) {
        let mut functions = Vec::new();
        for symbol in file.symbols() {
            if symbol.section_index() == Some(section.index())
                && symbol.kind() == SymbolKind::Text
                && symbol.address().is_multiple_of(8)
                && symbol.address() < section.size()
            {
                functions.push((symbol.address(), symbol.name()?.to_string()));
            }
        }
        functions.sort();
        if functions.is_empty() {
            functions.push((0, section.name()?.to_string()));
        }
        for (offset, function) in functions {
            programs.push(ProgramName {
                section: section.name()?.to_string(),
                function,
                section_index: section.index(),
                offset,
            });
        }
    }
    programs.sort_by_key(|program| program.section == ".text");
    Ok(programs)
}

fn choose(programs: Vec<ProgramName>, name: Option<&str>) -> Result<ProgramName, ElfError> {
    let known = || {
        let names = programs
            .iter()
            .map(|program| format!("{} ({})", program.function, program.section));
        names.collect::<Vec<_>>().join(", ")
    };
    let found = match name {
        None => programs.first(),
        Some(name) => programs
            .iter()
            .find(|program| program.function == name)
            .or_else(|| programs.iter().find(|program| program.section == name)),
    };
    match (found, name) {
        (Some(program), _) => Ok(program.clone()),
        (None, Some(name)) if !programs.is_empty() => Err(ElfError::NoSuchProgram {
            name: name.to_string(),
            known: known(),
        }),
        (None, _) => Err(ElfError::NoProgram),
    }
}

/// What a symbol stands for.
enum Meaning {
    /// Code at an offset in the linked text.
    Code(u64),
    /// A map itself.
    Map(u32),
    /// An address in data.
    Address(u64),
}

/// A program being put together.
struct Linker<'f, 'd> {
    file: &'f File<'d>,
    text: Vec<u8>,
    /// Offsets in the text of the sections of code that are linked.
    bases: HashMap<SectionIndex, usize>,
    /// Sections of code in the order in which they are linked.
    placed: Vec<SectionIndex>,
    maps: HashMap<SymbolIndex, u32>,
    map_names: Vec<String>,
    data: BTreeMap<usize, Data>,
}

impl<'f, 'd> Linker<'f, 'd> {
    fn new(file: &'f File<'d>) -> Result<Self, ElfError> {
        let mut linker = Self {
            file,
            text: Vec::new(),
            bases: HashMap::new(),
            placed: Vec::new(),
            maps: HashMap::new(),
            map_names: Vec::new(),
            data: BTreeMap::new(),
        };
        linker.number_maps()?;
        linker.take_data()?;
        Ok(linker)
    }

    fn number_maps(&mut self) -> Result<(), ElfError> {
        for section in self.file.sections() {
            if !matches!(section.name()?, ".maps" | "maps") {
                continue;
            }
            let mut symbols = Vec::new();
            for symbol in self.file.symbols() {
                if symbol.section_index() == Some(section.index())
                    && symbol.kind() == SymbolKind::Data
                {
                    symbols.push((symbol.address(), symbol.index(), symbol.name()?.to_string()));
                }
            }
            symbols.sort_by_key(|(address, ..)| *address);
            for (_, index, name) in symbols {
                self.maps.insert(index, self.map_names.len() as u32);
                self.map_names.push(name);
            }
        }
        Ok(())
    }

    fn take_data(&mut self) -> Result<(), ElfError> {
        let mut total = 0;
        for section in self.file.sections() {
            let name = section.name()?;
            let is_data = [".rodata", ".data", ".bss"].iter().any(|prefix| {
                name.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            if !is_data || !has_flag(&section, SHF_ALLOC.into()) || is_code(&section) {
                continue;
            }
            total += section.size().min(MAX_DATA);
            if total > MAX_DATA {
                return Err(ElfError::TooMuchData);
            }
            let mut bytes = section.data()?.to_vec();
            bytes.resize(section.size() as usize, 0);
            let map = (self.map_names.len() + self.data.len()) as u32;
            let data = Data {
                map,
                bytes,
                is_writable: !name.starts_with(".rodata"),
            };
            self.data.insert(section.index().0, data);
        }
        Ok(())
    }

    /// Puts a section of code behind the others, unless it is there already; returns its offset.
    fn place(&mut self, index: SectionIndex) -> Result<usize, ElfError> {
        if let Some(base) = self.bases.get(&index) {
            return Ok(*base);
        }
        let base = self.text.len();
        let section = self.file.section_by_index(index)?;
        self.text.extend_from_slice(section.data()?);
        self.text.resize(self.text.len().next_multiple_of(8), 0);
        self.bases.insert(index, base);
        self.placed.push(index);
        Ok(base)
    }

    /// Resolves the constants and calls of all sections of code, taking in those that they lead to.
    fn link_code(&mut self) -> Result<(), ElfError> {
        let mut next = 0;
        while let Some(&index) = self.placed.get(next) {
            next += 1;
            let section = self.file.section_by_index(index)?;
            let base = self.bases[&index];
            for (offset, relocation) in section.relocations() {
                let kind = kind(&relocation);
                let unknown = || self.unknown(index, offset, kind);
                let RelocationTarget::Symbol(symbol) = relocation.target() else {
                    return Err(unknown());
                };
                let at = usize::try_from(offset).unwrap_or(usize::MAX);
                let at = at.checked_add(base).filter(|at| at.is_multiple_of(8));
                let length = if kind == CONSTANT { 16 } else { 8 };
                let in_text = |at: &usize| *at < self.text.len() && self.text.len() - at >= length;
                let at = at.filter(in_text).ok_or_else(unknown)?;
                match (kind, self.text[at]) {
                    (CONSTANT, 0x18) => self.link_constant(at, symbol)?,
                    (CALL, 0x85) => self.link_call(at, symbol)?,
                    _ => return Err(self.unknown(index, offset, kind)),
                }
            }
        }
        Ok(())
    }

    fn link_constant(&mut self, at: usize, symbol: SymbolIndex) -> Result<(), ElfError> {
        let addend = u64::from(self.word(at + 4));
        let value = match self.meaning(symbol)? {
            Meaning::Map(map) => map_handle(map),
            Meaning::Address(address) => address.wrapping_add(addend),
            Meaning::Code(offset) => TEXT.wrapping_add(offset).wrapping_add(addend),
        };
        self.text[at + 1] &= 0x0f;
        self.text[at + 4..at + 8].copy_from_slice(&(value as u32).to_le_bytes());
        self.text[at + 12..at + 16].copy_from_slice(&((value >> 32) as u32).to_le_bytes());
        Ok(())
    }

    fn link_call(&mut self, at: usize, symbol: SymbolIndex) -> Result<(), ElfError> {
        let Meaning::Code(offset) = self.meaning(symbol)? else {
            return Err(ElfError::Undefined(self.symbol_name(symbol)?));
        };
        // The immediate holds the distance of the function from its symbol, less one.
        let distance = i64::from(self.word(at + 4) as i32) + 1;
        let target = offset as i64 / 8 + distance;
        let immediate = target - (at as i64 / 8 + 1);
        // The register field marks a call of the program's own function.
        self.text[at + 1] = 1 << 4 | self.text[at + 1] & 0x0f;
        self.text[at + 4..at + 8].copy_from_slice(&(immediate as i32).to_le_bytes());
        Ok(())
    }

    /// Resolves words of data that hold addresses.
    fn link_data(&mut self) -> Result<(), ElfError> {
        let sections: Vec<usize> = self.data.keys().copied().collect();
        for index in sections {
            let section = self.file.section_by_index(SectionIndex(index))?;
            for (offset, relocation) in section.relocations() {
                let kind = kind(&relocation);
                let unknown = || self.unknown(SectionIndex(index), offset, kind);
                let (WORD, RelocationTarget::Symbol(symbol)) = (kind, relocation.target()) else {
                    return Err(unknown());
                };
                let at = usize::try_from(offset).unwrap_or(usize::MAX);
                let word = self
                    .data
                    .get(&index)
                    .and_then(|data| data.bytes.get(at..)?.first_chunk());
                let addend = u64::from_le_bytes(*word.ok_or_else(unknown)?);
                let address = match self.meaning_of_linked(symbol)? {
                    Some(Meaning::Map(map)) => map_handle(map),
                    Some(Meaning::Address(address)) => address.wrapping_add(addend),
                    Some(Meaning::Code(offset)) => TEXT.wrapping_add(offset).wrapping_add(addend),
                    // Code that is not part of this program.
                    None => 0,
                };
                if let Some(data) = self.data.get_mut(&index) {
                    data.bytes[at..at + 8].copy_from_slice(&address.to_le_bytes());
                }
            }
        }
        Ok(())
    }

    /// What a symbol stands for, taking in the code that it leads to.
    fn meaning(&mut self, index: SymbolIndex) -> Result<Meaning, ElfError> {
        let symbol = self.file.symbol_by_index(index)?;
        if let Some(section) = symbol.section_index()
            && is_code(&self.file.section_by_index(section)?)
        {
            self.place(section)?;
        }
        match self.meaning_of_linked(index)? {
            Some(meaning) => Ok(meaning),
            None => Err(ElfError::Undefined(self.symbol_name(index)?)),
        }
    }

    fn meaning_of_linked(&self, index: SymbolIndex) -> Result<Option<Meaning>, ElfError> {
        let symbol = self.file.symbol_by_index(index)?;
        if let Some(map) = self.maps.get(&index) {
            return Ok(Some(Meaning::Map(*map)));
        }
        let Some(section) = symbol.section_index() else {
            return Err(ElfError::Undefined(self.symbol_name(index)?));
        };
        if let Some(base) = self.bases.get(&section) {
            let offset = (*base as u64).wrapping_add(symbol.address());
            return Ok(Some(Meaning::Code(offset)));
        }
        if let Some(data) = self.data.get(&section.0) {
            let address = map_address(data.map).wrapping_add(symbol.address());
            return Ok(Some(Meaning::Address(address)));
        }
        Ok(None)
    }

    fn symbol_name(&self, index: SymbolIndex) -> Result<String, ElfError> {
        Ok(self.file.symbol_by_index(index)?.name()?.to_string())
    }

    /// Names of the linked functions by pc.
    fn names(&self) -> Result<BTreeMap<usize, String>, ElfError> {
        let mut names = BTreeMap::new();
        for symbol in self.file.symbols() {
            let base = symbol
                .section_index()
                .and_then(|index| self.bases.get(&index));
            if let (Some(base), SymbolKind::Text) = (base, symbol.kind()) {
                let pc = base / 8 + (symbol.address() / 8) as usize;
                names.insert(pc, symbol.name()?.to_string());
            }
        }
        Ok(names)
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.text[at..].first_chunk::<4>();
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn unknown(&self, section: SectionIndex, offset: u64, kind: u32) -> ElfError {
        let name = self.file.section_by_index(section);
        let name = name.and_then(|section| section.name().map(ToString::to_string));
        ElfError::Relocation {
            section: name.unwrap_or_default(),
            offset,
            kind,
        }
    }
}

fn kind(relocation: &object::Relocation) -> u32 {
    match relocation.flags() {
        RelocationFlags::Elf { r_type } => r_type,
        _ => 0,
    }
}
