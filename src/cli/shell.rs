//! `sbpf-cranelift completions` and `sbpf-cranelift man`: this command line for shells and readers.

use {
    super::{Arguments, failure::Failure, run::Printout},
    clap::{Args, CommandFactory as _},
    clap_complete::Shell,
    std::{io, path::PathBuf},
};

/// The name of the binary.
const NAME: &str = "sbpf-cranelift";

/// Examples, below the options of `completions`.
pub(crate) const COMPLETIONS_HELP: &str = "\
Examples:
  sbpf-cranelift completions bash > ~/.local/share/bash-completion/completions/sbpf-cranelift
  sbpf-cranelift completions zsh > ~/.zfunc/_sbpf-cranelift
  sbpf-cranelift completions fish > ~/.config/fish/completions/sbpf-cranelift.fish
      Makes the shell complete commands, options and their values.";

/// Examples, below the options of `man`.
pub(crate) const MAN_HELP: &str = "\
Examples:
  sbpf-cranelift man | man -l -
      Shows the page of the whole program.
  sbpf-cranelift man run > sbpf-cranelift-run.1
      Writes the page of one command.
  sbpf-cranelift man --dir ~/.local/share/man/man1
      Writes the pages of all commands to a folder that exists.";

/// Prints a script that completes this command line.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints a manual page.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The command to describe [default: the whole program]
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Write the pages of all commands to this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs `completions`.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Printout {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        NAME,
        &mut script,
    );
    printout(&script)
}

/// Runs `man`.
///
/// # Errors
/// An unknown command, or a folder that can't be written to.
pub(crate) fn man(arguments: &ManArguments) -> Result<Printout, Failure> {
    let mut program = Arguments::command();
    if let Some(folder) = &arguments.dir {
        clap_mangen::generate_to(program, folder).map_err(|error| Failure::io(folder, &error))?;
        return Ok(printout(&[]));
    }
    program.build();
    let command = match &arguments.command {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::at(name.as_str(), "there is no such command"))?,
    };
    let mut page = Vec::new();
    let rendered: io::Result<()> = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::new(error.to_string()))?;
    Ok(printout(&page))
}

fn printout(text: &[u8]) -> Printout {
    Printout {
        text: String::from_utf8_lossy(text).into_owned(),
        status: 0,
    }
}
