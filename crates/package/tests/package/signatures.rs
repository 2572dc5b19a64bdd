//! Signatures, read back and verified with the public key alone.

use std::fs;
use std::path::{Path, PathBuf};

use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerInfo};
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::{Decode, Encode};
use mslso_package::catalog::read;
use mslso_package::oids;
use mslso_package::spc::IndirectData;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::{Digest, Sha256};
use rsa::signature::Verifier;
use sha1::Sha1;
use x509_cert::Certificate;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use crate::common::{OPTIONAL_HEADER, build_well, image, inputs, key, tool};

/// Builds with the shared key.
fn package(name: &str) -> PathBuf {
    let more = ["--date", "2026-01-31", "--keep-key", key()];
    build_well(&inputs(name), "out", &more)
}

fn certificate(package: &Path) -> Certificate {
    let bytes = fs::read(package.join("mslso-test.cer")).expect("a certificate");
    Certificate::from_der(&bytes).expect("a certificate")
}

fn signed_data(bytes: &[u8]) -> SignedData {
    let whole = ContentInfo::from_der(bytes).expect("a content");
    assert_eq!(whole.content_type, oids::SIGNED_DATA);
    whole.content.decode_as().expect("signed data")
}

/// The embedded signature of a signed image.
fn embedded(sys: &[u8]) -> Vec<u8> {
    let certificate = &sys[image().len() + 8..];
    let (&[0x30, 0x82, high, low], _) = certificate.split_first_chunk().expect("a signature")
    else {
        panic!("no sequence of 256 bytes or more");
    };
    certificate[..4 + usize::from(u16::from_be_bytes([high, low]))].to_vec()
}

fn attribute(signer: &SignerInfo, oid: ObjectIdentifier) -> Vec<u8> {
    let attributes = signer.signed_attrs.as_ref().expect("attributes");
    let attribute = attributes.iter().find(|attribute| attribute.oid == oid);
    let values = &attribute.expect("the attribute").values;
    assert_eq!(values.len(), 1);
    values.get(0).expect("a value").to_der().expect("encodable")
}

/// Verifies the one signature, and gives the content with its tag.
fn verified(bytes: &[u8], certificate: &Certificate) -> Vec<u8> {
    let data = signed_data(bytes);
    let content = data.encap_content_info.econtent.expect("a content");
    let signer = data.signer_infos.0.get(0).expect("a signer");
    let hash = Sha256::digest(content.value());
    assert_eq!(attribute(signer, oids::MESSAGE_DIGEST)[2..], hash[..]);
    assert_eq!(
        attribute(signer, oids::CONTENT_TYPE),
        data.encap_content_info
            .econtent_type
            .to_der()
            .expect("encodable")
    );
    let key = certificate.tbs_certificate.subject_public_key_info.to_der();
    let key = RsaPublicKey::from_public_key_der(&key.expect("encodable")).expect("a key");
    let signature = Signature::try_from(signer.signature.as_bytes()).expect("a signature");
    let message = signer.signed_attrs.to_der().expect("encodable");
    VerifyingKey::<Sha256>::new(key)
        .verify(&message, &signature)
        .expect("a good signature");
    content.to_der().expect("encodable")
}

#[test]
fn driver_and_tool_carry_their_own_hash_signed() {
    let package = package("driver");
    for (name, unsigned) in [("mslso.sys", image()), ("mslsoctl.exe", tool())] {
        let signed = fs::read(package.join(name)).expect("an image");
        let content = verified(&embedded(&signed), &certificate(&package));
        let content = IndirectData::from_der(&content).expect("indirect data");
        let unsigned = mslso_package::image::Image::new(unsigned).expect("an image");
        assert_eq!(content.data.kind, oids::PE_IMAGE_DATA);
        assert_eq!(
            content.message_digest.digest.as_bytes(),
            unsigned.hash::<Sha256>(),
            "{name}"
        );
        let checksum = OPTIONAL_HEADER + 64;
        assert_ne!(signed[checksum..checksum + 4], [0; 4], "{name}");
    }
}

#[test]
fn the_catalog_reads_back() {
    let package = package("catalog");
    let bytes = fs::read(package.join("mslso.cat")).expect("the catalog");
    verified(&bytes, &certificate(&package));
    let list = read::list(&bytes).expect("a list");
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        read::attributes(&list).expect("attributes"),
        [
            text("OS", "_v100_X64,Server_v100_X64"),
            text("HWID1", "mslso_lwf")
        ]
    );
    assert_eq!(list.this_update.to_unix_duration().as_secs(), 1_769_817_600);

    let members = read::members(&list).expect("members");
    assert!(members.is_sorted_by(|a, b| a.tag < b.tag));
    let inf = fs::read(package.join("mslso.inf")).expect("the INF");
    let sys = mslso_package::image::Image::new(image()).expect("an image");
    for (name, sha1, sha256) in [
        (
            "mslso.inf",
            Sha1::digest(&inf).to_vec(),
            Sha256::digest(&inf).to_vec(),
        ),
        ("mslso.sys", sys.hash::<Sha1>(), sys.hash::<Sha256>()),
    ] {
        let find = |tag: &[u8]| {
            let member = members.iter().find(|member| member.tag == tag);
            member.expect("the member").clone()
        };
        let (old, new) = (find(&sha1), find(&sha256));
        assert_eq!(old.digest, None);
        assert_eq!(new.digest, Some(sha256));
        for mut member in [old, new] {
            member.attributes.sort();
            let wanted = [text("File", name), text("OSAttr", "2:10.0")];
            assert_eq!(member.attributes, wanted);
        }
    }
    assert_eq!(members.len(), 4);
}

#[test]
fn the_certificate_signs_code_for_ten_years() {
    let package = package("certificate");
    let certificate = certificate(&package).tbs_certificate;
    assert_eq!(certificate.subject.to_string(), "CN=test");
    assert_eq!(certificate.issuer, certificate.subject);
    let validity = certificate.validity;
    assert_eq!(validity.not_before.to_string(), "2026-01-31T00:00:00Z");
    assert_eq!(validity.not_after.to_string(), "2036-02-01T00:00:00Z");
    let extensions = certificate.extensions.expect("extensions");
    let usage = extensions
        .iter()
        .find(|extension| extension.extn_id == ExtendedKeyUsage::OID)
        .expect("an extended key usage");
    // A sequence of 1.3.6.1.5.5.7.3.3 alone.
    let code_signing = b"\x30\x0A\x06\x08\x2B\x06\x01\x05\x05\x07\x03\x03";
    assert_eq!(usage.extn_value.as_bytes(), code_signing);
}

#[test]
fn a_broken_catalog_is_an_error_and_no_panic() {
    let package = package("broken");
    let bytes = fs::read(package.join("mslso.cat")).expect("the catalog");
    for end in 0..bytes.len() {
        assert!(read::list(&bytes[..end]).is_err());
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        let _ = read::list(&changed).and_then(|list| read::members(&list));
    }
}
