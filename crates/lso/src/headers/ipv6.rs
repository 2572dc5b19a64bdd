//! The way through IPv6's extension headers (RFC 8200, section 4).

use super::front::Front;
use crate::Refusal;
use crate::wire::ipv6::{self, extension, option};
use crate::wire::protocol;

/// The protocol that follows an IPv6 packet's extension headers, and where it begins.
///
/// The loop ends: each turn goes eight bytes or more forward, and `front` refuses
/// to read past the longest header.
#[inline(never)]
pub(super) fn payload(front: Front<'_>, ip: usize) -> Result<(u8, usize), Refusal> {
    if ipv6::version(front.u8(ip, ipv6::VERSION_CLASS)?) != 6 {
        return Err(Refusal::MalformedIpv6);
    }
    let mut next = front.u8(ip, ipv6::NEXT_HEADER)?;
    let mut at = ip.saturating_add(ipv6::LENGTH);
    if next == protocol::HOP_BY_HOP {
        refuse_jumbogram(front, at)?;
        (next, at) = skip(front, at)?;
    }
    loop {
        match next {
            protocol::ROUTING | protocol::DESTINATION_OPTIONS => (next, at) = skip(front, at)?,
            // Allowed directly after the IPv6 header only.
            protocol::HOP_BY_HOP => return Err(Refusal::MalformedIpv6),
            protocol::FRAGMENT => return Err(Refusal::Fragment),
            // A transport protocol, or nothing that is known: the caller looks.
            _ => return Ok((next, at)),
        }
    }
}

/// The protocol that follows the extension header at `at`, and where it begins.
fn skip(front: Front<'_>, at: usize) -> Result<(u8, usize), Refusal> {
    let next = front.u8(at, extension::NEXT_HEADER)?;
    let length = extension::length(front.u8(at, extension::UNITS)?);
    Ok((next, at.saturating_add(length)))
}

/// RFC 2675 puts the length of a packet past 64 KiB into a hop-by-hop option.
/// Copied to a child it would state the parent's length.
fn refuse_jumbogram(front: Front<'_>, at: usize) -> Result<(), Refusal> {
    let length = extension::length(front.u8(at, extension::UNITS)?);
    let mut options = front.bytes(at, extension::OPTIONS..length)?;
    while let Some((&kind, rest)) = options.split_first() {
        options = match kind {
            option::PAD1 => rest,
            option::JUMBO => return Err(Refusal::Jumbogram),
            _ => skip_option(rest).ok_or(Refusal::MalformedIpv6)?,
        };
    }
    Ok(())
}

/// The bytes that follow an option whose type has been read.
fn skip_option(length_and_data: &[u8]) -> Option<&[u8]> {
    let (&length, data) = length_and_data.split_first()?;
    data.get(usize::from(length)..)
}
