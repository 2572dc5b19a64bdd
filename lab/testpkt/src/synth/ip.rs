//! Ethernet and IP headers, inner and outer.

use etherparse::checksum::Sum16BitWords;

use super::IpVersion;

/// The fields that an IP header is written from.
pub(super) struct IpHeader<'a> {
    pub(super) version: IpVersion,
    /// Source and destination, one after the other.
    pub(super) addresses: Vec<u8>,
    /// IPv4 options, padded here.
    pub(super) options: &'a [u8],
    /// IPv6 extension headers: protocol number, and the whole header.
    pub(super) extensions: &'a [(u8, Vec<u8>)],
    pub(super) id: u16,
    pub(super) traffic_class: u8,
    pub(super) flow_label: u32,
}

impl IpHeader<'_> {
    /// The header of a packet with `len` bytes of `protocol` after it. The
    /// length is 0, or, with `stated`, the true one if it fits.
    pub(super) fn bytes(&self, protocol: u8, len: usize, stated: bool) -> Vec<u8> {
        match self.version {
            IpVersion::V4 => self.v4(protocol, len, stated),
            IpVersion::V6 => self.v6(protocol, len, stated),
        }
    }

    /// The folded sum of addresses and protocol, without the length and not complemented, as a
    /// sender leaves it in the checksum field.
    pub(super) fn seed(&self, protocol: u8) -> [u8; 2] {
        let sum = Sum16BitWords::new()
            .add_slice(&self.addresses)
            .add_2bytes([0, protocol]);
        // In the machine's byte order: the crate sums the words as they lie.
        (!sum.ones_complement()).to_ne_bytes()
    }

    fn v4(&self, protocol: u8, len: usize, stated: bool) -> Vec<u8> {
        let options = padded(self.options);
        let header_len = 20 + options.len();
        let mut header = vec![0x40 | (header_len / 4) as u8, self.traffic_class];
        header.extend(length_field(header_len + len, stated));
        header.extend(self.id.to_be_bytes());
        // Don't fragment, hops, protocol, checksum.
        header.extend([0x40, 0, 64, protocol, 0, 0]);
        header.extend(&self.addresses);
        header.extend(options);
        header
    }

    fn v6(&self, protocol: u8, len: usize, stated: bool) -> Vec<u8> {
        let mut chain = Vec::new();
        // From the innermost out: each header names the one after it.
        let mut next = protocol;
        for (protocol, header) in self.extensions.iter().rev() {
            let mut header = header.clone();
            header[0] = next;
            chain.splice(0..0, header);
            next = *protocol;
        }
        let word = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xF_FFFF;
        let mut header = word.to_be_bytes().to_vec();
        header.extend(length_field(chain.len() + len, stated));
        header.extend([next, 64]);
        header.extend(&self.addresses);
        header.extend(chain);
        header
    }
}

/// An Ethernet header between the locally administered addresses that end in
/// `hosts`, source first. All tags but the innermost are service tags.
pub(super) fn ethernet(vlan: &[u16], ip: IpVersion, hosts: [u8; 2]) -> Vec<u8> {
    let [source, to] = hosts;
    let mut header = vec![0x02, 0, 0, 0, 0, to, 0x02, 0, 0, 0, 0, source];
    for (i, tag) in vlan.iter().enumerate() {
        let innermost = i + 1 == vlan.len();
        header.extend(if innermost {
            [0x81, 0x00]
        } else {
            [0x88, 0xA8]
        });
        header.extend(tag.to_be_bytes());
    }
    header.extend(match ip {
        IpVersion::V4 => [0x08, 0x00],
        IpVersion::V6 => [0x86, 0xDD],
    });
    header
}

/// An IPv6 address of the range set aside for documentation (RFC 3849).
pub(super) fn documentation(net: u8, host: u8) -> [u8; 16] {
    [
        0x20, 0x01, 0x0D, 0xB8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, host,
    ]
}

/// Options with end-of-options (0) up to a multiple of 4 bytes.
pub(super) fn padded(options: &[u8]) -> Vec<u8> {
    assert!(
        options.len() <= 40,
        "a header holds at most 40 bytes of options"
    );
    let mut options = options.to_vec();
    options.resize(options.len().next_multiple_of(4), 0);
    options
}

/// A 16-bit length: 0, or, with `stated`, the true one if it fits.
pub(super) fn length_field(len: usize, stated: bool) -> [u8; 2] {
    let true_length = if stated {
        u16::try_from(len).ok()
    } else {
        None
    };
    true_length.unwrap_or(0).to_be_bytes()
}
