//! The MSS of captured packets that have none beside them.
//!
//! A connection's MSS is the lesser of those in the options of its two SYN, less the options of the
//! packet itself (RFC 9293, section 3.7.1; RFC 6691). Where the SYN were not captured, the longest
//! payload seen within the MTU replaces it.

use std::collections::HashMap;

use etherparse::{TcpHeaderSlice, TcpOptionElement};
use lso::{Headers, IpVersion};
use model::tunnel;

use super::frame::Captured;

/// Most connections that are remembered, which bounds the memory.
const MOST: usize = 1 << 17;

/// The least MSS that is taken from a longest segment: all hosts accept it (RFC 9293).
const LEAST: u32 = 536;
const IPV4_LEN: u32 = 20;
const IPV6_LEN: u32 = 40;
const TCP_LEN: u32 = 20;

/// A direction of a connection: the addresses, and the ports.
type Flow = (Vec<u8>, Vec<u8>, [u8; 2], [u8; 2]);

/// Whether a packet's MSS is known for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mss {
    /// From the options of the connection's SYN.
    OfSyn(u32),
    /// From the longest segment seen.
    OfLongest(u32),
}

#[derive(Default)]
struct Seen {
    /// The MSS that the sender's SYN states.
    stated: Option<u32>,
    /// The longest payload within the MTU.
    longest: u32,
}

/// The MSS of the connections of a capture.
pub(super) struct Connections {
    mtu: u32,
    /// Whether TCP in a tunnel is looked at as well.
    in_tunnels: bool,
    flows: HashMap<Flow, Seen>,
    /// The longest payloads of all, by IP version and length of the headers.
    longest: HashMap<(bool, u32), u32>,
}

impl Connections {
    /// For segments of up to `mtu` bytes of IP.
    pub(super) fn new(mtu: u32, in_tunnels: bool) -> Self {
        Self {
            mtu,
            in_tunnels,
            flows: HashMap::new(),
            longest: HashMap::new(),
        }
    }

    /// Looks at a packet.
    pub(super) fn see(&mut self, captured: &Captured) {
        let Some(tcp) = Tcp::of(&captured.bytes, self.in_tunnels) else {
            return;
        };
        if self.flows.len() >= MOST && !self.flows.contains_key(&tcp.flow) {
            return;
        }
        let within = tcp.ip_length <= self.mtu;
        if within {
            let longest = self.longest.entry(tcp.shape).or_default();
            *longest = tcp.payload.max(*longest);
        }
        let seen = self.flows.entry(tcp.flow).or_default();
        seen.stated = tcp.stated.or(seen.stated);
        if within {
            seen.longest = tcp.payload.max(seen.longest);
        }
    }

    /// The MSS of a packet of TCP, in bytes of payload; `None` where it is unknown.
    pub(super) fn mss(&self, captured: &Captured) -> Option<Mss> {
        let tcp = Tcp::of(&captured.bytes, self.in_tunnels)?;
        let (source, destination, from, to) = tcp.flow.clone();
        let stated = |flow| self.flows.get(flow).and_then(|seen: &Seen| seen.stated);
        let both = [stated(&tcp.flow), stated(&(destination, source, to, from))];
        if let Some(least) = both.into_iter().flatten().min() {
            let mss = least.checked_sub(tcp.options).filter(|mss| *mss > 0);
            return mss.map(Mss::OfSyn);
        }
        let own = self.flows.get(&tcp.flow).map_or(0, |seen| seen.longest);
        let all = self.longest.get(&tcp.shape).copied().unwrap_or(0);
        let longest = [own, all].into_iter().find(|longest| *longest >= LEAST);
        longest.map(Mss::OfLongest)
    }
}

/// The fields of a TCP packet that matter.
struct Tcp {
    flow: Flow,
    shape: (bool, u32),
    /// The MSS that a SYN states.
    stated: Option<u32>,
    /// Bytes of payload.
    payload: u32,
    /// Bytes of options and extension headers, of IP and TCP.
    options: u32,
    ip_length: u32,
}

impl Tcp {
    fn of(frame: &[u8], in_tunnels: bool) -> Option<Self> {
        if let Ok(headers) = Headers::parse(frame) {
            return Self::read(frame, &headers);
        }
        let tunnel = tunnel(frame).filter(|_| in_tunnels)?;
        let inner = frame.get(tunnel.inner_frame..)?;
        let tcp = Self::read(inner, &Headers::parse(inner).ok()?)?;
        // The MTU is that of the packet around it.
        let ip_length = (frame.len() - tunnel.ip) as u32;
        Some(Self { ip_length, ..tcp })
    }

    fn read(frame: &[u8], headers: &Headers) -> Option<Self> {
        let (ip, transport) = (
            headers.ip_offset() as usize,
            headers.transport_offset() as usize,
        );
        let ipv6 = headers.ip_version() == IpVersion::V6;
        let (addresses, fixed) = match ipv6 {
            true => (ip + 8..ip + 40, IPV6_LEN),
            false => (ip + 12..ip + 20, IPV4_LEN),
        };
        let (source, destination) = frame.get(addresses.clone())?.split_at(addresses.len() / 2);
        let tcp = TcpHeaderSlice::from_slice(frame.get(transport..)?).ok()?;
        let stated = tcp.options_iterator().find_map(|option| match option {
            Ok(TcpOptionElement::MaximumSegmentSize(mss)) if mss > 0 => Some(u32::from(mss)),
            _ => None,
        });
        let length = headers.length() - headers.ip_offset();
        Some(Self {
            flow: (
                source.to_vec(),
                destination.to_vec(),
                tcp.source_port().to_be_bytes(),
                tcp.destination_port().to_be_bytes(),
            ),
            shape: (ipv6, length),
            stated: stated.filter(|_| tcp.syn()),
            payload: (frame.len() as u32).checked_sub(headers.length())?,
            options: length - fixed - TCP_LEN,
            ip_length: frame.len() as u32 - headers.ip_offset(),
        })
    }
}
