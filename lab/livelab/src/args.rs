//! Command lines of live traffic.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use harness::size::{number_in, size, size_in};

/// The jobs with live traffic.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send live TCP through the driver, between network namespaces
    #[command(long_about = TRAFFIC, after_help = CODES)]
    Traffic(Box<TrafficArgs>),
    /// Move a guest with a running connection between two hosts
    #[command(long_about = MIGRATE, after_help = CODES)]
    Migrate(MigrateArgs),
    /// Measure which multiple pays off, with live traffic
    #[command(long_about = TUNE, after_help = CODES)]
    Tune(TuneArgs),
}

impl Command {
    /// Whether the output and errors are to be JSON.
    pub fn json(&self) -> bool {
        match self {
            Self::Traffic(args) => args.json,
            Self::Migrate(args) => args.json,
            Self::Tune(args) => args.json,
        }
    }
}

/// Version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IpChoice {
    /// IPv4 alone
    #[value(name = "4")]
    V4,
    /// IPv6 alone
    #[value(name = "6")]
    V6,
    /// One after the other
    Both,
}

/// One of two stations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StationChoice {
    /// The first guest
    Guest,
    /// The peer behind the wire
    #[default]
    Peer,
}

/// The stage that segments large sends into packets on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SecondStage {
    /// The Linux kernel
    #[default]
    Kernel,
    /// The model NIC, which also makes every checksum
    Model,
}

const TRAFFIC: &str = "\
Send live TCP through the driver, with this machine in the role of a Hyper-V host.

A guest is a network namespace with the Linux TCP stack. Its packets go through the lab's switch, \
the filter and the lab's NIC, over a wire to a peer, which is a namespace too. The guest makes \
large sends of the size that the filter advertises, up to the limit of its device (524,280 bytes). \
Each guest sends a pseudo-random stream to the peer, all at the same time; with several guests, \
the first then sends to the second, on the same host. SHA-256 is computed at both ends.

The command needs Linux and root, or a user namespace: unshare --user --map-root-user mslso-lab \
traffic. It leaves nothing behind, however it ends. Several can run at the same time.

Every packet is checked against every rule of the model, except that payload bytes (rules 4 and \
10) are compared only for one large send in N (--compare N). With --verify-checksums the peer's \
kernel verifies the checksum of each packet on the wire.

With --run a command of your own runs instead of the stream: in the guest, while the command of \
--serve runs in the peer's namespace; with --server-in guest they change places. For example
  mslso-lab traffic --serve 'iperf3 -s -1' --run 'iperf3 -c $PEER'
  mslso-lab traffic --server-in guest --serve 'nginx -c /srv/n.conf' \\
    --run 'curl -ko f https://$GUEST/f'
Only the guest's packets go through the filter. The addresses are in $GUEST, $GUEST6, $PEER and \
$PEER6. --run starts when --serve listens on a port, and --serve is stopped when --run ends; the \
verdict includes the exit code of --run. --run has the terminal, so that
  mslso-lab traffic --run bash
is a shell in the guest.

UDP large sends (UDP_SEGMENT, as QUIC makes them) go down as USO, and TCP in a VXLAN device of the \
guest as LSO in a tunnel. NDIS has no offload for other UDP tunnels, such as GENEVE, and the lab \
uses none for UDP in a tunnel: the switch cuts those, and counts them as no_offload. The guest's \
device does not offer SCTP and GRE segmentation, so the guest's kernel cuts those. Packets lost \
within the lab are named, and make the run a FAIL.

--json prints one object, with
  transfers        each with from, to, ip, bytes, seconds, retransmitted, and
                   SHA-256 at both ends
  advertised       the sizes advertised to the guest, in bytes of payload, for
                   ipv4 and ipv6
  counted          counters of switches and NICs: large_sends,
                   largest_large_send, compared, uso, tunnelled, no_offload,
                   whole_between_guests, given_to_nic, frames, and losses
  filter           counters of the filter: large_sends, split, children,
                   largest_frame
  wrong_checksums  TCP packets with a wrong checksum; checksums_verified says
                   if they were checked
  compared_one_in  N, if payload bytes were compared for one large send in N
  cpu_seconds_per_gigabyte
                   processor time for 10^9 bytes
  faults           with --faults, how often each of them happened
  violations       faults and broken rules, one line each; also on stderr";

const CODES: &str = "\
Exit codes:
  0    all data arrived as it was sent, no rule was broken, and no checksum was
       wrong
  1    a fault was found, or the driver or --run failed; slowness is not a
       failure
  2    the command line, the image or this machine cannot be used; the message
       says why
  3    no fault, but no large send reached the filter, so nothing was tested
  130  it was interrupted";

/// The configuration of hosts, guests and the wire.
#[derive(Args, Clone, Debug)]
pub struct LabArgs {
    /// Largest large send that the NIC accepts, in bytes of TCP payload
    #[arg(long, value_name = "SIZE", default_value_t = 62_780,
        value_parser = size_in(1460..=524_280))]
    pub nic_max: u32,
    /// Minimum number of segments of a large send that the NIC accepts
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = number_in::<u32>(0..=u32::MAX))]
    pub min_segments: u32,
    /// Multiple by which the filter raises the NIC's maximum [default: the driver's own]
    #[arg(long, value_name = "N", value_parser = number_in::<u32>(1..=16))]
    pub multiple: Option<u32>,
    /// MTU of all devices
    #[arg(long, value_name = "SIZE", default_value_t = 1500,
        value_parser = size_in(1280..=9000))]
    pub mtu: u32,
    /// The stage that segments large sends into packets on the wire
    #[arg(
        long,
        value_name = "kernel|model",
        default_value = "kernel",
        hide_possible_values = true
    )]
    pub second_stage: SecondStage,
    /// Complete all checksums before the wire, and have the peer's kernel verify them
    #[arg(long)]
    pub verify_checksums: bool,
    /// Compare every byte of one large send in N; 1 for all
    #[arg(long, value_name = "N", default_value_t = 16,
        value_parser = number_in::<u64>(1..=u64::MAX))]
    pub compare: u64,
}

/// Options of `traffic`.
#[derive(Args, Clone, Debug)]
pub struct TrafficArgs {
    /// The lab.
    #[command(flatten)]
    pub lab: LabArgs,
    /// Bytes of each stream, such as 500M or 4G
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size)]
    pub bytes: u64,
    /// Duration of each stream, instead of --bytes
    #[arg(long, value_name = "SECONDS", conflicts_with = "bytes",
        value_parser = number_in::<u64>(1..=u64::MAX))]
    pub duration: Option<u64>,
    /// Version of IP
    #[arg(
        long,
        value_name = "4|6|both",
        default_value = "both",
        hide_possible_values = true
    )]
    pub ip: IpChoice,
    /// Guests on the host
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = number_in::<u8>(1..=8))]
    pub guests: u8,
    /// Inject faults, chosen by this seed: frames lost and late, completions late,
    /// disordered and failed, NIC limits that change, pauses, and the filter detached and attached
    #[arg(long, value_name = "SEED", value_parser = number_in::<u64>(0..=u64::MAX))]
    pub faults: Option<u64>,
    /// Capture file to write: the packets that leave the NIC
    #[arg(long, value_name = "FILE.pcapng")]
    pub pcap: Option<PathBuf>,
    /// Command to run instead of the streams
    #[arg(long, value_name = "CMD", conflicts_with_all = ["bytes", "duration", "ip"])]
    pub run: Option<String>,
    /// Command to run on the other side, beside --run
    #[arg(long, value_name = "CMD", requires = "run")]
    pub serve: Option<String>,
    /// Where --serve runs
    #[arg(
        long,
        value_name = "guest|peer",
        default_value = "peer",
        requires = "serve",
        hide_possible_values = true
    )]
    pub server_in: StationChoice,
    /// Compare with the kernel: segmenting a large send, and segmenting the children that the filter
    /// splits it into, must give the same packets, byte for byte
    #[arg(long, conflicts_with_all = ["bytes", "duration", "ip", "guests", "faults", "pcap", "run",
        "multiple", "second_stage", "verify_checksums", "compare", "mtu"])]
    pub judge: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

const MIGRATE: &str = "\
Move a guest with a running connection between two hosts.

The hosts have different NICs and multiples. While the guest sends to the peer, there are four \
events, one after each fifth of the transfer: its host is retuned to 3 times the NIC's maximum, the \
guest migrates to the second host, that host is retuned to 4 times its NIC's maximum, and the guest \
migrates back. After each event, the guest's stack must follow the new size within 5 seconds. The \
connection must survive, and SHA-256 must match at both ends. The peer's kernel verifies checksums.

The requirements are those of traffic. --json prints one object: phases, each with its event, host, \
nic, advertised, followed_after in milliseconds and largest_large_send, and all fields of traffic.";

/// Options of `migrate`.
#[derive(Args, Clone, Debug)]
pub struct MigrateArgs {
    /// Bytes of the stream, such as 500M or 4G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub bytes: u64,
    /// Go by IPv6 instead of IPv4
    #[arg(long)]
    pub ip6: bool,
    /// Largest large send that the first host's NIC accepts, in bytes of TCP payload
    #[arg(long, value_name = "SIZE", default_value_t = 62_780,
        value_parser = size_in(9000..=524_280))]
    pub nic_max: u32,
    /// The first host's multiple
    #[arg(long, value_name = "N", default_value_t = 8,
        value_parser = number_in::<u32>(1..=16))]
    pub multiple: u32,
    /// Largest large send that the second host's NIC accepts
    #[arg(long, value_name = "SIZE", default_value_t = 32_000,
        value_parser = size_in(9000..=524_280))]
    pub other_nic_max: u32,
    /// The second host's multiple
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = number_in::<u32>(1..=16))]
    pub other_multiple: u32,
    /// Compare every byte of one large send in N; 1 for all
    #[arg(long, value_name = "N", default_value_t = 16,
        value_parser = number_in::<u64>(1..=u64::MAX))]
    pub compare: u64,
    /// Chart to write: sizes over time
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

const TUNE: &str = "\
Measure which multiple pays off, with live traffic at each multiple, in several rounds.

A guest sends bulk data to the peer, and makes small requests beside it. The command measures the \
processor time per byte of the sending thread, including its TCP stack but not the lab's own work; the \
throughput; and the p90 latency of the requests. Multiples take turns, and each measurement is \
compared with that of multiple 1 in the same round. The results are the geometric mean of the ratios \
and intervals (Student's t of the paired logarithms, 95 % for all multiples at once). The command \
recommends a multiple for a profile only if the interval shows that it is better, and for the profile \
latency only if the interval also shows that the latency is at most a tenth longer. Otherwise it \
estimates how many rounds are needed to tell.

The measurement is of a Linux machine with the model, so only the ratios have a meaning, and they are \
no promise for Windows. Let nothing else run meanwhile. The requirements are those of traffic.";

/// Options of `tune`.
#[derive(Args, Clone, Debug)]
pub struct TuneArgs {
    /// Multiples to try, 1 to 16 [default: those whose size the guest's device can send]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',',
        value_parser = number_in::<u32>(1..=16))]
    pub multiples: Vec<u32>,
    /// Rounds to measure, after one warm-up round
    #[arg(long, value_name = "N", default_value_t = 6,
        value_parser = number_in::<u32>(2..=1000))]
    pub rounds: u32,
    /// Bytes of each measurement, such as 500M or 4G
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = size)]
    pub bytes: u64,
    /// Largest large send that the NIC accepts, in bytes of TCP payload
    #[arg(long, value_name = "SIZE", default_value_t = 62_780,
        value_parser = size_in(9000..=524_280))]
    pub nic_max: u32,
    /// MTU of all devices
    #[arg(long, value_name = "SIZE", default_value_t = 1500,
        value_parser = size_in(1280..=9000))]
    pub mtu: u32,
    /// Go by IPv6 instead of IPv4
    #[arg(long)]
    pub ip6: bool,
    /// Chart to write: the ratios by multiple
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Markdown file to update: its lines between the marks `tune: begin` and `tune: end`
    #[arg(long, value_name = "FILE.md")]
    pub document: Option<PathBuf>,
    /// File to write: what --json prints
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}
