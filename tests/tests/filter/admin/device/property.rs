//! Random requests: nothing but a right one changes anything.

use control::{AttachSettings, IoControl, Message, SetRequest, SetSettingsRequest, Tuning};
use model::{Config, FILTER_IF_INDEX, MINIPORT_IF_INDEX};
use ndis::sys;
use proptest::{collection::vec, prelude::*, sample::select};
use scenarios::{
    Machine,
    adapter::{assert_last_indication, read, read_settings},
    assert_clean,
    packets::large_v4,
};

use super::right;

/// Bytes that may be a request: anything, or a header with anything after it.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let anything = vec(any::<u8>(), 0..100);
    let words = select(vec![
        0_u32,
        1,
        2,
        3,
        5,
        7,
        8,
        15,
        16,
        17,
        4096,
        1 << 20,
        u32::MAX,
    ]);
    let shaped = (1..=10_u16, vec(words, 0..8)).prop_map(|(kind, words)| {
        let size = 8 + 4 * words.len() as u32;
        let mut bytes = vec![1, 0];
        bytes.extend(kind.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
        bytes
    });
    let mutated = (select(right().to_vec()), any::<(prop::sample::Index, u8)>()).prop_map(
        |((_, mut bytes, _), (index, value))| {
            let at = index.index(bytes.len());
            bytes[at] = value;
            bytes
        },
    );
    prop_oneof![anything, shaped, mutated]
}

fn any_code() -> impl Strategy<Value = u32> {
    let known = select(IoControl::ALL.to_vec()).prop_map(IoControl::code);
    prop_oneof![8 => known, 1 => any::<u32>()]
}

/// The settings that a request can change: the tuning in effect, and the registry's.
#[derive(Clone, Copy, PartialEq, Debug)]
struct State {
    tuning: Tuning,
    registry_tuning: Tuning,
    registry: AttachSettings,
}

impl State {
    fn of(machine: &Machine) -> Self {
        let settings = read_settings(&machine.world);
        Self {
            tuning: read(&machine.world).tuning,
            registry_tuning: settings.registry_tuning,
            registry: settings.registry,
        }
    }

    /// Changes what a valid request changes, and returns whether it is one.
    fn apply(&mut self, code: u32, input: &[u8]) -> bool {
        let known = |if_index| [FILTER_IF_INDEX, MINIPORT_IF_INDEX].contains(&if_index);
        if code == IoControl::SET.code()
            && let Ok(request) = SetRequest::decode(input)
            && known(request.if_index)
        {
            self.tuning = request.tuning;
            if request.persist {
                self.registry_tuning = request.tuning;
            }
            return true;
        }
        if code == IoControl::SET_SETTINGS.code()
            && let Ok(request) = SetSettingsRequest::decode(input)
            && known(request.if_index)
        {
            let (new, old) = (request.change, self.registry);
            self.registry = AttachSettings {
                ip_id_bits: new.ip_id_bits.unwrap_or(old.ip_id_bits),
                software: new.software.unwrap_or(old.software),
                max_sg_elements: new.max_sg_elements.unwrap_or(old.max_sg_elements),
                memory_bound: new.memory_bound.unwrap_or(old.memory_bound),
            };
            return true;
        }
        false
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn whatever_comes_in_nothing_but_a_right_request_changes_anything(
        calls in vec((any_code(), any_input(), 0..600_usize), 1..60),
    ) {
        let machine = Machine::start(Config::default());
        let mut state = State::of(&machine);
        for (code, input, output) in calls {
            let answer = machine.world.device_control(code, &input, output);
            let known = [
                0,
                sys::STATUS_INVALID_PARAMETER,
                sys::STATUS_INVALID_DEVICE_REQUEST,
                sys::STATUS_BUFFER_TOO_SMALL,
                sys::STATUS_NOT_FOUND,
                sys::STATUS_REVISION_MISMATCH,
            ];
            prop_assert!(known.contains(&answer.status), "{:#x}", answer.status);
            if state.apply(code, &input) {
                prop_assert_eq!(answer.status, 0);
            }
            prop_assert_eq!(State::of(&machine), state);
        }
        assert_last_indication(&machine.world);
        machine.assert_split(large_v4(100_000));
        assert_clean(&machine.stop());
    }
}
