//! The driver's and the module's life: load, attach, restart, pause, detach, unload.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::{collections::BTreeMap, ptr, sync::Arc, time::Duration};

use ndis::sys;

use super::{
    World,
    waiting::{self, During},
};
use crate::{
    attach::{self, AttachParameters},
    error_log::LogEntry,
    handles::NEIGHBOR,
    memory::Block,
    offload::{self, MayAdd},
    registry::{self, RegistryValue},
    restart::RestartParameters,
    rules::{Finding, Rule, Violation},
    state::{ModuleState, RESTARTING},
};

/// The driver's key in the registry.
const REGISTRY_PATH: &str = r"\Registry\Machine\System\CurrentControlSet\Services\filter";

/// A pause that takes longer is a bug check under Driver Verifier (Windows driver documentation,
/// NdisFilterTimedPauseComplete).
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Whether the administrator wants large sends to be advertised on any NIC: SoftwareSegmentation.
fn advertises_always(registry: &BTreeMap<String, RegistryValue>) -> bool {
    const ALWAYS: u32 = 2;
    let set = registry::find(registry, "SoftwareSegmentation");
    set.and_then(|value| value.integer(10)) == Some(ALWAYS)
}

impl World {
    /// Loads the driver whose entry point is `entry`.
    ///
    /// # Errors
    /// The status that DriverEntry returned, if it fails.
    ///
    /// # Safety
    /// `entry` is the entry point of a driver.
    pub unsafe fn load(self: &Arc<Self>, entry: sys::DRIVER_INITIALIZE) -> Result<(), i32> {
        let object = self.driver_object.start().cast();
        let (_text, path) = attach::counted(REGISTRY_PATH);
        let status = self.call("entry point", sys::PASSIVE_LEVEL, || {
            // SAFETY: the object is one that the system would make, the path lives during the
            // call; the caller vouches for `entry`.
            unsafe { entry(object, path.start().cast()) }
        });
        if status == sys::NDIS_STATUS_PENDING {
            let found = "DriverEntry answered NDIS_STATUS_PENDING";
            let finding = Finding::new(Rule::NothingLeft, found);
            self.finding("driver", finding.on("network/initializing-a-filter-driver"));
        }
        if status < 0 {
            self.driver_gone("after DriverEntry failed");
            return Err(status);
        }
        Ok(())
    }

    /// Whether the filter module is attached, so that it is on the path between the layers.
    pub(super) fn is_attached(&self) -> bool {
        let state = self.module_state();
        matches!(
            state,
            ModuleState::Paused
                | ModuleState::Restarting
                | ModuleState::Pausing
                | ModuleState::Running
        )
    }

    /// The flags with which the driver registered; `None` where it has not.
    #[must_use]
    pub fn driver_flags(&self) -> Option<u32> {
        self.handlers().map(|all| all.Flags)
    }

    /// The driver's handlers, while a module is attached.
    pub(super) fn module_handlers(&self) -> Option<sys::NDIS_FILTER_DRIVER_CHARACTERISTICS> {
        let mut all = self.handlers().filter(|_| self.is_attached())?;
        if let Some(own) = self.state().life.data_handlers {
            all.SendNetBufferListsHandler = own.SendNetBufferListsHandler;
            all.SendNetBufferListsCompleteHandler = own.SendNetBufferListsCompleteHandler;
            all.CancelSendNetBufferListsHandler = own.CancelSendNetBufferListsHandler;
            all.ReceiveNetBufferListsHandler = own.ReceiveNetBufferListsHandler;
            all.ReturnNetBufferListsHandler = own.ReturnNetBufferListsHandler;
        }
        Some(all)
    }

    /// NdisSetOptionalHandlers with the module's handle: `own` has the handlers that replace
    /// those of the data path.
    pub(crate) fn set_data_handlers(
        &self,
        own: sys::NDIS_FILTER_DRIVER_CHARACTERISTICS,
        routine: &str,
    ) {
        let mut state = self.state();
        if !state.life.in_options {
            let found = "for a module, and not from FilterSetModuleOptions";
            let finding = Finding::new(Rule::Restart, found);
            state.finding(routine, finding.on("network/data-bypass-mode"));
        }
        state.life.data_handlers = Some(own);
    }

    /// Attaches the filter to the NIC. The overlying driver then binds, and reads the advertised
    /// configuration.
    ///
    /// # Errors
    /// The status that FilterAttach returned, if it fails.
    pub fn attach(self: &Arc<Self>) -> Result<(), i32> {
        if self.config.attaches_in_registration && self.is_attached() {
            return Ok(());
        }
        let Some(driver) = self.state().driver else {
            return Err(sys::NDIS_STATUS_FAILURE);
        };
        let Some(handler) = driver.characteristics.AttachHandler else {
            return Err(sys::NDIS_STATUS_FAILURE);
        };
        let nic = self.nic();
        let kept = self.state().advertised.left_offload.clone();
        let own = kept
            .filter(|_| self.config.keeps_raised_offload)
            .unwrap_or_else(|| nic.offload_config());
        let mut parameters = AttachParameters::new(&self.config, &own);
        let module = self.module_handle();
        if module.addr() == NEIGHBOR {
            parameters = parameters.of_neighbor();
        }
        let raw = parameters.raw();
        {
            let mut state = self.state();
            state.life.module = ModuleState::Attaching;
            state.advertised.may_add = MayAdd {
                anyhow: advertises_always(&state.kernel.registry),
                ..nic.may_add()
            };
        }
        let status = self.call("attach handler", sys::PASSIVE_LEVEL, || {
            // SAFETY: the handler is the driver's; the parameters live during the call.
            unsafe { handler(module, driver.context, raw) }
        });
        if status == sys::NDIS_STATUS_PENDING {
            let found = "FilterAttach answered NDIS_STATUS_PENDING";
            let finding = Finding::new(Rule::Attach, found);
            self.finding("module", finding.on("ddi/ndis/nc-ndis-filter_attach"));
        }
        let advertised = parameters.offload();
        self.check_attached(status, &own, advertised.as_deref());
        if status < 0 {
            self.state().life.context = ptr::null_mut();
            self.bind(None, ModuleState::Detached);
            return Err(status);
        }
        self.state().advertised.left_offload.clone_from(&advertised);
        self.bind(advertised, ModuleState::Paused);
        Ok(())
    }

    /// Checks the results of FilterAttach.
    fn check_attached(&self, status: i32, own: &[u8], advertised: Option<&[u8]>) {
        let mut state = self.state();
        let may = state.advertised.may_add;
        let context_set = !state.life.context.is_null();
        if status < 0 {
            if context_set {
                let found =
                    format!("FilterAttach failed with {status:#x} after NdisFSetAttributes");
                state.violation(Rule::Attach, "module", found);
                let found = "its context is left although FilterAttach failed";
                state.violation(Rule::NothingLeft, "module", found);
            }
            if advertised.is_some_and(|advertised| advertised != own) {
                let found = "FilterAttach failed and left the offload configuration changed";
                state.violation(Rule::Attach, "module", found);
            }
            return;
        }
        if !context_set {
            let found = "attached without NdisFSetAttributes";
            state.violation(Rule::NothingLeft, "module", found);
        }
        if let Some(advertised) = advertised
            && let Some(found) = offload::wrong_rewrite(own, advertised, may)
        {
            state.violation(Rule::Status, "attach configuration", found);
        }
    }

    /// Restarts the module.
    ///
    /// # Errors
    /// The status that FilterRestart returned, if it fails.
    pub fn restart(self: &Arc<Self>) -> Result<(), i32> {
        self.restart_amid(|_| {})
    }

    /// The same while `others` happens: it comes when the module is Restarting already, and its
    /// FilterRestart has done nothing yet. Sends have to come back as paused then (Windows driver
    /// documentation, Starting a Filter Module).
    ///
    /// # Errors
    /// As for [`restart`](Self::restart).
    pub fn restart_amid(self: &Arc<Self>, others: impl FnOnce(&Arc<Self>)) -> Result<(), i32> {
        let handlers = self.handlers();
        if let Some(handler) = handlers.and_then(|all| all.SetFilterModuleOptionsHandler) {
            self.state().life.in_options = true;
            self.call("set-module-options handler", sys::PASSIVE_LEVEL, || {
                // SAFETY: the handler is the driver's and the module is paused.
                unsafe { handler(self.context()) }
            });
            self.state().life.in_options = false;
        }
        {
            let mut state = self.state();
            state.life.module = ModuleState::Restarting;
            state.life.refusing = true;
            state.life.sent_in_restart = false;
            state.life.restarts += 1;
            state.life.restart_completed = Some((0, 0));
            // A restart ends an earlier pre-detach: the module goes on.
            state.life.pre_detached = false;
            // The device has power.
            state.life.low_power = false;
        }
        others(self);
        // The driver takes sends when it is ready to, which is before it has completed the restart.
        self.state().life.refusing = false;
        if let Some(handler) = handlers.and_then(|all| all.RestartHandler) {
            let parameters = RestartParameters::new(&self.config, self.news_of_mtu());
            let status = self.call("restart handler", sys::PASSIVE_LEVEL, || {
                // SAFETY: the handler is the driver's and the module is paused.
                unsafe { handler(self.context(), parameters.raw()) }
            });
            let status = self.await_restart(status);
            let mut state = self.state();
            for found in parameters.take_back(&mut state.kernel.memory) {
                state.violation(Rule::Restart, "restart attributes", found);
            }
            if status < 0 {
                if state.life.sent_in_restart {
                    let found =
                        format!("sends went down in a restart that failed with {status:#x}");
                    state.violation(Rule::Running, RESTARTING, found);
                }
                state.life.module = ModuleState::Paused;
                return Err(status);
            }
        }
        let mut state = self.state();
        state.life.module = ModuleState::Running;
        state.life.running_since = Some(state.life.restarts);
        Ok(())
    }

    /// Waits for a restart that its handler left pending, and counts completions. Returns the
    /// restart's status.
    fn await_restart(self: &Arc<Self>, status: i32) -> i32 {
        let pending = status == sys::NDIS_STATUS_PENDING;
        let completions = || {
            self.state()
                .life
                .restart_completed
                .map_or(0, |(count, _)| count)
        };
        self.wait_until("FilterRestart", || !pending || completions() > 0);
        let (count, completed) = self
            .state()
            .life
            .restart_completed
            .take()
            .unwrap_or_default();
        if count != u32::from(pending) {
            let found =
                format!("{status:#x} from FilterRestart, {count} calls of NdisFRestartComplete");
            self.violation(Rule::Restart, "module", found);
        }
        match (pending, count) {
            (true, 0) => sys::NDIS_STATUS_FAILURE,
            (true, _) => completed,
            (false, _) => status,
        }
    }

    /// Restarts the module if the driver asked NDIS to. Returns whether it did.
    ///
    /// # Errors
    /// As for [`restart`](Self::restart).
    pub fn restart_if_requested(self: &Arc<Self>) -> Result<bool, i32> {
        let requested = std::mem::take(&mut self.state().life.restart_requested);
        if requested && self.module_state() == ModuleState::Running {
            self.pause();
            self.restart()?;
        }
        Ok(requested)
    }

    /// The MTU, if a restart is to report it: NDIS passes no attributes if they are the same as at
    /// the restart before (Windows driver documentation, FILTER_RESTART; NET_PNP_EVENT on
    /// NetEventRestart).
    fn news_of_mtu(&self) -> Option<u32> {
        let mut state = self.state();
        let (mtu, advertised) = (state.advertised.mtu, state.advertised.mtu_reported);
        state.advertised.mtu_reported = mtu;
        mtu.filter(|_| mtu != advertised)
    }

    /// Pauses the module and waits until it is paused.
    pub fn pause(self: &Arc<Self>) {
        let begun = self.clock.now();
        {
            let mut state = self.state();
            state.life.module = ModuleState::Pausing;
            state.life.running_since = None;
            state.life.pauses_completed = 0;
        }
        if let Some(handler) = self.handlers().and_then(|all| all.PauseHandler) {
            let parameters = Block::new(size_of::<sys::NDIS_FILTER_PAUSE_PARAMETERS>(), 8);
            let raw = parameters
                .start()
                .cast::<sys::NDIS_FILTER_PAUSE_PARAMETERS>();
            // SAFETY: the block is new and as long as the structure.
            unsafe {
                (*raw).Header = sys::NDIS_OBJECT_HEADER {
                    Type: sys::NDIS_OBJECT_TYPE_FILTER_PAUSE_PARAMETERS,
                    Revision: sys::NDIS_FILTER_PAUSE_PARAMETERS_REVISION_1,
                    Size: sys::NDIS_SIZEOF_FILTER_PAUSE_PARAMETERS_REVISION_1,
                };
            }
            let status = waiting::during(Some(During::Pause), || {
                self.call("pause handler", sys::PASSIVE_LEVEL, || {
                    // SAFETY: the handler is the driver's and the module is running.
                    unsafe { handler(self.context(), raw) }
                })
            });
            self.state().refuses_sends();
            self.await_pause(status);
            let took = self.clock.now() - begun;
            if took > LONGEST_PAUSE {
                let finding = Finding::new(Rule::Pause, format!("the pause took {took:?}"));
                self.finding(
                    "module",
                    finding.on("devtest/ndisfiltertimedpausecomplete-"),
                );
            }
        }
        let mut state = self.state();
        state.check_outstanding();
        state.life.module = ModuleState::Paused;
    }

    /// Waits for a pause that its handler left pending, and counts completions.
    fn await_pause(self: &Arc<Self>, status: i32) {
        let pending = status == sys::NDIS_STATUS_PENDING;
        if !pending && status != sys::NDIS_STATUS_SUCCESS {
            let found = format!("FilterPause answered {status:#x}");
            self.violation(Rule::Pause, "module", found);
        }
        let is_complete = || !pending || self.state().life.pauses_completed > 0;
        self.wait_until("FilterPause", is_complete);
        let completed = self.state().life.pauses_completed + u32::from(!pending);
        if completed != 1 {
            let found = format!("the pause completed {completed} times");
            self.violation(Rule::Pause, "module", found);
        }
    }

    /// Detaches the paused module. The overlying driver binds again, to the NIC alone.
    pub fn detach(self: &Arc<Self>) {
        self.complete_oids_of_above();
        self.check_true_configuration();
        self.state().life.module = ModuleState::Detaching;
        if let Some(handler) = self.handlers().and_then(|all| all.DetachHandler) {
            self.call("detach handler", sys::PASSIVE_LEVEL, || {
                // SAFETY: the handler is the driver's and the module is paused.
                unsafe { handler(self.context()) }
            });
        }
        {
            let mut state = self.state();
            state.life.context = ptr::null_mut();
            state.forget_all_own_oids();
            state.check_module_gone();
            state.life.restart_requested = false;
            state.life.pre_detached = false;
            state.life.data_handlers = None;
            state.advertised.mtu_reported = None;
        }
        self.bind(None, ModuleState::Detached);
    }

    /// Pauses and detaches the module if it is attached, as NDIS does when its driver deregisters.
    pub(crate) fn detach_attached(self: &Arc<Self>) {
        if self.is_attached() {
            self.pause();
            self.detach();
        }
    }

    /// Unloads the driver.
    pub fn unload(self: &Arc<Self>) {
        let object = self.driver_object.start().cast::<sys::DRIVER_OBJECT>();
        // SAFETY: the object is the model's own, initialized by the driver.
        if let Some(unload) = unsafe { (*object).DriverUnload } {
            self.call("unload routine", sys::PASSIVE_LEVEL, || {
                // SAFETY: no module is attached.
                unsafe { unload(object) }
            });
        }
        self.driver_gone("after unload");
    }

    /// The entries that the driver has written to the System event log.
    #[must_use]
    pub fn error_log(&self) -> Vec<LogEntry> {
        self.state().kernel.error_log.written.clone()
    }

    /// Checks that the driver left nothing behind: no registration, and no pointer into it.
    fn driver_gone(&self, when: &str) {
        let mut state = self.state();
        state.kernel.extensions.clear();
        state.kernel.spin_locks.clear();
        state.check_deferred_gone(when);
        state.check_objects_gone(when);
        if state.kernel.threads.running > 0 {
            let found = format!("{} threads run {when}", state.kernel.threads.running);
            state.violation(Rule::NothingLeft, "PsCreateSystemThread", found);
        }
        for link in std::mem::take(&mut state.kernel.links) {
            let found = format!("{link} is not deleted {when}");
            state.violation(Rule::NothingLeft, "IoCreateSymbolicLink", found);
        }
        let switch = std::mem::take(&mut state.virtual_switch);
        let left: u32 = switch.nics.values().chain(switch.ports.values()).sum();
        if left > 0 {
            let found = format!("{left} references of the switch's ports and NICs are left {when}");
            state.violation(Rule::NothingLeft, "driver", found);
        }
        if state.driver.is_some() {
            let found = format!("still registered as a filter driver {when}");
            state.violation(Rule::NothingLeft, "driver", found);
        }
        if state.control.device.is_some() {
            let found = format!("still registered {when}");
            state.violation(Rule::NothingLeft, "control device", found);
        }
        if state.kernel.tracing.provider.take().is_some() {
            let found = format!("still registered {when}");
            state.violation(Rule::NothingLeft, "event provider", found);
        }
    }

    /// Loads, attaches and restarts.
    ///
    /// # Errors
    /// The first step's status that fails.
    ///
    /// # Safety
    /// As for [`load`](Self::load).
    pub unsafe fn start(self: &Arc<Self>, entry: sys::DRIVER_INITIALIZE) -> Result<(), i32> {
        // SAFETY: the caller vouches for `entry`.
        unsafe { self.load(entry)? };
        self.attach()?;
        self.restart()
    }

    /// Announces the detach, pauses, detaches, unloads, and returns every broken rule.
    #[must_use]
    pub fn stop(self: &Arc<Self>) -> Vec<Violation> {
        self.pre_detach();
        self.pause();
        self.detach();
        self.unload();
        self.finish()
    }

    /// The last look, once the driver is gone; returns every broken rule.
    #[must_use]
    pub fn finish(&self) -> Vec<Violation> {
        drop(self.take_returned());
        let mut state = self.state();
        for _adapter in 0..2 {
            state.check_traffic_at_end();
            state.switch_adapter();
        }
        state.check_memory_at_end();
        drop(state);
        self.findings.take()
    }
}

impl crate::state::State {
    /// When a pause completes, every parent must be completed and every child returned.
    fn check_outstanding(&mut self) {
        for name in self.outstanding().into_iter().chain(self.queued_receives()) {
            self.violation(Rule::Pause, name, "outstanding when the pause completed");
        }
    }

    /// FilterDetach has returned: what was allocated or opened with the module's handle is gone.
    fn check_module_gone(&mut self) {
        let owner = self.life.handle;
        let pools = self
            .nbls
            .pools
            .values()
            .filter(|pool| pool.owner == owner)
            .count();
        if pools > 0 {
            let found = format!("{pools} NBL pools of the module outlive FilterDetach");
            let finding = Finding::new(Rule::NothingLeft, found);
            self.finding("module", finding.on("network/detaching-a-filter-module"));
        }
        let open = self.kernel.configurations.values();
        let open = open.filter(|open| open.owner == owner).count();
        if open > 0 {
            let found = format!("{open} configurations of the module are open after FilterDetach");
            let finding = Finding::new(Rule::NothingLeft, found);
            self.finding("module", finding.on("network/detaching-a-filter-module"));
        }
    }

    /// Checks that every send, received packet and request of the adapter came back.
    fn check_traffic_at_end(&mut self) {
        self.forget_completed();
        let lost: Vec<_> = self.sends.sent.values().map(|sent| sent.nbl).collect();
        for nbl in lost {
            let name = self.name(nbl);
            self.violation(Rule::EachCompletes, name, "was never completed");
        }
        self.check_received_at_end();
        self.check_oids_at_end();
    }

    /// Checks that the driver freed all memory that it allocated.
    fn check_memory_at_end(&mut self) {
        for (mdl, _) in std::mem::take(&mut self.mdls.mapped) {
            let subject = format!("MDL at {mdl:#x}");
            self.violation(Rule::Mappings, subject, "is still mapped at the end");
        }
        self.check_retreats_gone();
        for _ in std::mem::take(&mut self.nbls.clones) {
            let found = "a clone was never freed";
            self.violation(Rule::NothingLeft, "NdisAllocateCloneNetBufferList", found);
        }
        for _ in std::mem::take(&mut self.nbls.contexts) {
            let found = "was never freed";
            self.violation(Rule::NothingLeft, "NdisAllocateNetBufferListContext", found);
        }
        for pool in std::mem::take(&mut self.nbls.pools).into_keys() {
            let subject = format!("NBL pool {pool:#x}");
            self.violation(Rule::NothingLeft, subject, "was never freed");
        }
        let left = std::mem::take(&mut self.kernel.memory.pool);
        for (block, tag) in left.values() {
            if let Some(found) = block.written_outside() {
                self.violation(Rule::Memory, "pool", found);
            }
            let letters = tag.to_le_bytes();
            let tag = String::from_utf8_lossy(&letters);
            let found = format!("{} bytes with tag {tag} were never freed", block.size());
            self.violation(Rule::NothingLeft, "pool", found);
        }
        for _ in std::mem::take(&mut self.kernel.error_log.pending) {
            self.violation(Rule::ErrorLog, "entry", "neither written nor freed");
        }
        for _ in std::mem::take(&mut self.kernel.configurations) {
            self.violation(Rule::NothingLeft, "configuration", "was never closed");
        }
        for _ in std::mem::take(&mut self.kernel.rundowns) {
            self.violation(Rule::NothingLeft, "rundown reference", "was never freed");
        }
    }
}
