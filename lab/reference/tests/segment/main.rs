//! Literal packets of every kind, and refused ones.
//!
//! The bytes were computed by a program that shares nothing with this one, and
//! found right by Wireshark.

mod tcp;
mod tunnel;
mod udp;

/// Bytes from hexadecimal pairs, between any white space.
fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
