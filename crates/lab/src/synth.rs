//! Large sends made to order.
//!
//! ```
//! use mslso_lab::synth::Synth;
//!
//! let send = Synth::v6(1 << 20, 1440).vlan(&[7]).seq(0xFFFF_FF00);
//! let frame = send.frame(false);
//! assert_eq!(frame.len(), 14 + 4 + 40 + 20 + 12 + (1 << 20));
//! ```

use etherparse::checksum::Sum16BitWords;

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

/// The protocol number of TCP.
const TCP: u8 = 6;

/// Which IP a [`Synth`] has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants are their names")]
pub enum IpVersion {
    V4,
    V6,
}

/// A large send to be built. Start with [`Synth::v4`] or [`Synth::v6`] and
/// change what matters; all fields may also be set directly.
#[derive(Clone, Debug)]
pub struct Synth {
    /// IPv4 or IPv6.
    pub ip: IpVersion,
    /// Bytes of TCP payload.
    pub payload: u32,
    /// Bytes of TCP payload in each wire packet. Not in the frame: it stands
    /// beside it, as in the OOB of an NBL.
    pub mss: u32,
    /// The 16 bits after each VLAN EtherType: priority, DEI and VLAN id. With
    /// several, all but the innermost are service tags (0x88A8).
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
    /// Chooses the payload's bytes.
    pub seed: u64,
}

impl Synth {
    /// An IPv4 large send: PSH and ACK, timestamps, no VLAN, no IP options.
    pub fn v4(payload: u32, mss: u32) -> Self {
        Self {
            ip: IpVersion::V4,
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

    /// Sets [`Synth::vlan`].
    pub fn vlan(mut self, tags: &[u16]) -> Self {
        self.vlan = tags.to_vec();
        self
    }

    /// Sets [`Synth::ip_options`].
    pub fn ip_options(mut self, options: &[u8]) -> Self {
        self.ip_options = options.to_vec();
        self
    }

    /// Appends one of the [`Synth::extensions`].
    pub fn extension(mut self, protocol: u8, header: &[u8]) -> Self {
        self.extensions.push((protocol, header.to_vec()));
        self
    }

    /// Sets [`Synth::tcp_options`].
    pub fn tcp_options(mut self, options: &[u8]) -> Self {
        self.tcp_options = options.to_vec();
        self
    }

    /// Sets [`Synth::flags`].
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// Sets [`Synth::seq`].
    pub fn seq(mut self, seq: u32) -> Self {
        self.seq = seq;
        self
    }

    /// Sets [`Synth::ip_id`].
    pub fn ip_id(mut self, ip_id: u16) -> Self {
        self.ip_id = ip_id;
        self
    }

    /// Sets [`Synth::traffic_class`].
    pub fn traffic_class(mut self, traffic_class: u8) -> Self {
        self.traffic_class = traffic_class;
        self
    }

    /// Sets [`Synth::flow_label`].
    pub fn flow_label(mut self, flow_label: u32) -> Self {
        self.flow_label = flow_label;
        self
    }

    /// Sets [`Synth::seed`].
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The frame, as a TCP stack hands a large send down.
    ///
    /// The IP length field is 0, as LSOv2 has it; with `lsov1` it is the true
    /// length, if that fits into its 16 bits. The TCP checksum field is the
    /// folded sum of addresses and protocol, without the length and not
    /// complemented. The IPv4 header checksum, which the NIC fills in, is 0.
    ///
    /// # Panics
    ///
    /// If IP or TCP options are longer than 40 bytes, or an extension header
    /// is empty.
    pub fn frame(&self, lsov1: bool) -> Vec<u8> {
        let tcp = [self.tcp_header(), self.payload_bytes()].concat();
        let ip = match self.ip {
            IpVersion::V4 => self.ipv4_header(tcp.len(), lsov1),
            IpVersion::V6 => self.ipv6_header(tcp.len(), lsov1),
        };
        [self.ethernet_header(), ip, tcp].concat()
    }

    /// The payload: pseudo-random bytes of the seed, different at every
    /// place, so that a misplaced or repeated byte shows.
    pub fn payload_bytes(&self) -> Vec<u8> {
        let words = (0..self.payload.div_ceil(8)).map(|i| mix(self.seed ^ (u64::from(i) << 32)));
        let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        bytes.truncate(self.payload as usize);
        bytes
    }

    /// Source and destination address, one after the other; of the ranges
    /// set aside for documentation (RFC 5737, RFC 3849).
    fn addresses(&self) -> Vec<u8> {
        let v6 = |host| {
            [
                0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host,
            ]
        };
        match self.ip {
            IpVersion::V4 => vec![192, 0, 2, 1, 198, 51, 100, 2],
            IpVersion::V6 => [v6(1), v6(2)].concat(),
        }
    }

    fn ethernet_header(&self) -> Vec<u8> {
        // Locally administered addresses.
        let mut header = vec![0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01];
        for (i, tag) in self.vlan.iter().enumerate() {
            let innermost = i + 1 == self.vlan.len();
            header.extend(if innermost {
                [0x81, 0x00]
            } else {
                [0x88, 0xA8]
            });
            header.extend(tag.to_be_bytes());
        }
        header.extend(match self.ip {
            IpVersion::V4 => [0x08, 0x00],
            IpVersion::V6 => [0x86, 0xDD],
        });
        header
    }

    fn ipv4_header(&self, tcp_len: usize, lsov1: bool) -> Vec<u8> {
        let options = padded(&self.ip_options);
        let len = 20 + options.len();
        let mut header = vec![0x40 | (len / 4) as u8, self.traffic_class];
        header.extend(length_field(len + tcp_len, lsov1));
        header.extend(self.ip_id.to_be_bytes());
        // Don't fragment, hops, protocol, checksum.
        header.extend([0x40, 0, 64, TCP, 0, 0]);
        header.extend(self.addresses());
        header.extend(options);
        header
    }

    fn ipv6_header(&self, tcp_len: usize, lsov1: bool) -> Vec<u8> {
        let mut chain = Vec::new();
        // From the innermost out: each header names the one after it.
        let mut next = TCP;
        for (protocol, header) in self.extensions.iter().rev() {
            let mut header = header.clone();
            header[0] = next;
            chain.splice(0..0, header);
            next = *protocol;
        }
        let word = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xF_FFFF;
        let mut header = word.to_be_bytes().to_vec();
        header.extend(length_field(chain.len() + tcp_len, lsov1));
        header.extend([next, 64]);
        header.extend(self.addresses());
        header.extend(chain);
        header
    }

    fn tcp_header(&self) -> Vec<u8> {
        let options = padded(&self.tcp_options);
        let mut header = vec![0xA9, 0x18, 0x15, 0xB3];
        header.extend(self.seq.to_be_bytes());
        header.extend([0x71, 0xEC, 0xBB, 0x91]);
        let offset = ((20 + options.len()) / 4) as u16;
        header.extend((offset << 12 | self.flags & 0xFFF).to_be_bytes());
        header.extend([0x08, 0x00]);
        let sum = Sum16BitWords::new()
            .add_slice(&self.addresses())
            .add_2bytes([0, TCP]);
        // In the machine's byte order: the crate sums the words as they lie.
        header.extend((!sum.ones_complement()).to_ne_bytes());
        header.extend([0, 0]);
        header.extend(options);
        header
    }
}

/// Options with end-of-options (0) up to a multiple of 4 bytes.
fn padded(options: &[u8]) -> Vec<u8> {
    assert!(
        options.len() <= 40,
        "a header holds at most 40 bytes of options"
    );
    let mut options = options.to_vec();
    options.resize(options.len().next_multiple_of(4), 0);
    options
}

fn length_field(len: usize, lsov1: bool) -> [u8; 2] {
    let true_length = if lsov1 { u16::try_from(len).ok() } else { None };
    true_length.unwrap_or(0).to_be_bytes()
}

/// A 64-bit mixing function (the finaliser of MurmurHash3).
fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ x >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    x ^ x >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_literal() {
        let options = [1, 1, 1, 1];
        let send = Synth::v4(2, 1)
            .vlan(&[0x2007])
            .tcp_options(&options[..3])
            .ip_options(&[1]);
        let frame = send.clone().flags(flag::AE | flag::FIN).frame(true);
        let headers = [
            0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x81, 0x00, 0x20, 0x07, 0x08,
            0x00, // Ethernet
            0x46, 0, 0, 50, 0x07, 0x86, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100,
            2, // IPv4
            1, 0, 0, 0, // padded IPv4 options
            0xA9, 0x18, 0x15, 0xB3, 0x12, 0x68, 0xA9, 0x4A, 0x71, 0xEC, 0xBB, 0x91, // TCP
            0x61, 0x01, 0x08, 0x00, 0xEC, 0x3D, 0, 0, 1, 1, 1, 0,
        ];
        assert_eq!(frame, [&headers[..], &send.payload_bytes()].concat());
    }

    #[test]
    fn ipv6_literal() {
        let send = Synth::v6(1, 1)
            .traffic_class(0xAB)
            .flow_label(0xC_DEF0)
            .tcp_options(&[]);
        let send = send
            .extension(0, &[9, 0, 1, 4, 0, 0, 0, 0])
            .extension(60, &[9, 0, 1, 4, 0, 0, 0, 0]);
        let headers = [
            0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x86, 0xDD, // Ethernet
            0x6A, 0xBC, 0xDE, 0xF0, 0, 37, 0, 64, // IPv6
            0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
            0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, //
            60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0,
            0, // hop-by-hop and destination options
            0xA9, 0x18, 0x15, 0xB3, 0x12, 0x68, 0xA9, 0x4A, 0x71, 0xEC, 0xBB, 0x91, // TCP
            0x50, 0x18, 0x08, 0x00, 0x5B, 0x7B, 0, 0,
        ];
        assert_eq!(
            send.frame(true),
            [&headers[..], &send.payload_bytes()].concat()
        );
    }

    #[test]
    fn only_a_length_that_fits_is_written() {
        let length = |payload, lsov1| {
            let frame = Synth::v4(payload, 1448).frame(lsov1);
            u16::from_be_bytes([frame[16], frame[17]])
        };
        assert_eq!(length(65_535 - 52, true), 65_535);
        assert_eq!(length(65_536 - 52, true), 0);
        assert_eq!(length(1000, false), 0);
    }

    #[test]
    fn payload_depends_on_seed_and_place_alone() {
        let bytes = |len, seed| Synth::v4(len, 1448).seed(seed).payload_bytes();
        assert_eq!(bytes(1003, 5), bytes(4096, 5)[..1003]);
        assert_ne!(bytes(64, 5), bytes(64, 6));
        let long = bytes(1 << 20, 5);
        assert_ne!(long[..1448], long[1448..2896]);
        assert_ne!(long[..65_536], long[65_536..131_072]);
    }
}
