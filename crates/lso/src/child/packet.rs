//! The header of a child that is a packet: true lengths, and checksums.

use super::Template;
use crate::checksum::Sum;
use crate::headers::Tunnel;
use crate::wire::{get_u16, ipv4, ipv6, protocol, put_u16, tcp, udp};
use crate::{Child, IpVersion, MAX_HEADER, Refusal, Transport};

/// Who makes a packet's TCP or UDP checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The NIC, from the sum of addresses, protocol and length that is left in its
    /// place (Windows driver documentation, "Offloading Checksum Tasks"). Not in a
    /// tunnel.
    Offloaded,
    /// It is made here; this is the payload's part.
    Complete(Sum),
}

impl Template<'_> {
    /// Writes the header of a packet, [`Headers::length`](crate::Headers::length)
    /// bytes, to the beginning of `out`. What `out` has after that is of no use.
    ///
    /// The sum of addresses and protocol is taken from the parent's checksum field, as
    /// a NIC does, so that the wire is the same even where the sender meant other
    /// addresses than the header has (RFC 8200, section 8.1). A UDP checksum of 0 in
    /// the parent stays 0: there is none.
    ///
    /// # Errors
    ///
    /// [`SegmentTooLong`](Refusal::SegmentTooLong) for more payload than
    /// [`Headers::most_payload`](crate::Headers::most_payload), and
    /// [`MalformedLargeSend`](Refusal::MalformedLargeSend) for a checksum left to the
    /// NIC in a tunnel. `out` has nothing of use then.
    pub fn write_packet(
        &self,
        child: &Child,
        checksum: Checksum,
        out: &mut [u8; MAX_HEADER],
    ) -> Result<(), Refusal> {
        if self.outer.is_some() && checksum == Checksum::Offloaded {
            return Err(Refusal::MalformedLargeSend);
        }
        let payload = u16::try_from(child.payload_length)
            .ok()
            .filter(|_| child.payload_length <= self.headers.most_payload())
            .ok_or(Refusal::SegmentTooLong)?;
        self.copy(out);
        self.stamp(child, out)
            .and_then(|()| out.get_mut(..self.headers.end()))
            .and_then(|header| self.finish(header, payload, checksum))
            .ok_or(Refusal::HeaderBufferTooShort)
    }

    /// From the innermost header outward, since each is in the sum of those around it.
    fn finish(&self, header: &mut [u8], payload: u16, checksum: Checksum) -> Option<()> {
        self.finish_transport(header, payload, checksum)?;
        finish_ip(header, self.ip.version, self.ip.start, payload)?;
        match (&self.outer, checksum) {
            (None, _) => Some(()),
            (Some(outer), Checksum::Complete(sum)) => {
                finish_tunnel(header, outer.tunnel, payload, sum)
            }
            (Some(_), Checksum::Offloaded) => None,
        }
    }

    fn finish_transport(&self, header: &mut [u8], payload: u16, checksum: Checksum) -> Option<()> {
        let transport = header.get_mut(self.headers.transport_start()..)?;
        let length = beyond(transport, payload)?;
        let (field, has_checksum) = match self.headers.transport() {
            Transport::Tcp => (tcp::CHECKSUM, true),
            Transport::Udp => {
                put_u16(transport, udp::UDP_LENGTH, length)?;
                let seed = get_u16(transport, udp::CHECKSUM)?;
                (udp::CHECKSUM, seed != 0)
            }
        };
        if !has_checksum {
            return Some(());
        }
        match checksum {
            Checksum::Offloaded => {
                let seed = get_u16(transport, field.clone())?;
                let seed = Sum::default().and_word(seed).and_word(length);
                put_u16(transport, field, seed.folded())
            }
            Checksum::Complete(sum) => {
                // The sender's seed is among the bytes.
                let sum = Sum::of(transport).and_word(length).and(sum);
                put_u16(transport, field, self.never_zero(sum.checksum()))
            }
        }
    }

    /// A UDP checksum that happens to be 0 is sent as its other representation, for 0
    /// says that there is none (RFC 768).
    fn never_zero(&self, checksum: u16) -> u16 {
        match (self.headers.transport(), checksum) {
            (Transport::Udp, 0) => u16::MAX,
            _ => checksum,
        }
    }
}

/// Length, and for IPv4 the header's checksum.
fn finish_ip(header: &mut [u8], version: IpVersion, start: usize, payload: u16) -> Option<()> {
    let ip = header.get_mut(start..)?;
    match version {
        IpVersion::V4 => {
            let length = beyond(ip, payload)?;
            let own = ipv4::length(*ip.get(ipv4::VERSION_IHL)?);
            let ip = ip.get_mut(..own)?;
            put_u16(ip, ipv4::TOTAL_LENGTH, length)?;
            put_u16(ip, ipv4::CHECKSUM, 0)?;
            put_u16(ip, ipv4::CHECKSUM, Sum::of(ip).checksum())
        }
        IpVersion::V6 => {
            let length = beyond(ip.get(ipv6::LENGTH..)?, payload)?;
            put_u16(ip, ipv6::PAYLOAD_LENGTH, length)
        }
    }
}

/// The outer lengths and checksums. `sum` is the payload's.
fn finish_tunnel(header: &mut [u8], tunnel: Tunnel, payload: u16, sum: Sum) -> Option<()> {
    if let Some(start) = tunnel.udp_start() {
        let udp = header.get_mut(start..)?;
        let length = beyond(udp, payload)?;
        put_u16(udp, udp::UDP_LENGTH, length)?;
        if get_u16(udp, udp::CHECKSUM)? != 0 {
            put_u16(udp, udp::CHECKSUM, 0)?;
            let sum = Sum::of(udp).and(sum).and_word(length);
            let addresses = header.get(tunnel.ip_start()..)?;
            let addresses = match tunnel.ip_version() {
                IpVersion::V4 => addresses.get(ipv4::ADDRESSES)?,
                IpVersion::V6 => addresses.get(ipv6::ADDRESSES)?,
            };
            let sum = sum
                .and(Sum::of(addresses))
                .and_word(u16::from(protocol::UDP));
            let checksum = match sum.checksum() {
                0 => u16::MAX,
                checksum => checksum,
            };
            put_u16(header.get_mut(start..)?, udp::CHECKSUM, checksum)?;
        }
    }
    finish_ip(header, tunnel.ip_version(), tunnel.ip_start(), payload)
}

/// Bytes from the beginning of `header` to the packet's end.
fn beyond(header: &[u8], payload: u16) -> Option<u16> {
    u16::try_from(header.len()).ok()?.checked_add(payload)
}
