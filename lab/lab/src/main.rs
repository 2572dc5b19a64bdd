//! The lab program; see the crate's library.

use std::io::{self, Write};
use std::process::ExitCode;

use mslso_lab::cli::{Cli, Command};
use mslso_lab::error::{Error, exit};
use mslso_lab::{demo, exercise, main_job, split};

fn main() -> ExitCode {
    let cli = Cli::of_process();
    // Not locked: threads that draw progress, and libraries, write to them too.
    let (mut out, mut notes) = (io::stdout(), io::stderr());
    let result = match &cli.command {
        None => main_job::run(&cli.main, &cli.driver, &mut out, &mut notes),
        Some(Command::Split(args)) => split::run(args, &cli.driver, &mut out, &mut notes),
        Some(Command::Demo(args)) => demo::run(args, &cli.driver, &mut out, &mut notes),
        Some(Command::Exercise(args)) => exercise::run(args, &cli.driver, &mut out),
        Some(Command::Chaos(args)) => {
            chaos::run(args, &cli.driver, &mut out, &mut notes).map_err(Error::from)
        }
        Some(Command::Live(job)) => {
            livelab::run(job, &cli.driver, &mut out, &mut notes).map_err(Error::from)
        }
    };
    match result {
        Ok(true) => ExitCode::from(exit::GOOD),
        Ok(false) => ExitCode::from(exit::BAD),
        Err(error) if cli.json() => {
            let _ = writeln!(notes, "{}", error.to_json());
            ExitCode::from(error.exit_code())
        }
        Err(error) => {
            // One line, even if a file's name contains line breaks.
            let line = error.to_string().replace(['\r', '\n'], " ");
            // The reader of stderr may be gone; the exit code reports the failure too.
            let _ = writeln!(notes, "mslso-lab: {line}");
            ExitCode::from(error.exit_code())
        }
    }
}
