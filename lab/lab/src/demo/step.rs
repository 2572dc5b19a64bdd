//! The record of a step, as `--json` prints it. Sizes are bytes of TCP payload.

use lso::IpVersion;
use model::LargeSendLimits;
use serde::Serialize;

/// The result of a demo.
#[derive(Default)]
pub(super) struct Report {
    pub(super) steps: Vec<Step>,
    /// Faults of all steps, and while the drivers stopped, in one line each.
    pub(super) faults: Vec<String>,
    /// The filters' counters, added over all hosts: large sends, those split, their children.
    pub(super) counted: [u64; 3],
}

/// One step of the story.
#[derive(Serialize)]
pub(super) struct Step {
    /// Its number, from 1.
    pub(super) step: usize,
    pub(super) name: &'static str,
    /// The event.
    pub(super) what: String,
    /// Every host at the end of the step.
    pub(super) hosts: Vec<HostView>,
    /// The large sends of the step, in order.
    pub(super) sends: Vec<SendRecord>,
    /// Faults, in one line each.
    pub(super) violations: Vec<String>,
}

/// The sizes of LSOv2, for each version of IP.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Sizes {
    pub(super) ipv4: u32,
    pub(super) ipv6: u32,
}

impl Sizes {
    pub(super) fn over(self, ip: IpVersion) -> u32 {
        match ip {
            IpVersion::V4 => self.ipv4,
            IpVersion::V6 => self.ipv6,
        }
    }
}

impl From<LargeSendLimits> for Sizes {
    fn from(limits: LargeSendLimits) -> Self {
        Self {
            ipv4: limits.v2_ipv4.max_payload,
            ipv6: limits.v2_ipv6.max_payload,
        }
    }
}

/// The sizes on a host: the multiple by which the filter raises the NIC's, and who has which.
#[derive(Serialize)]
pub(super) struct HostView {
    pub(super) name: String,
    pub(super) multiple: u32,
    pub(super) nic: Sizes,
    pub(super) advertised: Sizes,
    pub(super) guests: Vec<GuestView>,
}

/// The sizes that a guest uses.
#[derive(Serialize)]
pub(super) struct GuestView {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) uses: Sizes,
}

/// A large send and its outcome.
#[derive(Serialize)]
pub(super) struct SendRecord {
    pub(super) from: String,
    pub(super) to: String,
    /// Its network protocol: `IPv4` or `IPv6`.
    pub(super) ip: &'static str,
    pub(super) payload: u32,
    /// The payload of each large send that the NIC was given for it.
    pub(super) children: Vec<usize>,
    /// Packets that left on the wire.
    pub(super) wire_packets: usize,
    /// `whole`, `same`, `as-is` or `wrong`.
    pub(super) verdict: &'static str,
}
