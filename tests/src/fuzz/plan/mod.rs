//! Any bytes as the front of a large send, with any out-of-band description of it, cut for any NIC:
//! the cuts are as promised, and each child's header is that of its part of the parent.

mod cut;
mod wire;

use lso::{
    Framing, Headers, InnerOffsets, IpIdWidth, IpVersion, LargeSend, Limit, Offload, Plan, Refusal,
};

use super::bytes::Bytes;

/// The input of a run.
pub(super) struct Input<'a> {
    send: LargeSend,
    limit: Limit,
    /// The NIC accepts whole segments only.
    whole: bool,
    /// The NIC makes the checksums of packets.
    offloaded: bool,
    ip_id: IpIdWidth,
    /// Bytes of payload behind the headers.
    payload: u32,
    front: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads the description of the large send, and takes the rest for its first bytes.
    fn read(bytes: &'a [u8]) -> Self {
        let mut bytes = Bytes(bytes);
        let [v1, uso, v6, whole, offloaded, short_ids, inside, silent] = bytes.bits();
        let mss = bytes.u32();
        let limit = Limit {
            max_payload: bytes.u32(),
            min_segments: bytes.u16().into(),
        };
        let payload = bytes.u32();
        let [frame, ip, transport] = [0; 3].map(|_: u8| u32::from(bytes.u16()));
        let offsets = InnerOffsets {
            frame,
            ip,
            transport,
        };
        Self {
            send: LargeSend {
                offload: match (v1, uso) {
                    (true, _) => Offload::LsoV1,
                    (false, true) => Offload::Uso,
                    (false, false) => Offload::LsoV2,
                },
                ip_version: if v6 { IpVersion::V6 } else { IpVersion::V4 },
                mss,
                framing: if inside {
                    Framing::Encapsulated((!silent).then_some(offsets))
                } else {
                    Framing::Plain { transport }
                },
            },
            limit,
            whole,
            offloaded,
            ip_id: if short_ids {
                IpIdWidth::Bits15
            } else {
                IpIdWidth::Bits16
            },
            payload,
            front: bytes.0,
        }
    }
}

/// Cuts the large send that `bytes` describe. Returns how many packets on the wire were compared
/// with the reference's.
///
/// # Errors
/// The large send is refused.
///
/// # Panics
/// If it is cut otherwise than promised.
pub fn run(bytes: &[u8]) -> Result<usize, Refusal> {
    let mut input = Input::read(bytes);
    if let Ok(plan) = input.plan() {
        cut::check(&plan, &input);
    }
    let headers = Headers::of(input.front, &input.send)?;
    if input.send.offload == Offload::LsoV1 {
        input.limit.max_payload = input.limit.max_payload.min(headers.max_payload());
    }
    let plan = input.plan()?;
    if input.send.mss.min(input.payload) > headers.max_payload() {
        return Err(Refusal::SegmentTooLong);
    }
    Ok(wire::check(&input, headers, &plan))
}

impl Input<'_> {
    fn plan(&self) -> Result<Plan, Refusal> {
        if self.whole {
            Plan::of_whole_segments(self.payload, self.send.mss, self.limit)
        } else {
            Plan::new(self.payload, self.send.mss, self.limit)
        }
    }
}
