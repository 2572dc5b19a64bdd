//! Scenarios over the model: their common starting points.
//!
//! The scenarios themselves are in `tests/`: five programs, each with one file for each concern. They
//! reach the driver through a [`Machine`] alone, so that they run as well against another build of it. This crate
//! has the parts that several of them share: [`packets`] to send, and those that the filter
//! must [refuse](refused).
#![expect(
    unsafe_code,
    reason = "names the driver's entry point, and looks at NBLs on their way"
)]

pub mod adapter;
pub mod control;
pub mod driver;
pub mod fuzz;
pub mod inf_requirements;
pub mod memory_fault;
pub mod packets;
pub mod raw;
pub mod refused;
pub mod tampering;

use std::sync::Arc;

use ::control::keyword;
use control::Statistics;
use driver::Driver;
use harness::machine::turned_on;
use model::{Config, Nic, Packet, SendCall, SentChild, Violation, World};
use ndis::sys::DRIVER_INITIALIZE;
use packets::one_stage;

/// A model machine on which the driver runs.
pub struct Machine {
    /// The machine.
    pub world: Arc<World>,
    /// The entry point of the build of the driver that runs on it, which the machine keeps.
    entry: DRIVER_INITIALIZE,
}

impl Machine {
    /// A machine with the driver running, and the adapter turned on: with the profile `throughput`
    /// unless `config` has a profile or a multiple of its own.
    ///
    /// # Panics
    /// If the driver does not start.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let machine = Self::without_driver(config);
        machine.try_start().expect("the driver starts");
        machine
    }

    /// A machine with the driver running and no other settings than those of `config`. Without any it
    /// is as installed, and nothing is raised.
    ///
    /// # Panics
    /// If the driver does not start.
    #[must_use]
    pub fn as_installed(config: Config) -> Self {
        let machine = Self::without_settings(config);
        machine.try_start().expect("the driver starts");
        machine
    }

    /// The same on a default machine with this NIC.
    ///
    /// # Panics
    /// If the driver does not start.
    #[must_use]
    pub fn with_nic(nic: Nic) -> Self {
        Self::start(Config::with_nic(nic))
    }

    /// A machine on which the driver has yet to be started, the adapter turned on as with
    /// [`start`](Self::start).
    #[must_use]
    pub fn without_driver(config: Config) -> Self {
        let raises =
            |(name, _): &(String, u32)| name == keyword::PROFILE || name == keyword::MULTIPLE;
        Self::without_settings(match config.parameters.iter().any(raises) {
            true => config,
            false => turned_on(config),
        })
    }

    /// A machine on which the driver has yet to be started, and no other settings than those of
    /// `config`.
    #[must_use]
    pub fn without_settings(config: Config) -> Self {
        let (world, driver) = (World::new(config), Driver::under_test());
        let entry = driver.entry();
        world.keep(driver);
        Self { world, entry }
    }

    /// Loads, attaches and restarts the driver.
    ///
    /// # Errors
    /// The status of the first step that fails.
    pub fn try_start(&self) -> Result<(), i32> {
        self.load()?;
        self.world.attach()?;
        self.world.restart()
    }

    /// Loads the driver.
    ///
    /// # Errors
    /// The status that DriverEntry returned, if it fails.
    pub fn load(&self) -> Result<(), i32> {
        // SAFETY: the entry point of a build of the driver that the machine keeps.
        unsafe { self.world.load(self.entry) }
    }

    /// Sends packets as one chain at PASSIVE_LEVEL on processor 0, and returns their numbers.
    pub fn send(&self, packets: Vec<Packet>) -> Vec<u64> {
        self.world.send(packets, SendCall::default())
    }

    /// Sends one packet, and returns its number.
    pub fn send_one(&self, packet: Packet) -> u64 {
        self.send(vec![packet])[0]
    }

    /// Makes the NIC complete all NBLs that it holds, and those sent meanwhile.
    pub fn deliver_all(&self) {
        while self.world.deliver() > 0 {}
    }

    /// Sends a large send that must be split, and returns its children. The wire must match the
    /// independent reference's result for the packet in one stage.
    ///
    /// # Panics
    /// If the send fails, is not split, or reaches the wire otherwise.
    #[track_caller]
    pub fn assert_split(&self, packet: Packet) -> Vec<SentChild> {
        let children = self.assert_sent(packet);
        assert!(children.len() > 1, "it is split");
        assert!(children.iter().all(|child| child.is_child));
        children
    }

    /// Sends a large send, and returns the NBLs that the NIC received for it. The wire must match
    /// the independent reference's result for the packet in one stage.
    ///
    /// # Panics
    /// If the send fails or reaches the wire otherwise.
    #[track_caller]
    pub fn assert_sent(&self, packet: Packet) -> Vec<SentChild> {
        let expected = one_stage(&packet, self.world.nic().id_bits);
        let _ = (self.world.take_children(), self.world.take_wire());
        let number = self.send_one(packet);
        self.deliver_all();
        assert_eq!(self.status(number), 0);
        // Not assert_eq: it would print megabytes.
        assert!(self.world.take_wire() == expected, "the wire differs");
        self.world.take_children()
    }

    /// Status of send `number`.
    ///
    /// # Panics
    /// If it is not completed.
    #[must_use]
    #[track_caller]
    pub fn status(&self, number: u64) -> i32 {
        self.world.completed(number).expect("completed").status
    }

    /// The counters of the attached filter module, as the control device returns them.
    ///
    /// # Panics
    /// If no module is attached.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.world)
    }

    /// Resets its counters.
    ///
    /// # Panics
    /// If no module is attached.
    pub fn reset_statistics(&self) {
        Statistics::reset(&self.world);
    }

    /// Stops the driver and returns every rule that was broken.
    #[must_use]
    pub fn stop(self) -> Vec<Violation> {
        self.world.stop()
    }

    /// Stops the driver; no rule may have been broken.
    ///
    /// # Panics
    /// If one was.
    #[track_caller]
    pub fn stop_clean(self) {
        assert_clean(&self.stop());
    }
}

/// No rule may have been broken.
///
/// # Panics
/// If one was.
#[track_caller]
pub fn assert_clean(broken: &[Violation]) {
    let first: Vec<_> = broken.iter().take(10).map(ToString::to_string).collect();
    let (count, first) = (broken.len(), first.join("\n"));
    assert!(
        broken.is_empty(),
        "{count} times was a rule broken:\n{first}"
    );
}
