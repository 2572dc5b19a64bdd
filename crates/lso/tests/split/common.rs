//! Frames of TCP packets that may be large sends, with all that varies in them.

use lso::IpVersion;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

/// A frame header, and where its parts are.
#[derive(Clone, Debug)]
pub struct Frame {
    pub bytes: Vec<u8>,
    pub version: IpVersion,
    pub ip: usize,
    pub tcp: usize,
}

/// `cases` of a property. A case that fails is written down by hand, as a named
/// test with its literal bytes, so nothing is kept in files.
pub fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

pub fn frame() -> impl Strategy<Value = Frame> {
    (ethernet(), prop_oneof![ipv4(), ipv6()], tcp()).prop_map(|(mut bytes, network, tcp)| {
        let version = network.version;
        bytes.extend(network.ether_type.to_be_bytes());
        let ip = bytes.len();
        bytes.extend(network.bytes);
        let tcp_offset = bytes.len();
        bytes.extend(tcp);
        Frame {
            bytes,
            version,
            ip,
            tcp: tcp_offset,
        }
    })
}

/// Addresses and up to two tags, without the last type.
fn ethernet() -> impl Strategy<Value = Vec<u8>> {
    let tag = (select(vec![0x8100_u16, 0x88A8, 0x9100]), any::<[u8; 2]>());
    (any::<[u8; 12]>(), vec(tag, 0..=2)).prop_map(|(addresses, tags)| {
        let mut bytes = addresses.to_vec();
        for (tpid, control) in tags {
            bytes.extend(tpid.to_be_bytes());
            bytes.extend(control);
        }
        bytes
    })
}

#[derive(Clone, Debug)]
struct Network {
    version: IpVersion,
    ether_type: u16,
    bytes: Vec<u8>,
}

fn ipv4() -> BoxedStrategy<Network> {
    (any::<[u8; 20]>(), 0..=10_usize, any::<[u8; 40]>())
        .prop_map(|(mut header, words, options)| {
            header[0] = 0x45 + words as u8;
            header[6] &= 0xC0; // not a fragment
            header[7] = 0;
            header[9] = 6;
            let mut bytes = header.to_vec();
            bytes.extend(&options[..4 * words]);
            Network {
                version: IpVersion::V4,
                ether_type: 0x0800,
                bytes,
            }
        })
        .boxed()
}

fn ipv6() -> BoxedStrategy<Network> {
    let extension = (select(vec![43_u8, 60]), 0..=2_u8);
    (any::<[u8; 40]>(), any::<bool>(), vec(extension, 0..=3))
        .prop_map(|(mut bytes, hop_by_hop, mut extensions)| {
            if hop_by_hop {
                extensions.insert(0, (0, 0));
            }
            bytes[0] = 0x60 | bytes[0] & 0x0F;
            let mut bytes = bytes.to_vec();
            let mut next_header = 6;
            for &(kind, units) in extensions.iter() {
                let at = bytes.len();
                bytes.resize(at + 8 + 8 * usize::from(units), 0);
                bytes[next_header] = kind;
                bytes[at + 1] = units;
                next_header = at;
            }
            bytes[next_header] = 6;
            Network {
                version: IpVersion::V6,
                ether_type: 0x86DD,
                bytes,
            }
        })
        .boxed()
}

fn tcp() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 20]>(), 0..=10_usize, any::<[u8; 40]>()).prop_map(|(header, words, options)| {
        let mut bytes = header.to_vec();
        bytes.extend(&options[..4 * words]);
        bytes[12] = (0x50 + 0x10 * words as u8) | bytes[12] & 0x0F;
        bytes[13] &= !0x26; // neither URG, RST nor SYN
        bytes
    })
}
