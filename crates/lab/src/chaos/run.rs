//! A machine to which steps happen, and which is looked at after each.
#![expect(unsafe_code, reason = "loads the driver, which is borrowed meanwhile")]

mod life;

use std::collections::BTreeMap;
use std::sync::Arc;

use control::{IoControl, Message, Parameters, Select};
use model::{
    Answering, Completion, Config, FILTER_IF_INDEX, Failing, Indication, ModuleState, OidCall,
    OidKind, Order, Packet, Violation, World,
};
use ndis::{LargeSendLimit, LargeSendLimits, sys};
use serde::{Deserialize, Serialize};

use super::{
    balance::{Counts, check_last_word, refusals},
    nic,
    packet::Shape,
    step::{Completing, Machine, Oid, Sends, Settings, Step},
};
use crate::{device, driver::Driver};

/// What was found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// The rule that was broken, or what else is wrong, in a few words that are the same whenever
    /// the same thing happens.
    pub kind: String,
    /// Everything that is to be said about it.
    pub found: Vec<String>,
}

impl Wrong {
    fn new(kind: &str, found: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            found: vec![found.into()],
        }
    }

    /// The rules that were broken; `None` where none was.
    fn of(broken: &[Violation]) -> Option<Self> {
        let first = broken.first()?;
        Some(Self {
            kind: format!("rule {} ({})", first.rule.number(), first.rule.name()),
            found: broken.iter().take(10).map(ToString::to_string).collect(),
        })
    }
}

/// What was done, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps by kind, and how many of them did something.
    pub steps: BTreeMap<String, [u64; 2]>,
    /// NBLs that the layer above sent.
    pub sends: u64,
    /// Large sends that were split.
    pub split: u64,
    /// Children that went down for them.
    pub children: u64,
    /// NBLs that the NIC was given.
    pub given: u64,
    /// Packets that left on the wire, where the model judged them.
    pub wire: u64,
    /// Sends that came back, by status.
    pub statuses: BTreeMap<String, u64>,
    /// Large sends that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Allocations that were made to fail.
    pub failed_allocations: u64,
    /// How often all counters of the filter were found right.
    pub balanced: u64,
    /// Times that the module was attached, and attaches that failed for want of memory.
    pub attached: [u64; 2],
}

impl Summary {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (name, [taken, effective]) in &other.steps {
            let sum = self.steps.entry(name.clone()).or_default();
            *sum = [sum[0] + taken, sum[1] + effective];
        }
        let add = |sum: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>| {
            for (name, count) in more {
                *sum.entry(name.clone()).or_default() += count;
            }
        };
        add(&mut self.statuses, &other.statuses);
        add(&mut self.refused, &other.refused);
        self.sends += other.sends;
        self.split += other.split;
        self.children += other.children;
        self.given += other.given;
        self.wire += other.wire;
        self.failed_allocations += other.failed_allocations;
        self.balanced += other.balanced;
        self.attached[0] += other.attached[0];
        self.attached[1] += other.attached[1];
    }
}

/// A machine under way.
pub struct Run<'driver> {
    driver: &'driver Driver,
    world: Arc<World>,
    /// The settings with which the module is attached next.
    settings: Settings,
    loaded: bool,
    /// Pool allocations of the driver while no module is attached.
    of_driver: usize,
    /// The coming detach was announced.
    truthful: bool,
    /// The last OID request.
    oid: Option<u64>,
    has_offload: bool,
    processors: u32,
    /// Sends since the model last forgot them.
    unsettled: usize,
    /// What the statistics should say; `None` where they were reset while something was under way.
    counts: Option<Counts>,
    /// How often each kind of step was taken, and did something, in the order of its name.
    taken: BTreeMap<&'static str, [u64; 2]>,
    statuses: BTreeMap<i32, u64>,
    summary: Summary,
}

/// Sends that are under way at a time; the model remembers some more.
const MOST_OUTSTANDING: usize = 40;
/// Sends that are over and not forgotten yet.
const MOST_UNSETTLED: usize = 16;

impl<'driver> Run<'driver> {
    /// A machine with `driver` running.
    ///
    /// # Errors
    ///
    /// The driver does not start.
    pub fn start(driver: &'driver Driver, machine: &Machine) -> Result<Self, Wrong> {
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
            world: World::new(config),
            settings: machine.settings,
            loaded: false,
            of_driver: 0,
            truthful: false,
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
    ///
    /// # Errors
    ///
    /// Something is wrong.
    pub fn take(&mut self, step: &Step) -> Result<(), Wrong> {
        let effect = self.apply(step)?;
        let taken = self.taken.entry(step.name()).or_default();
        *taken = [taken[0] + 1, taken[1] + u64::from(effect)];
        self.look()?;
        if self.unsettled > MOST_UNSETTLED {
            self.settle();
        }
        let says_nothing = matches!(step, Step::Send(_) | Step::Deliver | Step::Completing(_));
        if effect && !says_nothing && self.has_offload {
            check_last_word(&self.world, self.truthful)
                .map_err(|found| Wrong::new("last word", found))?;
        }
        Ok(())
    }

    /// Stops the driver.
    ///
    /// # Errors
    ///
    /// Something is wrong, or left behind.
    pub fn end(mut self) -> Result<Summary, Wrong> {
        self.unload()?;
        self.look()?;
        if let Some(wrong) = Wrong::of(&self.world.finish()) {
            return Err(wrong);
        }
        Ok(self.summary())
    }

    /// What was done so far.
    #[must_use]
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
    fn look(&self) -> Result<(), Wrong> {
        Wrong::of(&self.world.take_violations()).map_or(Ok(()), Err)
    }

    /// Does what the step says; returns whether that was anything.
    fn apply(&mut self, step: &Step) -> Result<bool, Wrong> {
        let world = &self.world;
        match step {
            Step::Send(sends) => return Ok(self.send(sends)),
            Step::SendOnCompletion(sends) => {
                if !self.is_attached() {
                    return Ok(false);
                }
                world.send_on_completion(packets(&sends.packets));
                self.unsettled += sends.packets.len();
            }
            Step::Deliver => return Ok(world.deliver() > 0),
            Step::Completing(how) => {
                let how = completion(how, self.processors);
                world.set_nic(|nic| nic.completion = how);
            }
            Step::FailSends(which) => {
                let next = world.given();
                let which = which.iter();
                let failing = which.map(|(ahead, status)| (next + u64::from(*ahead), *status));
                world.set_nic(|nic| nic.failing = failing.collect());
            }
            Step::NicChanges(offer) => {
                if !self.has_offload {
                    return Ok(false);
                }
                let lacks = |nic: model::Nic| {
                    let limits = [nic.limits.v2_ipv4, nic.limits.v2_ipv6];
                    limits.map(|limit| limit.max_payload == 0)
                };
                let before = lacks(world.nic());
                world.nic_changes(|nic| offer.apply(nic));
                if lacks(world.nic()) != before {
                    let hardware = sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES;
                    world.indicate_offload(hardware);
                }
            }
            Step::Enable(off) => return Ok(self.enable(*off)),
            Step::SaysAgain { hardware } => {
                if !self.has_offload {
                    return Ok(false);
                }
                world.indicate_offload(match hardware {
                    false => sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
                    true => sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES,
                });
            }
            Step::Status {
                code,
                bytes,
                port,
                at_dispatch,
            } => world.indicate_with(&Indication {
                port: *port,
                at_dispatch: *at_dispatch,
                ..Indication::new(*code, bytes.clone())
            }),
            Step::Tune(parameters, persist) => return Ok(self.tune(*parameters, *persist)),
            Step::Control { code, input, room } => {
                let _ = world.device_control(*code, input, *room as usize);
                if *code == IoControl::RESET_STATISTICS.code() {
                    self.counts = None;
                }
            }
            Step::ResetStatistics => return Ok(self.reset_statistics()),
            Step::Balance => return self.balance(),
            Step::Oid(oid) => return Ok(self.ask(oid)),
            Step::CancelOid => match self.oid.take() {
                Some(number) => world.cancel_oid(number),
                None => return Ok(false),
            },
            Step::AnswerOids => return Ok(world.complete_oids() > 0),
            Step::Answering(how) => {
                let how = match how {
                    0 => Answering::Inline,
                    1 => Answering::Early,
                    _ => Answering::Later,
                };
                world.set_nic(|nic| nic.oids = how);
            }
            Step::NetEvent {
                event,
                bytes,
                answer,
            } => {
                // The announcement of a detach is a step of its own.
                if !self.is_attached() || *event == sys::NetEventFilterPreDetach {
                    return Ok(false);
                }
                world.net_event(*event, bytes, *answer);
            }
            Step::Tracing(session) => match session {
                Some((level, keyword)) => world.enable_tracing(*level, *keyword),
                None => world.disable_tracing(),
            },
            Step::Pause => return Ok(self.pause()),
            Step::Restart(mtu) => return self.restart(*mtu),
            Step::PreDetach => return Ok(self.pre_detach()),
            Step::Detach(settings) => return self.detach(*settings),
            Step::Unload => return self.unload(),
            Step::Attach => return self.attach(),
            Step::FailAllocation(ahead) => self.fail(|asked| Failing::Nth(asked + ahead)),
            Step::Starve(ahead) => self.fail(|asked| Failing::From(asked + ahead)),
            Step::Feed => self.fail(|_| Failing::None),
            Step::Migrate(sizes) => {
                let [v1, v2_ipv4, v2_ipv6, ..] = sizes.map(|max_payload| LargeSendLimit {
                    max_payload,
                    min_segments: 2,
                });
                world.also_told(LargeSendLimits {
                    v1,
                    v2_ipv4,
                    v2_ipv6,
                });
                let mut uso = world.advertised_uso();
                uso.ipv4.max_payload = sizes[3];
                uso.ipv6.max_payload = sizes[4];
                world.also_told_uso(uso);
            }
        }
        Ok(true)
    }

    /// The layer above sends to a module that is attached; to the bare NIC it would have to bind
    /// anew first.
    fn send(&mut self, sends: &Sends) -> bool {
        if !self.is_attached() || sends.packets.is_empty() {
            return false;
        }
        if self.world.outstanding() > MOST_OUTSTANDING {
            self.world.deliver();
        }
        let call = model::SendCall {
            at_dispatch: sends.at_dispatch,
            processor: sends.processor % self.processors,
        };
        self.unsettled += sends.packets.len();
        self.world.send(packets(&sends.packets), call);
        true
    }

    /// Counts what is over, and has the model forget it.
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

    fn enable(&self, off: u16) -> bool {
        if !self.has_offload {
            return false;
        }
        let call = OidCall::set(sys::OID_TCP_OFFLOAD_PARAMETERS, nic::parameters(off));
        self.world.oid(call).status == sys::NDIS_STATUS_SUCCESS
    }

    /// Whether it was taken: of numbers out of range, nothing is.
    fn tune(&self, [multiple, profile, cap_bytes]: [u32; 3], persist: bool) -> bool {
        let parameters = Parameters {
            multiple,
            profile,
            cap_bytes,
        };
        device::tune_by(&self.world, parameters, persist).is_ok()
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

    /// Has everything come back, and compares all counters.
    fn balance(&mut self) -> Result<bool, Wrong> {
        while self.world.deliver() > 0 {}
        self.look()?;
        self.settle();
        match self.world.outstanding() {
            0 => {}
            lost => return Err(Wrong::new("lost", format!("{lost} sends never came back"))),
        }
        if !self.is_attached() {
            return Ok(false);
        }
        let said = device::statistics(&self.world)
            .map_err(|error| Wrong::new("statistics", error.to_string()))?;
        if let Some(counts) = self.counts {
            counts
                .check(&said)
                .map_err(|found| Wrong::new("statistics", found))?;
            self.summary.balanced += 1;
            for (reason, count) in refusals(&said) {
                *self.summary.refused.entry(reason.into()).or_default() += count;
            }
        }
        self.reset();
        self.counts = Some(Counts::default());
        Ok(true)
    }

    fn ask(&mut self, oid: &Oid) -> bool {
        let changes = oid.oid == sys::OID_TCP_OFFLOAD_PARAMETERS;
        if changes && !self.has_offload {
            return false;
        }
        let kind = match oid.kind {
            0 => OidKind::Query,
            1 => OidKind::Statistics,
            2 => OidKind::Set,
            method => OidKind::Method(method - 3),
        };
        let asks = matches!(kind, OidKind::Query | OidKind::Statistics);
        self.oid = Some(self.world.start_oid(OidCall {
            kind,
            oid: oid.oid,
            input: if asks { Vec::new() } else { oid.input.clone() },
            room: if kind == OidKind::Set { 0 } else { oid.room },
            port: oid.port,
            at_dispatch: oid.at_dispatch,
        }));
        true
    }

    fn fail(&self, failing: impl FnOnce(u64) -> Failing) {
        let asked = self.world.fail_allocations(Failing::None);
        self.world.fail_allocations(failing(asked));
    }

    fn is_attached(&self) -> bool {
        let state = self.world.module_state();
        matches!(state, ModuleState::Paused | ModuleState::Running)
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
