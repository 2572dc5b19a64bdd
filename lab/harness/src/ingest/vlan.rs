//! The VLAN tag beside a packet: `Ieee8021QNetBufferListInfo`.
//!
//! A stack that leaves tagging to the NIC passes the tag out of band; the NIC puts it into each
//! packet after the Ethernet addresses.

use std::fmt;

/// After the two Ethernet addresses.
const AT: usize = 12;
const LEN: usize = 4;
/// The EtherType of 802.1Q. A service tag (802.1ad) has no place in the slot.
const TPID: [u8; 2] = [0x81, 0x00];

/// An 802.1Q tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Priority (PCP), 3 bits.
    pub priority: u8,
    /// Canonical format indicator, or drop eligible (DEI), as it is called now.
    pub canonical_format: bool,
    /// VLAN id, 12 bits.
    pub id: u16,
}

impl Tag {
    /// Takes the outermost tag out of a frame. One of priority 0 and VLAN 0 is left in the frame:
    /// out of band it would mean no tag.
    #[must_use]
    pub fn take(frame: &mut Vec<u8>) -> Option<Self> {
        let tag: [u8; LEN] = *frame.get(AT..)?.first_chunk()?;
        let control = u16::from_be_bytes([tag[2], tag[3]]);
        if tag[..2] != TPID || control == 0 {
            return None;
        }
        frame.drain(AT..AT + LEN);
        Some(Self {
            priority: (control >> 13) as u8,
            canonical_format: control & 1 << 12 != 0,
            id: control & 0xFFF,
        })
    }

    /// Puts the tag into a frame, as a NIC does before it sends. A frame without whole addresses is
    /// left unchanged.
    pub fn put_back(self, frame: &mut Vec<u8>) {
        let control =
            u16::from(self.priority) << 13 | u16::from(self.canonical_format) << 12 | self.id;
        let [high, low] = control.to_be_bytes();
        if frame.len() >= AT {
            frame.splice(AT..AT, [TPID[0], TPID[1], high, low]);
        }
    }

    /// The slot's value: NDIS_NET_BUFFER_LIST_8021Q_INFO, whose bit fields are,
    /// least significant first, UserPriority 3, CanonicalFormatId 1, VlanId 12.
    pub fn raw(self) -> usize {
        usize::from(self.priority)
            | usize::from(self.canonical_format) << 3
            | usize::from(self.id) << 4
    }
}

/// As the comment of a captured packet has it.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vlan={} priority={}", self.id, self.priority)?;
        if self.canonical_format {
            f.write_str(" dei=1")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testpkt::synth::Synth;

    #[test]
    fn a_tag_goes_beside_and_back() {
        // Priority 5, DEI, VLAN 0x123.
        let tagged = Synth::v4(10, 5).vlan(&[0xB123]).frame(false);
        let mut frame = tagged.clone();
        let tag = Tag::take(&mut frame).unwrap();
        assert_eq!(frame, Synth::v4(10, 5).frame(false));
        assert_eq!(tag.raw(), 0x123D);
        assert_eq!(
            (tag.priority, tag.canonical_format, tag.id),
            (5, true, 0x123)
        );
        assert_eq!(tag.to_string(), "vlan=291 priority=5 dei=1");
        tag.put_back(&mut frame);
        assert_eq!(frame, tagged);
    }

    #[test]
    fn what_has_no_place_beside_stays() {
        for send in [
            Synth::v6(10, 5),
            Synth::v6(10, 5).vlan(&[0]),
            // The outermost of two is a service tag.
            Synth::v6(10, 5).vlan(&[1, 2]),
        ] {
            let mut frame = send.frame(false);
            assert_eq!(Tag::take(&mut frame), None);
            assert_eq!(frame, send.frame(false));
        }
        assert_eq!(Tag::take(&mut vec![0x81; 15]), None);
    }
}
