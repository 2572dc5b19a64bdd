//! Random requests, to a NIC under the filter and to the same NIC alone.

use model::{Config, OidCall, OidHeader, OidKind, OidResult};
use ndis::sys;
use proptest::{collection::vec, prelude::*, sample::select};
use scenarios::{Machine, adapter::assert_last_indication, assert_clean};

use super::{CURRENT, HARDWARE, IPV4_MAX, IPV6_MAX, SIZE, WAYS, nic, word};

fn any_call() -> impl Strategy<Value = OidCall> {
    let oid = prop_oneof![
        4 => select(vec![
            CURRENT,
            HARDWARE,
            sys::OID_GEN_STATISTICS,
            sys::OID_TCP_TASK_OFFLOAD,
            sys::OID_TCP_OFFLOAD_PARAMETERS,
        ]),
        1 => any::<u32>(),
    ];
    let kind = prop_oneof![
        Just(OidKind::Query),
        Just(OidKind::Statistics),
        Just(OidKind::Set),
        any::<u32>().prop_map(OidKind::Method),
    ];
    let input = vec(any::<u8>(), 0..64);
    let room = prop_oneof![0..400_u32, Just(SIZE)];
    let header = select(&OidHeader::ALL[..4]);
    (kind, oid, input, room, any::<(u32, bool)>(), header).prop_map(
        |(kind, oid, input, room, (port, at_dispatch), header)| OidCall {
            kind,
            oid,
            input: if matches!(kind, OidKind::Query | OidKind::Statistics) {
                Vec::new()
            } else {
                input
            },
            room: if kind == OidKind::Set { 0 } else { room },
            port,
            at_dispatch,
            header,
        },
    )
}

fn is_offload_answer(call: &OidCall, answer: &OidResult) -> bool {
    [CURRENT, HARDWARE].contains(&call.oid) && answer.status == 0 && call.kind != OidKind::Set
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn whatever_is_asked_the_filter_adds_nothing_but_the_raised_sizes(
        calls in vec((any_call(), any::<bool>()), 1..40),
        way in select(WAYS.to_vec()),
    ) {
        let nic = nic(way);
        let bare = Machine::without_driver(Config::with_nic(nic.clone()));
        let machine = Machine::with_nic(nic);
        // The filter's own question is answered first.
        machine.world.complete_oids();
        for (call, canceled) in calls {
            let both = [&bare, &machine].map(|machine| {
                let number = machine.world.start_oid(call.clone());
                if canceled {
                    machine.world.cancel_oid(number);
                }
                machine.world.complete_oids();
                machine.world.oid_result(number)
            });
            let [expected, mut answer] = both;
            if is_offload_answer(&call, &answer) && !matches!(call.kind, OidKind::Method(_)) {
                for at in [IPV4_MAX, IPV6_MAX] {
                    let (nic, advertised) = (word(&expected.bytes, at), word(&answer.bytes, at));
                    let on = machine.world.nic().current();
                    let on = if at == IPV4_MAX { on.v2_ipv4 } else { on.v2_ipv6 };
                    let multiple = if on.max_payload == 0 { 1 } else { 8 };
                    prop_assert_eq!(advertised, multiple * nic);
                    answer.bytes[at..at + 4].copy_from_slice(&nic.to_le_bytes());
                }
            }
            prop_assert_eq!(answer, expected);
        }
        assert_last_indication(&machine.world);
        assert_clean(&machine.stop());
    }
}
