//! SpcIndirectDataContent: the hash of a file, and how it was taken.
//!
//! Microsoft, "Windows Authenticode Portable Executable Signature Format".

use der::asn1::{Null, OctetString};
use der::oid::ObjectIdentifier;
use der::{Any, Decode, Sequence};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::oids;

/// SpcIndirectDataContent.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct IndirectData {
    /// SpcAttributeTypeAndOptionalValue: the kind of hashed data.
    pub data: Subject,
    /// The hash.
    pub message_digest: DigestInfo,
}

/// SpcAttributeTypeAndOptionalValue.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct Subject {
    /// The kind of file, like [`oids::PE_IMAGE_DATA`].
    pub kind: ObjectIdentifier,
    /// The value that goes with that kind.
    pub value: Any,
}

/// DigestInfo.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct DigestInfo {
    /// How the hash was taken.
    pub algorithm: AlgorithmIdentifierOwned,
    /// The hash.
    pub digest: OctetString,
}

/// The hashed bytes, and the place where the hash is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An image, in its own signature.
    EmbeddedImage,
    /// An image, in a catalog.
    Image,
    /// Another file, in a catalog.
    Flat,
}

impl Kind {
    fn subject(self) -> ObjectIdentifier {
        match self {
            Self::EmbeddedImage | Self::Image => oids::PE_IMAGE_DATA,
            Self::Flat => oids::LINK,
        }
    }

    /// SpcPeImageData or SpcLink, as Microsoft's signtool and catalogs have them: the link is to a
    /// file with an empty name. The flags in SpcPeImageData differ between the two places; by the
    /// document above they are ignored.
    fn value(self) -> &'static [u8] {
        match self {
            Self::EmbeddedImage => b"\x30\x09\x03\x01\x00\xA0\x04\xA2\x02\x80\x00",
            Self::Image => b"\x30\x0A\x03\x02\x05\xA0\xA0\x04\xA2\x02\x80\x00",
            Self::Flat => b"\xA2\x02\x80\x00",
        }
    }
}

/// The content for a file of `kind` with that SHA-256 hash.
pub fn indirect_data(kind: Kind, sha256: &[u8]) -> der::Result<IndirectData> {
    Ok(IndirectData {
        data: Subject {
            kind: kind.subject(),
            value: Any::from_der(kind.value())?,
        },
        message_digest: DigestInfo {
            algorithm: algorithm(oids::SHA256),
            digest: OctetString::new(sha256)?,
        },
    })
}

/// An algorithm whose parameters are NULL, which Windows requires to be encoded.
pub fn algorithm(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid,
        parameters: Some(Null.into()),
    }
}

#[cfg(test)]
mod tests {
    use der::Encode;

    use super::{Kind, indirect_data};

    /// From a catalog of Windows itself, for an image.
    #[test]
    fn an_image_in_a_catalog_is_recorded_as_microsoft_does() {
        let content = indirect_data(Kind::Image, &[0x06; 32]).expect("encodable");
        let mut wanted = b"\x30\x4D\
            \x30\x18\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x02\x01\x0F\
            \x30\x0A\x03\x02\x05\xA0\xA0\x04\xA2\x02\x80\x00\
            \x30\x31\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
            .to_vec();
        wanted.extend([0x06; 32]);
        assert_eq!(content.to_der().expect("encodable"), wanted);
    }

    /// From a catalog of Windows itself, for a text file.
    #[test]
    fn a_flat_file_is_recorded_as_microsoft_does() {
        let content = indirect_data(Kind::Flat, &[0x21; 32]).expect("encodable");
        let mut wanted = b"\x30\x45\
            \x30\x10\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x02\x01\x19\xA2\x02\x80\x00\
            \x30\x31\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
            .to_vec();
        wanted.extend([0x21; 32]);
        assert_eq!(content.to_der().expect("encodable"), wanted);
    }
}
