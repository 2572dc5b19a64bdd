//! The large sends of the main job.

use crate::ingest::LsoVersion;

use crate::capture;
use crate::ingest::{BUFFER, LargeSend, Terms, ingest};
use crate::synth::{Synth, flag};

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;

/// Large sends as they left a Linux TCP stack.
const CAPTURES: [&[u8]; 2] = [
    include_bytes!("../../../../tests/data/bigtcp-ipv4.pcapng"),
    include_bytes!("../../../../tests/data/bigtcp-ipv6.pcapng"),
];

/// Every large send, and what it is.
///
/// # Panics
///
/// Never: all are fit to be sent, which the program's tests hold.
pub(super) fn all() -> Vec<(String, LargeSend)> {
    let captured = CAPTURES.iter().flat_map(|file| captured(file));
    captured
        .chain(made().into_iter().map(Case::into_large_send))
        .collect()
}

fn captured(file: &[u8]) -> Vec<(String, LargeSend)> {
    let packets = capture::parse(file).expect("a capture of the repository");
    let large_send = |packet: &capture::Captured| {
        let mss = packet.mss.expect("its packets have an MSS");
        (
            "captured".to_owned(),
            fit(&packet.bytes, mss, LsoVersion::V2),
        )
    };
    packets.iter().map(large_send).collect()
}

fn fit(frame: &[u8], mss: u32, lso: LsoVersion) -> LargeSend {
    let terms = Terms {
        lso,
        min_segments: super::NIC.min_segments,
    };
    ingest(frame, mss, terms)
        .expect("a packet that may be split")
        .expect("more payload than the MSS")
}

/// A large send made to order.
struct Case {
    what: &'static str,
    synth: Synth,
    lso: LsoVersion,
    buffer: u32,
}

impl Case {
    fn new(what: &'static str, synth: Synth) -> Self {
        Self {
            what,
            synth,
            lso: LsoVersion::V2,
            buffer: BUFFER,
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

    fn into_large_send(self) -> (String, LargeSend) {
        let frame = self.synth.frame(self.lso == LsoVersion::V1);
        let send = LargeSend {
            buffer: self.buffer,
            ..fit(&frame, self.synth.mss, self.lso)
        };
        (self.what.to_owned(), send)
    }
}

/// Without TCP options the MSS of Ethernet is 1,460 (IPv4) or 1,440 (IPv6).
fn plain_v4(payload: u32) -> Synth {
    Synth::v4(payload, 1460).tcp_options(&[])
}

fn plain_v6(payload: u32) -> Synth {
    Synth::v6(payload, 1440).tcp_options(&[])
}

fn made() -> Vec<Case> {
    let end = flag::ACK | flag::PSH | flag::FIN | flag::CWR | flag::ECE;
    let destination_options = [0, 0, 1, 4, 0, 0, 0, 0];
    let route_recorded = [7, 7, 8, 192, 0, 2, 9];
    vec![
        Case::new("what the NIC takes", plain_v4(super::NIC.nic_max)),
        Case::new("one byte more", plain_v4(super::NIC.nic_max + 1)),
        Case::new("64 KiB", plain_v4(64 * KIB)),
        Case::new("64 KiB", plain_v6(64 * KIB)),
        // With its headers of 52 bytes, all that an IPv4 length can say.
        Case::new("the longest of LSOv1", Synth::v4(65_535 - 52, 1448)).lsov1(),
        Case::new("256 KiB", plain_v4(256 * KIB)),
        Case::new(
            "VLAN and IP options",
            Synth::v4(256 * KIB, 1440)
                .vlan(&[0x6007])
                .ip_options(&route_recorded),
        ),
        Case::new(
            "two VLANs and extension",
            Synth::v6(256 * KIB, 1416)
                .vlan(&[100, 7])
                .extension(60, &destination_options),
        ),
        Case::new("512 KiB", plain_v4(512 * KIB)),
        Case::new(
            "numbers wrap, FIN, CWR",
            Synth::v4(512 * KIB, 1448)
                .seq(u32::MAX - 300_000)
                .ip_id(0xFFF0)
                .flags(end),
        ),
        Case::new(
            "numbers wrap, FIN, CWR",
            Synth::v6(512 * KIB, 1428)
                .seq(u32::MAX - 300_000)
                .flags(end),
        ),
        Case::new("small segments", Synth::v4(512 * KIB, 536)),
        Case::new("1 MiB", plain_v4(MIB)),
        Case::new("1 MiB", plain_v6(MIB)),
        Case::new("4,096-byte buffers", plain_v4(MIB)).in_buffers(4 * KIB),
        Case::new("1,500-byte buffers", plain_v6(MIB)).in_buffers(1500),
        Case::new("jumbo frames", Synth::v4(MIB, 8948)),
        Case::new("jumbo frames", Synth::v6(MIB, 8928)),
    ]
}
