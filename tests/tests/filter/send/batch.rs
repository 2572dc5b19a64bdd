//! Batches: everything goes down in its place, and packets that need no change are not touched.
#![expect(unsafe_code, reason = "looks at NBLs on their way")]

use std::sync::{Arc, Mutex};

use model::{Nic, Packet, SendCall, Tamper};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, arp, large_v4, large_v6, on_port, one_stage, small},
};

const NIC_MAX: u32 = 11 * MSS;

fn machine() -> Machine {
    Machine::with_nic(Nic::new(NIC_MAX, 2))
}

/// Large and small, TCP and not, each a flow of its own or all of one.
fn mixed() -> Vec<Packet> {
    vec![
        small(),
        large_v4(50_000),
        arp(),
        large_v4(NIC_MAX),
        large_v6(120_000),
        small(),
        large_v4(3 * MSS),
        on_port(large_v4(50_000), 99),
        arp(),
    ]
}

fn in_one_stage(packet: &Packet) -> Vec<Vec<u8>> {
    one_stage(packet, 16)
}

/// The send that each packet on the NIC's side belongs to, without repetitions.
fn order_below(machine: &Machine) -> Vec<u64> {
    let children = machine.world.take_children();
    let mut sends: Vec<_> = children.iter().map(|child| child.send).collect();
    sends.dedup();
    sends
}

#[test]
fn a_mixed_batch_goes_down_in_its_order() {
    let machine = machine();
    let batch = mixed();
    let expected: Vec<_> = batch.iter().flat_map(in_one_stage).collect();
    let numbers = machine.send(batch);
    assert_eq!(order_below(&machine), numbers);
    assert!(machine.world.take_wire() == expected);
    assert!(numbers.iter().all(|number| machine.status(*number) == 0));
    machine.stop_clean();
}

#[test]
fn a_large_send_may_be_first_last_or_alone_in_its_batch() {
    let machine = machine();
    for batch in [
        vec![large_v4(50_000), small()],
        vec![small(), large_v4(50_000)],
        vec![large_v4(50_000)],
        vec![large_v4(50_000), large_v4(60_000), large_v4(70_000)],
    ] {
        let expected: Vec<_> = batch.iter().flat_map(in_one_stage).collect();
        machine.send(batch);
        assert!(machine.world.take_wire() == expected);
    }
    machine.stop_clean();
}

#[test]
fn only_oversize_sends_are_replaced() {
    let machine = machine();
    let numbers = machine.send(mixed());
    let children = machine.world.take_children();
    let split: Vec<_> = numbers
        .iter()
        .filter(|number| {
            children
                .iter()
                .any(|child| child.send == **number && child.is_child)
        })
        .map(|number| number - numbers[0])
        .collect();
    assert_eq!(split, [1, 4, 7]);
    machine.stop_clean();
}

#[test]
fn a_send_whose_headers_alone_exceed_the_maximum_goes_down_as_it_is() {
    let machine = machine();
    // The frame is longer than the NIC's maximum, which counts payload only.
    let packet = large_v4(NIC_MAX);
    assert!(packet.frame.len() as u32 > NIC_MAX);
    let below = machine.assert_sent(packet);
    assert!(below.len() == 1 && !below[0].is_child);
    machine.stop_clean();
}

/// NBLs in each chain that the filter sends down from now on.
fn chains_sent(machine: &Machine) -> Arc<Mutex<Vec<Vec<usize>>>> {
    let chains = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&chains);
    machine.world.tamper(move |tamper| {
        if let Tamper::Send(chain) = tamper {
            let nbls = scenarios::tampering::nbls(*chain);
            let addresses = nbls.iter().map(|nbl| nbl.addr()).collect();
            seen.lock().expect("not poisoned").push(addresses);
        }
    });
    chains
}

#[test]
fn a_batch_goes_down_in_one_call() {
    let machine = machine();
    let chains = chains_sent(&machine);
    machine.send(mixed());
    assert_eq!(chains.lock().expect("not poisoned").len(), 1);
    machine.stop_clean();
}

#[test]
fn a_batch_without_an_oversize_send_is_the_same_chain() {
    let machine = machine();
    let chains = chains_sent(&machine);
    let batch = vec![
        small(),
        arp(),
        large_v4(NIC_MAX),
        large_v6(3 * MSS),
        small(),
    ];
    machine.send(batch);
    assert_eq!(chains.lock().expect("not poisoned")[0].len(), 5);
    let below = machine.world.take_children();
    assert!(below.iter().all(|packet| !packet.is_child));
    machine.stop_clean();
}

#[test]
fn several_net_buffers_in_an_nbl_that_is_no_large_send_go_down_as_they_are() {
    let machine = machine();
    let many = || Packet {
        net_buffers: 5,
        ..small()
    };
    machine.send(vec![many(), large_v4(50_000), many()]);
    let below = machine.world.take_children();
    assert_eq!(below.iter().filter(|packet| !packet.is_child).count(), 10);
    machine.stop_clean();
}

#[test]
fn an_oversize_packet_that_is_no_large_send_is_none_of_the_filters_business() {
    let machine = machine();
    let packet = Packet::new(large_v4(50_000).frame);
    let below = machine.assert_sent(packet);
    assert!(below.len() == 1 && !below[0].is_child);
    machine.stop_clean();
}

#[test]
fn slots_and_flags_of_forwarded_packets_stay() {
    let machine = machine();
    let packet = Packet {
        oob: vec![(sys::Ieee8021QNetBufferListInfo, 0x70), (26, 0x1234)],
        nbl_flags: sys::NDIS_NBL_FLAGS_IS_TCP,
        ..small()
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = Arc::clone(&seen);
    machine.world.tamper(move |tamper| {
        if let Tamper::Send(chain) = tamper {
            look.lock().expect("not poisoned").push(Look::of(*chain));
        }
    });
    let numbers = machine.send(vec![packet, large_v4(50_000)]);
    assert_eq!(machine.status(numbers[0]), 0);
    let expected = Look {
        vlan: 0x70,
        reserved: 0x1234,
        flags: sys::NDIS_NBL_FLAGS_IS_TCP,
    };
    assert_eq!(*seen.lock().expect("not poisoned"), [expected]);
    machine.stop_clean();
}

/// The fields of a forwarded NBL on its way down.
#[derive(PartialEq, Eq, Debug)]
struct Look {
    vlan: usize,
    reserved: usize,
    flags: u32,
}

impl Look {
    fn of(nbl: *mut sys::NET_BUFFER_LIST) -> Self {
        // SAFETY: a tamper function may read the chain; the first NBL is live.
        unsafe {
            let slots = &(*nbl).NetBufferListInfo;
            Self {
                vlan: slots[sys::Ieee8021QNetBufferListInfo].addr(),
                reserved: slots[26].addr(),
                flags: (*nbl).NblFlags,
            }
        }
    }
}

#[test]
fn slots_that_lower_drivers_set_in_a_child_are_cleared_before_its_next_use() {
    let machine = Machine::with_nic(Nic::new(100 * MSS, 2));
    let stale = Arc::new(Mutex::new(0));
    let found = Arc::clone(&stale);
    machine.world.tamper(move |tamper| {
        if let Tamper::Send(chain) = tamper {
            for nbl in scenarios::tampering::nbls(*chain) {
                // SAFETY: a tamper function may change the chain; the slots are the NBL's own.
                let slots = unsafe { &mut (*nbl).NetBufferListInfo };
                for slot in [13, 16, 19] {
                    *found.lock().expect("not poisoned") += slots[slot].addr();
                    slots[slot] = std::ptr::without_provenance_mut(1);
                }
            }
        }
    });
    // More than there are children ready, so that some are used twice.
    for _ in 0..4 {
        machine.send((0..50).map(|_| large_v4(101 * MSS)).collect());
    }
    assert_eq!(*stale.lock().expect("not poisoned"), 0);
    machine.stop_clean();
}

#[test]
fn sends_at_dispatch_level_and_on_every_processor_are_split() {
    let machine = machine();
    for processor in [0, 1] {
        for at_dispatch in [false, true] {
            let call = SendCall {
                at_dispatch,
                processor,
            };
            let numbers = machine.world.send(mixed(), call);
            assert!(numbers.iter().all(|number| machine.status(*number) == 0));
        }
    }
    machine.stop_clean();
}

#[test]
fn a_long_batch_is_split() {
    let machine = machine();
    let batch: Vec<_> = (0..40).map(|n| on_port(large_v4(40_000), n)).collect();
    let expected: Vec<_> = batch.iter().flat_map(in_one_stage).collect();
    machine.send(batch);
    assert!(machine.world.take_wire() == expected);
    machine.stop_clean();
}
