//! A machine to which steps happen, and which is looked at after each.
#![expect(unsafe_code, reason = "loads the driver, which is borrowed meanwhile")]

mod control_plane;
mod lifecycle;
mod nic;

use std::collections::BTreeMap;
use std::sync::Arc;

use control::{IoControl, Message, Select};
use model::{Config, FILTER_IF_INDEX, Failing, ModuleState, World};
use ndis::sys;

use super::{
    counter_check::{Counts, check_advertised, check_completed, refusals},
    outcome::{Failure, Summary},
    step::{Machine, Settings, Step},
};
use harness::device;
use harness::driver::Driver;
use harness::machine::turned_on;

/// A machine under way.
pub struct Run<'driver> {
    driver: &'driver Driver,
    world: Arc<World>,
    /// The settings with which the module is attached next.
    settings: Settings,
    loaded: bool,
    /// Pool allocations of the driver while no module is attached.
    of_driver: usize,
    /// Allocations that the last attach asked for, where none failed.
    of_attach: Option<u64>,
    /// The number of the allocation that fails at the next attach.
    fail_attach: Option<u64>,
    /// The coming detach was signaled (NetEventFilterPreDetach).
    pre_detach_signaled: bool,
    /// The last OID request.
    oid: Option<u64>,
    has_offload: bool,
    processors: u32,
    /// Sends since the model last forgot them.
    unsettled: usize,
    /// The expected statistics; `None` where they were reset while a send was in flight.
    counts: Option<Counts>,
    /// How often each kind of step was taken, and did something, in the order of its name.
    taken: BTreeMap<&'static str, [u64; 2]>,
    statuses: BTreeMap<i32, u64>,
    summary: Summary,
}

/// Sends in flight at a time. With completed ones that are still remembered, and those that are
/// sent from within completions, they stay below the 64 that the model remembers; the model does
/// not report the ones that it forgets.
const MOST_OUTSTANDING: usize = 24;
/// Sends that are over and not forgotten yet.
const MOST_UNSETTLED: usize = 16;

impl<'driver> Run<'driver> {
    /// A machine with `driver` running.
    pub fn start(driver: &'driver Driver, machine: &Machine) -> Result<Self, Failure> {
        let mut config = Config {
            ndis_version: 6 << 16 | machine.ndis_minor,
            processors: machine.processors.max(1),
            mtu: machine.mtu,
            has_offload: machine.has_offload,
            ..Config::default()
        };
        machine.offer.apply(&mut config.nic);
        config.nic.answers = vec![(sys::OID_GEN_STATISTICS, vec![3; 8])];
        let processors = config.processors;
        let mut run = Self {
            driver,
            world: World::new(turned_on(config)),
            settings: machine.settings,
            loaded: false,
            of_driver: 0,
            of_attach: None,
            fail_attach: None,
            pre_detach_signaled: false,
            oid: None,
            has_offload: machine.has_offload,
            processors,
            unsettled: 0,
            counts: Some(Counts::default()),
            taken: BTreeMap::new(),
            statuses: BTreeMap::new(),
            summary: Summary::default(),
        };
        run.world.keep_no_packets();
        run.restart(machine.mtu)?;
        run.look()?;
        Ok(run)
    }

    /// Takes one step, and looks at what came of it.
    pub fn take(&mut self, step: &Step) -> Result<(), Failure> {
        let effect = self.apply(step)?;
        let taken = self.taken.entry(step.into()).or_default();
        *taken = [taken[0] + 1, taken[1] + u64::from(effect)];
        self.look()?;
        if self.unsettled > MOST_UNSETTLED {
            self.settle();
        }
        let changes_nothing = matches!(step, Step::Send(_) | Step::Deliver | Step::Completing(_));
        if effect && !changes_nothing && self.has_offload {
            check_advertised(&self.world, self.pre_detach_signaled)
                .map_err(|found| Failure::new("advertised size", found))?;
        }
        Ok(())
    }

    /// Stops the driver.
    pub fn end(mut self) -> Result<Summary, Failure> {
        self.unload()?;
        // The driver has no part in OID requests that reach the NIC after it is gone.
        self.world.complete_oids();
        self.look()?;
        if let Some(failure) = Failure::of(&self.world.finish()) {
            return Err(failure);
        }
        Ok(self.summary())
    }

    /// The steps taken so far.
    pub fn summary(&self) -> Summary {
        let named = |(name, taken): (&&str, &[u64; 2])| ((*name).to_owned(), *taken);
        let statuses = self.statuses.iter();
        Summary {
            steps: self.taken.iter().map(named).collect(),
            statuses: statuses
                .map(|(status, count)| (format!("{status:#010x}"), *count))
                .collect(),
            failed_allocations: self.world.failed_allocations(),
            given: self.world.given(),
            wire: self.world.left(),
            ..self.summary.clone()
        }
    }

    /// The rules that were broken.
    fn look(&self) -> Result<(), Failure> {
        Failure::of(&self.world.take_violations()).map_or(Ok(()), Err)
    }

    /// Carries out the step; returns whether it had an effect.
    fn apply(&mut self, step: &Step) -> Result<bool, Failure> {
        match step {
            Step::CheckCounters => return self.check_counters(),
            Step::Restart(mtu) => return self.restart(*mtu),
            Step::Detach(settings) => return self.detach(*settings),
            Step::Unload => return self.unload(),
            Step::Attach => return self.attach(),
            _ => {}
        }
        Ok(match step {
            Step::Send(sends) => self.send(sends),
            Step::SendOnCompletion(sends) => self.send_on_completion(sends),
            Step::Deliver => self.world.deliver() > 0,
            Step::Completing(how) => self.complete_by(how),
            Step::FailSends(which) => self.fail_sends(which),
            Step::NicChanges(offer) => self.nic_changes(offer),
            Step::Enable(off) => self.enable(*off),
            Step::IndicateAgain { hardware } => self.indicate_again(*hardware),
            Step::Status(status) => self.indicate(status),
            Step::Tune(parameters, persist) => self.tune(*parameters, *persist),
            Step::Control(request) => self.control(request),
            Step::ResetStatistics => self.reset_statistics(),
            Step::Oid(oid) => self.ask(oid),
            Step::CancelOid => self.cancel_oid(),
            Step::AnswerOids => self.world.complete_oids() > 0,
            Step::Answering(how) => self.answer_by(*how),
            Step::NetEvent(event) => self.net_event(event),
            Step::Tracing(session) => self.trace(*session),
            Step::Pause => self.pause(),
            Step::PreDetach => self.pre_detach(),
            Step::FailAllocation(ahead) => self.fail(|asked| Failing::Nth(asked + ahead)),
            Step::FailAttach(left) => {
                self.fail_attach = self.of_attach.and_then(|all| all.checked_sub(left + 1));
                self.fail_attach.is_some()
            }
            Step::Starve(ahead) => self.fail(|asked| Failing::From(asked + ahead)),
            Step::Feed => self.fail(|_| Failing::None),
            Step::Migrate(sizes) => self.migrate(*sizes),
            _ => false,
        })
    }

    /// Counts the sends that are completed, and has the model forget them.
    fn settle(&mut self) {
        self.unsettled = 0;
        for account in &self.world.settle() {
            self.summary.sends += 1;
            self.summary.split += u64::from(account.children > 0);
            self.summary.children += u64::from(account.children);
            *self.statuses.entry(account.status).or_default() += 1;
            if let Some(counts) = &mut self.counts {
                counts.add(account);
            }
        }
    }

    fn reset_statistics(&mut self) -> bool {
        self.settle();
        let under_way = self.world.outstanding() > 0;
        let done = self.reset();
        if done {
            self.counts = (!under_way).then(Counts::default);
        }
        done
    }

    /// Whether there was a module to reset.
    fn reset(&self) -> bool {
        let mut input = [0; Select::SIZE];
        let select = Select {
            if_index: FILTER_IF_INDEX,
        };
        let code = IoControl::RESET_STATISTICS.code();
        select.encode(&mut input).is_ok() && self.world.ioctl(code, &input, 0).is_ok()
    }

    /// Completes every operation in flight, and compares all counters.
    fn check_counters(&mut self) -> Result<bool, Failure> {
        while self.world.deliver() > 0 {}
        self.look()?;
        self.settle();
        match self.world.outstanding() {
            0 => {}
            lost => {
                return Err(Failure::new(
                    "lost",
                    format!("{lost} sends never came back"),
                ));
            }
        }
        if !self.is_attached() {
            return Ok(false);
        }
        let statistics = device::statistics(&self.world)
            .map_err(|error| Failure::new("statistics", error.to_string()))?;
        check_completed(&statistics).map_err(|found| Failure::new("statistics", found))?;
        if let Some(counts) = self.counts {
            counts
                .check(&statistics)
                .map_err(|found| Failure::new("statistics", found))?;
            self.summary.checked += 1;
            for (reason, count) in refusals(&statistics) {
                *self.summary.refused.entry(reason.into()).or_default() += count;
            }
        }
        self.reset();
        self.counts = Some(Counts::default());
        Ok(true)
    }

    fn fail(&self, failing: impl FnOnce(u64) -> Failing) -> bool {
        let asked = self.world.fail_allocations(Failing::None);
        self.world.fail_allocations(failing(asked));
        true
    }

    fn is_attached(&self) -> bool {
        let state = self.world.module_state();
        matches!(state, ModuleState::Paused | ModuleState::Running)
    }
}
