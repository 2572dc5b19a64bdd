//! Advice on large sends that the driver refuses.

use control::Refused;
use lso::Refusal;

/// One reason for which large sends were refused.
pub(crate) struct Reason {
    /// The reason's identifier.
    pub(crate) name: String,
    /// The meaning of the refusal.
    pub(crate) meaning: String,
    /// The remedy for an administrator.
    pub(crate) advice: &'static str,
    /// Large sends refused for it.
    pub(crate) count: u64,
}

/// All reasons that the driver reports. Reasons without a name in this tool have their number for a
/// name.
pub(crate) fn reasons(refused: &Refused) -> impl Iterator<Item = Reason> {
    refused
        .counters()
        .iter()
        .enumerate()
        .map(|(index, count)| match Refusal::ALL.get(index) {
            Some(refusal) => Reason {
                name: refusal.name().into(),
                meaning: refusal.to_string(),
                advice: advice(*refusal),
                count: *count,
            },
            None => Reason {
                name: format!("reason-{index}"),
                meaning: "the driver is newer than this tool and has more reasons".into(),
                advice: "use the mslsoctl that came with the driver",
                count: *count,
            },
        })
}

const SENDER: &str = "the sender breaks the rules of large send offload: find the guest or the \
    filter above that sends it, and update it";
const PROTOCOL: &str =
    "such packets cannot be cut: turn large send offload off where they are sent";
const MTU: &str = "the sender's MTU is larger than the adapter's, which `mslsoctl show` shows: make \
    them agree, in guests too";
const LOWER: &str = "set a lower multiple or a cap, with `mslsoctl set`";
const DEFECT: &str = "this is a defect of the driver: please report it";

fn advice(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::MalformedLargeSend
        | Refusal::MssZero
        | Refusal::SegmentTooLong
        | Refusal::NoPayload
        | Refusal::HeaderNotContiguous
        | Refusal::NotIp
        | Refusal::MalformedIpv4
        | Refusal::MalformedIpv6
        | Refusal::NotTcp
        | Refusal::NotUdp
        | Refusal::NotEncapsulated
        | Refusal::MalformedTcp
        | Refusal::Syn
        | Refusal::Reset
        | Refusal::Lsov1OnIpv6
        | Refusal::IpVersionMismatch
        | Refusal::OffsetMismatch => SENDER,
        Refusal::HeaderTooLong
        | Refusal::TooManyVlanTags
        | Refusal::Fragment
        | Refusal::Ipsec
        | Refusal::Jumbogram
        | Refusal::Urgent => PROTOCOL,
        Refusal::SegmentAboveMtu => MTU,
        Refusal::TooManyChildren => LOWER,
        Refusal::Lsov1TooLong | Refusal::HeaderBufferTooShort => DEFECT,
    }
}
