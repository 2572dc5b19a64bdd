//! The commands, one a file.

mod list;
mod set;
mod show;
mod stats;
mod watch;

use std::io::{self, Write};

use serde::Serialize;

use crate::adapters::{Adapter, find};
use crate::cli::{Cli, Command};
use crate::device::Device;
use crate::driver::Driver;
use crate::failure::Failure;

/// Does what the command line asks, with the driver behind `device`, and prints it to `out`.
///
/// # Errors
/// Why it cannot be done; see [`Failure::exit_code`].
pub fn run(cli: &Cli, device: &mut dyn Device, out: &mut dyn Write) -> Result<(), Failure> {
    let mut session = Session {
        driver: Driver::new(device),
        out,
        json: cli.json,
    };
    match &cli.command {
        Command::List => list::run(&mut session),
        Command::Show(choice) => show::run(&mut session, choice),
        Command::Set(args) => set::run(&mut session, args),
        Command::Stats(args) => match args.watch {
            None => stats::run(&mut session, args),
            Some(interval) => watch::run(&mut session, args, interval),
        },
    }
}

/// What every command works with.
struct Session<'a> {
    driver: Driver<'a>,
    out: &'a mut dyn Write,
    json: bool,
}

impl Session<'_> {
    /// The adapter that `asked` means.
    fn adapter(&mut self, asked: Option<&str>) -> Result<Adapter, Failure> {
        find(self.driver.adapters()?, asked)
    }

    /// Prints `value` as JSON if that was asked for, or else what `text` makes of it.
    fn print<T: Serialize>(&mut self, value: &T, text: impl Fn(&T) -> String) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut *self.out, value)?;
            writeln!(self.out)?;
        } else {
            self.out.write_all(text(value).as_bytes())?;
        }
        self.out.flush()
    }
}

/// The line that says which adapter is meant.
fn title(adapter: &Adapter) -> String {
    format!(
        "{} (interface {}, NIC {})\n",
        adapter.name, adapter.if_index, adapter.base_if_index
    )
}
