//! The limits of TCP large sends, as tests and the model compare them.

/// The limits of one kind of large send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendLimit {
    /// Most bytes of TCP payload in one large send; 0 if the kind is not supported.
    pub max_payload: u32,
    /// Least wire segments that a large send must make.
    pub min_segments: u32,
}

/// The limits of the three kinds of large sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LargeSendLimits {
    /// LSOv1, which is IPv4 only.
    pub v1: LargeSendLimit,
    /// LSOv2 over IPv4.
    pub v2_ipv4: LargeSendLimit,
    /// LSOv2 over IPv6.
    pub v2_ipv6: LargeSendLimit,
}
