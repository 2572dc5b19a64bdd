//! Hashes, checksums and signatures of images.

use mslso_package::image::Image;
use rsa::sha2::Sha256;
use sha1::Sha1;

use crate::common::{OPTIONAL_HEADER, hex, image};

/// As osslsigncode calculates them for the same bytes.
const SHA256: &str = "F17B16A6CE0057A7305E33108E95A7EDEA666E596836EE39758D6D06DB821F4B";
const SHA1: &str = "75FF2952E806E59E3D69DEACBB1F032B60C3899B";

#[test]
fn the_hashes_are_osslsigncodes() {
    let image = Image::new(image()).expect("an image");
    assert_eq!(image.hash::<Sha256>(), hex(SHA256));
    assert_eq!(image.hash::<Sha1>(), hex(SHA1));
}

#[test]
fn the_hash_leaves_out_what_signing_changes_and_nothing_else() {
    let hash = |bytes: Vec<u8>| Image::new(bytes).map(|image| image.hash::<Sha256>());
    let checksum = OPTIONAL_HEADER + 64..OPTIONAL_HEADER + 68;
    for at in [
        2,
        OPTIONAL_HEADER + 63,
        OPTIONAL_HEADER + 68,
        0x1FF,
        0x200,
        0x3FF,
    ] {
        let mut changed = image();
        changed[at] ^= 1;
        assert_ne!(
            hash(changed).expect("an image"),
            hex(SHA256),
            "byte {at:#x}"
        );
    }
    for at in checksum {
        let mut changed = image();
        changed[at] ^= 1;
        assert_eq!(
            hash(changed).expect("an image"),
            hex(SHA256),
            "byte {at:#x}"
        );
    }
}

#[test]
fn a_signature_comes_last_and_is_aligned() {
    let signed = Image::new(image())
        .and_then(|image| image.with_signature(&[0xAB; 13]))
        .expect("room");
    let entry = OPTIONAL_HEADER + 112 + 8 * 4;
    assert_eq!(signed[entry..entry + 8], [0, 4, 0, 0, 24, 0, 0, 0]);
    assert_eq!(signed[0x400..0x408], [24, 0, 0, 0, 0, 2, 2, 0]);
    assert_eq!(signed[0x408..0x415], [0xAB; 13]);
    assert_eq!(signed[0x415..], [0; 3]);
}

/// A second way: as one big little-endian number modulo 0xFFFF.
#[test]
fn the_checksum_is_right_after_signing() {
    let signed = Image::new(image())
        .and_then(|image| image.with_signature(&[0xFF; 1001]))
        .expect("room");
    let field = OPTIONAL_HEADER + 64;
    let (stored, _) = signed[field..].split_first_chunk::<4>().expect("a field");
    let mut blank = signed.clone();
    blank[field..field + 4].fill(0);
    let number = blank
        .iter()
        .rev()
        .fold(0_u64, |rest, byte| (rest << 8 | u64::from(*byte)) % 0xFFFF);
    assert_eq!(
        u64::from(u32::from_le_bytes(*stored)),
        number + signed.len() as u64
    );
}

#[test]
fn an_odd_length_is_filled_up_before_hashing() {
    let longer = |count: usize| {
        let mut bytes = image();
        bytes.resize(0x400 + count, 0);
        Image::new(bytes).expect("an image").hash::<Sha256>()
    };
    assert_eq!(longer(1), longer(8));
    assert_ne!(longer(1), longer(0));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let refusal = |bytes: Vec<u8>| Image::new(bytes).err().map(|failure| failure.to_string());
    let said = refusal(b"no image".to_vec()).expect("refused");
    assert!(said.contains("no PE32+ image"), "{said}");
    let signed = Image::new(image()).and_then(|image| image.with_signature(b"once"));
    let said = refusal(signed.expect("room")).expect("refused");
    assert!(said.contains("signed already"), "{said}");
    let mut without = image();
    without[OPTIONAL_HEADER + 108] = 4;
    let said = refusal(without).expect("refused");
    assert!(said.contains("no place"), "{said}");
}
