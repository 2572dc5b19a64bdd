//! The stage detects faults.

use super::*;
use crate::demo::step::Family;
use crate::demo::story::large_send;

/// A host with a guest.
fn stage() -> (Stage<'static>, Guest) {
    let mut stage = Stage::new(&Driver::Native);
    stage.add_host("host 1", 62_780, None).unwrap();
    let guest = stage.host(0).add_guest("guest 1", [2, 0, 0, 0, 0, 1]);
    (stage, guest)
}

#[test]
fn a_size_that_is_not_told_is_noticed() {
    let (mut stage, _guest) = stage();
    stage.look().unwrap();
    assert!(stage.take_wrong().is_empty());
    // The NIC changes, and its miniport does not indicate it.
    let silently = |nic: &mut Nic| nic.limits.v2_ipv6.max_payload = 9000;
    stage.host(0).world().set_nic(silently);
    stage.look().unwrap();
    let expected = [
        "host 1, IPv6: the filter's report of the NIC is 62780, not 9000",
        "host 1, IPv6: what is advertised is 502240, not 72000",
    ];
    assert_eq!(stage.take_wrong(), expected);
    assert!(stage.take_wrong().is_empty());
}

#[test]
fn a_large_send_that_fails_is_noticed() {
    let (mut stage, guest) = stage();
    let failing = |nic: &mut Nic| nic.failing = vec![(0, -1)];
    stage.host(0).world().set_nic(failing);
    let send = large_send(Family::Ipv4, 100_000);
    let record = stage.send(0, &guest, To::Outside, send);
    assert_eq!(record.verdict, "wrong");
    assert_eq!(stage.take_wrong().len(), 1);
    let (counted, wrong) = stage.stop().unwrap();
    assert_eq!((counted.split, wrong), (1, Vec::new()));
}

#[test]
fn a_large_send_that_is_not_back_is_lost() {
    let (mut stage, guest) = stage();
    let world = stage.host(0).world().clone();
    world.set_nic(|nic| nic.completion.deferred = true);
    let send = large_send(Family::Ipv6, 100_000);
    let record = stage.send(0, &guest, To::Outside, send);
    assert_eq!(record.verdict, "wrong");
    let wrong = stage.take_wrong();
    assert!(wrong[0].contains("failed (lost)"), "{wrong:?}");
}
