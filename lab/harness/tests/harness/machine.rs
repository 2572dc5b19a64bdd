//! Large sends of every shape through the filter, for NICs of every kind: no rule is broken, and
//! the wire is the reference's.

use harness::driver::Driver;
use harness::ingest::{Form, LargeSend, LsoVersion, Terms, ingest_as};
use harness::judge::{Verdict, judge};
use harness::machine::{Machine, Setup};
use proptest::prelude::*;
use testpkt::synth::{IpVersion, Synth, Tunnel};

use crate::strategy;

prop_compose! {
    fn setup()(
        nic_max in prop_oneof![0u32..200_000, Just(62_780u32)],
        min_segments in 0u32..10,
        (nic_lso, nic_checksum) in any::<(bool, bool)>(),
        max_sg_elements in prop::option::of(4u32..=64),
    ) -> Setup {
        Setup {
            nic_lso,
            nic_checksum,
            // Any MSS fits: other tests cover refusals.
            mtu: 65_535,
            max_sg_elements,
            ..Setup::new(nic_max, min_segments)
        }
    }
}

fn form() -> impl Strategy<Value = (Synth, Form)> {
    let udp = strategy::udp().prop_map(|synth| (synth, Form::Uso));
    let tcp = strategy::tcp().prop_map(|synth| (synth, Form::Tcp));
    let tunnel = |(synth, tunnel): (Synth, Tunnel)| (synth, Form::Tunnel(tunnel));
    prop_oneof![tcp, udp, strategy::encapsulated().prop_map(tunnel)]
}

/// The large send; `None` for one within the MSS, or of fewer segments than advertised. By LSOv1
/// where that is asked for and possible.
fn large_send(synth: &Synth, form: &Form, min_segments: u32, v1: bool) -> Option<LargeSend> {
    let can = matches!(form, Form::Tcp) && synth.ip == IpVersion::V4 && synth.payload < 65_000;
    let terms = Terms {
        lso: if v1 && can {
            LsoVersion::V1
        } else {
            LsoVersion::V2
        },
        min_segments,
    };
    let frame = synth.frame(false);
    ingest_as(&frame, synth.mss, terms, form).ok().flatten()
}

/// The NIC was asked for checksums of datagrams that are to have none.
#[test]
fn datagrams_without_checksum_ask_for_none() {
    let setup = Setup {
        nic_lso: false,
        ..Setup::new(62_780, 2)
    };
    for synth in [Synth::udp_v4(2097, 536), Synth::udp_v6(2097, 536)] {
        let send = large_send(&synth.udp_checksum(false), &Form::Uso, 2, false).unwrap();
        let mut machine = Machine::start(&Driver::Native, setup).unwrap();
        let sent = machine.send(&send);
        assert_eq!(judge(&send, &sent, 16), Verdict::Same { untouched: false });
        let asked = sent.children.iter().map(|child| child.slots.checksum);
        assert!(
            asked
                .into_iter()
                .all(|slot| slot == model::ChecksumSlot::default())
        );
        assert_eq!(machine.stop(), []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_wire_is_right(
        setup in setup(),
        (synth, form) in form(),
        buffer in prop_oneof![100u32..2000, 2000u32..100_000],
        (v1, tag_beside) in any::<(bool, bool)>(),
    ) {
        let Some(send) = large_send(&synth, &form, setup.min_segments, v1) else {
            return Ok(());
        };
        let send = LargeSend { buffer, ..send };
        let send = if tag_beside { send.with_tag_beside() } else { send };
        let mut machine = Machine::start(&Driver::Native, setup).unwrap();
        let sent = machine.send(&send);
        let verdict = judge(&send, &sent, setup.ip_id_bits);
        let same = matches!(verdict, Verdict::Same { .. });
        // Only 256 bytes of headers are asked of the filter.
        let too_long = send.headers() > 256;
        prop_assert!(same || too_long && verdict.is_good(), "{verdict:?}");
        prop_assert_eq!(machine.stop(), []);
    }
}
