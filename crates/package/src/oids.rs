//! Object identifiers of signatures and catalogs.
//!
//! Microsoft's are from "Windows Authenticode Portable Executable Signature Format" and the headers
//! wintrust.h and mscat.h.

use der::oid::ObjectIdentifier;

/// Parses at compile time.
const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// PKCS #7 signed data.
pub const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
/// The signed attribute that names the content's type.
pub const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
/// The signed attribute with the content's hash.
pub const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
/// RSA signatures; in a SignerInfo the hash is named apart from it.
pub const RSA_ENCRYPTION: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
/// SHA-256.
pub const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
/// The extended key usage of code signing.
pub const CODE_SIGNING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.3");

/// SPC_INDIRECT_DATA_OBJID: a hash of something outside of the signature.
pub const INDIRECT_DATA: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.4");
/// SPC_STATEMENT_TYPE_OBJID: the kind of publisher that signs.
pub const STATEMENT_TYPE: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.11");
/// SPC_SP_OPUS_INFO_OBJID: the program's name and address.
pub const OPUS_INFO: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.12");
/// SPC_PE_IMAGE_DATA_OBJID: the hashed bytes are an image.
pub const PE_IMAGE_DATA: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.15");
/// SPC_INDIVIDUAL_SP_KEY_PURPOSE_OBJID: an individual publisher.
pub const INDIVIDUAL: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.21");
/// SPC_LINK_OBJID, also called SPC_CAB_DATA_OBJID: the hashed bytes are a file of no known kind.
pub const LINK: ObjectIdentifier = oid("1.3.6.1.4.1.311.2.1.25");

/// szOID_CTL: a list of trusted hashes.
pub const CTL: ObjectIdentifier = oid("1.3.6.1.4.1.311.10.1");
/// szOID_CATALOG_LIST: the list is a catalog.
pub const CATALOG_LIST: ObjectIdentifier = oid("1.3.6.1.4.1.311.12.1.1");
/// szOID_CATALOG_LIST_MEMBER2: its members are tagged with plain hashes, SHA-256 among them.
pub const CATALOG_LIST_MEMBER2: ObjectIdentifier = oid("1.3.6.1.4.1.311.12.1.3");
/// CAT_NAMEVALUE_OBJID: an attribute with a name.
pub const NAME_VALUE: ObjectIdentifier = oid("1.3.6.1.4.1.311.12.2.1");
/// CAT_MEMBERINFO2_OBJID: the kind of file that a member is.
pub const MEMBER_INFO2: ObjectIdentifier = oid("1.3.6.1.4.1.311.12.2.3");
