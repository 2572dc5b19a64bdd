//! The commands, one a file.

mod list;
mod set;
mod show;
mod stats;
mod watch;

use std::io::{self, Write};

use serde::Serialize;

use crate::adapters::{self, Adapter};
use crate::cli::{Cli, Command};
use crate::connections::Connections;
use crate::device::Device;
use crate::driver::Driver;
use crate::failure::Failure;

/// Does what the command line asks, with the driver behind `device` on a host with these
/// connections, and prints it to `out`.
///
/// # Errors
/// Why it cannot be done; see [`Failure::exit_code`].
pub fn run(
    cli: &Cli,
    device: &mut dyn Device,
    connections: &dyn Connections,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut session = Session {
        driver: Driver::new(device),
        connections,
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
    connections: &'a dyn Connections,
    out: &'a mut dyn Write,
    json: bool,
}

impl Session<'_> {
    /// All adapters that the driver filters.
    fn adapters(&mut self) -> Result<Vec<Adapter>, Failure> {
        let entries = self.driver.adapters()?.into_iter();
        Ok(entries
            .map(|entry| Adapter::new(&entry, self.connections))
            .collect())
    }

    /// The adapter that `asked` means, of which a part of a name may be enough.
    fn adapter(&mut self, asked: Option<&str>) -> Result<Adapter, Failure> {
        adapters::meant(self.adapters()?, asked, self.connections)
    }

    /// The adapter that `asked` names whole: what is changed is not guessed.
    fn named(&mut self, asked: &str) -> Result<Adapter, Failure> {
        adapters::named(&self.adapters()?, asked, self.connections)
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
        "{adapter} (interface {}, NIC {})\n",
        adapter.if_index, adapter.base_if_index
    )
}
