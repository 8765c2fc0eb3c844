//! The program that a command shows: options that choose it, and loading it with its names.

use {
    super::{
        failure::Failure,
        functions,
        program::{LoadOptions, Program, read_program},
        run::{DialectChoice, refuse},
        samples,
        shared::VersionArgument,
    },
    clap::Args,
    sbpf_cranelift::ebpf::Options,
    std::{collections::BTreeMap, path::PathBuf},
};

/// Options that choose a program.
#[derive(Debug, Args)]
pub(crate) struct SourceArguments {
    /// ELF file or assembly text
    #[arg(required_unless_present = "sample")]
    program: Option<PathBuf>,
    /// A bundled program; `run --list-samples` lists them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["program", "sbpf_version"])]
    sample: Option<String>,
    /// The instruction set of the program
    #[arg(
        long,
        value_name = "DIALECT",
        value_enum,
        default_value_t = DialectChoice::Sbpf,
        conflicts_with = "sample"
    )]
    dialect: DialectChoice,
    /// eBPF: the program with this name of a section or function [default: the first]
    #[arg(long, value_name = "NAME")]
    section: Option<String>,
    #[command(flatten)]
    version: VersionArgument,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// A program, and what to call it.
pub(crate) struct Source {
    /// Its file, or that of the sample.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: SourceProgram,
    /// Whether progress is not to be shown.
    pub(crate) is_quiet: bool,
}

/// A program of either instruction set.
pub(crate) enum SourceProgram {
    /// Solana's, with names of functions by pc.
    Sbpf(Box<Program>, BTreeMap<usize, String>),
    /// The standard's.
    Ebpf(Box<sbpf_cranelift::ebpf::Program>),
}

impl SourceArguments {
    /// Loads the program.
    ///
    /// # Errors
    /// One line saying what is wrong with it, or with the options.
    pub(crate) fn load(&self) -> Result<Source, Failure> {
        let (name, bytes) = match &self.program {
            Some(path) => (path.display().to_string(), read_program(path)?),
            None => {
                let sample = samples::find(self.sample.as_deref())?;
                (sample.program.to_string(), sample.load()?.elf)
            }
        };
        let program = match self.dialect {
            DialectChoice::Ebpf => {
                let given = [("--sbpf-version", self.version.sbpf_version.is_some())];
                refuse(&given, "is for programs of --dialect sbpf")?;
                let section = self.section.as_deref();
                let program = super::ebpf::load(&name, &bytes, section, &Options::default())?;
                SourceProgram::Ebpf(Box::new(program))
            }
            DialectChoice::Sbpf => {
                let given = [("--section", self.section.is_some())];
                refuse(&given, "is for programs of --dialect ebpf")?;
                let options = LoadOptions {
                    version: self.version.sbpf_version,
                    ..LoadOptions::default()
                };
                let program = Program::load(&name, &bytes, options)?;
                let names = functions::symbols(&name, &bytes, options);
                SourceProgram::Sbpf(Box::new(program), names)
            }
        };
        Ok(Source {
            name,
            program,
            is_quiet: self.quiet,
        })
    }
}
