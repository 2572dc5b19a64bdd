//! The machine survives any packet, and sends it correctly or refuses it.

use harness::driver::Driver;
use harness::ingest::LsoVersion;
use harness::ingest::{Terms, ingest};
use harness::judge::{Verdict, judge};
use harness::machine::{Machine, Setup};
use proptest::prelude::*;
use testpkt::synth::Synth;

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let synth = (
        any::<bool>(),
        1u32..150_000,
        prop::collection::vec(any::<u16>(), 0..3),
    );
    let synth = synth.prop_map(|(v4, payload, vlan)| {
        let synth = if v4 {
            Synth::v4(payload, 0).ip_options(&[1, 1, 1])
        } else {
            Synth::v6(payload, 0).extension(60, &[0, 0, 1, 4, 0, 0, 0, 0])
        };
        synth.vlan(&vlan).frame(false)
    });
    let damage = prop::collection::vec((12usize..110, any::<u8>()), 0..4);
    (synth, damage).prop_map(|(mut frame, damage)| {
        for (at, value) in damage {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damaged_packets_are_right_or_refused(
        frames in prop::collection::vec((frame(), 0u32..10_000), 1..4),
        nic_max in 0u32..65_000,
        v1 in any::<bool>(),
    ) {
        let setup = Setup::new(nic_max, 2);
        let lso = if v1 { LsoVersion::V1 } else { LsoVersion::V2 };
        let terms = Terms { lso, min_segments: 2 };
        let mut machine = Machine::start(&Driver::Native, setup).unwrap();
        for (frame, mss) in frames {
            if let Ok(Some(send)) = ingest(&frame, mss, terms) {
                let sent = machine.send(&send);
                match judge(&send, &sent, 16) {
                    Verdict::Same { .. } => {}
                    Verdict::NotSent(why) => prop_assert!(why.is_refusal(), "{why}"),
                    Verdict::Wrong(lines) => {
                        // A route that damage has made: only the reference minds.
                        let unjudged = lines.iter().all(|line| line.contains("source route"));
                        prop_assert!(unjudged, "{lines:?}");
                    }
                }
            }
        }
        let broken = machine.stop();
        prop_assert!(broken.is_empty(), "{broken:?}");
    }
}
