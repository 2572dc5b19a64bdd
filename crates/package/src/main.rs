//! The program; the crate's library says what it does.

use std::env;
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
            println!("{}: {files} files", out.display());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("mslso-package: {failure}");
            ExitCode::FAILURE
        }
    }
}
