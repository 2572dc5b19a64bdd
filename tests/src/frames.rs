//! Large sends of UDP, and large sends inside tunnels, as the overlying driver sends them.
//!
//! The TCP parts come from [`Synth`]; this module has the parts around them, or in their place.

use model::{Packet, TunnelKind, TunnelOffloads};
use testpkt::synth::{IpVersion, Synth};

/// Ethernet addresses, destination first, outside of tunnels and of UDP frames.
const ADDRESSES: [u8; 12] = [0x02, 0, 0, 0, 0, 0x12, 0x02, 0, 0, 0, 0, 0x11];
const UDP: u8 = 17;
const GRE: u8 = 47;

/// A USO send to be built. Start with [`Udp::v4`] or [`Udp::v6`]; all fields may be set directly.
#[derive(Clone, Debug)]
pub struct Udp {
    /// IPv4 or IPv6.
    pub ip: IpVersion,
    /// Bytes of UDP payload.
    pub payload: u32,
    /// Bytes of UDP payload in each wire packet.
    pub mss: u32,
    /// The 16 bits after each VLAN EtherType.
    pub vlan: Vec<u16>,
    /// IPv4 options, a multiple of 4 bytes.
    pub ip_options: Vec<u8>,
    /// IPv6 extension headers: protocol number, and the header, whose first byte is filled in.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// IPv4 identification.
    pub ip_id: u16,
    /// Source port; another one is another flow.
    pub port: u16,
    /// Whether there is a checksum: its seed, or else 0.
    pub checksum: bool,
    /// Whether the lengths in the headers are true where they fit, or else 0.
    pub lengths: bool,
    /// Chooses the payload's bytes.
    pub seed: u64,
}

impl Udp {
    /// An IPv4 send with a checksum, and with lengths of 0.
    #[must_use]
    pub fn v4(payload: u32, mss: u32) -> Self {
        Self {
            ip: IpVersion::V4,
            payload,
            mss,
            vlan: Vec::new(),
            ip_options: Vec::new(),
            extensions: Vec::new(),
            ip_id: 0x7FFE,
            port: 0xC001,
            checksum: true,
            lengths: false,
            seed: 5,
        }
    }

    /// The same with IPv6.
    #[must_use]
    pub fn v6(payload: u32, mss: u32) -> Self {
        Self {
            ip: IpVersion::V6,
            ..Self::v4(payload, mss)
        }
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let payload = Synth::v4(self.payload, self.mss)
            .seed(self.seed)
            .payload_bytes();
        let length = length_field(8 + payload.len(), self.lengths);
        let seed = if self.checksum {
            fold(sum(&addresses(self.ip)) + u64::from(UDP))
        } else {
            0
        };
        let udp = [
            &self.port.to_be_bytes()[..],
            &443_u16.to_be_bytes(),
            &length,
            &seed.to_be_bytes(),
            &payload,
        ]
        .concat();
        let network = Network {
            ip: self.ip,
            vlan: &self.vlan,
            ip_options: &self.ip_options,
            extensions: &self.extensions,
            ip_id: self.ip_id,
            protocol: UDP,
            lengths: self.lengths,
        };
        network.around(&udp)
    }
}

/// A USO send.
#[must_use]
pub fn uso(send: &Udp) -> Packet {
    Packet::udp_large_send(send.frame(), send.mss)
}

/// The outside of a tunnel.
#[derive(Clone, Debug)]
pub struct Outer {
    /// NVGRE or VXLAN.
    pub kind: TunnelKind,
    /// IPv4 or IPv6.
    pub ip: IpVersion,
    /// The 16 bits after each VLAN EtherType.
    pub vlan: Vec<u16>,
    /// IPv4 identification.
    pub ip_id: u16,
    /// Whether the outer UDP checksum is another than 0.
    pub checksum: bool,
    /// Whether the outer lengths are true where they fit, or else 0.
    pub lengths: bool,
}

impl Outer {
    /// VXLAN without a UDP checksum, and with lengths of 0.
    #[must_use]
    pub fn vxlan(ip: IpVersion) -> Self {
        Self {
            kind: TunnelKind::Vxlan(TunnelOffloads::VXLAN_PORT),
            ip,
            vlan: Vec::new(),
            ip_id: 0xFFFD,
            checksum: false,
            lengths: false,
        }
    }

    /// NVGRE likewise.
    #[must_use]
    pub fn nvgre(ip: IpVersion) -> Self {
        Self {
            kind: TunnelKind::Nvgre,
            ..Self::vxlan(ip)
        }
    }

    /// The outside around an inner frame.
    #[must_use]
    pub fn around(&self, inner: &[u8]) -> Vec<u8> {
        let (protocol, encapsulation) = match self.kind {
            TunnelKind::Nvgre => (GRE, vec![0x20, 0, 0x65, 0x58, 0, 0x12, 0x34, 0x01]),
            TunnelKind::Vxlan(port) => {
                let length = length_field(16 + inner.len(), self.lengths);
                let checksum: [u8; 2] = if self.checksum { [0x12, 0x34] } else { [0, 0] };
                let udp = [
                    [0xC0, 0x02],
                    port.to_be_bytes(),
                    length,
                    checksum,
                    [0x08, 0],
                    [0, 0],
                    [0x12, 0x34],
                    [0x56, 0],
                ];
                (UDP, udp.concat())
            }
        };
        let network = Network {
            ip: self.ip,
            vlan: &self.vlan,
            ip_options: &[],
            extensions: &[],
            ip_id: self.ip_id,
            protocol,
            lengths: self.lengths,
        };
        network.around(&[&encapsulation, inner].concat())
    }
}

/// An LSOv2 send inside a tunnel.
#[must_use]
pub fn tunnelled(send: &Synth, outer: &Outer) -> Packet {
    Packet::encapsulated(outer.around(&send.frame(false)), send.mss)
}

/// Every tunnel: of each kind, with each IP version outside.
#[must_use]
pub fn tunnels() -> Vec<Outer> {
    [IpVersion::V4, IpVersion::V6]
        .into_iter()
        .flat_map(|ip| {
            let checked = Outer {
                checksum: true,
                ..Outer::vxlan(ip)
            };
            [Outer::nvgre(ip), Outer::vxlan(ip), checked]
        })
        .collect()
}

/// Ethernet and IP.
struct Network<'a> {
    ip: IpVersion,
    vlan: &'a [u16],
    ip_options: &'a [u8],
    extensions: &'a [(u8, Vec<u8>)],
    ip_id: u16,
    protocol: u8,
    lengths: bool,
}

impl Network<'_> {
    fn around(&self, content: &[u8]) -> Vec<u8> {
        let ip = match self.ip {
            IpVersion::V4 => self.ipv4(content.len()),
            IpVersion::V6 => self.ipv6(content.len()),
        };
        [&self.ethernet(), &ip, content].concat()
    }

    fn ethernet(&self) -> Vec<u8> {
        let mut header = ADDRESSES.to_vec();
        for (place, tag) in self.vlan.iter().enumerate() {
            let innermost = place + 1 == self.vlan.len();
            let kind: u16 = if innermost { 0x8100 } else { 0x88A8 };
            header.extend(kind.to_be_bytes());
            header.extend(tag.to_be_bytes());
        }
        let kind: u16 = match self.ip {
            IpVersion::V4 => 0x0800,
            IpVersion::V6 => 0x86DD,
        };
        header.extend(kind.to_be_bytes());
        header
    }

    fn ipv4(&self, content: usize) -> Vec<u8> {
        let length = 20 + self.ip_options.len();
        let mut header = vec![0x40 | (length / 4) as u8, 0];
        header.extend(length_field(length + content, self.lengths));
        header.extend(self.ip_id.to_be_bytes());
        header.extend([0x40, 0, 64, self.protocol, 0, 0]);
        header.extend(addresses(self.ip));
        header.extend(self.ip_options);
        header
    }

    fn ipv6(&self, content: usize) -> Vec<u8> {
        let (mut chain, mut next) = (Vec::new(), self.protocol);
        for (protocol, header) in self.extensions.iter().rev() {
            let mut header = header.clone();
            header[0] = next;
            chain.splice(0..0, header);
            next = *protocol;
        }
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(length_field(chain.len() + content, self.lengths));
        header.extend([next, 64]);
        header.extend(addresses(self.ip));
        header.extend(chain);
        header
    }
}

/// Source and destination, of the ranges set aside for documentation (RFC 5737, RFC 3849).
fn addresses(ip: IpVersion) -> Vec<u8> {
    let v6 = |host| {
        [
            0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, host,
        ]
    };
    match ip {
        IpVersion::V4 => vec![203, 0, 113, 1, 203, 0, 113, 2],
        IpVersion::V6 => [v6(1), v6(2)].concat(),
    }
}

fn length_field(length: usize, truly: bool) -> [u8; 2] {
    let length = u16::try_from(length).ok().filter(|_| truly);
    length.unwrap_or(0).to_be_bytes()
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<2>();
    words
        .iter()
        .map(|word| u64::from(u16::from_be_bytes(*word)))
        .sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}
