//! The ASN.1 types of a catalog.
//!
//! The meaning of the fields is in the documentation of CTL_INFO (wincrypt.h) and CAT_NAMEVALUE
//! (wintrust.h); their encoding was read from catalogs of Windows and of drivers.

use der::Sequence;
use der::asn1::{BmpString, OctetString, SetOfVec, UtcTime};
use der::oid::ObjectIdentifier;
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// CRYPTCAT_ATTR_AUTHENTICATED, CRYPTCAT_ATTR_DATAASCII, CRYPTCAT_ATTR_NAMEASCII.
const PLAIN_AND_SIGNED: u32 = 0x1001_0001;

/// CertificateTrustList.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct TrustList {
    /// The purpose of the list.
    pub usage: Vec<ObjectIdentifier>,
    /// The list's name.
    pub identifier: OctetString,
    /// When it was made.
    pub this_update: UtcTime,
    /// The algorithm of its entries' tags.
    pub algorithm: AlgorithmIdentifierOwned,
    /// The entries, in the order of their tags.
    pub entries: Vec<Entry>,
    /// Attributes of the whole list.
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub extensions: Option<Vec<Extension>>,
}

/// TrustedSubject.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct Entry {
    /// The hash that the file is found by.
    pub tag: OctetString,
    /// The file's attributes.
    pub attributes: SetOfVec<Attribute>,
}

/// CAT_NAMEVALUE.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct NameValue {
    /// The name, in big-endian UTF-16.
    pub name: BmpString,
    /// How name and value are to be read.
    pub flags: u32,
    /// The value: in little-endian UTF-16, with a zero at its end.
    pub value: OctetString,
}

impl NameValue {
    /// A name and a value.
    ///
    /// # Errors
    ///
    /// The name has characters beyond the basic plane.
    pub fn new(name: &str, value: &str) -> der::Result<Self> {
        let units = value.encode_utf16().chain([0]);
        Ok(Self {
            name: BmpString::from_utf8(name)?,
            flags: PLAIN_AND_SIGNED,
            value: OctetString::new(units.flat_map(u16::to_le_bytes).collect::<Vec<_>>())?,
        })
    }

    /// The value as text.
    pub fn text(&self) -> String {
        let (units, _) = self.value.as_bytes().as_chunks::<2>();
        let units: Vec<_> = units.iter().copied().map(u16::from_le_bytes).collect();
        String::from_utf16_lossy(&units)
            .trim_end_matches('\0')
            .into()
    }
}

#[cfg(test)]
mod tests {
    use der::Encode;

    use super::NameValue;

    /// From a driver's catalog that Microsoft signed.
    #[test]
    fn a_name_and_a_value_are_written_as_microsoft_does() {
        let encoded = NameValue::new("OSAttr", "2:10.0").and_then(|pair| pair.to_der());
        let wanted = b"\x30\x24\x1E\x0C\0O\0S\0A\0t\0t\0r\x02\x04\x10\x01\x00\x01\
            \x04\x0E2\0:\x001\x000\0.\x000\0\0\0";
        assert_eq!(encoded.expect("encodable"), wanted);
    }
}
