//! A catalog read back.

use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode, Encode};

use super::list::{NameValue, TrustList};
use crate::oids;
use crate::spc::IndirectData;

/// An entry of a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMember {
    /// The hash that the file is found by: SHA-1 or SHA-256.
    pub tag: Vec<u8>,
    /// Named attributes and their values.
    pub attributes: Vec<(String, String)>,
    /// The hash in the indirect data, if there is any.
    pub digest: Option<Vec<u8>>,
}

/// The list in a catalog, signed or not.
pub fn list(catalog: &[u8]) -> der::Result<TrustList> {
    let whole = ContentInfo::from_der(catalog)?;
    whole
        .content_type
        .eq(&oids::SIGNED_DATA)
        .then_some(())
        .ok_or(der::ErrorKind::Failed)?;
    let signed: SignedData = whole.content.decode_as()?;
    let content = signed.encap_content_info.econtent;
    content
        .filter(|_| signed.encap_content_info.econtent_type == oids::CTL)
        .ok_or(der::ErrorKind::Failed)?
        .decode_as()
}

/// The attributes of the whole list.
pub fn attributes(list: &TrustList) -> der::Result<Vec<(String, String)>> {
    let extensions = list.extensions.iter().flatten();
    extensions
        .map(|extension| NameValue::from_der(extension.extn_value.as_bytes()))
        .map(|pair| pair.map(|pair| (pair.name.to_string(), pair.text())))
        .collect()
}

/// The entries, in their order.
///
/// # Errors
///
/// An attribute has another form than its identifier requires.
pub fn members(list: &TrustList) -> der::Result<Vec<ReadMember>> {
    let mut members = Vec::new();
    for entry in &list.entries {
        let mut member = ReadMember {
            tag: entry.tag.as_bytes().to_vec(),
            attributes: Vec::new(),
            digest: None,
        };
        for attribute in entry.attributes.iter() {
            for value in attribute.values.iter() {
                let value = value.to_der()?;
                if attribute.oid == oids::NAME_VALUE {
                    let pair = NameValue::from_der(&value)?;
                    member.attributes.push((pair.name.to_string(), pair.text()));
                } else if attribute.oid == oids::INDIRECT_DATA {
                    let data = IndirectData::from_der(&value)?;
                    member.digest = Some(data.message_digest.digest.as_bytes().to_vec());
                }
            }
        }
        members.push(member);
    }
    Ok(members)
}
