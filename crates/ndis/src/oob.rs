//! Out-of-band information of a NET_BUFFER_LIST: the large-send slot as a value.
//!
//! Bit positions: `ndis/nbllso.h`, NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO.

/// The content of `TcpLargeSendNetBufferListInfo`. Only the lower 32 bits carry a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendInfo(u32);

impl LargeSendInfo {
    const FIELD_20: u32 = 0xF_FFFF;
    const FIELD_10: u32 = 0x3FF;
    const OFFSET_SHIFT: u32 = 20;
    const V2: u32 = 1 << 30;
    const IPV6: u32 = 1 << 31;

    /// An LSOv2 send: `mss` in bytes of payload, `tcp_header_offset` in bytes from the frame's
    /// first byte.
    #[must_use]
    pub const fn v2(mss: u32, tcp_header_offset: u32, ipv6: bool) -> Self {
        let version = if ipv6 { Self::IPV6 } else { 0 };
        Self(Self::v1(mss, tcp_header_offset).0 | Self::V2 | version)
    }

    /// An LSOv1 send, which is always IPv4.
    #[must_use]
    pub const fn v1(mss: u32, tcp_header_offset: u32) -> Self {
        let offset = (tcp_header_offset & Self::FIELD_10) << Self::OFFSET_SHIFT;
        Self((mss & Self::FIELD_20) | offset)
    }

    /// What a completer leaves in the slot: LSOv2 says nothing but its type, LSOv1 how many bytes
    /// of TCP payload went out.
    #[must_use]
    pub const fn transmit_complete(self, payload_sent: u32) -> Self {
        if self.is_v2() {
            Self(Self::V2)
        } else {
            Self(payload_sent & (Self::V2 - 1))
        }
    }

    /// The slot's value.
    #[must_use]
    pub const fn to_raw(self) -> usize {
        self.0 as usize
    }

    /// Reads the slot's value.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the header defines the lower 32 bits only"
    )]
    pub const fn from_raw(raw: usize) -> Self {
        Self(raw as u32)
    }

    /// Bytes of payload in each wire segment; 0 means that this is no large send.
    #[must_use]
    pub const fn mss(self) -> u32 {
        self.0 & Self::FIELD_20
    }

    /// Bytes of frame before the TCP header.
    #[must_use]
    pub const fn tcp_header_offset(self) -> u32 {
        (self.0 >> Self::OFFSET_SHIFT) & Self::FIELD_10
    }

    /// LSOv2, or else LSOv1.
    #[must_use]
    pub const fn is_v2(self) -> bool {
        self.0 & Self::V2 != 0
    }

    /// IPv6, which only LSOv2 can say.
    #[must_use]
    pub const fn is_ipv6(self) -> bool {
        self.is_v2() && self.0 & Self::IPV6 != 0
    }
}
