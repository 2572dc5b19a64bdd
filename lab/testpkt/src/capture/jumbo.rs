//! Linux's jumbo option, which a NIC never sees.

/// Offset of the EtherType, or of a VLAN tag, in an Ethernet frame.
const ETHER_TYPE: usize = 12;
const VLAN_TAG_LEN: usize = 4;
const IPV6_HEADER_LEN: usize = 40;
const IPV6_PAYLOAD_LENGTH: usize = 4;
const IPV6_NEXT_HEADER: usize = 6;
/// Length of the hop-by-hop header that holds the jumbo option and no other.
const JUMBO_HEADER_LEN: usize = 8;
/// Its first bytes after the next header: header length (in 8 bytes beyond the
/// first 8), option type and option length. RFC 2675, section 2.
const JUMBO: [u8; 3] = [0, 0xC2, 4];

/// Takes Linux's IPv6 hop-by-hop header with the jumbo option out of a frame,
/// also behind VLAN tags.
///
/// Linux puts these 8 bytes into every IPv6 large send beyond 64 KiB, for its own use, before TCP
/// or another extension header; a virtual NIC does not forward them. The remaining frame has
/// payload length 0, as an LSOv2 send has.
///
/// Every other frame is returned unchanged: the header has more than the jumbo option, or has it
/// beside a payload length (which RFC 2675 forbids), or gives another length than the frame has.
pub fn strip_jumbo_hop_by_hop(mut frame: Vec<u8>) -> Vec<u8> {
    let skipped = strip_jumbo_in_place(&mut frame);
    frame.drain(..skipped);
    frame
}

/// The same without moving the payload: the frame then begins as many bytes later as are returned.
pub fn strip_jumbo_in_place(frame: &mut [u8]) -> usize {
    let Some(ip) = ipv6_with_jumbo(frame) else {
        return 0;
    };
    let header = ip + IPV6_HEADER_LEN;
    frame[ip + IPV6_NEXT_HEADER] = frame[header];
    frame.copy_within(..header, JUMBO_HEADER_LEN);
    JUMBO_HEADER_LEN
}

/// Offset of the IPv6 header in a frame that has Linux's jumbo header.
fn ipv6_with_jumbo(frame: &[u8]) -> Option<usize> {
    let mut at = ETHER_TYPE;
    while matches!(
        frame.get(at..at + 2)?,
        [0x81, 0x00] | [0x88, 0xA8] | [0x91, 0x00]
    ) {
        at += VLAN_TAG_LEN;
    }
    if frame[at..at + 2] != [0x86, 0xDD] {
        return None;
    }
    let at = at + 2;
    let ip = frame.get(at..at + IPV6_HEADER_LEN)?;
    let empty = ip[IPV6_PAYLOAD_LENGTH..IPV6_NEXT_HEADER] == [0, 0];
    let hop_by_hop = ip[IPV6_NEXT_HEADER] == 0;
    let (start, length) = frame.get(at + IPV6_HEADER_LEN + 1..)?.split_first_chunk()?;
    let length = u32::from_be_bytes(*length.first_chunk()?) as usize;
    let whole = length == frame.len() - at - IPV6_HEADER_LEN;
    (empty && hop_by_hop && *start == JUMBO && whole).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ethernet, tags, IPv6 with `next` and the header `hop`, 3 bytes after it.
    fn ipv6(tags: &[u8], length: [u8; 2], next: u8, hop: &[u8]) -> Vec<u8> {
        let ip = [0x60, 0, 0, 0, length[0], length[1], next, 64];
        [
            &[0x22; 12],
            tags,
            &[0x86, 0xDD],
            &ip,
            &[0xFD; 32],
            hop,
            &[1, 2, 3],
        ]
        .concat()
    }

    #[test]
    fn jumbo_header_is_taken_out_behind_tags() {
        let jumbo = [6, 0, 0xC2, 4, 0, 0, 0, 11];
        for tags in [
            &[][..],
            &[0x81, 0, 0, 7],
            &[0x88, 0xA8, 0, 1, 0x81, 0, 0, 7],
        ] {
            let frame = ipv6(tags, [0, 0], 0, &jumbo);
            assert_eq!(strip_jumbo_hop_by_hop(frame), ipv6(tags, [0, 0], 6, &[]));
        }
        let before_options = ipv6(&[], [0, 0], 0, &[60, 0, 0xC2, 4, 0, 0, 0, 11]);
        let options = ipv6(&[], [0, 0], 60, &[]);
        assert_eq!(strip_jumbo_hop_by_hop(before_options), options);
    }

    #[test]
    fn every_other_frame_stays() {
        let other_frames = [
            ipv6(&[], [0, 0], 6, &[6, 0, 0xC2, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 11], 0, &[6, 0, 0xC2, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 0], 0, &[6, 0, 1, 4, 0, 0, 0, 11]),
            ipv6(&[], [0, 0], 0, &[6, 0, 0xC2, 4, 0, 0, 0, 12]),
            [&[0x22; 12], &[0x08, 0x00][..], &[0; 60]].concat(),
        ];
        for frame in other_frames {
            assert_eq!(strip_jumbo_hop_by_hop(frame.clone()), frame);
        }
        let whole = ipv6(&[0x81, 0, 0, 7], [0, 0], 0, &[6, 0, 0xC2, 4, 0, 0, 0, 11]);
        for len in 0..whole.len() {
            assert_eq!(strip_jumbo_hop_by_hop(whole[..len].to_vec()), whole[..len]);
        }
    }
}
