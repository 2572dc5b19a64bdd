//! Builds the children of one parent after a plan.

use children::{ChildNbl, ChildOob, Children, MdlSource, PACKETS_PER_CHILD, PacketBuffer};
use lso::{
    Checksum, Framing, IpVersion, LargeSend, Offload, PacketTemplate, Plan, PlannedChild,
    PlannedChildren, Template, Transport,
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
    pub(crate) cut: &'a Cut<'a>,
    pub(crate) checksum: PacketChecksum,
    /// The large send that the parent is, as its headers were parsed.
    pub(crate) send: &'a LargeSend,
}

/// The cuts of one parent.
pub(crate) struct Cut<'a> {
    pub(crate) packet: NetBuffer<'a>,
    pub(crate) plan: Plan,
    pub(crate) template: Template<'a>,
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

impl ChildBuilder<'_> {
    /// Builds every child in `children` and acquires the module's rundown protection for each. IRQL ≤
    /// DISPATCH_LEVEL; `at` is the proof of a caller that is at DISPATCH_LEVEL.
    pub(crate) fn build(
        &self,
        children: &mut Children,
        at: Option<&AtDispatch>,
    ) -> Result<(), SendError> {
        if self.cut.plan.packets() == 0 {
            self.fill(children, at)?;
        } else {
            self.fill_mixed(children, at)?;
        }
        // A pause may have begun since the batch came in.
        if self.module.rundown.acquire(children.count()) {
            Ok(())
        } else {
            Err(SendError::Paused)
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
                let offset = self.cut.template.headers().transport_offset();
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

    /// Builds the planned children, none of which is a packet.
    #[inline(never)]
    fn fill(&self, children: &mut Children, at: Option<&AtDispatch>) -> Result<(), SendError> {
        let length = self.cut.template.headers().length();
        let mut payload = self.cut.packet.payload(length)?;
        let source = MdlSource::new(&self.module.children, at);
        let mut planned = self.cut.plan.large_sends();
        children.fill(self.parent, &self.oob(), |mut child| {
            if let Some(part) = planned.next() {
                let packet = self.begin_large_send(&mut child, &part)?;
                let bytes = part.payload_length;
                packet.set_payload(length, &mut payload, bytes, part.is_last, &source)?;
            }
            Ok(())
        })
    }

    /// Builds the planned children, the last of which are packets.
    #[inline(never)]
    fn fill_mixed(
        &self,
        children: &mut Children,
        at: Option<&AtDispatch>,
    ) -> Result<(), SendError> {
        let length = self.cut.template.headers().length();
        let mut payload = self.cut.packet.payload(length)?;
        let source = MdlSource::new(&self.module.children, at);
        let template = self.cut.template.for_packets();
        let template = match &template {
            Ok(template) => template,
            Err(reason) => return Err((*reason).into()),
        };
        let mut large_sends = self.cut.plan.large_sends();
        let mut packets = self.cut.plan.single_packets();
        children.fill(self.parent, &self.oob(), |mut child| {
            let Some(part) = large_sends.next() else {
                return self.fill_with_packets(
                    child,
                    &mut packets,
                    template,
                    &mut payload,
                    &source,
                );
            };
            let packet = self.begin_large_send(&mut child, &part)?;
            let bytes = part.payload_length;
            packet.set_payload_apart(length, &mut payload, bytes, part.is_last, &source)?;
            Ok(())
        })
    }

    /// Makes `child` the large send `part`, up to its payload.
    #[inline(always)]
    fn begin_large_send<'child>(
        &self,
        child: &'child mut ChildNbl<'_>,
        part: &PlannedChild,
    ) -> Result<PacketBuffer<'child>, SendError> {
        let mut packet = child.next_packet().ok_or(BufferError::NoMemory)?;
        self.cut.template.write(part, packet.header())?;
        Ok(packet)
    }

    /// Makes `child` the next of `planned`, whose payload is next at `payload`: as many packets as a
    /// child may have.
    #[inline(always)]
    fn fill_with_packets(
        &self,
        mut child: ChildNbl<'_>,
        planned: &mut PlannedChildren<'_>,
        template: &PacketTemplate<'_>,
        payload: &mut PayloadCursor<'_>,
        source: &MdlSource<'_>,
    ) -> Result<(), SendError> {
        let left = match self.checksum {
            PacketChecksum::Nic => self.nic_checksum(),
            PacketChecksum::None | PacketChecksum::Filter => ChecksumInfo::default(),
        };
        child.become_packets(left);
        let length = self.cut.template.headers().length();
        for part in planned.take(PACKETS_PER_CHILD as usize) {
            let checksum = match self.checksum {
                PacketChecksum::None | PacketChecksum::Nic => Checksum::Offloaded,
                PacketChecksum::Filter => Checksum::Complete(payload.sum(part.payload_length)?),
            };
            let mut packet = child.next_packet().ok_or(BufferError::NoMemory)?;
            template.write(&part, checksum, packet.header())?;
            packet.set_payload_apart(length, payload, part.payload_length, part.is_last, source)?;
        }
        Ok(())
    }

    fn nic_checksum(&self) -> ChecksumInfo {
        let headers = self.cut.template.headers();
        let ipv6 = headers.ip_version() == IpVersion::V6;
        let offset = headers.transport_offset();
        match headers.transport() {
            Transport::Tcp => ChecksumInfo::tcp(ipv6, offset),
            Transport::Udp => ChecksumInfo::udp(ipv6, offset),
        }
    }
}
