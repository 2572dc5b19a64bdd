//! Findings of `mslso-lab chaos` that were no fault of the filter's, although the model reported
//! them, and other properties of the model that it depends on.

use model::{
    Backing, Config, Failing, Nic, Packet, RegistryValue, Rule, SendCall, TunnelSlot, Violation,
};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::read,
    packets::{MSS, large_v4, large_v6, small},
};

/// A NIC with a maximum of three segments.
fn slow() -> Nic {
    Nic::new(3 * MSS, 2)
}

/// Each send accounts for the allocations that fail within it, and for no other.
#[test]
fn a_send_from_within_a_completion_pays_for_its_own_failed_allocation() {
    let machine = Machine::with_nic(slow());
    let world = &machine.world;
    world.send_on_completion(vec![Packet {
        backing: Backing::LockedPages,
        ..large_v4(20_000)
    }]);
    let asked = world.fail_allocations(Failing::None);
    world.fail_allocations(Failing::From(asked));
    let outer = machine.send_one(small());
    world.fail_allocations(Failing::None);
    assert_eq!(machine.status(outer), 0);
    let inner = world.settle();
    assert!(
        inner
            .iter()
            .any(|account| account.status == sys::NDIS_STATUS_RESOURCES)
    );
    machine.stop_clean();
}

/// A tunnel slot without a tunnel, and the USO slot of a large send of TCP, need not go down with
/// children.
#[test]
fn slots_without_information_may_be_dropped() {
    let empty = TunnelSlot {
        inner_frame: 50,
        tcp_options: true,
        ..TunnelSlot::default()
    };
    for nic in [slow(), Nic::default().without_lso()] {
        let machine = Machine::with_nic(nic);
        for (slot, value) in [
            (
                sys::TcpSendOffloadsSupplementalNetBufferListInfo,
                empty.to_raw(),
            ),
            (sys::UdpSegmentationOffloadInfo, 0x1234),
        ] {
            machine.assert_split(large_v4(20_000).with_slot(slot, value));
        }
        machine.stop_clean();
    }
}

/// A NIC whose hardware grows without an indication is, for the filter, still one without large
/// sends.
#[test]
fn hardware_capabilities_are_those_indicated_last() {
    let mut nic = slow();
    nic.limits.v2_ipv6.max_payload = 0;
    let machine = Machine::with_nic(nic);
    let world = &machine.world;
    let advertised = || world.advertised().v2_ipv6.max_payload;
    assert!(advertised() > 0, "in software");
    world.nic_changes(|nic| {
        nic.limits.v2_ipv6 = slow().limits.v2_ipv6;
        nic.enabled.v2_ipv6 = false;
    });
    assert!(advertised() > 0, "in software, as before");
    machine.assert_split(large_v6(20_000));
    world.indicate_offload(sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES);
    assert_eq!(advertised(), 0, "it is turned off");
    machine.stop_clean();
}

/// The model reads SoftwareSegmentation where the filter does: at the attach.
#[test]
fn large_sends_may_be_offered_on_any_nic_from_the_next_attach_on() {
    let nic = Nic::default().without_lso().without_checksum_offload();
    let machine = Machine::with_nic(nic);
    let world = &machine.world;
    let advertised = || world.advertised().v2_ipv4.max_payload;
    world.set_registry("SoftwareSegmentation", RegistryValue::Integer(2));
    assert_eq!(advertised(), 0);
    world.pause();
    world.detach();
    world.attach().expect("an attach");
    world.restart().expect("a restart");
    assert!(advertised() > 0);
    machine.stop_clean();
}

#[test]
fn a_new_mtu_is_reported_at_the_next_restart() {
    let machine = Machine::with_nic(Nic::default().without_lso());
    let world = &machine.world;
    let status = |packet| machine.status(machine.send_one(packet));
    assert_eq!(status(large_v4(20_000)), 0);
    world.pause();
    let refused = sys::NDIS_STATUS_INVALID_PACKET;
    for (reported, mtu, expected) in [
        (Some(600), 600, refused),
        (None, 600, refused),
        (Some(9000), 9000, 0),
    ] {
        world.set_mtu(reported);
        world.restart().expect("a restart");
        assert_eq!(read(world).mtu, mtu);
        assert_eq!(status(large_v4(20_000)), expected);
        world.pause();
    }
    world.restart().expect("a restart");
    machine.stop_clean();
}

/// The overlying driver sends packets that no NIC accepts, and the filter forwards them.
#[test]
fn rules_broken_by_the_overlying_driver_are_not_counted_as_the_filters() {
    let machine = Machine::start(Config::with_nic(slow()));
    let world = &machine.world;
    let mut syn = large_v4(2 * MSS);
    syn.frame[47] |= 2;
    syn.buffers = vec![40];
    world.send(vec![syn], SendCall::default());
    let all = world.violations();
    assert!(all.iter().any(|one| one.rule == Rule::Headers), "{all:?}");
    assert_eq!(world.take_violations(), []);
    assert_eq!(world.violations(), [], "they were taken");
    // A child's violation is never the overlying driver's, whatever its parent was: here the NIC
    // shrinks, and does not indicate it.
    world.set_nic(|nic| nic.limits = Nic::new(2 * MSS, 2).limits);
    machine.send_one(large_v4(20_000));
    let broken = world.take_violations();
    let of_children = |one: &Violation| one.rule == Rule::Limit && one.subject.contains("child");
    assert!(
        !broken.is_empty() && broken.iter().all(of_children),
        "{broken:?}"
    );
}

#[test]
fn each_account_is_returned_once() {
    let machine = Machine::with_nic(slow());
    let world = &machine.world;
    world.set_nic(|nic| nic.completion.deferred = true);
    world.keep_no_packets();
    machine.send(vec![large_v4(20_000), small()]);
    assert_eq!((world.settle(), world.outstanding()), (Vec::new(), 2));
    machine.deliver_all();
    let accounts = world.settle();
    let children: Vec<_> = accounts.iter().map(|account| account.children).collect();
    assert_eq!(children, [5, 0]);
    assert!(accounts[0].sound && accounts.iter().all(|account| account.status == 0));
    assert_eq!((world.settle(), world.outstanding()), (Vec::new(), 0));
    assert_eq!((world.given(), world.left()), (6, 15));
    assert_eq!((world.take_children(), world.take_wire()), (vec![], vec![]));
    machine.stop_clean();
}
