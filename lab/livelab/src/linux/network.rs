//! The cables: namespaces for guests, for the hosts' side and for the peer, connected by veth pairs.
//!
//! ```text
//!  guest 1 ── eth0 ~~~ g1 ┐                      ┌ wire ~~~ eth0 ── peer
//!  guest 2 ── eth0 ~~~ g2 ┤ switch, filter, NIC  │
//!                         └──────────────────────┘
//!  namespaces:  one each  |        hosts         |          peer
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use lso::IpVersion;

use super::ethtool::{no_send_offloads, only_what_is_carried};
use super::namespace::Namespace;
use super::netlink::{Device, End, Mac, Netlink};
use super::packet::{Direction, PacketSocket};
use super::wire::Directory;
use crate::error::Error;

/// The largest packet that a veth device accepts from a stack (`TSO_MAX_SIZE` for 8 pages to a
/// fragment).
pub const VETH_MOST: u32 = 524_280;

/// The largest packet that goes over a cable in one piece over IPv6. Linux 6.18 drops larger ones
/// that come from a packet socket (as Ip6InHdrErrors), so beyond it the cable's end cuts them.
const LEGACY_MOST: u32 = 65_536;

/// A machine with a TCP/IP stack.
pub struct Station {
    pub name: String,
    pub namespace: Namespace,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Ipv6Addr,
    /// A connection with its kernel.
    pub netlink: Netlink,
    pub device: Device,
}

impl Station {
    /// Its address, of the version of `like`.
    pub fn address(&self, ip: IpVersion) -> IpAddr {
        match ip {
            IpVersion::V4 => self.ipv4.into(),
            IpVersion::V6 => self.ipv6.into(),
        }
    }
}

/// All stations and their cables.
pub struct Network {
    pub guests: Vec<Station>,
    /// The station behind the wire.
    pub peer: Station,
    /// Where cables end on the hosts' side.
    pub directory: Arc<Directory>,
    /// Where switches and NICs are; it lasts as long as this.
    _hosts: Namespace,
}

/// The configuration of a network.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many guests it has.
    pub guests: u8,
    /// The MTU of all devices.
    pub mtu: u32,
    /// Whether the kernel finishes packets before they enter the wire, so that the peer verifies
    /// every checksum.
    pub finished_packets: bool,
}

/// Settings of a station's stack, below `/proc/sys/net`.
const SETTINGS: [(&str, &str); 5] = [
    // Addresses are configured, so there is no need for router or duplicate address detection.
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    // A window that large sends of 512 KiB fit into many times.
    ("ipv4/tcp_wmem", "4096 4194304 67108864"),
    ("ipv4/tcp_rmem", "4096 16777216 67108864"),
    // A measurement must not start with metrics that the last one left.
    ("ipv4/tcp_no_metrics_save", "1"),
];

/// The peer's number among the stations; guests count from 2.
const PEER: u8 = 1;
/// The switch's end of the cable to the peer.
const WIRE: &str = "wire";

impl Network {
    pub fn build(shape: Shape) -> Result<Self, Error> {
        let hosts = Namespace::new("the hosts")?;
        // Their devices are ends of cables, and send no packets on their own.
        hosts.sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        let mut here = Netlink::open(&hosts)?;
        let peer = station("the peer", PEER, WIRE, &hosts, &mut here, shape.mtu)?;
        let mut guests = Vec::new();
        let mut sockets = Vec::new();
        for number in 1..=shape.guests {
            let name = format!("guest {number}");
            let cable = format!("g{number}");
            let guest = station(&name, PEER + number, &cable, &hosts, &mut here, shape.mtu)?;
            let end = here.device(&cable)?;
            let socket = PacketSocket::open(&hosts, end, Direction::Both)?;
            sockets.push((guest.mac, Arc::new(socket)));
            guests.push(guest);
        }
        if shape.finished_packets {
            no_send_offloads(&hosts, WIRE)?;
        }
        let wire = here.device(WIRE)?;
        let peer_socket = PacketSocket::open(&hosts, wire, Direction::Both)?;
        let mut network = Self {
            guests,
            peer,
            directory: Arc::new(Directory {
                guests: sockets,
                peer: Arc::new(peer_socket),
            }),
            _hosts: hosts,
        };
        network.introduce()?;
        Ok(network)
    }

    /// Every station gets the addresses of every other.
    fn introduce(&mut self) -> Result<(), Error> {
        let mut all: Vec<_> = self.guests.iter_mut().collect();
        all.push(&mut self.peer);
        let known: Vec<_> = all
            .iter()
            .map(|one| (one.mac, IpAddr::from(one.ipv4), IpAddr::from(one.ipv6)))
            .collect();
        for station in all {
            let others = known.iter().filter(|(mac, ..)| *mac != station.mac);
            for (mac, ipv4, ipv6) in others {
                for address in [*ipv4, *ipv6] {
                    let (netlink, device) = (&mut station.netlink, station.device);
                    netlink.add_neighbor(device, address, *mac)?;
                    netlink.set_route(device, address)?;
                }
            }
        }
        Ok(())
    }
}

/// A station with a cable to the hosts, whose other end is called `cable`.
fn station(
    name: &str,
    number: u8,
    cable: &str,
    hosts: &Namespace,
    here: &mut Netlink,
    mtu: u32,
) -> Result<Station, Error> {
    const DEVICE: &str = "eth0";
    let namespace = Namespace::new(name)?;
    for (path, value) in SETTINGS {
        namespace.sysctl(path, value)?;
    }
    // It finds back to a large window soon after a loss; a kernel without it has another.
    let _ = namespace.sysctl("ipv4/tcp_congestion_control", "cubic");
    let mac = [2, 0x4C, 0x53, 0x4F, 0, number];
    let switch_end = End {
        name: cable,
        namespace: hosts,
        mac: [2, 0x4C, 0x53, 0x4F, 1, number],
    };
    let own_end = End {
        name: DEVICE,
        namespace: &namespace,
        mac,
    };
    here.add_veth(&switch_end, &own_end, mtu)?;
    let end = here.device(cable)?;
    here.set_large_sends(end, VETH_MOST, LEGACY_MOST)?;
    here.up(end)?;
    only_what_is_carried(&namespace, DEVICE)?;
    let mut netlink = Netlink::open(&namespace)?;
    let loopback = netlink.device("lo")?;
    netlink.up(loopback)?;
    let device = netlink.device(DEVICE)?;
    netlink.up(device)?;
    let ipv4 = Ipv4Addr::new(10, 83, 0, number);
    let ipv6 = Ipv6Addr::new(0xFD83, 0, 0, 0, 0, 0, 0, number.into());
    netlink.add_address(device, ipv4.into(), 24)?;
    netlink.add_address(device, ipv6.into(), 64)?;
    Ok(Station {
        name: name.to_owned(),
        namespace,
        mac,
        ipv4,
        ipv6,
        netlink,
        device,
    })
}
