//! The indicator: which large-send size the layer above is told, and when it is told anew.
//!
//! What the NIC said last is kept as it said it. Everything that the layer above hears is that,
//! rewritten for the adapter's tuning. Whoever changes either of the two has it published.
//!
//! Who speaks to the layer above does so without a lock, so of two who speak at once nobody knows
//! who is heard last. A publisher therefore speaks only where nobody else does; what comes from the
//! NIC is passed on at once. Everybody who falls silent looks, under the same lock under which he
//! falls silent, whether he was the last to speak and something is left to be said, and says it: the
//! last word is the newest.

use control::{Profile, Raise, SoftwareSegmentation, Tuning};
use ndis::{Capabilities, SpinLock, indicate, sleep_briefly, sys};

use crate::{
    limits::Limits,
    module::FilterModule,
    offload::{self, InSoftware, Malformed},
};

/// Longest NDIS_OFFLOAD that is kept, in bytes. Revision 7, the newest, has 216; copies of this lie
/// on the stack.
pub(crate) const CAPACITY: usize = 320;

/// The bytes of one NDIS_OFFLOAD.
#[derive(Clone, Copy)]
pub(crate) struct Stored {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Stored {
    /// A copy of `offload`; `None` where it is longer than any that NDIS defines.
    pub(crate) fn of(offload: &[u8]) -> Option<Self> {
        let mut bytes = [0; CAPACITY];
        bytes.get_mut(..offload.len())?.copy_from_slice(offload);
        Some(Self {
            bytes,
            length: offload.len(),
        })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The bytes, to be changed.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }

    /// Puts the bytes back where they were copied from.
    pub(crate) fn restore(&self, offload: &mut [u8]) {
        for (place, byte) in offload.iter_mut().zip(self.bytes()) {
            *place = *byte;
        }
    }
}

/// See the module.
pub(crate) struct Indicator {
    state: SpinLock<State>,
}

struct State {
    /// What the NIC said last; nothing where it has no offload configuration.
    nic: Option<Stored>,
    /// What the NIC's hardware can do, turned on or not, where that is known.
    hardware: Option<Capabilities>,
    tuning: Tuning,
    software: SoftwareSegmentation,
    /// The module is about to be detached: nothing is raised any more.
    truthful: bool,
    /// Nobody publishes: the module has been neither restarted nor announced to be detached yet.
    mute: bool,
    /// How many speak at the moment.
    speakers: u32,
    /// What the layer above was told last, as far as is known.
    told: Option<Capabilities>,
    /// Several have spoken at once: the layer above may have heard something else last.
    doubt: bool,
}

impl State {
    /// The tuning in effect.
    fn effective(&self) -> Tuning {
        if self.truthful { OFF } else { self.tuning }
    }

    /// Rewrites a configuration of a NIC that takes `nic`, as is in effect.
    fn rewrite(&self, offload: &mut [u8], nic: &Capabilities) -> Result<(), Malformed> {
        offload::rewrite(offload, nic, self.effective(), self.in_software(nic))
    }

    /// For which IP versions the filter segments in the place of a NIC that cannot. A NIC that
    /// could, had it not been told to leave it, is not stood in for: whoever turned large sends off
    /// wants none.
    fn in_software(&self, nic: &Capabilities) -> InSoftware {
        if self.effective().raise == OFF.raise {
            return InSoftware::default();
        }
        let lacks = |max: fn(&Capabilities) -> u32| match &self.hardware {
            Some(hardware) => max(hardware) == 0,
            None => self.software == SoftwareSegmentation::Always,
        };
        let wanted = |makes_checksums| match self.software {
            SoftwareSegmentation::Never => false,
            SoftwareSegmentation::WithChecksums => makes_checksums,
            SoftwareSegmentation::Always => true,
        };
        InSoftware {
            ipv4: wanted(nic.checksum_ipv4.tcp) && lacks(|hardware| hardware.v2_ipv4.max_payload),
            ipv6: wanted(nic.checksum_ipv6.tcp) && lacks(|hardware| hardware.v2_ipv6.max_payload),
        }
    }

    /// What the layer above is to be told now, and what that says.
    fn message(&self) -> Option<(Stored, Capabilities)> {
        let mut message = self.nic?;
        let nic = offload::capabilities(message.bytes()).ok()?;
        self.rewrite(message.bytes_mut(), &nic).ok()?;
        let told = offload::capabilities(message.bytes()).ok()?;
        Some((message, told))
    }

    /// Somebody starts to speak.
    fn begin(&mut self) {
        self.doubt |= self.speakers > 0;
        self.speakers = self.speakers.saturating_add(1);
    }

    /// Who began falls silent; the layer above has heard `told` of him. Returns that, where it is
    /// other than what it was told before.
    fn end(&mut self, told: Option<Capabilities>) -> Option<Capabilities> {
        self.speakers = self.speakers.saturating_sub(1);
        let news = told.filter(|_| self.told != told);
        self.told = told;
        news
    }

    /// What is left to be said, and what that says. Whoever gets it speaks from then on; where
    /// somebody speaks already, it is left to him.
    fn next_message(&mut self) -> Option<(Stored, Capabilities)> {
        if self.mute || self.speakers > 0 {
            return None;
        }
        let message = self
            .message()
            .filter(|(_, says)| self.doubt || self.told != Some(*says))?;
        self.doubt = false;
        self.begin();
        Some(message)
    }
}

/// Nothing is raised.
const OFF: Tuning = Tuning {
    raise: Raise::Profile(Profile::Off),
    cap: None,
};

impl Indicator {
    /// An indicator that says nothing yet.
    pub(crate) fn new(tuning: Tuning, software: SoftwareSegmentation) -> Self {
        Self {
            state: SpinLock::new(State {
                nic: None,
                hardware: None,
                tuning,
                software,
                truthful: false,
                mute: true,
                speakers: 0,
                told: None,
                doubt: false,
            }),
        }
    }

    /// Makes the indicator ready, once it is where it stays.
    pub(crate) fn initialize(&self) {
        self.state.initialize();
    }

    /// Keeps what the NIC says in `offload`, and sets `limits` to it. One that is longer than any
    /// known is obeyed but not kept, and nothing is raised until the NIC says something else.
    ///
    /// # Errors
    /// [`Malformed`]; nothing is changed then.
    pub(crate) fn learn(&self, offload: &[u8], limits: &Limits) -> Result<Capabilities, Malformed> {
        let offload = offload::checked(offload)?;
        let nic = offload::capabilities(offload)?;
        let mut state = self.state.lock();
        state.nic = Stored::of(offload);
        // Under the lock: of two who learn at once, one is the newer for both.
        limits.set(&nic);
        Ok(nic)
    }

    /// Keeps what the NIC's hardware can do, as `offload` says; to be published.
    ///
    /// # Errors
    /// [`Malformed`]; nothing is changed then.
    pub(crate) fn learn_hardware(&self, offload: &[u8]) -> Result<(), Malformed> {
        let hardware = offload::capabilities(offload)?;
        self.state.lock().hardware = Some(hardware);
        Ok(())
    }

    /// Whether it is known what the NIC's hardware can do, or of no account.
    pub(crate) fn needs_no_hardware(&self) -> bool {
        let state = self.state.lock();
        state.hardware.is_some() || state.software == SoftwareSegmentation::Never
    }

    /// Rewrites a configuration on its way up.
    ///
    /// # Errors
    /// [`Malformed`]; it is unchanged then.
    pub(crate) fn rewrite(&self, offload: &mut [u8], nic: &Capabilities) -> Result<(), Malformed> {
        self.state.lock().rewrite(offload, nic)
    }

    /// The layer above reads `offload` when it binds: before anybody can speak.
    pub(crate) fn bound_to(&self, offload: &[u8]) {
        self.state.lock().told = offload::capabilities(offload).ok();
    }

    /// The adapter's tuning.
    pub(crate) fn tuning(&self) -> Tuning {
        self.state.lock().tuning
    }

    /// What the layer above was told last; zeros where it was told nothing.
    pub(crate) fn told(&self) -> Capabilities {
        self.state.lock().told.unwrap_or_default()
    }

    /// Changes the tuning; to be published.
    pub(crate) fn tune(&self, tuning: Tuning) {
        self.state.lock().tuning = tuning;
    }

    /// From now on the layer above may be told: the module is attached, and restarts. What changed
    /// since it was attached waits until here, for nothing may be indicated while FilterAttach runs.
    /// A module that restarts is not about to be detached, whatever was said before: the announcement
    /// may have been another filter's, which passed it on.
    pub(crate) fn restart(&self) {
        let mut state = self.state.lock();
        state.mute = false;
        state.truthful = false;
    }

    /// Tells the layer above the truth about the NIC, and nothing else until the module restarts: it
    /// is about to be detached. When this returns nobody is saying anything else any more.
    /// IRQL PASSIVE_LEVEL.
    pub(crate) fn tell_the_truth(&self, module: &FilterModule) {
        {
            let mut state = self.state.lock();
            state.mute = false;
            state.truthful = true;
        }
        self.publish(module);
        // Whoever was just speaking says the truth in our place before he falls silent.
        while self.is_speaking() {
            sleep_briefly();
        }
    }

    fn is_speaking(&self) -> bool {
        self.state.lock().speakers > 0
    }

    /// Tells the layer above of `module`, whose indicator this is, what is new to it.
    /// IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn publish(&self, module: &FilterModule) {
        let message = self.state.lock().next_message();
        self.say(module, message);
    }

    /// Lets `pass_on` pass on the NIC's news to the layer above of `module`, whose indicator this
    /// is, and say what was in it; then publishes. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn speak(
        &self,
        module: &FilterModule,
        pass_on: impl FnOnce() -> Option<Capabilities>,
    ) {
        self.state.lock().begin();
        let told = pass_on();
        let message = self.fall_silent(module, told);
        self.say(module, message);
    }

    /// Says `message`, and what is left to be said after it.
    fn say(&self, module: &FilterModule, mut message: Option<(Stored, Capabilities)>) {
        while let Some((mut stored, says)) = message {
            indicate(
                module.handle,
                sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
                stored.bytes_mut(),
            );
            message = self.fall_silent(module, Some(says));
        }
    }

    /// Who began to speak has said `told`. Returns what is left for him to be said.
    fn fall_silent(
        &self,
        module: &FilterModule,
        told: Option<Capabilities>,
    ) -> Option<(Stored, Capabilities)> {
        let (news, message) = {
            let mut state = self.state.lock();
            (state.end(told), state.next_message())
        };
        if let Some(told) = news {
            module.event_advertised(&told);
        }
        message
    }
}
