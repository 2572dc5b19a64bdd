//! Completions for shells, and man pages, of both programs.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::failure::Failure;
use crate::folder::Folder;

/// Adds the files of all programs to `folder`: for each a completion file for each shell, and a man
/// page for it and each of its commands.
pub fn add(folder: &mut Folder) -> Result<(), Failure> {
    for program in [
        mslsoctl::cli::Cli::command(),
        mslso_lab::cli::Cli::command(),
    ] {
        completions(&program, folder)?;
        man_pages(program, folder)?;
    }
    Ok(())
}

fn completions(program: &Command, folder: &mut Folder) -> Result<(), Failure> {
    let name = program.get_name().to_owned();
    for (shell, file) in [
        (Shell::PowerShell, format!("{name}-completion.ps1")),
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ] {
        let mut text = Vec::new();
        generate(shell, &mut program.clone(), &name, &mut text);
        let text = String::from_utf8_lossy(&text);
        // clap_complete 4.6 looks the commands of a program with a hyphen in its name up under
        // another name than it lists them under in the file for bash.
        let text = text.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
        folder.add(&file, text)?;
    }
    Ok(())
}

fn man_pages(program: Command, folder: &mut Folder) -> Result<(), Failure> {
    let mut program = program.disable_help_subcommand(true);
    // Names of commands become those of their pages: mslsoctl-show.
    program.build();
    let commands: Vec<_> = program.get_subcommands().cloned().collect();
    for command in [program].into_iter().chain(commands) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let file = format!("{name}.1");
        let page = Man::new(command.clone());
        let mut text = Vec::new();
        page.render(&mut text)
            .map_err(Failure::write(file.as_ref()))?;
        folder.add(&file, text)?;
    }
    Ok(())
}
