//! VXLAN (RFC 7348) and NVGRE (RFC 7637) around a frame.

use super::ip::{self, IpHeader};
use super::{IpVersion, UDP, UDP_LEN};

const GRE: u8 = 47;
/// The port that RFC 7348 gives VXLAN.
const VXLAN_PORT: u16 = 4789;
/// The flag that the network identifier is valid.
const VXLAN_ID: u8 = 0x08;
/// GRE with a key, version 0, and Ethernet in it.
const NVGRE: [u8; 4] = [0x20, 0x00, 0x65, 0x58];
/// The flow identifier: VXLAN's source port, and its low byte in the key.
const FLOW: u16 = 0xC0DE;

/// How a [`Tunnel`] carries frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants are their names")]
pub enum Encapsulation {
    Vxlan,
    Nvgre,
}

/// The headers around a frame. Start with one of the four functions and change
/// what matters.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// VXLAN or NVGRE.
    pub encapsulation: Encapsulation,
    /// Outer IPv4 or IPv6.
    pub ip: IpVersion,
    /// VLAN tags of the outer frame, as those of [`Synth`](super::Synth).
    pub vlan: Vec<u16>,
    /// Outer IPv4 options; at most 40 bytes.
    pub ip_options: Vec<u8>,
    /// Outer IPv6 extension headers.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// Outer IPv4 identification.
    pub ip_id: u16,
    /// Outer type of service or traffic class.
    pub traffic_class: u8,
    /// VXLAN network identifier or virtual subnet, 24 bits.
    pub network: u32,
    /// Whether VXLAN's UDP is to have a checksum: its field is then the folded
    /// sum of addresses and protocol, else 0.
    pub udp_checksum: bool,
    /// Whether outer IP and UDP state their true lengths, as far as those fit;
    /// else they are 0.
    pub stated: bool,
}

impl Tunnel {
    /// VXLAN over IPv4, without VLAN tag, options or UDP checksum.
    pub fn vxlan_v4() -> Self {
        Self {
            encapsulation: Encapsulation::Vxlan,
            ip: IpVersion::V4,
            vlan: Vec::new(),
            ip_options: Vec::new(),
            extensions: Vec::new(),
            ip_id: 0x3C5A,
            traffic_class: 0,
            network: 0x0B_1A5E,
            udp_checksum: false,
            stated: false,
        }
    }

    /// VXLAN over IPv6, with a UDP checksum, as RFC 8200 requires.
    pub fn vxlan_v6() -> Self {
        Self {
            ip: IpVersion::V6,
            udp_checksum: true,
            ..Self::vxlan_v4()
        }
    }

    /// NVGRE over IPv4.
    pub fn nvgre_v4() -> Self {
        Self {
            encapsulation: Encapsulation::Nvgre,
            ..Self::vxlan_v4()
        }
    }

    /// NVGRE over IPv6.
    pub fn nvgre_v6() -> Self {
        Self {
            ip: IpVersion::V6,
            ..Self::nvgre_v4()
        }
    }

    /// The frame `inner` with the tunnel's headers before it.
    ///
    /// # Panics
    ///
    /// As [`Synth::frame`](super::Synth::frame).
    pub fn around(&self, inner: &[u8]) -> Vec<u8> {
        let (protocol, header) = match self.encapsulation {
            Encapsulation::Vxlan => (UDP, self.vxlan(inner.len())),
            Encapsulation::Nvgre => (GRE, self.nvgre()),
        };
        let len = header.len() + inner.len();
        let ip = self.ip_header().bytes(protocol, len, self.stated);
        let ethernet = ip::ethernet(&self.vlan, self.ip, [3, 4]);
        [&ethernet[..], &ip, &header, inner].concat()
    }

    fn ip_header(&self) -> IpHeader<'_> {
        IpHeader {
            version: self.ip,
            addresses: match self.ip {
                IpVersion::V4 => vec![203, 0, 113, 1, 203, 0, 113, 2],
                IpVersion::V6 => [ip::documentation(1, 1), ip::documentation(1, 2)].concat(),
            },
            options: &self.ip_options,
            extensions: &self.extensions,
            id: self.ip_id,
            traffic_class: self.traffic_class,
            flow_label: 0,
        }
    }

    fn vxlan(&self, inner: usize) -> Vec<u8> {
        let vxlan = [VXLAN_ID, 0, 0, 0];
        let len = UDP_LEN + vxlan.len() + 4 + inner;
        let checksum = if self.udp_checksum {
            self.ip_header().seed(UDP)
        } else {
            [0, 0]
        };
        [
            &FLOW.to_be_bytes()[..],
            &VXLAN_PORT.to_be_bytes(),
            &ip::length_field(len, self.stated),
            &checksum,
            &vxlan,
            &(self.network << 8).to_be_bytes(),
        ]
        .concat()
    }

    fn nvgre(&self) -> Vec<u8> {
        let key = self.network << 8 | u32::from(FLOW & 0xFF);
        [NVGRE, key.to_be_bytes()].concat()
    }
}
