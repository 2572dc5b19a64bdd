//! Out-of-band information of a NET_BUFFER_LIST: the large-send slot as a value.
//!
//! Layout: NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO; the bits are in [`sys`].

use crate::sys;

/// The content of `TcpLargeSendNetBufferListInfo`. Only the lower 32 bits carry a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendInfo(u32);

impl LargeSendInfo {
    /// An LSOv2 send: `mss` in bytes of payload, `tcp_header_offset` in bytes from the frame's
    /// first byte.
    #[must_use]
    pub const fn v2(mss: u32, tcp_header_offset: u32, ipv6: bool) -> Self {
        let version = if ipv6 {
            sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6
        } else {
            sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv4
        };
        let word = sys::LSO_TYPE.with(
            Self::v1(mss, tcp_header_offset).0,
            sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE,
        );
        Self(sys::LSO_IP_VERSION.with(word, version))
    }

    /// An LSOv1 send, which is always IPv4.
    #[must_use]
    pub const fn v1(mss: u32, tcp_header_offset: u32) -> Self {
        let word = sys::LSO_MSS.with(0, mss);
        Self(sys::LSO_TCP_HEADER_OFFSET.with(word, tcp_header_offset))
    }

    /// What a completer leaves in the slot: LSOv2 says nothing but its type, LSOv1 how many bytes
    /// of TCP payload went out.
    #[must_use]
    pub const fn transmit_complete(self, payload_sent: u32) -> Self {
        if self.is_v2() {
            Self(sys::LSO_TYPE.with(0, sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE))
        } else {
            Self(sys::LSO_V1_COMPLETE_TCP_PAYLOAD.with(0, payload_sent))
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
        sys::LSO_MSS.get(self.0)
    }

    /// Bytes of frame before the TCP header.
    #[must_use]
    pub const fn tcp_header_offset(self) -> u32 {
        sys::LSO_TCP_HEADER_OFFSET.get(self.0)
    }

    /// LSOv2, or else LSOv1.
    #[must_use]
    pub const fn is_v2(self) -> bool {
        sys::LSO_TYPE.get(self.0) == sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE
    }

    /// IPv6, which only LSOv2 can say.
    #[must_use]
    pub const fn is_ipv6(self) -> bool {
        self.is_v2() && sys::LSO_IP_VERSION.get(self.0) == sys::NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6
    }
}
