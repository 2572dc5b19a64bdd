//! The children of one parent, made after a plan.

use lso::{
    Checksum, Child as Part, Form, Headers, IpVersion, Plan, Refusal, Sum, Template, Transport,
};
use ndis::{
    AtDispatch, ChecksumInfo, Child, Children, LargeSendInfo, Nbl, NetBuffer, PayloadCursor,
};

use crate::{module::FilterModule, split::Unsent};

/// All that the children of one parent are made from.
pub(crate) struct Parts<'a> {
    pub(crate) module: &'a FilterModule,
    pub(crate) parent: &'a Nbl,
    pub(crate) packet: NetBuffer<'a>,
    pub(crate) plan: Plan,
    pub(crate) template: Template<'a>,
    pub(crate) headers: Headers,
    pub(crate) checksum: PacketChecksum,
    /// The parent's large-send slot once all children have gone out.
    pub(crate) done: LargeSendInfo,
}

/// Who makes the TCP or UDP checksum of a child that is a packet.
#[derive(Clone, Copy)]
pub(crate) enum PacketChecksum {
    /// It has none, and must not be given one.
    None,
    /// The NIC.
    Left,
    /// The filter, from all of the payload.
    Made,
}

impl Parts<'_> {
    /// Every child, complete, and the gate entered for the parent; or none, and all as before.
    pub(crate) fn into_children(self, at: &AtDispatch) -> Result<Children, Unsent> {
        let pool = &self.module.children;
        let mut children = pool
            .take(self.plan.children(), at)
            .map_err(|_| Unsent::LowMemory)?;
        let result = self.fill(&mut children).and_then(|()| {
            // The gate may have closed since the batch came in.
            if self.module.gate.enter(1) {
                Ok(())
            } else {
                Err(Unsent::Paused)
            }
        });
        match result {
            Ok(()) => Ok(children),
            Err(why) => {
                pool.recycle(children);
                Err(why)
            }
        }
    }

    /// Makes idle children into what the plan says, as many as it has.
    fn fill(&self, children: &mut Children) -> Result<(), Unsent> {
        let mut payload = self.packet.payload(self.headers.length())?;
        let mut parts = self.plan.iter();
        children.try_for_each(|child| match parts.next() {
            None => Ok(()),
            Some(part) => match part.form {
                Form::LargeSend => self.large_send(&part, child, &mut payload),
                Form::Packet => self.single_packet(&part, child, &mut payload),
            },
        })
    }

    fn large_send(
        &self,
        part: &Part,
        child: &mut Child,
        payload: &mut PayloadCursor<'_>,
    ) -> Result<(), Unsent> {
        child.inherit(self.parent, self.module.handle, self.done);
        let length = self.headers.length();
        child.write_header(length, Refusal::HeaderTooLong, |header| {
            self.template.write(part, header)
        })?;
        Ok(child.set_payload(length, payload, part.payload_length)?)
    }

    fn single_packet(
        &self,
        part: &Part,
        child: &mut Child,
        payload: &mut PayloadCursor<'_>,
    ) -> Result<(), Unsent> {
        let (checksum, left) = match self.checksum {
            PacketChecksum::None => (Checksum::Offloaded, ChecksumInfo::default()),
            PacketChecksum::Left => (Checksum::Offloaded, self.checksum_to_make()),
            PacketChecksum::Made => {
                let mut sum = Sum::default();
                payload.read(part.payload_length, &mut |bytes| sum.add(bytes))?;
                (Checksum::Complete(sum), ChecksumInfo::default())
            }
        };
        child.inherit_as_packet(self.parent, self.module.handle, self.done, left, true);
        let length = self.headers.length();
        child.write_header(length, Refusal::HeaderTooLong, |header| {
            self.template.write_packet(part, checksum, header)
        })?;
        Ok(child.set_payload(length, payload, part.payload_length)?)
    }

    fn checksum_to_make(&self) -> ChecksumInfo {
        let ipv6 = self.headers.ip_version() == IpVersion::V6;
        let offset = self.headers.transport_offset();
        match self.headers.transport() {
            Transport::Tcp => ChecksumInfo::tcp(ipv6, offset),
            Transport::Udp => ChecksumInfo::udp(ipv6, offset),
        }
    }
}
