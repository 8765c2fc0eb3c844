//! Code that was compiled before, in this process or by another one.
//!
//! | file | its one idea |
//! |---|---|
//! | `key` | everything that shaped code, as one hash |
//! | `memory` | code that is alive in this process |
//! | `memory_model` | the same file once more, in many orders of what threads do |
//! | `known` | executables that were compiled before, told by their address |
//! | `directory` | files of a directory: private, whole, and not too many |
//! | `owner` | whose files are trusted |
//! | `file` | the format of a file |
//! | `source` | what code was made from, compared byte by byte |
//! | `statistics` | what happened, in numbers |

mod directory;
mod file;
mod key;
mod known;
mod memory;
#[cfg(all(test, target_os = "linux"))]
mod memory_model;
mod owner;
mod source;
mod statistics;
#[cfg(test)]
mod tests;

pub(crate) use source::Source;
pub use {directory::DirectoryContents, statistics::CacheStatistics};

use {
    crate::{CompileError, CompileOptions, CompiledProgram, code::Code, generated, isa::Machine},
    directory::Directory,
    key::CodeKey,
    known::KnownExecutables,
    memory::Memory,
    sbpf_lowering::decode::Program,
    solana_sbpf::{elf::Executable, vm::ContextObject},
    source::{Inputs, Sources},
    statistics::Counters,
    std::{
        io,
        path::{Path, PathBuf},
        // `memory` takes its types from here, so that its model can run on others.
        sync::{self, Arc, LazyLock},
    },
};

/// Bytes of files in a directory, unless the caller chooses.
const DIRECTORY_LIMIT: u64 = 1 << 30;

/// How a [`Cache`] is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheOptions {
    /// Where code is stored for other processes and later ones; none by default.
    ///
    /// The directory is made when it is needed, for this user alone. On Unix it has to belong to
    /// this user, and nobody else may be able to write to it, or it is not used.
    pub directory: Option<PathBuf>,
    /// Bytes that the files of the directory may have together, 1 GiB by default. Those that were
    /// not used for the longest time go first.
    pub directory_limit: u64,
    /// Bytes of code that are kept in memory although no program uses them, 0 by default.
    pub retained_bytes: usize,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            directory: None,
            directory_limit: DIRECTORY_LIMIT,
            retained_bytes: 0,
        }
    }
}

/// Where a program's code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeOrigin {
    /// It was compiled.
    Compiled,
    /// It is shared with a program that was compiled before in this process.
    Memory,
    /// It was stored in the cache's directory.
    Directory,
}

/// Keeps programs from being compiled twice. Clones are the same cache.
///
/// A cache finds code by a hash over everything that shaped it: instructions, functions, syscalls,
/// configuration, options, the machine, and the versions of this crate and of Cranelift. It never
/// changes what a program does, and no failure of it is an error: then programs are compiled, and
/// [`Self::statistics`] tell why.
///
/// The default is one for the whole process, without a directory. It holds no code that no program
/// uses.
#[derive(Debug, Clone)]
pub struct Cache(Option<Arc<Levels>>);

#[derive(Debug, Default)]
struct Levels {
    known: KnownExecutables,
    memory: Memory,
    sources: Sources,
    directory: Option<Directory>,
    counters: Counters,
}

impl Default for Cache {
    fn default() -> Self {
        static PROCESS: LazyLock<Cache> = LazyLock::new(|| Cache::new(CacheOptions::default()));
        PROCESS.clone()
    }
}

impl Cache {
    /// A cache of its own. Nothing is read or written before it is used.
    pub fn new(options: CacheOptions) -> Self {
        let CacheOptions {
            directory,
            directory_limit,
            retained_bytes,
        } = options;
        Self(Some(Arc::new(Levels {
            memory: Memory::new(retained_bytes),
            directory: directory.map(|path| Directory::new(path, directory_limit)),
            ..Levels::default()
        })))
    }

    /// A cache in this directory, with the other [`CacheOptions`] by default.
    pub fn in_directory(path: impl Into<PathBuf>) -> Self {
        Self::new(CacheOptions {
            directory: Some(path.into()),
            ..CacheOptions::default()
        })
    }

    /// No cache: everything is compiled.
    pub fn none() -> Self {
        Self(None)
    }

    /// What happened so far.
    pub fn statistics(&self) -> CacheStatistics {
        let levels = self.0.as_ref();
        levels.map_or_else(CacheStatistics::default, |levels| levels.counters.get())
    }

    /// The directory, if there is one.
    pub fn directory(&self) -> Option<&Path> {
        Some(self.0.as_ref()?.directory.as_ref()?.path())
    }

    /// Bytes that files of the directory may have; 0 if there is no directory.
    pub fn directory_limit(&self) -> u64 {
        self.directory_level().map_or(0, Directory::limit)
    }

    /// What is in the directory.
    ///
    /// # Errors
    /// When it can't be read. One that does not exist is empty.
    pub fn directory_contents(&self) -> io::Result<DirectoryContents> {
        self.directory_level()
            .map_or_else(|| Ok(DirectoryContents::default()), Directory::contents)
    }

    /// Removes all programs from the directory, and returns what there was. Other files stay.
    ///
    /// # Errors
    /// When one can't be removed.
    pub fn clear_directory(&self) -> io::Result<DirectoryContents> {
        self.directory_level()
            .map_or_else(|| Ok(DirectoryContents::default()), Directory::clear)
    }

    fn directory_level(&self) -> Option<&Directory> {
        self.0.as_ref()?.directory.as_ref()
    }

    /// The code of `program`, from wherever it can be had.
    pub(crate) fn code(
        &self,
        program: &Program<'_>,
        options: &CompileOptions,
        machine: &Machine,
    ) -> Result<(Arc<Code>, CodeOrigin), CompileError> {
        let levels = match &self.0 {
            Some(levels) if !options.native_names.is_any() => levels,
            _ => {
                let generated = generated::generate(program, options, &**machine)?;
                let code = Arc::new(generated.seal(&program.dialect)?);
                return Ok((code, CodeOrigin::Compiled));
            }
        };
        let key = CodeKey::of(program, options, machine);
        let mut origin = CodeOrigin::Compiled;
        let (code, is_shared) = levels.memory.get_or(key, || {
            if let Some(code) = levels.load(&key, program) {
                origin = CodeOrigin::Directory;
                return Ok(Arc::new(code));
            }
            let generated = generated::generate(program, options, &**machine)?;
            levels.store(&key, &generated);
            Ok::<_, CompileError>(Arc::new(generated.seal(&program.dialect)?))
        })?;
        if is_shared {
            origin = CodeOrigin::Memory;
        }
        levels.counters.count(origin);
        Ok((code, origin))
    }

    /// The code that an executable with the same contents was compiled to, if that was asked for more
    /// than once and is alive.
    pub(crate) fn same<C: ContextObject>(
        &self,
        executable: &Executable<C>,
        options: &CompileOptions,
        machine: &Machine,
    ) -> Option<Arc<Code>> {
        let levels = self.0.as_ref()?;
        if options.native_names.is_any() {
            return None;
        }
        let inputs = Inputs::of(executable, options, machine).ok()?;
        let code = levels.sources.find(&inputs)?;
        levels.memory.retain(&code);
        levels.counters.count(CodeOrigin::Memory);
        Some(code)
    }

    /// Remembers what `code` was compiled from, if it was asked for again: most programs are not.
    pub(crate) fn remember_source<C: ContextObject>(
        &self,
        executable: &Executable<C>,
        options: &CompileOptions,
        machine: &Machine,
        (code, origin): (&Arc<Code>, CodeOrigin),
    ) {
        if let Some(levels) = &self.0
            && origin == CodeOrigin::Memory
            && code.source.get().is_none()
            && let Ok(inputs) = Inputs::of(executable, options, machine)
        {
            levels.sources.insert(&inputs, code);
        }
    }

    /// Whether it is worth looking for code: there is some, or there may be.
    pub(crate) fn may_have_code(&self) -> bool {
        let levels = self.0.as_ref();
        levels.is_some_and(|levels| levels.directory.is_some() || levels.memory.has_code())
    }

    /// The code of `program`, if it is there. Does not wait for others who compile it.
    pub(crate) fn find(
        &self,
        program: &Program<'_>,
        options: &CompileOptions,
        machine: &Machine,
    ) -> Option<(Arc<Code>, CodeOrigin)> {
        let levels = self.0.as_ref()?;
        if options.native_names.is_any() {
            return None;
        }
        let key = CodeKey::of(program, options, machine);
        let mut origin = CodeOrigin::Memory;
        let code = levels.memory.find_or(key, || {
            origin = CodeOrigin::Directory;
            levels.load(&key, program).map(Arc::new)
        })?;
        levels.counters.count(origin);
        Some((code, origin))
    }

    /// What this very executable was compiled to before, if that is still alive.
    pub(crate) fn known<C: ContextObject + 'static>(
        &self,
        executable: &Arc<Executable<C>>,
        options: &CompileOptions,
    ) -> Option<Arc<CompiledProgram<C>>> {
        let levels = self.0.as_ref()?;
        let program = levels.known.get(executable, options)?;
        levels.counters.count(CodeOrigin::Memory);
        Some(program)
    }

    /// Remembers what `executable` was compiled to.
    pub(crate) fn remember<C: ContextObject + 'static>(
        &self,
        executable: &Arc<Executable<C>>,
        options: &CompileOptions,
        program: &Arc<CompiledProgram<C>>,
    ) {
        if let Some(levels) = &self.0 {
            levels.known.insert(executable, options, program);
        }
    }
}

impl Levels {
    /// Code from the directory. A file that is not as it has to be counts as none.
    fn load(&self, key: &CodeKey, program: &Program<'_>) -> Option<Code> {
        let directory = self.directory.as_ref()?;
        let problem = |why: String| format!("{}: {why}", directory.file(key).display());
        let (file, length) = match directory.open(key) {
            Ok(file) => file?,
            Err(error) => {
                self.counters.rejected(problem(error.to_string()));
                return None;
            }
        };
        let stored = match file::read(key, program.len(), file, length) {
            Ok(stored) => stored,
            // Without memory for code, compiling will say so.
            Err(file::ReadError::Memory(_)) => return None,
            Err(error) => {
                self.counters.rejected(problem(error.to_string()));
                return None;
            }
        };
        let file::Stored {
            code,
            entries,
            sites,
            statistics,
            constant_key,
        } = stored;
        let code = code.seal().ok()?;
        let code = Code::new(
            code,
            entries,
            sites,
            &program.dialect,
            statistics,
            constant_key,
            None,
        );
        Some(code)
    }

    fn store(&self, key: &CodeKey, generated: &generated::GeneratedCode) {
        let Some(directory) = &self.directory else {
            return;
        };
        match directory.write(key, &file::encode(key, generated)) {
            Ok(()) => self.counters.stored(),
            Err(error) => {
                let path = directory.path().display();
                self.counters.not_stored(format!("{path}: {error}"));
            }
        }
    }
}
