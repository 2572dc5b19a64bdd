//! The master property: two stages put on the wire what one stage would have.
//!
//! Random large sends, in random buffers, to a random NIC that completes and fails at random. What
//! can be split is, and its wire packets are those of the independent reference; what cannot is
//! refused for a reason that is worked out here anew; no rule is ever broken.

use model::{Backing, Completion, Config, Nic, Order, Packet, parts};
use mslso_lab::synth::{IpVersion, Synth, flag};
use ndis::{LargeSendLimit, sys};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::FileFailurePersistence};
use scenarios::{
    Machine, assert_clean,
    packets::{large, large_v1, on_port, one_stage},
};

/// One run. What proptest prints of it is enough to repeat it.
#[derive(Clone, Debug)]
struct Case {
    nic: Nic,
    sends: Vec<Send>,
}

/// A large send, and how it is handed down.
#[derive(Clone, Debug)]
struct Send {
    synth: Synth,
    v1: bool,
    /// Bytes in each buffer but the first and the last; all in one buffer where there is none.
    buffer: Option<u32>,
    /// Whether the headers have an MDL of their own.
    own_header: bool,
    data_offset: u32,
    page_offset: u32,
    backing: Backing,
    port: u16,
}

impl Send {
    fn packet(&self) -> Packet {
        let (synth, port) = (&self.synth, self.port);
        let packet = if self.v1 {
            large_v1(synth)
        } else {
            large(synth)
        };
        let mut packet = on_port(packet, port);
        if let Some(size) = self.buffer {
            packet = packet.in_buffers(size);
            if !self.own_header {
                packet.buffers[0] += size / 3;
            }
        }
        Packet {
            data_offset: self.data_offset,
            page_offset: self.page_offset,
            backing: self.backing,
            ..packet
        }
    }
}

/// Payload in bytes: mostly short, for speed.
fn payload() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => 1..20_000_u32,
        3 => 20_000..100_000_u32,
        1 => 100_000..600_000_u32,
    ]
}

fn mss() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![536, 1220, 1428, 1440, 1448, 1460, 8948]),
        200..9_000_u32
    ]
}

fn extensions() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let padding = vec![0, 0, 1, 4, 0, 0, 0, 0];
    let routing = vec![0, 0, 4, 0, 0, 0, 0, 0];
    select(vec![
        Vec::new(),
        vec![(0, padding.clone())],
        vec![(60, padding.clone())],
        vec![(0, padding.clone()), (60, padding.clone()), (43, routing)],
        vec![(60, [&[0, 2, 1, 20][..], &[7; 20]].concat())],
    ])
}

fn flags() -> impl Strategy<Value = u16> {
    let kept = flag::FIN | flag::PSH | flag::ECE | flag::CWR | flag::AE;
    any::<u16>().prop_map(move |bits| flag::ACK | bits & kept)
}

prop_compose! {
    fn synth()(
        v6 in any::<bool>(),
        (payload, mss) in (payload(), mss()),
        vlan in vec(any::<u16>(), 0..=2),
        ip_options in vec(Just(1_u8), 0..=40),
        extensions in extensions(),
        tcp_options in vec(Just(1_u8), 0..=40),
        flags in flags(),
        (seq, ip_id, seed) in any::<(u32, u16, u64)>(),
    ) -> Synth {
        let send = if v6 { Synth::v6(payload, mss) } else { Synth::v4(payload, mss) };
        Synth {
            vlan,
            ip_options,
            extensions,
            tcp_options,
            ..send.flags(flags).seq(seq).ip_id(ip_id).seed(seed)
        }
    }
}

fn buffer() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        Just(None),
        Just(Some(64 << 10)),
        Just(Some(4096)),
        (300..9_000_u32).prop_map(Some)
    ]
}

prop_compose! {
    fn send()(
        synth in synth(),
        v1 in prop::bool::weighted(0.2),
        buffer in buffer(),
        own_header in any::<bool>(),
        data_offset in 0..300_u32,
        page_offset in 0..4096_u32,
        backing in select(vec![Backing::NonPagedPool, Backing::LockedPages]),
        port in any::<u16>(),
    ) -> Send {
        let v1 = v1 && synth.ip == IpVersion::V4;
        Send { synth, v1, buffer, own_header, data_offset, page_offset, backing, port }
    }
}

prop_compose! {
    fn nic()(
        max in prop_oneof![4 => 1_000..70_000_u32, 1 => Just(62_780)],
        min_segments in 1..4_u32,
        deferred in any::<bool>(),
        order in prop_oneof![
            Just(Order::Sent),
            Just(Order::Reversed),
            any::<u64>().prop_map(Order::Shuffled),
        ],
        (merged, at_dispatch) in any::<(bool, bool)>(),
        on_processor in prop_oneof![Just(None), Just(Some(1))],
        failing in vec((0..60_u64, select(vec![
            sys::NDIS_STATUS_FAILURE,
            sys::NDIS_STATUS_RESET_IN_PROGRESS,
            sys::NDIS_STATUS_INVALID_LENGTH,
        ])), 0..3),
    ) -> Nic {
        let mut nic = Nic::new(max, min_segments);
        nic.completion = Completion { deferred, order, merged, on_processor, at_dispatch };
        nic.failing = failing;
        nic
    }
}

prop_compose! {
    fn case()(
        mut nic in nic(),
        id_bits in select(vec![15, 16]),
        sends in vec(send(), 1..5),
    ) -> Case {
        nic.id_bits = id_bits;
        // A large send of too few segments that the filter need not touch is the fault of the
        // layer above.
        let sends = sends.into_iter().filter(|send| is_legal(send, &nic)).collect();
        Case { nic, sends }
    }
}

fn limit_of(send: &Send, nic: &Nic) -> LargeSendLimit {
    match (send.v1, send.synth.ip) {
        (true, _) => nic.limits.v1,
        (false, IpVersion::V4) => nic.limits.v2_ipv4,
        (false, IpVersion::V6) => nic.limits.v2_ipv6,
    }
}

fn is_legal(send: &Send, nic: &Nic) -> bool {
    let limit = limit_of(send, nic);
    let segments = send.synth.payload.div_ceil(send.synth.mss);
    send.synth.payload > limit.max_payload || segments >= limit.min_segments
}

/// What the filter has to do with a packet: the least number of children, or the status with
/// which it refuses. 1 child means that the packet goes down as it is.
fn expected_children(send: &Send, packet: &Packet, nic: &Nic) -> Result<u32, i32> {
    let limit = limit_of(send, nic);
    let (payload, mss) = (send.synth.payload, send.synth.mss);
    let mut max = limit.max_payload;
    if send.v1 {
        // The IPv4 length has 16 bits, and counts the headers.
        let found = parts(&packet.frame).expect("a TCP packet");
        max = max.min(65_535 - (found.payload - found.ip) as u32);
    }
    if payload <= max {
        return Ok(1);
    }
    if mss > max {
        return Err(sys::NDIS_STATUS_NOT_SUPPORTED);
    }
    // Greedily: full ones, until what is left fits.
    let (mut left, mut children) = (payload, 1);
    while left > max {
        left -= max / mss * mss;
        children += 1;
    }
    // Evenly spread, the shortest child has this many segments.
    if payload.div_ceil(mss) / children < limit.min_segments {
        return Err(sys::NDIS_STATUS_NOT_SUPPORTED);
    }
    Ok(children)
}

fn check(case: &Case) {
    let nic = &case.nic;
    let machine = Machine::start(Config::with_nic(nic.clone()).counting_ip_id_in(nic.id_bits));
    let packets: Vec<_> = case.sends.iter().map(Send::packet).collect();
    let numbers = machine.send(packets.clone());
    machine.deliver_all();
    let below = machine.world.take_children();
    let fails = |place: usize| nic.failing.iter().any(|(n, _)| *n == place as u64);
    let mut wire = Vec::new();
    for ((number, packet), send) in numbers.iter().zip(&packets).zip(&case.sends) {
        let places = (0..below.len()).filter(|place| below[*place].send == *number);
        let places: Vec<_> = places.collect();
        match expected_children(send, packet, nic) {
            Err(status) => {
                assert_eq!(machine.status(*number), status);
                assert!(places.is_empty(), "nothing of what is refused goes down");
            }
            Ok(count) => {
                let failed = places.iter().any(|place| fails(*place));
                assert_eq!(places.len() as u32, count);
                assert_eq!(machine.status(*number) != 0, failed);
                wire.extend(one_stage(packet, nic.id_bits));
            }
        }
    }
    if !(0..below.len()).any(fails) {
        assert!(machine.world.take_wire() == wire, "the wire differs");
    }
    assert_clean(&machine.stop());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/property.txt",
        ))),
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn two_stages_are_one_stage(case in case()) {
        check(&case);
    }
}
