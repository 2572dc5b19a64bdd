//! NVGRE (RFC 7637) and VXLAN (RFC 7348): Ethernet in IP.

use etherparse::{IpNumber, UdpHeaderSlice};

use super::ReferenceError;
use super::ip::Ip;
use super::transport::write_udp;

const GRE: IpNumber = IpNumber::GRE;
/// A GRE header with a key, which holds subnet and flow.
const NVGRE_LEN: usize = 8;
/// Its first 4 bytes: a key and nothing else, version 0, Ethernet inside.
const NVGRE: u32 = 0x2000_6558;
const UDP_LEN: usize = 8;
const VXLAN_LEN: usize = 8;
/// The flag that the network identifier is valid.
const VXLAN_ID: u8 = 0x08;
/// The flags of VXLAN-GPE that change the meaning of a VXLAN header: protocol other than Ethernet,
/// version.
const VXLAN_OTHER: u8 = 0x34;

/// The headers around an inner frame, from the outer Ethernet header on.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) ip: Ip,
    /// Its UDP header with VXLAN, and whether that is to have a checksum.
    pub(super) udp: Option<bool>,
    /// Where the inner frame starts.
    pub(super) inner: usize,
}

impl Tunnel {
    pub(super) fn parse(frame: &[u8]) -> Result<Self, ReferenceError> {
        let (ip, protocol) = Ip::parse(frame, 0)?;
        let rest = &frame[ip.end..];
        let (udp, len) = match protocol {
            GRE => (None, nvgre(rest)?),
            IpNumber::UDP => {
                let (summed, len) = vxlan(rest)?;
                (Some(summed), len)
            }
            IpNumber(other) => return Err(ReferenceError::NotTunnel(other)),
        };
        let inner = ip.end + len;
        Ok(Self { ip, udp, inner })
    }

    /// The headers around the IP header that ends at `inner_end`, of a tunnel over UDP of any kind,
    /// and that IP header with the protocol after it. The tunnel's own header is the same in each
    /// packet, as with GENEVE (RFC 8926).
    pub(super) fn around(
        frame: &[u8],
        inner_end: usize,
    ) -> Result<(Self, Ip, IpNumber), ReferenceError> {
        let (ip, protocol) = Ip::parse(frame, 0)?;
        if protocol != IpNumber::UDP {
            return Err(ReferenceError::NotTunnel(protocol.0));
        }
        let outer =
            UdpHeaderSlice::from_slice(&frame[ip.end..]).map_err(ReferenceError::malformed)?;
        let (inner, protocol) = Ip::ending(frame, ip.end + UDP_LEN, inner_end)?;
        let tunnel = Self {
            ip,
            udp: Some(outer.checksum() != 0),
            inner: inner.at,
        };
        Ok((tunnel, inner, protocol))
    }

    /// Writes the outer headers of packet number `k`, whose inner frame is
    /// done.
    pub(super) fn write(&self, packet: &mut [u8], k: usize, id_mask: u16) {
        self.ip.write(packet, k, id_mask);
        if let Some(summed) = self.udp {
            write_udp(&mut packet[self.ip.end..], &self.ip, summed);
        }
    }
}

/// Checks the GRE header, and gives its length.
fn nvgre(gre: &[u8]) -> Result<usize, ReferenceError> {
    let short = || ReferenceError::Malformed("a GRE header is cut short".to_owned());
    let header: &[u8; NVGRE_LEN] = gre.first_chunk().ok_or_else(short)?;
    let word = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    match word {
        NVGRE => Ok(NVGRE_LEN),
        other => Err(ReferenceError::NotNvgre(other)),
    }
}

/// Checks the UDP and VXLAN headers, and returns whether UDP is to have a checksum, and the length
/// of both. Only the configuration can tell the port.
fn vxlan(udp: &[u8]) -> Result<(bool, usize), ReferenceError> {
    let header = UdpHeaderSlice::from_slice(udp).map_err(ReferenceError::malformed)?;
    let short = || ReferenceError::Malformed("a VXLAN header is cut short".to_owned());
    let vxlan: &[u8; VXLAN_LEN] = udp[UDP_LEN..].first_chunk().ok_or_else(short)?;
    if vxlan[0] & (VXLAN_ID | VXLAN_OTHER) != VXLAN_ID {
        return Err(ReferenceError::NotVxlan(vxlan[0]));
    }
    Ok((header.checksum() != 0, UDP_LEN + VXLAN_LEN))
}
