//! Large sends that the filter must refuse, on a NIC with limits of 62,780 bytes and 2 segments.

use lso::Refusal;
use model::{Packet, TunnelSlot};
use ndis::{EncapsulationInfo, LargeSendInfo, UdpSendInfo, sys};
use testpkt::synth::{Synth, Tunnel, flag};

use crate::packets::{MSS, large, large_v4, large_v6};

/// Payload in bytes of all of them: too much for the NIC.
const PAYLOAD: u32 = 100_000;
/// Where the TCP header is in the frames of [`Synth`] without VLAN tags and extensions.
const TCP_V4: u32 = 34;
const TCP_V6: u32 = 54;

/// A large send with the reason for which it is refused.
pub struct Refused {
    /// The fault in it.
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
    [
        flags(),
        ipv4(),
        ipv6(),
        link(),
        segments(),
        descriptors(),
        udp(),
        tunnels(),
    ]
    .into_iter()
    .flatten()
    .map(|(what, packet, reason)| Refused {
        what,
        packet,
        reason,
        status: sys::NDIS_STATUS_INVALID_PACKET,
    })
    .collect()
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

/// Segments that no NIC could cut, or that would not pass where the NIC does not cut them.
fn segments() -> Vec<Kind> {
    vec![
        (
            "an MSS above 64 KiB",
            large(&Synth::v4(PAYLOAD, 70_000)),
            Refusal::SegmentTooLong,
        ),
        (
            "an MSS above the NIC's maximum and the MTU",
            large(&Synth::v4(PAYLOAD, 63_000)),
            Refusal::SegmentAboveMtu,
        ),
    ]
}

fn udp() -> Vec<Kind> {
    let uso = || Packet::udp_large_send(Synth::udp_v4(PAYLOAD, 1472).frame(false), 1472);
    let slot = sys::UdpSegmentationOffloadInfo;
    let marked = |info: UdpSendInfo| uso().with_slot(slot, info.to_raw());
    let mut fragment = uso();
    fragment.frame[20] = 0x20;
    vec![
        (
            "UDP at another offset",
            marked(UdpSendInfo::new(1472, TCP_V4 + 1, false)),
            Refusal::OffsetMismatch,
        ),
        (
            "UDP over IPv4 sent as IPv6",
            marked(UdpSendInfo::new(1472, TCP_V4, true)),
            Refusal::IpVersionMismatch,
        ),
        ("a fragment of UDP", fragment, Refusal::Fragment),
    ]
}

fn tunnels() -> Vec<Kind> {
    let sent = || {
        let frame = Tunnel::vxlan_v4().around(&Synth::v4(PAYLOAD, 1398).frame(false));
        Packet::encapsulated(frame, 1398)
    };
    let slot = sys::TcpSendOffloadsSupplementalNetBufferListInfo;
    let info = EncapsulationInfo::from_raw(sent().slot(slot));
    let mut inner = info.offsets().expect("the packet has its offsets");
    inner.ip += 1;
    let moved = EncapsulationInfo::new(inner, false, true).to_raw();
    let silent = TunnelSlot {
        encapsulated: true,
        inner_ipv6: true,
        ..TunnelSlot::default()
    };
    let other_version = sent().with_slot(slot, silent.to_raw());
    let mut not_vxlan = sent();
    not_vxlan.frame[42] = 0;
    vec![
        (
            "an inner header at another offset",
            sent().with_slot(slot, moved),
            Refusal::OffsetMismatch,
        ),
        (
            "VXLAN without a network",
            not_vxlan,
            Refusal::NotEncapsulated,
        ),
        (
            "IPv4 marked as IPv6 inside",
            other_version,
            Refusal::IpVersionMismatch,
        ),
    ]
}

/// Packets with valid bytes and a wrong description of them.
fn descriptors() -> Vec<Kind> {
    let v4 = || large_v4(PAYLOAD);
    let marked = |large_send| Packet { large_send, ..v4() };
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
    let displaced = marked(LargeSendInfo::v2(MSS, TCP_V4 + 1, false));
    let ipv6 = marked(LargeSendInfo::v2(MSS, TCP_V4, true));
    use Refusal::MalformedLargeSend;
    vec![
        ("TCP at another offset", displaced, Refusal::OffsetMismatch),
        ("IPv4 sent as IPv6", ipv6, Refusal::IpVersionMismatch),
        ("LSOv1 over IPv6", v1, Refusal::Lsov1OnIpv6),
        ("two NET_BUFFERs", with(2), MalformedLargeSend),
        ("no NET_BUFFER", with(0), MalformedLargeSend),
        ("a byte less than DataLength", longer(1), MalformedLargeSend),
        ("a chain far too short", longer(1 << 20), MalformedLargeSend),
    ]
}
