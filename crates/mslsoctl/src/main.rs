//! The tool's program; the crate's library says what it does.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use mslsoctl::cli::Cli;
use mslsoctl::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let result = mslsoctl::open()
        .map_err(Failure::from)
        .and_then(|mut device| mslsoctl::run(&cli, &mut device, &mslsoctl::Host, &mut out));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has had enough of it.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) if cli.json => {
            eprintln!("{}", failure.to_json());
            failure.exit_code().into()
        }
        Err(failure) => {
            eprintln!("mslsoctl: {failure}");
            failure.exit_code().into()
        }
    }
}
