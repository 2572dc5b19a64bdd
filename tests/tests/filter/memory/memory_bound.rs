//! The bound on the memory of an adapter's children: no send fails while there is memory, whichever
//! processor has it, and what was needed is freed when the adapter is paused.

use children::{CHILD_BYTES, PACKET_BYTES};
use lso::Refusal;
use model::{Config, Nic, Packet, SendCall};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, large, large_v4, on_port},
};
use testpkt::synth::Synth;

const RESOURCES: i32 = sys::NDIS_STATUS_RESOURCES;
/// The size advertised for a NIC without LSO.
const IN_SOFTWARE: u32 = 502_240;
/// The least MSS that TCP may use on any path.
const SMALL_MSS: u32 = 536;
/// The least bound that can be set, in bytes.
const LEAST_BOUND: usize = 4 << 20;

/// A machine whose NIC completes at the call of `deliver`, with these settings.
fn machine(mut nic: Nic, processors: u32, parameters: &[(&str, u32)]) -> Machine {
    nic.completion.deferred = true;
    let parameters = parameters.iter();
    Machine::start(Config {
        processors,
        parameters: parameters
            .map(|(name, value)| ((*name).into(), *value))
            .collect(),
        ..Config::with_nic(nic)
    })
}

fn bare() -> Nic {
    Nic::default().without_lso()
}

/// Large sends of `payload` bytes at `mss`, each of a flow of its own.
fn sends(count: u16, payload: u32, mss: u32) -> Vec<Packet> {
    (0..count)
        .map(|port| on_port(large(&Synth::v4(payload, mss)), port + 1))
        .collect()
}

fn in_buffers(packets: Vec<Packet>, bytes: u32) -> Vec<Packet> {
    let packets = packets.into_iter();
    packets.map(|packet| packet.in_buffers(bytes)).collect()
}

/// Sends `packets` on `processor`, each in a call of its own, and returns how many were refused for
/// lack of memory. None is completed yet but those.
fn refused(machine: &Machine, packets: Vec<Packet>, processor: u32) -> usize {
    let call = SendCall {
        processor,
        ..SendCall::default()
    };
    let refused = packets.into_iter().filter(|packet| {
        let number = machine.world.send(vec![packet.clone()], call)[0];
        let status = machine.world.completed(number).map(|done| done.status);
        assert!(matches!(status, None | Some(RESOURCES)), "{status:?}");
        status.is_some()
    });
    refused.count()
}

/// A busy processor of a virtual switch has large sends of many guests in flight. Each is cut into
/// 347 packets here, or into 938.
#[test]
fn sends_in_flight_on_one_processor_are_bounded_by_memory_alone() {
    for (mss, count) in [(1448, 60), (SMALL_MSS, 24)] {
        let machine = machine(bare(), 1, &[]);
        machine.world.keep_no_packets();
        assert_eq!(refused(&machine, sends(count, IN_SOFTWARE, mss), 0), 0);
        machine.deliver_all();
        machine.stop_clean();
    }
}

#[test]
fn above_the_bound_a_send_is_refused_whole_and_later_ones_pass() {
    let machine = machine(bare(), 1, &[("MemoryBound", 4)]);
    machine.world.keep_no_packets();
    let before = machine.world.memory_in_use();
    // A byte more than was ever advertised, so that a refusal is no broken promise.
    let refusals = refused(&machine, sends(20, IN_SOFTWARE + 1, 1448), 0);
    // 4 MiB are enough for some, and not for all.
    assert!((5..15).contains(&refusals), "{refusals}");
    let more = machine.world.memory_in_use() - before;
    assert!(more <= LEAST_BOUND, "{more} bytes");
    machine.deliver_all();
    assert_eq!(refused(&machine, sends(5, IN_SOFTWARE, 1448), 0), 0);
    machine.deliver_all();
    machine.stop_clean();
}

/// Sends that need nearly all of the memory, on one processor after the other, and as large sends,
/// as packets, and in many small buffers: children kept elsewhere are found.
#[test]
fn children_kept_by_another_processor_are_no_reason_to_refuse() {
    let machine = machine(bare(), 4, &[("MemoryBound", 4)]);
    machine.world.keep_no_packets();
    for round in 0..2 {
        for processor in 0..4 {
            let refusals = refused(&machine, sends(8, IN_SOFTWARE, 1448), processor);
            assert_eq!(refusals, 0, "round {round}, processor {processor}");
            machine.deliver_all();
        }
    }
    machine.stop_clean();
    let machine = self::machine(Nic::new(20 * MSS, 2), 2, &[("MemoryBound", 4)]);
    machine.world.keep_no_packets();
    let small_buffers = |count| in_buffers(sends(count, 400_000, MSS), 1000);
    for processor in [0, 1, 0, 1] {
        assert_eq!(refused(&machine, small_buffers(40), processor), 0);
        machine.deliver_all();
        assert_eq!(refused(&machine, sends(120, 400_000, MSS), processor), 0);
        machine.deliver_all();
    }
    machine.stop_clean();
}

/// Fills the memory of a machine with `nic` by sends of `filler` on processor 0, all of which are
/// completed, and sends `packets` on processor 1: idle items of one kind make room for another,
/// however many must be freed for one.
#[track_caller]
fn assert_make_room(nic: Nic, parameters: &[(&str, u32)], filler: &Packet, packets: Vec<Packet>) {
    let parameters = [&[("MemoryBound", 4)], parameters].concat();
    let machine = machine(nic, 2, &parameters);
    machine.world.keep_no_packets();
    let filler = |port: u16| on_port(filler.clone(), port + 1);
    let sent = (0..2000).position(|port| refused(&machine, vec![filler(port)], 0) > 0);
    assert!(sent.is_some(), "the memory is full");
    machine.deliver_all();
    assert_eq!(refused(&machine, packets, 1), 0);
    machine.deliver_all();
    machine.stop_clean();
}

#[test]
fn idle_items_of_each_kind_make_room_for_larger_ones() {
    let nic = || Nic::new(5 * MSS, 2);
    let whole = large(&Synth::v4(400_000, MSS));
    // Children, for arrays of MDLs.
    assert_make_room(nic(), &[], &whole, in_buffers(sends(1, 400_000, MSS), 1000));
    // Arrays, for longer copies: more of them than the children beside the arrays have room for.
    let filler = whole.clone().in_buffers(1000);
    assert_make_room(nic(), &[], &filler, in_buffers(sends(3, 400_000, MSS), 20));
    // Packets, for copies.
    let filler = large(&Synth::v4(IN_SOFTWARE + 1, MSS));
    let packets = in_buffers(sends(1, IN_SOFTWARE, MSS), 100);
    assert_make_room(bare(), &[("MaxSgElements", 2)], &filler, packets);
}

#[test]
fn no_more_idle_children_are_freed_than_are_needed_elsewhere() {
    let machine = machine(Nic::new(5 * MSS, 2), 2, &[("MemoryBound", 4)]);
    machine.world.keep_no_packets();
    // All the memory, by sends of 55 children each.
    assert!(refused(&machine, sends(60, 400_000, MSS), 0) > 0);
    machine.deliver_all();
    assert_eq!(refused(&machine, sends(4, 400_000, MSS), 1), 0);
    machine.deliver_all();
    let allocated = machine.statistics().children_allocated;
    assert_eq!(refused(&machine, sends(40, 400_000, MSS), 0), 0);
    assert_eq!(machine.statistics().children_allocated, allocated);
    machine.deliver_all();
    machine.stop_clean();
}

/// Children that are completed at DISPATCH_LEVEL on their own processor stay with it, out of reach of
/// the others: on all processors together at most half of the memory.
#[test]
fn what_processors_keep_for_themselves_leaves_half_of_the_memory() {
    for merged in [false, true] {
        let mut nic = Nic::new(5 * MSS, 2);
        (nic.completion.at_dispatch, nic.completion.merged) = (true, merged);
        let machine = Machine::start(Config {
            processors: 16,
            parameters: vec![("MemoryBound".into(), 4)],
            ..Config::with_nic(nic)
        });
        machine.world.keep_no_packets();
        for processor in 0..16 {
            let call = SendCall {
                processor,
                at_dispatch: true,
            };
            let packets = in_buffers(sends(5, 400_000, MSS), 1000);
            for number in machine.world.send(packets, call) {
                assert_eq!(machine.status(number), 0, "processor {processor}");
            }
        }
        machine.stop_clean();
    }
}

#[test]
fn children_completed_on_another_processor_are_in_reach_of_all() {
    let mut nic = Nic::new(5 * MSS, 2);
    (nic.completion.on_processor, nic.completion.at_dispatch) = (Some(1), true);
    let machine = machine(nic, 2, &[("MemoryBound", 4)]);
    machine.world.keep_no_packets();
    assert_eq!(
        refused(&machine, in_buffers(sends(6, 400_000, MSS), 1000), 0),
        0
    );
    machine.deliver_all();
    // 2750 children, of 2945 that the memory is enough for.
    assert_eq!(refused(&machine, sends(50, 400_000, MSS), 1), 0);
    machine.deliver_all();
    machine.stop_clean();
}

#[test]
fn a_send_that_the_bound_can_never_hold_is_refused_as_such() {
    let packets = (LEAST_BOUND / PACKET_BYTES) as u32;
    let large_sends = (LEAST_BOUND / CHILD_BYTES) as u32;
    for (nic, payload, mss) in [
        (bare(), packets + 100, 1),
        (Nic::new(2 * MSS, 2), (large_sends + 1) * 2 * MSS, MSS),
    ] {
        let machine = machine(nic, 1, &[("MemoryBound", 4)]);
        machine.world.keep_no_packets();
        let number = machine.send_one(large(&Synth::v4(payload, mss)));
        assert_eq!(machine.status(number), sys::NDIS_STATUS_INVALID_PACKET);
        let statistics = machine.statistics();
        assert_eq!(statistics.refused_for(Refusal::TooManyChildren), 1);
        assert_eq!(machine.world.given_to_nic(), 0);
        machine.stop_clean();
    }
}

/// Every advertised size can be sent, at any MSS that TCP uses, with the least bound.
#[test]
fn the_largest_advertised_size_can_be_sent_with_the_least_bound() {
    let parameters = [("MemoryBound", 4), ("Multiple", 16)];
    let machine = machine(bare(), 1, &parameters);
    machine.world.keep_no_packets();
    let advertised = machine.world.advertised().v2_ipv4.max_payload;
    assert!(advertised > 1_000_000, "{advertised}");
    assert_eq!(refused(&machine, sends(1, advertised, SMALL_MSS), 0), 0);
    machine.deliver_all();
    machine.stop_clean();
}

#[test]
fn a_pause_frees_all_but_the_children_kept_for_each_processor() {
    let machine = machine(Nic::new(20 * MSS, 2), 2, &[]);
    machine.world.keep_no_packets();
    let at_rest = machine.world.memory_in_use();
    for processor in [0, 1] {
        refused(&machine, sends(100, 400_000, MSS), processor);
        refused(
            &machine,
            in_buffers(sends(20, 400_000, MSS), 1000),
            processor,
        );
        machine.deliver_all();
    }
    assert!(machine.world.memory_in_use() > 2 * at_rest);
    machine.world.pause();
    assert_eq!(machine.world.memory_in_use(), at_rest);
    machine.world.restart().expect("a restart");
    machine.world.warmed_up();
    machine.send_one(large_v4(400_000));
    machine.deliver_all();
    machine.stop_clean();
}

/// At rest an adapter has at most 100 KiB for each processor.
#[test]
fn an_adapter_at_rest_has_little_memory() {
    let at_rest = |processors| {
        let machine = machine(Nic::default(), processors, &[]);
        let memory = machine.world.memory_in_use();
        machine.stop_clean();
        memory
    };
    let each = at_rest(5) - at_rest(4);
    assert!(each <= 100 << 10, "{each} bytes");
    assert!(each >= 64 * size_of::<sys::NET_BUFFER_LIST>());
    // The bound counts at least as many bytes for a child as the model sees of it.
    assert!(64 * CHILD_BYTES + (8 << 10) >= each, "{each} bytes");
}
