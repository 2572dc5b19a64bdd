//! The command line of `exercise`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use harness::size::number_in;
use model::Level;

pub const EXERCISE: &str = "\
Run an NDIS lightweight filter through its life cycle, and judge it by the rules that Microsoft \
documents.

The driver, any x64 image of a lightweight filter, is loaded, attached and restarted. It gets sends \
(small, large, of several NET_BUFFERs), received packets with and without RESOURCES, OID queries, \
sets and cancels, status indications, network and device events, and requests to its control device. \
It is paused and restarted in every state, called from four threads at once, detached, attached \
again, attached to two adapters at once, and unloaded. Each of its allocations is made to fail in \
turn. Each run is in a process of its own, with guard pages: memory that the driver does not own, or \
has freed, is inaccessible to it.

Rules have three levels: `contract` rules are documented, and the finding names the page; `advice` \
rules are recommended; `product` rules are promises of mslso alone. Without a path, the driver is \
that of --driver.

Verdicts: clean; violations (each cause once, with a count); refused (with the step at which the \
driver failed); crashed (with the instruction and the memory, if it accessed memory that it must \
not use); hung (with the step).

--json prints one object with verdict, step (at which the driver was refused, crashed or hung; \
otherwise null), detail, and violations, each with rule, name, level, page, count and first.";

pub const CODES: &str = "\
Examples:
  mslso-lab exercise myfilter.sys              against the contract
  mslso-lab exercise myfilter.sys --rounds 10  more runs, with other seeds
  mslso-lab exercise --level product           mslso itself, against all rules

Exit codes:
  0  clean
  1  the driver broke a rule, was refused, crashed or hung
  2  the image cannot be used, or the command line is wrong";

/// Options of `exercise`.
#[derive(Args, Debug)]
pub struct ExerciseArgs {
    /// Image of the driver
    #[arg(value_name = "DRIVER.sys")]
    pub image: Option<PathBuf>,
    /// The highest level of rules to judge by
    #[arg(
        long,
        value_name = "contract|advice|product",
        default_value = "contract",
        hide_possible_values = true,
        value_parser = level()
    )]
    pub level: Level,
    /// The first seed of the numbers that vary: sizes, orders, which allocation fails
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number_in::<u64>(0..=u64::MAX))]
    pub seed: u64,
    /// Number of runs, each with the next seed
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = number_in::<u64>(1..=10_000))]
    pub rounds: u64,
    /// Also do unusual things that are not ruled out: restart attributes in the reverse order
    #[arg(long)]
    pub stress: bool,
    /// A control code that the driver's device handles, besides those found in its code
    #[arg(long, value_name = "CODE", value_parser = code)]
    pub ioctl: Vec<u32>,
    /// Seconds without progress after which the driver is reported as hung
    #[arg(long, value_name = "N", default_value_t = 30,
        value_parser = number_in::<u64>(1..=3600))]
    pub timeout: u64,
    /// Whether to use guard pages; without them a run is faster, but finds faults later or never
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub guard_pages: super::Switch,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Run one phase in this process: what a run does to itself
    #[arg(long, hide = true)]
    pub phase: Option<Phase>,
    /// Where blocks lie in their guard pages in that phase
    #[arg(long, hide = true, default_value = "end")]
    pub pages: Pages,
}

/// The levels of rules, by their names.
fn level() -> impl TypedValueParser<Value = Level> {
    let names = PossibleValuesParser::new(Level::ALL.map(Level::name));
    names.try_map(|name| {
        let found = Level::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or("is no level")
    })
}

/// The phases of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// The whole life of the driver.
    Life,
    /// Its start, with each allocation failing in turn.
    Starve,
}

/// Where blocks lie in their guard pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pages {
    /// At the end of their pages: overruns fault.
    End,
    /// At the start: underruns fault.
    Start,
    /// There are none.
    Off,
}

/// A control code, in hexadecimal with `0x`, or decimal.
fn code(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "it is not a number of 32 bits, such as 0x170004".into())
}
