//! The lengths that a child of a large send states.
//!
//! NICs ignore them or rely on them, so the wire of the model does not show
//! them.

use crate::ingest::LsoVersion;

use crate::ingest::LargeSend;
use reference::{Kind, Layers, layers};

/// A length field in a frame.
struct Field {
    name: &'static str,
    /// Its offset.
    at: usize,
    /// The true length, even if the field cannot hold it.
    length: usize,
    /// Whether it belongs to the segmented packet, rather than to a tunnel around it.
    inner: bool,
}

/// The fault in the lengths that `frame` states, as the NIC got it for `send`, if any.
///
/// A packet that makes no more than one on the wire states the true length. So does a large send of
/// LSOv1; one of LSOv2 states 0. USO and the outer headers of a tunnel keep a 0 of their parent;
/// otherwise they state the true length, or 0 where it does not fit.
pub(super) fn misstated(send: &LargeSend, frame: &[u8]) -> Option<String> {
    let layers = layers(frame, send.kind).ok()?;
    let large = frame.len() - layers.payload > send.mss as usize;
    let read = |frame: &[u8], at| {
        let bytes: Option<&[u8; 2]> = frame.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map(|bytes| usize::from(u16::from_be_bytes(*bytes)))
    };
    fields(send.kind, layers, frame.len())
        .into_iter()
        .find_map(|field| {
            let stated = read(frame, field.at)?;
            let fitting = u16::try_from(field.length).map_or(0, usize::from);
            let of_parent = read(&send.frame, field.at)?;
            let right = match (send.kind, send.lso) {
                _ if !large => field.length,
                (Kind::Tcp, LsoVersion::V1) => field.length,
                (Kind::Tcp, LsoVersion::V2) => 0,
                (Kind::Encapsulated, _) if field.inner => 0,
                _ if of_parent == 0 => 0,
                _ => fitting,
            };
            let what = if large { "a large send" } else { "a packet" };
            let name = field.name;
            (stated != right).then(|| {
                format!(
                    "the NIC was given {what} that states {stated} bytes of {name}, not {right}"
                )
            })
        })
}

/// The length fields of a frame of `end` bytes.
fn fields(kind: Kind, layers: Layers, end: usize) -> Vec<Field> {
    let ip = |name, at, ipv6, inner| match ipv6 {
        false => Field {
            name,
            at: at + 2,
            length: end - at,
            inner,
        },
        true => Field {
            name,
            at: at + 4,
            length: end - at - 40,
            inner,
        },
    };
    let udp = |name, at, inner| Field {
        name,
        at: at + 4,
        length: end - at,
        inner,
    };
    let mut fields = vec![ip("IP", layers.ip, layers.ipv6, true)];
    if kind == Kind::Udp {
        fields.push(udp("UDP", layers.transport, true));
    }
    if let Some(tunnel) = layers.tunnel {
        fields.push(ip("outer IP", tunnel.ip, tunnel.ipv6, false));
        fields.extend(tunnel.udp.map(|at| udp("outer UDP", at, false)));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Form, Terms, ingest_as};
    use testpkt::synth::{Synth, Tunnel};

    fn parent(send: &Synth, lso: LsoVersion, form: &Form) -> LargeSend {
        let terms = Terms {
            lso,
            min_segments: 2,
        };
        let send = ingest_as(&send.frame(false), send.mss, terms, form);
        send.unwrap().unwrap()
    }

    #[test]
    fn of_tcp() {
        let found = |synth: Synth, frame: &[u8], lso| {
            misstated(&parent(&synth, lso, &Form::Tcp), frame).unwrap_or_default()
        };
        let (v1, v2) = (LsoVersion::V1, LsoVersion::V2);
        let v4 = || Synth::v4(9000, 1448).vlan(&[7]);
        let v6 = || Synth::v6(9000, 1428);
        assert_eq!(found(v4(), &v4().frame(true), v1), "");
        assert_eq!(found(v4(), &v4().frame(false), v2), "");
        assert_eq!(found(v6(), &v6().frame(false), v2), "");
        let expected = "the NIC was given a large send that states 0 bytes of IP, not 9052";
        assert_eq!(found(v4(), &v4().frame(false), v1), expected);
        let message = found(v4(), &v4().frame(true), v2);
        assert!(message.ends_with("states 9052 bytes of IP, not 0"));
        let message = found(v6(), &v6().frame(true), v2);
        assert!(message.ends_with("states 9032 bytes of IP, not 0"));
    }

    /// A child within the MSS is no large send, and states its length.
    #[test]
    fn of_a_single_packet() {
        let v6 = parent(&Synth::v6(9000, 1428), LsoVersion::V2, &Form::Tcp);
        let part = Synth::v6(1428, 1428);
        assert_eq!(misstated(&v6, &part.frame(true)), None);
        let expected = "the NIC was given a packet that states 0 bytes of IP, not 1460";
        assert_eq!(misstated(&v6, &part.frame(false)).unwrap(), expected);
    }

    #[test]
    fn of_uso() {
        let mut send = parent(&Synth::udp_v4(9000, 1472), LsoVersion::V2, &Form::Uso);
        let part = Synth::udp_v4(5888, 1472);
        assert_eq!(misstated(&send, &part.frame(false)), None);
        let message = misstated(&send, &part.frame(true)).unwrap();
        assert!(message.ends_with("states 5916 bytes of IP, not 0"));
        // A sender that states its lengths.
        send.frame = Synth::udp_v4(9000, 1472).frame(true);
        assert_eq!(misstated(&send, &part.frame(true)), None);
        let mut half = part.frame(true);
        half[38..40].fill(0);
        let message = misstated(&send, &half).unwrap();
        assert!(message.ends_with("states 0 bytes of UDP, not 5896"));
    }

    #[test]
    fn of_a_tunnel() {
        let tunnel = |stated| Tunnel {
            stated,
            ..Tunnel::vxlan_v4()
        };
        let send = |stated| {
            let form = Form::Tunnel(tunnel(stated));
            parent(&Synth::v4(90_000, 1398), LsoVersion::V2, &form)
        };
        let part = |payload, stated| {
            let inner = Synth::v4(payload, 1398).frame(false);
            tunnel(stated).around(&inner)
        };
        assert_eq!(misstated(&send(false), &part(5592, false)), None);
        // 90,000 bytes cannot be stated by the large send itself: a 0 is kept.
        assert_eq!(misstated(&send(true), &part(5592, false)), None);
        let mut parent = send(true);
        parent.frame[16..18].copy_from_slice(&[1, 1]);
        let message = misstated(&parent, &part(5592, false)).unwrap();
        assert!(message.ends_with("states 0 bytes of outer IP, not 5694"));
        assert_eq!(misstated(&parent, &part(70_000, false)), None);
    }
}
