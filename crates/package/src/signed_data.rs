//! PKCS #7 SignedData as Windows reads it: in an image, and around a catalog.
//!
//! It is version 1 (RFC 2315), so the content is no OCTET STRING, and its hash leaves out its
//! outermost tag and length. The attributes are those that Microsoft's signtool writes.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{OctetString, SetOfVec};
use der::oid::ObjectIdentifier;
use der::{Any, Encode, EncodeValue, Tagged};
use rsa::sha2::{Digest, Sha256};
use x509_cert::attr::Attribute;

use crate::failure::Failure;
use crate::identity::Identity;
use crate::oids;
use crate::spc::algorithm;

/// Signs `content`, of type `content_type`, and gives the whole as DER.
///
/// # Errors
///
/// The content does not fit its encoding, or the key cannot sign.
pub fn sign(
    identity: &Identity,
    content_type: ObjectIdentifier,
    content: &(impl Tagged + EncodeValue),
) -> Result<Vec<u8>, Failure> {
    let content = Any::encode_from(content)?;
    let signer = signer(identity, content_type, &content)?;
    let certificate = CertificateChoices::Certificate(identity.certificate().clone());
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![algorithm(oids::SHA256)])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: content_type,
            econtent: Some(content),
        },
        certificates: Some(SetOfVec::try_from(vec![certificate])?.into()),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
    };
    let whole = ContentInfo {
        content_type: oids::SIGNED_DATA,
        content: Any::encode_from(&signed_data)?,
    };
    Ok(whole.to_der()?)
}

fn signer(
    identity: &Identity,
    content_type: ObjectIdentifier,
    content: &Any,
) -> Result<SignerInfo, Failure> {
    let attributes = SetOfVec::try_from(vec![
        attribute(oids::CONTENT_TYPE, &content_type)?,
        attribute(
            oids::MESSAGE_DIGEST,
            &OctetString::new(Sha256::digest(content.value()).to_vec())?,
        )?,
        attribute(oids::STATEMENT_TYPE, &vec![oids::INDIVIDUAL])?,
        // Neither a program's name nor an address: an empty sequence.
        attribute(oids::OPUS_INFO, &Vec::<Any>::new())?,
    ])?;
    let signature = identity.sign(&attributes.to_der()?)?;
    let certificate = &identity.certificate().tbs_certificate;
    Ok(SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.issuer.clone(),
            serial_number: certificate.serial_number.clone(),
        }),
        digest_alg: algorithm(oids::SHA256),
        signed_attrs: Some(attributes),
        signature_algorithm: algorithm(oids::RSA_ENCRYPTION),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    })
}

/// An attribute with one value.
pub fn attribute(
    oid: ObjectIdentifier,
    value: &(impl Tagged + EncodeValue),
) -> der::Result<Attribute> {
    Ok(Attribute {
        oid,
        values: SetOfVec::try_from(vec![Any::encode_from(value)?])?,
    })
}
