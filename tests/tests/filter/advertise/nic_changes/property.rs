//! Random changes of the NIC and of the tuning, between sends of whatever was ever advertised.

use model::{Nic, SendCall};
use proptest::{collection::vec, prelude::*};
use scenarios::{
    Machine,
    adapter::{assert_last_indication, enable_lso, raised, read, set, times},
    assert_clean,
    packets::{MSS, large_v4, large_v6, on_port, one_stage},
};

use super::slow;

/// The next event.
#[derive(Clone, Debug)]
enum Step {
    Resize(u32, u32),
    Switch(bool, bool),
    Retune(u32),
    /// A large send of that many thousandths of the most that was ever advertised.
    Send(bool, u32),
    Deliver,
    PauseAndRestart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (3..20_u32, 3..20_u32).prop_map(|(v4, v6)| Step::Resize(v4 * MSS, v6 * MSS)),
        1 => any::<(bool, bool)>().prop_map(|(v4, v6)| Step::Switch(v4, v6)),
        2 => (1..=16_u32).prop_map(Step::Retune),
        4 => (any::<bool>(), 0..=1000_u32).prop_map(|(v6, size)| Step::Send(v6, size)),
        2 => Just(Step::Deliver),
        1 => Just(Step::PauseAndRestart),
    ]
}

/// A run, and the largest size ever advertised for each IP version.
struct Run {
    machine: Machine,
    advertised: [u32; 2],
    sent: u16,
}

impl Run {
    fn take(&mut self, step: &Step) {
        let world = &self.machine.world;
        match *step {
            Step::Resize(v4, v6) => world.nic_changes(|nic| {
                nic.limits.v2_ipv4.max_payload = v4;
                nic.limits.v2_ipv6.max_payload = v6;
            }),
            Step::Switch(v4, v6) => enable_lso(world, v4, v6),
            Step::Retune(multiple) => set(world, times(multiple)).expect("a tuning"),
            Step::Send(v6, thousandths) => self.send(v6, thousandths),
            Step::Deliver => self.machine.deliver_all(),
            Step::PauseAndRestart => {
                world.pause();
                world.restart().expect("a restart");
            }
        }
        let world = &self.machine.world;
        assert_last_indication(world);
        let reply = read(world);
        let expected = raised(world.nic().current(), reply.tuning.multiple(), None);
        for (advertised, now) in self
            .advertised
            .iter_mut()
            .zip([expected.v2_ipv4, expected.v2_ipv6])
        {
            *advertised = (*advertised).max(now.max_payload);
        }
    }

    /// Sends; where the NIC completes at once, the wire must be that of one stage.
    fn send(&mut self, v6: bool, thousandths: u32) {
        let world = &self.machine.world;
        let most = u64::from(self.advertised[usize::from(v6)]);
        let size = (most * u64::from(thousandths) / 1000) as u32;
        let size = size.max(3 * MSS);
        self.sent += 1;
        let packet = if v6 { large_v6(size) } else { large_v4(size) };
        let packet = on_port(packet, self.sent);
        let _ = (world.take_wire(), world.take_children());
        world.send(vec![packet.clone()], SendCall::default());
        let nic = world.nic().current();
        let limit = if v6 { nic.v2_ipv6 } else { nic.v2_ipv4 };
        let children = world.take_children();
        assert!(
            children
                .iter()
                .all(|child| { child.is_packet() || child.payload <= limit.max_payload as usize })
        );
        assert!(
            world.take_wire() == one_stage(&packet, 16),
            "the wire differs"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn whatever_the_nic_does_every_advertised_size_passes(steps in vec(step(), 1..30)) {
        let machine = Machine::with_nic(Nic { limits: Nic::new(8 * MSS, 2).limits, ..slow() });
        let mut run = Run { machine, advertised: [8 * 8 * MSS; 2], sent: 0 };
        for step in &steps {
            run.take(step);
        }
        run.machine.deliver_all();
        assert_clean(&run.machine.stop());
    }
}
