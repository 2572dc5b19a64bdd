//! The program; the crate's library says what it does.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use mslso_package::cli::{Cli, Command};
use mslso_package::{build, date};

fn main() -> ExitCode {
    let Command::Build(args) = Cli::parse().command;
    let epoch = env::var("SOURCE_DATE_EPOCH").ok();
    let result =
        date::of_package(args.date, epoch.as_deref()).and_then(|date| build::run(&args, date));
    match result {
        Ok(files) => {
            // Nobody may be there to read it; the exit code says it too, here and below.
            let _ = writeln!(io::stdout(), "{}: {files} files", args.out.display());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = writeln!(io::stderr(), "mslso-package: {failure}");
            ExitCode::FAILURE
        }
    }
}
