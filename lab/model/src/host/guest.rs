//! A guest: the limits advertised to it, and the packets that it sends and receives.

use std::sync::{Arc, Mutex};

use crate::LargeSendLimits;

use super::{Delivery, Host, lock};
use crate::above::Packet;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// A guest; clones of it are the same guest.
#[derive(Clone)]
pub struct Guest {
    name: Arc<str>,
    mac: Mac,
    memory: Arc<Mutex<Memory>>,
}

/// The state that a guest takes along when it migrates.
#[derive(Default)]
struct Memory {
    /// Every limit advertised to it, the newest last.
    advertised: Vec<LargeSendLimits>,
    received: Vec<Packet>,
}

impl Guest {
    pub(super) fn new(name: &str, mac: Mac) -> Self {
        Self {
            name: name.into(),
            mac,
            memory: Arc::default(),
        }
    }

    /// The guest's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on the switch.
    #[must_use]
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// The large sends that it may make now.
    #[must_use]
    pub fn indicator(&self) -> LargeSendLimits {
        self.advertised().last().copied().unwrap_or_default()
    }

    /// Every limit ever advertised to it, oldest first.
    #[must_use]
    pub fn advertised(&self) -> Vec<LargeSendLimits> {
        lock(&self.memory).advertised.clone()
    }

    /// Sends the packet that `make` makes for the limits advertised last; `make` may make a smaller
    /// one, or one of a size that was advertised earlier.
    pub fn send(&self, host: &Host, make: impl FnOnce(LargeSendLimits) -> Packet) -> Delivery {
        host.pass(make(self.indicator()))
    }

    /// The packets that other guests of its host sent to it since the last call, each as it was
    /// sent.
    #[must_use]
    pub fn take_received(&self) -> Vec<Packet> {
        std::mem::take(&mut lock(&self.memory).received)
    }

    pub(super) fn advertise(&self, limits: LargeSendLimits) {
        let mut memory = lock(&self.memory);
        if memory.advertised.last() != Some(&limits) {
            memory.advertised.push(limits);
        }
    }

    pub(super) fn receive(&self, packet: Packet) {
        lock(&self.memory).received.push(packet);
    }

    /// Whether both are the same guest.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.memory, &other.memory)
    }
}
