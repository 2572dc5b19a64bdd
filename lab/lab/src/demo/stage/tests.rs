//! The stage detects faults.

use super::*;
use model::Nic;

/// A host with a guest.
fn stage() -> Stage<'static> {
    let mut stage = Stage::default();
    stage.add_host(&Driver::Native, 62_780).unwrap();
    stage.add_guest();
    stage
}

/// The faults that the next step finds.
fn found(stage: &mut Stage<'_>) -> Vec<String> {
    stage.step("", "").unwrap();
    stage.report.steps.pop().unwrap().violations
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

/// The faults of a step in which the guest's large send is not good.
fn of_a_bad_send(stage: &mut Stage<'_>, ip: IpVersion) -> Vec<String> {
    stage.send(0, None, ip, 100_000).unwrap();
    stage.step("", "").unwrap();
    let step = stage.report.steps.pop().unwrap();
    assert_eq!(step.sends[0].verdict, "wrong");
    step.violations
}

#[test]
fn a_large_send_that_fails_is_noticed() {
    let mut stage = stage();
    let failing = |nic: &mut Nic| nic.failing = vec![(0, -1)];
    stage.world(0).set_nic(failing);
    assert_eq!(of_a_bad_send(&mut stage, V4).len(), 1);
    let report = stage.stop().unwrap();
    assert_eq!((report.counted[1], report.faults.len()), (1, 1));
}

#[test]
fn a_large_send_that_is_not_back_is_lost() {
    let mut stage = stage();
    stage.world(0).set_nic(|nic| nic.completion.deferred = true);
    let wrong = of_a_bad_send(&mut stage, V6);
    assert!(wrong[0].contains("failed (lost)"), "{wrong:?}");
}
