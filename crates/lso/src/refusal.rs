//! The reasons for which a large send is refused.

use core::fmt;

/// The reason for which a large send is not cut into children.
///
/// Every reason has an [`index`](Self::index) for an array of counters, a [`name`](Self::name) for
/// programs and a sentence for the administrator (`Display`). Some are found by the owner of the
/// packet's descriptors rather than here: they are in the same list, so that there is one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// The out-of-band information or the descriptors of the large send break
    /// the rules, such as several NET_BUFFERs in one NET_BUFFER_LIST.
    MalformedLargeSend,
    /// The MSS is 0.
    MssZero,
    /// With headers, one segment is longer than an IP length can express.
    SegmentTooLong,
    /// With headers, one segment that the NIC does not cut is longer than the
    /// medium carries.
    SegmentAboveMtu,
    /// There is no payload.
    NoPayload,
    /// The bytes that were given of the frame end before its headers do.
    HeaderNotContiguous,
    /// The headers are longer than [`MAX_HEADER`](crate::MAX_HEADER).
    HeaderTooLong,
    /// More than two VLAN tags are in the frame.
    TooManyVlanTags,
    /// Neither IPv4 nor IPv6 follows the Ethernet header.
    NotIp,
    /// Version or header length of IPv4 is wrong.
    MalformedIpv4,
    /// Version, extension header order or hop-by-hop options of IPv6 are wrong.
    MalformedIpv6,
    /// IPv4 more-fragments or offset, or an IPv6 fragment header.
    Fragment,
    /// AH or ESP, which cover the bytes that a cut would change.
    Ipsec,
    /// The IPv6 jumbo payload option, whose length no child could keep.
    Jumbogram,
    /// Another transport protocol than TCP, or an unknown extension header.
    NotTcp,
    /// Another transport protocol than UDP, or an unknown extension header.
    NotUdp,
    /// Sent as encapsulated, but with neither NVGRE nor VXLAN around it.
    NotEncapsulated,
    /// The TCP data offset is less than the least header.
    MalformedTcp,
    /// URG is set.
    Urgent,
    /// SYN is set.
    Syn,
    /// RST is set.
    Reset,
    /// LSOv1, which is for IPv4 only, with an IPv6 packet.
    Lsov1OnIpv6,
    /// The out-of-band information names the other IP version.
    IpVersionMismatch,
    /// The out-of-band information has a header elsewhere.
    OffsetMismatch,
    /// A child's IPv4 total length would not fit its 16 bits.
    Lsov1TooLong,
    /// More children than the caller can handle at a time.
    TooManyChildren,
    /// The buffer for a child's header is too short.
    HeaderBufferTooShort,
}

impl Refusal {
    /// Every reason, at its [`index`](Self::index).
    pub const ALL: [Self; 27] = [
        Self::MalformedLargeSend,
        Self::MssZero,
        Self::SegmentTooLong,
        Self::SegmentAboveMtu,
        Self::NoPayload,
        Self::HeaderNotContiguous,
        Self::HeaderTooLong,
        Self::TooManyVlanTags,
        Self::NotIp,
        Self::MalformedIpv4,
        Self::MalformedIpv6,
        Self::Fragment,
        Self::Ipsec,
        Self::Jumbogram,
        Self::NotTcp,
        Self::NotUdp,
        Self::NotEncapsulated,
        Self::MalformedTcp,
        Self::Urgent,
        Self::Syn,
        Self::Reset,
        Self::Lsov1OnIpv6,
        Self::IpVersionMismatch,
        Self::OffsetMismatch,
        Self::Lsov1TooLong,
        Self::TooManyChildren,
        Self::HeaderBufferTooShort,
    ];

    /// The reason's place in [`ALL`](Self::ALL), and in an array of counters of
    /// the same length.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// A short identifier in kebab case, for JSON and counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedLargeSend => "malformed-large-send",
            Self::MssZero => "mss-zero",
            Self::SegmentTooLong => "segment-too-long",
            Self::SegmentAboveMtu => "segment-above-mtu",
            Self::NoPayload => "no-payload",
            Self::HeaderNotContiguous => "header-not-contiguous",
            Self::HeaderTooLong => "header-too-long",
            Self::TooManyVlanTags => "too-many-vlan-tags",
            Self::NotIp => "not-ip",
            Self::MalformedIpv4 => "malformed-ipv4",
            Self::MalformedIpv6 => "malformed-ipv6",
            Self::Fragment => "fragment",
            Self::Ipsec => "ipsec",
            Self::Jumbogram => "jumbogram",
            Self::NotTcp => "not-tcp",
            Self::NotUdp => "not-udp",
            Self::NotEncapsulated => "not-encapsulated",
            Self::MalformedTcp => "malformed-tcp",
            Self::Urgent => "urgent",
            Self::Syn => "syn",
            Self::Reset => "reset",
            Self::Lsov1OnIpv6 => "lsov1-on-ipv6",
            Self::IpVersionMismatch => "ip-version-mismatch",
            Self::OffsetMismatch => "offset-mismatch",
            Self::Lsov1TooLong => "lsov1-too-long",
            Self::TooManyChildren => "too-many-children",
            Self::HeaderBufferTooShort => "header-buffer-too-short",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::MalformedLargeSend => "the large send's descriptors violate the rules of NDIS",
            Self::MssZero => "the large send has an MSS of 0",
            Self::SegmentTooLong => {
                "the MSS makes segments longer than an IP packet can be (64 KiB)"
            }
            Self::SegmentAboveMtu => "the MSS makes segments longer than the adapter's MTU",
            Self::NoPayload => "the large send carries no payload",
            Self::HeaderNotContiguous => "the packet ends before its headers do",
            Self::HeaderTooLong => "the headers are longer than 256 bytes",
            Self::TooManyVlanTags => "the frame has more than two VLAN tags",
            Self::NotIp => "the frame carries neither IPv4 nor IPv6",
            Self::MalformedIpv4 => "the IPv4 header has a wrong version or length",
            Self::MalformedIpv6 => "the IPv6 header or its options are malformed",
            Self::Fragment => "the packet is an IP fragment",
            Self::Ipsec => "the packet is protected by IPsec (AH or ESP)",
            Self::Jumbogram => "the packet has the IPv6 jumbo payload option",
            Self::NotTcp => "no TCP header was found in the packet",
            Self::NotUdp => "no UDP header was found in the packet",
            Self::NotEncapsulated => {
                "the packet is sent as encapsulated, but not in NVGRE or VXLAN"
            }
            Self::MalformedTcp => "the TCP header has a wrong length",
            Self::Urgent => "the TCP segment has URG set",
            Self::Syn => "the TCP segment has SYN set",
            Self::Reset => "the TCP segment has RST set",
            Self::Lsov1OnIpv6 => "LSO version 1 was requested for an IPv6 packet",
            Self::IpVersionMismatch => "the packet's IP version differs from the requested one",
            Self::OffsetMismatch => "a header is not at the offset that the sender gave",
            Self::Lsov1TooLong => "a child would be longer than LSO version 1 allows (64 KiB)",
            Self::TooManyChildren => "the large send would need too many children",
            Self::HeaderBufferTooShort => "the buffer for a child's header is too short",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::Refusal;

    #[test]
    fn all_is_in_the_order_of_index() {
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal.index(), place, "{refusal:?}");
        }
    }

    #[test]
    fn names_are_kebab_case_and_differ() {
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            let name = refusal.name();
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(kebab), "{name}");
            let earlier = Refusal::ALL.into_iter().take(place);
            assert!(earlier.into_iter().all(|other| other.name() != name));
        }
    }

    #[test]
    fn sentences_differ() {
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            let sentence = refusal.to_string();
            let mut earlier = Refusal::ALL.into_iter().take(place);
            assert!(earlier.all(|other| other.to_string() != sentence));
            assert!(sentence.len() > 20, "{sentence}");
        }
    }
}
