//! Any bytes as an image: the loader maps it or refuses it, and a package signs it or refuses it. A
//! signature is where Windows looks for it, changes nothing that it is over, and leaves the file's
//! checksum right.

use loader::{Fault, Image as Loaded};
use mslso_package::{failure::Failure, image::Image};
use object::{LittleEndian as LE, pe::IMAGE_DIRECTORY_ENTRY_SECURITY, read::pe::PeFile64};
use sha2::{Digest, Sha256};

/// A signature, of a length that has to be filled up.
const SIGNATURE: [u8; 13] = [0xAB; 13];

/// The optional header's CheckSum, and its directory entry of the signature, in bytes from the PE
/// signature on (PE Format, "Optional Header").
const CHECKSUM: usize = 24 + 64;
const SECURITY: usize = 24 + 112 + 8 * 4;

/// The outcome of reading it.
pub struct Read {
    /// Whether it is loaded.
    pub loaded: Result<(), Fault>,
    /// Whether it is signed.
    pub signed: Result<(), Failure>,
}

/// Loads `bytes`, without running anything of them, and signs them.
///
/// # Panics
/// If the signature is wrong.
#[must_use]
pub fn run(bytes: &[u8]) -> Read {
    let loaded = Loaded::from_bytes(bytes).map(drop);
    let signed = Image::new(bytes.to_vec()).and_then(|image| {
        let hash = image.hash::<Sha256>();
        let signed = image.with_signature(&SIGNATURE)?;
        check(bytes, &signed, &hash);
        Ok(())
    });
    for line in [
        loaded.as_ref().err().map(ToString::to_string),
        signed.as_ref().err().map(ToString::to_string),
    ] {
        assert!(line.is_none_or(|line| !line.contains('\n')));
    }
    Read { loaded, signed }
}

/// Checks a signed image against the unsigned one, and its hash.
fn check(before: &[u8], signed: &[u8], hash: &[u8]) {
    let file = PeFile64::parse(signed).expect("an image as before");
    let entry = file.data_directories().get(IMAGE_DIRECTORY_ENTRY_SECURITY);
    let entry = entry.expect("a signature");
    let start = entry.virtual_address.get(LE) as usize;
    assert_eq!(start, before.len().next_multiple_of(8));
    assert_eq!(start + entry.size.get(LE) as usize, signed.len());
    let certificate = &signed[start..];
    assert_eq!(certificate[..4], (certificate.len() as u32).to_le_bytes());
    assert_eq!(certificate[4..8], [0, 2, 2, 0]);
    assert_eq!(certificate[8..8 + SIGNATURE.len()], SIGNATURE);

    let headers = file.dos_header().nt_headers_offset() as usize;
    let (checksum, security) = (headers + CHECKSUM, headers + SECURITY);
    let parts = [
        0..checksum,
        checksum + 4..security,
        security + 8..before.len(),
    ];
    for part in parts {
        assert!(signed[part.clone()] == before[part], "it changed");
    }
    let mut hashed = signed[..start].to_vec();
    hashed.drain(security..security + 8);
    hashed.drain(checksum..checksum + 4);
    assert_eq!(Sha256::digest(hashed)[..], *hash);

    let stored = signed[checksum..].first_chunk().expect("a field");
    let mut blank = signed.to_vec();
    blank[checksum..checksum + 4].fill(0);
    assert_eq!(u32::from_le_bytes(*stored), file_checksum(&blank));
}

/// The checksum of an image whose field is 0: the file as one little-endian number, modulo 0xFFFF,
/// and its length.
fn file_checksum(file: &[u8]) -> u32 {
    let (words, _) = file.as_chunks::<2>();
    let sum: u64 = words
        .iter()
        .copied()
        .map(u16::from_le_bytes)
        .map(u64::from)
        .sum();
    // The carry goes around: a sum that is not 0 does not become 0.
    let folded = if sum == 0 { 0 } else { (sum - 1) % 0xFFFF + 1 };
    folded as u32 + file.len() as u32
}
