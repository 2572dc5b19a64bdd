//! Builds the children of one parent after a plan.

use children::{ChildNbl, Children};
use lso::{Checksum, Form, IpVersion, PacketTemplate, Plan, PlannedChild, Template, Transport};
use ndis::{AtDispatch, ChecksumInfo, Nbl, NetBuffer, PayloadCursor};

use crate::{module::FilterModule, split::SendError};

/// The inputs from which the children of one parent are built.
pub(crate) struct ChildBuilder<'a> {
    pub(crate) module: &'a FilterModule,
    pub(crate) parent: &'a Nbl,
    pub(crate) packet: NetBuffer<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) template: &'a Template<'a>,
    pub(crate) checksum: PacketChecksum,
    /// The parent's TCP header offset is 0: the sender left it to be found.
    pub(crate) lacks_header_offset: bool,
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

impl<'a> ChildBuilder<'a> {
    /// Builds every child and acquires the module's rundown protection for each; on an error
    /// nothing is changed.
    pub(crate) fn children(&self, at: &AtDispatch) -> Result<Children, SendError> {
        let pool = &self.module.children;
        let mut children = pool
            .take(self.plan.children(), at)
            .map_err(|_| SendError::LowMemory)?;
        let result = self.fill(&mut children).and_then(|()| {
            // A pause may have begun since the batch came in.
            if self.module.rundown.acquire(self.plan.children()) {
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

    /// Builds the planned children from the idle ones, as many as there are.
    #[inline(never)]
    fn fill(&self, children: &mut Children) -> Result<(), SendError> {
        children.copy_oob_from(self.parent, self.module.handle);
        if self.lacks_header_offset {
            children.set_tcp_header_offset(self.template.headers().transport_offset());
        }
        let length = self.template.headers().length();
        let mut payload = self.packet.payload(length)?;
        let mut packets = None;
        let mut planned_children = self.plan.iter();
        children.try_for_each(|child| {
            let Some(planned) = planned_children.next() else {
                return Ok(());
            };
            match planned.form {
                Form::LargeSend => self.template.write(&planned, child.header())?,
                Form::Packet => self.make_packet(&mut packets, planned, child, &payload)?,
            }
            Ok(child.set_payload(length, &mut payload, planned.payload_length)?)
        })
    }

    /// Makes `child` the `planned` packet, whose payload is next at `payload`. `packets` is
    /// initialized with the first one.
    #[inline(never)]
    fn make_packet(
        &self,
        packets: &mut Option<PacketTemplate<'a>>,
        planned: PlannedChild,
        child: &mut ChildNbl,
        payload: &PayloadCursor<'_>,
    ) -> Result<(), SendError> {
        let (checksum, offload) = match self.checksum {
            PacketChecksum::None => (Checksum::Offloaded, ChecksumInfo::default()),
            PacketChecksum::Nic => (Checksum::Offloaded, self.nic_checksum()),
            PacketChecksum::Filter => {
                let sum = payload.sum(planned.payload_length)?;
                (Checksum::Complete(sum), ChecksumInfo::default())
            }
        };
        child.become_packet(offload);
        let packets = match packets {
            Some(packets) => packets,
            None => packets.insert(self.template.for_packets()?),
        };
        Ok(packets.write(&planned, checksum, child.header())?)
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
