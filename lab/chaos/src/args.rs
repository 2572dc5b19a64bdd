//! The command line of `chaos`.

use std::path::PathBuf;

use clap::Args;
use harness::size::number_in;

/// The long description of the command.
pub const ABOUT: &str = "\
Run random sequences of events, and check all rules.

A seed determines a list of steps: sends of every shape and malformed ones, completions in every \
order and on every processor, NICs that change, tunings, requests to the control device, OID \
requests, status indications and network events, pauses, detaches, reloads with other settings, \
guests from other hosts, and allocations that fail. The model's rules are checked after each step. \
From time to time, when nothing is in flight, the filter's counters are compared with the events \
seen. At each detach, the memory that is left is checked.

Every thousand steps are an episode, with a machine of its own. They run in another process, so that \
a driver that crashes or hangs is found too. A failing run is shrunk to a few steps, which are \
written to a file in JSON: one line for the machine, and one for each step.

--json prints one object for each seed, with seed, replayed (the script, or null), seconds, summary \
(the steps, and their results) and failure: null, or an object with step, kind, found, script (the \
file with the shortest steps found that fail in the same way) and script_steps (their number).

Nothing is concurrent, so the same seed and the same driver always give the same run.";

/// Examples, and the exit codes.
pub const CODES: &str = "\
Examples:
  mslso-lab chaos --steps 1000000                    one seed
  mslso-lab chaos --seed 100 --seeds 10              ten seeds, from 100 on
  mslso-lab chaos --driver mslso.sys                 the finished image
  mslso-lab chaos --replay chaos-failure.jsonl       the shrunk failure again

Exit codes:
  0  no rule was broken
  1  something went wrong; it is printed with the seed and the step
  2  --replay or --driver cannot be used, or the command line is wrong";

/// Options of `chaos`.
#[derive(Args, Debug)]
pub struct ChaosArgs {
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = number_in::<u64>(0..=u64::MAX))]
    pub seed: u64,
    /// Number of seeds, one after the other
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = number_in::<u64>(1..=u64::MAX))]
    pub seeds: u64,
    /// Steps of each seed
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = number_in::<u64>(1..=u64::MAX))]
    pub steps: u64,
    /// File to write the failing steps to
    #[arg(long, value_name = "FILE.jsonl", default_value = "chaos-failure.jsonl")]
    pub script: PathBuf,
    /// Run the steps in this file instead
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["seed", "seeds", "steps", "script"])]
    pub replay: Option<PathBuf>,
    /// Print JSON instead of text: an object for each seed, or for the script
    #[arg(long)]
    pub json: bool,
    /// Take requests from the standard input: what a run does to itself
    #[arg(long, hide = true)]
    pub worker: bool,
}
