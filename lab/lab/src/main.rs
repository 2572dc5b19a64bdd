//! The lab program; see the crate's library.

use std::io::{self, Write};
use std::process::ExitCode;

use mslso_lab::cli::{Cli, Command};
#[cfg(not(target_os = "linux"))]
use mslso_lab::failure::Failure;
use mslso_lab::failure::exit;
#[cfg(target_os = "linux")]
use mslso_lab::traffic;
use mslso_lab::{chaos, demo, exercise, main_job, split};

fn main() -> ExitCode {
    let cli = Cli::of_process();
    // Not locked: threads that draw progress, and libraries, write to them too.
    let (mut out, mut notes) = (io::stdout(), io::stderr());
    let result = match &cli.command {
        None => main_job::run(&cli.main, &cli.driver, &mut out, &mut notes),
        Some(Command::Split(args)) => split::run(args, &cli.driver, &mut out, &mut notes),
        Some(Command::Demo(args)) => demo::run(args, &cli.driver, &mut out, &mut notes),
        Some(Command::Exercise(args)) => exercise::run(args, &cli.driver, &mut out),
        Some(Command::Chaos(args)) => chaos::run(args, &cli.driver, &mut out, &mut notes),
        #[cfg(target_os = "linux")]
        Some(Command::Traffic(args)) => traffic::run(args, &cli.driver, &mut out, &mut notes),
        #[cfg(target_os = "linux")]
        Some(Command::Migrate(args)) => {
            traffic::migrate::run(args, &cli.driver, &mut out, &mut notes)
        }
        #[cfg(target_os = "linux")]
        Some(Command::Tune(args)) => traffic::tune::run(args, &cli.driver, &mut out, &mut notes),
        #[cfg(not(target_os = "linux"))]
        Some(Command::Traffic(_) | Command::Migrate(_) | Command::Tune(_)) => {
            Err(Failure::NotLinux)
        }
    };
    match result {
        Ok(true) => ExitCode::from(exit::GOOD),
        Ok(false) => ExitCode::from(exit::BAD),
        Err(failure) if cli.json() => {
            let _ = writeln!(notes, "{}", failure.to_json());
            ExitCode::from(failure.exit_code())
        }
        Err(failure) => {
            // One line, even if a file's name contains line breaks.
            let line = failure.to_string().replace(['\r', '\n'], " ");
            // The reader of stderr may be gone; the exit code reports the failure too.
            let _ = writeln!(notes, "mslso-lab: {line}");
            ExitCode::from(failure.exit_code())
        }
    }
}
