//! Devices, addresses, neighbors and routes, by rtnetlink (RFC 3549, `man 7 rtnetlink`).

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::doing::Doing;
use super::namespace::Namespace;
use crate::error::Error;

/// An Ethernet address.
pub use model::host::Mac;

/// A connection with the kernel about the devices of one namespace.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// A device by its index.
pub type Device = u32;

/// One end of a pair of connected devices.
pub struct End<'a> {
    /// The device's name.
    pub name: &'a str,
    /// Where it is.
    pub namespace: &'a Namespace,
    /// Its address.
    pub mac: Mac,
}

impl Netlink {
    /// Opens a connection with `namespace`.
    pub fn open(namespace: &Namespace) -> Result<Self, Error> {
        namespace.inside(|| {
            let open = || {
                let mut socket = Socket::new(NETLINK_ROUTE)?;
                socket.bind_auto()?;
                socket.connect(&SocketAddr::new(0, 0))?;
                Ok::<_, io::Error>(socket)
            };
            let socket = open().doing(|| "opening a netlink socket".to_owned())?;
            Ok(Self {
                socket,
                sequence: 0,
            })
        })
    }

    /// Makes two devices that are connected with each other, in `here`, which is this connection's
    /// namespace, and `there`.
    pub fn add_veth(&mut self, here: &End<'_>, there: &End<'_>, mtu: u32) -> Result<(), Error> {
        let end = |end: &End<'_>| {
            let mut link = LinkMessage::default();
            link.attributes = vec![
                LinkAttribute::IfName(end.name.to_owned()),
                LinkAttribute::Address(end.mac.to_vec()),
                LinkAttribute::Mtu(mtu),
                LinkAttribute::NetNsFd(end.namespace.file().as_raw_fd()),
            ];
            link
        };
        let mut link = end(here);
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(end(there)))),
        ]));
        self.ask(
            RouteNetlinkMessage::NewLink(link),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .doing(|| {
            format!(
                "connecting {} with {}",
                here.namespace.name(),
                there.namespace.name()
            )
        })
    }

    /// The device called `name`.
    ///
    /// # Errors
    ///
    /// There is none, or the system's error.
    pub fn device(&mut self, name: &str) -> Result<Device, Error> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let answer = self
            .answer(RouteNetlinkMessage::GetLink(link), 0)
            .doing(|| format!("looking for the device {name}"))?;
        match answer {
            Some(RouteNetlinkMessage::NewLink(link)) => Ok(link.header.index),
            _ => Err(io::Error::from(io::ErrorKind::NotFound))
                .doing(|| format!("looking for the device {name}")),
        }
    }

    /// Turns a device on.
    pub fn up(&mut self, device: Device) -> Result<(), Error> {
        let mut link = LinkMessage::default();
        link.header.index = device;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.ask(RouteNetlinkMessage::NewLink(link), 0)
            .doing(|| "turning a device on".to_owned())
    }

    /// Sets the largest packet that the stack may pass to a device, in bytes of packet: over IPv4
    /// by attribute 63, over IPv6 by the older one, which once covered both.
    pub fn set_large_sends(&mut self, device: Device, ipv4: u32, ipv6: u32) -> Result<(), Error> {
        let mut link = LinkMessage::default();
        link.header.index = device;
        link.attributes = vec![
            LinkAttribute::GsoMaxSize(ipv6),
            LinkAttribute::GsoIpv4MaxSize(ipv4),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), 0)
            .doing(|| format!("setting the large sends of a guest to {ipv4} and {ipv6} bytes"))
    }

    /// Gives a device an address in a network of `prefix` bits, usable at once.
    pub fn add_address(
        &mut self,
        device: Device,
        address: IpAddr,
        prefix: u8,
    ) -> Result<(), Error> {
        let mut message = AddressMessage::default();
        message.header.family = family(address);
        message.header.index = device;
        message.header.prefix_len = prefix;
        // The address is unique in the lab, so no duplicate detection is needed.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
        ];
        self.ask(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .doing(|| format!("giving a device the address {address}"))
    }

    /// Says once and for all where `address` is.
    pub fn add_neighbor(&mut self, device: Device, address: IpAddr, mac: Mac) -> Result<(), Error> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = device;
        message.header.state = NeighbourState::Permanent;
        let destination = match address {
            IpAddr::V4(address) => NeighbourAddress::Inet(address),
            IpAddr::V6(address) => NeighbourAddress::Inet6(address),
        };
        message.attributes = vec![
            NeighbourAttribute::Destination(destination),
            NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
        ];
        self.ask(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
        .doing(|| format!("naming the neighbor {address}"))
    }

    /// Sets the route to the host `address`. Replacing a route discards the values that connections
    /// have learnt by it, such as the device's sizes.
    pub fn set_route(&mut self, device: Device, address: IpAddr) -> Result<(), Error> {
        let mut message = RouteMessage::default();
        let (length, destination) = match address {
            IpAddr::V4(address) => (32, RouteAddress::Inet(address)),
            IpAddr::V6(address) => (128, RouteAddress::Inet6(address)),
        };
        message.header.address_family = family(address);
        message.header.destination_prefix_length = length;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Link;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(destination),
            RouteAttribute::Oif(device),
        ];
        self.ask(
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
        .doing(|| format!("setting the route to {address}"))
    }

    fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.answer(message, flags | NLM_F_ACK).map(drop)
    }

    /// The kernel's answer, where it is more than a confirmation.
    fn answer(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Option<RouteNetlinkMessage>> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            match answer.payload {
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(error.to_io());
                }
                NetlinkPayload::InnerMessage(inner) => return Ok(Some(inner)),
                _ => return Ok(None),
            }
        }
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
