//! The virtio-net header: the metadata of a packet on Linux (virtio 1.3, section 5.1.6;
//! `linux/virtio_net.h`).

/// A header, in the order of the machine, as packet sockets have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// The checksum is still to be made: from this byte of the frame on ...
    pub checksum_from: Option<u16>,
    /// ... to be written so many bytes behind.
    pub checksum_at: u16,
    /// The segmentation of the packet.
    pub segments: Segments,
    /// Whether CWR is set, which only the first segment keeps.
    pub ecn: bool,
    /// Bytes of payload in each segment.
    pub segment_size: u16,
    /// A hint: bytes that had better be contiguous. It is not reliable.
    pub headers: u16,
}

/// The segmentation of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segments {
    /// It is one packet.
    #[default]
    None,
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP, each packet with a header of its own (`VIRTIO_NET_HDR_GSO_UDP_L4`).
    Udp,
    /// Something else, by its number.
    Other(u8),
}

/// Bytes in the header.
pub const LENGTH: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const ECN: u8 = 0x80;

impl VnetHeader {
    /// Reads a header.
    pub fn decode(bytes: &[u8; LENGTH]) -> Self {
        let [flags, kind, h0, h1, s0, s1, f0, f1, a0, a1] = *bytes;
        let from = u16::from_ne_bytes([f0, f1]);
        Self {
            checksum_from: (flags & NEEDS_CHECKSUM != 0).then_some(from),
            checksum_at: u16::from_ne_bytes([a0, a1]),
            segments: match kind & !ECN {
                0 => Segments::None,
                1 => Segments::TcpV4,
                4 => Segments::TcpV6,
                5 => Segments::Udp,
                other => Segments::Other(other),
            },
            ecn: kind & ECN != 0,
            segment_size: u16::from_ne_bytes([s0, s1]),
            headers: u16::from_ne_bytes([h0, h1]),
        }
    }

    /// The header as bytes.
    pub fn encode(self) -> [u8; LENGTH] {
        let kind = match self.segments {
            Segments::None => 0,
            Segments::TcpV4 => 1,
            Segments::TcpV6 => 4,
            Segments::Udp => 5,
            Segments::Other(other) => other,
        };
        let [h0, h1] = self.headers.to_ne_bytes();
        let [s0, s1] = self.segment_size.to_ne_bytes();
        let [f0, f1] = self.checksum_from.unwrap_or(0).to_ne_bytes();
        let [a0, a1] = self.checksum_at.to_ne_bytes();
        let flags = self.checksum_from.map_or(0, |_| NEEDS_CHECKSUM);
        let kind = if self.ecn { kind | ECN } else { kind };
        [flags, kind, h0, h1, s0, s1, f0, f1, a0, a1]
    }
}

/// The hint with which a packet socket has a place for a frame of `length` bytes: the bytes that do
/// not fill whole pieces of 32 KiB had better be contiguous with the headers.
///
/// A packet has at most 17 pieces (`MAX_SKB_FRAGS`), and a remainder needs several smaller ones:
/// frames of 520,000 bytes, for example, find no place without the hint.
pub fn room_hint(length: usize, headers: usize) -> u16 {
    const PIECE: usize = 32 << 10;
    let rest = length % PIECE;
    let hint = if rest < headers { rest + PIECE } else { rest };
    u16::try_from(hint.min(length)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A large send over IPv4 with CWR, as Linux 6.18 sent it.
    #[test]
    fn a_header_by_its_bytes() {
        let bytes = [1, 0x81, 66, 0, 0xA8, 0x05, 34, 0, 16, 0];
        let header = VnetHeader {
            checksum_from: Some(34),
            checksum_at: 16,
            segments: Segments::TcpV4,
            ecn: true,
            segment_size: 1448,
            headers: 66,
        };
        if cfg!(target_endian = "little") {
            assert_eq!(VnetHeader::decode(&bytes), header);
        }
        assert_eq!(VnetHeader::decode(&header.encode()), header);
        let plain = VnetHeader::default();
        assert_eq!(plain.encode(), [0; LENGTH]);
        assert_eq!(VnetHeader::decode(&[0; LENGTH]), plain);
    }

    #[test]
    fn the_rest_lies_with_the_headers() {
        for length in [200, 62_846, 520_000, 524_170, 540_000, 32_768 * 4 + 10] {
            let hint = usize::from(room_hint(length, 66));
            assert!(hint >= 66 && hint <= length, "{length}");
            assert!((length - hint).is_multiple_of(32 << 10), "{length}");
        }
    }
}
