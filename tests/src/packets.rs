//! Packets for the overlying driver to send.

use model::{Packet, SendKind, parts};
use ndis::sys;
use reference::Kind;
use testpkt::synth::{IpVersion, Synth, Tunnel};

/// The usual MSS in bytes: an MTU of 1500 with TCP timestamps over IPv4.
pub const MSS: u32 = 1448;

/// The same over IPv6, whose header is longer.
pub const MSS_V6: u32 = 1428;

/// Out-of-band slots that have nothing to do with offloads, and that every child carries.
pub const CARRIED: [usize; 12] = [
    sys::ClassificationHandleNetBufferListInfo,
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListCancelId,
    sys::MediaSpecificInformation,
    sys::NetBufferListProtocolId,
    sys::NetBufferListHashValue,
    sys::NetBufferListHashInfo,
    sys::NetBufferListFilteringInfo,
    sys::MediaSpecificInformationEx,
    sys::VirtualSubnetInfo,
    sys::GftOffloadInformation,
    sys::GftFlowEntryId,
];

/// An LSOv2 send.
#[must_use]
pub fn large(send: &Synth) -> Packet {
    Packet::large_send(send.frame(false), send.mss)
}

/// An LSOv1 send.
#[must_use]
pub fn large_v1(send: &Synth) -> Packet {
    Packet::large_send_v1(send.frame(true), send.mss)
}

/// A USO send, with lengths of 0.
#[must_use]
pub fn uso(send: &Synth) -> Packet {
    Packet::udp_large_send(send.frame(false), send.mss)
}

/// An LSOv2 send inside a tunnel.
#[must_use]
pub fn tunnelled(send: &Synth, tunnel: &Tunnel) -> Packet {
    Packet::encapsulated(tunnel.around(&send.frame(false)), send.mss)
}

/// Every tunnel: of each kind, with each IP version outside, VXLAN with and without a checksum.
#[must_use]
pub fn tunnels() -> Vec<Tunnel> {
    let vxlan = [Tunnel::vxlan_v4(), Tunnel::vxlan_v6()];
    let vxlan = vxlan.into_iter().flat_map(|tunnel| {
        [false, true].map(|udp_checksum| Tunnel {
            udp_checksum,
            ..tunnel.clone()
        })
    });
    vxlan
        .chain([Tunnel::nvgre_v4(), Tunnel::nvgre_v6()])
        .collect()
}

/// The usual large send over IPv4 with `payload` bytes.
#[must_use]
pub fn large_v4(payload: u32) -> Packet {
    large(&Synth::v4(payload, MSS))
}

/// The usual large send over IPv6 with `payload` bytes.
#[must_use]
pub fn large_v6(payload: u32) -> Packet {
    large(&Synth::v6(payload, MSS_V6))
}

/// A TCP packet of a flow of its own that is no large send.
#[must_use]
pub fn small() -> Packet {
    on_port(Packet::new(Synth::v4(1000, MSS).frame(true)), 0x5157)
}

/// A packet that is neither TCP nor IP.
#[must_use]
pub fn arp() -> Packet {
    let mut frame = vec![0xFF; 12];
    frame.extend([0x08, 0x06]);
    frame.resize(60, 0);
    Packet::new(frame)
}

/// The same TCP packet with another source port: another flow.
///
/// # Panics
/// If the packet is not TCP.
#[must_use]
pub fn on_port(mut packet: Packet, port: u16) -> Packet {
    let tcp = parts(&packet.frame).expect("a TCP packet").tcp;
    packet.frame[tcp..tcp + 2].copy_from_slice(&port.to_be_bytes());
    packet
}

/// The wire packets that one stage of segmentation makes of a packet, by a NIC that counts the IPv4
/// identification in `id_bits` bits.
///
/// # Panics
/// If it is a large send that no stage can cut.
#[must_use]
#[track_caller]
pub fn one_stage(packet: &Packet, id_bits: u32) -> Vec<Vec<u8>> {
    let slots = packet.slots();
    let kind = match slots.kind() {
        SendKind::Packet => return vec![packet.frame.clone(); packet.net_buffers],
        SendKind::LargeSend => Kind::Tcp,
        SendKind::Tunnelled | SendKind::TunnelledUso => Kind::Encapsulated,
        SendKind::Uso => Kind::Udp,
    };
    reference::cut(&packet.frame, kind, slots.mss(), id_bits).expect("a large send")
}

/// Bytes of frame before the payload of a large send without VLAN tag and IP options.
#[must_use]
pub fn header_length(ip: IpVersion) -> u32 {
    match ip {
        IpVersion::V4 => 66,
        IpVersion::V6 => 86,
    }
}
