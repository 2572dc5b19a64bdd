//! Beside the NIC of the model, which shares nothing with the reference and finishes checksums from
//! the seed: UDP and tunnels. Both read the same slots out of the same frame, too.

use harness::ingest::{Form, LargeSend, Terms, ingest_as};
use model::Packet;
use proptest::prelude::*;
use reference::{Kind, cut};
use testpkt::synth::Synth;

use crate::strategy;

/// The large send that the lab makes of a frame; `None` for what it does not send.
fn large_send(frame: &[u8], synth: &Synth, form: &Form) -> Option<LargeSend> {
    ingest_as(frame, synth.mss, Terms::V2, form).ok().flatten()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn uso(synth in strategy::udp(), stated in any::<bool>(), bits in 15u32..=16) {
        let frame = synth.frame(stated);
        let packet = Packet::udp_large_send(frame.clone(), synth.mss);
        let wire = cut(&frame, Kind::Udp, synth.mss, bits).unwrap();
        prop_assert!(Ok(wire) == model::one_stage(&frame, &packet.slots(), bits));
        if let Some(send) = large_send(&frame, &synth, &Form::Uso) {
            prop_assert_eq!(send.slots(), packet.oob);
        }
    }

    #[test]
    fn tunnels((synth, tunnel) in strategy::encapsulated(), bits in 15u32..=16) {
        let frame = tunnel.around(&synth.frame(false));
        let packet = Packet::encapsulated(frame.clone(), synth.mss);
        let wire = cut(&frame, Kind::Encapsulated, synth.mss, bits).unwrap();
        prop_assert!(Ok(wire) == model::one_stage(&frame, &packet.slots(), bits));
        if let Some(send) = large_send(&frame, &synth, &Form::Tunnel(tunnel)) {
            prop_assert_eq!(send.slots(), packet.oob);
        }
    }
}
