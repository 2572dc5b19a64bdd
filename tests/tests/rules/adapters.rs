//! Rule 45, of a driver with modules on two adapters: what is one module's is not the other's.

use std::sync::Arc;

use model::{Completion, Config, Rule, SendCall, Violation, World};
use scenarios::{assert_clean, packets::small};

use crate::{
    Run, assert_breaks,
    mini_filter::{fault, start},
};

/// A machine whose driver runs on both adapters.
fn on_two_adapters<const FAULT: u8>() -> Arc<World> {
    let world = start::<FAULT>(Config::default());
    world
        .on_other_adapter(|world| {
            world.attach()?;
            world.restart()
        })
        .expect("the second module runs");
    world
}

fn send(world: &Arc<World>) {
    world.send(vec![small()], SendCall::default());
}

/// Ends the second module, and then all of the driver.
fn stop(world: &Arc<World>) -> Vec<Violation> {
    world.on_other_adapter(|world| {
        world.pause();
        world.detach();
    });
    world.stop()
}

#[test]
fn a_module_that_works_with_the_state_of_another_is_noticed() {
    assert_breaks(Rule::Handles, "packet 0", |run| {
        let world = match run {
            Run::Right => on_two_adapters::<{ fault::NONE }>(),
            Run::Wrong => on_two_adapters::<{ fault::LATEST_MODULE }>(),
        };
        send(&world);
        stop(&world)
    });
}

#[test]
fn a_pause_waits_for_its_own_adapter_alone() {
    let world = on_two_adapters::<{ fault::NONE }>();
    world.set_nic(|nic| {
        nic.completion = Completion {
            deferred: true,
            ..Completion::default()
        };
    });
    send(&world);
    world.on_other_adapter(|world| {
        send(world);
        assert_eq!(world.deliver(), 1, "the NIC of this adapter holds one");
        world.pause();
        world.detach();
    });
    assert_eq!(world.deliver(), 1);
    assert_clean(&world.stop());
}
