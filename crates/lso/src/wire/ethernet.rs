//! Ethernet II with VLAN tags in the frame (IEEE 802.3, 802.1Q).

use super::Field;

pub(crate) const TYPE: Field = 12..14;
pub(crate) const LENGTH: usize = 14;

pub(crate) const TYPE_IPV4: u16 = 0x0800;
pub(crate) const TYPE_IPV6: u16 = 0x86DD;

/// A VLAN tag, starting behind its EtherType: the tag control information, then the type of the
/// next header. Tags and network protocols are thus distinguished by one rule, regardless of the
/// number of tags.
pub(crate) mod vlan {
    use crate::wire::Field;

    pub(crate) const TYPE: Field = 2..4;
    pub(crate) const LENGTH: usize = 4;
}

/// Whether a VLAN tag follows this type: the customer tag, the service tag, and
/// the number that stood for the service tag before 802.1ad.
#[inline]
pub(crate) fn is_vlan(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88A8 | 0x9100)
}
