//! The send path and the completion path: sends, the miniport's completions, completed sends.
#![expect(
    unsafe_code,
    reason = "walks chains, calls the driver's handlers as NDIS does"
)]

use std::{
    ptr::{self, NonNull},
    sync::Arc,
};

use ndis::sys;

use super::{SendCall, Tamper, World, lock};
use crate::{
    above::{self, Packet},
    miniport::SentChild,
    race,
    rules::{Finding, Level, Rule, page},
    state::{ModuleState, Origin, Owner, RESTARTING, State},
    thread,
};

/// Completed sends that are kept, to detect later writes, before a new one is sent.
const KEPT: usize = 64;

impl World {
    /// Sends `packets` as one chain, and returns their numbers.
    pub fn send(self: &Arc<Self>, packets: Vec<Packet>, call: SendCall) -> Vec<u64> {
        self.send_for_port(packets, 0, call)
    }

    /// The same for another port than the default one.
    pub fn send_for_port(
        self: &Arc<Self>,
        packets: Vec<Packet>,
        port: u32,
        call: SendCall,
    ) -> Vec<u64> {
        let (numbers, chain, failed_before) = self.build_chain(packets.into_iter(), above::build);
        self.send_chain(&numbers, chain, failed_before, port, call);
        numbers
    }

    /// Sends the chain that [`build_chain`](Self::build_chain) made.
    pub(crate) fn send_chain(
        self: &Arc<Self>,
        numbers: &[u64],
        chain: *mut sys::NET_BUFFER_LIST,
        failed_before: u64,
        port: u32,
        call: SendCall,
    ) {
        let irql = if call.at_dispatch {
            sys::DISPATCH_LEVEL
        } else {
            sys::PASSIVE_LEVEL
        };
        let mut flags = if call.at_dispatch {
            sys::NDIS_SEND_FLAGS_DISPATCH_LEVEL
        } else {
            0
        };
        // As some protocols do, while somebody captures packets.
        let loopback = numbers.first().is_some_and(|number| number % 2 == 1);
        if loopback {
            flags |= sys::NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK;
        }
        self.state().sent_by_call(numbers, port, loopback);
        let handler = self
            .module_handlers()
            .and_then(|all| all.SendNetBufferListsHandler);
        let refuses = self.paused_since().filter(|_| handler.is_some());
        let inside = thread::enter_anew(self, call.processor, irql);
        match handler {
            Some(handler) => self.call("send handler", irql, || {
                // SAFETY: the handler is the driver's; the chain's NBLs are live and now the
                // filter's.
                unsafe { handler(self.context(), chain, port, flags) }
            }),
            None => self.send_down(chain, port, flags),
        }
        drop(inside);
        self.state().handler_returned(numbers);
        self.check_queue(numbers);
        self.check_failed_allocation(numbers, failed_before);
        if refuses.is_some() && refuses == self.paused_since() {
            self.check_refused(numbers);
        }
    }

    /// A filter that queues sends takes cancels of them.
    fn check_queue(&self, numbers: &[u64]) {
        let handlers = self.module_handlers();
        if handlers.is_none_or(|all| all.CancelSendNetBufferListsHandler.is_some()) {
            return;
        }
        let mut state = self.state();
        let queued = numbers.iter().find_map(|number| {
            let sent = state.sends.sent.get(number)?;
            let queued = sent.completed.is_none() && !sent.went_down();
            queued.then(|| state.name(sent.nbl))
        });
        if let Some(name) = queued {
            let found = "is queued by a filter without a FilterCancelSendNetBufferLists";
            state.violation(Rule::EachCompletes, name, found);
        }
    }

    /// After how many restarts the module is pausing or paused now, if it has to refuse sends.
    fn paused_since(&self) -> Option<u64> {
        let state = self.state();
        let paused = match state.life.module {
            ModuleState::Paused => true,
            ModuleState::Pausing | ModuleState::Restarting => state.life.refusing,
            _ => false,
        };
        paused.then_some(state.life.restarts)
    }

    /// Checks that sends made while the module is paused were completed at once, with the status
    /// for it.
    fn check_refused(&self, numbers: &[u64]) {
        let mut state = self.state();
        for number in numbers {
            let Some(sent) = state.sends.sent.get(number) else {
                continue;
            };
            let status = sent.completed.map(|completed| completed.status);
            if status != Some(sys::NDIS_STATUS_PAUSED) {
                let name = state.name(sent.nbl);
                let restarting = state.life.module == ModuleState::Restarting;
                let when = if restarting { "restarting" } else { "paused" };
                let how = match status {
                    Some(status) => format!("came back with {status:#x}"),
                    None => "did not come back at once".into(),
                };
                let found = format!("sent while {when}, {how}");
                let mut finding = Finding::new(Rule::Running, found);
                if restarting {
                    finding = finding.on(page::STARTING);
                }
                state.finding(name, finding);
            }
        }
    }

    /// Makes a chain of `packets`, each built by `build`. Returns their numbers, the chain, and how
    /// many allocations had failed before.
    pub(crate) fn build_chain<T>(
        &self,
        packets: impl Iterator<Item = T>,
        build: impl Fn(&mut State, T) -> u64,
    ) -> (Vec<u64>, *mut sys::NET_BUFFER_LIST, u64) {
        let mut state = self.state();
        if state.sends.sent.len() > KEPT {
            state.forget_completed();
        }
        let numbers: Vec<_> = packets.map(|packet| build(&mut state, packet)).collect();
        let mut chain: *mut sys::NET_BUFFER_LIST = ptr::null_mut();
        for number in numbers.iter().rev() {
            let address = state.sends.sent[number].nbl;
            let nbl = state.nbls.memory[&address]
                .start()
                .cast::<sys::NET_BUFFER_LIST>();
            // SAFETY: the NBL was just built.
            unsafe { (*nbl).Next = chain };
            chain = nbl;
            if let Some(known) = state.nbls.known.get_mut(&address) {
                known.owner = Owner::Filter;
            }
        }
        let failed = state.kernel.memory.unaccounted();
        (numbers, chain, failed)
    }

    /// An allocation that failed during a send costs one parent, with RESOURCES and whole.
    fn check_failed_allocation(&self, numbers: &[u64], failed_before: u64) {
        let mut state = self.state();
        // A send from within a completion accounts for its own.
        let own = state.kernel.memory.unaccounted() - failed_before;
        state.kernel.memory.accounted += own;
        let failed = own > 0;
        let mut paid = false;
        let mut partial = Vec::new();
        for sent in numbers
            .iter()
            .filter_map(|number| state.sends.sent.get(number))
        {
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

    /// The filter may send only while it runs, or is about to.
    pub(crate) fn check_running(&self) {
        let mut state = self.state();
        let restarting = state.life.module == ModuleState::Restarting;
        state.life.sent_in_restart |= restarting;
        let may = match state.life.module {
            ModuleState::Running | ModuleState::Pausing => true,
            // A driver that is ready passes on what comes before it has completed the restart.
            ModuleState::Restarting => !state.life.refusing,
            _ => false,
        };
        if !may {
            let found = format!("sends while {:?}", state.life.module);
            let subject = if restarting { RESTARTING } else { "module" };
            state.violation(Rule::Running, subject, found);
        }
    }

    /// A filter that sends takes completions too.
    pub(crate) fn check_completes_sends(&self) {
        let handlers = self.module_handlers();
        if handlers.is_some_and(|all| all.SendNetBufferListsCompleteHandler.is_none()) {
            let found = "sends without a FilterSendNetBufferListsComplete";
            self.violation(Rule::EachCompletes, "module", found.into());
        }
    }

    /// The chain reaches the miniport.
    pub(crate) fn send_down(
        self: &Arc<Self>,
        chain: *mut sys::NET_BUFFER_LIST,
        port: u32,
        flags: u32,
    ) {
        let mut chain = chain;
        if let Some(tamper) = lock(&self.tamper).as_mut() {
            tamper(Tamper::Send(&mut chain));
        }
        self.check_flag(flags & sys::NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0, "send");
        self.check_defined(flags, "NdisFSendNetBufferLists");
        let nic = self.nic();
        {
            let mut state = self.state();
            while let Some(nbl) = NonNull::new(chain) {
                let nbl = nbl.as_ptr();
                if state.is_of_other_adapter(nbl.addr()) {
                    break;
                }
                let Some(known) = state.nbls.known.get_mut(&nbl.addr()) else {
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
                race::release(nbl.addr());
                // SAFETY: an NBL of the ledger is live.
                unsafe {
                    chain = (*nbl).Next;
                    state.accept(&nic, nbl, (port, flags));
                }
            }
        }
        if !nic.completion.deferred {
            self.deliver();
        }
    }

    /// The miniport completes all that it holds. Returns how many NBLs that were.
    pub fn deliver(self: &Arc<Self>) -> usize {
        if self.state().miniport.held.is_empty() {
            return 0;
        }
        let completion = self.nic().completion;
        let irql = if completion.at_dispatch {
            sys::DISPATCH_LEVEL
        } else {
            thread::irql()
        };
        let processor = completion.on_processor.unwrap_or_else(thread::processor);
        let inside = thread::enter_if_free(self, processor, irql);
        let held = self.take_held(completion.order);
        let count = held.len();
        if completion.merged {
            let mut state = self.state();
            let mut chain: *mut sys::NET_BUFFER_LIST = ptr::null_mut();
            let released: Vec<_> = held.iter().map(|held| state.release(held)).collect();
            drop(state);
            for nbl in released.into_iter().rev() {
                race::acquire(nbl.addr());
                // SAFETY: just released, so live and NDIS's to link.
                unsafe { (*nbl).Next = chain };
                chain = nbl;
            }
            self.complete_to_filter(chain, irql);
        } else {
            for one in &held {
                let nbl = self.state().release(one);
                race::acquire(nbl.addr());
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
            .module_handlers()
            .and_then(|all| all.SendNetBufferListsCompleteHandler)
        {
            Some(handler) => self.call("send-complete handler", irql, || {
                // SAFETY: the handler is the driver's; the chain's NBLs are live and the filter's.
                unsafe { handler(self.context(), chain, flags) }
            }),
            None => self.complete_up(chain, flags),
        }
    }

    /// NdisFSendNetBufferListsComplete: the chain reaches the overlying driver.
    pub(crate) fn complete_up(self: &Arc<Self>, chain: *mut sys::NET_BUFFER_LIST, flags: u32) {
        let mut chain = chain;
        if let Some(tamper) = lock(&self.tamper).as_mut() {
            tamper(Tamper::Complete(&mut chain));
        }
        let dispatch = flags & sys::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL != 0;
        self.check_flag(dispatch, "completion");
        self.check_defined(flags, "NdisFSendNetBufferListsComplete");
        while let Some(nbl) = NonNull::new(chain) {
            let nbl = nbl.as_ptr();
            let mut state = self.state();
            if state.is_of_other_adapter(nbl.addr()) {
                break;
            }
            let Some(known) = state.nbls.known.get_mut(&nbl.addr()) else {
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

    /// The overlying driver cancels its sends with this cancel id.
    pub fn cancel_sends(self: &Arc<Self>, id: usize) {
        let handlers = self.module_handlers();
        let Some(handler) = handlers.and_then(|all| all.CancelSendNetBufferListsHandler) else {
            return;
        };
        let queued = {
            let mut state = self.state();
            state.sends.cancels_below.remove(&id);
            state.sends.canceled.insert(id);
            state.queued_with_cancel_id(id)
        };
        self.call("cancel-send handler", thread::irql(), || {
            // SAFETY: the handler is the driver's.
            unsafe { handler(self.context(), crate::handles::handle(id)) }
        });
        let mut state = self.state();
        if !state.sends.cancels_below.contains(&id) {
            let found = "the cancel was not passed on";
            let finding = Finding::at(Level::Advice, Rule::EachCompletes, found);
            state.finding("NdisFCancelSendNetBufferLists", finding);
        }
        for number in queued {
            let Some(sent) = state.sends.sent.get(&number) else {
                continue;
            };
            let (name, status) = (state.name(sent.nbl), sent.completed.map(|one| one.status));
            if status != Some(sys::NDIS_STATUS_SEND_ABORTED) && !sent.went_down() {
                let found = match status {
                    None => "is still queued after FilterCancelSendNetBufferLists".into(),
                    Some(status) => format!("canceled, came back with {status:#x}"),
                };
                state.violation(Rule::EachCompletes, name, found);
            }
        }
    }

    /// The NBLs that the filter gave to the NIC since the last call, in order.
    #[must_use]
    pub fn take_children(&self) -> Vec<SentChild> {
        std::mem::take(&mut self.state().miniport.children)
    }

    /// How many NBLs the miniport has accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state().miniport.accepted
    }

    /// Only flags that are defined may be set.
    pub(super) fn check_defined(&self, flags: u32, routine: &str) {
        // The flags of sends, completions, receive indications and returns.
        const DEFINED: u32 = 0xFFFF;
        if flags & !DEFINED != 0 {
            let found = format!("called with flags {flags:#x}, some of which are not defined");
            self.violation(Rule::PortAndFlags, routine, found);
        }
    }

    /// A flag that claims DISPATCH_LEVEL must be true.
    pub(super) fn check_flag(&self, claims_dispatch: bool, what: &str) {
        if claims_dispatch && thread::irql() != sys::DISPATCH_LEVEL {
            let found = format!("the {what} says DISPATCH_LEVEL at IRQL {}", thread::irql());
            self.finding(
                "module",
                Finding::new(Rule::Irql, found).on("network/dispatch-irql-tracking"),
            );
        }
    }
}

impl State {
    /// Sends `numbers` are handed over for `port`, to be looped back or not.
    fn sent_by_call(&mut self, numbers: &[u64], port: u32, loopback: bool) {
        for number in numbers {
            if let Some(sent) = self.sends.sent.get_mut(number) {
                sent.port = port;
                sent.loopback = loopback;
            }
        }
    }

    /// The handler that got the sends `numbers` has returned: what it did not pass on, fail or cut
    /// is queued.
    fn handler_returned(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(sent) = self.sends.sent.get_mut(number) {
                sent.handler_returned = true;
            }
        }
    }

    /// The sends with this cancel id that the filter has queued.
    fn queued_with_cancel_id(&self, id: usize) -> Vec<u64> {
        let queued = self.nbls.known.values().filter_map(|known| {
            let Origin::Above(number) = known.origin else {
                return None;
            };
            let sent = self.sends.sent.get(&number)?;
            let queued = known.owner == Owner::Filter
                && sent.handler_returned
                && !sent.went_down()
                && sent.packet.slot(sys::NetBufferListCancelId) == id;
            queued.then_some(number)
        });
        queued.collect()
    }
}
