//! Large sends of TCP and UDP inside a tunnel: NVGRE (RFC 7637) and VXLAN (RFC 7348).

use super::{
    bytes::{be16, patch_ip, pseudo_sum, put16},
    layout::{Layout, UDP, layout, network},
    tcp::{finish_tcp_checksum, patch_tcp},
    udp::finish_udp_checksum,
};
use crate::oob::TunnelSlot;

/// Protocol number of GRE.
const GRE: u8 = 47;
/// GRE's first four bytes: a key, no checksum, no sequence number, an Ethernet frame inside.
const NVGRE: [u8; 4] = [0x20, 0x00, 0x65, 0x58];
/// VXLAN's flag for a valid network identifier.
const VXLAN_VALID: u8 = 0x08;

/// The kind of tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TunnelKind {
    /// NVGRE.
    Nvgre,
    /// VXLAN, by UDP to this port.
    Vxlan(u16),
}

/// Where the parts of a packet inside a tunnel are, in bytes from the outer frame's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tunnel {
    /// The kind of tunnel.
    pub kind: TunnelKind,
    /// First byte of the outer IP header.
    pub ip: usize,
    /// Whether the outer packet is IPv6.
    pub ipv6: bool,
    /// First byte of the GRE or outer UDP header.
    pub transport: usize,
    /// First byte of the inner frame.
    pub inner_frame: usize,
    /// The parts of the inner packet.
    pub inner: Layout,
}

/// Finds the parts of a frame that tunnels a TCP or UDP packet; `None` for anything else.
#[must_use]
pub fn tunnel(frame: &[u8]) -> Option<Tunnel> {
    let (ip, ipv6, transport, protocol) = network(frame)?;
    let (kind, inner_frame) = match protocol {
        GRE => {
            let valid = frame.get(transport..transport + 4)? == NVGRE;
            valid.then_some((TunnelKind::Nvgre, transport + 8))?
        }
        UDP => {
            let valid = frame.get(transport + 8)? & VXLAN_VALID != 0;
            let kind = TunnelKind::Vxlan(be16(frame, transport + 2)?);
            valid.then_some((kind, transport + 16))?
        }
        _ => return None,
    };
    let inner = layout(frame.get(inner_frame..)?)?;
    Some(Tunnel {
        kind,
        ip,
        ipv6,
        transport,
        inner_frame,
        inner: Layout {
            ip: inner_frame + inner.ip,
            transport: inner_frame + inner.transport,
            payload: inner_frame + inner.payload,
            ..inner
        },
    })
}

impl Tunnel {
    /// The slot's value for a packet with this layout.
    #[must_use]
    pub fn slot(&self) -> TunnelSlot {
        TunnelSlot {
            encapsulated: true,
            offsets_valid: true,
            inner_frame: self.inner_frame as u32,
            ip: (self.inner.ip - self.inner_frame) as u32,
            tcp: (self.inner.transport - self.inner.ip) as u32,
            inner_ipv6: self.inner.ipv6,
            tcp_options: !self.inner.udp && self.inner.payload > self.inner.transport + 20,
        }
    }
}

/// The wire packets of a large send inside a tunnel, with all lengths true and all checksums full,
/// but for an outer UDP checksum of 0, which stays.
///
/// # Errors
/// A description of the difference, if the frame is not as the out-of-band information describes
/// it.
pub fn segment_tunnelled(
    frame: &[u8],
    mss: usize,
    slot: TunnelSlot,
    id_bits: u32,
) -> Result<Vec<Vec<u8>>, String> {
    let found = tunnel(frame).ok_or("the frame is no tunnelled TCP or UDP packet")?;
    let has = found.slot();
    let same = TunnelSlot {
        tcp_options: has.tcp_options,
        ..slot
    };
    if slot.offsets_valid && same != has {
        return Err(format!(
            "out-of-band information says {slot:?}, the frame has {has:?}"
        ));
    }
    if slot.inner_ipv6 != has.inner_ipv6 {
        return Err("out-of-band information has the other IP version inside".into());
    }
    if mss == 0 {
        return Err("MSS is 0".into());
    }
    let inner = found.inner;
    if !inner.udp && inner.payload < inner.transport + 20 {
        return Err("the inner TCP header is shorter than 20 bytes".into());
    }
    let (header, payload) = frame.split_at(inner.payload);
    let count = payload.len().div_ceil(mss).max(1);
    let packet = |index: usize| {
        let start = index * mss;
        let bytes = &payload[start..(start + mss).min(payload.len())];
        let mut packet = header.to_vec();
        let (outer, inside) = (&mut packet[found.ip..], bytes.len());
        patch_ip(outer, inside, index, id_bits, found.ipv6);
        patch_ip(&mut packet[inner.ip..], inside, index, id_bits, inner.ipv6);
        if !inner.udp {
            let tcp = &mut packet[inner.transport..];
            patch_tcp(tcp, start, index == 0, index + 1 == count);
        }
        packet.extend_from_slice(bytes);
        let transport = &mut packet[inner.transport..];
        if inner.udp {
            let length = transport.len() as u16;
            put16(transport, 4, length);
            finish_udp_checksum(transport, length);
        } else {
            finish_tcp_checksum(transport);
        }
        if let TunnelKind::Vxlan(_) = found.kind {
            finish_outer_udp(&mut packet, &found);
        }
        packet
    };
    Ok((0..count).map(packet).collect())
}

/// Length and checksum of the outer UDP header: the checksum from nothing, as no seed is defined
/// for it, and none if there is 0.
fn finish_outer_udp(packet: &mut [u8], found: &Tunnel) {
    let pseudo = pseudo_sum(&packet[found.ip..], found.ipv6, UDP);
    let udp = &mut packet[found.transport..];
    let length = udp.len() as u16;
    put16(udp, 4, length);
    if udp[6..8] != [0, 0] {
        // A seed that is never 0, for 0 would mean that there is no checksum.
        put16(udp, 6, pseudo.folded());
        finish_udp_checksum(udp, length);
    }
}
