//! Rules 1 to 3: the owner of an NBL, and that it goes each way once.

use std::ptr;

use model::{Rule, Tamper};
use ndis::sys;
use scenarios::{memory_fault::in_both_ways, tampering::nbls};

use crate::{
    Found, Run, assert_breaks, assert_tampering_breaks, deferring, machine, on_complete, on_send,
    packet, send_five_children,
};

#[test]
fn an_nbl_touched_while_the_miniport_has_it_is_noticed() {
    in_both_ways(|| {
        assert_breaks(Rule::OneOwner, "child NBL", |run| {
            let machine = deferring();
            let child = found_on_send(&machine);
            send_five_children(&machine);
            if run == Run::Wrong {
                // SAFETY: the NBL lives as long as its pool.
                unsafe { (*child.get::<sys::NET_BUFFER_LIST>()).Flags = 7 };
            }
            machine.deliver_all();
            machine.stop()
        });
    });
}

/// The second child of the next send.
fn found_on_send(machine: &scenarios::Machine) -> Found {
    let found = Found::default();
    let child = found.clone();
    machine.world.tamper(move |tamper| {
        if let Tamper::Send(chain) = tamper {
            child.set(nbls(*chain)[1]);
        }
    });
    found
}

#[test]
fn a_packet_changed_while_the_miniport_has_it_is_noticed() {
    assert_breaks(Rule::OneOwner, "child NBL", |run| {
        let machine = deferring();
        let byte = Found::default();
        let place = byte.clone();
        crate::once(
            &machine,
            // SAFETY: the children are on their way down.
            on_send(move |nbls| place.set(unsafe { crate::header(nbls[2]) })),
        );
        send_five_children(&machine);
        if run == Run::Wrong {
            // SAFETY: the header is in the child's context area, which lives as long as the pool.
            unsafe { *byte.get::<u8>() ^= 0xFF };
        }
        machine.deliver_all();
        machine.stop()
    });
}

#[test]
fn a_parent_touched_after_its_completion_is_noticed() {
    in_both_ways(|| {
        assert_breaks(Rule::OneOwner, "large send 0", |run| {
            let machine = machine();
            let parent = Found::default();
            let place = parent.clone();
            crate::once(&machine, on_complete(move |nbl| place.set(nbl)));
            send_five_children(&machine);
            if run == Run::Wrong {
                let parent = parent.get::<sys::NET_BUFFER_LIST>();
                // SAFETY: the model keeps completed NBLs for a while, to see just this.
                unsafe { (*parent).Scratch = ptr::without_provenance_mut(1) };
            }
            machine.stop()
        });
    });
}

#[test]
fn memory_behind_the_public_part_of_an_nbl_is_not_the_drivers() {
    assert_tampering_breaks(
        Rule::OneOwner,
        "large send 0",
        on_complete(|nbl| {
            // SAFETY: the model's NBLs are longer than the part that drivers see.
            unsafe { nbl.add(1).cast::<u8>().write(0) };
        }),
    );
}

#[test]
fn memory_is_freed_by_its_owner_alone() {
    assert_breaks(Rule::OneOwner, "child NBL", |run| {
        let machine = deferring();
        let child = found_on_send(&machine);
        send_five_children(&machine);
        if run == Run::Wrong {
            // SAFETY: the model only looks the address up; the miniport has the child.
            machine
                .world
                .inside(|| unsafe { sys::NdisFreeNetBufferList(child.get()) });
        }
        machine.deliver_all();
        machine.stop()
    });
}

#[test]
fn a_child_sent_twice_is_noticed() {
    assert_tampering_breaks(
        Rule::Once,
        "child NBL",
        on_send(|nbls| {
            let last = nbls.last().copied().expect("children");
            // SAFETY: the chain is on its way; the model checks owners before all else.
            unsafe { (*last).Next = nbls[0] };
        }),
    );
}

#[test]
fn an_nbl_that_does_not_exist_is_noticed_on_its_way_down() {
    assert_tampering_breaks(
        Rule::Once,
        "NBL at 0x1000",
        on_send(|nbls| {
            let last = nbls.last().copied().expect("children");
            // SAFETY: the chain is on its way; the model checks its ledger before all else.
            unsafe { (*last).Next = ptr::without_provenance_mut(0x1000) };
        }),
    );
}

#[test]
fn an_nbl_that_does_not_exist_is_noticed_on_its_way_up() {
    assert_tampering_breaks(
        Rule::Once,
        "NBL at 0x1000",
        // SAFETY: as above.
        on_complete(|nbl| unsafe { (*nbl).Next = ptr::without_provenance_mut(0x1000) }),
    );
}

#[test]
fn a_parent_completed_twice_is_noticed() {
    assert_tampering_breaks(
        Rule::Once,
        "large send 0",
        // SAFETY: the parent is on its way up.
        on_complete(|nbl| unsafe { (*nbl).Next = nbl }),
    );
}

#[test]
fn a_child_completed_upward_is_noticed() {
    let child = Found::default();
    assert_tampering_breaks(Rule::Once, "child NBL", move |tamper| match tamper {
        Tamper::Send(chain) => {
            child.set(nbls(*chain)[0]);
            false
        }
        Tamper::Complete(chain) => {
            // SAFETY: the parent is on its way up; the child is returned to its pool and stays as
            // it is.
            unsafe { (**chain).Next = child.get() };
            true
        }
    });
}

#[test]
fn a_driver_is_deregistered_once() {
    assert_breaks(Rule::Once, "driver", |run| {
        let machine = machine();
        let world = std::sync::Arc::clone(&machine.world);
        let mut broken = machine.stop();
        if run == Run::Wrong {
            // SAFETY: the model only compares the handle.
            world.inside(|| unsafe { sys::NdisFDeregisterFilterDriver(ptr::null_mut()) });
        }
        broken.extend(world.finish());
        broken
    });
}

#[test]
fn a_configuration_is_closed_once() {
    assert_breaks(Rule::Once, "configuration", |run| {
        let machine = machine();
        if run == Run::Wrong {
            // SAFETY: the model only looks the handle up.
            machine
                .world
                .inside(|| unsafe { sys::NdisCloseConfiguration(ptr::null_mut()) });
        }
        machine.stop()
    });
}

#[test]
fn a_parent_that_never_comes_back_is_noticed() {
    assert_tampering_breaks(Rule::EachCompletes, "large send 0", |tamper| match tamper {
        Tamper::Send(_) => false,
        Tamper::Complete(chain) => {
            *chain = ptr::null_mut();
            true
        }
    });
}

#[test]
fn a_second_net_buffer_in_a_child_is_noticed() {
    assert_tampering_breaks(
        Rule::OneNetBuffer,
        "child NBL",
        // SAFETY: the children are on their way down; the model stops at the second packet.
        on_send(|nbls| unsafe { (*packet(nbls[0])).Next = packet(nbls[1]) }),
    );
}
