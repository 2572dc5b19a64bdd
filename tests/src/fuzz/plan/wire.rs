//! Properties that must hold for the children's headers: alone, and by the packets that the wire
//! carries after both stages.

use lso::{
    Checksum, Form, Headers, IpIdWidth, IpVersion, MAX_HEADER, Offload, Plan, PlannedChild, Sum,
    Template, Transport,
};
use reference::{Kind, ReferenceError};

use super::Input;

/// The most payload, and the most segments, that the reference cuts: it is plain rather than fast.
const MOST_PAYLOAD: u32 = 70_000;
const MOST_SEGMENTS: u32 = 200;

/// The most headers that are written for a send that is not cut.
const MOST_HEADERS: usize = 100;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Writes the children's headers, and returns how many packets on the wire were compared.
pub(super) fn check(input: &Input<'_>, headers: Headers, plan: &Plan) -> usize {
    let mut front = input.front.to_vec();
    seed_checksum(&mut front, headers);
    let mut template = [0x5A; MAX_HEADER];
    let known = front.len().min(MAX_HEADER);
    template[..known].copy_from_slice(&front[..known]);
    let template = Template::new(&mut template, &headers, input.send.offload, input.ip_id);
    let template = template.expect("a template of what was parsed");
    let parent = Parent {
        input,
        headers,
        front: &front,
        template,
    };
    if plan.payload() > MOST_PAYLOAD || plan.segments() > MOST_SEGMENTS {
        for child in plan.iter().take(MOST_HEADERS) {
            parent.header_of(&child);
        }
        return 0;
    }
    parent.compare(plan)
}

/// A large send whose headers were found.
struct Parent<'a> {
    input: &'a Input<'a>,
    headers: Headers,
    /// Its first bytes, with the sender's part of the checksum.
    front: &'a [u8],
    template: Template<'a>,
}

impl Parent<'_> {
    fn header(&self) -> &[u8] {
        &self.front[..self.headers.length() as usize]
    }

    /// Both stages against one.
    fn compare(&self, plan: &Plan) -> usize {
        let frame = [self.header(), &payload(0, plan.payload())].concat();
        let expected = match self.reference(&frame) {
            Some(Ok(packets)) => packets,
            Some(Err(error)) => {
                assert!(may_differ(&error), "the reference: {error}");
                Vec::new()
            }
            None => Vec::new(),
        };
        let mut packets = Vec::new();
        for child in plan.iter() {
            let frame = self.frame_of(&child);
            match child.form {
                Form::Packet => packets.push(frame),
                _ if expected.is_empty() => {}
                Form::LargeSend => packets.extend(
                    self.reference(&frame)
                        .expect("of the same kind")
                        .expect("a large send as the parent"),
                ),
            }
        }
        let same = expected.is_empty() || packets == expected;
        assert!(same, "the wire differs");
        expected.len()
    }

    /// The packets of a large send like this one.
    fn reference(&self, frame: &[u8]) -> Option<Result<Vec<Vec<u8>>, ReferenceError>> {
        let kind = match (self.headers.transport(), self.headers.tunnel()) {
            (Transport::Tcp, None) => Kind::Tcp,
            (Transport::Udp, None) => Kind::Udp,
            (Transport::Tcp, Some(_)) => Kind::Encapsulated,
            // There is no such offload.
            (Transport::Udp, Some(_)) => return None,
        };
        let bits = match self.input.ip_id {
            IpIdWidth::Bits15 => 15,
            IpIdWidth::Bits16 => 16,
        };
        Some(reference::cut(frame, kind, self.input.send.mss, bits))
    }

    /// The frame of a child, finished where it is a packet.
    fn frame_of(&self, child: &PlannedChild) -> Vec<u8> {
        let header = self.header_of(child);
        let mut frame = [header, payload(child.payload_offset, child.payload_length)].concat();
        if child.form == Form::Packet && self.is_left() {
            self.finish(&mut frame);
        }
        frame
    }

    /// Whether the NIC makes the checksums of packets.
    fn is_left(&self) -> bool {
        self.input.offloaded && self.headers.tunnel().is_none()
    }

    /// The header of a child, which must be the parent's.
    fn header_of(&self, child: &PlannedChild) -> Vec<u8> {
        let length = self.header().len();
        let mut out = [0xA5; MAX_HEADER];
        match child.form {
            Form::LargeSend => self.template.write(child, &mut out),
            Form::Packet => {
                let checksum = if self.is_left() {
                    Checksum::Offloaded
                } else {
                    Checksum::Complete(sum(child))
                };
                let packets = self.template.for_packets().expect("what was parsed");
                packets.write(child, checksum, &mut out)
            }
        }
        .expect("a header");
        let out = out[..length].to_vec();
        assert_eq!(Headers::of(&out, &self.input.send), Ok(self.headers));
        if child.form == Form::LargeSend {
            self.check_large_send(child, &out);
        }
        out
    }

    /// Checks the fields of a large send's header that are the NIC's input: none of them is on the
    /// wire.
    fn check_large_send(&self, child: &PlannedChild, out: &[u8]) {
        let (ip, transport) = self.places();
        let checksum = transport + checksum_field(self.headers.transport());
        assert_eq!(word(out, checksum), word(self.header(), checksum));
        let (field, counted) = match self.headers.ip_version() {
            IpVersion::V4 => (ip + 2, out.len() - ip),
            IpVersion::V6 => (ip + 4, out.len() - ip - 40),
        };
        let own = u16::try_from(counted + child.payload_length as usize);
        let states = match (self.input.send.offload, word(self.header(), field)) {
            (Offload::LsoV2, _) | (Offload::Uso, 0) => 0,
            (Offload::LsoV1, _) => own.expect("within the range of LSOv1"),
            (Offload::Uso, _) => own.unwrap_or(0),
        };
        assert_eq!(word(out, field), states);
    }

    /// Computes a checksum that is left to the NIC, as a NIC does.
    fn finish(&self, frame: &mut [u8]) {
        let (_, transport) = self.places();
        let is_udp = self.headers.transport() == Transport::Udp;
        let field = checksum_field(self.headers.transport());
        let packet = &mut frame[transport..];
        if is_udp && word(packet, field) == 0 {
            return;
        }
        let checksum = match !folded(packet) {
            0 if is_udp => u16::MAX,
            checksum => checksum,
        };
        packet[field..][..2].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Where the IP header and the transport header begin.
    fn places(&self) -> (usize, usize) {
        let [ip, transport] = [self.headers.ip_offset(), self.headers.transport_offset()];
        (ip as usize, transport as usize)
    }
}

/// Faults that the reference refuses and the filter leaves to the sender: it takes the sender's sum
/// of addresses, whatever they are, and forwards a VXLAN header's reserved flags.
fn may_differ(error: &ReferenceError) -> bool {
    matches!(
        error,
        ReferenceError::OtherAddress | ReferenceError::NotVxlan(_)
    )
}

/// The sum of addresses and protocol, as a sender leaves it in the checksum's place. A UDP checksum
/// of 0 stays.
fn seed_checksum(front: &mut [u8], headers: Headers) {
    let ip = headers.ip_offset() as usize;
    let addresses = match headers.ip_version() {
        IpVersion::V4 => ip + 12..ip + 20,
        IpVersion::V6 => ip + 8..ip + 40,
    };
    let protocol = match headers.transport() {
        Transport::Tcp => TCP,
        Transport::Udp => UDP,
    };
    let at = headers.transport_offset() as usize + checksum_field(headers.transport());
    if headers.transport() == Transport::Udp && word(front, at) == 0 {
        return;
    }
    let seed = folded(&[&front[addresses], &[0, protocol]].concat());
    front[at..at + 2].copy_from_slice(&seed.to_be_bytes());
}

fn checksum_field(transport: Transport) -> usize {
    match transport {
        Transport::Tcp => 16,
        Transport::Udp => 6,
    }
}

/// The parent's payload from `offset`.
fn payload(offset: u32, length: u32) -> Vec<u8> {
    let bytes = (offset..offset + length).map(|at| (at.wrapping_mul(31) ^ at >> 8) as u8);
    bytes.collect()
}

/// The sum of a child's payload, which lies in two buffers.
fn sum(child: &PlannedChild) -> Sum {
    let bytes = payload(child.payload_offset, child.payload_length);
    let (first, rest) = bytes.split_at(bytes.len() / 3);
    let mut sum = Sum::of(first);
    sum.add(rest);
    sum
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The sum of 16-bit words in ones' complement (RFC 1071).
fn folded(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| {
        let low = word.get(1).copied().unwrap_or(0);
        u64::from(u16::from_be_bytes([word[0], low]))
    });
    let mut sum = words.sum::<u64>();
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    sum as u16
}
