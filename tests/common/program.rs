//! Programs in the three forms they come in, made into executables.

use {
    super::{context::TestContext, host_syscalls, memory_syscalls, region_syscalls, syscalls},
    solana_sbpf::{
        assembler::assemble,
        elf::Executable,
        program::{BuiltinProgram, FunctionRegistry, SBPFVersion},
        vm::Config,
    },
    std::sync::Arc,
};

/// Where a program comes from.
#[derive(Debug, Clone)]
pub enum Program {
    /// Assembly text, for the newest version that the configuration enables.
    Assembly(String),
    /// Raw instructions.
    Raw {
        /// Their version.
        version: SBPFVersion,
        /// The text section.
        text: Vec<u8>,
        /// Key, name and pc of functions.
        functions: Vec<(u32, String, usize)>,
    },
    /// A whole ELF file.
    Elf(Vec<u8>),
}

impl Program {
    /// Loads the program, with all test syscalls and `extra_syscalls` (stand-ins) registered.
    pub fn load(
        &self,
        config: &Config,
        extra_syscalls: &[String],
    ) -> Result<Executable<TestContext>, String> {
        let loader = loader(config, extra_syscalls);
        match self {
            Self::Assembly(text) => assemble(text, loader),
            Self::Raw {
                version,
                text,
                functions,
            } => {
                let mut registry = FunctionRegistry::default();
                for (key, name, pc) in functions {
                    registry
                        .register_function(*key, name.as_bytes(), *pc)
                        .map_err(|error| error.to_string())?;
                }
                Executable::from_text_bytes(text, loader, *version, registry)
                    .map_err(|error| error.to_string())
            }
            Self::Elf(bytes) => {
                Executable::from_elf(bytes, loader).map_err(|error| error.to_string())
            }
        }
    }
}

/// The loader with all syscalls of the harness; `extra` names get stand-ins.
pub fn loader(config: &Config, extra: &[String]) -> Arc<BuiltinProgram<TestContext>> {
    let mut loader = BuiltinProgram::new_loader(config.clone());
    syscalls::register(&mut loader);
    memory_syscalls::register(&mut loader);
    region_syscalls::register(&mut loader);
    for name in extra {
        host_syscalls::register(&mut loader, name);
    }
    Arc::new(loader)
}
