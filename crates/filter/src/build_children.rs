//! Builds the children of one parent after a plan.

use children::{ChildNbl, ChildOob, Children, MdlSource, PACKETS_PER_CHILD};
use lso::{
    Checksum, Form, Framing, IpVersion, LargeSend, Offload, PacketTemplate, Plan, PlannedChild,
    Template, Transport,
};
use ndis::{
    AtDispatch, BufferError, ChecksumInfo, EncapsulationInfo, LargeSendInfo, Nbl, NetBuffer,
    PayloadCursor, UdpSendInfo,
};

use crate::{module::FilterModule, send_error::SendError};

/// The inputs from which the children of one parent are built.
pub(crate) struct ChildBuilder<'a> {
    pub(crate) module: &'a FilterModule,
    pub(crate) parent: &'a Nbl,
    pub(crate) packet: NetBuffer<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) template: &'a Template<'a>,
    pub(crate) checksum: PacketChecksum,
    /// The large send that the parent is, as its headers were parsed.
    pub(crate) send: &'a LargeSend,
    /// Whether the caller of FilterSendNetBufferLists is at DISPATCH_LEVEL.
    pub(crate) at_dispatch: bool,
}

/// The place where the TCP or UDP checksum of a child that is a packet is computed.
#[derive(Clone, Copy)]
pub(crate) enum PacketChecksum {
    /// The packet has no checksum, and must not be given one.
    None,
    /// The NIC.
    Nic,
    /// The filter, from all of the payload.
    Filter,
}

/// The numbers of NBLs and NET_BUFFERs that a plan needs: a large send is an NBL of its own, and
/// packets are in NBLs of up to [`PACKETS_PER_CHILD`], which saves lower drivers, and NDIS, most of
/// the work for an NBL.
pub(crate) struct Needs {
    /// NBLs, each with its first NET_BUFFER.
    pub(crate) children: u32,
    /// Further NET_BUFFERs.
    pub(crate) more_packets: u32,
}

impl Needs {
    pub(crate) fn of(plan: &Plan) -> Self {
        let packets = plan.packets();
        let large_sends = plan.children().saturating_sub(packets);
        let lists = packets.div_ceil(PACKETS_PER_CHILD);
        Self {
            children: large_sends.saturating_add(lists),
            more_packets: packets.saturating_sub(lists),
        }
    }
}

impl<'a> ChildBuilder<'a> {
    /// Builds every child and acquires the module's rundown protection for each; on an error
    /// nothing is changed.
    pub(crate) fn children(&self) -> Result<Children, SendError> {
        let needs = Needs::of(self.plan);
        let pool = &self.module.children;
        let at = AtDispatch::enter(self.at_dispatch);
        let mut children = pool
            .take(needs.children, needs.more_packets, &at)
            .map_err(|_| SendError::LowMemory)?;
        let result = if matches!(self.checksum, PacketChecksum::Filter) {
            // Not at DISPATCH_LEVEL for as long as the payload's sums take, unless the caller is.
            drop(at);
            self.fill(&mut children, None)
        } else {
            self.fill(&mut children, Some(&at))
        };
        let result = result.and_then(|()| {
            // A pause may have begun since the batch came in.
            if self.module.rundown.acquire(needs.children) {
                Ok(())
            } else {
                Err(SendError::Paused)
            }
        });
        match result {
            Ok(()) => Ok(children),
            Err(error) => {
                pool.recycle(children);
                Err(error)
            }
        }
    }

    /// The offload slots of large children: the parent's, with the header offset that was found
    /// where the sender may leave it out, and without what a receive left behind.
    fn oob(&self) -> ChildOob {
        let parent = self.parent;
        let (large_send, udp_send) = match self.send.offload {
            Offload::LsoV1 | Offload::LsoV2 => (parent.large_send(), UdpSendInfo::default()),
            Offload::Uso => (LargeSendInfo::default(), parent.udp_send()),
        };
        let (large_send, encapsulation) = match self.send.framing {
            Framing::Encapsulated(_) => (large_send, parent.encapsulation()),
            Framing::Plain { .. } if self.send.offload == Offload::Uso => {
                (large_send, EncapsulationInfo::default())
            }
            Framing::Plain { .. } => {
                let offset = self.template.headers().transport_offset();
                (
                    large_send.with_tcp_header_offset(offset),
                    EncapsulationInfo::default(),
                )
            }
        };
        ChildOob {
            module: self.module.handle,
            large_send,
            udp_send,
            encapsulation,
        }
    }

    /// Builds the planned children from the idle ones, as many as there are.
    #[inline(never)]
    fn fill(&self, children: &mut Children, at: Option<&AtDispatch>) -> Result<(), SendError> {
        let length = self.template.headers().length();
        let mut payload = self.packet.payload(length)?;
        let source = MdlSource::new(&self.module.children, at);
        let mut packets = None;
        let mut planned = self.plan.iter();
        children.fill(self.parent, &self.oob(), |mut child| {
            let Some(part) = planned.next() else {
                return Ok(());
            };
            match part.form {
                Form::LargeSend => {
                    let mut packet = child.next_packet().ok_or(BufferError::NoMemory)?;
                    self.template.write(&part, packet.header())?;
                    packet.set_payload(
                        length,
                        &mut payload,
                        part.payload_length,
                        part.is_last,
                        &source,
                    )?;
                }
                Form::Packet => {
                    let first = core::iter::once(part);
                    let all = first.chain(planned.by_ref());
                    let all = all.take(PACKETS_PER_CHILD as usize);
                    self.fill_with_packets(child, all, &mut packets, &mut payload, &source)?;
                }
            }
            Ok(())
        })
    }

    /// Fills `child` with the packets of `planned`, whose payload is next at `payload`. `packets` is
    /// initialized with the first one.
    #[inline(never)]
    fn fill_with_packets(
        &self,
        mut child: ChildNbl<'_>,
        planned: impl Iterator<Item = PlannedChild>,
        packets: &mut Option<PacketTemplate<'a>>,
        payload: &mut PayloadCursor<'_>,
        source: &MdlSource<'_>,
    ) -> Result<(), SendError> {
        let packets = match packets {
            Some(packets) => packets,
            None => packets.insert(self.template.for_packets()?),
        };
        let left = match self.checksum {
            PacketChecksum::Nic => self.nic_checksum(),
            PacketChecksum::None | PacketChecksum::Filter => ChecksumInfo::default(),
        };
        child.become_packets(left);
        let length = self.template.headers().length();
        for part in planned {
            let checksum = match self.checksum {
                PacketChecksum::None | PacketChecksum::Nic => Checksum::Offloaded,
                PacketChecksum::Filter => Checksum::Complete(payload.sum(part.payload_length)?),
            };
            let mut packet = child.next_packet().ok_or(BufferError::NoMemory)?;
            packets.write(&part, checksum, packet.header())?;
            packet.set_payload(length, payload, part.payload_length, part.is_last, source)?;
        }
        Ok(())
    }

    fn nic_checksum(&self) -> ChecksumInfo {
        let headers = self.template.headers();
        let ipv6 = headers.ip_version() == IpVersion::V6;
        let offset = headers.transport_offset();
        match headers.transport() {
            Transport::Tcp => ChecksumInfo::tcp(ipv6, offset),
            Transport::Udp => ChecksumInfo::udp(ipv6, offset),
        }
    }
}
