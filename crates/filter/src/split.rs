//! From one parent to its children.

use lso::{Headers, LargeSend, Limit, LsoVersion, MAX_HEADER, Plan, Refusal, Template};
use ndis::{
    AtDispatch, BufferError, Children, IdleChildren, LargeSendInfo, MOST_CHILDREN, Nbl, NblQueue,
    NetBuffer, Status,
};

use crate::{
    limits::{ip_version_of, version_of},
    module::FilterModule,
};

/// Why a send does not go down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unsent {
    /// The packet cannot be split, for a reason that lies in it or in the NIC.
    Refused(Refusal),
    /// Children or a mapping could not be had.
    LowMemory,
    /// The module is paused.
    Paused,
}

impl Unsent {
    /// The status that tells the layer above.
    fn status(self) -> Status {
        match self {
            Self::Refused(Refusal::NoNicLso | Refusal::MssAboveLimit | Refusal::TooFewSegments) => {
                Status::NOT_SUPPORTED
            }
            Self::Refused(_) => Status::INVALID_PACKET,
            Self::LowMemory => Status::RESOURCES,
            Self::Paused => Status::PAUSED,
        }
    }

    /// Makes `nbl` ready for completion: its status, and, for a large send, that nothing was sent.
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
    /// Its payload is within the NIC's maximum after all.
    Fits(Nbl),
    /// It goes back up; nothing of it was sent.
    Unsent(Nbl, Unsent),
}

/// Splits the large send `parent` for a NIC with `limit`.
pub(crate) fn split(module: &FilterModule, parent: Nbl, limit: Limit, at: &AtDispatch) -> Split {
    match try_split(module, &parent, limit, at) {
        Ok(None) => Split::Fits(parent),
        Ok(Some((children, plan))) => {
            let nbls = children.adopted_by(parent);
            Split::Children { nbls, plan }
        }
        Err(why) => Split::Unsent(parent, why),
    }
}

/// The children for `parent`, ready to be sent, with the gate entered once for it; `None` where it
/// fits. On an error everything is as before.
fn try_split(
    module: &FilterModule,
    parent: &Nbl,
    limit: Limit,
    at: &AtDispatch,
) -> Result<Option<(Children, Plan)>, Unsent> {
    let info = parent.large_send();
    let packet = only_packet(parent)?;
    let mut storage = [0; MAX_HEADER];
    let front = packet.copy_front(&mut storage)?;
    let headers = Headers::parse(front)?;
    headers.check(front, &large_send(info))?;
    let payload = payload_length(&packet, &headers)?;
    let limit = takes(limit, &headers, info)?;
    if payload != 0 && payload <= limit.max_payload {
        return Ok(None);
    }
    let limit = Limit {
        max_payload: limit.max_payload.min(module.children.capacity()),
        ..limit
    };
    let plan = Plan::balanced(payload, info.mss(), limit)?;
    if !plan.keeps_minimum() {
        return Err(Refusal::TooFewSegments.into());
    }
    if plan.children() > MOST_CHILDREN {
        return Err(Refusal::TooManyChildren.into());
    }
    let parts = Parts {
        module,
        parent,
        packet,
        plan,
        template: Template::new(front, headers, version_of(info), module.settings.ip_id)?,
        header_length: headers.length(),
        done: info.transmit_complete(payload),
    };
    parts
        .into_children(at)
        .map(|children| Some((children, plan)))
}

/// The one packet of a large send.
fn only_packet(parent: &Nbl) -> Result<NetBuffer<'_>, Refusal> {
    parent
        .first_net_buffer()
        .filter(NetBuffer::is_only)
        .ok_or(Refusal::MalformedLargeSend)
}

fn large_send(info: LargeSendInfo) -> LargeSend {
    LargeSend {
        version: version_of(info),
        ip_version: ip_version_of(info),
        mss: info.mss(),
        tcp_header_offset: info.tcp_header_offset(),
    }
}

fn payload_length(packet: &NetBuffer<'_>, headers: &Headers) -> Result<u32, Refusal> {
    packet
        .data_length()
        .checked_sub(headers.length())
        .ok_or(Refusal::HeaderNotContiguous)
}

/// What the NIC takes of large sends like this one: for LSOv1 no more than an IPv4 length can say.
///
/// A segment that no IP packet can hold is refused as too big for any NIC.
fn takes(limit: Limit, headers: &Headers, info: LargeSendInfo) -> Result<Limit, Refusal> {
    let most = headers.lsov1_max_payload();
    if info.mss() > most {
        return Err(Refusal::MssAboveLimit);
    }
    Ok(match version_of(info) {
        LsoVersion::V1 => Limit {
            max_payload: limit.max_payload.min(most),
            ..limit
        },
        LsoVersion::V2 => limit,
    })
}

/// All that the children of one parent are made from.
struct Parts<'a> {
    module: &'a FilterModule,
    parent: &'a Nbl,
    packet: NetBuffer<'a>,
    plan: Plan,
    template: Template<'a>,
    header_length: u32,
    /// The parent's large-send slot once all children have gone out.
    done: LargeSendInfo,
}

impl Parts<'_> {
    /// Every child, complete, and the gate entered for the parent; or none, and all as before.
    fn into_children(self, at: &AtDispatch) -> Result<Children, Unsent> {
        let pool = &self.module.children;
        let mut idle = pool
            .take(self.plan.children(), at)
            .map_err(|_| Unsent::LowMemory)?;
        let mut ready = Children::default();
        let result = self.fill(&mut idle, &mut ready).and_then(|()| {
            // The gate may have closed since the batch came in.
            if self.module.gate.enter(1) {
                Ok(())
            } else {
                Err(Unsent::Paused)
            }
        });
        pool.recycle(idle);
        match result {
            Ok(()) => Ok(ready),
            Err(why) => {
                pool.recycle(ready.abandon());
                Err(why)
            }
        }
    }

    /// Makes idle children into large sends until the plan is fulfilled.
    fn fill(&self, idle: &mut IdleChildren, ready: &mut Children) -> Result<(), Unsent> {
        let mut payload = self.packet.payload(self.header_length)?;
        for (part, mut child) in self.plan.iter().zip(idle) {
            let filled = child
                .write_header(self.header_length, Refusal::HeaderTooLong, |header| {
                    self.template.write(&part, header)
                })
                .map_err(Unsent::from)
                .and_then(|()| {
                    Ok(child.set_payload(self.header_length, &mut payload, part.payload_length)?)
                });
            child.inherit(self.parent, self.module.handle, self.done);
            ready.push(child);
            filled?;
        }
        Ok(())
    }
}
