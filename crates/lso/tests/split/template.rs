//! Children's headers: only the fields that may change do, and the packets on the wire are the same
//! after two stages as after one.

use std::collections::BTreeSet;
use std::ops::Range;

use lso::{
    Checksum, Form, Headers, IpIdWidth, IpVersion, Limit, MAX_HEADER, Offload, Plan, PlannedChild,
    Sum, Template,
};
use proptest::prelude::*;

use super::common::{self, Frame};

/// A parent, and how to send it.
#[derive(Clone, Debug)]
struct Send {
    frame: Frame,
    version: Offload,
    width: IpIdWidth,
    plan: Plan,
    mss: u32,
    payload: u32,
}

fn send() -> impl Strategy<Value = Send> {
    let width = prop_oneof![Just(IpIdWidth::Bits15), Just(IpIdWidth::Bits16)];
    let sizes = (1..=2_000_000_u32, 536..=9000_u32, 0..=70_000_u32);
    (common::frame(), any::<bool>(), width, sizes).prop_map(
        |(frame, v1, width, (payload, mss, above))| {
            let v1 = v1 && frame.version == IpVersion::V4;
            let version = if v1 { Offload::LsoV1 } else { Offload::LsoV2 };
            let headers = Headers::parse(&frame.bytes).expect("a valid frame");
            let cap = if v1 { headers.max_payload() } else { u32::MAX };
            let limit = Limit {
                max_payload: cap.min(mss + above),
                min_segments: 2,
            };
            let plan = Plan::new(payload, mss, limit).expect("a plan");
            Send {
                frame,
                version,
                width,
                plan,
                mss,
                payload,
            }
        },
    )
}

fn write(send: &Send, child: &PlannedChild) -> Vec<u8> {
    let headers = Headers::parse(&send.frame.bytes).expect("a valid frame");
    let mut front = front(&send.frame);
    let template = Template::new(&mut front, &headers, send.version, send.width);
    let mut out = [0xEE; MAX_HEADER];
    let written = template.and_then(|template| template.write(child, &mut out));
    written.expect("a header");
    out[..send.frame.bytes.len()].to_vec()
}

/// The frame's header, with room for the longest.
fn front(frame: &Frame) -> [u8; MAX_HEADER] {
    let mut front = [0xEE; MAX_HEADER];
    front[..frame.bytes.len()].copy_from_slice(&frame.bytes);
    front
}

/// The bytes in which a child's header may differ from its parent's.
fn writable(frame: &Frame) -> BTreeSet<usize> {
    let ip = match frame.version {
        IpVersion::V4 => 2..6,
        IpVersion::V6 => 4..6,
    };
    let ip = ip.map(|at| frame.ip + at);
    let tcp = [4, 5, 6, 7, 13].map(|at| frame.tcp + at);
    ip.chain(tcp).collect()
}

fn get(bytes: &[u8], field: Range<usize>) -> u32 {
    let shifted = |value, &byte: &u8| value << 8 | u32::from(byte);
    bytes[field].iter().fold(0, shifted)
}

fn put(bytes: &mut [u8], field: Range<usize>, value: u32) {
    let width = field.len();
    bytes[field].copy_from_slice(&value.to_be_bytes()[4 - width..]);
}

/// A NIC in a few lines, written without the crate on purpose: the headers that one large send puts
/// on the wire, checksums aside.
fn wire(send: &Send, header: &[u8], payload: u32) -> Vec<Vec<u8>> {
    let segments = payload.div_ceil(send.mss);
    let segment = |k| {
        let mut packet = header.to_vec();
        let bytes = send.mss.min(payload - k * send.mss);
        wire_ip(send, &mut packet[send.frame.ip..], k, bytes);
        let tcp = &mut packet[send.frame.tcp..];
        let sequence = get(tcp, 4..8).wrapping_add(k * send.mss);
        put(tcp, 4..8, sequence);
        if k > 0 {
            tcp[13] &= !0x80;
        }
        if k + 1 < segments {
            tcp[13] &= !0x09;
        }
        packet
    };
    (0..segments).map(segment).collect()
}

fn wire_ip(send: &Send, ip: &mut [u8], k: u32, bytes: u32) {
    let length = ip.len() as u32 + bytes;
    match send.frame.version {
        IpVersion::V4 => {
            let id = get(ip, 4..6);
            let id = match send.width {
                IpIdWidth::Bits15 => (id & 0x8000) | ((id + k) % 0x8000),
                IpIdWidth::Bits16 => (id + k) % 0x1_0000,
            };
            put(ip, 2..4, length % 0x1_0000);
            put(ip, 4..6, id);
        }
        IpVersion::V6 => put(ip, 4..6, length - 40),
    }
}

fn any_child() -> impl Strategy<Value = PlannedChild> {
    (any::<[u32; 5]>(), any::<[bool; 2]>()).prop_map(|(numbers, [is_first, is_last])| {
        let [
            index,
            payload_offset,
            payload_length,
            first_segment,
            segments,
        ] = numbers;
        PlannedChild {
            form: Form::LargeSend,
            index,
            payload_offset,
            payload_length,
            first_segment,
            segments,
            is_first,
            is_last,
        }
    })
}

proptest! {
    #![proptest_config(common::cases(200))]

    #[test]
    #[cfg_attr(miri, ignore)]
    fn nothing_else_differs(send in send()) {
        let writable = writable(&send.frame);
        for child in send.plan.iter() {
            let header = write(&send, &child);
            let both = header.iter().zip(&send.frame.bytes).enumerate();
            for (at, _) in both.filter(|(_, (child, parent))| child != parent) {
                prop_assert!(writable.contains(&at), "byte {} of {:?}", at, child);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn flags_are_only_ever_cleared(send in send()) {
        let parent = send.frame.bytes[send.frame.tcp + 13];
        for child in send.plan.iter() {
            let flags = write(&send, &child)[send.frame.tcp + 13];
            let end = if child.is_last { 0 } else { 0x09 };
            let start = if child.is_first { 0 } else { 0x80 };
            prop_assert_eq!(flags, parent & !end & !start);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn ip_lengths_are_the_offloads(send in send()) {
        for child in send.plan.iter() {
            let header = write(&send, &child);
            let ip = &header[send.frame.ip..];
            let length = match (send.frame.version, send.version) {
                (IpVersion::V6, _) => get(ip, 4..6),
                (IpVersion::V4, Offload::LsoV2 | Offload::Uso) => get(ip, 2..4),
                (IpVersion::V4, Offload::LsoV1) => {
                    let truth = ip.len() as u32 + child.payload_length;
                    get(ip, 2..4) - truth
                }
            };
            prop_assert_eq!(length, 0);
        }
    }

    /// The seed is the sender's: with a source route it covers other addresses than the header has
    /// (RFC 8200, section 8.1), so it is kept, and never recomputed from the header.
    #[test]
    fn a_foreign_seed_is_kept(send in send(), seed in any::<u16>()) {
        let mut send = send;
        let checksum = send.frame.tcp + 16;
        send.frame.bytes[checksum..][..2].copy_from_slice(&seed.to_be_bytes());
        let headers = Headers::parse(&send.frame.bytes).expect("a valid frame");
        let mut front = front(&send.frame);
        let template = Template::new(&mut front, &headers, send.version, send.width);
        let template = template.expect("a template");
        let packets = template.for_packets().expect("a template of packets");
        for child in send.plan.iter() {
            prop_assert_eq!(get(&write(&send, &child), checksum..checksum + 2), u32::from(seed));
            let mut out = [0xEE; MAX_HEADER];
            if packets.write(&child, Checksum::Offloaded, &mut out).is_ok() {
                // The length of the segment is added to the sum, in ones' complement.
                let tcp = headers.length() - headers.transport_offset() + child.payload_length;
                let sum = u32::from(seed) + tcp;
                let folded = (sum >> 16) + (sum & 0xFFFF);
                prop_assert_eq!(get(&out, checksum..checksum + 2), (folded >> 16) + (folded & 0xFFFF));
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn two_stages_are_one_on_the_wire(send in send()) {
        let one = wire(&send, &send.frame.bytes, send.payload);
        let two = send.plan.iter().flat_map(|child| {
            let header = write(&send, &child);
            wire(&send, &header, child.payload_length)
        });
        prop_assert!(two.eq(one));
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn no_child_and_no_front_panics(
        send in send(),
        other in common::frame(),
        child in any_child(),
    ) {
        let headers = Headers::parse(&send.frame.bytes).expect("a valid frame");
        let mut out = [0xEE; MAX_HEADER];
        let mut front = front(&other);
        let template = Template::new(&mut front, &headers, send.version, send.width);
        let Ok(template) = template else { return Ok(()) };
        let _ = template.write(&child, &mut out);
        let Ok(packets) = template.for_packets() else { return Ok(()) };
        let _ = packets.write(&child, Checksum::Offloaded, &mut out);
        let _ = packets.write(&child, Checksum::Complete(Sum::default()), &mut out);
    }
}
