//! Everything a model keeps, behind one lock. The lock is never held while the driver is called.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::LargeSendLimits;
use ndis::sys;

use crate::{
    above::Sent,
    capabilities::UsoLimits,
    device::{Device, Request},
    error_log::ErrorLog,
    etw::Tracing,
    events::Events,
    findings::Findings,
    hidden_nbl::HiddenNbls,
    limits::Limits,
    memory::{Block, Memory},
    miniport::{Held, SentChild},
    offload::MayAdd,
    oid::Oids,
    received::Received,
    registry::RegistryValue,
    rules::{Finding, Rule},
    spin_lock::SpinLocks,
    status::{Incoming, SeenStatus},
    thread,
    world::{Config, EventUnderWay},
};

/// Where a filter module is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModuleState {
    /// No module.
    Detached,
    /// FilterAttach has been called and has not returned.
    Attaching,
    /// Attached, or paused again.
    Paused,
    /// FilterPause has been called and the pause is not complete.
    Pausing,
    /// Running.
    Running,
    /// FilterDetach has been called and has not returned.
    Detaching,
}

/// The owner of an NBL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// The overlying driver, before it sends the NBL or after the NBL was completed.
    Above,
    /// The filter: sent to it, or allocated by it.
    Filter,
    /// The miniport.
    Miniport,
}

/// The model's record of an NBL that exists.
pub(crate) struct Known {
    pub(crate) owner: Owner,
    pub(crate) origin: Origin,
    /// For messages.
    pub(crate) name: String,
}

/// Where an NBL comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The overlying driver, as its send of this number.
    Above(u64),
    /// The filter's pool with this handle.
    Pool(usize),
}

/// An NBL pool of the filter.
pub(crate) struct NblPool {
    pub(crate) context_size: u16,
    pub(crate) live: usize,
    /// Whether it was allocated with the module's handle.
    pub(crate) of_module: bool,
    pub(crate) memory: Block,
}

/// An open registry handle.
pub(crate) struct Configuration {
    pub(crate) _memory: Block,
    /// The parameters that were read through it.
    pub(crate) read: Vec<Block>,
    /// Whether it was opened with the module's handle.
    pub(crate) of_module: bool,
}

/// A partial MDL and the MDL that it was built from.
pub(crate) struct Partial {
    pub(crate) source: usize,
}

/// The filter driver's registration.
#[derive(Clone, Copy)]
pub(crate) struct Driver {
    /// The context that the driver expects back at attach.
    pub(crate) context: sys::NDIS_HANDLE,
    pub(crate) characteristics: sys::NDIS_FILTER_DRIVER_CHARACTERISTICS,
}

#[expect(unsafe_code, reason = "the registration holds raw pointers")]
// SAFETY: the strings in the characteristics are the driver's constants, the handlers are code,
// and the context is only passed back to the driver.
unsafe impl Send for Driver {}

/// See the module.
pub(crate) struct State {
    /// Bits in which the NIC counts the IPv4 identification.
    pub(crate) id_bits: u32,
    /// The capabilities that the filter may add to the NIC's NDIS_OFFLOAD.
    pub(crate) may_add: MayAdd,
    /// Most bytes of an IP datagram on the wire, where there is a bound.
    pub(crate) mtu: Option<u32>,
    /// The MTU that NDIS passed to the module at a restart.
    pub(crate) mtu_reported: Option<u32>,
    pub(crate) findings: Arc<Findings>,
    /// Open registry handles.
    pub(crate) configurations: BTreeMap<usize, Configuration>,
    pub(crate) memory: Memory,
    pub(crate) driver: Option<Driver>,
    pub(crate) module: ModuleState,
    /// The filter module's context.
    pub(crate) context: usize,
    pub(crate) known: BTreeMap<usize, Known>,
    pub(crate) pools: BTreeMap<usize, NblPool>,
    /// NBL memory of `known`, by address.
    pub(crate) nbls: BTreeMap<usize, Block>,
    /// NET_BUFFER and context area of the filter's NBLs, by the NBL's address.
    pub(crate) pool_parts: BTreeMap<usize, [Block; 2]>,
    /// The filter's NET_BUFFERs without an NBL of their own, by address, with their pool.
    pub(crate) net_buffers: BTreeMap<usize, (Block, usize)>,
    /// Number of the next NBL that the filter allocates.
    pub(crate) next_child: u64,
    pub(crate) private: HiddenNbls,
    pub(crate) partials: BTreeMap<usize, Partial>,
    /// Whether the driver has mapped an MDL at DISPATCH_LEVEL.
    pub(crate) mapped_at_dispatch: bool,
    /// MDLs that are mapped now.
    pub(crate) mapped: BTreeMap<usize, usize>,
    /// The overlying driver's sends that are not forgotten yet, by number.
    pub(crate) sent: BTreeMap<u64, Sent>,
    pub(crate) next_send: u64,
    /// The NBLs that the miniport holds, in the order in which it will complete them.
    pub(crate) held: VecDeque<Held>,
    /// MDLs inside the windows of packets in flight, with the NBL that has them.
    pub(crate) windows: BTreeMap<usize, usize>,
    pub(crate) children: Vec<SentChild>,
    pub(crate) wire: Vec<Vec<u8>>,
    pub(crate) accepted: u64,
    /// How many packets have left on the wire.
    pub(crate) left: u64,
    /// The latest reading of the miniport's clock.
    pub(crate) clock: usize,
    /// For each flow, the send and sequence offset that went down last.
    pub(crate) flows: BTreeMap<Vec<u8>, (u64, u32)>,
    pub(crate) warm: bool,
    /// Whether a consumer takes the wire's packets as they leave. Without one, none is kept.
    pub(crate) live: bool,
    pub(crate) extensions: BTreeMap<(usize, usize), Block>,
    pub(crate) rundowns: BTreeMap<usize, Rundown>,
    /// The NIC's capabilities, and the limits advertised to the overlying driver.
    pub(crate) limits: Limits,
    /// The NDIS_OFFLOAD that the overlying driver found when it bound.
    pub(crate) binding: Option<Vec<u8>>,
    /// The NDIS_OFFLOAD that the last FilterAttach left.
    pub(crate) left_offload: Option<Vec<u8>>,
    /// The limits advertised to the overlying driver last.
    pub(crate) advertised: LargeSendLimits,
    /// The same of UDP.
    pub(crate) advertised_uso: UsoLimits,
    pub(crate) seen_statuses: Vec<SeenStatus>,
    /// Indications that FilterStatus has now, each on its thread.
    pub(crate) incoming: Vec<Incoming>,
    pub(crate) event: Option<EventUnderWay>,
    /// Whether the filter was notified of the coming detach (pre-detach).
    pub(crate) pre_detached: bool,
    /// How often the module was restarted.
    pub(crate) restarts: u64,
    /// The number of the restart since which it runs, once FilterRestart has returned and until the
    /// next pause begins.
    pub(crate) running_since: Option<u64>,
    /// Whether new sends have to come back as paused: FilterPause waits, or has returned.
    pub(crate) refusing: bool,
    /// NdisFPauseComplete calls of the pause under way.
    pub(crate) pauses_completed: u32,
    /// NdisFRestartComplete calls of the restart under way, with the last one's status; none while
    /// no restart is pending.
    pub(crate) restart_completed: Option<(u32, i32)>,
    /// Whether the driver asked NDIS to restart the module.
    pub(crate) restart_requested: bool,
    /// The ids for which the overlying driver cancelled sends.
    pub(crate) cancelled: BTreeSet<usize>,
    /// The ids for which the filter cancelled sends below.
    pub(crate) cancels_below: BTreeSet<usize>,
    /// Whether the driver asked for the handlers of the virtual switch.
    pub(crate) switch_extension: bool,
    /// Received NBLs by address.
    pub(crate) received: BTreeMap<usize, Received>,
    /// Number of the next received NBL.
    pub(crate) next_received: u64,
    /// The device event under way, and how often it was forwarded.
    pub(crate) device_event: Option<(usize, u32)>,
    pub(crate) oids: Oids,
    pub(crate) registry: BTreeMap<String, RegistryValue>,
    /// The keywords that were read, with the type of parameter.
    pub(crate) keywords: BTreeMap<String, i32>,
    pub(crate) device: Option<Device>,
    /// Requests that the control device has now.
    pub(crate) requests: Vec<Request>,
    pub(crate) spin_locks: SpinLocks,
    pub(crate) error_log: ErrorLog,
    pub(crate) events: Events,
    pub(crate) tracing: Tracing,
}

/// A rundown reference.
pub(crate) struct Rundown {
    pub(crate) count: u64,
    pub(crate) down: bool,
    /// Whether the owner has marked it as completed, which it must do before it uses it again.
    pub(crate) completed: bool,
    pub(crate) memory: Block,
}

impl State {
    pub(crate) fn new(config: &Config, findings: Arc<Findings>) -> Self {
        Self {
            id_bits: config.nic.id_bits,
            may_add: config.nic.may_add(),
            mtu: config.mtu,
            mtu_reported: None,
            configurations: BTreeMap::new(),
            findings,
            memory: Memory::default(),
            driver: None,
            module: ModuleState::Detached,
            context: 0,
            known: BTreeMap::new(),
            pools: BTreeMap::new(),
            nbls: BTreeMap::new(),
            pool_parts: BTreeMap::new(),
            net_buffers: BTreeMap::new(),
            next_child: 0,
            private: HiddenNbls::default(),
            partials: BTreeMap::new(),
            mapped_at_dispatch: false,
            mapped: BTreeMap::new(),
            sent: BTreeMap::new(),
            next_send: 0,
            held: VecDeque::new(),
            windows: BTreeMap::new(),
            children: Vec::new(),
            wire: Vec::new(),
            accepted: 0,
            left: 0,
            clock: 0,
            flows: BTreeMap::new(),
            warm: false,
            live: false,
            extensions: BTreeMap::new(),
            rundowns: BTreeMap::new(),
            limits: Limits::default(),
            binding: None,
            left_offload: None,
            advertised: LargeSendLimits::default(),
            advertised_uso: UsoLimits::default(),
            seen_statuses: Vec::new(),
            incoming: Vec::new(),
            event: None,
            pre_detached: false,
            restarts: 0,
            running_since: None,
            refusing: false,
            pauses_completed: 0,
            restart_completed: None,
            restart_requested: false,
            cancelled: BTreeSet::new(),
            cancels_below: BTreeSet::new(),
            switch_extension: false,
            received: BTreeMap::new(),
            next_received: 0,
            device_event: None,
            oids: Oids::default(),
            registry: BTreeMap::new(),
            keywords: BTreeMap::new(),
            device: None,
            requests: Vec::new(),
            spin_locks: SpinLocks::default(),
            error_log: ErrorLog::default(),
            events: Events::default(),
            tracing: Tracing::default(),
        }
    }

    /// Records that a rule was broken.
    pub(crate) fn violation(
        &mut self,
        rule: Rule,
        subject: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.finding(subject, Finding::new(rule, found));
    }

    /// Records a finding about `subject`, unless its level is not asked for.
    pub(crate) fn finding(&mut self, subject: impl Into<String>, finding: Finding) {
        self.findings.record(subject, finding);
    }

    /// Counts an allocation by `routine`, and returns whether it is to succeed.
    pub(crate) fn may_allocate(&mut self, routine: &str) -> bool {
        if self.warm {
            self.violation(Rule::SteadyState, routine, "an allocation after warm-up");
        }
        self.memory.grant()
    }

    /// The spin locks in freed memory are gone with it.
    pub(crate) fn forget_locks(&mut self, block: &Block) {
        let gone = block.address()..block.address() + block.size();
        for lock in self.spin_locks.forget(gone) {
            if thread::holds(lock) {
                let subject = format!("spin lock at {lock:#x}");
                self.violation(Rule::SpinLock, subject, "freed while it is held");
            }
        }
    }

    /// The events in freed memory are gone with it.
    pub(crate) fn forget_events(&mut self, block: &Block) {
        for event in self.events.forget(block) {
            let subject = format!("event at {event:#x}");
            self.violation(Rule::Events, subject, "freed while a thread waits");
        }
    }

    /// The NBLs that a pause has to wait for: outstanding children, parents that wait for
    /// children, and sends that the filter queued. A send whose handler has not returned is none of
    /// them: the filter may still refuse it.
    pub(crate) fn outstanding(&self) -> Vec<String> {
        let is_out = |known: &&Known| match (known.origin, known.owner) {
            (Origin::Pool(_), owner) => owner == Owner::Miniport,
            (Origin::Above(number), Owner::Filter) => {
                let sent = self.sent.get(&number);
                sent.is_some_and(|sent| sent.children > 0 || sent.handler_returned)
            }
            _ => false,
        };
        let outstanding = self.known.values().filter(is_out);
        outstanding.map(|known| known.name.clone()).collect()
    }

    /// FilterPause waits or has returned: it can no longer be about to find out that sends are to
    /// be refused.
    pub(crate) fn refuses_sends(&mut self) {
        self.refusing = true;
    }

    /// The name of the NBL at `address` for messages.
    pub(crate) fn name(&self, address: usize) -> String {
        self.known.get(&address).map_or_else(
            || format!("unknown NBL at {address:#x}"),
            |known| known.name.clone(),
        )
    }
}
