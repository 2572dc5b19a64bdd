//! The split of one parent into its children: whether and how it is cut.

use core::sync::atomic::Ordering;

use lso::{Framing, Headers, IpVersion, LargeSend, MAX_HEADER, Offload, Plan, Refusal, Template};
use ndis::{AtDispatch, LargeSendInfo, Nbl, NblQueue, NetBuffer, SendFlags};

use crate::{
    build_children::{ChildBuilder, Cut, Needs, PacketChecksum},
    lso_info::large_send_of,
    module::FilterModule,
    nic_caps::{LargeSendSupport, NicCaps},
    send_error::SendError,
    statistics::Tally,
};

/// The outcome for one large send.
pub(crate) enum Split {
    /// The children to be sent in its place; the send itself waits for them.
    Children(NblQueue),
    /// The large send is forwarded.
    Fits(Nbl),
    /// The large send fails; none of it was sent.
    Failed(Nbl, SendError),
}

/// Splits the large sends of one batch.
pub(crate) struct Splitter<'call> {
    module: &'call FilterModule,
    nic: &'call NicCaps,
    at_dispatch: bool,
    /// The first bytes of the frame that was looked at last.
    front: [u8; MAX_HEADER],
}

impl<'call> Splitter<'call> {
    /// A splitter for a NIC with the capabilities `nic`.
    pub(crate) fn new(module: &'call FilterModule, nic: &'call NicCaps, flags: SendFlags) -> Self {
        Self {
            module,
            nic,
            at_dispatch: flags.at_dispatch(),
            front: [0; MAX_HEADER],
        }
    }

    /// Splits the large send `parent`, if it does not fit the NIC.
    #[inline(always)]
    pub(crate) fn split(&mut self, parent: Nbl, tally: &mut Tally) -> Split {
        let Some(send) = large_send_of(&parent) else {
            return Split::Fits(parent);
        };
        let mut job = Job {
            module: self.module,
            nic: self.nic,
            parent: &parent,
            send,
        };
        let cut = job.cut(&mut self.front);
        let cut = match &cut {
            Ok(Some(cut)) => cut,
            Ok(None) => return Split::Fits(parent),
            Err(error) => {
                let error = *error;
                return Split::Failed(parent, error);
            }
        };
        let needs = Needs::of(&cut.plan);
        let pool = &self.module.children;
        if !pool.can_have(needs.children, needs.more_packets) {
            return Split::Failed(parent, Refusal::TooManyChildren.into());
        }
        let builder = job.builder(cut);
        let at = AtDispatch::enter(self.at_dispatch);
        let Some(mut children) = pool.take(needs.children, needs.more_packets, &at) else {
            return Split::Failed(parent, SendError::LowMemory);
        };
        let result = if matches!(builder.checksum, PacketChecksum::Filter) {
            // Leave DISPATCH_LEVEL while the payload is summed, unless the caller is already there.
            drop(at);
            builder.build(&mut children, None)
        } else {
            builder.build(&mut children, Some(&at))
        };
        if let Err(error) = result {
            pool.recycle(children);
            return Split::Failed(parent, error);
        }
        let (plan, payload) = (&cut.plan, cut.plan.payload());
        tally.count_split(plan.children(), plan.packets(), payload);
        let completion_info = job.completion_info(payload);
        Split::Children(children.attach_to(parent, completion_info))
    }
}

/// The state of one parent's split.
struct Job<'a> {
    module: &'a FilterModule,
    nic: &'a NicCaps,
    parent: &'a Nbl,
    send: LargeSend,
}

impl<'a> Job<'a> {
    /// Parses the parent's headers and plans its children; `None` if none are needed. The front of
    /// the frame is left in `front`.
    // Out of line, so that its frame is off the stack while the children are built.
    #[inline(never)]
    fn cut(&mut self, front: &'a mut [u8; MAX_HEADER]) -> Result<Option<Cut<'a>>, SendError> {
        let (packet, headers) = match self.parse_headers(front) {
            Err(SendError::Refused(reason)) if self.is_forwarded_unparsed(reason) => {
                return Ok(None);
            }
            found => found?,
        };
        let payload = packet
            .data_length()
            .checked_sub(headers.length())
            .ok_or(Refusal::HeaderNotContiguous)?;
        let segment = self.send.mss.min(payload);
        if !headers.can_carry(segment) {
            return Err(Refusal::SegmentTooLong.into());
        }
        let support = self.nic.support(&self.send, &headers);
        // The encapsulation slot may hold a value left over from a receive. The NIC would then look
        // for a tunnel, so that the send is not forwarded; children are sent with that slot empty.
        let is_marked_as_tunnel = self.parent.encapsulation().is_encapsulated()
            && matches!(self.send.framing, Framing::Plain { .. });
        if support.fits_payload(payload, self.send.mss) && !is_marked_as_tunnel {
            return Ok(None);
        }
        let plan = self.plan(payload, support)?;
        if plan.packets() > 0 {
            self.check_mtu(&headers, segment)?;
        }
        let ip_id = self.module.settings.ip_id();
        let template = Template::new(front, &headers, self.send.offload, ip_id)?;
        Ok(Some(Cut {
            packet,
            plan,
            template,
        }))
    }

    /// The builder of the children of `cut`.
    #[inline(always)]
    fn builder<'cut>(&'cut self, cut: &'cut Cut<'a>) -> ChildBuilder<'cut> {
        ChildBuilder {
            module: self.module,
            parent: self.parent,
            cut,
            checksum: self.packet_checksum(&cut.plan, &cut.template),
            send: &self.send,
        }
    }

    /// The packet and its headers. The front of the frame is left in `front`.
    #[inline(always)]
    fn parse_headers(
        &mut self,
        front: &mut [u8; MAX_HEADER],
    ) -> Result<(NetBuffer<'a>, Headers), SendError> {
        let packet = self
            .parent
            .first_net_buffer()
            .filter(NetBuffer::is_only)
            .ok_or(Refusal::MalformedLargeSend)?;
        let headers = match (self.send.offload, self.send.framing) {
            (Offload::LsoV1 | Offload::LsoV2, Framing::Plain { .. }) => {
                match Headers::of(packet.copy_front(front)?, &self.send) {
                    // All headers of a send without a tunnel should be in the first MDL.
                    Err(Refusal::HeaderNotContiguous) => {
                        self.parse_noncontiguous_headers(&packet, front)?
                    }
                    found => found?,
                }
            }
            // Only the outer headers are sure to be contiguous; and a USO send may not be UDP.
            _ => match self.parse_noncontiguous_headers(&packet, front) {
                Err(SendError::Refused(Refusal::NotEncapsulated)) => {
                    self.parse_plain_headers(&packet, front)?
                }
                found => found?,
            },
        };
        // The inner IP version of a tunnel is set in every child.
        let is_ipv6 = headers.ip_version() == IpVersion::V6;
        if matches!(self.send.framing, Framing::Encapsulated(_))
            && self.parent.encapsulation().is_inner_ipv6() != is_ipv6
        {
            return Err(Refusal::IpVersionMismatch.into());
        }
        Ok((packet, headers))
    }

    /// Parses the headers of a frame from all MDLs that hold them.
    #[inline(never)]
    fn parse_noncontiguous_headers(
        &self,
        packet: &NetBuffer<'_>,
        front: &mut [u8; MAX_HEADER],
    ) -> Result<Headers, SendError> {
        Ok(Headers::of(packet.copy_front_gathered(front)?, &self.send)?)
    }

    /// Parses a TCP large send that only seems encapsulated: a receive left its RscTcpTimestampDelta
    /// in the slot that marks encapsulation.
    #[cold]
    #[inline(always)]
    fn parse_plain_headers(
        &mut self,
        packet: &NetBuffer<'_>,
        front: &mut [u8; MAX_HEADER],
    ) -> Result<Headers, SendError> {
        let info = self.parent.large_send();
        if info.mss() == 0 {
            return Err(Refusal::NotEncapsulated.into());
        }
        self.send.framing = Framing::Plain {
            transport: info.tcp_header_offset(),
        };
        self.parse_noncontiguous_headers(packet, front)
            .map_err(|why| match why {
                SendError::Refused(_) => Refusal::NotEncapsulated.into(),
                why => why,
            })
    }

    /// Whether a send that cannot be split for this `reason` is forwarded nevertheless: it is not a
    /// large send, or it fits the NIC, which then validates it.
    #[cold]
    fn is_forwarded_unparsed(&self, reason: Refusal) -> bool {
        self.is_leftover_receive_oob(reason)
            || self
                .nic
                .of_kind(self.parent)
                .is_some_and(|(support, _)| self.is_within(support.max_payload))
    }

    /// Whether the parent may be a received packet that is forwarded, with the NIC's count of
    /// coalesced segments in the slot of a USO send: it is not UDP, or it fits the medium
    /// unchanged.
    fn is_leftover_receive_oob(&self, reason: Refusal) -> bool {
        /// Bytes of Ethernet header with two VLAN tags.
        const LINK: u32 = 22;
        let mtu = match self.module.mtu.load(Ordering::Relaxed) {
            // Unknown: the MTU of every Ethernet.
            0 => 1500,
            mtu => mtu,
        };
        let not_udp = matches!(self.send.framing, Framing::Plain { .. })
            && matches!(reason, Refusal::NotUdp | Refusal::NotIp);
        self.send.offload == Offload::Uso && (not_udp || self.is_within(mtu.saturating_add(LINK)))
    }

    /// Whether every frame of the parent has at most that many bytes, and there is at least one.
    fn is_within(&self, most: u32) -> bool {
        let mut packets = self.parent.net_buffers().peekable();
        packets.peek().is_some() && packets.all(|packet| packet.data_length() <= most)
    }

    /// Cuts `payload` bytes.
    fn plan(&self, payload: u32, support: LargeSendSupport) -> Result<Plan, Refusal> {
        let limit = support.limit(self.module.children.capacity());
        if support.short_final() {
            Plan::new(payload, self.send.mss, limit)
        } else {
            Plan::of_whole_segments(payload, self.send.mss, limit)
        }
    }

    /// Packets that the filter segments must fit the medium; no NIC validates them. In a tunnel
    /// that applies to the inner packet, from whose headers the sender derived the MSS: the outer
    /// headers may exceed the MTU by as much as the network was set up for (`*EncapOverhead`).
    fn check_mtu(&self, headers: &Headers, segment: u32) -> Result<(), Refusal> {
        match self.module.mtu.load(Ordering::Relaxed) {
            // The MTU is unknown.
            0 => Ok(()),
            mtu if headers.datagram(segment) <= mtu => Ok(()),
            _ => Err(Refusal::SegmentAboveMtu),
        }
    }

    /// The one that computes the checksums of packets that the filter segments.
    fn packet_checksum(&self, plan: &Plan, template: &Template<'_>) -> PacketChecksum {
        let headers = template.headers();
        if plan.packets() == 0 || headers.tunnel().is_none() && !template.has_checksum() {
            PacketChecksum::None
        } else if self.nic.computes_checksum(headers) {
            PacketChecksum::Nic
        } else {
            PacketChecksum::Filter
        }
    }

    /// The large-send slot once all `payload` bytes were sent. A USO send has another slot.
    fn completion_info(&self, payload: u32) -> LargeSendInfo {
        let info = self.parent.large_send();
        match self.send.offload {
            Offload::LsoV1 | Offload::LsoV2 => info.transmit_complete(payload),
            Offload::Uso => info,
        }
    }
}
