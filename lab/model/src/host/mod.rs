//! Hosts: a virtual switch above the filter, and guests on it.
//!
//! A [`Host`] is a [`World`] whose overlying driver is a virtual switch. The switch learns from its
//! binding, and from every status indication since, the advertised large-send size; it passes that
//! on to its guests as their *indicator*. A [`Guest`] reads its indicator, makes a packet by it,
//! and sends: a packet to another guest of the same host is delivered whole, and the filter never
//! sees it; every other packet goes down, where the filter splits it if it exceeds the NIC's
//! limits. [`migrate`] moves a guest to another host, with another filter and another NIC.
//!
//! A story reads like this, `driver` being a driver's entry point:
//!
//! ```ignore
//! let world = World::new(Config::with_nic(Nic::new(64_000, 2)));
//! unsafe { world.start(driver) }?;
//! let host = Host::new("host 1", world);
//! let guest = host.add_guest("guest 1", [2, 0, 0, 0, 0, 0x11]);
//! println!("{:?} → {:?} → {:?}", host.nic_limits(), host.filter_advertises(), guest.indicator());
//! let delivery = guest.send(&host, |indicator| packet_of(indicator.v2_ipv4.max_payload));
//! ```

mod guest;
mod switch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::LargeSendLimits;

pub use guest::{Guest, Mac};
use switch::Switch;

use crate::{
    above::Packet,
    world::{SendCall, World},
};

/// The outcome of a packet that a guest sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It went whole to the guest of this name.
    Whole(String),
    /// It went down, as this send of the world.
    Down(u64),
}

/// A machine with a virtual switch.
pub struct Host {
    name: String,
    world: Arc<World>,
    switch: Arc<Mutex<Switch>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of one thread must not hide the findings of the others.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// Puts a switch on top of `world`, at whatever point of its life that is.
    #[must_use]
    pub fn new(name: &str, world: Arc<World>) -> Self {
        let switch = Arc::new(Mutex::new(Switch::default()));
        let learns = Arc::clone(&switch);
        world.on_advertised(move |limits| lock(&learns).learn(limits));
        lock(&switch).learn(world.advertised());
        Self {
            name: name.into(),
            world,
            switch,
        }
    }

    /// The host's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The machine below the switch.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The large sends that the NIC accepts.
    #[must_use]
    pub fn nic_limits(&self) -> LargeSendLimits {
        self.world.nic().current()
    }

    /// The large-send limits advertised to the switch: the filter's if there is one.
    #[must_use]
    pub fn filter_advertises(&self) -> LargeSendLimits {
        self.world.advertised()
    }

    /// Starts a guest, which receives the current limits.
    #[must_use]
    pub fn add_guest(&self, name: &str, mac: Mac) -> Guest {
        let guest = Guest::new(name, mac);
        lock(&self.switch).connect(guest.clone());
        guest
    }

    /// The guests on this host, in the order in which they came.
    #[must_use]
    pub fn guests(&self) -> Vec<Guest> {
        lock(&self.switch).guests().to_vec()
    }

    /// Forwards a guest's packet: whole to a guest on this host, down otherwise.
    fn pass(&self, packet: Packet) -> Delivery {
        let receiver = lock(&self.switch).receiver(&packet.frame);
        match receiver {
            Some(guest) => {
                let name = guest.name().to_owned();
                guest.receive(packet);
                Delivery::Whole(name)
            }
            None => Delivery::Down(self.world.send(vec![packet], SendCall::default())[0]),
        }
    }
}

/// Moves `guest` from one host to another, which advertises new limits to it. Packets that it still
/// sends at a size advertised before must pass there too.
///
/// # Panics
/// If the guest is not on `from`.
pub fn migrate(guest: &Guest, from: &Host, to: &Host) {
    assert!(
        lock(&from.switch).disconnect(guest),
        "{} is not on {}",
        guest.name(),
        from.name
    );
    for limits in guest.advertised() {
        to.world.also_advertised(limits);
    }
    lock(&to.switch).connect(guest.clone());
}
