//! Sums against those of etherparse, the example of RFC 1071, and the definition of the folding.

extern crate std;

use std::{vec, vec::Vec};

use etherparse::checksum::Sum16BitWords;

use super::{Sum, fold};

/// The sum by etherparse, as a number in network byte order.
fn judged(bytes: &[u8]) -> u16 {
    let complement = Sum16BitWords::new().add_slice(bytes).ones_complement();
    !u16::from_be_bytes(complement.to_ne_bytes())
}

fn volatile(bytes: &[u8]) -> Sum {
    // SAFETY: a slice is mapped.
    unsafe { Sum::of_volatile(bytes.as_ptr(), bytes.len()) }
}

/// All bits in all places: a generator of Lehmer's kind.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let next = |_| {
        state = state.wrapping_mul(0xDA94_2042_E4DD_58B5);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

#[test]
fn the_example_of_rfc_1071() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    for sum in [Sum::of(&bytes), volatile(&bytes)] {
        assert_eq!(sum.folded(), 0xddf2);
        assert_eq!(sum.checksum(), 0x220d);
    }
}

#[test]
fn an_ipv4_header_with_its_checksum_sums_up_to_all_ones() {
    let header = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00,
        0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];
    assert_eq!(Sum::of(&header).folded(), 0xFFFF);
}

#[test]
fn an_odd_byte_is_the_upper_half_of_a_word() {
    assert_eq!(Sum::of(&[0x12]).folded(), 0x1200);
    assert_eq!(Sum::of(&[0x12, 0x34, 0x56]).folded(), 0x6834);
}

#[test]
fn words_are_added_and_removed() {
    let bytes = [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC];
    let sum = Sum::of(&bytes[..2]).and_words(0x5678_9ABC);
    assert_eq!(sum.folded(), judged(&bytes));
    let without = sum.and_word(!0x1234).and(Sum::default());
    assert_eq!(without.folded(), judged(&bytes[2..]));
}

#[test]
fn the_longest_carries_are_folded() {
    assert_eq!(Sum::of(&[0xFF; 65_535]).folded(), 0xFF00);
    assert_eq!(Sum::of(&[0xFF; 65_536]).folded(), 0xFFFF);
    assert_eq!(Sum::of(&[0; 64]).folded(), 0);
    let most = if cfg!(miri) { 70 } else { 9000 };
    for length in [1, 7, 8, 64, most] {
        let ones = vec![0xFF; length];
        assert_eq!(volatile(&ones).folded(), judged(&ones));
        assert_eq!(volatile(&vec![0; length]).folded(), 0);
    }
}

#[test]
fn any_sum_is_folded_to_the_last_carry() {
    for sum in [
        1,
        0xFFFF,
        0x1_0000,
        0x1_FFFE,
        0xFFFF_FFFF,
        0x1_FFFF_FFFE,
        u64::MAX,
    ] {
        let expected = (sum - 1) % 0xFFFF + 1;
        assert_eq!(u64::from(fold(sum)), expected, "{sum:#x}");
    }
    assert_eq!(fold(0), 0);
}

#[test]
fn every_length_at_every_alignment() {
    let bytes = noise(if cfg!(miri) { 100 } else { 200 });
    for start in if cfg!(miri) { 6..10 } else { 0..16 } {
        for end in start..bytes.len() {
            let piece = &bytes[start..end];
            let expected = judged(piece);
            assert_eq!(Sum::of(piece).folded(), expected, "{start}..{end}");
            assert_eq!(volatile(piece).folded(), expected, "{start}..{end}");
        }
    }
}

#[test]
fn pieces_of_any_length_make_the_same_sum() {
    let bytes = noise(if cfg!(miri) { 140 } else { 2000 });
    for length in (0..130).chain([1447, 1448, 1999, 2000]) {
        let Some(whole) = bytes.get(..length) else {
            continue;
        };
        let expected = judged(whole);
        for piece in [1, 2, 3, 7, 31, 32, 33] {
            let (mut copied, mut foreign) = (Sum::default(), Sum::default());
            for piece in whole.chunks(piece) {
                copied.add(piece);
                foreign.append(volatile(piece));
            }
            assert_eq!(copied.folded(), expected, "{length} bytes by {piece}");
            assert_eq!(foreign.folded(), expected, "{length} bytes by {piece}");
        }
    }
}
