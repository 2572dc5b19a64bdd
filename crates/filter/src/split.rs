//! From one parent to its children: whether and how it is cut.

use core::sync::atomic::Ordering;

use lso::{Framing, Headers, IpVersion, LargeSend, MAX_HEADER, Offload, Plan, Refusal, Template};
use ndis::{
    AtDispatch, BufferError, Children, LargeSendInfo, MOST_CHILDREN, Nbl, NblQueue, NetBuffer,
    Status,
};

use crate::{
    announce::announced,
    module::FilterModule,
    nic_caps::{LargeSendSupport, NicCaps},
    parts::{PacketChecksum, Parts},
    statistics::Tally,
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
    Children(NblQueue),
    /// It goes down as it is.
    Fits(Nbl),
    /// It goes back up; nothing of it was sent.
    Unsent(Nbl, Unsent),
}

/// Splits the large send `parent` for a NIC with these `limits`. `front` is room for the front of
/// its frame.
pub(crate) fn split(
    module: &FilterModule,
    parent: Nbl,
    limits: &NicCaps,
    front: &mut [u8; MAX_HEADER],
    tally: &mut Tally,
    at: &AtDispatch,
) -> Split {
    match try_split(module, &parent, limits, front, at) {
        Ok(None) => Split::Fits(parent),
        Ok(Some(family)) => {
            tally.split(&family);
            Split::Children(family.children.adopted_by(parent, family.done))
        }
        Err(why) => Split::Unsent(parent, why),
    }
}

/// The children of a parent.
pub(crate) struct Family {
    children: Children,
    /// How many of them are packets.
    pub(crate) packets: u32,
    /// Bytes of payload that they carry.
    pub(crate) payload: u32,
    /// What the parent's large-send slot says once all have gone out.
    done: LargeSendInfo,
}

impl Family {
    /// How many children there are.
    pub(crate) fn count(&self) -> u32 {
        self.children.count()
    }
}

/// The children for `parent`, ready to be sent, with the gate entered for each; `None` where it
/// needs none. On an error everything is as before.
fn try_split(
    module: &FilterModule,
    parent: &Nbl,
    limits: &NicCaps,
    front: &mut [u8; MAX_HEADER],
    at: &AtDispatch,
) -> Result<Option<Family>, Unsent> {
    let Some(send) = announced(parent) else {
        return Ok(None);
    };
    let (packet, headers, payload) = match look(parent, &send, front) {
        // A packet that was received and is forwarded may say there what its NIC put together.
        Err(Unsent::Refused(reason)) if is_stale(module, parent, &send, reason) => {
            return Ok(None);
        }
        // What need not be cut for its size is the NIC's to judge.
        Err(Unsent::Refused(_)) if is_within_nic(parent, limits) => return Ok(None),
        found => found?,
    };
    let segment = send.mss.min(payload);
    if segment > headers.most_payload() {
        return Err(Refusal::SegmentTooLong.into());
    }
    let support = limits.support(&send, &headers);
    if support.fits_payload(payload, send.mss) {
        return Ok(None);
    }
    let plan = plan(module, payload, &send, support)?;
    if plan.packets() > 0 {
        check_mtu(module, &headers, segment)?;
    }
    let template = Template::new(front, headers, send.offload, module.settings.ip_id)?;
    let parts = Parts {
        module,
        parent,
        packet,
        plan: &plan,
        template: &template,
        checksum: packet_checksum(limits, &template),
        is_unlocated: send.framing == Framing::Plain { transport: 0 },
    };
    Ok(Some(Family {
        children: parts.children(at)?,
        packets: plan.packets(),
        payload,
        done: done(send.offload, parent.large_send(), payload),
    }))
}

/// What the large-send slot says of `payload` bytes that have all gone out: nothing new for a UDP
/// segmentation send, which has another slot.
fn done(offload: Offload, info: LargeSendInfo, payload: u32) -> LargeSendInfo {
    match offload {
        Offload::LsoV1 | Offload::LsoV2 => info.transmit_complete(payload),
        Offload::Uso => info,
    }
}

/// Whether `parent`, which cannot be cut for this `reason`, may be what a NIC received, with what
/// that NIC left in the slot of a USO send: it is no UDP, or the medium carries it as it is.
#[cold]
fn is_stale(module: &FilterModule, parent: &Nbl, send: &LargeSend, reason: Refusal) -> bool {
    /// Bytes of Ethernet header with two VLAN tags.
    const LINK: u32 = 22;
    let mtu = match module.mtu.load(Ordering::Relaxed) {
        // Unknown: what every Ethernet has.
        0 => 1500,
        mtu => mtu,
    };
    let not_udp = matches!(send.framing, Framing::Plain { .. })
        && matches!(reason, Refusal::NotUdp | Refusal::NotIp);
    send.offload == Offload::Uso && (not_udp || is_within(parent, mtu.saturating_add(LINK)))
}

/// The packet of the large send `parent`, its headers, and its payload in bytes. The front of its
/// frame is left in `front`.
fn look<'a>(
    parent: &'a Nbl,
    send: &LargeSend,
    front: &mut [u8; MAX_HEADER],
) -> Result<(NetBuffer<'a>, Headers, u32), Unsent> {
    let packet = only_packet(parent)?;
    let headers = match (send.offload, send.framing) {
        (Offload::LsoV1 | Offload::LsoV2, Framing::Plain { .. }) => {
            match Headers::of(packet.copy_front(front)?, send) {
                // They ought to be in the first MDL.
                Err(Refusal::HeaderNotContiguous) => gathered(&packet, send, front)?,
                found => found?,
            }
        }
        // Only the outer headers are sure to be in one piece; and what says to be UDP may be
        // something else.
        _ => gathered(&packet, send, front)?,
    };
    if let Framing::Encapsulated(_) = send.framing {
        check_inner_version(parent, headers.ip_version())?;
    }
    let payload = payload_length(&packet, &headers)?;
    Ok((packet, headers, payload))
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

/// The headers of a frame, in however many MDLs they are.
#[inline(never)]
fn gathered(
    packet: &NetBuffer<'_>,
    send: &LargeSend,
    front: &mut [u8; MAX_HEADER],
) -> Result<Headers, Unsent> {
    Ok(Headers::of(packet.copy_front_gathered(front)?, send)?)
}

/// Whether the frame of `parent`, with its headers, is no longer than what the NIC takes as payload.
#[cold]
fn is_within_nic(parent: &Nbl, limits: &NicCaps) -> bool {
    let support = limits.of_kind(parent);
    support.is_some_and(|(support, _)| is_within(parent, support.max_payload))
}

/// Whether every frame in `parent` has at most so many bytes, and there is one.
fn is_within(parent: &Nbl, most: u32) -> bool {
    let mut packets = parent.net_buffers().peekable();
    packets.peek().is_some() && packets.all(|packet| packet.data_length() <= most)
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

/// Where to cut `payload` bytes.
fn plan(
    module: &FilterModule,
    payload: u32,
    send: &LargeSend,
    support: LargeSendSupport,
) -> Result<Plan, Refusal> {
    let limit = support.limit(module.children.capacity());
    let plan = if support.short_final() {
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
fn packet_checksum(limits: &NicCaps, template: &Template<'_>) -> PacketChecksum {
    let headers = template.headers();
    if headers.tunnel().is_none() && !template.has_checksum() {
        PacketChecksum::None
    } else if limits.computes_checksum(headers) {
        PacketChecksum::Left
    } else {
        PacketChecksum::Made
    }
}

/// What the filter segments itself must be fit for the medium; no NIC looks at it again. In a tunnel
/// that is asked of the inner packet, by whose headers the sender chose the MSS: what is around it
/// may exceed the MTU by what the host's network was set up for (`*EncapOverhead`).
fn check_mtu(module: &FilterModule, headers: &Headers, segment: u32) -> Result<(), Refusal> {
    match module.mtu.load(Ordering::Relaxed) {
        // It is not known.
        0 => Ok(()),
        mtu if headers.datagram(segment) <= mtu => Ok(()),
        _ => Err(Refusal::SegmentAboveMtu),
    }
}
