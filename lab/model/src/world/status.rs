//! Status indications, and their effect on the overlying driver.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::sync::Arc;

use crate::LargeSendLimits;
use ndis::sys;

use super::{World, lock};
use crate::{
    capabilities::UsoLimits,
    nic::Nic,
    offload::{self, MayAdd},
    rules::{Finding, Level, Rule},
    state::{ModuleState, State},
    status::{self, InMemory, Indication, SeenStatus, StatusSource},
    thread,
};

impl World {
    /// Changes the NIC and makes its miniport indicate it, with
    /// NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG.
    ///
    /// The new limits hold from that moment; a send that another thread began before FilterStatus
    /// has returned may still go by the old ones.
    pub fn nic_changes(self: &Arc<Self>, change: impl FnOnce(&mut Nic)) {
        self.change_nic(change);
        self.indicate_offload(sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG);
    }

    /// The miniport indicates its true configuration under `code`, which is
    /// NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG or …_HARDWARE_CAPABILITIES.
    pub fn indicate_offload(self: &Arc<Self>, code: i32) {
        self.indicate(code, self.own_offload(code));
        let nic = self.nic();
        let mut state = self.state();
        state.advertised.limits.settle();
        if code == sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES {
            state.advertised.may_add = MayAdd {
                anyhow: state.advertised.may_add.anyhow,
                ..nic.may_add()
            };
        }
    }

    /// The miniport's NDIS_OFFLOAD for `code`.
    fn own_offload(&self, code: i32) -> Vec<u8> {
        if code == sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES {
            self.nic().offload_hardware()
        } else {
            self.nic().offload_config()
        }
    }

    /// The miniport indicates `code` with `bytes`, whatever they are.
    pub fn indicate(self: &Arc<Self>, code: i32, bytes: Vec<u8>) {
        self.indicate_with(&Indication::new(code, bytes));
    }

    /// The miniport makes an indication with all that can be in one.
    pub fn indicate_with(self: &Arc<Self>, indication: &Indication) {
        let memory = InMemory::new(indication);
        let Some(handler) = self.module_handlers().and_then(|all| all.StatusHandler) else {
            let indication = Indication {
                at_dispatch: false,
                ..indication.clone()
            };
            return self.hear(SeenStatus {
                source: StatusSource::Miniport,
                indication,
            });
        };
        let irql = if indication.at_dispatch {
            sys::DISPATCH_LEVEL
        } else {
            thread::irql()
        };
        let before = memory.look();
        if indication.code == sys::NDIS_STATUS_L2_MTU_SIZE_CHANGE {
            let mtu = indication.bytes.first_chunk();
            self.state().advertised.mtu = mtu.map(|mtu| u32::from_ne_bytes(*mtu));
        }
        self.state().status_enters(indication);
        self.call("status handler", irql, || {
            // SAFETY: the handler is the driver's; the indication lives during the call.
            unsafe { handler(self.context(), memory.block.start().cast()) }
        });
        let mut state = self.state();
        let forwarded = state.status_leaves();
        if forwarded != 1 {
            let found = format!("passed on {forwarded} times");
            // A filter may filter a status out.
            let finding = Finding::at(Level::Product, Rule::Status, found);
            state.finding(status::subject(indication.code), finding);
        }
        if memory.look() != before {
            let found = "the filter wrote to the miniport's indication";
            state.violation(Rule::Status, status::subject(indication.code), found);
        }
    }

    /// NdisFIndicateStatus.
    ///
    /// # Safety
    /// `raw` points to an indication with a buffer of StatusBufferSize bytes.
    pub(crate) unsafe fn status_up(self: &Arc<Self>, raw: *const sys::NDIS_STATUS_INDICATION) {
        let module = self.module_state();
        if !self.is_attached() {
            // The page of NdisFIndicateStatus allows it from FilterAttach, once the attributes are
            // set, and until FilterDetach returns; a concept page forbids the first.
            let level = match module {
                ModuleState::Detaching => Level::Product,
                ModuleState::Attaching if !self.state().life.context.is_null() => Level::Advice,
                _ => Level::Contract,
            };
            let found = format!("indicated while {module:?}");
            let finding = Finding::at(level, Rule::Status, found);
            return self.finding("NdisFIndicateStatus", finding);
        }
        // SAFETY: as the caller vouches.
        match unsafe { status::read(raw, self.module_handle()) } {
            Err(found) => self.violation(Rule::Status, "NdisFIndicateStatus", found),
            Ok(seen) => {
                let own = self.own_offload(seen.indication.code);
                let may = self.state().advertised.may_add;
                self.state().check_status(&seen, &own, may);
                self.hear(seen);
            }
        }
    }

    /// Delivers an indication to the overlying driver.
    fn hear(&self, seen: SeenStatus) {
        let current = seen.indication.code == sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
        let bytes = seen.indication.bytes.clone();
        self.state().indications.seen.push(seen);
        if current && offload::valid_size(&bytes).is_some() {
            self.learn(offload::limits(&bytes), offload::uso(&bytes));
        }
    }

    /// Binds the overlying driver, to a filter module that advertised `advertised` or to the NIC alone,
    /// and makes `now` the module's state in the same step, so that no indication comes between.
    pub(super) fn bind(&self, advertised: Option<Vec<u8>>, now: ModuleState) {
        let bytes = match advertised {
            Some(advertised) => Some(advertised),
            None => self.config.has_offload.then(|| self.nic().offload_config()),
        };
        let limits = bytes.as_deref().map(offload::limits).unwrap_or_default();
        let uso = bytes.as_deref().map(offload::uso).unwrap_or_default();
        self.learn_with(limits, uso, |state| {
            state.advertised.binding = bytes;
            state.life.module = now;
        });
    }

    fn learn(&self, limits: LargeSendLimits, uso: UsoLimits) {
        self.learn_with(limits, uso, |_| {});
    }

    /// Updates the overlying driver's limits with `limits` and `uso`; the listener gets them in the
    /// same order.
    fn learn_with(&self, limits: LargeSendLimits, uso: UsoLimits, change: impl FnOnce(&mut State)) {
        let mut listener = lock(&self.listener);
        {
            let mut state = self.state();
            state.advertised.large_sends = limits;
            state.advertised.limits.record(limits);
            state.advertised.uso = uso;
            state.advertised.limits.record_uso(uso);
            change(&mut state);
        }
        if let Some(listener) = listener.as_mut() {
            listener(limits);
        }
    }

    /// Another driver has bound to the adapter while the module is paused, and takes the overlying
    /// driver's place: it has the configuration that FilterAttach left.
    pub fn bind_while_paused(&self) {
        let left = self.state().advertised.left_offload.clone();
        self.bind(left, ModuleState::Paused);
    }

    /// The overlying driver was bound before the filter was inserted, and so has the NIC's own
    /// configuration.
    pub fn bind_before_attach(&self) {
        let own = self.nic().offload_config();
        self.bind(Some(own), ModuleState::Paused);
    }

    /// The configuration that the overlying driver found when it bound: the NDIS_OFFLOAD that
    /// FilterAttach left, or the NIC's own; `None` if the miniport has none, or if no filter was
    /// ever attached.
    #[must_use]
    pub fn binding_offload(&self) -> Option<Vec<u8>> {
        self.state().advertised.binding.clone()
    }

    /// The large sends that the overlying driver may make, by the newest configuration that it
    /// received: from its binding, or from a status indication since.
    #[must_use]
    pub fn advertised(&self) -> LargeSendLimits {
        let state = self.state();
        if state.advertised.binding.is_none() && state.life.module == ModuleState::Detached {
            drop(state);
            return self.nic().current();
        }
        state.advertised.large_sends
    }

    /// The UDP large sends that the overlying driver may make, by the newest configuration that it
    /// received.
    #[must_use]
    pub fn advertised_uso(&self) -> UsoLimits {
        let state = self.state();
        if state.advertised.binding.is_none() && state.life.module == ModuleState::Detached {
            drop(state);
            return self.nic().current_uso();
        }
        state.advertised.uso
    }

    /// Lets the overlying driver use `limits` too, although this machine never advertised them: a
    /// guest that migrates from another machine brings large sends of the size advertised there.
    pub fn also_advertised(&self, limits: LargeSendLimits) {
        self.state().advertised.limits.record(limits);
    }

    /// The same of UDP.
    pub fn also_advertised_uso(&self, limits: UsoLimits) {
        self.state().advertised.limits.record_uso(limits);
    }

    /// Has `listener` called, as a part of the overlying driver, whenever the advertised
    /// configuration may have changed. It must not call into this model.
    pub fn on_advertised(&self, listener: impl FnMut(LargeSendLimits) + Send + 'static) {
        *lock(&self.listener) = Some(Box::new(listener));
    }

    /// Every status indication that the overlying driver received, in order.
    #[must_use]
    pub fn seen_statuses(&self) -> Vec<SeenStatus> {
        self.state().indications.seen.clone()
    }

    /// Checks that after a pre-detach notification the overlying driver has the NIC's true
    /// configuration.
    pub(super) fn check_true_configuration(&self) {
        let nic = self.nic();
        let (current, uso) = (nic.current(), offload::uso(&nic.offload_config()));
        let mut state = self.state();
        if !state.life.pre_detached || !self.config.has_offload {
            return;
        }
        if state.advertised.large_sends != current {
            let found = format!(
                "advertised {:?}, the NIC has {current:?}",
                state.advertised.large_sends
            );
            state.violation(Rule::PreDetach, "layer above", found);
        }
        if state.advertised.uso != uso {
            let found = format!("advertised {:?}, the NIC has {uso:?}", state.advertised.uso);
            state.violation(Rule::PreDetach, "layer above", found);
        }
    }
}
