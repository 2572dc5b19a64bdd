//! The split of one parent into its children: whether and how it is cut.

use core::sync::atomic::Ordering;

use children::Children;
use lso::{Framing, Headers, IpVersion, LargeSend, MAX_HEADER, Offload, Plan, Refusal, Template};
use ndis::{AtDispatch, LargeSendInfo, Nbl, NblQueue, NetBuffer, SendFlags};

use crate::{
    build_children::{ChildBuilder, Needs, PacketChecksum},
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
    #[inline(never)]
    pub(crate) fn split(&mut self, parent: Nbl, tally: &mut Tally) -> Split {
        let Some(send) = large_send_of(&parent) else {
            return Split::Fits(parent);
        };
        let mut job = Job {
            module: self.module,
            nic: self.nic,
            parent: &parent,
            send,
            at_dispatch: self.at_dispatch,
        };
        // In a place of its own: to be returned, it would be copied.
        let mut children = None;
        match (job.run(&mut self.front, &mut children, tally), children) {
            (Ok(completion_info), Some(children)) => {
                Split::Children(children.attach_to(parent, completion_info))
            }
            (Ok(_), None) => Split::Fits(parent),
            (Err(error), None) => Split::Failed(parent, error),
            (Err(error), Some(children)) => {
                self.module.children.recycle(children);
                Split::Failed(parent, error)
            }
        }
    }
}

/// The state of one parent's split.
struct Job<'a> {
    module: &'a FilterModule,
    nic: &'a NicCaps,
    parent: &'a Nbl,
    send: LargeSend,
    at_dispatch: bool,
}

impl<'a> Job<'a> {
    /// Builds the `children`, ready to be sent, each with the module's rundown protection acquired;
    /// none if none are needed. Returns the parent's large-send slot for the time when all of them
    /// have been sent. After an error, children that were taken are to be recycled.
    #[inline(always)]
    fn run(
        &mut self,
        front: &mut [u8; MAX_HEADER],
        children: &mut Option<Children>,
        tally: &mut Tally,
    ) -> Result<LargeSendInfo, SendError> {
        let unchanged = self.parent.large_send();
        let (packet, headers) = match self.parse_headers(front) {
            Err(SendError::Refused(reason)) if self.is_forwarded_unparsed(reason) => {
                return Ok(unchanged);
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
        // With a receive's value in the slot of tunnels, the NIC would look for one: a child has none.
        let is_marked_as_tunnel = self.parent.encapsulation().is_encapsulated()
            && matches!(self.send.framing, Framing::Plain { .. });
        if support.fits_payload(payload, self.send.mss) && !is_marked_as_tunnel {
            return Ok(unchanged);
        }
        let plan = self.plan(payload, support)?;
        let needs = Needs::of(&plan);
        let pool = &self.module.children;
        if !pool.can_have(needs.children, needs.more_packets) {
            return Err(Refusal::TooManyChildren.into());
        }
        if plan.packets() > 0 {
            self.check_mtu(&headers, segment)?;
        }
        let ip_id = self.module.settings.ip_id;
        let template = Template::new(front, &headers, self.send.offload, ip_id)?;
        let builder = ChildBuilder {
            module: self.module,
            parent: self.parent,
            packet,
            plan: &plan,
            template: &template,
            checksum: self.packet_checksum(&plan, &template),
            send: &self.send,
        };
        let at = AtDispatch::enter(self.at_dispatch);
        *children = pool.take(needs.children, needs.more_packets, &at);
        let taken = children.as_mut().ok_or(SendError::LowMemory)?;
        if matches!(builder.checksum, PacketChecksum::Filter) {
            // Not at DISPATCH_LEVEL for as long as the payload's sums take, unless the caller is.
            drop(at);
            builder.build(taken, None)?;
        } else {
            builder.build(taken, Some(&at))?;
        }
        tally.count_split(plan.children(), plan.packets(), payload);
        Ok(self.completion_info(payload))
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

    /// Parses the headers of a TCP large send that is in no tunnel: a receive has left its value in
    /// the slot that says so, RscTcpTimestampDelta.
    #[cold]
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

    /// The place where the checksums of packets that the filter segments are computed.
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
