//! From one parent to its children: whether and how it is cut.

use core::sync::atomic::Ordering;

use lso::{
    Framing, Headers, IpVersion, LargeSend, Limit, MAX_HEADER, Offload, Plan, Refusal, Template,
};
use ndis::{AtDispatch, BufferError, Children, MOST_CHILDREN, Nbl, NblQueue, NetBuffer, Status};

use crate::{
    announce::announced,
    limits::{Snapshot, Takes},
    module::FilterModule,
    parts::{PacketChecksum, Parts},
};

/// Why a send does not go down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unsent {
    /// The packet cannot be split, for a reason that lies in it.
    Refused(Refusal),
    /// Children, or a mapping, or a copy could not be had.
    LowMemory,
    /// The module is paused.
    Paused,
}

impl Unsent {
    /// The status that tells the layer above.
    fn status(self) -> Status {
        match self {
            Self::Refused(_) => Status::INVALID_PACKET,
            Self::LowMemory => Status::RESOURCES,
            Self::Paused => Status::PAUSED,
        }
    }

    /// Makes `nbl` ready for completion: its status, and, for a large send of TCP, that nothing was
    /// sent.
    pub(crate) fn mark(self, mut nbl: Nbl) -> Nbl {
        let info = nbl.large_send();
        if info.mss() != 0 {
            nbl.set_large_send(info.transmit_complete(0));
        }
        nbl.set_status(self.status());
        nbl
    }
}

impl From<Refusal> for Unsent {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BufferError> for Unsent {
    fn from(error: BufferError) -> Self {
        match error {
            BufferError::Malformed => Self::Refused(Refusal::MalformedLargeSend),
            BufferError::NotMapped | BufferError::NoMemory => Self::LowMemory,
        }
    }
}

/// What became of a large send.
pub(crate) enum Split {
    /// The children that go down in its place; the send itself waits for them.
    Children { nbls: NblQueue, plan: Plan },
    /// It goes down as it is.
    Fits(Nbl),
    /// It goes back up; nothing of it was sent.
    Unsent(Nbl, Unsent),
}

/// Splits the large send `parent` for a NIC with these `limits`.
pub(crate) fn split(
    module: &FilterModule,
    parent: Nbl,
    limits: &Snapshot,
    at: &AtDispatch,
) -> Split {
    match try_split(module, &parent, limits, at) {
        Ok(None) => Split::Fits(parent),
        Ok(Some((children, plan))) => {
            let nbls = children.adopted_by(parent);
            Split::Children { nbls, plan }
        }
        Err(why) => Split::Unsent(parent, why),
    }
}

/// The children for `parent`, ready to be sent, with the gate entered once for it; `None` where it
/// needs none. On an error everything is as before.
fn try_split(
    module: &FilterModule,
    parent: &Nbl,
    limits: &Snapshot,
    at: &AtDispatch,
) -> Result<Option<(Children, Plan)>, Unsent> {
    let Some(send) = announced(parent) else {
        return Ok(None);
    };
    let mut storage = [0; MAX_HEADER];
    let (packet, front, headers, payload) = match look(parent, &send, &mut storage) {
        // A packet that was received and is forwarded may say there what its NIC put together.
        Err(Unsent::Refused(Refusal::NotUdp | Refusal::NotIp)) if send.offload == Offload::Uso => {
            return Ok(None);
        }
        // What need not be cut for its size is the NIC's to judge.
        Err(Unsent::Refused(_)) if is_within(parent, limits) => return Ok(None),
        found => found?,
    };
    let segment = send.mss.min(payload);
    if segment > headers.most_payload() {
        return Err(Refusal::SegmentTooLong.into());
    }
    let takes = takes(limits, &send, &headers);
    if takes.fits(payload, send.mss) {
        return Ok(None);
    }
    let plan = plan(module, payload, &send, &takes)?;
    if plan.packets() > 0 {
        check_mtu(module, &headers, segment)?;
    }
    let info = parent.large_send();
    let template = Template::new(front, headers, send.offload, module.settings.ip_id)?;
    let parts = Parts {
        module,
        parent,
        packet,
        plan,
        template,
        headers,
        checksum: packet_checksum(limits, &headers, &template),
        done: match send.offload {
            Offload::LsoV1 | Offload::LsoV2 => info.transmit_complete(payload),
            Offload::Uso => info,
        },
    };
    parts
        .into_children(at)
        .map(|children| Some((children, plan)))
}

/// The packet of the large send `parent`, its front in `storage`, its headers, and its payload in
/// bytes.
fn look<'a>(
    parent: &'a Nbl,
    send: &LargeSend,
    storage: &'a mut [u8],
) -> Result<(NetBuffer<'a>, &'a [u8], Headers, u32), Unsent> {
    let packet = only_packet(parent)?;
    let front = match (send.offload, send.framing) {
        (Offload::LsoV1 | Offload::LsoV2, Framing::Plain { .. }) => packet.copy_front(storage)?,
        // Only the outer headers are sure to be in one piece; and what says to be UDP may be
        // something else.
        _ => packet.copy_front_gathered(storage)?,
    };
    let headers = Headers::of(front, send)?;
    if let Framing::Encapsulated(_) = send.framing {
        check_inner_version(parent, headers.ip_version())?;
    }
    let payload = payload_length(&packet, &headers)?;
    Ok((packet, front, headers, payload))
}

/// What is said of the packet in a tunnel goes down with every child.
#[inline(always)]
fn check_inner_version(parent: &Nbl, version: IpVersion) -> Result<(), Refusal> {
    let is_ipv6 = version == IpVersion::V6;
    if parent.encapsulation().is_inner_ipv6() == is_ipv6 {
        Ok(())
    } else {
        Err(Refusal::IpVersionMismatch)
    }
}

/// Whether the frame of `parent`, with its headers, is no longer than what the NIC takes as payload.
fn is_within(parent: &Nbl, limits: &Snapshot) -> bool {
    let length = parent.first_net_buffer().map(|packet| packet.data_length());
    limits
        .of_kind(parent)
        .zip(length)
        .is_some_and(|((takes, _), length)| length <= takes.max_payload())
}

/// The one packet of a large send.
fn only_packet(parent: &Nbl) -> Result<NetBuffer<'_>, Refusal> {
    parent
        .first_net_buffer()
        .filter(NetBuffer::is_only)
        .ok_or(Refusal::MalformedLargeSend)
}

fn payload_length(packet: &NetBuffer<'_>, headers: &Headers) -> Result<u32, Refusal> {
    packet
        .data_length()
        .checked_sub(headers.length())
        .ok_or(Refusal::HeaderNotContiguous)
}

/// What the NIC takes of large sends like this one: for LSOv1 no more than an IPv4 length can say.
fn takes(limits: &Snapshot, send: &LargeSend, headers: &Headers) -> Takes {
    let mut takes = limits.takes(send, headers);
    if send.offload == Offload::LsoV1 {
        takes.limit.max_payload = takes.limit.max_payload.min(headers.most_payload());
    }
    takes
}

/// Where to cut `payload` bytes.
fn plan(
    module: &FilterModule,
    payload: u32,
    send: &LargeSend,
    takes: &Takes,
) -> Result<Plan, Refusal> {
    let limit = Limit {
        max_payload: takes.limit.max_payload.min(module.children.capacity()),
        ..takes.limit
    };
    let plan = if takes.short_final {
        Plan::new(payload, send.mss, limit)?
    } else {
        Plan::of_whole_segments(payload, send.mss, limit)?
    };
    if plan.children() > MOST_CHILDREN {
        return Err(Refusal::TooManyChildren);
    }
    Ok(plan)
}

/// Who makes the checksums of what the filter segments itself.
fn packet_checksum(
    limits: &Snapshot,
    headers: &Headers,
    template: &Template<'_>,
) -> PacketChecksum {
    if headers.tunnel().is_none() && !template.has_checksum() {
        PacketChecksum::None
    } else if limits.makes_checksum(headers) {
        PacketChecksum::Left
    } else {
        PacketChecksum::Made
    }
}

/// What the filter segments itself must be fit for the medium; no NIC looks at it again.
fn check_mtu(module: &FilterModule, headers: &Headers, segment: u32) -> Result<(), Refusal> {
    match module.mtu.load(Ordering::Relaxed) {
        // It is not known.
        0 => Ok(()),
        mtu if headers.datagram(segment) <= mtu => Ok(()),
        _ => Err(Refusal::SegmentAboveMtu),
    }
}
