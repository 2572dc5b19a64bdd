//! Where the parts of a frame are.

use super::bytes::be16;

/// Where the parts of a TCP frame are, in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts {
    /// First byte of the IP header.
    pub ip: usize,
    /// First byte of the TCP header.
    pub tcp: usize,
    /// First byte of the payload.
    pub payload: usize,
    /// Whether the packet is IPv6.
    pub ipv6: bool,
}

/// Where the parts of a TCP or UDP frame are, in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// First byte of the IP header.
    pub ip: usize,
    /// First byte of the TCP or UDP header.
    pub transport: usize,
    /// First byte of the payload.
    pub payload: usize,
    /// Whether the packet is IPv6.
    pub ipv6: bool,
    /// UDP, or else TCP.
    pub udp: bool,
}

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// Finds IP, TCP and payload in a TCP frame; `None` for anything else.
#[must_use]
pub fn parts(frame: &[u8]) -> Option<Parts> {
    let found = layout(frame).filter(|layout| !layout.udp)?;
    Some(Parts {
        ip: found.ip,
        tcp: found.transport,
        payload: found.payload,
        ipv6: found.ipv6,
    })
}

/// Finds IP, TCP or UDP, and payload in a frame; `None` for anything else.
#[must_use]
pub fn layout(frame: &[u8]) -> Option<Layout> {
    let (ip, ipv6, transport, protocol) = network(frame)?;
    let payload = match protocol {
        TCP => transport + usize::from(frame.get(transport + 12)? >> 4) * 4,
        UDP => transport + 8,
        _ => return None,
    };
    (payload <= frame.len()).then_some(Layout {
        ip,
        transport,
        payload,
        ipv6,
        udp: protocol == UDP,
    })
}

/// The IP header's offset, whether it is IPv6, and the payload's offset and protocol.
pub(super) fn network(frame: &[u8]) -> Option<(usize, bool, usize, u8)> {
    let mut ip = 14;
    let mut kind = be16(frame, 12)?;
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        kind = be16(frame, ip + 2)?;
        ip += 4;
    }
    match kind {
        0x0800 => {
            let length = usize::from(frame.get(ip)? & 15) * 4;
            let transport = (length >= 20).then_some(ip + length)?;
            Some((ip, false, transport, *frame.get(ip + 9)?))
        }
        0x86dd => {
            let (transport, protocol) = behind_extensions(frame, ip)?;
            Some((ip, true, transport, protocol))
        }
        _ => None,
    }
}

/// The addresses in the first IP header of a frame.
pub(crate) fn network_addresses(frame: &[u8]) -> Option<&[u8]> {
    let (ip, ipv6, ..) = network(frame)?;
    let addresses = if ipv6 {
        ip + 8..ip + 40
    } else {
        ip + 12..ip + 20
    };
    frame.get(addresses)
}

fn behind_extensions(frame: &[u8], ip: usize) -> Option<(usize, u8)> {
    let mut next = *frame.get(ip + 6)?;
    let mut at = ip + 40;
    while matches!(next, 0 | 43 | 60) {
        next = *frame.get(at)?;
        at += (usize::from(*frame.get(at + 1)?) + 1) * 8;
    }
    Some((at, next))
}
