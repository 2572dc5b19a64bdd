//! The lab program; the crate's library says what it does.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use mslso_lab::cli::{Cli, Command};
use mslso_lab::failure::exit;
use mslso_lab::{demo, split};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (mut out, mut notes) = (io::stdout().lock(), io::stderr().lock());
    let result = match &cli.command {
        None => demo::run(&cli.demo, &mut out, &mut notes),
        Some(Command::Split(args)) => split::run(args, &mut out, &mut notes),
    };
    drop(notes);
    match result {
        Ok(true) => ExitCode::from(exit::GOOD),
        Ok(false) => ExitCode::from(exit::BAD),
        Err(failure) => {
            // One line, whatever is in the name of a file.
            let line = failure.to_string().replace(['\r', '\n'], " ");
            eprintln!("mslso-lab: {line}");
            failure.exit_code()
        }
    }
}
