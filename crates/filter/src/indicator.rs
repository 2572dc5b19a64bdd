//! The indicator: which large-send size the layer above is told, and when it is told anew.
//!
//! What the NIC said last is kept as it said it. Everything that the layer above hears is that,
//! rewritten for the adapter's tuning. Whoever changes either of the two has it published; two who
//! do so at once are put into an order, so that the last word is the newest.

use control::Tuning;
use ndis::{LargeSendLimits, ModuleHandle, SpinLock, indicate, sys};

use crate::offload::{self, Malformed};

/// Longest NDIS_OFFLOAD that is kept, in bytes. Revision 7, the newest, has 216.
pub(crate) const CAPACITY: usize = 512;

/// The bytes of one NDIS_OFFLOAD.
#[derive(Clone, Copy)]
struct Configuration {
    bytes: [u8; CAPACITY],
    length: usize,
}

/// See the module.
pub(crate) struct Indicator {
    state: SpinLock<State>,
}

struct State {
    /// What the NIC said last; nothing where it has no offload configuration.
    nic: Option<Configuration>,
    tuning: Tuning,
    /// What the layer above was told last.
    told: Option<LargeSendLimits>,
    voice: Voice,
}

/// Who is indicating.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// Nobody: the module is attaching, or gone.
    Mute,
    /// Nobody.
    Idle,
    /// Somebody is.
    Speaking,
    /// Somebody is, and what he says is out of date.
    SpeakAgain,
}

impl Configuration {
    fn of(offload: &[u8]) -> Option<Self> {
        let mut bytes = [0; CAPACITY];
        bytes.get_mut(..offload.len())?.copy_from_slice(offload);
        Some(Self {
            bytes,
            length: offload.len(),
        })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

impl State {
    /// What the layer above is to be told now, and its limits.
    fn message(&self) -> Option<(Configuration, LargeSendLimits)> {
        let mut message = self.nic?;
        let nic = offload::limits(message.as_bytes()).ok()?;
        offload::rewrite(message.as_mut_bytes(), &nic, self.tuning).ok()?;
        let told = offload::limits(message.as_bytes()).ok()?;
        Some((message, told))
    }
}

impl Indicator {
    /// An indicator that says nothing yet.
    pub(crate) fn new(tuning: Tuning) -> Self {
        Self {
            state: SpinLock::new(State {
                nic: None,
                tuning,
                told: None,
                voice: Voice::Mute,
            }),
        }
    }

    /// Keeps what the NIC says in `offload`.
    ///
    /// # Errors
    /// [`Malformed`]; nothing is changed then.
    pub(crate) fn learn(&self, offload: &[u8]) -> Result<LargeSendLimits, Malformed> {
        let limits = offload::limits(offload)?;
        let configuration = Configuration::of(offload).ok_or(Malformed)?;
        self.state.lock().nic = Some(configuration);
        Ok(limits)
    }

    /// Rewrites a configuration on its way up.
    ///
    /// # Errors
    /// [`Malformed`]; it is unchanged then.
    pub(crate) fn rewrite(
        &self,
        offload: &mut [u8],
        nic: &LargeSendLimits,
    ) -> Result<(), Malformed> {
        offload::rewrite(offload, nic, self.tuning())
    }

    /// The current configuration was told to the layer above by other means than
    /// [`publish`](Self::publish). Whoever is just publishing says it again, lest an older word be
    /// the last.
    pub(crate) fn was_told(&self, offload: &[u8]) {
        let mut state = self.state.lock();
        state.told = offload::limits(offload).ok();
        if state.voice == Voice::Speaking {
            state.voice = Voice::SpeakAgain;
        }
    }

    /// The adapter's tuning.
    pub(crate) fn tuning(&self) -> Tuning {
        self.state.lock().tuning
    }

    /// What the layer above was told last; zeros where it was told nothing.
    pub(crate) fn told(&self) -> LargeSendLimits {
        self.state.lock().told.unwrap_or_default()
    }

    /// Changes the tuning; to be published.
    pub(crate) fn tune(&self, tuning: Tuning) {
        self.state.lock().tuning = tuning;
    }

    /// From now on the layer above may be told: the module is attached.
    pub(crate) fn may_speak(&self) {
        self.state.lock().voice = Voice::Idle;
    }

    /// Tells the layer above the truth about the NIC, and nothing any more after that: the module
    /// is about to be detached. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn tell_the_truth(&self, module: ModuleHandle) {
        self.tune(Tuning::OFF);
        self.publish(module);
    }

    /// Tells the layer above what is new to it. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn publish(&self, module: ModuleHandle) {
        while let Some(mut message) = self.next_message() {
            indicate(
                module,
                sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
                message.as_mut_bytes(),
            );
        }
    }

    /// The next thing to be said by who publishes, with the voice taken; `None`, with the voice
    /// given back, where there is nothing or where somebody else is at it.
    fn next_message(&self) -> Option<Configuration> {
        let mut state = self.state.lock();
        todo_voice(&mut state)
    }
}
