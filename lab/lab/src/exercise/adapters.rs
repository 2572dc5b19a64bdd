//! Two adapters at once: each has a module of its own, and what is one's is not the other's.

use std::sync::Arc;

use model::{Answering, Completion, Indication, OidCall, ReceiveCall, SendCall, World};
use ndis::sys;

use super::{
    control,
    frames::Frames,
    lifecycle::Life,
    subject::{FRAME_SIZE, PACKET_FILTER, Refused},
    traffic,
};

/// The order in which the two modules go.
#[derive(Clone, Copy)]
enum Leaves {
    FirstFirst,
    SecondFirst,
}

impl Life {
    /// Attaches the driver to two adapters, twice.
    pub(super) fn two_adapters(&mut self) -> Result<(), Refused> {
        for leaves in [Leaves::FirstFirst, Leaves::SecondFirst] {
            self.attach("FilterAttach of the first adapter")?;
            let attached = self.on.step("FilterAttach of a second adapter", |world| {
                world.on_other_adapter(World::attach)
            });
            // A driver may be one for a single adapter.
            if attached.is_err() {
                self.on.step("FilterDetach", World::detach);
                return Ok(());
            }
            let ran = self.both_run();
            self.both_leave(leaves, ran.is_ok());
            ran?;
        }
        Ok(())
    }

    /// Both modules run, and each is paused while the other one runs.
    fn both_run(&mut self) -> Result<(), Refused> {
        self.restart("FilterRestart of the first adapter")?;
        let step = "FilterRestart of the second adapter";
        let restarted = self
            .on
            .step(step, |world| world.on_other_adapter(World::restart));
        if restarted.is_err() {
            self.on
                .step("FilterPause of the first adapter", World::pause);
        }
        restarted.map_err(Refused::new(step))?;
        let frames = &mut self.frames;
        self.on.step("sends on two adapters", |world| {
            some_of_all(world, frames);
            world.on_other_adapter(|world| some_of_all(world, frames));
            under_way_on_both(world, frames);
        });
        self.on
            .step("pauses of one of two adapters", |world| {
                world.pause();
                world.on_other_adapter(|world| some_of_all(world, frames));
                let result = world.restart();
                world.on_other_adapter(World::pause);
                some_of_all(world, frames);
                result.and(world.on_other_adapter(World::restart))
            })
            .map_err(Refused::new("restarts of one of two adapters"))
    }

    /// Detaches both modules; the one that stays goes on meanwhile.
    fn both_leave(&mut self, leaves: Leaves, running: bool) {
        let frames = &mut self.frames;
        let leave = |world: &Arc<World>| {
            if running {
                world.pre_detach();
                world.pause();
            }
            world.detach();
        };
        let mut stays = |world: &Arc<World>| {
            if running {
                some_of_all(world, frames);
            }
        };
        self.on
            .step("FilterDetach of two adapters", |world| match leaves {
                Leaves::FirstFirst => {
                    leave(world);
                    world.on_other_adapter(&mut stays);
                    world.on_other_adapter(leave);
                }
                Leaves::SecondFirst => {
                    world.on_other_adapter(leave);
                    stays(world);
                    leave(world);
                }
            });
    }
}

/// A little of everything that reaches the module of an adapter.
fn some_of_all(world: &Arc<World>, frames: &mut Frames) {
    let packets = vec![frames.packet(100), frames.large(9000), frames.packet(900)];
    world.send(packets, SendCall::default());
    world.receive(
        vec![frames.tcp(60), frames.tcp(700)],
        ReceiveCall::default(),
    );
    world.oid(OidCall::query(FRAME_SIZE, 4));
    world.oid(OidCall::set(PACKET_FILTER, vec![5, 0, 0, 0]));
    world.indicate_with(&Indication::new(control::LINK_STATE, vec![1; 40]));
    world.net_event(
        control::RECONFIGURE,
        &[1, 2, 3, 4],
        sys::NDIS_STATUS_SUCCESS,
    );
}

/// Sends and a request that both miniports hold at the same time.
fn under_way_on_both(world: &Arc<World>, frames: &mut Frames) {
    world.set_nic(|nic| {
        nic.completion.deferred = true;
        nic.oids = Answering::Later;
    });
    let mut begin = |world: &Arc<World>| {
        for turn in 0..10 {
            let packets = vec![frames.packet(80 + turn % 2 * 700)];
            world.send(packets, SendCall::default());
        }
        world.start_oid(OidCall::query(FRAME_SIZE, 4));
    };
    begin(world);
    world.on_other_adapter(&mut begin);
    let finish = |world: &Arc<World>| {
        world.complete_oids();
        traffic::deliver_all(world);
    };
    finish(world);
    world.on_other_adapter(finish);
    world.set_nic(|nic| {
        nic.completion = Completion::default();
        nic.oids = Answering::Inline;
    });
}
