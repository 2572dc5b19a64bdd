//! Any bytes as sends of the layer above to any NIC: what a run is, and what must hold of it.
//!
//! Rules may be broken by the layer above alone, and where it says wrong things of its packets:
//! the filter passes on what it need not touch, for a NIC to make of it what it can.

mod input;

use std::collections::BTreeMap;

use input::Step;
use model::{Packet, Rule, Violation, one_stage};
use ndis::sys;

use super::bytes::Bytes;
use crate::Machine;

/// Most steps of a run; the model keeps that many sends.
const MOST_STEPS: usize = 8;

/// A send that the layer above has made.
struct Sent {
    packet: Packet,
    /// A large send as plain as a stack makes them.
    sound: bool,
    status: i32,
}

/// Runs what `bytes` say on a machine with the driver. Returns how many packets the NIC got.
///
/// # Panics
/// Where the filter did wrong.
pub fn run(bytes: &[u8]) -> usize {
    let mut bytes = Bytes(bytes);
    let config = bytes.config();
    let processors = config.processors;
    let world = Machine::start(config).world;
    let mut sends = BTreeMap::new();
    for step in std::iter::from_fn(|| bytes.step(processors)).take(MOST_STEPS) {
        match step {
            Step::Send(packets, call) => {
                let numbers = world.send(packets.clone(), call);
                sends.extend(numbers.into_iter().zip(packets));
            }
            Step::Deliver => drop(world.deliver()),
            Step::Enable(enabled) => world.nic_changes(|nic| nic.enabled = enabled),
            Step::Restart => {
                world.pause();
                world.restart().expect("the module restarts");
            }
        }
    }
    while world.deliver() > 0 {}
    let sends = sends.into_iter().map(|(number, packet)| {
        let completed = world.completed(number);
        let sent = Sent {
            packet,
            sound: world.is_sound(number),
            status: completed.expect("every send completes").status,
        };
        (number, sent)
    });
    let sends: BTreeMap<_, _> = sends.collect();
    let below = world.take_children().len();
    let mut broken = world.stop();
    broken.retain(|violation| !by_the_layer_above(violation, &sends));
    assert!(broken.is_empty(), "{broken:#?}");
    below
}

/// Whether a rule was broken by what the layer above sent, rather than by the filter.
fn by_the_layer_above(violation: &Violation, sends: &BTreeMap<u64, Sent>) -> bool {
    let sent = subject(&violation.subject).and_then(|number| sends.get(&number));
    let Some(sent) = sent else {
        // A child, or something that is no packet: nobody's but the filter's.
        return false;
    };
    let slots = sent.packet.slots();
    let misdescribed = sent.packet.extra_length != 0 || sent.packet.skew != 0;
    match violation.rule {
        // It goes down as it came.
        Rule::Limit | Rule::Headers | Rule::Chain | Rule::OneNetBuffer => !sent.sound,
        Rule::Wire => {
            misdescribed
                || sent.packet.net_buffers != 1
                || one_stage(&sent.packet.frame, &slots, 16).is_err()
        }
        Rule::Order | Rule::TransmitComplete => misdescribed,
        // More children than there are at a time.
        Rule::StaleSize => sent.status == sys::NDIS_STATUS_RESOURCES,
        _ => false,
    }
}

/// The number of the layer above's send that a violation is about.
fn subject(subject: &str) -> Option<u64> {
    let number = subject
        .strip_prefix("large send ")
        .or_else(|| subject.strip_prefix("packet "))?;
    number.parse().ok()
}
