//! The commands, one a file.

mod list;
mod set;
mod show;
mod stats;
mod watch;

use std::io::{self, Write};

use serde::Serialize;

use crate::SCHEMA;
use crate::adapter::Adapter;
use crate::cli::{Choice, Cli, Command};
use crate::connections::Connections;
use crate::device::{Device, DeviceError};
use crate::driver::Driver;
use crate::failure::Failure;
use crate::json;
use crate::select;

/// Runs the command line, with the driver behind `device` on a host with these connections, and
/// prints the result to `out`.
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

/// The context that every command works with.
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

    /// The adapter that `name` selects, where a part of a name may be enough.
    fn adapter(&mut self, name: Option<&str>) -> Result<Adapter, Failure> {
        select::selected(self.adapters()?, name, self.connections)
    }

    /// The adapter that `name` names in full: a change is never applied to a guess.
    fn named(&mut self, name: &str) -> Result<Adapter, Failure> {
        select::named(&self.adapters()?, name, self.connections)
    }

    /// Does `work` for each adapter that is chosen: one, or all that are there.
    fn each(
        &mut self,
        choice: &Choice,
        mut work: impl FnMut(&mut Self, Adapter) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let adapters = self.chosen(choice)?;
        if !choice.all {
            return adapters.into_iter().try_for_each(|one| work(self, one));
        }
        for (place, adapter) in adapters.into_iter().enumerate() {
            if place > 0 && !self.json {
                writeln!(self.out)?;
            }
            let done = work(self, adapter.clone());
            present(done, &adapter)?;
        }
        Ok(())
    }

    /// The adapters that are chosen, at least one.
    fn chosen(&mut self, choice: &Choice) -> Result<Vec<Adapter>, Failure> {
        if !choice.all {
            return Ok(vec![self.adapter(choice.adapter.as_deref())?]);
        }
        let adapters = self.adapters()?;
        if adapters.is_empty() {
            return Err(Failure::NoAdapters);
        }
        Ok(adapters)
    }

    /// Prints `value` as JSON if that was requested, or else as the text that `text` returns.
    fn print<T: Serialize>(&mut self, value: &T, text: impl Fn(&T) -> String) -> io::Result<()> {
        if self.json {
            let schema = SCHEMA;
            json::write(self.out, &Versioned { schema, value })?;
        } else {
            self.out.write_all(text(value).as_bytes())?;
        }
        self.out.flush()
    }
}

/// The result of one adapter of a command for all: `None` for an adapter that went away since they
/// were listed, which is no failure. Any other failure names its adapter.
fn present<T>(done: Result<T, Failure>, adapter: &Adapter) -> Result<Option<T>, Failure> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Failure::Device(DeviceError::NoSuchAdapter)) => Ok(None),
        Err(Failure::Output(error)) => Err(Failure::Output(error)),
        Err(failure) => Err(Failure::At(adapter.clone().into(), failure.into())),
    }
}

/// A value as JSON has it.
#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: u32,
    #[serde(flatten)]
    value: &'a T,
}

/// The line that names the adapter.
fn title(adapter: &Adapter) -> String {
    format!(
        "{adapter} (interface {}, NIC {})\n",
        adapter.if_index, adapter.base_if_index
    )
}
