//! The receive path: the miniport indicates, the filter forwards or returns, the overlying driver
//! returns.
#![expect(
    unsafe_code,
    reason = "walks chains, calls the driver's handlers as NDIS does"
)]

use std::{
    ptr::{self, NonNull},
    sync::Arc,
};

use ndis::sys;

use super::{World, waiting};
use crate::{
    ModuleState, race,
    received::{Holder, Received},
    rules::{Finding, Level, Rule},
    state::{Origin, Owner, RESTARTING, State},
    status::MINIPORT,
    thread, virtual_switch,
};

/// NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL and NDIS_RETURN_FLAGS_DISPATCH_LEVEL.
const DISPATCH: u32 = 1;
/// NDIS_RECEIVE_FLAGS_RESOURCES.
const RESOURCES: u32 = 2;

/// The page of indications.
const INDICATING: &str = "ddi/ndis/nf-ndis-ndisfindicatereceivenetbufferlists";
/// The page about received packets.
const RECEIVING: &str = "network/receiving-data-in-a-filter-driver";

/// How the miniport makes one indication of received packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiveCall {
    /// At DISPATCH_LEVEL, with the flag set for it.
    pub at_dispatch: bool,
    /// With the RESOURCES flag: the NBLs are the miniport's again when the call returns.
    pub resources: bool,
    /// Whether the overlying driver keeps the NBLs until
    /// [`return_received`](World::return_received), if it may.
    pub kept: bool,
    /// On this processor.
    pub processor: u32,
    /// PortNumber.
    pub port: u32,
}

impl World {
    /// The miniport indicates `frames`, one in each NBL.
    pub fn receive(self: &Arc<Self>, frames: Vec<Vec<u8>>, call: ReceiveCall) {
        let irql = if call.at_dispatch {
            sys::DISPATCH_LEVEL
        } else {
            sys::PASSIVE_LEVEL
        };
        let mut flags = if call.at_dispatch { DISPATCH } else { 0 };
        if call.resources {
            flags |= RESOURCES;
        }
        let count = frames.len() as u32;
        let (chain, indicated) = self.state().build_received(frames, call);
        self.state().receives.keeps_own = call.kept;
        let handler = self
            .module_handlers()
            .and_then(|all| all.ReceiveNetBufferListsHandler);
        let inside = thread::enter_anew(self, call.processor, irql);
        match handler {
            Some(handler) => self.call("receive handler", irql, || {
                // SAFETY: the handler is the driver's; the NBLs are live and now the filter's.
                unsafe { handler(self.context(), chain, call.port, count, flags) }
            }),
            None => self.receive_up(chain, call.port, count, flags),
        }
        drop(inside);
        let mut state = self.state();
        state.receives.keeps_own = false;
        if call.resources {
            state.take_back(&indicated);
        } else {
            for address in indicated {
                if let Some(one) = state.receives.received.get_mut(&address) {
                    one.handler_returned = true;
                }
            }
        }
    }

    /// NdisFIndicateReceiveNetBufferLists.
    pub(crate) fn receive_up(
        self: &Arc<Self>,
        chain: *mut sys::NET_BUFFER_LIST,
        port: u32,
        count: u32,
        flags: u32,
    ) {
        self.check_flag(flags & DISPATCH != 0, "receive indication");
        self.check_defined(flags, "NdisFIndicateReceiveNetBufferLists");
        let with_resources = flags & RESOURCES != 0;
        let returned = {
            let mut state = self.state();
            let above = state.indicate(chain, port, count, with_resources);
            if with_resources {
                // The overlying driver has copied them when the call returns.
                for address in above {
                    state.lend_back(address);
                }
                Vec::new()
            } else {
                state.not_kept(&above)
            }
        };
        self.give_back(&returned);
    }

    /// The overlying driver returns all received NBLs that it keeps, those of the filter too.
    /// Returns how many those are.
    pub fn return_received(self: &Arc<Self>) -> usize {
        let kept = self.state().kept_above();
        if kept.is_empty() {
            return 0;
        }
        let _inside = thread::enter(self, thread::processor(), thread::irql());
        self.give_back(&kept);
        kept.len()
    }

    /// The overlying driver returns the NBLs at `addresses`, in one chain.
    fn give_back(self: &Arc<Self>, addresses: &[usize]) {
        let mut chain: *mut sys::NET_BUFFER_LIST = ptr::null_mut();
        {
            let mut state = self.state();
            for address in addresses.iter().rev() {
                let Some(nbl) = state.returned_from_above(*address) else {
                    continue;
                };
                race::acquire(nbl.addr());
                // SAFETY: a received NBL, or one of the filter's, is live.
                unsafe { (*nbl).Next = chain };
                chain = nbl;
            }
        }
        if chain.is_null() {
            return;
        }
        let irql = thread::irql();
        let flags = if irql == sys::DISPATCH_LEVEL {
            DISPATCH
        } else {
            0
        };
        match self
            .module_handlers()
            .and_then(|all| all.ReturnNetBufferListsHandler)
        {
            Some(handler) => self.call("return handler", irql, || {
                // SAFETY: the handler is the driver's; the NBLs are live and the filter's.
                unsafe { handler(self.context(), chain, flags) }
            }),
            None => self.return_down(chain, flags),
        }
    }

    /// NdisFReturnNetBufferLists.
    pub(crate) fn return_down(self: &Arc<Self>, chain: *mut sys::NET_BUFFER_LIST, flags: u32) {
        self.check_flag(flags & DISPATCH != 0, "return");
        self.check_defined(flags, "NdisFReturnNetBufferLists");
        let mut state = self.state();
        let mut chain = chain;
        while let Some(nbl) = NonNull::new(chain) {
            let nbl = nbl.as_ptr();
            match state.returned_to_miniport(nbl) {
                Some(next) => chain = next,
                None => break,
            }
        }
    }
}

impl State {
    /// The filter indicates a chain that begins with the NBL at `first`: what it may indicate depends
    /// on the state of its module.
    pub(crate) fn check_indicating(&mut self, first: usize) {
        let is_own = !self.receives.received.contains_key(&first);
        let module = self.life.module;
        let (level, subject) = match module {
            ModuleState::Attaching | ModuleState::Detaching => (Level::Contract, "module"),
            ModuleState::Paused if is_own => (Level::Contract, "module"),
            ModuleState::Pausing if is_own && waiting::in_pause() => (Level::Contract, "module"),
            // The page of FilterReceiveNetBufferLists allows it, that of the Paused state advises to
            // return them.
            ModuleState::Paused => (Level::Advice, "module"),
            // The page of NdisFRestartComplete allows it, that of the Restarting state advises
            // against it.
            ModuleState::Restarting if is_own => (Level::Advice, RESTARTING),
            _ => return,
        };
        let what = if is_own {
            "packets of its own"
        } else {
            "received packets"
        };
        let found = format!("indicates {what} while {module:?}");
        self.finding(subject, Finding::at(level, Rule::Running, found));
    }

    /// Builds NBLs with `frames`, linked in their order. Returns the first, and their addresses.
    fn build_received(
        &mut self,
        frames: Vec<Vec<u8>>,
        call: ReceiveCall,
    ) -> (*mut sys::NET_BUFFER_LIST, Vec<usize>) {
        self.forget_many_received();
        let mut chain: *mut sys::NET_BUFFER_LIST = ptr::null_mut();
        let mut addresses = Vec::new();
        for frame in frames.into_iter().rev() {
            let name = format!("received packet {}", self.receives.next);
            self.receives.next += 1;
            let mut one = Received::new(name, frame, call.resources, call.port);
            one.kept = call.kept;
            // SAFETY: the NBL is new.
            unsafe {
                (*one.raw()).Next = chain;
                if self.life.switch_extension {
                    (*one.raw()).NetBufferListInfo[sys::SwitchForwardingDetail] =
                        ptr::without_provenance_mut(virtual_switch::DETAIL);
                }
            }
            chain = one.raw();
            addresses.push(one.address());
            self.receives.received.insert(one.address(), one);
        }
        addresses.reverse();
        (chain, addresses)
    }

    /// The receive handler has returned from an indication with RESOURCES: the NBLs at `addresses`
    /// are the miniport's again, and have to be linked as they were.
    fn take_back(&mut self, addresses: &[usize]) {
        let next = addresses.iter().skip(1).copied().chain([0]);
        for (address, next) in addresses.iter().zip(next) {
            let Some(one) = self.receives.received.get_mut(address) else {
                continue;
            };
            let (name, holder) = (one.name.clone(), one.holder);
            one.give();
            // SAFETY: the NBL is live.
            let linked = unsafe { (*one.raw()).Next.addr() };
            one.holder = Holder::Miniport;
            one.take("a received NBL whose RESOURCES indication has returned");
            if holder != Holder::Filter {
                let found =
                    format!("indicated with RESOURCES, the {holder:?} has it at the return");
                self.violation(Rule::Receives, name, found);
            } else if linked != next {
                let found = "indicated with RESOURCES, at the return it is not linked as it was";
                self.violation(Rule::Receives, name, found);
            }
        }
    }

    /// The filter indicates a chain. Returns the addresses of the NBLs that the overlying driver
    /// has now.
    fn indicate(
        &mut self,
        chain: *mut sys::NET_BUFFER_LIST,
        port: u32,
        count: u32,
        with_resources: bool,
    ) -> Vec<usize> {
        let mut above = Vec::new();
        let mut chain = chain;
        let mut broken = false;
        while let Some(nbl) = NonNull::new(chain) {
            let nbl = nbl.as_ptr();
            let Some(next) = self.indicate_one(nbl, port, with_resources) else {
                broken = true;
                break;
            };
            above.push(nbl.addr());
            chain = next;
        }
        if !broken && above.len() != count as usize {
            let found = format!(
                "NumberOfNetBufferLists is {count}, the chain has {}",
                above.len()
            );
            self.violation(Rule::Receives, "NdisFIndicateReceiveNetBufferLists", found);
        }
        above
    }

    /// The filter indicates `nbl`. Returns the next one of the chain; `None` where the chain cannot
    /// be followed.
    fn indicate_one(
        &mut self,
        nbl: *mut sys::NET_BUFFER_LIST,
        port: u32,
        with_resources: bool,
    ) -> Option<*mut sys::NET_BUFFER_LIST> {
        let Some(one) = self.receives.received.get_mut(&nbl.addr()) else {
            return self.indicate_own(nbl);
        };
        let (name, holder, resources) = (one.name.clone(), one.holder, one.resources);
        if holder != Holder::Filter {
            let found = format!("is indicated although the {holder:?} has it");
            self.violation(Rule::Receives, name, found);
            return None;
        }
        one.holder = Holder::Above;
        race::release(nbl.addr());
        // SAFETY: a received NBL is live.
        let next = unsafe { (*nbl).Next };
        let expected = one.port;
        if !with_resources {
            one.take("a received NBL that the overlying driver has");
        }
        if resources && !with_resources {
            let found = "came with RESOURCES and is indicated without";
            self.violation(Rule::Receives, name.clone(), found);
        }
        if port != expected {
            let found = format!("came for port {expected}, is indicated for port {port}");
            let finding = Finding::new(Rule::PortAndFlags, found);
            self.finding(name, finding.on(INDICATING));
        }
        Some(next)
    }

    /// The filter indicates an NBL of its own.
    fn indicate_own(
        &mut self,
        nbl: *mut sys::NET_BUFFER_LIST,
    ) -> Option<*mut sys::NET_BUFFER_LIST> {
        match self.nbls.known.get_mut(&nbl.addr()) {
            Some(known)
                if known.owner == Owner::Filter && matches!(known.origin, Origin::Pool(_)) =>
            {
                known.owner = Owner::Above;
                race::release(nbl.addr());
                // SAFETY: an NBL of the ledger is live.
                let (next, source) = unsafe { ((*nbl).Next, (*nbl).SourceHandle) };
                if source.addr() != self.life.handle {
                    let name = self.name(nbl.addr());
                    let found = format!("is indicated with SourceHandle {:#x}", source.addr());
                    let finding = Finding::new(Rule::SourceHandle, found);
                    self.finding(name, finding.on(INDICATING));
                }
                Some(next)
            }
            Some(known) => {
                let found = format!("is indicated although its owner is the {:?}", known.owner);
                let name = known.name.clone();
                self.violation(Rule::Receives, name, found);
                None
            }
            None => {
                let subject = format!("NBL at {:#x}", nbl.addr());
                self.violation(Rule::Receives, subject, "is indicated and does not exist");
                None
            }
        }
    }

    /// An NBL that was indicated with RESOURCES is the filter's again.
    fn lend_back(&mut self, address: usize) {
        if let Some(one) = self.receives.received.get_mut(&address) {
            one.holder = Holder::Filter;
        } else if let Some(known) = self.nbls.known.get_mut(&address) {
            known.owner = Owner::Filter;
        }
    }

    /// The NBLs that the overlying driver keeps.
    fn kept_above(&self) -> Vec<usize> {
        let received = self.receives.received.values();
        let received = received.filter(|one| one.holder == Holder::Above);
        let own = self.nbls.known.iter();
        let own = own.filter(|(_, known)| known.is_indicated());
        let own = own.map(|(address, _)| *address);
        received.map(Received::address).chain(own).collect()
    }

    /// Those of `addresses` that the overlying driver returns at once.
    fn not_kept(&self, addresses: &[usize]) -> Vec<usize> {
        let kept = |address: &usize| match self.receives.received.get(address) {
            Some(one) => one.kept,
            None => self.receives.keeps_own,
        };
        addresses
            .iter()
            .copied()
            .filter(|address| !kept(address))
            .collect()
    }

    /// The overlying driver returns the NBL at `address` to the filter; `None` if it does not have
    /// it.
    fn returned_from_above(&mut self, address: usize) -> Option<*mut sys::NET_BUFFER_LIST> {
        if let Some(known) = self.nbls.known.get_mut(&address) {
            if !known.is_indicated() {
                return None;
            }
            known.owner = Owner::Filter;
            return Some(self.nbls.memory.get(&address)?.start().cast());
        }
        let one = self.receives.received.get_mut(&address)?;
        if one.holder != Holder::Above {
            return None;
        }
        one.holder = Holder::Filter;
        let (intact, name, raw) = (one.give(), one.name.clone(), one.raw());
        if !intact {
            let found = "touched while the overlying driver has it";
            self.violation(Rule::OneOwner, name, found);
        }
        Some(raw)
    }

    /// The filter returns `nbl` to the miniport. Returns the next one of the chain; `None` where
    /// the chain cannot be followed.
    fn returned_to_miniport(
        &mut self,
        nbl: *mut sys::NET_BUFFER_LIST,
    ) -> Option<*mut sys::NET_BUFFER_LIST> {
        let Some(one) = self.receives.received.get_mut(&nbl.addr()) else {
            let subject = match self.nbls.known.get(&nbl.addr()) {
                Some(known) => known.name.clone(),
                None => format!("NBL at {:#x}", nbl.addr()),
            };
            let found = "is returned although the miniport did not indicate it";
            self.violation(Rule::Receives, subject, found);
            return None;
        };
        let (name, holder, resources) = (one.name.clone(), one.holder, one.resources);
        if holder != Holder::Filter || resources {
            let how = if resources { ", with RESOURCES" } else { "" };
            let found = format!("is returned although the {holder:?} has it{how}");
            self.violation(Rule::Receives, name, found);
            return None;
        }
        // SAFETY: a received NBL is live.
        let (next, source) = unsafe { ((*nbl).Next, (*nbl).SourceHandle.addr()) };
        let intact = one.frame_intact();
        one.holder = Holder::Miniport;
        one.take("a received NBL that was returned");
        if source != MINIPORT {
            let found = format!("is returned with SourceHandle {source:#x}");
            let finding = Finding::new(Rule::SourceHandle, found).on(RECEIVING);
            self.finding(name.clone(), finding);
        }
        if !intact {
            let finding = Finding::new(Rule::ParentIntact, "is returned with other bytes");
            self.finding(name, finding.on(RECEIVING));
        }
        Some(next)
    }
}
