//! The tool's program; the crate's library describes its behavior.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use mslsoctl::cli::Cli;
use mslsoctl::failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) if wrong.use_stderr() && env::args_os().any(|word| word == "--json") => {
            return failed(&Failure::from(wrong), true);
        }
        Err(wrong) => wrong.exit(),
    };
    let mut out = io::stdout();
    let result = mslsoctl::run(&cli, &mut mslsoctl::device(), &mslsoctl::Host, &mut out);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader closed the pipe: it has had enough of the output.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => failed(&failure, cli.json),
    }
}

fn failed(failure: &Failure, json: bool) -> ExitCode {
    let mut notes = io::stderr();
    // Standard error may be closed; the exit code carries the result too.
    let _ = if json {
        mslsoctl::json::write(&mut notes, &failure.to_json())
    } else {
        writeln!(notes, "mslsoctl: {failure}")
    };
    failure.exit_code().into()
}
