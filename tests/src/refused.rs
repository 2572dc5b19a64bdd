//! Large sends that the filter must refuse, on a NIC that takes 62,780 bytes and 2 segments.

use lso::Refusal;
use model::Packet;
use mslso_lab::synth::{Synth, flag};
use ndis::{LargeSendInfo, sys};

use crate::packets::{MSS, large, large_v4, large_v6};

/// Payload in bytes of all of them: too much for the NIC.
const PAYLOAD: u32 = 100_000;
/// Where the TCP header is in the frames of [`Synth`] without VLAN tags and extensions.
const TCP_V4: u32 = 34;
const TCP_V6: u32 = 54;

/// A large send with the reason for which it is refused.
pub struct Refused {
    /// What is wrong with it.
    pub what: &'static str,
    /// The large send.
    pub packet: Packet,
    /// Under which reason it is counted.
    pub reason: Refusal,
    /// The status with which it is completed.
    pub status: i32,
}

/// Every kind of them.
#[must_use]
pub fn all() -> Vec<Refused> {
    let mut all: Vec<_> = [flags(), ipv4(), ipv6(), link(), descriptors()]
        .into_iter()
        .flatten()
        .map(|(what, packet, reason)| Refused {
            what,
            packet,
            reason,
            status: sys::NDIS_STATUS_INVALID_PACKET,
        })
        .collect();
    all.push(Refused {
        what: "an MSS above the NIC's limit",
        packet: large(&Synth::v4(PAYLOAD, 70_000)),
        reason: Refusal::MssAboveLimit,
        status: sys::NDIS_STATUS_NOT_SUPPORTED,
    });
    all
}

type Kind = (&'static str, Packet, Refusal);

fn flags() -> Vec<Kind> {
    let with = |extra| large(&Synth::v4(PAYLOAD, MSS).flags(flag::ACK | extra));
    vec![
        ("URG", with(flag::URG), Refusal::Urgent),
        ("SYN", with(flag::SYN), Refusal::Syn),
        ("RST", with(flag::RST), Refusal::Reset),
    ]
}

fn ipv4() -> Vec<Kind> {
    let with = |at: usize, byte: u8| {
        let mut packet = large_v4(PAYLOAD);
        packet.frame[at] = byte;
        packet
    };
    vec![
        ("more fragments", with(20, 0x20), Refusal::Fragment),
        ("a fragment offset", with(21, 1), Refusal::Fragment),
        ("IPv4 version 6", with(14, 0x65), Refusal::MalformedIpv4),
        ("16 bytes of IPv4", with(14, 0x44), Refusal::MalformedIpv4),
        ("UDP", with(23, 17), Refusal::NotTcp),
        ("ESP", with(23, 50), Refusal::Ipsec),
        ("16 bytes of TCP", with(46, 0x40), Refusal::MalformedTcp),
    ]
}

fn ipv6() -> Vec<Kind> {
    let with = |protocol, header: &[u8]| {
        let send = Synth::v6(PAYLOAD, MSS).extension(protocol, header);
        let tcp = TCP_V6 + header.len() as u32;
        let mut packet = Packet::new(send.frame(false));
        packet.large_send = LargeSendInfo::v2(MSS, tcp, true);
        packet
    };
    let mut version_4 = large_v6(PAYLOAD);
    version_4.frame[14] = 0x45;
    let mut long = vec![0, 21, 1, 172];
    long.resize(176, 0);
    let jumbo = [0, 0, 0xC2, 4, 0, 1, 0x86, 0xA0];
    let overrun = [0, 0, 1, 200, 0, 0, 0, 0];
    vec![
        ("IPv6 version 4", version_4, Refusal::MalformedIpv6),
        (
            "an option too long",
            with(0, &overrun),
            Refusal::MalformedIpv6,
        ),
        ("a fragment header", with(44, &[0; 8]), Refusal::Fragment),
        ("a jumbo option", with(0, &jumbo), Refusal::Jumbogram),
        ("AH", with(51, &[0; 8]), Refusal::Ipsec),
        (
            "262 bytes of header",
            with(60, &long),
            Refusal::HeaderTooLong,
        ),
    ]
}

fn link() -> Vec<Kind> {
    let mut arp = large_v4(PAYLOAD);
    arp.frame[13] = 0x06;
    let tags = large(&Synth::v4(PAYLOAD, MSS).vlan(&[1, 2, 3]));
    vec![
        ("ARP", arp, Refusal::NotIp),
        ("three VLAN tags", tags, Refusal::TooManyVlanTags),
    ]
}

/// Packets whose bytes are well, but not what is said of them.
fn descriptors() -> Vec<Kind> {
    let v4 = || large_v4(PAYLOAD);
    let announced = |large_send| Packet { large_send, ..v4() };
    let in_two = |first| Packet {
        buffers: vec![first],
        ..v4()
    };
    let longer = |extra_length| Packet {
        extra_length,
        ..v4()
    };
    let with = |net_buffers| Packet {
        net_buffers,
        ..v4()
    };
    let mut v1 = large_v6(PAYLOAD);
    v1.large_send = LargeSendInfo::v1(MSS, TCP_V6);
    let elsewhere = announced(LargeSendInfo::v2(MSS, TCP_V4 + 1, false));
    let ipv6 = announced(LargeSendInfo::v2(MSS, TCP_V4, true));
    use Refusal::{HeaderNotContiguous, MalformedLargeSend};
    vec![
        ("TCP elsewhere", elsewhere, Refusal::TcpOffsetMismatch),
        ("IPv4 sent as IPv6", ipv6, Refusal::IpVersionMismatch),
        ("LSOv1 over IPv6", v1, Refusal::Lsov1OnIpv6),
        ("a header in two MDLs", in_two(40), HeaderNotContiguous),
        ("all but the header's end", in_two(65), HeaderNotContiguous),
        ("an empty first MDL", in_two(0), HeaderNotContiguous),
        ("two NET_BUFFERs", with(2), MalformedLargeSend),
        ("no NET_BUFFER", with(0), MalformedLargeSend),
        ("a byte less than DataLength", longer(1), MalformedLargeSend),
        ("a chain far too short", longer(1 << 20), MalformedLargeSend),
    ]
}
