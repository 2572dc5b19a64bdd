//! Two adapters of one driver: each has settings, counters and a life of its own.

use std::sync::Arc;

use control::{
    IoControl, ListReply, ListRequest, Message, ReadReply, Select, SetRequest, StatisticsReply,
};
use model::{Config, Failing, NEIGHBOR_IF_INDEX, World};
use scenarios::{
    Machine,
    adapter::{encoded, read, times},
    assert_clean,
    control::IF_INDEX,
    packets::large_v4,
};

fn select(if_index: u32) -> Vec<u8> {
    encoded(&Select { if_index })
}

/// The adapters that LIST names, with whether each runs.
fn listed(world: &Arc<World>) -> Vec<(u32, bool)> {
    let room = ListReply::size_of(4);
    let reply = world.ioctl(IoControl::LIST.code(), &encoded(&ListRequest), room);
    let reply = reply.expect("a list");
    let list = ListReply::decode(&reply).expect("the protocol");
    let mut all: Vec<_> = list.iter().map(|one| (one.if_index, one.running)).collect();
    all.sort_unstable();
    all
}

fn neighbor(world: &Arc<World>) -> ReadReply {
    let answer = world.ioctl(
        IoControl::READ.code(),
        &select(NEIGHBOR_IF_INDEX),
        ReadReply::SIZE,
    );
    ReadReply::decode(&answer.expect("it is attached")).expect("the protocol")
}

fn set_neighbor(world: &Arc<World>, multiple: u32) {
    let request = encoded(&SetRequest {
        if_index: NEIGHBOR_IF_INDEX,
        tuning: times(multiple),
        persist: true,
    });
    world
        .ioctl(IoControl::SET.code(), &request, 0)
        .expect("it is set");
}

#[test]
fn each_adapter_has_its_own_settings_and_counters() {
    let machine = Machine::start(Config::default());
    let world = &machine.world;
    let before = read(world).tuning;
    world.on_other_adapter(World::attach).expect("attached");
    assert_eq!(
        listed(world),
        [(IF_INDEX, true), (NEIGHBOR_IF_INDEX, false)]
    );
    set_neighbor(world, 5);
    assert_eq!(neighbor(world).tuning, times(5));
    assert_eq!(
        read(world).tuning,
        before,
        "the other adapter keeps its tuning"
    );

    machine.assert_split(large_v4(100_000));
    let code = IoControl::STATISTICS.code();
    let counters = world.ioctl(code, &select(NEIGHBOR_IF_INDEX), StatisticsReply::SIZE);
    let counters = StatisticsReply::decode(&counters.expect("counters")).expect("the protocol");
    assert_eq!((counters.sends, counters.split), (0, 0));
    assert_eq!(machine.statistics().split, 1);

    // Detached and attached again, it has what was persisted for it; the other one works on.
    world.on_other_adapter(World::detach);
    assert_eq!(listed(world), [(IF_INDEX, true)]);
    machine.assert_split(large_v4(100_000));
    world
        .on_other_adapter(World::attach)
        .expect("attached again");
    assert_eq!(neighbor(world).tuning, times(5));
    world.on_other_adapter(World::detach);
    machine.stop_clean();
}

#[test]
fn both_adapters_run_and_pause_alone() {
    let machine = Machine::start(Config::default());
    let world = &machine.world;
    let start = |world: &Arc<World>| world.attach().and_then(|()| world.restart());
    world.on_other_adapter(start).expect("it runs");
    assert_eq!(listed(world), [(IF_INDEX, true), (NEIGHBOR_IF_INDEX, true)]);
    for paused_first in [true, false] {
        machine.assert_split(large_v4(100_000));
        world.on_other_adapter(|_| machine.assert_split(large_v4(100_000)));
        let one_rests = |world: &Arc<World>| {
            world.pause();
            world.on_other_adapter(|_| machine.assert_split(large_v4(100_000)));
            world.restart().expect("a restart");
        };
        if paused_first {
            one_rests(world);
        } else {
            world.on_other_adapter(one_rests);
        }
    }
    world.on_other_adapter(|world| {
        world.pre_detach();
        world.pause();
        world.detach();
    });
    machine.assert_split(large_v4(100_000));
    machine.stop_clean();
}

#[test]
fn the_adapter_that_was_first_may_go_first() {
    let machine = Machine::start(Config::default());
    let world = &machine.world;
    world.on_other_adapter(World::attach).expect("attached");
    world.pre_detach();
    world.pause();
    world.detach();
    assert_eq!(listed(world), [(NEIGHBOR_IF_INDEX, false)]);
    set_neighbor(world, 3);
    world.attach().expect("attached again");
    world.restart().expect("a restart");
    machine.assert_split(large_v4(100_000));
    world.pause();
    world.detach();
    world.on_other_adapter(World::detach);
    assert_eq!(listed(world), []);
    world.unload();
    assert_clean(&world.finish());
}

#[test]
fn where_memory_is_short_for_the_second_the_first_works_on() {
    let (mut failing, mut failed) = (0, 0);
    loop {
        let machine = Machine::start(Config::default());
        let world = &machine.world;
        let before = world.fail_allocations(Failing::None);
        world.fail_allocations(Failing::Nth(before + failing));
        let attached = world.on_other_adapter(World::attach);
        let asked = world.fail_allocations(Failing::None);
        machine.assert_split(large_v4(100_000));
        if attached.is_ok() {
            world.on_other_adapter(World::detach);
        } else {
            failed += 1;
            assert_eq!(listed(world), [(IF_INDEX, true)]);
        }
        machine.stop_clean();
        if before + failing >= asked {
            break;
        }
        // Most are those of children, which are all alike.
        failing += if failing < 30 { 1 } else { 37 };
    }
    assert!(failed > 10, "{failed} attaches failed");
}
