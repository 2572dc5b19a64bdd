//! The lab program; see the crate's library.

use std::process::ExitCode;

use harness::output::note;
use mslso_lab::cli::{Cli, Command};
use mslso_lab::error::{Error, exit};
use mslso_lab::{demo, exercise, main_job, split};

fn main() -> ExitCode {
    let cli = Cli::of_process();
    let driver = &cli.driver;
    let result = match &cli.command {
        None => main_job::run(&cli.main, driver),
        Some(Command::Split(args)) => split::run(args, driver),
        Some(Command::Demo(args)) => demo::run(args, driver),
        Some(Command::Exercise(args)) => exercise::run(args, driver),
        Some(Command::Chaos(args)) => chaos::run(args, driver).map_err(Error::from),
        Some(Command::Live(job)) => livelab::run(job, driver).map_err(Error::from),
    };
    match result {
        Ok(true) => ExitCode::from(exit::GOOD),
        Ok(false) => ExitCode::from(exit::BAD),
        Err(error) if cli.json() => {
            note(error.to_json());
            ExitCode::from(error.exit_code())
        }
        Err(error) => {
            // One line, even if a file's name contains line breaks.
            let line = error.to_string().replace(['\r', '\n'], " ");
            note(format_args!("mslso-lab: {line}"));
            ExitCode::from(error.exit_code())
        }
    }
}
