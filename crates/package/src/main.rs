//! The program; the crate's library describes its behavior.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use mslso_package::cli::{Cli, Command};
use mslso_package::folder::Folder;
use mslso_package::{build, date, shell};

fn main() -> ExitCode {
    let (result, out) = match Cli::parse().command {
        Command::Build(args) => {
            let epoch = env::var("SOURCE_DATE_EPOCH").ok();
            let date = date::of_package(args.date, epoch.as_deref());
            (date.and_then(|date| build::run(&args, date)), args.out)
        }
        Command::Shell(args) => {
            let mut folder = Folder::default();
            let result = shell::add(&mut folder).and_then(|()| folder.write(&args.out));
            (result, args.out)
        }
    };
    match result {
        Ok(files) => {
            // Standard output may be closed; the exit code carries the result too, here and below.
            let _ = writeln!(io::stdout(), "{}: {files} files", out.display());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = writeln!(io::stderr(), "mslso-package: {failure}");
            ExitCode::FAILURE
        }
    }
}
