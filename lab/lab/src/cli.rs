//! The command line.

mod exercise;

use std::path::{Path, PathBuf};
use std::{
    env,
    io::{self, Write},
    process,
};

use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::error::{Error, exit};
use chaos::args::ChaosArgs;
pub use exercise::{ExerciseArgs, Pages, Phase};
use harness::driver::Build;
use harness::ingest::{BUFFER, Form, LsoVersion};
use harness::machine::{ETHERNET_MTU, Setup, TUNNEL_MTU};
use harness::size::{number_in, size_in};
use testpkt::synth::Tunnel;

/// The command line of the program.
#[derive(Debug, Parser)]
#[command(
    name = "mslso-lab",
    version,
    about = "Runs the mslso filter between a model of NDIS and a model NIC, and judges the wire",
    long_about = "Runs the mslso filter, the driver's own code, between a model of NDIS that checks \
        its rules and a model NIC that segments.\n\n\
        Without a command it sends captured and synthetic large sends of 62 KB to 1 MiB through the \
        filter, shows the result of each, and compares the wire byte for byte with segmentation in a \
        single stage. It needs no arguments, no files and no privileges.\n\n\
        A SIZE is in bytes, or has a unit: 512K or 512KiB, 1M or 1MiB, powers of 1024.\n\n\
        With --json each command prints objects with `schema`, the version of their fields, now 2; \
        later versions of the program may add fields without changing it. Without a command it is \
        one object: driver, large_sends (each with what, ip, kind, payload, mss, children, packets, \
        wire_packets, verdict), the numbers that split prints, and the files. An error is an object \
        on stderr: schema, error, message, exit_code.",
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// A job other than the main one.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The main job's options.
    #[command(flatten)]
    pub main: MainArgs,
    /// Build of the driver to run: "native", or the path of an x64 image, such as mslso.sys
    #[arg(
        long,
        global = true,
        value_name = "native|PATH",
        default_value = harness::driver::NATIVE,
        value_parser = PathBufValueParser::new().map(|name| Build::from(name.into_os_string()))
    )]
    pub driver: Build,
}

impl Cli {
    /// The command line of this process. If it is wrong, prints the error and ends the process.
    pub fn of_process() -> Self {
        let wrong = match Self::try_parse().and_then(Self::checked) {
            Ok(cli) => return cli,
            Err(wrong) => wrong,
        };
        if wrong.use_stderr() && env::args_os().any(|word| word == "--json") {
            // The reader of stderr may be gone; the exit code reports the failure too.
            let _ = writeln!(io::stderr(), "{}", Error::from(wrong).to_json());
            process::exit(exit::UNUSABLE.into());
        }
        wrong.exit()
    }

    /// Whether the output and errors are to be JSON.
    pub fn json(&self) -> bool {
        match &self.command {
            None => self.main.json,
            Some(Command::Split(args)) => args.json,
            Some(Command::Demo(args)) => args.json,
            Some(Command::Exercise(args)) => args.json,
            Some(Command::Chaos(args)) => args.json,
            Some(Command::Live(job)) => job.json(),
        }
    }

    /// The main job's options are of no use to another job.
    fn checked(self) -> Result<Self, clap::Error> {
        if self.command.is_some() && self.main.out.is_some() {
            let why = "the argument '--out <DIR>' cannot be used with a command";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, why));
        }
        if self.command.is_some() && self.main.json {
            let why = "the argument '--json' stands after the command";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, why));
        }
        Ok(self)
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  success; refused packets are reported, and are not a failure
  1  the wire differs from that of a single stage, a rule was broken, or the
     driver failed
  2  the input or --driver cannot be used, an output cannot be written, or the
     command line is wrong";

/// The additional exit code of `split`.
const UNCUT_CODE: &str = "
  3  success, but packets longer than a segment passed uncut";

const SPLIT: &str = "\
Split the large sends of a capture file.

The MSS of a packet is the first of these that exists: its packet comment `mss=N`; --mss; the MSS of \
its connection, which is the lesser of those of the two SYN packets, less the packet's own options; \
the longest segment of the connection within the MTU. A packet with more TCP payload than its MSS is \
a large send: the filter splits it for the NIC. A packet within its MSS passes unchanged, and so does \
a packet that is not TCP and is within the MTU. A large send that cannot be parsed or split is \
refused: it is in neither output, and is reported with its number and the reason. Only the first 20 \
with the same reason are reported. Packets longer than the MTU whose MSS cannot be determined pass \
unchanged and are counted; the exit code is then 3.

--encap, --uso, --buffer and --vlan-oob apply to large sends only.

The input is pcapng or classic pcap, plain or compressed by gzip; `-` is the standard input. \
Packets of Linux cooked captures (SLL, SLL2) and of bare IP get an Ethernet header. Frame check \
sequences, and bytes after the IP packet, are not payload; a large send that ends before its IP \
length is refused as not whole. Linux's IPv6 jumbo option is removed, \
and IP length and TCP checksum are set as LSO requires; if a source route is not finished, the \
checksum uses the final address. Times before 1970 and after 2554 are clamped.

--json prints one object, with
  parents       large sends that went out, split or whole
  children      large sends and single packets that the NIC received for them
  packets       the single packets among these, which the NIC does not cut
  wire_packets  packets on the wire, including those that passed unchanged
  largest_child_payload
                in bytes
  refused       packets that did not go out, counted by reason
  mss_from      large sends, counted by the source of their MSS: comment,
                option, syn, or longest, the longest segment seen
  uncut         packets longer than the MTU that passed uncut, counted by
                reason: no-mss, or not-tcp
  violations    differences on the wire and broken rules, each also on stderr
  form          the kind of the large sends: tcp, uso, vxlan or nvgre
  vlan_oob, nic_lso, nic_checksum, mtu, max_sg_elements
                the options, as they were given";

const EXAMPLES: &str = "\
Examples, each after
  mslso-lab split IN.pcapng --children C.pcapng --wire W.pcapng:
  --mss 1448                         an MSS for packets without a comment
  --nic-max 32000                    a NIC that accepts less than most
  --nic-max 4400 --min-segments 3    a NIC for which single packets remain
  --lso v1                           large sends of IPv4 that state their length
  --ipid-bits 15                     a NIC that keeps the top bit of the IP ID
  --nic-lso off                      the filter makes all packets
  --nic-lso off --nic-checksum off   the filter makes its checksum too
  --nic-lso off --mtu 9000           the filter makes jumbo frames
  --encap vxlan                      the capture's large sends through VXLAN
  --encap nvgre --mss 1398           through NVGRE, with an MSS for the others
  --uso                              the capture's payload in datagrams
  --vlan-oob                         VLAN tags are passed out of band
  --max-sg-elements 8 --buffer 4096  a NIC that accepts 8 MDLs per packet
";

/// The jobs other than the main one.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Split the large sends of a capture file
    #[command(long_about = SPLIT, after_help = format!("{EXAMPLES}\n{EXIT_CODES}{UNCUT_CODE}"))]
    Split(SplitArgs),
    /// Show the sizes that are advertised to guests, while settings, NICs and hosts change
    #[command(long_about = DEMO, after_help = EXIT_CODES)]
    Demo(DemoArgs),
    /// Run any NDIS lightweight filter through its life cycle, and judge it by documented rules
    #[command(long_about = exercise::EXERCISE, after_help = exercise::CODES)]
    Exercise(ExerciseArgs),
    /// Run random sequences of events, and check all rules
    #[command(long_about = chaos::args::ABOUT, after_help = chaos::args::CODES)]
    Chaos(ChaosArgs),
    /// The jobs with live traffic
    #[command(flatten)]
    Live(livelab::args::Command),
}

/// The folder of the main job's files, where none is named.
const FOLDER: &str = "mslso-lab-out";

/// Options of the main job.
#[derive(Args, Debug)]
pub struct MainArgs {
    /// Folder for children.pcapng and wire.pcapng; created if missing [default: mslso-lab-out]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

impl MainArgs {
    /// The folder for the files.
    pub fn folder(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new(FOLDER))
    }
}

const DEMO: &str = "\
Show the sizes of large sends that are advertised to guests, while settings, NICs and hosts change.

Two guests share a host; the filter below their switch advertises a multiple of the largest large \
send that the NIC accepts. Each step changes something, such as the profile, the NIC, or a guest's \
host. It shows the sizes that the NIC accepts, that the filter advertises, and that each guest uses; \
then the large sends, and whether the wire is right.

--json prints one object for each step, with
  step, name  its number, from 1, and its short name
  what        the event, in a sentence or two
  hosts       each with its name and the multiple in effect; for ipv4 and ipv6,
              in bytes of payload, nic (its maximum), advertised, and the size
              that each of its guests uses
  sends       each with from, to, ip, payload, the payload of each of its
              children, the number of wire_packets, and the verdict: whole (to a
              guest, never split), same (as a single stage), as-is (the NIC
              accepts it as it is), or wrong
  violations  faults and broken rules, one line each; also on stderr";

/// Options of `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Print one JSON object for each step instead of text
    #[arg(long)]
    pub json: bool,
    /// Chart to write: the sizes over the steps
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

/// Options of `split`.
#[derive(Args, Debug)]
pub struct SplitArgs {
    /// Capture to read: pcapng or pcap, also by gzip; Ethernet, Linux cooked or IP; - for stdin
    #[arg(value_name = "IN.pcapng")]
    pub input: PathBuf,
    /// Capture to write: the children that the NIC received, in order
    #[arg(long, value_name = "C.pcapng")]
    pub children: PathBuf,
    /// Capture to write: the packets on the wire, after the NIC's second stage
    #[arg(long, value_name = "W.pcapng")]
    pub wire: PathBuf,
    /// MSS of packets without a comment mss=N, in bytes of TCP payload [default: the connection's]
    #[arg(long, value_name = "N", value_parser = number_in::<u32>(1..=65_535))]
    pub mss: Option<u32>,
    /// Largest large send that the NIC accepts, in bytes of TCP payload; 0 for a NIC without LSO
    #[arg(long, value_name = "SIZE", default_value_t = 62_780,
        value_parser = size_in(0..=MOST_NIC_MAX))]
    pub nic_max: u32,
    /// Minimum number of segments of a large send that the NIC accepts
    ///
    /// The filter makes single packets of a remainder that is too short, and of a large send whose
    /// MSS is above the NIC's maximum.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = number_in::<u32>(0..=u32::MAX))]
    pub min_segments: u32,
    /// LSO version of the large sends
    #[arg(
        long,
        value_name = "v1|v2",
        default_value = "v2",
        hide_possible_values = true,
        value_parser = lso()
    )]
    pub lso: LsoVersion,
    /// Bits in which the NIC counts the IPv4 identification
    #[arg(long, value_name = "15|16", default_value_t = 16,
        value_parser = number_in::<u32>(15..=16))]
    pub ipid_bits: u32,
    /// Whether the NIC has large send offload; if not, the filter makes every packet of the wire
    ///
    /// With off, the NIC accepts no large sends of TCP, of UDP, or in a tunnel.
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub nic_lso: Switch,
    /// Whether the NIC computes the checksums of packets that are not large sends
    ///
    /// With off, the filter computes them.
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    pub nic_checksum: Switch,
    /// Longest IP packet that the filter makes, in bytes [default: 1500; with --encap 1660]
    ///
    /// The filter refuses a large send that needs longer packets. Packets that the NIC cuts are not
    /// checked against this. 1660 is the MTU of Windows hosts of virtual networks (EncapOverhead of
    /// 160), which leaves room for a tunnel around the usual MSS of 1448.
    #[arg(long, value_name = "SIZE", value_parser = size_in(68..=65_535))]
    pub mtu: Option<u32>,
    /// Send the large sends of TCP through this kind of tunnel
    ///
    /// The outer header is IPv4. Large sends that are in VXLAN or NVGRE already go as they are. The
    /// MSS stays, so the packets on the wire are longer than the captured ones.
    #[arg(long, value_name = "vxlan|nvgre", hide_possible_values = true,
        conflicts_with_all = ["uso", "lso"])]
    pub encap: Option<Encap>,
    /// Send the payload of large sends as UDP, by UDP segmentation offload
    ///
    /// Large sends of TCP get a UDP header of the same ports in place of the TCP header, and keep
    /// their MSS.
    #[arg(long, conflicts_with = "lso")]
    pub uso: bool,
    /// Size of each buffer of a large send's payload
    ///
    /// Each buffer has an MDL of its own.
    #[arg(long, value_name = "SIZE", default_value_t = BUFFER,
        value_parser = size_in(64..=MOST_NIC_MAX))]
    pub buffer: u32,
    /// The filter's setting MaxSgElements: the maximum number of MDLs per packet
    ///
    /// The NIC accepts no longer MDL chains, either.
    #[arg(long, alias = "max-elements", value_name = "N",
        value_parser = number_in::<u32>(4..=64))]
    pub max_sg_elements: Option<u32>,
    /// Accepted for older command lines, without effect: chains always end with the packet
    #[arg(long, hide = true)]
    pub ended_chains: bool,
    /// Pass the outermost 802.1Q tag of a large send out of band, for the NIC to insert
    ///
    /// A Windows stack does this when it leaves tagging to the NIC. The children have the tag out of
    /// band too; in the output it is in their packet comment. The NIC inserts it into each packet, so
    /// the wire is the same as without the option. A service tag (802.1ad), and a tag of priority 0
    /// and VLAN 0, stay in the frame.
    #[arg(long)]
    pub vlan_oob: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

impl SplitArgs {
    /// The kind of the large sends of the capture.
    pub fn form(&self) -> Form {
        match (self.encap, self.uso) {
            (Some(Encap::Vxlan), _) => Form::Tunnel(Tunnel::vxlan_v4()),
            (Some(Encap::Nvgre), _) => Form::Tunnel(Tunnel::nvgre_v4()),
            (None, true) => Form::Uso,
            (None, false) => Form::Tcp,
        }
    }

    /// The machine that is asked for.
    pub fn setup(&self) -> Setup {
        Setup {
            ip_id_bits: self.ipid_bits,
            nic_lso: self.nic_lso == Switch::On,
            nic_checksum: self.nic_checksum == Switch::On,
            mtu: self.mtu.unwrap_or(match self.encap {
                Some(_) => TUNNEL_MTU,
                None => ETHERNET_MTU,
            }),
            max_sg_elements: self.max_sg_elements,
            ..Setup::new(self.nic_max, self.min_segments)
        }
    }
}

/// Something that a NIC does or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the variants are their names")]
pub enum Switch {
    On,
    Off,
}

/// Tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encap {
    /// UDP port 4789 (RFC 7348)
    Vxlan,
    /// GRE with a key (RFC 7637)
    Nvgre,
}

/// The largest --nic-max: 16 MiB, far beyond any NIC.
const MOST_NIC_MAX: u32 = 16 << 20;

/// The versions of large send offload.
fn lso() -> impl TypedValueParser<Value = LsoVersion> {
    PossibleValuesParser::new(["v1", "v2"]).map(|name| match &*name {
        "v1" => LsoVersion::V1,
        _ => LsoVersion::V2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_wraps_at_80_columns() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let texts = [command.get_long_about(), command.get_after_help()];
            for text in texts.into_iter().flatten().map(ToString::to_string) {
                let lines: Vec<_> = text.lines().chain([""]).collect();
                for pair in lines.windows(2).filter(|pair| !pair[0].is_empty()) {
                    // A table's lines are short enough; a paragraph is one line, for clap to wrap.
                    let is_right = match pair[0].starts_with(' ') {
                        true => pair[0].len() <= 80,
                        false => pair[1].is_empty() || pair[1].starts_with(' '),
                    };
                    assert!(is_right, "{}", pair[0]);
                }
            }
        }
    }

    #[test]
    fn the_driver_is_named_before_or_after_the_command() {
        let driver = |line: &str| Cli::parse_from(line.split(' ')).checked().unwrap().driver;
        let image = Build::Image("m.sys".into());
        assert_eq!(driver("lab"), Build::Native);
        assert_eq!(driver("lab demo --driver native"), Build::Native);
        for line in [
            "lab --driver m.sys",
            "lab --driver m.sys demo",
            "lab demo --driver m.sys",
        ] {
            assert_eq!(driver(line), image, "{line}");
        }
    }

    #[test]
    fn the_folder_is_the_main_jobs() {
        let folder = |line: &str| {
            let cli = Cli::parse_from(line.split(' ')).checked();
            cli.map(|cli| cli.main.folder().to_owned())
        };
        assert_eq!(folder("lab").unwrap(), Path::new(FOLDER));
        assert_eq!(folder("lab --out x").unwrap(), Path::new("x"));
        let error = folder("lab --out x demo").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    }
}
