//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use time::Date;

use crate::date;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "mslso-package",
    version,
    about = "Makes the package folder, from which mslso is installed"
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stamp the INF, sign the driver for tests, write and sign the catalog, and put all files into a folder
    #[command(after_help = BUILD)]
    Build(BuildArgs),
    /// Write completions for shells, and man pages, of mslsoctl and mslso-lab
    Shell(ShellArgs),
}

const BUILD: &str = "\
Example:
  mslso-package build --out target/package --sys mslso.sys \\
    --inf inf/mslso.inf --ctl mslsoctl.exe

The date goes into DriverVer, the catalog and the certificate: --date, else SOURCE_DATE_EPOCH, else \
now. The same files, date and kept key make the same folder.

The signatures are for machines with test signing on. For all others, Microsoft must sign.";

/// Options of `shell`.
#[derive(Args, Clone, Debug)]
pub struct ShellArgs {
    /// The folder to make; one that this command has made is replaced
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

/// Options of `build`.
#[derive(Args, Clone, Debug)]
pub struct BuildArgs {
    /// The folder to make; a package that is there already is replaced
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The driver's image, not signed yet; it becomes mslso.sys
    #[arg(long, value_name = "FILE")]
    pub sys: PathBuf,
    /// The INF; it becomes mslso.inf
    #[arg(long, value_name = "FILE")]
    pub inf: PathBuf,
    /// The administrator's tool; it becomes mslsoctl.exe
    #[arg(long, value_name = "FILE")]
    pub ctl: PathBuf,
    /// Symbols file, which keeps its name; may be given several times
    #[arg(long, value_name = "FILE")]
    pub pdb: Vec<PathBuf>,
    /// A folder whose PowerShell scripts and modules are copied; may be given several times
    #[arg(long, value_name = "FOLDER")]
    pub scripts: Vec<PathBuf>,
    /// The common name of the test certificate
    #[arg(long, value_name = "NAME", default_value = "mslso test signing")]
    pub certificate: String,
    /// Keep key and certificate in this file, and use those that it has; without this the key is discarded
    #[arg(long, value_name = "FILE")]
    pub keep_key: Option<PathBuf>,
    /// The package's date, as 2026-01-31
    #[arg(long, value_name = "DATE", value_parser = date::parse)]
    pub date: Option<Date>,
    /// The tools that stamp, catalog and sign
    #[arg(long, value_name = "WHOSE", default_value = "own")]
    pub tools: Tools,
}

/// The tools that stamp, catalog and sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tools {
    /// This program, on any system
    Own,
    /// The WDK's stampinf, infverif, inf2cat and signtool, on Windows
    Wdk,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
