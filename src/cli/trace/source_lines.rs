//! The lines of source that instructions were made from, as DWARF in an ELF file tells them.

use {
    crate::cli::guard,
    addr2line::Context,
    gimli::{Dwarf, EndianSlice, LittleEndian},
    object::{Object as _, ObjectSection as _},
    solana_sbpf::ebpf::INSN_SIZE,
};

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceLine {
    /// The file, as its compiler named it.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: u32,
}

/// The lines of the instructions at `pcs` of the program in the ELF file `bytes`; none where the
/// file does not tell.
pub(super) fn find(bytes: &[u8], pcs: &[usize]) -> Vec<Option<SourceLine>> {
    // Debug information is the last thing that should end a command.
    let found = guard::catch(|| {
        let lines = Lines::read(bytes)?;
        Some(pcs.iter().map(|pc| lines.of(*pc)).collect())
    });
    found
        .ok()
        .flatten()
        .unwrap_or_else(|| vec![None; pcs.len()])
}

struct Lines<'b> {
    context: Context<EndianSlice<'b, LittleEndian>>,
    /// The address of the first instruction, as debug information has it.
    text: u64,
}

impl<'b> Lines<'b> {
    fn read(bytes: &'b [u8]) -> Option<Self> {
        let file = object::File::parse(bytes).ok()?;
        let text = file.section_by_name(".text")?.address();
        let section = |id: gimli::SectionId| {
            let section = file.section_by_name(id.name());
            let data = section.and_then(|section| section.data().ok());
            Ok::<_, gimli::Error>(EndianSlice::new(data.unwrap_or_default(), LittleEndian))
        };
        let dwarf = Dwarf::load(section).ok()?;
        let context = Context::from_dwarf(dwarf).ok()?;
        Some(Self { context, text })
    }

    fn of(&self, pc: usize) -> Option<SourceLine> {
        let address = self.text.checked_add((pc * INSN_SIZE) as u64)?;
        let location = self.context.find_location(address).ok()??;
        Some(SourceLine {
            file: location.file?.to_string(),
            line: location.line?,
        })
    }
}
