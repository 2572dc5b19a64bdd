//! The master property: two stages put on the wire the same packets as one stage would have.
//!
//! Random large sends of every kind, in random buffers and among other packets, to a random NIC
//! that completes and fails at random. With any limits of the NIC, a send arrives complete, and its
//! wire packets are those of the independent reference; the number of children, and whether the
//! send is refused for the MTU, are computed here independently; no rule is ever broken.

mod expected;
mod nics;
mod sends;

use expected::{Expected, expected};
use model::{Config, Nic, SendCall};
use ndis::sys;
use nics::Chains;
use proptest::{collection::vec, prelude::*, test_runner::FileFailurePersistence};
use scenarios::{Machine, assert_clean, packets::one_stage};
use sends::Send;

/// One run. Proptest's output for it is enough to repeat it.
#[derive(Clone, Debug)]
struct Case {
    nic: Nic,
    mtu: Option<u32>,
    chains: Chains,
    at_dispatch: bool,
    processor: u32,
    sends: Vec<Send>,
}

fn mtu() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        Just(None),
        Just(Some(1500)),
        Just(Some(9300)),
        (600..9_300_u32).prop_map(Some)
    ]
}

prop_compose! {
    fn case()(
        (chains, nic) in nics::nic(),
        mtu in mtu(),
        at_dispatch in any::<bool>(),
        processor in 0..2_u32,
        sends in vec(sends::send(), 1..5),
    ) -> Case {
        Case { nic, mtu, chains, at_dispatch, processor, sends }
    }
}

impl Case {
    fn config(&self) -> Config {
        let mut config = Config::with_nic(self.nic.clone()).counting_ip_id_in(self.nic.id_bits);
        config.mtu = self.mtu;
        config.parameters.extend(self.chains.parameters());
        config
    }
}

fn check(case: &Case) {
    let nic = &case.nic;
    let machine = Machine::start(case.config());
    let packets: Vec<_> = case.sends.iter().map(Send::packet).collect();
    let call = SendCall {
        at_dispatch: case.at_dispatch,
        processor: case.processor,
    };
    let numbers = machine.world.send(packets.clone(), call);
    machine.deliver_all();
    let below = machine.world.take_children();
    let fails = |place: usize| nic.failing.iter().any(|(n, _)| *n == below[place].nbl);
    let mut wire = Vec::new();
    for ((number, packet), send) in numbers.iter().zip(&packets).zip(&case.sends) {
        let places = (0..below.len()).filter(|place| below[*place].send == *number);
        let places: Vec<_> = places.collect();
        let parts: Vec<_> = places.iter().map(|place| &below[*place]).collect();
        let packets = parts.iter().filter(|part| part.is_packet()).count();
        match expected(send, packet, case) {
            Expected::AsItIs => assert!(parts.iter().all(|part| !part.is_child)),
            Expected::Parts(expected) => {
                assert!(parts.iter().all(|part| part.is_child));
                assert_eq!((parts.len() - packets, packets), expected);
            }
            Expected::AboveMtu => {
                assert_eq!(machine.status(*number), sys::NDIS_STATUS_INVALID_PACKET);
                assert!(places.is_empty(), "nothing of what is refused goes down");
                continue;
            }
        }
        let failed = places.iter().any(|place| fails(*place));
        assert_eq!(machine.status(*number) != 0, failed);
        wire.extend(one_stage(packet, nic.id_bits));
    }
    if !(0..below.len()).any(fails) {
        assert!(machine.world.take_wire() == wire, "the wire differs");
    }
    assert_clean(&machine.stop());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/property.txt",
        ))),
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn two_stages_are_one_stage(case in case()) {
        check(&case);
    }
}
