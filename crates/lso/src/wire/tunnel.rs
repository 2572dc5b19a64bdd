//! The header between an outer IP header and the frame in it: NVGRE (RFC 7637) or, behind UDP,
//! VXLAN (RFC 7348).

use super::Field;

pub(crate) mod nvgre {
    use super::Field;

    pub(crate) const FLAGS_VERSION: Field = 0..2;
    pub(crate) const PROTOCOL: Field = 2..4;
    /// With the key, which has the virtual subnet.
    pub(crate) const LENGTH: usize = 8;

    /// A key, and neither checksum nor sequence number: those would have to be
    /// different in every packet.
    pub(crate) const KEY_ONLY: u16 = 0x2000;
    /// A whole Ethernet frame.
    pub(crate) const TRANSPARENT_ETHERNET: u16 = 0x6558;
}

pub(crate) mod vxlan {
    pub(crate) const FLAGS: usize = 0;
    pub(crate) const LENGTH: usize = 8;

    /// The network identifier is valid.
    pub(crate) const VALID: u8 = 0x08;
}
