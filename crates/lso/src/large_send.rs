//! What the layer above says of a large send, beside its bytes.

/// The network protocol of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4, RFC 791.
    V4,
    /// IPv6, RFC 8200.
    V6,
}

/// The version of large send offload by which a packet was sent.
///
/// They differ in the IP length of the header handed down: LSOv1 has the true
/// length, so it ends at 64 KiB; LSOv2 has zero, and no end of its own (Windows
/// driver documentation, "Offloading the Segmentation of Large TCP Packets").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LsoVersion {
    /// IPv4 only, at most 64 KiB.
    V1,
    /// IPv4 and IPv6.
    V2,
}

/// What the out-of-band information of a large send says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeSend {
    /// The version of the offload.
    pub version: LsoVersion,
    /// The network protocol. LSOv1 has no such field, and it is not read there.
    pub ip_version: IpVersion,
    /// Bytes of TCP payload in every segment on the wire but the last.
    pub mss: u32,
    /// Bytes of frame before the TCP header.
    pub tcp_header_offset: u32,
}
