//! The program; the crate's library says what it does.

use std::env;
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
            println!("{}: {files} files", args.out.display());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("mslso-package: {failure}");
            ExitCode::FAILURE
        }
    }
}
