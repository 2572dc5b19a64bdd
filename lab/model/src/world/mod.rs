//! One model: a machine with NDIS, an overlying driver, and one filter driver with a module on each of
//! two NICs.
#![expect(unsafe_code, reason = "shares the driver object between threads")]

mod account;
mod call;
pub(crate) mod deferred;
mod device;
mod direct_oid;
mod lifecycle;
mod live;
mod net_event;
mod oid;
mod oid_answer;
mod receive;
mod status;
pub(crate) mod threads;
mod tracing;
mod traffic;
mod waiting;

pub use account::Account;
pub use live::{Lent, Returned};
pub use receive::ReceiveCall;
pub(crate) use waiting::{Waited, in_pause};

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::c_void,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use crate::LargeSendLimits;
use ndis::sys;

use crate::{
    above::{Completed, Packet},
    clock::Clock,
    config::Config,
    findings::Findings,
    handles::handle,
    live::Wire,
    memory::{Block, Failing},
    nic::Nic,
    offload::MayAdd,
    oid::OidCall,
    processors::Processors,
    registry::RegistryValue,
    rules::{Finding, Rule, Violation},
    state::{ModuleState, State},
    virtual_switch,
};

/// How the overlying driver makes one send call.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendCall {
    /// At DISPATCH_LEVEL, with the flag set for it.
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

/// Callback for every change of the advertised configuration.
type Listener = Box<dyn FnMut(LargeSendLimits) + Send>;

type TamperFn = Box<dyn FnMut(Tamper<'_>) + Send>;

/// See the module.
pub struct World {
    pub(crate) config: Config,
    pub(crate) findings: Arc<Findings>,
    active_processors: AtomicU32,
    pub(crate) processors: Arc<Processors>,
    pub(crate) clock: Arc<Clock>,
    /// The handle of the module on the adapter that is in use.
    in_use: AtomicUsize,
    nic: Mutex<Nic>,
    state: Mutex<State>,
    driver_object: Block,
    tamper: Mutex<Option<TamperFn>>,
    /// Values that must live as long as this machine, for example a driver's mapped image.
    kept: Mutex<Vec<Box<dyn Send>>>,
    resend: Mutex<VecDeque<Vec<Packet>>>,
    pub(crate) wire: Mutex<Option<Box<dyn Wire>>>,
    listener: Mutex<Option<Listener>>,
}

// SAFETY: the driver object is only passed to the driver at load and unload; all else is behind
// locks.
unsafe impl Sync for World {}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of one thread must not hide the findings of the others.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A machine without the driver.
    #[must_use]
    pub fn new(config: Config) -> Arc<Self> {
        let nic = config.nic.clone();
        let findings = Arc::new(Findings::new(config.level));
        let mut state = State::new(&config, Arc::clone(&findings));
        state.advertised.limits.change(nic.capabilities());
        state.other.advertised.limits.change(nic.capabilities());
        state.kernel.registry = config
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), RegistryValue::Integer(*value)))
            .collect();
        Arc::new(Self {
            active_processors: AtomicU32::new(config.processors),
            processors: Arc::default(),
            in_use: AtomicUsize::new(state.life.handle),
            clock: Arc::clone(&state.clock),
            config,
            findings,
            state: Mutex::new(state),
            nic: Mutex::new(nic),
            driver_object: Block::new(size_of::<sys::DRIVER_OBJECT>(), 16),
            tamper: Mutex::new(None),
            kept: Mutex::new(Vec::new()),
            resend: Mutex::new(VecDeque::new()),
            wire: Mutex::new(None),
            listener: Mutex::new(None),
        })
    }

    /// Makes the processors active that were hot-added.
    pub fn add_processors(&self) {
        let all = self.config.processors + self.config.hot_added;
        self.active_processors.store(all, Ordering::SeqCst);
    }

    pub(crate) fn active_processors(&self) -> u32 {
        self.active_processors.load(Ordering::SeqCst)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn violation(&self, rule: Rule, subject: &str, found: String) {
        self.finding(subject, Finding::new(rule, found));
    }

    pub(crate) fn finding(&self, subject: &str, finding: Finding) {
        self.findings.record(subject, finding);
    }

    /// The characteristics with which the driver registered; `None` where it has not.
    #[must_use]
    pub fn handlers(&self) -> Option<sys::NDIS_FILTER_DRIVER_CHARACTERISTICS> {
        self.state().driver.map(|driver| driver.characteristics)
    }

    /// Runs `body` on the other one of the machine's two adapters, which the driver's second module
    /// is for: all that the model does within it, and all that it looks at, belongs to that
    /// adapter. The NIC's settings are those of both.
    ///
    /// No other thread may be in the machine meanwhile.
    pub fn on_other_adapter<T>(self: &Arc<Self>, body: impl FnOnce(&Arc<Self>) -> T) -> T {
        self.switch_adapter();
        // Its limits follow what became of the NIC meanwhile.
        self.set_nic(|_| {});
        let result = body(self);
        self.switch_adapter();
        self.set_nic(|_| {});
        result
    }

    fn switch_adapter(&self) {
        let mut state = self.state();
        state.switch_adapter();
        self.in_use.store(state.life.handle, Ordering::SeqCst);
    }

    /// Whether `handle` is that of the module on the adapter that is in use.
    pub(crate) fn is_in_use(&self, handle: sys::NDIS_HANDLE) -> bool {
        handle.addr() == self.in_use.load(Ordering::SeqCst)
    }

    /// Runs `body` on the adapter that is not in use, for a call of the driver that names its module.
    pub(crate) fn at_other_adapter<T>(&self, body: impl FnOnce() -> T) -> T {
        self.switch_adapter();
        let result = body();
        self.switch_adapter();
        result
    }

    /// The driver object, which the system makes for the image.
    #[must_use]
    pub fn driver_object(&self) -> *mut u8 {
        self.driver_object.start()
    }

    fn context(&self) -> *mut c_void {
        self.state().life.context
    }

    /// The NDIS for which the driver registered, as NdisGetVersion answers.
    #[must_use]
    pub fn declared_ndis_version(&self) -> Option<u32> {
        let state = self.state();
        let driver = state.driver.as_ref()?;
        let characteristics = &driver.characteristics;
        let major = u32::from(characteristics.MajorNdisVersion) << 16;
        Some(major | u32::from(characteristics.MinorNdisVersion))
    }

    /// NDIS's handle of the filter module, as FilterAttach gets it.
    #[must_use]
    pub fn module_handle(&self) -> sys::NDIS_HANDLE {
        handle(self.in_use.load(Ordering::SeqCst))
    }

    /// The outcome of a send; `None` while it is outstanding, or when the model has forgotten it.
    #[must_use]
    pub fn completed(&self, number: u64) -> Option<Completed> {
        self.state().sends.sent.get(&number)?.completed
    }

    /// Sends `packets` from within the next completion that reaches the overlying driver.
    pub fn send_on_completion(&self, packets: Vec<Packet>) {
        lock(&self.resend).push_back(packets);
    }

    /// Keeps `what` as long as this machine lives: a driver's code has to be there to the end.
    pub fn keep(&self, what: impl Send + 'static) {
        lock(&self.kept).push(Box::new(what));
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

    /// Changes how the NIC behaves, without a status indication: see
    /// [`nic_changes`](Self::nic_changes) for a NIC that indicates it.
    pub fn set_nic(&self, change: impl FnOnce(&mut Nic)) {
        self.change_nic(change);
        self.state().advertised.limits.settle();
    }

    /// Changes the NIC; sends under way may still go by the limits before.
    fn change_nic(&self, change: impl FnOnce(&mut Nic)) {
        let mut nic = lock(&self.nic);
        change(&mut nic);
        let mut state = self.state();
        state.miniport.id_bits = nic.id_bits;
        // Until the hardware capabilities are indicated again, those indicated before may hold.
        let (before, now) = (state.advertised.may_add, nic.may_add());
        state.advertised.may_add = MayAdd {
            anyhow: before.anyhow,
            v2_ipv4: before.v2_ipv4 || now.v2_ipv4,
            v2_ipv6: before.v2_ipv6 || now.v2_ipv6,
        };
        state.advertised.limits.change(nic.capabilities());
    }

    /// Gives the miniport another MTU, which NDIS reports at the next restart, or none, which it
    /// does not report; to be changed while nothing is in flight.
    pub fn set_mtu(&self, mtu: Option<u32>) {
        let mut state = self.state();
        state.advertised.mtu = mtu.or(state.advertised.mtu);
    }

    /// The filter module's parameters in the registry.
    #[must_use]
    pub fn registry(&self) -> BTreeMap<String, RegistryValue> {
        self.state().kernel.registry.clone()
    }

    /// Writes a parameter of the filter module into the registry.
    pub fn set_registry(&self, keyword: &str, value: RegistryValue) {
        self.state().kernel.registry.insert(keyword.into(), value);
    }

    /// Selects the allocations that fail from now on. Returns the number requested so far.
    pub fn fail_allocations(&self, failing: Failing) -> u64 {
        let mut state = self.state();
        state.kernel.memory.failing = failing;
        state.kernel.memory.asked
    }

    /// How many allocations from the pool the driver has now.
    #[must_use]
    pub fn pool_allocations(&self) -> usize {
        self.state().kernel.memory.pool.len()
    }

    /// Bytes of non-paged pool that the driver has now: its own allocations, and NBLs with their
    /// context areas and NET_BUFFERs as far as drivers see them.
    #[must_use]
    pub fn memory_in_use(&self) -> usize {
        let state = self.state();
        let blocks = state
            .kernel
            .memory
            .pool
            .values()
            .map(|(block, _)| block.size());
        let contexts = state.nbls.parts.len();
        let context = state
            .nbls
            .pools
            .values()
            .map(|pool| usize::from(pool.context_size));
        let nbl = size_of::<sys::NET_BUFFER_LIST>()
            + size_of::<sys::NET_BUFFER_LIST_CONTEXT>()
            + context.max().unwrap_or(0);
        let net_buffers = contexts + state.nbls.net_buffers.len();
        blocks.sum::<usize>() + contexts * nbl + net_buffers * size_of::<sys::NET_BUFFER>()
    }

    /// Whether the driver has mapped buffers at DISPATCH_LEVEL since the model began.
    #[must_use]
    pub fn mapped_at_dispatch(&self) -> bool {
        self.state().mdls.mapped_at_dispatch
    }

    /// From now on the driver must not allocate.
    pub fn warmed_up(&self) {
        self.state().kernel.warm = true;
    }

    /// The packets that left on the wire since the last call, in order.
    #[must_use]
    pub fn take_wire(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state().miniport.wire)
    }

    /// The rules broken so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.findings.since(0)
    }

    /// The rules broken since the first `known` findings. Never waits for a call of the model that is
    /// under way.
    #[must_use]
    pub fn violations_since(&self, known: usize) -> Vec<Violation> {
        self.findings.since(known)
    }

    /// The keywords that the driver has read from the registry, each with the type of parameter
    /// that it asked for.
    #[must_use]
    pub fn keywords_read(&self) -> BTreeMap<String, i32> {
        self.state().kernel.keywords.clone()
    }

    /// Whether the driver is an extension of the virtual switch, whose packets come for the default
    /// port alone.
    #[must_use]
    pub fn is_switch_extension(&self) -> bool {
        self.state().life.switch_extension
    }

    /// The requests by which the virtual switch tells its extensions that a port and its NIC come and
    /// go.
    #[must_use]
    pub fn switch_requests(&self) -> Vec<OidCall> {
        virtual_switch::passing_port()
    }

    /// Where the module is in its life.
    #[must_use]
    pub fn module_state(&self) -> ModuleState {
        self.state().life.module
    }
}
