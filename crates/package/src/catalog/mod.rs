//! The catalog `mslso.cat`: the hashes of a package's files, signed as one.
//!
//! It is a list of trusted hashes ([`list::TrustList`]) with two entries for each file, as in the
//! catalogs of Windows 10 and of Microsoft's makecat with `CatalogVersion=2`: one tagged with its
//! SHA-256 hash, which has the hash once more as indirect data, and one with its SHA-1 hash for
//! readers that look for that. For an image both are Authenticode hashes. Both have the attributes
//! `File` and `OSAttr`, so that a reader that finds either entry finds them.
//! [`read`](read::members) returns the members.

pub mod list;
pub mod read;

use std::collections::BTreeSet;

use der::Tag;
use der::asn1::{OctetString, SetOfVec};
use der::{Any, Encode, TagNumber};
use rsa::sha2::{Digest, Sha256};
use sha1::Sha1;
use time::OffsetDateTime;
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;

use self::list::{Entry, NameValue, TrustList};
use crate::date;
use crate::failure::Failure;
use crate::image::Image;
use crate::oids;
use crate::signed_data::attribute;
use crate::spc::{Kind, algorithm, indirect_data};

/// The versions of Windows that a member is for: Windows NT (2), 10.0.
const OS_ATTRIBUTE: &str = "2:10.0";

/// A file of the package, as the catalog has it.
#[derive(Clone, Debug)]
pub struct Member {
    name: String,
    kind: Kind,
    sha1: Vec<u8>,
    sha256: Vec<u8>,
}

impl Member {
    /// An image.
    pub fn image(name: &str, image: &Image) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Image,
            sha1: image.hash::<Sha1>(),
            sha256: image.hash::<Sha256>(),
        }
    }

    /// A file that is an image without a signature, or any other.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        match Image::new(bytes.to_vec()) {
            Ok(image) => Self::image(name, &image),
            Err(_) => Self::flat(name, bytes),
        }
    }

    /// A file that is no image.
    pub fn flat(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Flat,
            sha1: Sha1::digest(bytes).to_vec(),
            sha256: Sha256::digest(bytes).to_vec(),
        }
    }

    fn entries(&self) -> der::Result<[Entry; 2]> {
        let mut attributes = vec![
            member_info(self.kind)?,
            attribute(oids::NAME_VALUE, &NameValue::new("File", &self.name)?)?,
            attribute(oids::NAME_VALUE, &NameValue::new("OSAttr", OS_ATTRIBUTE)?)?,
        ];
        let old = Entry {
            tag: OctetString::new(self.sha1.as_slice())?,
            attributes: SetOfVec::try_from(attributes.clone())?,
        };
        let data = indirect_data(self.kind, &self.sha256)?;
        attributes.push(attribute(oids::INDIRECT_DATA, &data)?);
        let new = Entry {
            tag: OctetString::new(self.sha256.as_slice())?,
            attributes: SetOfVec::try_from(attributes)?,
        };
        Ok([old, new])
    }
}

/// The kind of a file, by an empty value: tag 0 for an image, 2 for a file of no known kind.
fn member_info(kind: Kind) -> der::Result<Attribute> {
    let number = match kind {
        Kind::EmbeddedImage | Kind::Image => TagNumber::N0,
        Kind::Flat => TagNumber::N2,
    };
    let tag = Tag::ContextSpecific {
        constructed: false,
        number,
    };
    attribute(oids::MEMBER_INFO2, &Any::new(tag, [])?)
}

/// The catalog, not signed: its members, the Windows versions it applies to, in inf2cat's notation
/// such as `_v100_X64`, and the identifiers of the devices that the INF is for.
///
/// # Errors
///
/// A name does not fit its encoding, or the date is out of range.
pub fn list(
    members: &[Member],
    systems: &str,
    identifiers: &BTreeSet<String>,
    date: OffsetDateTime,
) -> Result<TrustList, Failure> {
    let mut entries = Vec::new();
    for member in members {
        entries.extend(member.entries()?);
    }
    entries.sort_by(|a, b| a.tag.as_bytes().cmp(b.tag.as_bytes()));
    let mut extensions = vec![extension("OS", systems)?];
    for (number, identifier) in identifiers.iter().enumerate().rev() {
        extensions.push(extension(&format!("HWID{}", number + 1), identifier)?);
    }
    // A name for the list: any 16 bytes. Here the same files have the same.
    let identifier = Sha256::digest(entries.to_der()?);
    Ok(TrustList {
        usage: vec![oids::CATALOG_LIST],
        identifier: OctetString::new(&identifier[..16])?,
        this_update: date::utc_time(date)?,
        algorithm: algorithm(oids::CATALOG_LIST_MEMBER2),
        entries,
        extensions: Some(extensions),
    })
}

/// An attribute of the whole catalog.
fn extension(name: &str, value: &str) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: oids::NAME_VALUE,
        critical: false,
        extn_value: OctetString::new(NameValue::new(name, value)?.to_der()?)?,
    })
}
