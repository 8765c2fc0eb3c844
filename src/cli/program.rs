//! Loading a program: an ELF file or assembly text, verified.

use {
    super::{
        assembly,
        context::Context,
        elf_diagnosis,
        failure::Failure,
        guard,
        syscalls::{self, Import, MISSING_SLOTS},
    },
    clap::ValueEnum,
    solana_sbpf::{
        aligned_memory::AlignedMemory,
        ebpf,
        elf::Executable,
        elf_parser::Elf64,
        program::{BuiltinProgram, SBPFVersion},
        verifier::RequisiteVerifier,
        vm::Config,
    },
    std::{fs, io::Read, path::Path, sync::Arc},
};

/// The first bytes of every ELF file.
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// Bytes that a program file may have; agave's programs are limited to 10 MiB.
const PROGRAM_BYTES_LIMIT: u64 = 64 << 20;

/// The relocation that names a syscall (`R_Bpf_64_32`).
const RELOCATION_CALL: u32 = 10;

/// A version of sBPF, as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    /// Version 0: fixed frames with gaps.
    V0,
    /// Version 1: dynamic frames.
    V1,
    /// Version 2: new arithmetic and encodings.
    V2,
    /// Version 3: static syscalls, 32-bit jumps.
    V3,
    /// Version 4: aligned memory only.
    V4,
}

impl Version {
    /// The same version as `solana-sbpf` knows it.
    fn to_sbpf(self) -> SBPFVersion {
        match self {
            Self::V0 => SBPFVersion::V0,
            Self::V1 => SBPFVersion::V1,
            Self::V2 => SBPFVersion::V2,
            Self::V3 => SBPFVersion::V3,
            Self::V4 => SBPFVersion::V4,
        }
    }
}

/// How to load a program.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoadOptions {
    /// The version of assembly text; V3 when not given.
    pub(crate) version: Option<Version>,
    /// Whether functions keep the names of their symbols, for dumps.
    pub(crate) labels: bool,
    /// Whether regions below V4 are found by search, not by the upper half of the address.
    pub(crate) unaligned_mapping: bool,
    /// Whether memory is laid out as by hosts with SIMD-0460: each account is a region of its own, and
    /// frames have no gaps between them.
    pub(crate) account_regions: bool,
}

/// A program that can run.
pub(crate) struct Program {
    /// What to call it in messages: a path, or the name of a sample.
    pub(crate) name: String,
    /// Whether it was assembled from text.
    pub(crate) is_assembly: bool,
    /// The loaded and verified program.
    pub(crate) executable: Executable<Context>,
    /// Names of its imports that are not available, by slot.
    pub(crate) missing_syscalls: Vec<Import>,
    /// The file or the text that it was loaded from.
    pub(crate) bytes: Vec<u8>,
    /// How it was loaded.
    pub(crate) options: LoadOptions,
}

impl Program {
    /// Reads and loads `path`.
    ///
    /// # Errors
    /// One line saying what is wrong with the file, and where.
    pub(crate) fn read(path: &Path, options: LoadOptions) -> Result<Self, Failure> {
        let bytes = read_program(path)?;
        Self::load(&path.display().to_string(), &bytes, options)
    }

    /// Loads `bytes`, which are called `name` in messages.
    ///
    /// # Errors
    /// One line saying what is wrong with them, and where.
    pub(crate) fn load(name: &str, bytes: &[u8], options: LoadOptions) -> Result<Self, Failure> {
        let program = if bytes.starts_with(ELF_MAGIC) {
            Self::load_elf(name, bytes, options)?
        } else {
            Self::load_assembly(name, source_text(name, bytes)?, options)?
        };
        guard::catch(|| program.executable.verify::<RequisiteVerifier>())
            .map_err(|panic| Failure::at(name, format!("the verifier gave up: {panic}")))?
            .map_err(|error| {
                let text = error.to_string();
                let what = text.strip_prefix("Verifier error: ").unwrap_or(&text);
                Failure::at(name, format!("verification failed: {what}"))
            })?;
        Ok(program)
    }

    /// Loads an ELF file.
    fn load_elf(name: &str, bytes: &[u8], options: LoadOptions) -> Result<Self, Failure> {
        if options.version.is_some() {
            return Err(Failure::at(
                "--sbpf-version",
                format!("is for assembly; {name} is an ELF file, whose header gives the version"),
            ));
        }
        let (loader, missing_syscalls) = loader(SBPFVersion::V4, options, elf_imports(bytes));
        let executable = guard::catch(|| Executable::load(bytes, loader))
            .map_err(|panic| Failure::at(name, format!("the ELF loader gave up: {panic}")))?
            .map_err(|error| {
                let what = elf_diagnosis::diagnose(bytes);
                Failure::at(
                    name,
                    what.unwrap_or_else(|| format!("not a program: {error}")),
                )
            })?;
        Ok(Self {
            name: name.to_string(),
            is_assembly: false,
            executable,
            missing_syscalls,
            bytes: bytes.to_vec(),
            options,
        })
    }

    /// Assembles text.
    fn load_assembly(name: &str, source: &str, options: LoadOptions) -> Result<Self, Failure> {
        let version = options.version.unwrap_or(Version::V3).to_sbpf();
        let imports = assembly::syscall_names(source);
        let (loader, missing_syscalls) = loader(version, options, imports);
        let executable = assembly::assemble_program(name, source, &loader)?;
        Ok(Self {
            name: name.to_string(),
            is_assembly: true,
            executable,
            missing_syscalls,
            bytes: source.as_bytes().to_vec(),
            options,
        })
    }

    /// Slots of eight bytes in the program's text.
    pub(crate) fn instruction_slots(&self) -> usize {
        self.executable.get_text_bytes().1.len() / ebpf::INSN_SIZE
    }

    /// The version, as "v0".
    pub(crate) fn version_name(&self) -> String {
        format!("{:?}", self.executable.get_sbpf_version()).to_lowercase()
    }
}

/// Reads the file of a program.
///
/// # Errors
/// When it can't be read or is too large.
pub(crate) fn read_program(path: &Path) -> Result<Vec<u8>, Failure> {
    read_file(path, PROGRAM_BYTES_LIMIT)
}

/// Reads `path`, which may have at most `limit` bytes.
///
/// # Errors
/// When it can't be read or is larger.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let io_failure = |error: &std::io::Error| Failure::io(path, error);
    // Windows refuses to open a directory, with words that don't tell why.
    if path.is_dir() {
        return Err(Failure::at(path.display().to_string(), "is a directory"));
    }
    let file = fs::File::open(path).map_err(|error| io_failure(&error))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| io_failure(&error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::at(
            path.display().to_string(),
            format!("is larger than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// `bytes` as assembly text, unless they can't be.
fn source_text<'bytes>(name: &str, bytes: &'bytes [u8]) -> Result<&'bytes str, Failure> {
    if bytes.is_empty() {
        return Err(Failure::at(name, "the file is empty"));
    }
    let foreign = |offset: usize| {
        Failure::at(
            name,
            format!(
                "neither an ELF file (no magic at offset 0) nor assembly text (byte {:#04x} at \
                 offset {offset})",
                bytes[offset]
            ),
        )
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| foreign(error.valid_up_to().min(bytes.len() - 1)))?;
    let control = |character: char| character.is_control() && !character.is_ascii_whitespace();
    text.find(control)
        .map_or(Ok(text), |offset| Err(foreign(offset)))
}

/// A loader with agave's configuration, all syscalls, and `imports` that are not among them.
///
/// Returns the names of the unavailable syscalls too, by slot.
fn loader(
    newest: SBPFVersion,
    options: LoadOptions,
    imports: Vec<Import>,
) -> (Arc<BuiltinProgram<Context>>, Vec<Import>) {
    let mut missing = syscalls::known_missing();
    let mut loader = new_loader(newest, options, &missing);
    for name in imports {
        let hash = ebpf::hash_symbol_name(name.as_bytes());
        let known = loader.get_function_registry().lookup_by_key(hash).is_some();
        if !known && missing.len() < MISSING_SLOTS && !missing.contains(&name) {
            missing.push(name);
        }
    }
    loader = new_loader(newest, options, &missing);
    (Arc::new(loader), missing)
}

/// A loader with agave's configuration, all syscalls, and those of `missing` that fail.
fn new_loader(
    newest: SBPFVersion,
    options: LoadOptions,
    missing: &[Import],
) -> BuiltinProgram<Context> {
    let mut loader = BuiltinProgram::new_loader(config(newest, options));
    // Hashes of different names differ, but for names made to collide: then the first one stays.
    let _ = syscalls::register(&mut loader, missing);
    loader
}

/// The configuration that agave runs programs with (`create_program_runtime_environment`), except
/// that all versions up to `newest` are enabled.
#[allow(
    clippy::needless_update,
    reason = "the configuration has more fields when the hand-written JIT is in the build"
)]
fn config(newest: SBPFVersion, options: LoadOptions) -> Config {
    Config {
        max_call_depth: 64,
        stack_frame_size: 4_096,
        enable_address_translation: true,
        enable_stack_frame_gaps: !options.account_regions,
        instruction_meter_checkpoint_distance: 10_000,
        enable_instruction_meter: true,
        enable_symbol_and_section_labels: options.labels,
        reject_broken_elfs: false,
        optimize_rodata: false,
        aligned_memory_mapping: !options.unaligned_mapping && !options.account_regions,
        enabled_sbpf_versions: SBPFVersion::V0..=newest,
        // With the hand-written JIT there are two fields more, which it alone reads; their
        // defaults are agave's (no-ops at a rate of 256, constants blinded).
        ..Config::default()
    }
}

/// Names of the syscalls that an ELF file's relocations ask for; none when it can't be parsed.
fn elf_imports(bytes: &[u8]) -> Vec<Import> {
    let aligned = AlignedMemory::<{ ebpf::HOST_ALIGN }>::from_slice(bytes);
    let names = guard::catch(|| {
        let elf = Elf64::parse(aligned.as_slice()).ok()?;
        let symbols = elf.dynamic_symbol_table()?;
        let names = elf
            .dynamic_relocations_table()?
            .iter()
            .filter(|relocation| relocation.r_type() == RELOCATION_CALL)
            .filter_map(|relocation| symbols.get(relocation.r_sym() as usize))
            .filter(|symbol| !(symbol.is_function() && symbol.st_value != 0))
            .filter_map(|symbol| elf.dynamic_symbol_name(symbol.st_name).ok())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        Some(names)
    });
    names.ok().flatten().unwrap_or_default()
}
