//! A guest's virtual NIC: it applies the sizes that the switch advertises to the guest's stack.

use std::fs::File;
use std::io::Write;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use model::LargeSendLimits;
use model::host::Guest;

use super::doing::Doing;
use super::netlink::{Device, Netlink};
use super::packet::PacketSocket;
use crate::error::Error;

/// A guest's place on a switch.
pub struct Port {
    pub guest: Guest,
    /// The switch's end of its cable.
    pub socket: Arc<PacketSocket>,
    /// The guest's driver for its virtual NIC.
    pub nic: VirtualNic,
}

/// The large-send state of a guest.
pub struct VirtualNic {
    /// The guest's own connection with its kernel.
    pub netlink: Netlink,
    pub device: Device,
    /// With whom it may have connections by IPv6.
    pub partners: Vec<Ipv6Addr>,
    /// The guest's `/proc/sys/net/ipv4/route/flush`.
    pub flush: File,
    /// The largest that the device can do, in bytes of packet.
    pub most: u32,
    /// The limits applied last.
    pub applied: Option<LargeSendLimits>,
    /// The channel that gets the advertised limits each time the guest applies other ones.
    pub changes: Sender<LargeSendLimits>,
}

impl VirtualNic {
    /// Sets the guest's stack to large sends of the advertised size.
    pub(super) fn follow(&mut self, guest: &Guest) -> Result<(), Error> {
        let advertised = guest.indicator();
        if self.applied == Some(advertised) {
            return Ok(());
        }
        // The kernel counts headers, an advertised size does not; and even without large sends it
        // must have a size.
        let size = |payload: u32, headers: u32| (payload.max(4096) + headers).min(self.most);
        let ipv4 = size(advertised.v2_ipv4.max_payload, 14 + 20 + 20);
        let ipv6 = size(advertised.v2_ipv6.max_payload, 14 + 40 + 8 + 20);
        self.netlink.set_large_sends(self.device, ipv4, ipv6)?;
        // A connection reads the size once, when it looks up its route, so every route has to be
        // found anew: over IPv4 all at once, over IPv6 a route that replaces another is new.
        self.flush
            .write_all(b"1")
            .doing(|| "flushing a guest's routes".to_owned())?;
        for partner in &self.partners {
            self.netlink.set_route(self.device, (*partner).into())?;
        }
        self.applied = Some(advertised);
        let _ = self.changes.send(advertised);
        Ok(())
    }
}
