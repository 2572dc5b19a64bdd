//! The whole life of a driver: everything happens to it in every state that it can happen in.

use std::sync::Arc;

use model::{Answering, Failing, Indication, OidCall, RegistryValue, World};
use ndis::sys;

use super::{
    control,
    frames::Frames,
    observe::Observed,
    subject::{FRAME_SIZE, Refused, STATISTICS, Subject},
    threads, traffic,
};
use harness::random::Random;

/// Runs the phase.
pub(super) fn run(subject: &mut Subject) -> Result<(), Refused> {
    let codes = control::codes(subject);
    let mut life = Life {
        on: Observed::new(subject.machine()),
        frames: Frames::default(),
        random: Random::new(subject.random.number()),
        codes,
    };
    let result = life.lived(subject);
    life.on.finish();
    result
}

pub(super) struct Life {
    pub(super) on: Observed,
    pub(super) frames: Frames,
    random: Random,
    /// Codes for the control device.
    codes: Vec<u32>,
}

impl Life {
    fn lived(&mut self, subject: &Subject) -> Result<(), Refused> {
        let loaded = self.on.step("DriverEntry", |world| {
            // SAFETY: the driver outlives the machine, which is not used after this phase.
            #[expect(unsafe_code, reason = "runs a driver")]
            let loaded = unsafe { subject.driver.load_into(world) };
            loaded
        });
        loaded.map_err(Refused::new("DriverEntry"))?;
        let result = self.attached();
        self.on.step("unload", World::unload);
        result
    }

    /// Two attachments of one module, and two of two modules.
    fn attached(&mut self) -> Result<(), Refused> {
        self.attach("FilterAttach")?;
        let result = self.first_attachment();
        if result.is_ok() {
            self.on.step("pre-detach", World::pre_detach);
            self.on.step("FilterPause before detach", World::pause);
        }
        self.on.step("FilterDetach", World::detach);
        result?;
        // The registry has values now for all that the driver reads as text or bytes.
        self.on.step("registry", fill_registry);
        self.attach("second FilterAttach")?;
        let result = self.second_attachment();
        self.on.step("second FilterDetach", World::detach);
        result?;
        self.two_adapters()
    }

    pub(super) fn attach(&mut self, step: &'static str) -> Result<(), Refused> {
        self.on
            .step(step, World::attach)
            .map_err(Refused::new(step))
    }

    pub(super) fn restart(&mut self, step: &'static str) -> Result<(), Refused> {
        self.on
            .step(step, World::restart)
            .map_err(Refused::new(step))
    }

    fn first_attachment(&mut self) -> Result<(), Refused> {
        self.control("paused");
        self.restart("FilterRestart")?;
        self.traffic("running");
        self.control("running");
        self.queues();
        let frames = &mut self.frames;
        self.on.step("power events over sends", |world| {
            control::power_events(world, frames)
        });
        let codes = self.codes.clone();
        let codes = self
            .on
            .step("control device", |world| control::device(world, &codes));
        let frames = &mut self.frames;
        self.on.step("FilterPause over sends", |world| {
            traffic::pause_over(world, frames)
        });
        self.slow_restarts()?;
        self.paused_again()?;
        self.starved();
        self.concurrent(&codes)
    }

    /// Sends and received packets.
    fn traffic(&mut self, state: &str) {
        let (frames, random) = (&mut self.frames, &mut self.random);
        self.on.step(&format!("sends, {state}"), |world| {
            traffic::immediate(world, frames, random);
        });
        self.on
            .step(&format!("sends completed later, {state}"), |world| {
                traffic::deferred(world, frames, random);
            });
        self.on.step(
            &format!("sends that the miniport fails, {state}"),
            |world| {
                traffic::failed(world, frames, random);
            },
        );
        self.on
            .step(&format!("received packets, {state}"), |world| {
                traffic::received(world, frames);
            });
    }

    /// Requests, indications and events.
    fn control(&mut self, state: &str) {
        self.on
            .step(&format!("OID requests, {state}"), control::oids);
        self.on.step(
            &format!("direct and synchronous OID requests, {state}"),
            control::unserialized_oids,
        );
        if self.on.world.is_switch_extension() {
            self.on.step(
                &format!("a port of the switch comes and goes, {state}"),
                |world| {
                    for call in world.switch_requests() {
                        world.oid(call);
                    }
                },
            );
        }
        self.on.step(
            &format!("canceled OID requests, {state}"),
            control::canceled_oids,
        );
        self.on
            .step(&format!("status indications, {state}"), control::statuses);
        self.on.step(&format!("events, {state}"), control::events);
    }

    /// Sends that a filter may queue.
    fn queues(&mut self) {
        let frames = &mut self.frames;
        for immediate in [false, true] {
            self.on.step("many sends", |world| {
                traffic::many(world, frames, immediate)
            });
        }
        self.on
            .step("canceled sends", |world| traffic::canceled(world, frames));
    }

    /// Restarts while the miniport answers the filter's own requests late or early.
    fn slow_restarts(&mut self) -> Result<(), Refused> {
        for answering in [Answering::Later, Answering::Early] {
            self.on.world.set_nic(|nic| nic.oids = answering);
            self.restart("FilterRestart with slow OID requests")?;
            self.on.step("late answers", |world| world.complete_oids());
            if answering == Answering::Later {
                self.on.step("FilterPause", World::pause);
            }
        }
        self.on.world.set_nic(|nic| nic.oids = Answering::Inline);
        self.traffic("restarted");
        Ok(())
    }

    /// All that can come to a module that is paused again.
    fn paused_again(&mut self) -> Result<(), Refused> {
        self.on.step("FilterPause", World::pause);
        self.control("paused again");
        let frames = &mut self.frames;
        self.on
            .step("sends and received packets while paused", |world| {
                traffic::while_paused(world, frames)
            });
        let step = "FilterRestart while sends, received packets and requests come";
        let restarted = self.on.step(step, |world| {
            world.restart_amid(|world| {
                traffic::while_paused(world, frames);
                world.oid(OidCall::query(FRAME_SIZE, 4));
                world.indicate_with(&Indication::new(control::LINK_STATE, vec![1; 40]));
            })
        });
        restarted.map_err(Refused::new(step))?;
        self.traffic("restarted again");
        Ok(())
    }

    /// Each of the next allocations fails in turn.
    fn starved(&mut self) {
        let frames = &mut self.frames;
        self.on.step("allocations fail", |world| {
            for offset in 0..6 {
                let asked = world.fail_allocations(Failing::None);
                world.fail_allocations(Failing::Nth(asked + offset));
                world.oid(OidCall::query(FRAME_SIZE, 4));
                world.oid(OidCall::method(STATISTICS, 0, vec![1], 64));
                world.indicate(0x4001_0017, vec![1; 40]);
            }
            world.fail_allocations(Failing::None);
            // A send accounts for the allocations that fail within it alone.
            for offset in 0..6 {
                let asked = world.fail_allocations(Failing::None);
                world.fail_allocations(Failing::Nth(asked + offset));
                let packets = vec![frames.large(60_000)];
                world.send(packets, model::SendCall::default());
            }
            world.fail_allocations(Failing::None);
        });
    }

    /// Several threads at once.
    fn concurrent(&mut self, codes: &[u32]) -> Result<(), Refused> {
        for deferred in [false, true] {
            self.on.step("four threads", |world| {
                threads::all_at_once(world, codes, deferred);
            });
        }
        self.on
            .step("OID requests and cancels on two threads", threads::cancels);
        let step = "pauses and restarts while three threads send";
        self.on
            .step(step, threads::pauses)
            .map_err(Refused::new(step))
    }

    fn second_attachment(&mut self) -> Result<(), Refused> {
        self.restart("FilterRestart, attached again")?;
        self.traffic("attached again");
        self.control("attached again");
        let codes = self.codes.clone();
        self.on.step("control device, attached again", |world| {
            control::device(world, &codes);
        });
        self.on.step("FilterPause, attached again", World::pause);
        // A request that the filter makes now is under way when it is detached.
        self.on.world.set_nic(|nic| nic.oids = Answering::Later);
        self.restart("FilterRestart before detach")?;
        self.on.step("FilterPause before detach", World::pause);
        Ok(())
    }
}

/// Gives each keyword that the driver has read as text or bytes a long value.
fn fill_registry(world: &Arc<World>) {
    for (keyword, kind) in world.keywords_read() {
        let value = match kind {
            sys::NdisParameterString => RegistryValue::Text("a value of some length ".repeat(4)),
            sys::NdisParameterBinary => RegistryValue::Bytes(vec![7; 100]),
            _ => continue,
        };
        world.set_registry(&keyword, value);
    }
}
