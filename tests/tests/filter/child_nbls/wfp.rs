//! Objects of WFP's, which callouts attach to NBLs: each belongs to one NBL, and goes when it is freed.
//! The model clones a parent's for each child, as NDIS does, and looks for all of them: rule 17.
#![expect(unsafe_code, reason = "attaches objects to NBLs on their way")]

use std::ptr;

use children::CHILD_BYTES;
use model::{Config, Nic, Packet, Tamper};
use ndis::sys;
use scenarios::{
    Machine,
    packets::{MSS, large_v4},
    tampering::nbls,
};

const SLOT: usize = sys::WfpNetBufferListInfo;

fn machine() -> Machine {
    Machine::with_nic(Nic::new(3 * MSS, 2))
}

/// A large send of five children, with an object.
fn tagged() -> Packet {
    large_v4(5 * 3 * MSS).with_slot(SLOT, 0x7A6)
}

#[test]
fn each_child_has_an_object_of_its_own_and_takes_it_along() {
    let machine = machine();
    for _ in 0..3 {
        machine.assert_split(tagged());
        machine.assert_split(large_v4(20_000));
    }
    machine.stop_clean();
}

#[test]
fn an_object_that_a_lower_callout_attaches_goes_with_the_child() {
    let machine = machine();
    let mut objects = 0;
    machine.world.tamper(move |tamper| {
        if let Tamper::Send(chain) = tamper {
            for nbl in nbls(*chain).into_iter().step_by(2) {
                objects += 1;
                // SAFETY: a child on its way down.
                let slots = unsafe { &mut (*nbl).NetBufferListInfo };
                slots[SLOT] = ptr::without_provenance_mut(objects);
            }
        }
    });
    for _ in 0..200 {
        machine.assert_split(large_v4(20_000));
    }
    machine.stop_clean();
}

/// Those that were freed do not count for the bound.
#[test]
fn there_is_no_end_of_children_that_cannot_be_used_again() {
    let machine = Machine::start(Config {
        parameters: vec![("MemoryBound".into(), 4)],
        ..Config::with_nic(Nic::new(3 * MSS, 2))
    });
    machine.world.keep_no_packets();
    for _ in 0..=(4 << 20) / CHILD_BYTES / 5 {
        let number = machine.send_one(tagged());
        assert_eq!(machine.status(number), 0);
        drop(machine.world.settle());
    }
    machine.stop_clean();
}

#[test]
fn a_split_that_fails_leaves_no_object_behind() {
    let machine = machine();
    // The chain turns out to be too short when the children have their objects already.
    let broken = Packet {
        extra_length: 1,
        ..tagged().in_buffers(1000)
    };
    for _ in 0..3 {
        let number = machine.send_one(broken.clone());
        assert_eq!(machine.status(number), sys::NDIS_STATUS_INVALID_PACKET);
        machine.assert_split(tagged());
    }
    machine.stop_clean();
}
