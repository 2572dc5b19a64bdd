//! The stage detects faults.

use super::*;
use crate::demo::story::large_send;

/// A host with a guest.
fn stage() -> Stage<'static> {
    let mut stage = Stage::new(&Driver::Native);
    stage.add_host(62_780, None).unwrap();
    stage.add_guest();
    stage
}

/// The faults that the next step finds.
fn found(stage: &mut Stage<'_>) -> Vec<String> {
    stage.step("", "", Vec::new()).unwrap();
    stage.steps.pop().unwrap().violations
}

#[test]
fn a_size_that_is_not_indicated_is_noticed() {
    let mut stage = stage();
    assert!(found(&mut stage).is_empty());
    // The NIC changes, and its miniport does not indicate it.
    let silently = |nic: &mut Nic| nic.limits.v2_ipv6.max_payload = 9000;
    stage.world(0).set_nic(silently);
    let expected = [
        "host 1, IPv6: the filter's report of the NIC is 62780, not 9000",
        "host 1, IPv6: what is advertised is 502240, not 72000",
    ];
    assert_eq!(found(&mut stage), expected);
}

#[test]
fn a_large_send_that_fails_is_noticed() {
    let mut stage = stage();
    let failing = |nic: &mut Nic| nic.failing = vec![(0, -1)];
    stage.world(0).set_nic(failing);
    let record = stage.send(0, None, large_send(V4, 100_000));
    assert_eq!(record.verdict, "wrong");
    assert_eq!(found(&mut stage).len(), 1);
    let report = stage.stop().unwrap();
    assert_eq!((report.counted[1], report.at_end), (1, Vec::new()));
}

#[test]
fn a_large_send_that_is_not_back_is_lost() {
    let mut stage = stage();
    stage.world(0).set_nic(|nic| nic.completion.deferred = true);
    let record = stage.send(0, None, large_send(V6, 100_000));
    assert_eq!(record.verdict, "wrong");
    let wrong = found(&mut stage);
    assert!(wrong[0].contains("failed (lost)"), "{wrong:?}");
}
