//! TCP and UDP: the header before the payload that is cut.

use etherparse::{IpNumber, TcpHeaderSlice, UdpHeaderSlice};

use super::ReferenceError;
use super::field::{put_checksum, put_u16, put_udp_checksum};
use super::ip::Ip;

// Offsets of the patched fields, in bytes from the start of their header.
const TCP_SEQUENCE: usize = 4;
const TCP_FLAGS: usize = 13;
const TCP_CHECKSUM: usize = 16;
const UDP_LENGTH: usize = 4;
const UDP_CHECKSUM: usize = 6;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// The position of a packet in its large send.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its number, from 0.
    pub(super) k: usize,
    pub(super) last: bool,
    /// Bytes of payload in each but the last.
    pub(super) mss: u32,
}

/// The transport header of a large send.
#[derive(Debug)]
pub(super) enum Transport {
    /// TCP, and the sequence number of the first byte of payload.
    Tcp { seq: u32 },
    /// UDP, and whether its packets are to have a checksum.
    Udp { summed: bool },
}

impl Transport {
    /// The TCP header that `bytes` start with, and its length.
    pub(super) fn tcp(protocol: IpNumber, bytes: &[u8]) -> Result<(Self, usize), ReferenceError> {
        if protocol != IpNumber::TCP {
            return Err(ReferenceError::NotTcp(protocol.0));
        }
        let header = TcpHeaderSlice::from_slice(bytes).map_err(ReferenceError::malformed)?;
        if header.syn() || header.rst() || header.urg() {
            return Err(ReferenceError::Flags);
        }
        let seq = header.sequence_number();
        Ok((Self::Tcp { seq }, header.slice().len()))
    }

    /// The UDP header that `bytes` start with, and its length. A checksum of 0 means none, in the
    /// large send as on the wire.
    pub(super) fn udp(protocol: IpNumber, bytes: &[u8]) -> Result<(Self, usize), ReferenceError> {
        if protocol != IpNumber::UDP {
            return Err(ReferenceError::NotUdp(protocol.0));
        }
        let header = UdpHeaderSlice::from_slice(bytes).map_err(ReferenceError::malformed)?;
        let summed = header.checksum() != 0;
        Ok((Self::Udp { summed }, header.slice().len()))
    }

    /// Writes the header of the whole frame `packet`, which it follows `ip` in.
    pub(super) fn write(&self, packet: &mut [u8], ip: &Ip, place: Place) {
        let header = &mut packet[ip.end..];
        match self {
            Self::Tcp { seq } => write_tcp(header, ip, *seq, place),
            Self::Udp { summed } => write_udp(header, ip, *summed),
        }
    }
}

fn write_tcp(tcp: &mut [u8], ip: &Ip, seq: u32, place: Place) {
    // Sequence numbers wrap, and with them their arithmetic.
    let seq = seq.wrapping_add((place.k as u32).wrapping_mul(place.mss));
    tcp[TCP_SEQUENCE..][..4].copy_from_slice(&seq.to_be_bytes());
    if !place.last {
        tcp[TCP_FLAGS] &= !(FIN | PSH);
    }
    if place.k > 0 {
        tcp[TCP_FLAGS] &= !CWR;
    }
    let sum = ip.pseudo_header(IpNumber::TCP, tcp.len());
    put_checksum(tcp, TCP_CHECKSUM, sum);
}

/// Writes length and checksum of the UDP header that the rest of a packet starts with. Also that of
/// a VXLAN tunnel, once its content is written.
pub(super) fn write_udp(udp: &mut [u8], ip: &Ip, summed: bool) {
    put_u16(udp, UDP_LENGTH, udp.len());
    if summed {
        let sum = ip.pseudo_header(IpNumber::UDP, udp.len());
        put_udp_checksum(udp, UDP_CHECKSUM, sum);
    }
}
