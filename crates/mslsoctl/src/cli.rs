//! The command line.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use control::{
    Cap, Invalid, IpIdBits, MaxSgElements, MemoryBound, Multiple, Profile, SettingsChange,
    SoftwareSegmentation,
};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "mslsoctl",
    version,
    about = "Shows and sets how mslso raises the large sends of network adapters",
    long_about = "Shows and sets how mslso, the filter driver for Multi-Stage Large Send Offload, \
        raises the large sends of network adapters.\n\n\
        The driver advertises TCP and UDP large sends several times the NIC's maximum to the \
        overlying driver (a virtual switch, or TCP/IP), and splits each for the NIC. If the NIC \
        accepts none, the driver can cut them into packets itself. Run this tool as an \
        administrator.",
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON: one object, or with --all or --watch one per line; an error is one object on stderr
    #[arg(long, global = true)]
    pub json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  mslsoctl list
  mslsoctl show 17
  mslsoctl set \"Ethernet 2\" --profile cpu --persist
  mslsoctl stats e810 --watch 5
  mslsoctl stats --all

An ADAPTER is an interface index, of the filter or of the NIC; a connection's name, such as \
\"Ethernet 2\"; or the description of its NIC. Get-NetAdapter has them as ifIndex, Name and \
InterfaceDescription. Case does not matter, and a part of a name will do, except for set.

Exit codes:
  0  done
  1  another failure
  2  the command line is wrong, or a value is out of range
  3  the driver is not installed or not loaded
  4  access denied: not an administrator
  5  no such adapter, or more than one matches";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the adapters that the driver filters
    #[command(after_help = "Examples:\n  mslsoctl list\n  mslsoctl list --json")]
    List,
    /// Show an adapter's settings, limits, and whether the raised size is in use
    #[command(after_help = SHOW)]
    Show(Choice),
    /// Set how far an adapter's large sends are raised, and its other settings
    #[command(after_help = SET, override_usage = SET_USAGE)]
    Set(SetArgs),
    /// Show the counters of an adapter's large sends
    #[command(after_help = STATS)]
    Stats(StatsArgs),
}

const SHOW: &str = "\
Examples:
  mslsoctl show                    the only adapter
  mslsoctl show 17                 by interface index
  mslsoctl show \"Ethernet 2\"       by its connection's name
  mslsoctl show e810 --json        by a part of its description
  mslsoctl show --all              every adapter

LSOv2 and LSOv1 are large sends of TCP, USO those of UDP. Sizes are bytes of TCP or UDP payload; \
the MTU is in bytes of IP packet, the largest large send seen in bytes of frame.";

const SET_USAGE: &str = "\
mslsoctl set <ADAPTER|--all> [--multiple <N> | --profile <P> | --off]
                    [--cap <SIZE>] [--persist] [--json]
       mslsoctl set <ADAPTER|--all> [--ip-id-bits <BITS>]
                    [--software-segmentation <WHEN>] [--max-sg-elements <N>]
                    [--memory-bound <SIZE>] --persist [--json]";

const SET: &str = "\
Examples:
  mslsoctl set 17 --profile throughput
  mslsoctl set 17 --multiple 4 --persist
  mslsoctl set \"Ethernet 2\" --cap 512K
  mslsoctl set 17 --off
  mslsoctl set --all --profile latency
  mslsoctl set 17 --software-segmentation never --memory-bound 128M --persist

Multiple, profile and cap take effect at once, and last until the adapter restarts. With --persist \
they are written to the registry too. --ip-id-bits, --software-segmentation, --max-sg-elements and \
--memory-bound are only written to the registry, so they need --persist. They take effect when the \
adapter restarts: see Restart-NetAdapter. `mslsoctl show` prints the settings in effect, and those \
in the registry that differ.

With --all each adapter is set, one after the other. A SIZE is in bytes, or has a unit: 512K or \
512KiB, 1M or 1MiB, powers of 1024. Settings that are not named stay: --cap alone keeps the \
multiple.";

const STATS: &str = "\
Examples:
  mslsoctl stats 17
  mslsoctl stats 17 --watch 5      rates, every 5 seconds, until Ctrl-C
  mslsoctl stats 17 --watch --count 10 --json
  mslsoctl stats 17 --reset
  mslsoctl stats --all --watch 5

Counters start when the driver is attached to the adapter, or at the last reset.";

/// The choice of an adapter.
#[derive(Args, Debug)]
pub struct Choice {
    /// Interface index, connection's name or NIC's description, or a part of either; may be omitted
    /// if there is only one adapter
    #[arg(conflicts_with = "all")]
    pub adapter: Option<String>,
    /// Every adapter that the driver filters
    #[arg(long)]
    pub all: bool,
}

/// Options of `set`.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Interface index, connection's name or NIC's description
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub adapter: Option<String>,
    /// Every adapter that the driver filters
    #[arg(long)]
    pub all: bool,
    /// The change to make.
    #[command(flatten)]
    pub change: Change,
    /// Write the change to the registry too, so that it outlasts a restart
    #[arg(long)]
    pub persist: bool,
}

/// The change that `set` makes: at least one of these.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// Advertise N times the NIC's maximum, 1 to 16
    #[arg(long, value_name = "N", value_parser = multiple, conflicts_with_all = ["profile", "off"])]
    pub multiple: Option<Multiple>,
    /// Use the multiple of a profile
    #[arg(long, value_name = "P", value_parser = profile(), conflicts_with = "off")]
    pub profile: Option<Profile>,
    /// Raise nothing: the same as --profile off
    #[arg(long)]
    pub off: bool,
    /// Never advertise more than SIZE, 4K to 16M, unless the NIC's own maximum is larger; 0 for no
    /// cap
    #[arg(long, value_name = "SIZE", value_parser = cap)]
    pub cap: Option<CapChange>,
    /// Count the IPv4 identification of segments in 15 or 16 bits, as the NIC does
    #[arg(long, value_name = "BITS", value_parser = ip_id_bits, requires = "persist")]
    pub ip_id_bits: Option<IpIdBits>,
    /// When to advertise TCP large sends that the NIC does not support, for the filter to cut
    #[arg(long, value_name = "WHEN", value_parser = software(), requires = "persist")]
    pub software_segmentation: Option<SoftwareSegmentation>,
    /// Give the NIC packets of at most N buffers, 4 to 64
    #[arg(long, value_name = "N", value_parser = max_sg_elements, requires = "persist")]
    pub max_sg_elements: Option<MaxSgElements>,
    /// Use at most SIZE of memory for large sends in flight: 4M to 4G, whole MiB
    #[arg(long, value_name = "SIZE", value_parser = memory_bound, requires = "persist")]
    pub memory_bound: Option<MemoryBound>,
}

impl Change {
    /// Whether it names multiple, profile or cap, which take effect at once.
    pub fn is_of_tuning(&self) -> bool {
        self.multiple.is_some() || self.profile.is_some() || self.off || self.cap.is_some()
    }

    /// The part that takes effect when the filter attaches next.
    pub fn settings(&self) -> SettingsChange {
        SettingsChange {
            ip_id_bits: self.ip_id_bits,
            software: self.software_segmentation,
            max_sg_elements: self.max_sg_elements,
            memory_bound: self.memory_bound,
        }
    }
}

/// Options of `stats`.
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// The adapter.
    #[command(flatten)]
    pub choice: Choice,
    /// Print rates every SECONDS, 0.1 to 3600, until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1,
        default_missing_value = "1")]
    pub watch: Option<Duration>,
    /// End after N samples
    #[arg(long, value_name = "N", requires = "watch",
        value_parser = count)]
    pub count: Option<u32>,
    /// Reset the counters to zero after showing them
    #[arg(long, conflicts_with = "watch")]
    pub reset: bool,
}

/// The profiles by name.
fn profile() -> impl TypedValueParser<Value = Profile> {
    by_name(Profile::ALL, Profile::name, |profile| match profile {
        Profile::Off => "No size is raised: the default",
        Profile::Latency => "2 times: small packets wait least behind large sends",
        Profile::Throughput => "8 times, about 512 KiB",
        Profile::Cpu => "16 times, about 1 MiB: the least work for the sender, the longest wait",
    })
}

/// The choices of software segmentation by name.
fn software() -> impl TypedValueParser<Value = SoftwareSegmentation> {
    use SoftwareSegmentation::{Always, Never, WithChecksums};
    by_name(
        SoftwareSegmentation::ALL,
        SoftwareSegmentation::name,
        |choice| match choice {
            Never => "Only large sends that the NIC supports are advertised",
            WithChecksums => {
                "If the NIC computes TCP checksums, and its hardware does not support large sends: the default"
            }
            Always => "On any NIC, unless its large sends are turned off",
        },
    )
}

/// One of `all`, as the protocol names it; `help` says what each is.
fn by_name<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
    help: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let values = all.map(|one| PossibleValue::new(name(one)).help(help(one)));
    PossibleValuesParser::new(values).try_map(move |text| {
        let found = all.into_iter().find(|one| name(*one) == text);
        found.ok_or("it has no such name")
    })
}

/// A cap, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapChange(pub Option<Cap>);

fn multiple(text: &str) -> Result<Multiple, String> {
    number(text, Multiple::new)
}

fn ip_id_bits(text: &str) -> Result<IpIdBits, String> {
    number(text, IpIdBits::new)
}

fn max_sg_elements(text: &str) -> Result<MaxSgElements, String> {
    number(text, MaxSgElements::new)
}

/// The value that `new` makes of the number in `text`.
fn number<T>(text: &str, new: impl Fn(u32) -> Result<T, Invalid>) -> Result<T, String> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number {
        return Err("it is not a whole number".into());
    }
    // All ranges end below the greatest.
    new(text.parse().unwrap_or(u32::MAX)).map_err(|out_of_range| out_of_range.to_string())
}

fn count(text: &str) -> Result<u32, String> {
    let counted = text.parse().ok().filter(|count| *count > 0);
    counted.ok_or_else(|| format!("it must be 1 to {}", u32::MAX))
}

/// The bytes of a size, with or without a unit.
fn size(text: &str) -> Result<u64, String> {
    let sizes = parse_size::Config::new().with_binary();
    let bytes = sizes.parse_size(text);
    bytes.map_err(|_| "it is not a number of bytes, such as 524288 or 512K".into())
}

fn memory_bound(text: &str) -> Result<MemoryBound, String> {
    MemoryBound::from_bytes(size(text)?).map_err(|out_of_range| out_of_range.to_string())
}

fn cap(text: &str) -> Result<CapChange, String> {
    // The range ends far below.
    match u32::try_from(size(text)?).unwrap_or(u32::MAX) {
        0 => Ok(CapChange(None)),
        bytes => Cap::new(bytes)
            .map(|cap| CapChange(Some(cap)))
            .map_err(|out_of_range| out_of_range.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let range = 0.1..=3600.0;
    match text.parse() {
        Ok(seconds) if range.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("it must be 0.1 to 3600 seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_out_of_range_are_named_so() {
        for (line, why) in [
            ("set X --multiple 17", "1 to 16"),
            ("set X --multiple 99999999999", "1 to 16"),
            ("set X --multiple 1.5", "not a whole number"),
            ("set X --multiple 2x", "not a whole number"),
            ("set X --persist --max-sg-elements 3", "4 to 64"),
            ("stats --watch 1 --count 0", "it must be 1 to 4294967295"),
            (
                "stats --watch 1 --count 4294967296",
                "it must be 1 to 4294967295",
            ),
        ] {
            let words = line.split(' ');
            let error = Cli::try_parse_from(["mslsoctl"].into_iter().chain(words)).unwrap_err();
            assert!(error.to_string().contains(why), "{line}: {error}");
        }
    }
}
