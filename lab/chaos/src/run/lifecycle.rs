//! The life cycle of driver and module: each step is possible at any time, and first takes the
//! steps that it needs.

use children::MAX_SG_ELEMENTS;
use control::keyword;
use model::{Failing, ModuleState, RegistryValue};
use ndis::sys;

use super::Run;
use crate::{counter_check::Counts, outcome::Failure, step::Settings};

/// Least bound of elements that the filter accepts.
const LEAST_ELEMENTS: u32 = 4;

impl Run<'_> {
    pub(super) fn pause(&mut self) -> bool {
        let running = self.world.module_state() == ModuleState::Running;
        if running {
            self.world.pause();
        }
        running
    }

    /// Makes the module run; with another MTU, where it does not yet.
    pub(super) fn restart(&mut self, mtu: Option<u32>) -> Result<bool, Failure> {
        if self.world.module_state() == ModuleState::Running {
            return Ok(false);
        }
        self.attach()?;
        self.world.set_mtu(mtu);
        self.world
            .restart()
            .map_err(|status| Failure::new("restart", format!("FilterRestart: {status:#x}")))?;
        Ok(true)
    }

    /// Attaches the module, paused; loads the driver first where it is not there. Where memory ran
    /// out, it must work once there is some.
    pub(super) fn attach(&mut self) -> Result<bool, Failure> {
        if self.is_attached() {
            return Ok(false);
        }
        self.world.complete_oids();
        if !self.loaded {
            self.twice("DriverEntry", |run| {
                // SAFETY: the driver is borrowed for as long as this run lives, and no other code
                // has the world.
                unsafe { run.driver.load_into(&run.world) }
            })?;
            self.loaded = true;
            self.of_driver = self.world.pool_allocations();
        }
        self.set_up();
        self.twice("FilterAttach", Self::try_attach)?;
        self.summary.attached[0] += 1;
        (self.pre_detach_signaled, self.counts) = (false, Some(Counts::default()));
        Ok(true)
    }

    /// Attaches the module, with an allocation that fails where one is to.
    fn try_attach(&mut self) -> Result<(), i32> {
        if let Some(which) = self.fail_attach.take() {
            self.fail(|asked| Failing::Nth(asked + which));
        }
        let asked = |run: &Self| {
            (
                run.world.asked_allocations(),
                run.world.failed_allocations(),
            )
        };
        let before = asked(self);
        let attached = self.world.attach();
        let after = asked(self);
        if before.1 == after.1 {
            self.of_attach = Some(after.0 - before.0);
        }
        attached
    }

    /// Does `what`, and again if it failed for lack of memory.
    fn twice(
        &mut self,
        name: &str,
        what: impl Fn(&mut Self) -> Result<(), i32>,
    ) -> Result<(), Failure> {
        let failed = self.world.failed_allocations();
        let Err(status) = what(self) else {
            return Ok(());
        };
        let starved = self.world.failed_allocations() > failed;
        if !starved || status != sys::NDIS_STATUS_RESOURCES {
            return Err(Failure::new(name, format!("{name}: status {status:#x}")));
        }
        self.check_nothing_left(name)?;
        self.summary.attached[1] += 1;
        self.fail(|_| Failing::None);
        what(self).map_err(|status| Failure::new(name, format!("{name} again: {status:#x}")))
    }

    /// Writes the settings into the registry, and makes the NIC match them.
    fn set_up(&self) {
        let Settings {
            ip_id_bits,
            software,
            max_sg_elements,
            tuning,
        } = self.settings;
        let set = |keyword, value| {
            self.world
                .set_registry(keyword, RegistryValue::Integer(value));
        };
        set(
            keyword::IP_ID_BITS,
            if ip_id_bits == 0 { 16 } else { ip_id_bits },
        );
        set(keyword::SOFTWARE_SEGMENTATION, software.unwrap_or(1));
        set(keyword::MAX_SG_ELEMENTS, max_sg_elements.unwrap_or(0));
        if let Some([multiple, profile, cap]) = tuning {
            set(keyword::MULTIPLE, multiple);
            set(keyword::PROFILE, profile);
            set(keyword::CAP_BYTES, cap);
        }
        let most = max_sg_elements.filter(|most| (LEAST_ELEMENTS..=MAX_SG_ELEMENTS).contains(most));
        self.world.set_nic(|nic| {
            nic.id_bits = if ip_id_bits == 15 { 15 } else { 16 };
            nic.max_elements = Some(most.unwrap_or(MAX_SG_ELEMENTS) as usize);
        });
    }

    pub(super) fn pre_detach(&mut self) -> bool {
        if !self.is_attached() || self.pre_detach_signaled {
            return false;
        }
        self.pre_detach_signaled = true;
        self.world.pre_detach();
        true
    }

    /// Detaches the module, after a look at its counters. It leaves no memory behind.
    pub(super) fn detach(&mut self, settings: Settings) -> Result<bool, Failure> {
        self.settings = settings;
        if !self.is_attached() {
            return Ok(false);
        }
        self.pause();
        self.check_counters()?;
        self.world.detach();
        self.look()?;
        self.check_nothing_left("FilterDetach")?;
        Ok(true)
    }

    fn check_nothing_left(&self, after: &str) -> Result<(), Failure> {
        let (now, before) = (self.world.pool_allocations(), self.of_driver);
        if now == before {
            return Ok(());
        }
        let found = format!("{now} allocations after {after}, {before} before the attach");
        Err(Failure::new("leak", found))
    }

    pub(super) fn unload(&mut self) -> Result<bool, Failure> {
        self.detach(self.settings)?;
        if !self.loaded {
            return Ok(false);
        }
        self.world.complete_oids();
        self.world.unload();
        (self.loaded, self.of_driver) = (false, 0);
        self.check_nothing_left("DriverUnload")?;
        Ok(true)
    }
}
