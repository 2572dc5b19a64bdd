//! Any bytes as sends of the overlying driver to any NIC: the steps of a run, and the properties
//! that must hold for it.
//!
//! Only the overlying driver may break rules, and only where it describes its packets wrongly: the
//! filter forwards packets that it need not change, and the NIC decides about them.

mod input;

use input::Step;

use super::bytes::Bytes;
use crate::Machine;

/// Most steps of a run; the model keeps that many sends.
const MOST_STEPS: usize = 8;

/// Runs the steps that `bytes` describe on a machine with the driver. Returns how many packets the
/// NIC got.
///
/// # Panics
/// If the filter did wrong.
pub fn run(bytes: &[u8]) -> usize {
    let mut bytes = Bytes(bytes);
    let config = bytes.config();
    let processors = config.processors;
    let world = Machine::start(config).world;
    let mut numbers = Vec::new();
    for step in std::iter::from_fn(|| bytes.step(processors)).take(MOST_STEPS) {
        match step {
            Step::Send(packets, call) => numbers.extend(world.send(packets, call)),
            Step::Deliver => drop(world.deliver()),
            Step::Enable(enabled) => world.nic_changes(|nic| nic.enabled = enabled),
            Step::Restart => {
                world.pause();
                world.restart().expect("the module restarts");
            }
        }
    }
    while world.deliver() > 0 {}
    for number in numbers {
        assert!(world.completed(number).is_some(), "every send completes");
    }
    let below = world.take_children().len();
    let mut broken = world.take_violations();
    broken.extend(world.stop());
    assert!(broken.is_empty(), "{broken:#?}");
    below
}
