//! The verdict on one large send.

mod stated;

use stated::misstated;

use model::SentChild;

use crate::ingest::LargeSend;
use crate::machine::{SendError, Sent};
use reference::ReferenceError;

/// The verdict on a large send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The wire carries the packets of a single stage.
    Same {
        /// Whether the NIC was given the large send as it came.
        untouched: bool,
    },
    /// It was not sent.
    NotSent(SendError),
    /// Something is wrong, in one line each.
    Wrong(Vec<String>),
}

impl Verdict {
    /// Whether nothing is wrong. A refusal is not.
    pub fn is_good(&self) -> bool {
        match self {
            Self::Same { .. } => true,
            Self::NotSent(why) => why.is_refusal(),
            Self::Wrong(_) => false,
        }
    }
}

/// Judges the outcome of `send`, with IPv4 identifications of `ip_id_bits`. A VLAN tag that was
/// beside it is on the wire in each packet.
#[must_use]
pub fn judge(send: &LargeSend, sent: &Sent, ip_id_bits: u32) -> Verdict {
    let mut wrong: Vec<_> = sent.broken.iter().map(ToString::to_string).collect();
    wrong.extend(
        sent.children
            .iter()
            .find_map(|child| malformed(send, child).or_else(|| misstated(send, &child.frame))),
    );
    match sent.error {
        Some(_) if sent.children.is_empty() && sent.wire.is_empty() => {}
        Some(why) => wrong.push(format!(
            "it failed ({}), yet the NIC was given {} children of it",
            why.name(),
            sent.children.len()
        )),
        None => wrong.extend(difference(
            &sent.wire,
            reference::packets(&send.whole_frame(), send.kind, send.mss, ip_id_bits),
        )),
    }
    if !wrong.is_empty() {
        return Verdict::Wrong(wrong);
    }
    match sent.error {
        Some(why) => Verdict::NotSent(why),
        None => Verdict::Same {
            untouched: sent.children.iter().all(|child| !child.is_child),
        },
    }
}

/// The fault in the form of a child of `send`, if any: a child that makes one packet on the wire
/// must be sent as a packet, any other as a large send.
fn malformed(send: &LargeSend, child: &SentChild) -> Option<String> {
    let is_packet = child.payload <= send.mss as usize;
    let wrong = child.is_child && child.is_packet() != is_packet;
    wrong.then(|| {
        let form = if is_packet {
            "a large send"
        } else {
            "a packet"
        };
        format!(
            "the NIC was given {} bytes of payload as {form} of MSS {}",
            child.payload, send.mss
        )
    })
}

/// The first difference between the wire and the expected packets. A large send without expected
/// packets fails too.
fn difference(
    wire: &[Vec<u8>],
    expected: Result<impl ExactSizeIterator<Item = Vec<u8>>, ReferenceError>,
) -> Option<String> {
    let expected = match expected {
        Ok(expected) => expected,
        Err(why) => {
            return Some(format!(
                "it was sent, and the reference cannot judge the wire: {why}"
            ));
        }
    };
    if wire.len() != expected.len() {
        return Some(format!(
            "{} wire packets, a single stage makes {}",
            wire.len(),
            expected.len()
        ));
    }
    let mut pairs = wire.iter().zip(expected).enumerate();
    let (number, (found, right)) = pairs.find(|(_, (found, right))| **found != *right)?;
    let at = found.iter().zip(&right).position(|(a, b)| a != b);
    let at = at.unwrap_or(found.len().min(right.len()));
    Some(format!(
        "wire packet {} of {} differs from that of a single stage, first at byte {at}",
        number + 1,
        wire.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Driver;
    use crate::machine::{Machine, Setup};
    use testpkt::synth::Synth;

    /// With Linux's seed, which holds the length, no checksum on the wire is
    /// right: the reference finds it, because it believes no seed.
    #[test]
    fn a_wrong_seed_is_wrong() {
        let setup = Setup::new(62_780, 2);
        let mut send = LargeSend::of(&Synth::v4(200_000, 1448));
        let mut machine = Machine::start(&Driver::Native, setup).unwrap();
        let sent = machine.send(&send);
        assert_eq!(judge(&send, &sent, 16), Verdict::Same { untouched: false });
        send.frame[51] ^= 1;
        let sent = machine.send(&send);
        let line = "wire packet 1 of 139 differs from that of a single stage, first at byte 51";
        assert_eq!(
            judge(&send, &sent, 16),
            Verdict::Wrong(vec![line.to_owned()])
        );
    }

    /// By a NIC without large sends; then one that would take it all, had the filter not cut it.
    #[test]
    fn packets_and_large_sends_are_distinguished() {
        let setup = Setup {
            nic_lso: false,
            ..Setup::new(62_780, 2)
        };
        let send = LargeSend::of(&Synth::v6(9000, 1428));
        let mut machine = Machine::start(&Driver::Native, setup).unwrap();
        let mut sent = machine.send(&send);
        assert_eq!(judge(&send, &sent, 16), Verdict::Same { untouched: false });
        assert!(sent.children.len() == 7 && sent.children.iter().all(SentChild::is_packet));
        sent.children[6].slots.large_send = ndis::LargeSendInfo::v2(1428, 54, true);
        let line = "the NIC was given 432 bytes of payload as a large send of MSS 1428";
        let wrong = |line: &str| Verdict::Wrong(vec![line.to_owned()]);
        assert_eq!(judge(&send, &sent, 16), wrong(line));
        sent.children[6].slots.large_send = ndis::LargeSendInfo::default();
        sent.children[0].payload = 1429;
        let line = "the NIC was given 1429 bytes of payload as a packet of MSS 1428";
        assert_eq!(judge(&send, &sent, 16), wrong(line));
    }

    #[test]
    fn differences_are_described() {
        let wire = vec![vec![1, 2, 3], vec![4, 5]];
        let found = |expected: Result<Vec<Vec<u8>>, ReferenceError>| {
            difference(&wire, expected.map(Vec::into_iter)).unwrap_or_default()
        };
        assert_eq!(found(Ok(wire.clone())), "");
        assert!(found(Ok(vec![])).starts_with("2 wire packets, a single stage makes 0"));
        let byte = vec![vec![1, 2, 3], vec![4, 6]];
        assert!(found(Ok(byte)).starts_with("wire packet 2 of 2 differs"));
        assert!(found(Ok(vec![vec![1, 2], vec![4, 5]])).ends_with("first at byte 2"));
        assert!(found(Err(ReferenceError::Jumbo)).contains("cannot judge"));
    }
}
