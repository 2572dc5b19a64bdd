//! The record of a step, as `--json` prints it. Sizes are bytes of TCP payload.

use lso::IpVersion;
use model::LargeSendLimits;
use serde::Serialize;

/// One step of the story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its number, from 1.
    pub step: usize,
    /// A short name.
    pub name: &'static str,
    /// The event.
    pub what: String,
    /// Every host at the end of the step.
    pub hosts: Vec<HostView>,
    /// The large sends of the step, in order.
    pub sends: Vec<SendRecord>,
    /// Faults, in one line each.
    pub violations: Vec<String>,
}

/// The sizes of LSOv2, for each version of IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Over IPv4.
    pub ipv4: u32,
    /// Over IPv6.
    pub ipv6: u32,
}

impl Sizes {
    /// The size over `ip`.
    #[must_use]
    pub fn over(self, ip: Family) -> u32 {
        match ip {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
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

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "IPv4")]
    Ipv4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

impl From<IpVersion> for Family {
    fn from(version: IpVersion) -> Self {
        match version {
            IpVersion::V4 => Self::Ipv4,
            IpVersion::V6 => Self::Ipv6,
        }
    }
}

/// The sizes on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostView {
    /// Its name.
    pub name: String,
    /// The multiple by which the filter raises the NIC's maximum.
    pub multiple: u32,
    /// The NIC's maxima.
    pub nic: Sizes,
    /// The sizes that the filter advertises.
    pub advertised: Sizes,
    /// Its guests.
    pub guests: Vec<GuestView>,
}

/// The sizes that were advertised to a guest, and those that it uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestView {
    /// Its name.
    pub name: String,
    /// The sizes that it uses.
    #[serde(flatten)]
    pub uses: Sizes,
}

/// A large send and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SendRecord {
    /// The guest that sent it.
    pub from: String,
    /// Where it was to go.
    pub to: String,
    /// Its network protocol.
    pub ip: Family,
    /// Its payload.
    pub payload: u32,
    /// The payload of each large send that the NIC was given for it.
    pub children: Vec<usize>,
    /// Packets that left on the wire.
    pub wire_packets: usize,
    /// `whole`, `same`, `as-is` or `wrong`.
    pub verdict: &'static str,
}
