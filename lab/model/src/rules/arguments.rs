//! Rules 29 and 52: what routines are called with.
#![expect(unsafe_code, reason = "reads counted strings")]

use ndis::sys;

use super::{Finding, Level, Rule};
use crate::{attach::text, state::State};

/// The page of the names.
const CHARACTERISTICS: &str = "ddi/ndis/ns-ndis-_ndis_filter_driver_characteristics";

/// The characters of a tag: those of ASCII that can be printed.
const PRINTABLE: std::ops::RangeInclusive<u8> = b' '..=b'~';

/// Whether `tag` has one to four characters (Windows driver documentation, ExAllocatePool2).
fn is_tag(tag: u32) -> bool {
    let letters = tag.to_le_bytes();
    let length = letters.iter().rposition(|letter| *letter != 0);
    length.is_some_and(|last| letters[..=last].iter().all(|one| PRINTABLE.contains(one)))
}

/// Whether `name` is a GUID in braces, as NetCfgInstanceId is.
fn is_guid(name: &str) -> bool {
    const DASHES: [usize; 4] = [9, 14, 19, 24];
    let right = |(at, letter): (usize, u8)| match at {
        0 => letter == b'{',
        37 => letter == b'}',
        _ if DASHES.contains(&at) => letter == b'-',
        _ => letter.is_ascii_hexdigit(),
    };
    name.len() == 38 && name.bytes().enumerate().all(right)
}

impl State {
    /// Checks the tag that `routine` was called with.
    pub(crate) fn check_tag(&mut self, tag: u32, routine: &str) {
        if tag == 0 {
            self.violation(Rule::PoolTags, routine, "no pool tag");
        } else if !is_tag(tag) {
            let found = format!("tag {tag:#x}, which is not one to four printable characters");
            self.violation(Rule::PoolTags, routine, found);
        }
    }

    /// Checks the names of a driver that registers.
    pub(crate) fn check_names(&mut self, all: &sys::NDIS_FILTER_DRIVER_CHARACTERISTICS) {
        let names = [
            ("FriendlyName", &all.FriendlyName),
            ("UniqueName", &all.UniqueName),
            ("ServiceName", &all.ServiceName),
        ];
        for (member, name) in names {
            // SAFETY: the characteristics' strings live during the registration.
            let name = unsafe { text(name) }.unwrap_or_default();
            if name.is_empty() {
                let found = format!("an empty {member}");
                let finding = Finding::new(Rule::Structures, found).on(CHARACTERISTICS);
                self.finding("NdisFRegisterFilterDriver", finding);
            } else if member == "UniqueName" && !is_guid(&name) {
                let found = format!("UniqueName {name}, which is no GUID in braces");
                let finding =
                    Finding::at(Level::Advice, Rule::Structures, found).on(CHARACTERISTICS);
                self.finding("NdisFRegisterFilterDriver", finding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_one_to_four_printable_characters() {
        for tag in [*b"Taly", *b"T\0\0\0", *b"a ~\0"] {
            assert!(is_tag(u32::from_le_bytes(tag)), "{tag:?}");
        }
        for tag in [
            *b"\0\0\0\0",
            *b"T\0ly",
            [1, 2, 3, 4],
            [b'T', 0xE4, b'l', b'y'],
        ] {
            assert!(!is_tag(u32::from_le_bytes(tag)), "{tag:?}");
        }
    }

    #[test]
    fn a_unique_name_is_a_guid_in_braces() {
        assert!(is_guid("{0C9E7D52-7F3B-4B0C-9B8E-5D1A64E1B2F7}"));
        assert!(!is_guid("0C9E7D52-7F3B-4B0C-9B8E-5D1A64E1B2F7"));
        assert!(!is_guid("{0C9E7D52-7F3B-4B0C-9B8E-5D1A64E1B2G7}"));
    }
}
