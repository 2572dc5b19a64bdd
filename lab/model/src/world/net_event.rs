//! Network events from above, the coming detach among them.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::sync::Arc;

use ndis::sys;

use super::{
    World,
    waiting::{self, During},
};
use crate::{
    memory::Block,
    rules::{Finding, Level, Rule},
    state::EventUnderWay,
};

/// Bytes of a NET_DEVICE_PNP_EVENT, and where in it the event is.
const DEVICE_EVENT: usize = 64;
const EVENT_AT: usize = 8;
/// NdisDeviceStateD0, full power, in the data of NetEventSetPower.
const D0: u8 = 1;

impl World {
    /// Notifies the filter that the module is about to be detached: its last chance to indicate a
    /// status to the overlying driver, which must then have the NIC's true configuration. A second
    /// call has no effect.
    pub fn pre_detach(self: &Arc<Self>) {
        if !self.is_attached() || self.state().life.pre_detached {
            return;
        }
        self.net_event(sys::NetEventFilterPreDetach, &[], sys::NDIS_STATUS_SUCCESS);
        self.state().life.pre_detached = true;
        // The filter may have given up a request that others waited behind.
        self.start_next_oid();
        self.check_true_configuration();
    }

    /// Sends network event `event` with `bytes` through the filter to the protocols that answer it,
    /// here with `answer`. Returns the filter's result.
    pub fn net_event(self: &Arc<Self>, event: i32, bytes: &[u8], answer: i32) -> i32 {
        let Some(handler) = self
            .module_handlers()
            .and_then(|all| all.NetPnPEventHandler)
        else {
            return answer;
        };
        let buffer = Block::of(bytes);
        let block = Block::new(size_of::<sys::NET_PNP_EVENT_NOTIFICATION>(), 16);
        let raw = block.start().cast::<sys::NET_PNP_EVENT_NOTIFICATION>();
        // SAFETY: the block is new and as long as the structure.
        unsafe {
            (*raw).Header = sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_DEFAULT,
                Revision: sys::NET_PNP_EVENT_NOTIFICATION_REVISION_2,
                Size: sys::NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_2,
            };
            (*raw).NetPnPEvent.NetEvent = event;
            if !bytes.is_empty() {
                (*raw).NetPnPEvent.Buffer = buffer.start().cast();
                (*raw).NetPnPEvent.BufferLength = bytes.len() as u32;
            }
        }
        let before = (block.bytes(), buffer.bytes());
        self.state().indications.event = Some(EventUnderWay {
            notification: block.address(),
            passed_on: 0,
            answer,
        });
        let power = [sys::NetEventSetPower, sys::NetEventQueryPower].contains(&event);
        let sets_power = event == sys::NetEventSetPower;
        if sets_power {
            self.state().life.low_power = false;
        }
        let status = waiting::during(power.then_some(During::PowerEvent(event)), || {
            self.call("network event handler", sys::PASSIVE_LEVEL, || {
                // SAFETY: the handler is the driver's; the notification lives during the call.
                unsafe { handler(self.context(), raw) }
            })
        });
        let mut state = self.state();
        if sets_power {
            state.life.low_power = bytes.first() > Some(&D0);
        }
        let passed_on = state
            .indications
            .event
            .take()
            .map_or(0, |event| event.passed_on);
        let subject = format!("network event {event}");
        // A filter may handle an event alone, but for the two queries, whose answer is that of the
        // drivers above (Windows driver documentation, FILTER_NET_PNP_EVENT).
        let query = [sys::NetEventQueryPower, sys::NetEventQueryRemoveDevice].contains(&event);
        let own = if query {
            Level::Contract
        } else {
            Level::Product
        };
        if passed_on != 1 {
            let found = format!("passed on {passed_on} times");
            let level = if passed_on > 1 { Level::Contract } else { own };
            state.finding(subject.clone(), Finding::at(level, Rule::NetEvent, found));
        }
        if status != answer {
            let found = format!("answered {answer:#x}, the filter answered {status:#x}");
            state.finding(subject.clone(), Finding::at(own, Rule::NetEvent, found));
        }
        if (block.bytes(), buffer.bytes()) != before {
            state.violation(Rule::NetEvent, subject, "changed on its way");
        }
        status
    }

    /// Sends device event `event` through the filter to the miniport.
    pub fn device_event(self: &Arc<Self>, event: i32) {
        let Some(handler) = self
            .module_handlers()
            .and_then(|all| all.DevicePnPEventNotifyHandler)
        else {
            return;
        };
        let block = Block::new(DEVICE_EVENT, 16);
        // SAFETY: the block is new, and longer than header, port and event.
        unsafe {
            block
                .start()
                .cast::<sys::NDIS_OBJECT_HEADER>()
                .write(sys::NDIS_OBJECT_HEADER {
                    Type: sys::NDIS_OBJECT_TYPE_DEFAULT,
                    Revision: 1,
                    Size: DEVICE_EVENT as u16,
                });
            block.start().add(EVENT_AT).cast::<i32>().write(event);
        }
        self.state().indications.device_event = Some((block.address(), 0));
        self.call("device event handler", sys::PASSIVE_LEVEL, || {
            // SAFETY: the handler is the driver's; the event lives during the call.
            unsafe { handler(self.context(), block.start().cast()) }
        });
        let mut state = self.state();
        let forwarded = state
            .indications
            .device_event
            .take()
            .map_or(0, |(_, count)| count);
        if forwarded != 1 {
            let found = format!("passed on {forwarded} times");
            state.violation(Rule::NetEvent, format!("device event {event}"), found);
        }
    }

    /// NdisFDevicePnPEventNotify.
    pub(crate) fn device_event_passed_on(&self, address: usize) {
        let mut state = self.state();
        match &mut state.indications.device_event {
            Some((under_way, count)) if *under_way == address => *count += 1,
            _ => {
                let found = "an event that is not under way";
                state.violation(Rule::NetEvent, "NdisFDevicePnPEventNotify", found);
            }
        }
    }

    /// NdisFNetPnPEvent.
    pub(crate) fn event_passed_on(&self, notification: usize) -> i32 {
        let mut state = self.state();
        match state.indications.event.as_mut() {
            Some(event) if event.notification == notification => {
                event.passed_on += 1;
                event.answer
            }
            _ => {
                let found = "an event that is not under way";
                state.violation(Rule::NetEvent, "NdisFNetPnPEvent", found);
                sys::NDIS_STATUS_INVALID_PARAMETER
            }
        }
    }
}
