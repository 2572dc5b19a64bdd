//! One model: a machine with NDIS, a layer above, one filter driver with one module, and a NIC.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::{
    collections::VecDeque,
    ffi::c_void,
    ptr::{self, NonNull},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ndis::{LargeSendLimit, sys};

use crate::{
    above::{self, Completed, Packet},
    memory::{Block, Failing},
    miniport::{Child, Nic},
    rules::{Rule, Violation},
    state::{ModuleState, Origin, Owner, State},
    thread,
};

/// NDIS's handle of the filter module.
pub(crate) const MODULE: usize = 0xF117E4;
/// NDIS's handle of the filter driver.
pub(crate) const DRIVER: usize = 0xD41FE4;

/// What a model is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// What NdisGetVersion answers.
    pub ndis_version: u32,
    /// Active processors.
    pub processors: u32,
    /// The NIC and how it behaves.
    pub nic: Nic,
    /// The miniport's medium; Ethernet unless a test wants another.
    pub medium: i32,
    /// Whether the miniport has an offload configuration at all.
    pub has_offload: bool,
    /// Integer parameters of the filter module in the registry, by keyword.
    pub parameters: Vec<(String, u32)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ndis_version: 6 << 16 | 85,
            processors: 2,
            nic: Nic::default(),
            medium: sys::NdisMedium802_3,
            has_offload: true,
            parameters: Vec::new(),
        }
    }
}

impl Config {
    /// A machine whose NIC counts the IPv4 identification in `bits` bits, and whose filter is set
    /// to do the same.
    #[must_use]
    pub fn counting_ip_id_in(mut self, bits: u32) -> Self {
        self.nic.id_bits = bits;
        self.parameters.push(("IpIdBits".into(), bits));
        self
    }

    /// The default machine with another NIC.
    #[must_use]
    pub fn with_nic(nic: Nic) -> Self {
        Self {
            nic,
            ..Self::default()
        }
    }
}

/// How the layer above makes one send call.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendCall {
    /// At DISPATCH_LEVEL, with the flag that says so.
    pub at_dispatch: bool,
    /// On this processor.
    pub processor: u32,
}

/// A chain on its way from the filter to NDIS, to be changed before NDIS sees it: how tests break
/// a rule on purpose.
pub enum Tamper<'a> {
    /// NdisFSendNetBufferLists.
    Send(&'a mut *mut sys::NET_BUFFER_LIST),
    /// NdisFSendNetBufferListsComplete.
    Complete(&'a mut *mut sys::NET_BUFFER_LIST),
}

type TamperFn = Box<dyn FnMut(Tamper<'_>) + Send>;

/// A pointer that the driver gave to NDIS to keep.
struct Kept(*mut c_void);

// SAFETY: the model passes the pointer back to the driver and never looks behind it.
unsafe impl Send for Kept {}

/// See the module.
pub struct World {
    pub(crate) config: Config,
    nic: Mutex<Nic>,
    state: Mutex<State>,
    driver_object: Block,
    context: Mutex<Kept>,
    tamper: Mutex<Option<TamperFn>>,
    resend: Mutex<VecDeque<Vec<Packet>>>,
}

// SAFETY: the driver object is only passed to the driver at load and unload; all else is behind
// locks.
unsafe impl Sync for World {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of one thread must not hide what the others find.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A machine without the driver.
    #[must_use]
    pub fn new(config: Config) -> Arc<Self> {
        let nic = config.nic.clone();
        Arc::new(Self {
            config,
            state: Mutex::new(State::new(nic.id_bits)),
            nic: Mutex::new(nic),
            driver_object: Block::new(size_of::<sys::DRIVER_OBJECT>(), 16),
            context: Mutex::new(Kept(ptr::null_mut())),
            tamper: Mutex::new(None),
            resend: Mutex::new(VecDeque::new()),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn violation(&self, rule: Rule, subject: &str, found: String) {
        self.state().violation(rule, subject, found);
    }

    /// Runs `body` as driver code: on processor 0, at PASSIVE_LEVEL, in this model.
    pub fn inside<T>(self: &Arc<Self>, body: impl FnOnce() -> T) -> T {
        let _inside = thread::enter(self, 0, sys::PASSIVE_LEVEL);
        body()
    }

    /// Loads the driver whose entry point is `entry`.
    ///
    /// # Errors
    /// What DriverEntry answers, where it fails.
    ///
    /// # Safety
    /// `entry` is the entry point of a driver.
    pub unsafe fn load(self: &Arc<Self>, entry: sys::DRIVER_INITIALIZE) -> Result<(), i32> {
        let object = self.driver_object.start().cast();
        // SAFETY: the object is one that the system would make; the caller vouches for `entry`.
        let status = self.inside(|| unsafe { entry(object, ptr::null_mut()) });
        if status < 0 {
            let mut state = self.state();
            state.extensions.clear();
            if state.driver.is_some() {
                let found = "DriverEntry failed and left the filter driver registered";
                state.violation(Rule::NothingLeft, "driver", found);
            }
            return Err(status);
        }
        Ok(())
    }

    fn handlers(&self) -> Option<sys::NDIS_FILTER_DRIVER_CHARACTERISTICS> {
        self.state().driver.map(|driver| driver.characteristics)
    }

    /// Attaches the filter to the NIC.
    ///
    /// # Errors
    /// What FilterAttach answers, where it fails.
    pub fn attach(self: &Arc<Self>) -> Result<(), i32> {
        let Some(driver) = self.state().driver else {
            return Err(sys::NDIS_STATUS_FAILURE);
        };
        let Some(handler) = driver.characteristics.AttachHandler else {
            return Err(sys::NDIS_STATUS_FAILURE);
        };
        let nic = self.nic();
        let offload = Block::new(size_of::<sys::NDIS_OFFLOAD>(), 8);
        let parameters = Block::new(size_of::<sys::NDIS_FILTER_ATTACH_PARAMETERS>(), 8);
        let raw = parameters
            .start()
            .cast::<sys::NDIS_FILTER_ATTACH_PARAMETERS>();
        // SAFETY: the blocks are new and as long as the structures.
        unsafe {
            write_offload(offload.start().cast(), &nic);
            (*raw).Header = sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_FILTER_ATTACH_PARAMETERS,
                Revision: sys::NDIS_FILTER_ATTACH_PARAMETERS_REVISION_4,
                Size: sys::NDIS_SIZEOF_FILTER_ATTACH_PARAMETERS_REVISION_4,
            };
            (*raw).IfIndex = 7;
            (*raw).MiniportMediaType = self.config.medium;
            if self.config.has_offload {
                (*raw).DefaultOffloadConfiguration = offload.start().cast();
            }
        }
        self.state().module = ModuleState::Attaching;
        // SAFETY: the handler is the driver's; the parameters live during the call.
        let status = self.inside(|| unsafe { handler(handle(MODULE), driver.context, raw) });
        let mut state = self.state();
        let context_set = state.context != 0;
        if status < 0 {
            state.module = ModuleState::Detached;
            if context_set {
                let found =
                    format!("FilterAttach failed with {status:#x} after NdisFSetAttributes");
                state.violation(Rule::NothingLeft, "module", found);
            }
            return Err(status);
        }
        if !context_set {
            state.violation(
                Rule::NothingLeft,
                "module",
                "attached without NdisFSetAttributes",
            );
        }
        state.module = ModuleState::Paused;
        Ok(())
    }

    pub(crate) fn set_context(&self, context: *mut c_void) {
        lock(&self.context).0 = context;
        self.state().context = context.addr();
    }

    fn context(&self) -> *mut c_void {
        lock(&self.context).0
    }

    /// The module's context, while it is attached.
    #[must_use]
    pub fn module_context(&self) -> Option<NonNull<c_void>> {
        NonNull::new(self.context())
    }

    /// Restarts the module.
    ///
    /// # Errors
    /// What FilterRestart answers, where it fails.
    pub fn restart(self: &Arc<Self>) -> Result<(), i32> {
        // The layer above may send from the moment that the filter takes sends, which is before
        // FilterRestart has returned.
        self.state().module = ModuleState::Running;
        if let Some(handler) = self.handlers().and_then(|all| all.RestartHandler) {
            // The real parameters matter to no part of the driver yet.
            let parameters = Block::new(size_of::<sys::NDIS_FILTER_RESTART_PARAMETERS>(), 8);
            // SAFETY: the handler is the driver's and the module is paused.
            let status =
                self.inside(|| unsafe { handler(self.context(), parameters.start().cast()) });
            if status < 0 {
                self.state().module = ModuleState::Paused;
                return Err(status);
            }
        }
        Ok(())
    }

    /// Pauses the module and waits until it is paused.
    pub fn pause(self: &Arc<Self>) {
        self.state().module = ModuleState::Pausing;
        if let Some(handler) = self.handlers().and_then(|all| all.PauseHandler) {
            let parameters = Block::new(size_of::<sys::NDIS_FILTER_PAUSE_PARAMETERS>(), 8);
            // SAFETY: the handler is the driver's and the module is running.
            let status =
                self.inside(|| unsafe { handler(self.context(), parameters.start().cast()) });
            if status != sys::NDIS_STATUS_SUCCESS {
                let found = format!("FilterPause answered {status:#x}");
                self.violation(Rule::Pause, "module", found);
            }
        }
        let mut state = self.state();
        let waiting = state.outstanding();
        for name in waiting {
            state.violation(Rule::Pause, name, "outstanding when the pause completed");
        }
        state.module = ModuleState::Paused;
    }

    /// Detaches the paused module.
    pub fn detach(self: &Arc<Self>) {
        if let Some(handler) = self.handlers().and_then(|all| all.DetachHandler) {
            // SAFETY: the handler is the driver's and the module is paused.
            self.inside(|| unsafe { handler(self.context()) });
        }
        self.set_context(ptr::null_mut());
        self.state().module = ModuleState::Detached;
    }

    /// Unloads the driver.
    pub fn unload(self: &Arc<Self>) {
        let object = self.driver_object.start().cast::<sys::DRIVER_OBJECT>();
        // SAFETY: the object is the model's own, initialised by the driver.
        if let Some(unload) = unsafe { (*object).DriverUnload } {
            // SAFETY: no module is attached.
            self.inside(|| unsafe { unload(object) });
        }
        let mut state = self.state();
        state.extensions.clear();
        if state.driver.is_some() {
            let found = "the filter driver is still registered after unload";
            state.violation(Rule::NothingLeft, "driver", found);
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

    /// Pauses, detaches, unloads, and returns every broken rule.
    #[must_use]
    pub fn stop(self: &Arc<Self>) -> Vec<Violation> {
        self.pause();
        self.detach();
        self.unload();
        self.finish()
    }

    /// The last look, once the driver is gone; returns every broken rule.
    #[must_use]
    pub fn finish(&self) -> Vec<Violation> {
        let mut state = self.state();
        state.forget_completed();
        let lost: Vec<_> = state.sent.values().map(|sent| sent.nbl).collect();
        for nbl in lost {
            let name = state.name(nbl);
            state.violation(Rule::EachCompletes, name, "was never completed");
        }
        for (mdl, _) in std::mem::take(&mut state.mapped) {
            let subject = format!("MDL at {mdl:#x}");
            state.violation(Rule::Mappings, subject, "is still mapped at the end");
        }
        for pool in std::mem::take(&mut state.pools).into_keys() {
            let subject = format!("NBL pool {pool:#x}");
            state.violation(Rule::NothingLeft, subject, "was never freed");
        }
        let left = std::mem::take(&mut state.memory.pool);
        for (block, tag) in left.values() {
            let letters = tag.to_le_bytes();
            let tag = String::from_utf8_lossy(&letters);
            let found = format!("{} bytes with tag {tag} were never freed", block.size());
            state.violation(Rule::NothingLeft, "pool", found);
        }
        for _ in std::mem::take(&mut state.configurations) {
            state.violation(Rule::NothingLeft, "configuration", "was never closed");
        }
        for _ in std::mem::take(&mut state.rundowns) {
            state.violation(Rule::NothingLeft, "rundown reference", "was never freed");
        }
        std::mem::take(&mut state.violations)
    }

    /// Sends `packets` as one chain, and returns their numbers.
    pub fn send(self: &Arc<Self>, packets: Vec<Packet>, call: SendCall) -> Vec<u64> {
        let irql = if call.at_dispatch {
            sys::DISPATCH_LEVEL
        } else {
            sys::PASSIVE_LEVEL
        };
        let flags = if call.at_dispatch {
            sys::NDIS_SEND_FLAGS_DISPATCH_LEVEL
        } else {
            0
        };
        let (numbers, chain, failed_before) = self.build_chain(packets);
        let inside = thread::enter(self, call.processor, irql);
        match self
            .handlers()
            .and_then(|all| all.SendNetBufferListsHandler)
        {
            // SAFETY: the handler is the driver's; the chain's NBLs are live and now the filter's.
            Some(handler) => unsafe { handler(self.context(), chain, 0, flags) },
            None => self.send_down(chain, flags),
        }
        let after = thread::irql();
        drop(inside);
        if after != irql {
            let found = format!("FilterSend came at IRQL {irql} and returned at {after}");
            self.violation(Rule::Irql, "send handler", found);
        }
        self.check_failed_allocation(&numbers, failed_before);
        numbers
    }

    fn build_chain(&self, packets: Vec<Packet>) -> (Vec<u64>, *mut sys::NET_BUFFER_LIST, u64) {
        let mut state = self.state();
        if state.sent.len() > KEPT {
            state.forget_completed();
        }
        let numbers: Vec<_> = packets
            .into_iter()
            .map(|packet| above::build(&mut state, packet))
            .collect();
        let mut chain: *mut sys::NET_BUFFER_LIST = ptr::null_mut();
        for number in numbers.iter().rev() {
            let address = state.sent[number].nbl;
            let nbl = state.nbls[&address].start().cast::<sys::NET_BUFFER_LIST>();
            // SAFETY: the NBL was just built.
            unsafe { (*nbl).Next = chain };
            chain = nbl;
            if let Some(known) = state.known.get_mut(&address) {
                known.owner = Owner::Filter;
            }
        }
        let failed = state.memory.failed;
        (numbers, chain, failed)
    }

    /// An allocation that failed during a send costs one parent, with RESOURCES and whole.
    fn check_failed_allocation(&self, numbers: &[u64], failed_before: u64) {
        let mut state = self.state();
        let failed = state.memory.failed > failed_before;
        let mut paid = false;
        let mut partial = Vec::new();
        for sent in numbers.iter().filter_map(|number| state.sent.get(number)) {
            let starved = sent
                .completed
                .is_some_and(|completed| completed.status == sys::NDIS_STATUS_RESOURCES);
            if starved && sent.child_failures.is_empty() {
                paid = true;
                if sent.children > 0 {
                    partial.push((sent.nbl, sent.children));
                }
            }
        }
        if failed && !paid {
            let found = "an allocation failed and no large send came back with RESOURCES";
            state.violation(Rule::FailedAllocation, "send", found);
        }
        for (nbl, children) in partial {
            let name = state.name(nbl);
            let found =
                format!("came back with RESOURCES after {children} of its children went down");
            state.violation(Rule::FailedAllocation, name, found);
        }
    }

    /// NdisFSendNetBufferLists: the chain reaches the miniport.
    pub(crate) fn send_down(self: &Arc<Self>, chain: *mut sys::NET_BUFFER_LIST, flags: u32) {
        let mut chain = chain;
        if let Some(tamper) = lock(&self.tamper).as_mut() {
            tamper(Tamper::Send(&mut chain));
        }
        self.check_flag(flags & sys::NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0, "send");
        let nic = self.nic();
        {
            let mut state = self.state();
            let running = matches!(state.module, ModuleState::Running | ModuleState::Pausing);
            if !running {
                let found = format!("sends while {:?}", state.module);
                state.violation(Rule::Running, "module", found);
            }
            while let Some(nbl) = NonNull::new(chain) {
                let nbl = nbl.as_ptr();
                let Some(known) = state.known.get_mut(&nbl.addr()) else {
                    let subject = format!("NBL at {:#x}", nbl.addr());
                    state.violation(Rule::Once, subject, "is sent and does not exist");
                    break;
                };
                if known.owner != Owner::Filter {
                    let (name, owner) = (known.name.clone(), known.owner);
                    let found = format!("is sent although its owner is the {owner:?}");
                    state.violation(Rule::Once, name, found);
                    break;
                }
                known.owner = Owner::Miniport;
                // SAFETY: an NBL of the ledger is live.
                unsafe {
                    chain = (*nbl).Next;
                    state.accept(&nic, nbl);
                }
            }
        }
        if !nic.completion.deferred {
            self.deliver();
        }
    }

    /// The miniport completes all that it holds. Returns how many NBLs that were.
    pub fn deliver(self: &Arc<Self>) -> usize {
        let completion = self.nic().completion;
        let held = self.state().take_held(completion.order);
        let count = held.len();
        let irql = if completion.at_dispatch {
            sys::DISPATCH_LEVEL
        } else {
            thread::irql()
        };
        let processor = completion.on_processor.unwrap_or_else(thread::processor);
        let inside = thread::enter(self, processor, irql);
        if completion.merged {
            let mut state = self.state();
            let mut chain: *mut sys::NET_BUFFER_LIST = ptr::null_mut();
            let released: Vec<_> = held.iter().map(|held| state.release(held)).collect();
            drop(state);
            for nbl in released.into_iter().rev() {
                // SAFETY: just released, so live and NDIS's to link.
                unsafe { (*nbl).Next = chain };
                chain = nbl;
            }
            self.complete_to_filter(chain, irql);
        } else {
            for one in &held {
                let nbl = self.state().release(one);
                self.complete_to_filter(nbl, irql);
            }
        }
        drop(inside);
        count
    }

    fn complete_to_filter(self: &Arc<Self>, chain: *mut sys::NET_BUFFER_LIST, irql: u8) {
        if chain.is_null() {
            return;
        }
        let flags = if irql == sys::DISPATCH_LEVEL {
            sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
        } else {
            0
        };
        match self
            .handlers()
            .and_then(|all| all.SendNetBufferListsCompleteHandler)
        {
            // SAFETY: the handler is the driver's; the chain's NBLs are live and the filter's.
            Some(handler) => unsafe { handler(self.context(), chain, flags) },
            None => self.complete_up(chain, flags),
        }
    }

    /// NdisFSendNetBufferListsComplete: the chain reaches the layer above.
    pub(crate) fn complete_up(self: &Arc<Self>, chain: *mut sys::NET_BUFFER_LIST, flags: u32) {
        let mut chain = chain;
        if let Some(tamper) = lock(&self.tamper).as_mut() {
            tamper(Tamper::Complete(&mut chain));
        }
        let dispatch = flags & sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL != 0;
        self.check_flag(dispatch, "completion");
        while let Some(nbl) = NonNull::new(chain) {
            let nbl = nbl.as_ptr();
            let mut state = self.state();
            let Some(known) = state.known.get_mut(&nbl.addr()) else {
                let subject = format!("NBL at {:#x}", nbl.addr());
                state.violation(Rule::Once, subject, "is completed and does not exist");
                break;
            };
            let (name, owner, origin) = (known.name.clone(), known.owner, known.origin);
            match (owner, origin) {
                (Owner::Filter, Origin::Above(number)) => {
                    known.owner = Owner::Above;
                    // SAFETY: an NBL of the ledger is live.
                    chain = unsafe { (*nbl).Next };
                    state.came_back(number, nbl);
                }
                (Owner::Filter, Origin::Pool(_)) => {
                    let found = "is completed upward although the filter made it";
                    state.violation(Rule::Once, name, found);
                    break;
                }
                _ => {
                    let found = format!("is completed although its owner is the {owner:?}");
                    state.violation(Rule::Once, name, found);
                    break;
                }
            }
        }
        let next = lock(&self.resend).pop_front();
        if let Some(packets) = next {
            let call = SendCall {
                at_dispatch: thread::irql() == sys::DISPATCH_LEVEL,
                processor: thread::processor(),
            };
            self.send(packets, call);
        }
    }

    /// A flag that says DISPATCH_LEVEL must be true.
    fn check_flag(&self, says_dispatch: bool, what: &str) {
        if says_dispatch && thread::irql() != sys::DISPATCH_LEVEL {
            let found = format!("the {what} says DISPATCH_LEVEL at IRQL {}", thread::irql());
            self.violation(Rule::Irql, "module", found);
        }
    }

    /// What became of a send; `None` while it is outstanding, or when the model has forgotten it.
    #[must_use]
    pub fn completed(&self, number: u64) -> Option<Completed> {
        self.state().sent.get(&number)?.completed
    }

    /// Sends `packets` from within the next completion that reaches the layer above.
    pub fn send_on_completion(&self, packets: Vec<Packet>) {
        lock(&self.resend).push_back(packets);
    }

    /// Has `tamper` change every chain that the filter hands to NDIS from now on.
    pub fn tamper(&self, tamper: impl FnMut(Tamper<'_>) + Send + 'static) {
        *lock(&self.tamper) = Some(Box::new(tamper));
    }

    /// The NIC as it is now.
    #[must_use]
    pub fn nic(&self) -> Nic {
        lock(&self.nic).clone()
    }

    /// Changes how the NIC behaves.
    pub fn set_nic(&self, change: impl FnOnce(&mut Nic)) {
        let mut nic = lock(&self.nic);
        change(&mut nic);
        self.state().id_bits = nic.id_bits;
    }

    /// Says which allocations fail from now on. Returns how many were asked for so far.
    pub fn fail_allocations(&self, failing: Failing) -> u64 {
        let mut state = self.state();
        state.memory.failing = failing;
        state.memory.asked
    }

    /// From now on the driver must not allocate.
    pub fn warmed_up(&self) {
        self.state().warm = true;
    }

    /// What the filter gave to the NIC since the last call, in order.
    #[must_use]
    pub fn take_children(&self) -> Vec<Child> {
        std::mem::take(&mut self.state().children)
    }

    /// What left on the wire since the last call, in order.
    #[must_use]
    pub fn take_wire(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state().wire)
    }

    /// The rules broken so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.state().violations.clone()
    }

    /// Where the module is in its life.
    #[must_use]
    pub fn module_state(&self) -> ModuleState {
        self.state().module
    }
}

/// Completed sends that are kept, to see whether anybody touches them, before a new one is sent.
const KEPT: usize = 64;

/// A number as a handle.
pub(crate) fn handle(number: usize) -> sys::NDIS_HANDLE {
    ptr::without_provenance_mut(number)
}

/// Writes what the miniport says of its offloads.
///
/// # Safety
/// `offload` points to a zeroed NDIS_OFFLOAD.
unsafe fn write_offload(offload: *mut sys::NDIS_OFFLOAD, nic: &Nic) {
    let encapsulation = |limit: LargeSendLimit| {
        if limit.max_payload == 0 {
            0
        } else {
            sys::NDIS_ENCAPSULATION_IEEE_802_3
        }
    };
    let (v1, v4, v6) = (nic.limits.v1, nic.limits.v2_ipv4, nic.limits.v2_ipv6);
    // SAFETY: as the caller vouches.
    unsafe {
        (*offload).Header = sys::NDIS_OBJECT_HEADER {
            Type: sys::NDIS_OBJECT_TYPE_OFFLOAD,
            Revision: sys::NDIS_OFFLOAD_REVISION_7,
            Size: sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7,
        };
        (*offload).LsoV1.IPv4.Encapsulation = encapsulation(v1);
        (*offload).LsoV1.IPv4.MaxOffLoadSize = v1.max_payload;
        (*offload).LsoV1.IPv4.MinSegmentCount = v1.min_segments;
        (*offload).LsoV2.IPv4.Encapsulation = encapsulation(v4);
        (*offload).LsoV2.IPv4.MaxOffLoadSize = v4.max_payload;
        (*offload).LsoV2.IPv4.MinSegmentCount = v4.min_segments;
        (*offload).LsoV2.IPv6.Encapsulation = encapsulation(v6);
        (*offload).LsoV2.IPv6.MaxOffLoadSize = v6.max_payload;
        (*offload).LsoV2.IPv6.MinSegmentCount = v6.min_segments;
    }
}
