//! What the functions in a program's code are called, and which instructions they hold.

use {
    super::{NativeNameFormat, NativeNames, complain},
    crate::functions::{InProgress, first_pc},
    cranelift_codegen::isa::TargetIsa,
    sbpf_lowering::function::{Analysis, FunctionName},
    sbpf_runtime::code::CodeMemory,
    std::{collections::BTreeMap, io},
};

/// A function in the code of a program.
#[derive(Debug)]
#[cfg_attr(
    not(any(unix, feature = "gdb")),
    allow(dead_code, reason = "nobody can be told of it")
)]
pub(super) struct Symbol {
    /// Where it starts in the code.
    pub(super) start: u32,
    /// Bytes of it.
    pub(super) length: u32,
    /// Its name with a pc: `transfer+120`.
    pub(super) name: String,
    /// Where the code of each sBPF instruction starts, from the start of the function, and its pc.
    #[cfg(feature = "gdb")]
    pub(super) places: Vec<(u32, u32)>,
    /// How its frame is unwound.
    #[cfg(feature = "gdb")]
    pub(super) unwinding: Option<cranelift_codegen::isa::unwind::UnwindInfo>,
}

/// All functions in the code of a program, and who is to know of them.
#[derive(Debug)]
pub(crate) struct Symbols {
    formats: Vec<NativeNameFormat>,
    /// Names of sBPF functions by pc.
    names: BTreeMap<usize, String>,
    pub(super) functions: Vec<Symbol>,
    #[cfg(feature = "gdb")]
    pub(super) convention: Option<gimli::write::CommonInformationEntry>,
}

/// Keeps code known to native tools until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    #[cfg(feature = "gdb")]
    _gdb: Option<sbpf_runtime::gdb::Registration>,
}

impl Symbols {
    /// No functions yet; `None` if nobody is to know of any.
    pub(crate) fn new(names: &NativeNames, isa: &dyn TargetIsa) -> Option<Self> {
        #[cfg(not(feature = "gdb"))]
        let _ = isa;
        names.is_any().then(|| Self {
            formats: names.formats.clone(),
            names: names.functions.clone(),
            functions: Vec::new(),
            #[cfg(feature = "gdb")]
            convention: isa.create_systemv_cie(),
        })
    }

    /// Adds a function that was compiled and lies at `start`.
    pub(crate) fn add(
        &mut self,
        analysis: &Analysis<'_>,
        isa: &dyn TargetIsa,
        function: &InProgress,
        start: u32,
    ) {
        #[cfg(not(feature = "gdb"))]
        let _ = isa;
        let Some(compiled) = function.context.compiled_code() else {
            return;
        };
        if self.functions.is_empty() {
            self.name_starts(analysis);
        }
        let pc = first_pc(analysis, function.name);
        let name = match function.name {
            FunctionName::Entry => "sbpf_entry".to_string(),
            FunctionName::Access => "sbpf_access".to_string(),
            FunctionName::AccessSlow => "sbpf_access_slow".to_string(),
            FunctionName::Compile => "sbpf_compile".to_string(),
            FunctionName::Unit(_) => self.name_at(pc),
            FunctionName::Indirect(_) => format!("{}.callx", self.name_at(pc)),
        };
        self.functions.push(Symbol {
            start,
            length: compiled.code_buffer().len() as u32,
            name,
            #[cfg(feature = "gdb")]
            places: places(compiled),
            #[cfg(feature = "gdb")]
            unwinding: compiled.create_unwind_info(isa).ok().flatten(),
        });
    }

    /// The name of an instruction: that of the function that it is in, and its pc.
    pub(super) fn name_at(&self, pc: usize) -> String {
        let function = self.names.range(..=pc).next_back();
        function.map_or_else(|| format!("text+{pc}"), |(_, name)| format!("{name}+{pc}"))
    }

    /// Gives functions without a name one that is made of their first pc.
    fn name_starts(&mut self, analysis: &Analysis<'_>) {
        let entry = analysis.program.entry;
        self.names
            .entry(entry)
            .or_insert_with(|| "entrypoint".to_string());
        for start in &analysis.graph.starts {
            let pc = analysis.graph.block(*start).start as usize;
            self.names
                .entry(pc)
                .or_insert_with(|| format!("function_{pc}"));
        }
        // A line break in a name would be the end of it.
        for name in self.names.values_mut() {
            if name.contains(char::is_control) {
                *name = name.escape_default().to_string();
            }
        }
    }

    /// Makes code executable, where a tool that reads names of files finds them if it has names.
    ///
    /// # Errors
    /// When the operating system refuses the memory.
    pub(crate) fn seal(symbols: Option<&Self>, code: &[u8]) -> io::Result<CodeMemory> {
        #[cfg(all(target_os = "linux", feature = "gdb"))]
        if let Some(symbols) = symbols
            && symbols.formats.contains(&NativeNameFormat::Valgrind)
        {
            match super::mapped_file::seal(symbols, code) {
                Ok(memory) => return Ok(memory),
                Err(error) => complain(&format!("valgrind: {error}")),
            }
        }
        #[cfg(not(all(target_os = "linux", feature = "gdb")))]
        let _ = symbols;
        CodeMemory::seal(code)
    }

    /// Tells all that are to know where the functions are: in `code`.
    pub(crate) fn announce(&self, code: &CodeMemory) -> Announced {
        #[cfg(not(any(unix, feature = "gdb")))]
        let _ = code;
        #[cfg_attr(not(feature = "gdb"), expect(unused_mut))]
        let mut announced = Announced::default();
        for format in &self.formats {
            match format {
                #[cfg(unix)]
                NativeNameFormat::PerfMap => super::perf_map::write(self, code),
                #[cfg(target_os = "linux")]
                NativeNameFormat::JitDump => super::jitdump::write(self, code),
                #[cfg(feature = "gdb")]
                NativeNameFormat::Gdb => match super::object_file::write(self, code) {
                    Ok(file) => {
                        announced._gdb = Some(sbpf_runtime::gdb::Registration::new(file));
                    }
                    Err(error) => complain(&format!("gdb: {error}")),
                },
                // It knows already.
                #[cfg(all(target_os = "linux", feature = "gdb"))]
                NativeNameFormat::Valgrind => {}
                #[allow(unreachable_patterns, reason = "not every build has every format")]
                absent => complain(&format!("{absent} is not in this build")),
            }
        }
        announced
    }
}

/// Where the code of each sBPF instruction starts, and its pc.
#[cfg(feature = "gdb")]
fn places(compiled: &cranelift_codegen::CompiledCode) -> Vec<(u32, u32)> {
    let mut places: Vec<(u32, u32)> = Vec::new();
    for location in compiled.buffer.get_srclocs_sorted() {
        let pc = location.loc.bits();
        if !location.loc.is_default() && places.last().is_none_or(|(_, before)| *before != pc) {
            places.push((location.start, pc));
        }
    }
    places
}
