//! Network events from above, the coming detach among them.
#![expect(unsafe_code, reason = "calls the driver's handlers as NDIS does")]

use std::sync::Arc;

use ndis::sys;

use super::World;
use crate::{memory::Block, rules::Rule};

/// An event on its way.
#[derive(Default)]
pub(crate) struct EventUnderWay {
    notification: usize,
    passed_on: u32,
    answer: i32,
}

impl World {
    /// Notifies the filter that the module is about to be detached: its last chance to indicate a
    /// status to the overlying driver, which must then have the NIC's true configuration. A second
    /// call has no effect.
    pub fn pre_detach(self: &Arc<Self>) {
        if !self.is_attached() || self.state().pre_detached {
            return;
        }
        self.net_event(sys::NetEventFilterPreDetach, &[], sys::NDIS_STATUS_SUCCESS);
        self.state().pre_detached = true;
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
        self.state().event = Some(EventUnderWay {
            notification: block.address(),
            passed_on: 0,
            answer,
        });
        let status = self.call("network event handler", sys::PASSIVE_LEVEL, || {
            // SAFETY: the handler is the driver's; the notification lives during the call.
            unsafe { handler(self.context(), raw) }
        });
        let mut state = self.state();
        let passed_on = state.event.take().map_or(0, |event| event.passed_on);
        let subject = format!("network event {event}");
        if passed_on != 1 {
            let found = format!("passed on {passed_on} times");
            state.violation(Rule::NetEvent, subject.clone(), found);
        }
        if status != answer {
            let found = format!("answered {answer:#x}, the filter says {status:#x}");
            state.violation(Rule::NetEvent, subject.clone(), found);
        }
        if (block.bytes(), buffer.bytes()) != before {
            state.violation(Rule::NetEvent, subject, "changed on its way");
        }
        status
    }

    /// NdisFNetPnPEvent.
    pub(crate) fn event_passed_on(&self, notification: usize) -> i32 {
        let mut state = self.state();
        match state.event.as_mut() {
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
