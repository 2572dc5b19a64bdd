//! The large sends of the main job.

use harness::ingest::LsoVersion;

use harness::ingest::{BUFFER, Form, LargeSend, Terms, ingest_as};
use harness::machine::Setup;
use reference::Kind;
use testpkt::capture;
use testpkt::synth::{Synth, Tunnel, flag};

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;

/// Large sends as they left a Linux TCP stack.
const CAPTURES: [&[u8]; 2] = [
    include_bytes!("../../../../tests/data/bigtcp-ipv4.pcapng"),
    include_bytes!("../../../../tests/data/bigtcp-ipv6.pcapng"),
];

/// A large send for a NIC.
pub(super) struct Case {
    /// A short description.
    pub(super) what: &'static str,
    pub(super) send: LargeSend,
    pub(super) nic: Setup,
}

/// Every large send, with its description.
///
/// # Panics
///
/// Never: all are fit to be sent, which the program's tests hold.
pub(super) fn all() -> Vec<Case> {
    let captured = CAPTURES.iter().flat_map(|file| captured(file));
    captured
        .chain(made().into_iter().map(Made::into_case))
        .collect()
}

fn captured(file: &[u8]) -> Vec<Case> {
    let packets = capture::parse(file).expect("a capture of the repository");
    let case = |packet: &capture::Captured| {
        let mss = packet.mss.expect("its packets have an MSS");
        Case {
            what: "captured",
            send: fit(&packet.bytes, mss, LsoVersion::V2, &Form::Tcp),
            nic: super::NIC,
        }
    };
    packets.iter().map(case).collect()
}

fn fit(frame: &[u8], mss: u32, lso: LsoVersion, form: &Form) -> LargeSend {
    let terms = Terms {
        lso,
        min_segments: super::NIC.min_segments,
    };
    ingest_as(frame, mss, terms, form)
        .expect("a packet that may be split")
        .expect("more payload than the MSS")
}

/// A large send made to order.
#[derive(Clone)]
struct Made {
    what: &'static str,
    synth: Synth,
    lso: LsoVersion,
    buffer: u32,
    nic: Setup,
}

impl Made {
    fn new(what: &'static str, synth: Synth) -> Self {
        Self {
            what,
            synth,
            lso: LsoVersion::V2,
            buffer: BUFFER,
            nic: super::NIC,
        }
    }

    fn lsov1(self) -> Self {
        Self {
            lso: LsoVersion::V1,
            ..self
        }
    }

    fn in_buffers(self, buffer: u32) -> Self {
        Self { buffer, ..self }
    }

    fn by(self, nic: Setup) -> Self {
        Self { nic, ..self }
    }

    fn form(&self) -> Form {
        match (self.synth.kind(), &self.synth.tunnel) {
            (Kind::Udp, _) => Form::Uso,
            (_, Some(tunnel)) => Form::Tunnel(tunnel.clone()),
            (_, None) => Form::Tcp,
        }
    }

    fn into_case(self) -> Case {
        let frame = self.synth.frame(self.lso == LsoVersion::V1);
        let send = LargeSend {
            buffer: self.buffer,
            ..fit(&frame, self.synth.mss, self.lso, &self.form())
        };
        Case {
            what: self.what,
            send,
            nic: self.nic,
        }
    }
}

/// Without TCP options the MSS of Ethernet is 1,460 (IPv4) or 1,440 (IPv6).
fn plain_v4(payload: u32) -> Synth {
    Synth::v4(payload, 1460).tcp_options(&[])
}

fn plain_v6(payload: u32) -> Synth {
    Synth::v6(payload, 1440).tcp_options(&[])
}

/// Every case for a NIC with large send offload, then those for other NICs.
fn made() -> Vec<Made> {
    [tcp(), udp(), tunnels(), without_offload()].concat()
}

fn tcp() -> Vec<Made> {
    let end = flag::ACK | flag::PSH | flag::FIN | flag::CWR | flag::ECE;
    let destination_options = [0, 0, 1, 4, 0, 0, 0, 0];
    let route_recorded = [7, 7, 8, 192, 0, 2, 9];
    vec![
        Made::new("the NIC's maximum", plain_v4(super::NIC.nic_max)),
        Made::new("one byte more", plain_v4(super::NIC.nic_max + 1)),
        Made::new("64 KiB", plain_v4(64 * KIB)),
        Made::new("64 KiB", plain_v6(64 * KIB)),
        // With its headers of 52 bytes, as much as an IPv4 length can hold.
        Made::new("the LSOv1 maximum", Synth::v4(65_535 - 52, 1448)).lsov1(),
        Made::new("256 KiB", plain_v4(256 * KIB)),
        Made::new(
            "VLAN and IP options",
            Synth::v4(256 * KIB, 1440)
                .vlan(&[0x6007])
                .ip_options(&route_recorded),
        ),
        Made::new(
            "VLANs and extension",
            Synth::v6(256 * KIB, 1416)
                .vlan(&[100, 7])
                .extension(60, &destination_options),
        ),
        Made::new("512 KiB", plain_v4(512 * KIB)),
        Made::new(
            "wraps, FIN, CWR",
            Synth::v4(512 * KIB, 1448)
                .seq(u32::MAX - 300_000)
                .ip_id(0xFFF0)
                .flags(end),
        ),
        Made::new(
            "wraps, FIN, CWR",
            Synth::v6(512 * KIB, 1428)
                .seq(u32::MAX - 300_000)
                .flags(end),
        ),
        Made::new("small segments", Synth::v4(512 * KIB, 536)),
        Made::new("1 MiB", plain_v4(MIB)),
        Made::new("1 MiB", plain_v6(MIB)),
        Made::new("4,096-byte buffers", plain_v4(MIB)).in_buffers(4 * KIB),
        Made::new("1,500-byte buffers", plain_v6(MIB)).in_buffers(1500),
        Made::new("jumbo frames", Synth::v4(MIB, 8948)),
        Made::new("jumbo frames", Synth::v6(MIB, 8928)),
    ]
}

/// Datagrams of 1,500 bytes of IP.
fn udp_v4(payload: u32) -> Synth {
    Synth::udp_v4(payload, 1472)
}

fn udp_v6(payload: u32) -> Synth {
    Synth::udp_v6(payload, 1452)
}

fn udp() -> Vec<Made> {
    vec![
        Made::new("datagrams", udp_v4(256 * KIB)),
        Made::new("datagrams", udp_v6(256 * KIB)),
        Made::new("without checksum", udp_v4(512 * KIB).udp_checksum(false)),
    ]
}

/// With timestamps, what leaves room for the outer headers in 1,500 bytes of IP.
fn tunnels() -> Vec<Made> {
    let outer_tag = Tunnel {
        vlan: vec![0x6007],
        ..Tunnel::vxlan_v4()
    };
    vec![
        Made::new(
            "VXLAN",
            Synth::v4(512 * KIB, 1398).inside(Tunnel::vxlan_v4()),
        ),
        Made::new(
            "VXLAN over IPv6",
            Synth::v6(512 * KIB, 1358).inside(Tunnel::vxlan_v6()),
        ),
        Made::new(
            "VXLAN, outer VLAN",
            Synth::v4(256 * KIB, 1398).inside(outer_tag),
        ),
        Made::new(
            "NVGRE",
            Synth::v6(512 * KIB, 1386).inside(Tunnel::nvgre_v4()),
        ),
        Made::new(
            "NVGRE over IPv6",
            Synth::v4(512 * KIB, 1386).inside(Tunnel::nvgre_v6()),
        ),
    ]
}

fn without_offload() -> Vec<Made> {
    let vxlan = Synth::v4(256 * KIB, 1398).inside(Tunnel::vxlan_v4());
    vec![
        Made::new("no LSO", plain_v4(512 * KIB)).by(super::NO_LSO),
        Made::new("no LSO", plain_v6(512 * KIB)).by(super::NO_LSO),
        Made::new("no LSO", udp_v4(256 * KIB)).by(super::NO_LSO),
        Made::new("no LSO, VXLAN", vxlan).by(super::NO_LSO),
        Made::new("no LSO, no checksums", plain_v4(512 * KIB)).by(super::NO_OFFLOAD),
        Made::new("no LSO, no checksums", udp_v6(256 * KIB)).by(super::NO_OFFLOAD),
    ]
}
