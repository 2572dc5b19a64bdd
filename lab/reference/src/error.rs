//! Why the reference does not cut.

use std::fmt;

/// Why a frame is no large send, or has no right segmentation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReferenceError {
    /// An MSS of 0 means: not a large send.
    ZeroMss,
    /// The IPv4 identification counts in 15 or in 16 bits.
    IdBits(u32),
    /// A header is cut short or contradicts itself.
    Malformed(String),
    /// Neither IPv4 nor IPv6 behind at most two VLAN tags.
    NotIp(u16),
    /// The protocol after the IP headers is not TCP.
    NotTcp(u8),
    /// The protocol after the IP headers is not UDP.
    NotUdp(u8),
    /// The protocol after the outer IP headers is neither UDP nor GRE.
    NotTunnel(u8),
    /// The GRE header is not that of NVGRE: a key, no checksum, no sequence
    /// number, and Ethernet in it (RFC 7637, section 3.2).
    NotNvgre(u32),
    /// The VXLAN header does not mark its network identifier as valid (RFC 7348, section 5), or
    /// marks an extension of VXLAN whose payload may be another protocol.
    NotVxlan(u8),
    /// A fragment, or an IPv6 fragment header of any kind.
    Fragment,
    /// An authentication header: it signs the packet, so it cannot be copied.
    Authenticated,
    /// The transport checksum is over another address than the IP header has: a
    /// source route (IPv4) or routing header (IPv6) with hops still to come, or
    /// a mobile node's home address (RFC 6275), in a form that does not give it.
    OtherAddress,
    /// The IPv6 jumbo option: wrong in a packet below 64 KiB (RFC 2675).
    Jumbo,
    /// SYN, RST or URG, which a large send never has.
    Flags,
    /// There is nothing to send.
    NoPayload,
    /// A segment would be longer than its IP length field can hold.
    SegmentTooLong(usize),
}

impl ReferenceError {
    pub(super) fn malformed(error: impl fmt::Display) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroMss => f.write_str("the MSS is 0"),
            Self::IdBits(bits) => write!(f, "IPv4 identification of {bits} bits, not 15 or 16"),
            Self::Malformed(why) => write!(f, "malformed header: {why}"),
            Self::NotIp(ether_type) => write!(f, "EtherType {ether_type:#06x} is not IP"),
            Self::NotTcp(protocol) => write!(f, "IP protocol {protocol} is not TCP"),
            Self::NotUdp(protocol) => write!(f, "IP protocol {protocol} is not UDP"),
            Self::NotTunnel(protocol) => {
                write!(f, "IP protocol {protocol} is neither UDP nor GRE")
            }
            Self::NotNvgre(word) => write!(f, "GRE header {word:#010x} is not that of NVGRE"),
            Self::NotVxlan(flags) => write!(f, "VXLAN flags {flags:#04x}"),
            Self::Fragment => f.write_str("an IP fragment"),
            Self::Authenticated => f.write_str("an IPv6 authentication header"),
            Self::OtherAddress => {
                f.write_str("a source route with hops still to come, or a home address")
            }
            Self::Jumbo => f.write_str("an IPv6 jumbo option"),
            Self::Flags => f.write_str("SYN, RST or URG in a large send"),
            Self::NoPayload => f.write_str("no payload"),
            Self::SegmentTooLong(len) => write!(f, "a segment of {len} bytes of IP"),
        }
    }
}

impl std::error::Error for ReferenceError {}
