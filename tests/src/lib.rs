//! Scenarios over the model: what they all start from.
//!
//! The scenarios themselves are in `tests/`, one file for each concern.
#![expect(unsafe_code, reason = "names the driver's entry point")]

use std::sync::Arc;

use filter::Statistics;
use model::{Config, Packet, SendCall, Violation, World};

/// A model machine on which the driver runs.
pub struct Machine {
    /// The machine.
    pub world: Arc<World>,
}

impl Machine {
    /// A machine with the driver running.
    ///
    /// # Panics
    /// Where the driver does not start.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let machine = Self::without_driver(config);
        machine.try_start().expect("the driver starts");
        machine
    }

    /// A machine on which the driver has yet to be started.
    #[must_use]
    pub fn without_driver(config: Config) -> Self {
        Self {
            world: World::new(config),
        }
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
    /// What DriverEntry answers, where it fails.
    pub fn load(&self) -> Result<(), i32> {
        // SAFETY: the filter's own entry point.
        unsafe { self.world.load(filter::driver_entry) }
    }

    /// Sends packets as one chain at PASSIVE_LEVEL on processor 0, and returns their numbers.
    pub fn send(&self, packets: Vec<Packet>) -> Vec<u64> {
        self.world.send(packets, SendCall::default())
    }

    /// Status of send `number`.
    ///
    /// # Panics
    /// Where it is not completed.
    #[must_use]
    pub fn status(&self, number: u64) -> i32 {
        self.world.completed(number).expect("completed").status
    }

    /// What the attached filter module counted.
    ///
    /// # Panics
    /// Where no module is attached.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let context = self.world.module_context().expect("a module is attached");
        // SAFETY: the context is that of an attached module of the filter.
        unsafe { filter::statistics_of(context) }
    }

    /// Stops the driver and returns every rule that was broken.
    #[must_use]
    pub fn stop(self) -> Vec<Violation> {
        self.world.stop()
    }

    /// Stops the driver; no rule may have been broken.
    ///
    /// # Panics
    /// Where one was.
    pub fn stop_clean(self) {
        let broken: Vec<_> = self.stop().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}
