//! Large sends made to order.
//!
//! ```
//! use testpkt::synth::Synth;
//!
//! let send = Synth::v6(1 << 20, 1440).vlan(&[7]).seq(0xFFFF_FF00);
//! let frame = send.frame(false);
//! assert_eq!(frame.len(), 14 + 4 + 40 + 20 + 12 + (1 << 20));
//!
//! // The same for UDP, and within VXLAN.
//! use testpkt::synth::Tunnel;
//! let datagrams = Synth::udp_v4(1 << 16, 1472);
//! let tunnelled = Synth::v4(1 << 16, 1398).inside(Tunnel::vxlan_v4());
//! # assert!(datagrams.frame(false).len() < tunnelled.frame(false).len());
//! ```

mod ip;
#[cfg(test)]
mod tests;
mod tunnel;

pub use tunnel::{Encapsulation, Tunnel};

use ip::IpHeader;
use reference::Kind;

/// TCP flags, as they stand in bytes 12 and 13 of the header. AE was NS once
/// (RFC 9768).
pub mod flag {
    #![expect(missing_docs, reason = "the names are TCP's own")]
    pub const FIN: u16 = 0x001;
    pub const SYN: u16 = 0x002;
    pub const RST: u16 = 0x004;
    pub const PSH: u16 = 0x008;
    pub const ACK: u16 = 0x010;
    pub const URG: u16 = 0x020;
    pub const ECE: u16 = 0x040;
    pub const CWR: u16 = 0x080;
    pub const AE: u16 = 0x100;
}

/// The protocol numbers of TCP and UDP.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Bytes of a UDP header.
const UDP_LEN: usize = 8;

/// The IP version of a [`Synth`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants are their names")]
pub enum IpVersion {
    V4,
    V6,
}

/// The transport protocol of a [`Synth`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants are their names")]
pub enum Transport {
    Tcp,
    Udp,
}

/// A large send to be built. Start with [`Synth::v4`], [`Synth::v6`],
/// [`Synth::udp_v4`] or [`Synth::udp_v6`] and change what matters; all fields
/// may also be set directly.
#[derive(Clone, Debug)]
pub struct Synth {
    /// IPv4 or IPv6.
    pub ip: IpVersion,
    /// TCP or UDP.
    pub transport: Transport,
    /// The tunnel around the packet, if any.
    pub tunnel: Option<Tunnel>,
    /// Bytes of TCP or UDP payload.
    pub payload: u32,
    /// Bytes of that payload in each wire packet. It is not in the frame but beside it, as in the
    /// OOB of an NBL.
    pub mss: u32,
    /// The 16 bits after each VLAN EtherType: priority, DEI and VLAN id. With
    /// several, all but the innermost are service tags (0x88A8). In a tunnel they are the inner
    /// frame's.
    pub vlan: Vec<u16>,
    /// IPv4 options, padded to 4 bytes with end-of-options; at most 40 bytes.
    pub ip_options: Vec<u8>,
    /// IPv6 extension headers: protocol number, and the whole header, whose
    /// first byte (next header) is filled in.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// TCP options, padded to 4 bytes with end-of-options; at most 40 bytes.
    /// At first two NOPs and a timestamps option (RFC 7323).
    pub tcp_options: Vec<u8>,
    /// The lower 12 bits of bytes 12 and 13 of the TCP header: see [`flag`].
    pub flags: u16,
    /// TCP sequence number of the first payload byte.
    pub seq: u32,
    /// IPv4 identification. Unused with IPv6.
    pub ip_id: u16,
    /// IPv4 type of service or IPv6 traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// IPv6 flow label, 20 bits. Unused with IPv4.
    pub flow_label: u32,
    /// Whether UDP is to have a checksum. Unused with TCP, which always has.
    pub udp_checksum: bool,
    /// Chooses the payload's bytes.
    pub seed: u64,
}

/// Functions that set fields, by the fields' names.
macro_rules! setters {
    ($($field:ident: $value:ty,)*) => { $(
        #[doc = concat!("Sets [`Synth::", stringify!($field), "`].")]
        pub fn $field(mut self, $field: $value) -> Self {
            self.$field = $field.into();
            self
        }
    )* };
}

impl Synth {
    /// An IPv4 large send: PSH and ACK, timestamps, no VLAN, no IP options.
    pub fn v4(payload: u32, mss: u32) -> Self {
        Self {
            ip: IpVersion::V4,
            transport: Transport::Tcp,
            tunnel: None,
            payload,
            mss,
            vlan: Vec::new(),
            ip_options: Vec::new(),
            extensions: Vec::new(),
            tcp_options: vec![1, 1, 8, 10, 0xFC, 0x49, 0x39, 0x4A, 0xD2, 0xE2, 0x37, 0x2B],
            flags: flag::PSH | flag::ACK,
            seq: 0x1268_A94A,
            ip_id: 0x0786,
            traffic_class: 0,
            flow_label: 0,
            udp_checksum: true,
            seed: 1,
        }
    }

    /// The same with IPv6.
    pub fn v6(payload: u32, mss: u32) -> Self {
        Self {
            ip: IpVersion::V6,
            ..Self::v4(payload, mss)
        }
    }

    /// An IPv4 large send of UDP, with a checksum, no VLAN, no IP options.
    pub fn udp_v4(payload: u32, mss: u32) -> Self {
        Self {
            transport: Transport::Udp,
            ..Self::v4(payload, mss)
        }
    }

    /// The same with IPv6.
    pub fn udp_v6(payload: u32, mss: u32) -> Self {
        Self {
            ip: IpVersion::V6,
            ..Self::udp_v4(payload, mss)
        }
    }

    /// Sets [`Synth::tunnel`].
    pub fn inside(mut self, tunnel: Tunnel) -> Self {
        self.tunnel = Some(tunnel);
        self
    }

    setters! {
        vlan: &[u16],
        ip_options: &[u8],
        tcp_options: &[u8],
        flags: u16,
        seq: u32,
        ip_id: u16,
        traffic_class: u8,
        flow_label: u32,
        udp_checksum: bool,
        seed: u64,
    }

    /// Appends one of the [`Synth::extensions`].
    pub fn extension(mut self, protocol: u8, header: &[u8]) -> Self {
        self.extensions.push((protocol, header.to_vec()));
        self
    }

    /// The kind of large send.
    pub fn kind(&self) -> Kind {
        match (self.tunnel.is_some(), self.transport) {
            (true, _) => Kind::Encapsulated,
            (false, Transport::Tcp) => Kind::Tcp,
            (false, Transport::Udp) => Kind::Udp,
        }
    }

    /// The frame of a large send, as a stack sends it.
    ///
    /// The IP length field is 0, as in LSOv2, and with UDP its length too; with `lsov1` they are
    /// the true lengths, if those fit into 16 bits. A tunnel's headers have lengths of their own.
    /// The transport checksum field is the folded sum of addresses and protocol, without the length
    /// and not complemented. The IPv4 header checksum, which the NIC fills in, is 0.
    ///
    /// # Panics
    ///
    /// If IP or TCP options are longer than 40 bytes, or an extension header
    /// is empty.
    pub fn frame(&self, lsov1: bool) -> Vec<u8> {
        let (protocol, mut packet) = match self.transport {
            Transport::Tcp => (TCP, self.tcp_header()),
            Transport::Udp => (UDP, self.udp_header(lsov1)),
        };
        packet.extend(self.payload_bytes());
        let ip = self.ip_header().bytes(protocol, packet.len(), lsov1);
        let frame = [ip::ethernet(&self.vlan, self.ip, [1, 2]), ip, packet].concat();
        match &self.tunnel {
            None => frame,
            Some(tunnel) => tunnel.around(&frame),
        }
    }

    /// The payload: pseudo-random bytes of the seed, different at every
    /// place, so that a misplaced or repeated byte shows.
    pub fn payload_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload as usize + 8);
        // Not `flat_map`, which goes byte by byte: tests make megabytes with it, unoptimized.
        for i in 0..self.payload.div_ceil(8) {
            let word = mix(self.seed ^ (u64::from(i) << 32));
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.truncate(self.payload as usize);
        bytes
    }

    fn ip_header(&self) -> IpHeader<'_> {
        IpHeader {
            version: self.ip,
            addresses: match self.ip {
                IpVersion::V4 => vec![192, 0, 2, 1, 198, 51, 100, 2],
                IpVersion::V6 => [ip::documentation(0, 1), ip::documentation(0, 2)].concat(),
            },
            options: &self.ip_options,
            extensions: &self.extensions,
            id: self.ip_id,
            traffic_class: self.traffic_class,
            flow_label: self.flow_label,
        }
    }

    fn tcp_header(&self) -> Vec<u8> {
        let options = ip::padded(&self.tcp_options);
        let mut header = vec![0xA9, 0x18, 0x15, 0xB3];
        header.extend(self.seq.to_be_bytes());
        header.extend([0x71, 0xEC, 0xBB, 0x91]);
        let offset = ((20 + options.len()) / 4) as u16;
        header.extend((offset << 12 | self.flags & 0xFFF).to_be_bytes());
        header.extend([0x08, 0x00]);
        header.extend(self.ip_header().seed(TCP));
        header.extend([0, 0]);
        header.extend(options);
        header
    }

    fn udp_header(&self, stated: bool) -> Vec<u8> {
        let mut header = vec![0xA9, 0x18, 0x15, 0xB3];
        header.extend(ip::length_field(UDP_LEN + self.payload as usize, stated));
        header.extend(if self.udp_checksum {
            self.ip_header().seed(UDP)
        } else {
            [0, 0]
        });
        header
    }
}

/// A 64-bit mixing function (the finaliser of MurmurHash3).
fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ x >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    x ^ x >> 33
}
