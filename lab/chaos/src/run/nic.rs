//! The NIC's actions, and the sends to it.

use model::{Answering, Completion, Nic, Order, Packet, SendCall};
use ndis::sys;

use super::{MOST_OUTSTANDING, Run};
use crate::{
    nic::Offer,
    packet::Shape,
    step::{Completing, Sends},
};

impl Run<'_> {
    /// The overlying driver sends to a module that is attached; to send to the bare NIC it would
    /// have to bind anew first.
    pub(super) fn send(&mut self, sends: &Sends) -> bool {
        if !self.is_attached() || sends.packets.is_empty() {
            return false;
        }
        if self.world.outstanding() > MOST_OUTSTANDING {
            self.world.deliver();
        }
        let call = SendCall {
            at_dispatch: sends.at_dispatch,
            processor: sends.processor % self.processors,
        };
        self.unsettled += sends.packets.len();
        self.world.send(packets(&sends.packets), call);
        true
    }

    pub(super) fn send_on_completion(&mut self, sends: &Sends) -> bool {
        let attached = self.is_attached();
        if attached {
            self.world.send_on_completion(packets(&sends.packets));
            self.unsettled += sends.packets.len();
        }
        attached
    }

    pub(super) fn complete_by(&self, how: &Completing) -> bool {
        let how = completion(how, self.processors);
        self.world.set_nic(|nic| nic.completion = how);
        true
    }

    /// Packets fail by their number among those that the NIC was given since now.
    pub(super) fn fail_sends(&self, which: &[(u32, i32)]) -> bool {
        let next = self.world.given();
        let which = which.iter();
        let failing = which.map(|(ahead, status)| (next + u64::from(*ahead), *status));
        self.world.set_nic(|nic| nic.failing = failing.collect());
        true
    }

    /// The NIC changes and indicates its new configuration, and its new hardware capabilities if
    /// those change.
    pub(super) fn nic_changes(&self, offer: &Offer) -> bool {
        if !self.has_offload {
            return false;
        }
        let lacks = |nic: Nic| {
            let limits = [nic.limits.v2_ipv4, nic.limits.v2_ipv6];
            limits.map(|limit| limit.max_payload == 0)
        };
        let before = lacks(self.world.nic());
        self.world.nic_changes(|nic| offer.apply(nic));
        if lacks(self.world.nic()) != before {
            self.indicate_again(true);
        }
        true
    }

    pub(super) fn indicate_again(&self, hardware: bool) -> bool {
        if self.has_offload {
            self.world.indicate_offload(match hardware {
                false => sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
                true => sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES,
            });
        }
        self.has_offload
    }

    pub(super) fn answer_by(&self, how: u8) -> bool {
        let how = match how {
            0 => Answering::Inline,
            1 => Answering::Early,
            _ => Answering::Later,
        };
        self.world.set_nic(|nic| nic.oids = how);
        true
    }
}

fn packets(shapes: &[Shape]) -> Vec<Packet> {
    shapes.iter().map(Shape::packet).collect()
}

fn completion(how: &Completing, processors: u32) -> Completion {
    Completion {
        deferred: how.deferred,
        order: match how.order {
            0 => Order::Sent,
            1 => Order::Reversed,
            seed => Order::Shuffled(seed),
        },
        merged: how.merged,
        on_processor: how.on_processor.map(|processor| processor % processors),
        at_dispatch: how.at_dispatch,
    }
}
