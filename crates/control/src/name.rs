//! An adapter's name.

use core::fmt::{self, Write as _};

/// An adapter's name, in UTF-16 as in Windows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    units: [u16; Self::MAX],
    length: u32,
}

impl Name {
    /// UTF-16 units that a name has room for.
    pub const MAX: usize = 128;

    /// The name that `units` are, or as much of it as has room. No character is cut in half.
    pub fn new(units: &[u16]) -> Self {
        let mut name = Self {
            units: [0; Self::MAX],
            length: 0,
        };
        let whole = match units.get(..Self::MAX) {
            // The second half of the last pair has no room.
            Some([front @ .., 0xD800..=0xDBFF]) if units.len() > Self::MAX => front,
            Some(front) => front,
            None => units,
        };
        for (place, unit) in name.units.iter_mut().zip(whole) {
            *place = *unit;
            name.length = name.length.saturating_add(1);
        }
        name
    }

    /// The name that `text` is, or as much of it as has room.
    pub fn from_text(text: &str) -> Self {
        let mut units = [0; Self::MAX];
        let mut length = 0_usize;
        for character in text.chars() {
            let end = length.saturating_add(character.len_utf16());
            let Some(place) = units.get_mut(length..end) else {
                break;
            };
            character.encode_utf16(place);
            length = end;
        }
        Self::new(units.get(..length).unwrap_or_default())
    }

    /// The name's UTF-16 units.
    pub fn units(&self) -> &[u16] {
        let length = usize::try_from(self.length).unwrap_or(Self::MAX);
        self.units.get(..length).unwrap_or(&self.units)
    }
}

impl fmt::Display for Name {
    /// Writes the name; units that are not UTF-16 become U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        char::decode_utf16(self.units().iter().copied())
            .try_for_each(|unit| f.write_char(unit.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::Name;

    #[test]
    fn text_comes_back() {
        for text in ["", "Ethernet 2", "Réseau", "網路", "a𝄞b"] {
            assert_eq!(Name::from_text(text).to_string(), text);
        }
        assert_eq!(Name::new(&[0x41, 0xD834]).to_string(), "A\u{FFFD}");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(Name::new(&[0x41; 129]).units(), [0x41; 128]);
        assert_eq!(Name::from_text(&"a".repeat(129)).units(), [0x61; 128]);
        let clef = "𝄞".repeat(65);
        assert_eq!(Name::from_text(&clef).to_string(), "𝄞".repeat(64));
    }
}
