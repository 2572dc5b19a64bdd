//! The key and the certificate that sign a package for machines with test signing on.
//!
//! The key is RSA, the usual kind for drivers. The certificate has the fields that PowerShell's
//! `New-SelfSignedCertificate -Type CodeSigningCert` gives one.

use std::path::Path;
use std::str::FromStr;

use der::asn1::OctetString;
use der::pem::LineEnding;
use der::{Decode, DecodePem, Encode, EncodePem};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::rand_core::CryptoRngCore;
use rsa::sha2::{Digest, Sha256};
use rsa::signature::{Keypair, SignatureEncoding, Signer};
use time::{Duration, OffsetDateTime};
use x509_cert::Certificate;
use x509_cert::builder::{Builder, CertificateBuilder, Profile};
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

use crate::date;
use crate::failure::Failure;

/// Bits of a key.
pub const KEY_BITS: usize = 2048;

/// Ten years, and some leap days.
const LIFETIME: Duration = Duration::days(3653);

/// A key, and the certificate that it signed itself.
pub struct Identity {
    key: SigningKey<Sha256>,
    certificate: Certificate,
}

impl Identity {
    /// A new key of `bits`, and a certificate for `name` from the start of `date`'s day on.
    ///
    /// # Errors
    ///
    /// The name cannot be a common name, or the date cannot be in a certificate.
    pub fn create(
        name: &str,
        date: OffsetDateTime,
        bits: usize,
        random: &mut impl CryptoRngCore,
    ) -> Result<Self, Failure> {
        let key = SigningKey::new(RsaPrivateKey::new(random, bits)?);
        let certificate = certificate(&key, name, date)?;
        Ok(Self { key, certificate })
    }

    /// Reads the text that [`to_pem`](Self::to_pem) returned; errors name `path`.
    ///
    /// # Errors
    ///
    /// It has no key, no certificate, or the two are not of each other.
    pub fn from_pem(pem: &str, path: &Path) -> Result<Self, Failure> {
        let failed = |why| Failure::Key(path.to_owned(), why);
        let (key, certificate) = pem
            .find("-----BEGIN CERTIFICATE-----")
            .map(|at| pem.split_at(at))
            .ok_or_else(|| failed("has no certificate"))?;
        let key = RsaPrivateKey::from_pkcs8_pem(key).map_err(|_| failed("has no RSA key"))?;
        let key = SigningKey::new(key);
        let certificate =
            Certificate::from_pem(certificate).map_err(|_| failed("has a broken certificate"))?;
        if certificate.tbs_certificate.subject_public_key_info != public_key(&key)? {
            return Err(failed("has the certificate of another key"));
        }
        Ok(Self { key, certificate })
    }

    /// The key, then the certificate.
    pub fn to_pem(&self) -> Result<String, Failure> {
        let key: &RsaPrivateKey = self.key.as_ref();
        let mut pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| der::ErrorKind::Failed)
            .map_err(der::Error::from)?
            .to_string();
        pem.push_str(&self.certificate.to_pem(LineEnding::LF)?);
        Ok(pem)
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The PKCS #1 v1.5 signature of the SHA-256 hash of `message`.
    ///
    /// # Errors
    ///
    /// The key is too short for it.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let signature = self.key.try_sign(message);
        Ok(signature.map_err(|_| rsa::Error::MessageTooLong)?.to_vec())
    }
}

fn public_key(key: &SigningKey<Sha256>) -> Result<SubjectPublicKeyInfoOwned, Failure> {
    let key = SubjectPublicKeyInfoOwned::from_key(key.verifying_key());
    key.map_err(|_| der::Error::from(der::ErrorKind::Failed).into())
}

fn certificate(
    key: &SigningKey<Sha256>,
    name: &str,
    date: OffsetDateTime,
) -> Result<Certificate, Failure> {
    let public_key = public_key(key)?;
    let print = Sha256::digest(public_key.to_der()?);
    let subject = Name::from_str(&format!("CN={}", escape(name)))?;
    let start = date.replace_time(time::Time::MIDNIGHT);
    let validity = Validity {
        not_before: Time::UtcTime(date::utc_time(start)?),
        not_after: Time::UtcTime(date::utc_time(start + LIFETIME)?),
    };
    let mut builder = CertificateBuilder::new(
        Profile::Manual {
            issuer: Some(subject.clone()),
        },
        SerialNumber::new(&print[..16])?,
        validity,
        subject,
        public_key,
        key,
    )?;
    builder.add_extension(&KeyUsage(KeyUsages::DigitalSignature.into()))?;
    builder.add_extension(&ExtendedKeyUsage(vec![crate::oids::CODE_SIGNING]))?;
    builder.add_extension(&SubjectKeyIdentifier(OctetString::new(&print[..20])?))?;
    let certificate = builder.build::<rsa::pkcs1v15::Signature>()?;
    Ok(Certificate::from_der(&certificate.to_der()?)?)
}

/// A name for RFC 4514, where some characters are special.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for character in name.chars() {
        if ",+\"\\<>;=#".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
