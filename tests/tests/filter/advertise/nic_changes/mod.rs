//! The NIC's limits change while sends are in flight: the newest limit holds, and no size that was
//! ever advertised is lost.

mod property;
mod statuses;

use model::{Completion, Config, Nic, Order};
use scenarios::{
    Machine,
    adapter::{assert_last_indication, enable_lso, originated},
    packets::{MSS, MSS_V6, large_v1, large_v4, large_v6, small},
};
use testpkt::synth::Synth;

/// The NIC's limit at first.
const BEFORE: u32 = 40 * MSS;

/// A NIC that holds its NBLs until the test asks it to complete them.
fn slow() -> Nic {
    let mut nic = Nic::new(BEFORE, 2);
    nic.completion = Completion {
        deferred: true,
        order: Order::Shuffled(3),
        ..Completion::default()
    };
    nic
}

/// Changes the NIC's maximum to `max` bytes, and makes it indicate that.
fn resize(machine: &Machine, max: u32) {
    machine
        .world
        .nic_changes(|nic| nic.limits = Nic::new(max, 2).limits);
}

/// The longest child sent since the last call, in bytes of payload.
fn longest(machine: &Machine) -> usize {
    let below = machine.world.take_children();
    below.iter().map(|child| child.payload).max().unwrap_or(0)
}

#[test]
fn a_nic_that_shrinks_gets_smaller_children_from_the_next_send_on() {
    let machine = Machine::with_nic(slow());
    let old = 8 * BEFORE;
    let before = machine.send(vec![large_v4(old), large_v6(old)]);
    assert_eq!(longest(&machine), BEFORE as usize);
    for max in [39 * MSS, 20 * MSS, 5 * MSS, 3 * MSS] {
        resize(&machine, max);
        assert_last_indication(&machine.world);
        let after = machine.send(vec![large_v4(old), small(), large_v6(old)]);
        assert!(longest(&machine) <= max as usize);
        assert_eq!(machine.world.completed(after[0]), None, "it is on its way");
        machine.deliver_all();
        assert!(after.iter().all(|number| machine.status(*number) == 0));
    }
    assert!(before.iter().all(|number| machine.status(*number) == 0));
    machine.assert_split(large_v4(old));
    machine.stop_clean();
}

#[test]
fn a_nic_that_grows_gets_fewer_children() {
    let machine = Machine::with_nic(slow());
    let sent = machine.send_one(large_v4(8 * BEFORE));
    assert_eq!(machine.world.take_children().len(), 8);
    resize(&machine, 2 * BEFORE);
    assert_last_indication(&machine.world);
    assert_eq!(machine.assert_split(large_v4(8 * BEFORE)).len(), 4);
    assert_eq!(machine.assert_split(large_v6(16 * 40 * MSS_V6)).len(), 8);
    assert!(!machine.assert_sent(large_v4(2 * BEFORE))[0].is_child);
    assert_eq!(machine.status(sent), 0);
    machine.stop_clean();
}

#[test]
fn a_nic_may_grow_beyond_what_children_were_made_for() {
    let machine = Machine::with_nic(slow());
    for max in [300_000, 1_000_000] {
        resize(&machine, max);
        assert_last_indication(&machine.world);
        for packet in [large_v4(2 * max), large_v6(max + MSS)] {
            let payload = packet.frame.len() as u32;
            let children = machine.assert_split(packet).len() as u32;
            // Children carry 256 KiB, whatever the NIC's limit at attach was.
            let most = max.min(256 << 10) / MSS * MSS;
            assert!(
                children <= payload.div_ceil(most),
                "no more than there must be"
            );
        }
        assert!(!machine.assert_sent(large_v4(max))[0].is_child);
    }
    machine.stop_clean();
}

#[test]
fn children_are_made_for_the_nics_limit_at_attach() {
    let max = 700 * MSS;
    let machine = Machine::with_nic(Nic::new(max, 2));
    let children = machine.assert_split(large_v4(2 * max));
    let payloads: Vec<_> = children.iter().map(|child| child.payload).collect();
    assert_eq!(payloads, [max as usize; 2]);
    machine.stop_clean();
}

#[test]
fn large_sends_are_cut_into_packets_while_lso_is_disabled() {
    let machine = Machine::with_nic(slow());
    let under_way = machine.send(vec![large_v4(8 * BEFORE), large_v6(8 * BEFORE)]);
    enable_lso(&machine.world, false, true);
    assert_last_indication(&machine.world);
    assert_eq!(machine.world.advertised().v2_ipv4.max_payload, 0);
    machine.deliver_all();
    assert!(under_way.iter().all(|number| machine.status(*number) == 0));
    let _ = machine.world.take_children();
    for size in [8 * BEFORE, 3 * MSS] {
        let packets = machine.assert_split(large_v4(size));
        assert_eq!(packets.len() as u32, size.div_ceil(MSS));
        assert!(packets.iter().all(|packet| packet.large_send.mss() == 0));
    }
    assert_eq!(machine.statistics().refused_in_all(), 0);
    // The other IP version, and all NBLs that are not large sends, pass as ever.
    machine.assert_split(large_v6(8 * BEFORE));
    machine.assert_sent(small());
    enable_lso(&machine.world, true, false);
    assert_last_indication(&machine.world);
    machine.assert_split(large_v4(8 * BEFORE));
    let packets = machine.assert_split(large_v6(8 * BEFORE));
    assert_eq!(packets.len() as u32, (8 * BEFORE).div_ceil(MSS_V6));
    enable_lso(&machine.world, true, true);
    machine.assert_split(large_v6(8 * BEFORE));
    assert_last_indication(&machine.world);
    machine.stop_clean();
}

#[test]
fn lsov1_goes_by_its_own_limit() {
    let machine = Machine::with_nic(slow());
    let send = || large_v1(&Synth::v4(40 * MSS, MSS));
    assert!(!machine.assert_sent(send())[0].is_child);
    machine
        .world
        .nic_changes(|nic| nic.limits.v1.max_payload = 10 * MSS);
    assert_last_indication(&machine.world);
    assert_eq!(machine.assert_split(send()).len(), 4);
    machine.world.nic_changes(|nic| nic.enabled.v1 = false);
    assert_last_indication(&machine.world);
    assert_eq!(machine.assert_split(send()).len(), 40);
    machine.assert_split(large_v4(8 * BEFORE));
    machine.stop_clean();
}

#[test]
fn a_change_of_the_nic_counts_while_the_module_is_paused() {
    let machine = Machine::without_driver(Config::with_nic(slow()));
    machine.load().expect("the driver loads");
    machine.world.attach().expect("an attach");
    for max in [10 * MSS, 60 * MSS, 7 * MSS] {
        resize(&machine, max);
        assert_last_indication(&machine.world);
        let known = originated(&machine.world).len();
        machine.world.restart().expect("a restart");
        let children = machine.assert_split(large_v4(8 * BEFORE));
        assert!(children.iter().all(|child| child.payload <= max as usize));
        machine.world.pause();
        assert_eq!(originated(&machine.world).len(), known + 1, "the restart's");
    }
    machine.stop_clean();
}
