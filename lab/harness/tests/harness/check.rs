//! One wire packet, looked at by a strict parser.

use etherparse::{Ipv6ExtensionSlice, NetSlice, SlicedPacket, TcpSlice, UdpSlice};

/// RFC 1071, the slow way: whether the words of `bytes`, checksum field
/// included, add up to all ones.
fn sums_to_ones(bytes: &[u8]) -> bool {
    let words = bytes
        .chunks(2)
        .map(|w| u64::from(w[0]) << 8 | u64::from(*w.get(1).unwrap_or(&0)));
    let mut sum: u64 = words.sum();
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    sum == 0xFFFF
}

/// The value of the first option of one of these types; those of `single` are one byte long. The
/// length of an IPv4 option counts its type and itself, which the caller of `single` 0 and 1 means.
fn find<'a>(options: &'a [u8], types: &[u8], single: &[u8]) -> Option<&'a [u8]> {
    let counts_itself = single.contains(&1);
    let mut at = 0;
    while at + 1 < options.len() {
        if single.contains(&options[at]) {
            // An IPv4 list ends with 0.
            if counts_itself && options[at] == 0 {
                return None;
            }
            at += 1;
            continue;
        }
        let length = usize::from(options[at + 1]);
        let end = at + length + if counts_itself { 0 } else { 2 };
        if end < at + 2 {
            return None;
        }
        if types.contains(&options[at]) {
            return options.get(at + 2..end);
        }
        at = end;
    }
    None
}

/// The IP packet in a frame.
pub struct Ip<'a> {
    /// The IPv4 identification.
    pub id: Option<u16>,
    pub protocol: u8,
    /// Source and final destination, one after the other.
    addresses: Vec<u8>,
    /// The bytes after the IP headers.
    pub rest: &'a [u8],
}

/// Checks length and checksum of the IP header in `frame`.
pub fn ip(frame: &[u8]) -> Ip<'_> {
    // The strict parser fails on IP lengths beyond the frame; that what it
    // finds ends with the frame shows that they are not short either.
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let net = sliced.net.expect("IP");
    let payload = net.ip_payload_ref().unwrap();
    assert_eq!(payload.payload.as_ptr_range().end, frame.as_ptr_range().end);
    let (id, addresses) = match &net {
        NetSlice::Arp(_) => panic!("no IP"),
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            // Over the bytes: as a value, the header would be without its reserved bit.
            assert!(sums_to_ones(header.slice()));
            let route = find(header.options(), &[131, 137], &[0, 1]);
            // The pointer to the next hop counts from 1; behind the option there is none.
            let last = route.filter(|route| route[0] <= route.len() as u8 + 2);
            let to = last.and_then(|route| route[1..].last_chunk().copied());
            let addresses = [header.source(), to.unwrap_or(header.destination())].concat();
            (Some(header.identification()), addresses)
        }
        NetSlice::Ipv6(ip) => {
            let mut addresses = [ip.header().source(), ip.header().destination()];
            for extension in ip.extensions().clone() {
                match extension {
                    // Type, segments left, 4 bytes, and the route.
                    Ipv6ExtensionSlice::Routing(routing) if routing.payload()[1] > 0 => {
                        let hops: Vec<_> = routing.payload()[6..].chunks_exact(16).collect();
                        let of_type_0 = routing.payload()[0] == 0;
                        let last = if of_type_0 { hops.len() - 1 } else { 0 };
                        addresses[1] = hops[last].try_into().unwrap();
                    }
                    Ipv6ExtensionSlice::DestinationOptions(options) => {
                        if let Some(home) = find(options.payload(), &[0xC9], &[0]) {
                            addresses[0] = home[..16].try_into().unwrap();
                        }
                    }
                    _ => {}
                }
            }
            (None, addresses.concat())
        }
    };
    Ip {
        id,
        protocol: payload.ip_number.0,
        addresses,
        rest: payload.payload,
    }
}

impl Ip<'_> {
    /// Whether the transport checksum holds.
    fn sum_holds(&self) -> bool {
        let len = (self.rest.len() as u32).to_be_bytes();
        sums_to_ones(&[&self.addresses, &[0, self.protocol][..], &len, self.rest].concat())
    }
}

/// Checks the TCP packet in `frame`, and gives it.
pub fn tcp(frame: &[u8]) -> (Option<u16>, TcpSlice<'_>) {
    let ip = ip(frame);
    assert!(ip.protocol == 6 && ip.sum_holds());
    let tcp = TcpSlice::from_slice(ip.rest).unwrap();
    let sum = match *ip.addresses {
        [a, b, c, d, e, f, g, h] => tcp.calc_checksum_ipv4([a, b, c, d], [e, f, g, h]),
        ref both => {
            let (source, to) = both.split_at(16);
            tcp.calc_checksum_ipv6(source.try_into().unwrap(), to.try_into().unwrap())
        }
    };
    assert_eq!(tcp.checksum(), sum.unwrap());
    (ip.id, tcp)
}

/// Checks the UDP packet in `frame`, which has a checksum or not, and gives it.
pub fn udp(frame: &[u8], summed: bool) -> (Option<u16>, UdpSlice<'_>) {
    let ip = ip(frame);
    assert_eq!(ip.protocol, 17);
    let udp = UdpSlice::from_slice(ip.rest).unwrap();
    assert_eq!(usize::from(udp.length()), ip.rest.len());
    match summed {
        true => assert!(udp.checksum() != 0 && ip.sum_holds()),
        false => assert_eq!(udp.checksum(), 0),
    }
    (ip.id, udp)
}
