//! Other large sends with the payload of a capture: USO, and through a tunnel.

use crate::ingest::LsoVersion;
use lso::{IpVersion, Refusal};

use testpkt::capture::strip_jumbo_hop_by_hop;

use super::{BUFFER, LargeSend, Terms, Unfit, field, ingest};
use reference::{Kind, Layers, ReferenceError, checksum_addresses, cut, layers};
use testpkt::synth::{Encapsulation, Tunnel};

const UDP: u8 = 17;
const IPV4_PROTOCOL: usize = 9;
const IPV6_NEXT_HEADER: usize = 6;
const IPV6_HEADER_LEN: usize = 40;

/// How the large sends of a capture are sent.
#[derive(Clone, Debug)]
pub enum Form {
    /// As they are: TCP.
    Tcp,
    /// By USO: those of UDP as they are, those of TCP with a UDP header of the
    /// same ports in place of their own, and the same MSS.
    Uso,
    /// Through a tunnel: those that are in VXLAN or NVGRE as they are, those of
    /// TCP with this tunnel around them, and the same MSS. A capture's MSS leaves
    /// no room for a tunnel, so that the wire packets are longer than the ones of
    /// the capture.
    Tunnel(Tunnel),
}

impl Form {
    /// A short name: `tcp`, `uso`, `vxlan` or `nvgre`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Uso => "uso",
            Self::Tunnel(tunnel) => match tunnel.encapsulation {
                Encapsulation::Vxlan => "vxlan",
                Encapsulation::Nvgre => "nvgre",
            },
        }
    }
}

/// The large send in this `form` that the packet `frame` with an MSS of `mss`
/// bytes is; as [`ingest`] otherwise. The packet's own IP and UDP lengths are 0
/// then, and those of a tunnel that was captured stay as they are.
pub fn ingest_as(
    frame: &[u8],
    mss: u32,
    terms: Terms,
    form: &Form,
) -> Result<Option<LargeSend>, Unfit> {
    match form {
        Form::Tcp => ingest(frame, mss, terms),
        Form::Uso => {
            let frame = strip_jumbo_hop_by_hop(frame.to_vec());
            match layers(&frame, Kind::Udp) {
                Ok(_) => of_kind(frame, Kind::Udp, mss, terms),
                Err(ReferenceError::NotUdp(_)) => as_uso(&frame, mss, terms),
                Err(ReferenceError::NoPayload) => Ok(None),
                Err(error) => Err(unfit(&error)),
            }
        }
        Form::Tunnel(tunnel) => match layers(frame, Kind::Encapsulated) {
            Ok(found) if !found.udp => of_kind(frame.to_vec(), Kind::Encapsulated, mss, terms),
            Err(ReferenceError::NoPayload) => Ok(None),
            _ => match ingest(frame, mss, terms)? {
                None => Ok(None),
                Some(send) => of_kind(tunnel.around(&send.frame), Kind::Encapsulated, mss, terms),
            },
        },
    }
}

/// The packet `frame` of TCP as a large send of UDP.
fn as_uso(frame: &[u8], mss: u32, terms: Terms) -> Result<Option<LargeSend>, Unfit> {
    let Some(send) = ingest(frame, mss, terms)? else {
        return Ok(None);
    };
    let layers = layers(&send.frame, Kind::Tcp).map_err(|error| unfit(&error))?;
    let mut frame = send.frame;
    let ports_end = layers.transport + 4;
    // Length, and a checksum that only shows that one is wanted.
    frame.splice(ports_end..layers.payload, [0, 0, 0xFF, 0xFF]);
    let at = protocol_at(&frame, layers);
    frame[at] = UDP;
    of_kind(frame, Kind::Udp, mss, terms)
}

/// The offset of the field with the transport protocol: in the IP header, or in the last of IPv6's
/// extension headers.
fn protocol_at(frame: &[u8], layers: Layers) -> usize {
    if !layers.ipv6 {
        return layers.ip + IPV4_PROTOCOL;
    }
    let (mut at, mut header) = (layers.ip + IPV6_NEXT_HEADER, layers.ip + IPV6_HEADER_LEN);
    while header < layers.transport {
        at = header;
        header += (usize::from(frame[header + 1]) + 1) * 8;
    }
    at
}

/// A large send of a kind other than plain TCP, checked and in its shape.
fn of_kind(
    mut frame: Vec<u8>,
    kind: Kind,
    mss: u32,
    terms: Terms,
) -> Result<Option<LargeSend>, Unfit> {
    let layers = layers(&frame, kind).map_err(|error| unfit(&error))?;
    let payload = frame.len() - layers.payload;
    if payload <= mss as usize {
        return Ok(None);
    }
    if mss == 0 {
        return Err(Refusal::MssZero.into());
    }
    if !in_reach(layers) {
        return Err(Refusal::HeaderTooLong.into());
    }
    // Whether the wire can carry a segment, by the first packet.
    let first = &frame[..layers.payload + mss as usize];
    cut(first, kind, mss, 16).map_err(|error| unfit(&error))?;
    let payload = payload as u32;
    if payload.div_ceil(mss) < terms.min_segments {
        return Err(Unfit::TooFewSegments);
    }
    let addresses = checksum_addresses(&frame, kind).map_err(|error| unfit(&error))?;
    bring_to_shape(&mut frame, layers, kind, &addresses);
    Ok(Some(LargeSend {
        frame,
        kind,
        mss,
        payload,
        ip: if layers.ipv6 {
            IpVersion::V6
        } else {
            IpVersion::V4
        },
        lso: LsoVersion::V2,
        vlan: None,
        buffer: BUFFER,
    }))
}

/// Whether the OOB information can hold the header offsets: 8 bits for the inner frame, 10 for the
/// transport header.
fn in_reach(layers: Layers) -> bool {
    let inner = layers.tunnel.map_or(0, |tunnel| tunnel.inner);
    inner < 1 << 8 && layers.transport < 1 << 10
}

/// Writes lengths and the transport checksum as a sender leaves them to a NIC.
/// A UDP checksum of 0 means none, and stays.
fn bring_to_shape(frame: &mut [u8], layers: Layers, kind: Kind, addresses: &[u8]) {
    let (ip, transport) = frame[layers.ip..].split_at_mut(layers.transport - layers.ip);
    let length = match layers.ipv6 {
        true => field::IPV6_PAYLOAD_LENGTH,
        false => field::IPV4_TOTAL_LENGTH,
    };
    ip[length].fill(0);
    if kind == Kind::Udp {
        transport[field::UDP_LENGTH].fill(0);
        if transport[field::UDP_CHECKSUM] != [0, 0] {
            let seed = super::address_sum(addresses, UDP);
            transport[field::UDP_CHECKSUM].copy_from_slice(&seed.to_be_bytes());
        }
    } else {
        let seed = super::address_sum(addresses, super::TCP);
        transport[field::TCP_CHECKSUM].copy_from_slice(&seed.to_be_bytes());
    }
}

/// The reason by which the filter would refuse, or the nearest there is.
pub(super) fn unfit(error: &ReferenceError) -> Unfit {
    use ReferenceError as E;
    let refusal = match error {
        E::ZeroMss => Refusal::MssZero,
        E::Malformed(_) => Refusal::HeaderNotContiguous,
        E::NotIp(0x8100 | 0x88A8 | 0x9100) => Refusal::TooManyVlanTags,
        E::NotIp(_) => Refusal::NotIp,
        E::NotTcp(_) | E::NotUdp(_) | E::NotTunnel(_) | E::NotNvgre(_) | E::NotVxlan(_) => {
            Refusal::NotTcp
        }
        E::Fragment => Refusal::Fragment,
        E::Authenticated => Refusal::Ipsec,
        E::Jumbo => Refusal::Jumbogram,
        E::Flags => Refusal::Urgent,
        E::NoPayload => Refusal::NoPayload,
        E::SegmentTooLong(_) => Refusal::SegmentTooLong,
        E::OtherAddress => return Unfit::UnknownRoute,
        E::IdBits(_) => Refusal::MalformedLargeSend,
    };
    refusal.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testpkt::synth::{Synth, flag};

    fn formed(frame: &[u8], mss: u32, form: &Form) -> Result<Option<LargeSend>, Unfit> {
        ingest_as(frame, mss, Terms::V2, form)
    }

    /// With the lengths and, but for a seed, the checksum of a capture.
    #[test]
    fn udp_is_brought_to_shape() {
        for send in [
            Synth::udp_v4(9000, 1472).vlan(&[5]),
            Synth::udp_v6(9000, 1452).extension(60, &[0, 0, 1, 4, 0, 0, 0, 0]),
            Synth::udp_v4(9000, 1472).udp_checksum(false),
        ] {
            let mut captured = send.frame(true);
            let checksum = captured.len() - 9000 - 2;
            if send.udp_checksum {
                captured[checksum..][..2].fill(0xAB);
            }
            let formed = formed(&captured, send.mss, &Form::Uso).unwrap().unwrap();
            assert_eq!(formed.frame, send.frame(false));
            assert_eq!((formed.kind, formed.payload), (Kind::Udp, 9000));
        }
    }

    #[test]
    fn tcp_becomes_udp() {
        let padding = [0, 0, 1, 4, 0, 0, 0, 0];
        let pairs = [
            (Synth::v4(9000, 1448), Synth::udp_v4(9000, 1448)),
            (Synth::v6(9000, 1428), Synth::udp_v6(9000, 1428)),
            (
                Synth::v6(9000, 1428)
                    .extension(0, &padding)
                    .extension(60, &padding),
                Synth::udp_v6(9000, 1428)
                    .extension(0, &padding)
                    .extension(60, &padding),
            ),
        ];
        for (tcp, udp) in pairs {
            let formed = formed(&tcp.frame(true), tcp.mss, &Form::Uso)
                .unwrap()
                .unwrap();
            assert_eq!(formed.frame, udp.frame(false));
            assert_eq!(formed.headers() + 9000, formed.frame.len() as u32);
        }
    }

    /// As Linux captures it: the option goes, as with TCP.
    #[test]
    fn a_captured_jumbogram_becomes_udp() {
        let length = 9000 + 32 + 8;
        let [.., high, low] = u32::to_be_bytes(length);
        let jumbo = Synth::v6(9000, 1428).extension(0, &[0, 0, 0xC2, 4, 0, 0, high, low]);
        let formed = formed(&jumbo.frame(false), 1428, &Form::Uso)
            .unwrap()
            .unwrap();
        assert_eq!(formed.frame, Synth::udp_v6(9000, 1428).frame(false));
    }

    #[test]
    fn tcp_goes_into_a_tunnel_once() {
        let send = Synth::v6(9000, 1398).vlan(&[5]);
        let tunnel = Tunnel::vxlan_v4();
        let form = Form::Tunnel(tunnel.clone());
        let once = formed(&send.frame(true), send.mss, &form).unwrap().unwrap();
        assert_eq!(once.frame, tunnel.around(&send.frame(false)));
        assert_eq!((once.kind, once.ip), (Kind::Encapsulated, IpVersion::V6));
        let again = formed(&once.frame, send.mss, &form).unwrap();
        assert_eq!(again, Some(once));
    }

    #[test]
    fn what_is_within_the_mss_passes() {
        for (send, form) in [
            (Synth::udp_v4(1472, 1472), Form::Uso),
            (Synth::v4(1448, 1448), Form::Uso),
            (Synth::v4(1448, 1448), Form::Tunnel(Tunnel::nvgre_v4())),
            (Synth::udp_v4(0, 1472), Form::Uso),
            (
                Synth::v6(0, 1398).inside(Tunnel::vxlan_v4()),
                Form::Tunnel(Tunnel::vxlan_v4()),
            ),
        ] {
            assert_eq!(formed(&send.frame(true), send.mss, &form), Ok(None));
        }
    }

    #[test]
    fn refusals() {
        let tunnel = || Form::Tunnel(Tunnel::vxlan_v4());
        let refused =
            |send: Synth, form: &Form| formed(&send.frame(false), send.mss, form).unwrap_err();
        assert_eq!(
            refused(Synth::udp_v4(9000, 0), &Form::Uso),
            Unfit::Refused(Refusal::MssZero)
        );
        assert_eq!(
            refused(Synth::udp_v4(9000, 1472), &tunnel()),
            Unfit::Refused(Refusal::NotTcp)
        );
        let syn = Synth::v4(9000, 1448).flags(flag::SYN);
        assert_eq!(
            refused(syn.clone(), &Form::Uso),
            Unfit::Refused(Refusal::Syn)
        );
        assert_eq!(refused(syn, &tunnel()), Unfit::Refused(Refusal::Syn));
        // Without a tunnel a segment would fit, and one of UDP does.
        let longest = Synth::v4(200_000, 65_535 - 52);
        assert_eq!(
            refused(longest.clone(), &tunnel()),
            Unfit::Refused(Refusal::SegmentTooLong)
        );
        assert!(formed(&longest.frame(false), longest.mss, &Form::Uso).is_ok());
        let padding = [&[0, 24, 1, 196][..], &[0; 196]].concat();
        let far = Tunnel {
            extensions: vec![(60, padding)],
            ..Tunnel::vxlan_v6()
        };
        let send = Synth::v4(9000, 1448);
        assert_eq!(
            refused(send, &Form::Tunnel(far)),
            Unfit::Refused(Refusal::HeaderTooLong)
        );
        let three_tags = Synth::udp_v4(9000, 1472).vlan(&[1, 2, 3]);
        assert_eq!(
            refused(three_tags, &Form::Uso),
            Unfit::Refused(Refusal::TooManyVlanTags)
        );
    }
}
