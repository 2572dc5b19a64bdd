//! The out-of-band description of a large send by the overlying driver.

/// The network protocol of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4, RFC 791.
    V4,
    /// IPv6, RFC 8200.
    V6,
}

/// The transport protocol of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
}

/// The offload by which a packet was sent.
///
/// Windows driver documentation, "Offloading the Segmentation of Large TCP Packets"
/// and "UDP Segmentation Offload (USO)".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offload {
    /// TCP over IPv4. The header has the true IP length, so it ends at 64 KiB.
    LsoV1,
    /// TCP. The header has an IP length of 0, and there is no end of its own.
    LsoV2,
    /// UDP.
    Uso,
}

impl Offload {
    /// The transport protocol that it is for.
    #[inline]
    pub const fn transport(self) -> Transport {
        match self {
            Self::LsoV1 | Self::LsoV2 => Transport::Tcp,
            Self::Uso => Transport::Udp,
        }
    }
}

/// The location of the headers by the out-of-band information, in bytes of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One frame.
    Plain {
        /// Bytes before the TCP or UDP header. 0 if a sender of TCP does not provide it, such as
        /// FreeBSD's `hn` driver in a guest: the header is found without it. With UDP it is
        /// required, because the slot may hold a value left by a receive.
        transport: u32,
    },
    /// A frame in a tunnel, NVGRE or VXLAN. The offsets are optional.
    Encapsulated(Option<InnerOffsets>),
}

/// The offsets of the inner frame's headers, in bytes from the outer frame's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerOffsets {
    /// Bytes before the inner Ethernet header.
    pub frame: u32,
    /// Bytes before the inner IP header.
    pub ip: u32,
    /// Bytes before the inner TCP or UDP header.
    pub transport: u32,
}

/// The content of a large send's out-of-band information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeSend {
    /// The offload.
    pub offload: Offload,
    /// The network protocol. LSOv1 has no such field, and for an encapsulated send the
    /// documentation does not specify which header it means: it is ignored for both.
    pub ip_version: IpVersion,
    /// Bytes of payload in every segment on the wire but the last.
    pub mss: u32,
    /// The location of the headers.
    pub framing: Framing,
}
