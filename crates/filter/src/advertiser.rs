//! The advertiser: the offload configuration that the overlying driver has, and when it is
//! indicated again.
//!
//! The configuration that the miniport reported last is kept unchanged. Every configuration that
//! the overlying driver gets is that one, rewritten for the adapter's tuning. Code that changes
//! either of the two [publishes](crate::publish) it. New limits of the NIC arrive in
//! [`status`](crate::status) and apply to the next send.
//!
//! Indications are sent without the lock held, so two concurrent ones can arrive in either order.
//! Only one thread indicates the filter's own configuration at a time, and only while no indication
//! of the miniport is forwarded. Each thread that finishes an indication re-checks the state under
//! the lock, and indicates again if the last indication is not the newest configuration.
//!
//! FilterPause and FilterDetach suspend the advertiser and wait for the indication in flight, so that
//! none is sent once a detach has begun; FilterRestart resumes it.

use control::{Profile, Raise, SoftwareSegmentation, Tuning};
use ndis::{KernelEvent, Malformed, OffloadConfig, SeqLock, SpinLock};

use crate::{
    nic_caps::NicCaps,
    offload::{self, SoftwareLso},
};

/// See the module.
pub(crate) struct Advertiser {
    /// The capabilities that the miniport reported last. Written under the lock of `state`.
    nic: SeqLock<NicCaps>,
    state: SpinLock<State>,
    /// Signaled while no indication is in flight. Set and reset under the lock of `state`, so that
    /// the two agree whenever the lock is free.
    no_indications: KernelEvent,
}

struct State {
    /// The configuration that the miniport reported last; `None` without offload configuration.
    nic: Option<OffloadConfig>,
    /// The miniport has indicated its configuration: `nic` is no longer the one from attach.
    indicated: bool,
    /// The capabilities of the NIC's hardware, turned on or not, once they are known.
    hardware: Option<NicCaps>,
    tuning: Tuning,
    software: SoftwareSegmentation,
    /// The module is about to be detached: the NIC's own configuration is advertised.
    passthrough: bool,
    /// The module is not restarted yet, paused, or being detached: no own indication may begin.
    suspended: bool,
    /// Own and forwarded indications that have begun and not ended.
    indications_in_flight: u32,
    /// The capabilities last advertised to the overlying driver, as far as the order is certain.
    last_advertised: Option<NicCaps>,
    /// Indications overlapped, so the overlying driver may have got another one last.
    order_unknown: bool,
    /// The configuration that NDIS was given at attach, for later bindings, has raised sizes.
    raised_at_attach: bool,
    /// The module was restarted, perhaps because a driver has bound to the adapter. Such a driver, or
    /// one that was bound before the filter was inserted, has not got the sizes (Windows driver
    /// documentation, "Restarting a Driver Stack").
    restarted: bool,
}

impl State {
    /// The tuning in effect.
    fn effective(&self) -> Tuning {
        if self.passthrough { OFF } else { self.tuning }
    }

    /// Rewrites a configuration of a NIC with `nic` for the tuning in effect.
    fn rewrite(&self, config: &mut OffloadConfig, nic: &NicCaps) {
        offload::rewrite(config, nic, self.effective(), self.software_lso(nic));
    }

    /// The IP versions for which the filter segments because the NIC cannot. If the NIC can, but
    /// its large sends are turned off, the administrator has disabled them.
    fn software_lso(&self, nic: &NicCaps) -> SoftwareLso {
        if self.effective().raise == OFF.raise {
            return SoftwareLso::default();
        }
        let lacks = |max: fn(&NicCaps) -> u32| match &self.hardware {
            Some(hardware) => max(hardware) == 0,
            None => self.software == SoftwareSegmentation::Always,
        };
        let wanted = |has_checksums| match self.software {
            SoftwareSegmentation::Never => false,
            SoftwareSegmentation::WithChecksums => has_checksums,
            SoftwareSegmentation::Always => true,
        };
        SoftwareLso {
            ipv4: wanted(nic.checksum_ipv4.has_tcp()) && lacks(|caps| caps.lso_v2_ipv4.max_payload),
            ipv6: wanted(nic.checksum_ipv6.has_tcp()) && lacks(|caps| caps.lso_v2_ipv6.max_payload),
        }
    }

    fn begin_indication(&mut self, no_indications: &KernelEvent) {
        self.order_unknown |= self.indications_in_flight > 0;
        if self.indications_in_flight == 0 {
            no_indications.reset();
        }
        self.indications_in_flight = self.indications_in_flight.saturating_add(1);
    }

    /// Ends an indication of `advertised`. Returns it if it differs from the previous one.
    fn end_indication(
        &mut self,
        no_indications: &KernelEvent,
        advertised: Option<NicCaps>,
    ) -> Option<NicCaps> {
        self.indications_in_flight = self.indications_in_flight.saturating_sub(1);
        if self.indications_in_flight == 0 {
            no_indications.set();
        }
        let news = advertised.filter(|_| self.last_advertised != advertised);
        self.last_advertised = advertised;
        news
    }

    /// Begins the next indication, if there is one: a newer configuration than the last one
    /// advertised, which is left in `config`. If another indication is in flight, the thread that
    /// ends it calls this.
    #[inline(always)]
    fn next_indication(
        &mut self,
        no_indications: &KernelEvent,
        config: &mut OffloadConfig,
    ) -> bool {
        let Some(nic) = &self.nic else {
            return false;
        };
        if self.suspended || self.indications_in_flight > 0 {
            return false;
        }
        *config = *nic;
        let nic = NicCaps::from(&*config);
        self.rewrite(config, &nic);
        let newest = NicCaps::from(&*config);
        let may_lack_it = self.restarted && (self.raised_at_attach || newest != nic);
        self.restarted = false;
        if !self.order_unknown && !may_lack_it && self.last_advertised.as_ref() == Some(&newest) {
            return false;
        }
        self.order_unknown = false;
        self.begin_indication(no_indications);
        true
    }
}

/// The tuning that raises no size.
const OFF: Tuning = Tuning {
    raise: Raise::Profile(Profile::Off),
    cap: None,
};

/// An indication that has ended.
pub(crate) enum Ended<'a> {
    None,
    /// One of the miniport's, which had these capabilities.
    Forwarded(&'a Option<NicCaps>),
    /// The advertiser's own.
    Own,
}

impl Advertiser {
    /// A suspended advertiser for a NIC with the capabilities `nic`.
    pub(crate) fn new(nic: NicCaps, tuning: Tuning, software: SoftwareSegmentation) -> Self {
        Self {
            nic: SeqLock::new(nic),
            state: SpinLock::new(State {
                nic: None,
                indicated: false,
                hardware: None,
                tuning,
                software,
                passthrough: false,
                suspended: true,
                indications_in_flight: 0,
                last_advertised: None,
                order_unknown: false,
                raised_at_attach: false,
                restarted: false,
            }),
            no_indications: KernelEvent::new(),
        }
    }

    /// Makes the advertiser ready, at its final address.
    pub(crate) fn initialize(&self) {
        self.state.initialize();
        self.no_indications.initialize_notification();
    }

    /// The capabilities that the NIC reported last.
    #[inline]
    pub(crate) fn nic(&self) -> NicCaps {
        self.nic.load()
    }

    /// Records the configuration that NDIS passes to FilterAttach. One that is longer than any known
    /// revision takes effect but is not kept, and nothing is raised until the miniport reports
    /// another one.
    pub(crate) fn record_default(&self, config: &OffloadConfig) -> NicCaps {
        self.record(config, false)
    }

    /// Records the configuration that the miniport indicates, likewise.
    pub(crate) fn record_nic(&self, config: &OffloadConfig) -> NicCaps {
        self.record(config, true)
    }

    fn record(&self, config: &OffloadConfig, indicated: bool) -> NicCaps {
        let nic = NicCaps::from(config);
        let mut state = self.state.lock();
        state.indicated |= indicated;
        state.nic = config.is_whole().then_some(*config);
        // Under the lock: one of two concurrent reports is the newer one for both fields.
        self.nic.store(nic);
        nic
    }

    /// Whether the NIC's configuration is still the one from attach, of which NDIS may have passed
    /// a raised one.
    pub(crate) fn has_default_only(&self) -> bool {
        let state = self.state.lock();
        state.nic.is_some() && !state.indicated
    }

    /// Lowers the NIC's limits to those in `answer`, as far as these are lower, unless the miniport
    /// has indicated its configuration. Returns whether that changes them. The caller publishes.
    pub(crate) fn lower_nic(&self, answer: &OffloadConfig) -> bool {
        let mut state = self.state.lock();
        if state.indicated {
            return false;
        }
        // Without a configuration nothing is raised.
        let Some(config) = &mut state.nic else {
            return false;
        };
        let before = NicCaps::from(&*config);
        offload::lower(config, answer);
        let nic = NicCaps::from(&*config);
        self.nic.store(nic);
        nic != before
    }

    /// Records the capabilities of the NIC's hardware. The caller publishes them.
    pub(crate) fn record_hardware(&self, config: &OffloadConfig) {
        self.state.lock().hardware = Some(NicCaps::from(config));
    }

    /// Whether the capabilities of the NIC's hardware are needed and not known.
    pub(crate) fn needs_hardware(&self) -> bool {
        let state = self.state.lock();
        state.hardware.is_none() && state.software != SoftwareSegmentation::Never
    }

    /// Rewrites a configuration on its way to the overlying driver.
    pub(crate) fn rewrite(&self, config: &mut OffloadConfig, nic: &NicCaps) {
        self.state.lock().rewrite(config, nic);
    }

    /// Writes the configuration that the miniport reported last back to `buffer`, from which it was
    /// recorded.
    #[inline(never)]
    pub(crate) fn restore(&self, buffer: &mut [u8]) {
        if let Some(config) = &self.state.lock().nic {
            config.copy_to(buffer);
        }
    }

    /// Records the configuration that an overlying driver reads when it binds, before any
    /// indication, for a NIC with `nic`.
    pub(crate) fn record_bind_config(&self, config: &OffloadConfig, nic: &NicCaps) {
        let bound = NicCaps::from(config);
        let mut state = self.state.lock();
        state.raised_at_attach = bound != *nic;
        state.last_advertised = Some(bound);
    }

    /// The adapter's tuning.
    pub(crate) fn tuning(&self) -> Tuning {
        self.state.lock().tuning
    }

    /// The capabilities last advertised to the overlying driver; zeros if there were none.
    pub(crate) fn last_advertised(&self) -> NicCaps {
        self.state.lock().last_advertised.unwrap_or_default()
    }

    /// Changes the tuning. The caller publishes it.
    pub(crate) fn set_tuning(&self, tuning: Tuning) {
        self.state.lock().tuning = tuning;
    }

    /// Allows indications again: of the tuning's sizes, or, with `passthrough`, of the NIC's own. The
    /// caller publishes.
    pub(crate) fn allow_indications(&self, passthrough: bool) {
        let mut state = self.state.lock();
        state.suspended = false;
        state.restarted = !passthrough;
        state.passthrough = passthrough;
    }

    /// Prevents own indications until [they are allowed](Self::allow_indications), and waits for those in flight. IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn suspend(&self) {
        self.state.lock().suspended = true;
        self.wait_for_indications();
    }

    /// Waits until no indication is in flight. IRQL PASSIVE_LEVEL.
    pub(crate) fn wait_for_indications(&self) {
        loop {
            self.no_indications.wait();
            // The next one may have begun since. The lock also keeps this thread from returning
            // while the thread that signaled the event still holds it.
            if self.state.lock().indications_in_flight == 0 {
                return;
            }
        }
    }

    /// Begins to forward an indication of the miniport. The caller ends it.
    pub(crate) fn begin_forwarding(&self) {
        self.state.lock().begin_indication(&self.no_indications);
    }

    /// Ends an indication, and begins the next one, of the configuration that is left in `config`,
    /// unless the overlying driver has it; under one lock, so that no thread that waits for the end of
    /// all indications misses the next. Returns the capabilities of the ended one, if they differ from
    /// those advertised before, and whether one begins.
    #[inline(never)]
    pub(crate) fn end_and_begin(
        &self,
        ended: Ended<'_>,
        config: &mut OffloadConfig,
    ) -> (Option<NicCaps>, bool) {
        let advertised = match ended {
            Ended::None => None,
            Ended::Forwarded(caps) => Some(*caps),
            Ended::Own => Some(Some(NicCaps::from(&*config))),
        };
        let mut state = self.state.lock();
        let news = advertised.and_then(|caps| state.end_indication(&self.no_indications, caps));
        (news, state.next_indication(&self.no_indications, config))
    }

    /// Rewrites the configuration in `buffer` in place; `Err` and unchanged if it is malformed.
    #[inline(never)]
    pub(crate) fn rewrite_in_place(&self, buffer: &mut [u8]) -> Result<(), Malformed> {
        let mut config = OffloadConfig::copy_from(buffer)?;
        self.rewrite(&mut config, &self.nic());
        config.copy_to(buffer);
        Ok(())
    }
}
