//! The model's contract around the packets: OID requests, status indications, network events, the
//! control device, locks and levels, hosts.
//!
//! A small [driver](pass_through) that forwards everything keeps the contract; each test runs one
//! scenario with it, when no rule may be broken, and with the same driver and one fault, when the
//! model must name the rule and describe the finding.
#![expect(unsafe_code, reason = "drivers that misbehave")]

mod control_device;
mod error_log;
mod events;
mod kernel;
mod oid;
mod pass_through;
mod pnp;
mod status;
mod switch;

use std::sync::Arc;

use model::{Config, Nic, Rule, Violation, World};
use scenarios::assert_clean;

/// A machine on which the pass-through driver with `FAULT` runs.
fn start<const FAULT: u8>(config: Config) -> Arc<World> {
    let world = World::new(config);
    // SAFETY: the entry point is this driver's.
    unsafe { world.start(pass_through::entry::<FAULT>) }.expect("the driver starts");
    world
}

/// The violations of `scenario` with the driver with `FAULT`.
fn run<const FAULT: u8>(nic: &Nic, scenario: impl Fn(&Arc<World>)) -> Vec<Violation> {
    let world = start::<FAULT>(Config::with_nic(nic.clone()));
    scenario(&world);
    world.stop()
}

/// Checks that `scenario` breaks no rule with the correct driver, and that with `FAULT` it breaks
/// `rule`, with `found` in the model's report.
#[track_caller]
fn assert_breaks_with<const FAULT: u8>(
    nic: &Nic,
    rule: Rule,
    found: &str,
    scenario: impl Fn(&Arc<World>),
) {
    assert_clean(&run::<{ pass_through::fault::NONE }>(nic, &scenario));
    assert_found(&run::<FAULT>(nic, &scenario), rule, found);
}

/// The same with the default NIC.
#[track_caller]
fn assert_breaks<const FAULT: u8>(rule: Rule, found: &str, scenario: impl Fn(&Arc<World>)) {
    assert_breaks_with::<FAULT>(&Nic::default(), rule, found, scenario);
}

/// Checks that `rule` is among `broken`, with `found` in the model's report.
#[track_caller]
fn assert_found(broken: &[Violation], rule: Rule, found: &str) {
    let reported = |one: &Violation| one.rule == rule && one.found.contains(found);
    assert!(
        broken.iter().any(reported),
        "rule {} with {found:?} is not among {broken:#?}",
        rule.name()
    );
}
