//! Why the reference does not cut.

use std::fmt;

/// Why a frame is no large send, or has no right segmentation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// An MSS of 0 means: not a large send.
    #[error("the MSS is 0")]
    ZeroMss,
    /// The IPv4 identification counts in 15 or in 16 bits.
    #[error("IPv4 identification of {0} bits, not 15 or 16")]
    IdBits(u32),
    /// A header is cut short or contradicts itself.
    #[error("malformed header: {0}")]
    Malformed(String),
    /// Neither IPv4 nor IPv6 behind at most two VLAN tags.
    #[error("EtherType {0:#06x} is not IP")]
    NotIp(u16),
    /// The protocol after the IP headers is not TCP.
    #[error("IP protocol {0} is not TCP")]
    NotTcp(u8),
    /// The protocol after the IP headers is not UDP.
    #[error("IP protocol {0} is not UDP")]
    NotUdp(u8),
    /// The protocol after the outer IP headers is neither UDP nor GRE.
    #[error("IP protocol {0} is neither UDP nor GRE")]
    NotTunnel(u8),
    /// The GRE header is not that of NVGRE: a key, no checksum, no sequence
    /// number, and Ethernet in it (RFC 7637, section 3.2).
    #[error("GRE header {0:#010x} is not that of NVGRE")]
    NotNvgre(u32),
    /// The VXLAN header does not mark its network identifier as valid (RFC 7348, section 5), or
    /// marks an extension of VXLAN whose payload may be another protocol.
    #[error("VXLAN flags {0:#04x}")]
    NotVxlan(u8),
    /// A fragment, or an IPv6 fragment header of any kind.
    #[error("an IP fragment")]
    Fragment,
    /// An authentication header: it signs the packet, so it cannot be copied.
    #[error("an IPv6 authentication header")]
    Authenticated,
    /// The transport checksum is over another address than the IP header has: a
    /// source route (IPv4) or routing header (IPv6) with hops still to come, or
    /// a mobile node's home address (RFC 6275), in a form that does not give it.
    #[error("a source route with hops still to come, or a home address")]
    OtherAddress,
    /// The IPv6 jumbo option: wrong in a packet below 64 KiB (RFC 2675).
    #[error("an IPv6 jumbo option")]
    Jumbo,
    /// SYN, RST or URG, which a large send never has.
    #[error("SYN, RST or URG in a large send")]
    Flags,
    /// There is nothing to send.
    #[error("no payload")]
    NoPayload,
    /// A segment would be longer than its IP length field can hold.
    #[error("a segment of {0} bytes of IP")]
    SegmentTooLong(usize),
}

impl ReferenceError {
    pub(super) fn malformed(error: impl fmt::Display) -> Self {
        Self::Malformed(error.to_string())
    }
}
