//! From a captured packet to a large send as Windows hands it down.
//!
//! A Linux stack and LSO disagree on the headers of a large send:
//!
//! | field | captured on Linux | LSOv2 | LSOv1 |
//! |---|---|---|---|
//! | IPv4 total length | true up to 64 KiB, else 0 | 0 | true, where 16 bits hold it |
//! | IPv6 payload length | as above, 0 with a jumbo option in a hop-by-hop header | 0, no such header | – |
//! | TCP checksum | sum of addresses, protocol **and length** | sum of addresses and protocol | as LSOv2 |
//!
//! The sum is folded and not complemented (Windows driver documentation,
//! "Offloading the Segmentation of Large TCP Packets"). As it is computed anew
//! here, it does not matter what a capture has in its place.

use lso::{Headers, IpVersion, LsoVersion, Refusal};

use crate::capture::strip_jumbo_hop_by_hop;

/// The fields that differ, in bytes from the start of their header.
mod field {
    use core::ops::Range;

    pub(super) const IPV4_TOTAL_LENGTH: Range<usize> = 2..4;
    pub(super) const IPV4_ADDRESSES: Range<usize> = 12..20;
    pub(super) const IPV6_PAYLOAD_LENGTH: Range<usize> = 4..6;
    pub(super) const IPV6_ADDRESSES: Range<usize> = 8..40;
    pub(super) const TCP_CHECKSUM: Range<usize> = 16..18;
}

const IPV6_HEADER_LEN: u32 = 40;
const TCP: u64 = 6;

/// What the layer above was told of the NIC's large sends, and goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The version of the offload by which it sends.
    pub lso: LsoVersion,
    /// The least wire packets that a large send makes.
    pub min_segments: u32,
}

/// A large send in the shape in which LSO hands it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeSend {
    /// The frame, from its Ethernet header.
    pub frame: Vec<u8>,
    /// Bytes of TCP payload in each wire packet but the last; less than
    /// [`payload`](Self::payload).
    pub mss: u32,
    /// Bytes of TCP payload.
    pub payload: u32,
    /// Its network protocol.
    pub ip: IpVersion,
    /// The version of the offload.
    pub lso: LsoVersion,
    /// Bytes in each of the buffers that the payload lies in, but the last.
    pub buffer: u32,
}

/// Bytes in a buffer of a large send, unless somebody wants others.
pub const BUFFER: u32 = 64 << 10;

/// The large send that the packet `frame` with an MSS of `mss` bytes is;
/// `None` where its TCP payload is within the MSS, and it passes as it is.
///
/// The length of the frame is the only length believed.
///
/// # Errors
///
/// The packet is no TCP, or is a large send that must not be made: one of the
/// reasons of [`Headers::parse`] and [`Headers::check`], or
/// [`MssZero`](Refusal::MssZero), [`MssAboveLimit`](Refusal::MssAboveLimit)
/// where no IP packet could hold a segment, and
/// [`TooFewSegments`](Refusal::TooFewSegments).
pub fn ingest(frame: &[u8], mss: u32, terms: Terms) -> Result<Option<LargeSend>, Refusal> {
    let mut frame = strip_jumbo_hop_by_hop(frame.to_vec());
    let headers = Headers::parse(&frame)?;
    let payload = frame.len() as u32 - headers.length();
    if payload <= mss {
        return Ok(None);
    }
    let announced = lso::LargeSend {
        version: terms.lso,
        ip_version: headers.ip_version(),
        mss,
        tcp_header_offset: headers.tcp_offset(),
    };
    headers.check(&frame, &announced)?;
    check_segments(&headers, payload, mss, terms.min_segments)?;
    bring_to_shape(&mut frame, &headers, terms.lso);
    Ok(Some(LargeSend {
        frame,
        mss,
        payload,
        ip: headers.ip_version(),
        lso: terms.lso,
        buffer: BUFFER,
    }))
}

/// Whether the wire can carry segments of `mss`, and the NIC takes so few.
fn check_segments(headers: &Headers, payload: u32, mss: u32, least: u32) -> Result<(), Refusal> {
    if mss == 0 {
        return Err(Refusal::MssZero);
    }
    // An IPv6 payload length does not count the IPv6 header itself.
    let uncounted = match headers.ip_version() {
        IpVersion::V4 => 0,
        IpVersion::V6 => IPV6_HEADER_LEN,
    };
    let ip_and_tcp = headers.length() - headers.ip_offset();
    if u16::try_from(mss.saturating_add(ip_and_tcp - uncounted)).is_err() {
        return Err(Refusal::MssAboveLimit);
    }
    if payload.div_ceil(mss) < least {
        return Err(Refusal::TooFewSegments);
    }
    Ok(())
}

/// Writes IP length and TCP checksum as LSO has them.
pub(crate) fn bring_to_shape(frame: &mut [u8], headers: &Headers, lso: LsoVersion) {
    let ip_and_tcp = frame.len() - headers.ip_offset() as usize;
    let stated = match lso {
        LsoVersion::V1 => u16::try_from(ip_and_tcp).unwrap_or(0),
        LsoVersion::V2 => 0,
    };
    let (ip, tcp) = frame[headers.ip_offset() as usize..]
        .split_at_mut((headers.tcp_offset() - headers.ip_offset()) as usize);
    let (length, addresses) = match headers.ip_version() {
        IpVersion::V4 => (field::IPV4_TOTAL_LENGTH, field::IPV4_ADDRESSES),
        IpVersion::V6 => (field::IPV6_PAYLOAD_LENGTH, field::IPV6_ADDRESSES),
    };
    ip[length].copy_from_slice(&stated.to_be_bytes());
    let seed = address_sum(&ip[addresses]);
    tcp[field::TCP_CHECKSUM].copy_from_slice(&seed.to_be_bytes());
}

/// The folded sum of addresses and protocol (RFC 1071).
fn address_sum(addresses: &[u8]) -> u16 {
    let words = addresses
        .chunks_exact(2)
        .map(|word| u64::from(word[0]) << 8 | u64::from(word[1]));
    let mut sum = words.sum::<u64>() + TCP;
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Synth, flag};

    const V2: Terms = Terms {
        lso: LsoVersion::V2,
        min_segments: 2,
    };
    const V1: Terms = Terms {
        lso: LsoVersion::V1,
        ..V2
    };

    fn shaped(frame: &[u8], mss: u32, terms: Terms) -> Vec<u8> {
        ingest(frame, mss, terms).unwrap().unwrap().frame
    }

    #[test]
    fn what_has_the_shape_keeps_it() {
        let sends = [
            Synth::v4(70_000, 1448),
            Synth::v4(3000, 1448).vlan(&[1, 2]).ip_options(&[1, 1]),
            Synth::v6(70_000, 1428),
            Synth::v6(3000, 1428).extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]),
        ];
        for send in sends {
            let frame = send.frame(false);
            assert_eq!(shaped(&frame, send.mss, V2), frame);
        }
        for payload in [3000, 70_000] {
            let frame = Synth::v4(payload, 1448).frame(true);
            assert_eq!(shaped(&frame, 1448, V1), frame);
        }
    }

    #[test]
    fn lengths_and_checksum_of_a_capture_are_replaced() {
        let mut send = Synth::v4(3000, 1448).frame(false);
        let mut captured = Synth::v4(3000, 1448).frame(true);
        captured[50..52].copy_from_slice(&[0xAB, 0xCD]);
        assert_eq!(shaped(&captured, 1448, V2), send);
        // 20 bytes of IPv4, 32 of TCP, 3000 of payload.
        send[16..18].copy_from_slice(&3052_u16.to_be_bytes());
        assert_eq!(shaped(&captured, 1448, V1), send);
        let mut captured = Synth::v6(3000, 1428).frame(true);
        captured[70..72].copy_from_slice(&[0xAB, 0xCD]);
        let send = Synth::v6(3000, 1428).frame(false);
        assert_eq!(shaped(&captured, 1428, V2), send);
    }

    /// 192.0.2.1, 198.51.100.2 and 6: 0xC000 + 0x0201 + 0xC633 + 0x6402 + 6.
    #[test]
    fn the_seed_by_hand() {
        let frame = shaped(&Synth::v4(3000, 1448).frame(true), 1448, V2);
        assert_eq!(frame[50..52], [0xEC, 0x3D]);
    }

    #[test]
    fn jumbo_option_is_taken_out() {
        let send = Synth::v6(70_000, 1428);
        let length = (8_u32 + 32 + 70_000).to_be_bytes();
        let jumbo = [&[0, 0, 0xC2, 4][..], &length].concat();
        let captured = send.clone().extension(0, &jumbo).frame(false);
        assert_eq!(shaped(&captured, 1428, V2), send.frame(false));
    }

    #[test]
    fn payload_within_the_mss_passes_whatever_its_flags() {
        let within = Synth::v4(1448, 1448).flags(flag::URG | flag::SYN);
        assert_eq!(ingest(&within.frame(true), 1448, V2), Ok(None));
        assert_eq!(ingest(&Synth::v6(0, 0).frame(false), 0, V1), Ok(None));
    }

    #[test]
    fn refusals() {
        let refused = |send: Synth, terms| ingest(&send.frame(false), send.mss, terms).unwrap_err();
        let v4 = |payload, mss| Synth::v4(payload, mss);
        assert_eq!(
            refused(v4(9000, 1448).flags(flag::URG), V2),
            Refusal::Urgent
        );
        assert_eq!(refused(v4(9000, 0), V2), Refusal::MssZero);
        assert_eq!(refused(Synth::v6(9000, 1428), V1), Refusal::Lsov1OnIpv6);
        let most = 65_535 - 52;
        assert!(ingest(&v4(200_000, most).frame(false), most, V2).is_ok());
        assert_eq!(refused(v4(200_000, most + 1), V2), Refusal::MssAboveLimit);
        let most = 65_535 - 32;
        assert!(ingest(&Synth::v6(200_000, most).frame(false), most, V2).is_ok());
        assert_eq!(
            refused(Synth::v6(200_000, most + 1), V2),
            Refusal::MssAboveLimit
        );
        let three = Terms {
            min_segments: 3,
            ..V2
        };
        assert_eq!(refused(v4(2896, 1448), three), Refusal::TooFewSegments);
        assert!(ingest(&v4(2897, 1448).frame(false), 1448, three).is_ok());
        let mut udp = v4(9000, 1448).frame(false);
        udp[23] = 17;
        assert_eq!(ingest(&udp, 1448, V2), Err(Refusal::NotTcp));
        let cut = &v4(9000, 1448).frame(false)[..60];
        assert_eq!(ingest(cut, 1448, V2), Err(Refusal::HeaderNotContiguous));
    }
}
