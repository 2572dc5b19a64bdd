//! Hosts: the NIC's limits, the filter's advertised sizes, and the sizes that each guest uses.

use std::sync::Arc;

use model::{
    Config, Nic, Packet, World,
    host::{Delivery, Guest, Host, migrate},
};
use scenarios::{Machine, assert_clean, packets::large_v4};

use crate::{
    pass_through::{MULTIPLE, fault},
    start,
};

const FIRST: [u8; 6] = [2, 0, 0, 0, 0, 0x11];
const SECOND: [u8; 6] = [2, 0, 0, 0, 0, 0x22];

/// A host whose filter advertises a multiple and splits nothing.
fn advertising(max_payload: u32) -> Host {
    let config = Config::with_nic(Nic::new(max_payload, 2));
    Host::new("host", start::<{ fault::NONE }>(config))
}

/// A host with the product's filter.
fn splitting(name: &str, max_payload: u32) -> Host {
    let machine = Machine::with_nic(Nic::new(max_payload, 2));
    Host::new(name, Arc::clone(&machine.world))
}

/// A large send of `payload` bytes to `to`.
fn to(to: [u8; 6], payload: u32) -> Packet {
    let mut packet = large_v4(payload);
    packet.frame[..6].copy_from_slice(&to);
    packet
}

fn assert_down(host: &Host, delivery: &Delivery) {
    let Delivery::Down(number) = delivery else {
        panic!("{delivery:?}");
    };
    let completed = host.world().completed(*number).expect("completed");
    assert_eq!(completed.status, 0);
}

fn max_of(guest: &Guest) -> u32 {
    guest.indicator().v2_ipv4.max_payload
}

#[test]
fn a_guest_binds_to_the_advertised_size() {
    let host = advertising(60_000);
    let guest = host.add_guest("guest", FIRST);
    assert_eq!(host.nic_limits().v2_ipv4.max_payload, 60_000);
    assert_eq!(
        host.filter_advertises().v2_ipv4.max_payload,
        MULTIPLE * 60_000
    );
    assert_eq!(guest.indicator(), host.filter_advertises());
    assert_clean(&host.world().stop());
}

#[test]
fn a_guest_gets_each_change_and_the_nics_size_when_the_filter_detaches() {
    let host = advertising(60_000);
    let guest = host.add_guest("guest", FIRST);
    host.world()
        .nic_changes(|nic| nic.limits.v2_ipv4.max_payload = 30_000);
    assert_eq!(max_of(&guest), MULTIPLE * 30_000);
    assert_clean(&host.world().stop());
    assert_eq!(max_of(&guest), 30_000);
    let sizes: Vec<_> = guest
        .advertised()
        .iter()
        .map(|all| all.v2_ipv4.max_payload)
        .collect();
    assert_eq!(sizes, [MULTIPLE * 60_000, MULTIPLE * 30_000, 30_000]);
}

#[test]
fn sends_between_guests_of_one_host_stay_whole() {
    let host = advertising(60_000);
    let (first, second) = (
        host.add_guest("first", FIRST),
        host.add_guest("second", SECOND),
    );
    let delivery = first.send(&host, |own| to(SECOND, own.v2_ipv4.max_payload));
    assert_eq!(delivery, Delivery::Whole("second".into()));
    let received = second.take_received();
    assert_eq!(received.len(), 1);
    assert!(received[0].frame.len() > 240_000);
    assert!(host.world().take_children().is_empty());
    assert_clean(&host.world().stop());
}

#[test]
fn sends_to_other_hosts_go_to_the_nic() {
    let host = splitting("host", 10_000);
    let guest = host.add_guest("guest", FIRST);
    let delivery = guest.send(&host, |own| to(SECOND, own.v2_ipv4.max_payload));
    assert_down(&host, &delivery);
    assert!(guest.take_received().is_empty());
    assert_clean(&host.world().stop());
}

#[test]
fn a_guest_that_migrates_gets_the_new_size_and_its_old_size_still_passes() {
    let (from, to_host) = (splitting("large", 60_000), splitting("small", 10_000));
    let guest = from.add_guest("guest", FIRST);
    let old = max_of(&guest);
    assert_down(&from, &guest.send(&from, |_| to(SECOND, old)));

    migrate(&guest, &from, &to_host);
    assert!(from.guests().is_empty());
    assert_eq!(to_host.guests().len(), 1);
    assert!(max_of(&guest) < old);
    assert_down(&to_host, &guest.send(&to_host, |_| to(SECOND, old)));
    assert_clean(&from.world().stop());
    assert_clean(&to_host.world().stop());
}

#[test]
fn a_host_without_a_filter_has_its_nics_limits() {
    let host = Host::new("plain", World::new(Config::with_nic(Nic::new(30_000, 2))));
    let guest = host.add_guest("guest", FIRST);
    assert_eq!(max_of(&guest), 30_000);
    assert_down(&host, &guest.send(&host, |_| to(SECOND, 30_000)));
    assert_clean(&host.world().finish());
}
