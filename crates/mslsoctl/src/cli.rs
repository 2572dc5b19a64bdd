//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use control::{Cap, Multiple, Profile};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "mslsoctl",
    version,
    about = "Shows and sets how mslso raises the large sends of network adapters",
    long_about = "Shows and sets how mslso, the filter driver for Multi-Stage Large Send Offload, \
        raises the large sends of network adapters.\n\n\
        The driver tells the layer above a NIC, a virtual switch or TCP/IP, that it takes large \
        sends of TCP and UDP several times bigger than the NIC's maximum, and splits each for the \
        NIC. Where the NIC takes none, it cuts them into packets itself. Run this tool as an \
        administrator.",
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON: one object, with --all or --watch one a line; errors are one object on stderr
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

An ADAPTER is an interface index, of the filter or of the NIC; a connection's name, such as
\"Ethernet 2\"; or the description of its NIC. Get-NetAdapter has them as ifIndex, Name and
InterfaceDescription. Case does not matter, and a part of a name will do, except for set.

Exit codes:
  0  done
  1  another failure
  2  the command line is wrong, or a value is out of range
  3  the driver is not installed or not loaded
  4  access denied: not an administrator
  5  no such adapter, or several that may be meant";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the adapters that the driver filters
    #[command(after_help = "Examples:\n  mslsoctl list\n  mslsoctl list --json")]
    List,
    /// Show an adapter's settings, limits, and whether the raised size is in use
    #[command(after_help = SHOW)]
    Show(Choice),
    /// Set how far an adapter's large sends are raised, at once
    #[command(after_help = SET, override_usage = SET_USAGE)]
    Set(SetArgs),
    /// Show the outcomes of an adapter's large sends
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

LSOv2 and LSOv1 are large sends of TCP, USO those of UDP. Sizes are bytes of TCP or UDP payload;
the MTU is in bytes of IP packet, the largest large send seen in bytes of frame.";

const SET_USAGE: &str = "mslsoctl set <ADAPTER|--all> [--multiple <N> | --profile <P> | --off] \
    [--cap <SIZE>] [--persist] [--json]";

const SET: &str = "\
Examples:
  mslsoctl set 17 --profile throughput
  mslsoctl set 17 --multiple 4 --persist
  mslsoctl set \"Ethernet 2\" --cap 512K
  mslsoctl set 17 --off
  mslsoctl set --all --profile latency

A change takes effect at once, and lasts until the adapter restarts. With --persist it is
written to the registry too. With --all each adapter is set, one after the other. A SIZE is in
bytes, or has a unit: 512K or 512KiB, 1M or 1MiB, powers of 1024. What is not named stays as it is: --cap alone keeps the multiple.

The other settings are read when the filter attaches, and are not set here: SoftwareSegmentation
(0 never, 1 with-checksums, 2 always), IpIdBits, MaxSgElements and MemoryBound. In the registry,
below HKLM\\SYSTEM\\CurrentControlSet\\Services\\mslso, set such a REG_DWORD beside the Multiple that
--persist has written, then restart the adapter with Restart-NetAdapter.";

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
    /// Interface index, connection's name or NIC's description, or a part of either; may be left out
    /// where there is one adapter only
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
    /// Leave the multiple to a profile
    #[arg(long, value_name = "P", conflicts_with = "off")]
    pub profile: Option<ProfileName>,
    /// Raise nothing: the same as --profile off
    #[arg(long)]
    pub off: bool,
    /// Never advertise more than SIZE, 4K to 16M, unless the NIC's own maximum is larger; 0 for no
    /// cap
    #[arg(long, value_name = "SIZE", value_parser = cap)]
    pub cap: Option<CapChange>,
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
        value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,
    /// Put the counters back to zero, once they are shown
    #[arg(long, conflicts_with = "watch")]
    pub reset: bool,
}

/// The profiles by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// No size is raised: the default
    Off,
    /// 2 times: small packets wait least behind large sends
    Latency,
    /// 8 times, about 512 KiB
    Throughput,
    /// 16 times, about 1 MiB: the least work for the sender, the longest wait
    Cpu,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Off => Self::Off,
            ProfileName::Latency => Self::Latency,
            ProfileName::Throughput => Self::Throughput,
            ProfileName::Cpu => Self::Cpu,
        }
    }
}

/// A cap, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapChange(pub Option<Cap>);

fn multiple(text: &str) -> Result<Multiple, String> {
    let number = text.parse().map_err(|_| "it is not a whole number")?;
    Multiple::new(number).map_err(|out_of_range| out_of_range.to_string())
}

fn cap(text: &str) -> Result<CapChange, String> {
    let sizes = parse_size::Config::new().with_binary();
    let bytes = sizes
        .parse_size(text)
        .map_err(|_| "it is no number of bytes, such as 524288 or 512K")?;
    // The range ends far below.
    match u32::try_from(bytes).unwrap_or(u32::MAX) {
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
    use clap::CommandFactory;
    use control::Profile;

    use super::{Cli, ProfileName, ValueEnum};

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn profiles_are_called_as_the_protocol_calls_them() {
        for name in ProfileName::value_variants() {
            let said = name.to_possible_value();
            let said = said.as_ref().map(|value| value.get_name());
            assert_eq!(said, Some(Profile::from(*name).name()));
        }
    }
}
