//! Sends and received packets.

use std::sync::Arc;

use model::{Completion, Order, ReceiveCall, SendCall, World};
use ndis::sys;

use super::frames::{Frames, MSS};
use harness::random::Random;

/// One call of the overlying driver at each IRQL.
const CALLS: [SendCall; 2] = [
    SendCall {
        at_dispatch: false,
        processor: 0,
    },
    SendCall {
        at_dispatch: true,
        processor: 1,
    },
];

/// The largest large send that is made, where the filter advertises more.
const MOST: u32 = 200_000;

/// Has the NIC complete in this way.
fn complete(world: &World, completion: Completion) {
    world.set_nic(|nic| nic.completion = completion);
}

/// The NIC completes all that it holds, and what is sent meanwhile.
pub(super) fn deliver_all(world: &Arc<World>) {
    while world.deliver() > 0 {}
}

/// The port with this number, where the driver is one that sees several.
fn port(world: &World, number: u32) -> u32 {
    if world.is_switch_extension() {
        0
    } else {
        number
    }
}

/// A size of a large send that the overlying driver may make, of two segments or more.
fn large_size(world: &World, random: &mut Random) -> u32 {
    let most = world.advertised().v2_ipv4.max_payload;
    let most = most.min(world.advertised().v2_ipv6.max_payload).min(MOST);
    2 * MSS + random.below(u64::from(most.saturating_sub(2 * MSS)) + 1) as u32
}

/// Sends that the NIC completes before the call returns.
pub(super) fn immediate(world: &Arc<World>, frames: &mut Frames, random: &mut Random) {
    complete(world, Completion::default());
    for call in CALLS {
        let small = [100, 1400, 0, 7].map(|size| frames.packet(size));
        world.send(small.into(), call);
        let tagged = frames
            .packet(60)
            .with_slot(sys::Ieee8021QNetBufferListInfo, 0x70);
        let tagged = tagged
            .with_slot(sys::NetBufferListHashValue, 0x1234)
            .with_slot(sys::NetBufferListHashInfo, 0x101);
        world.send(vec![tagged], call);
        let mut several = frames.packet(200);
        several.net_buffers = 3;
        several.data_offset = 40;
        world.send(vec![several], call);
        let mut scattered = frames.packet(900).in_buffers(100);
        scattered.page_offset = 4000;
        world.send(vec![scattered], call);
        let sizes = [large_size(world, random), 2 * MSS];
        let [large, small] = sizes.map(|size| frames.large(size));
        world.send(vec![large, frames.packet(64), small], call);
    }
    world.send_for_port(vec![frames.packet(300)], port(world, 3), CALLS[0]);
}

/// Sends that the NIC completes later, in other orders.
pub(super) fn deferred(world: &Arc<World>, frames: &mut Frames, random: &mut Random) {
    let orders = [
        (Order::Sent, true, true),
        (Order::Reversed, true, false),
        (Order::Shuffled(random.number()), false, true),
    ];
    for (order, merged, at_dispatch) in orders {
        let completion = Completion {
            deferred: true,
            order,
            merged,
            at_dispatch,
            on_processor: None,
        };
        complete(world, completion);
        for turn in 0..10 {
            let large = frames.large(large_size(world, random));
            let packets = vec![frames.packet(100 + turn), large];
            world.send_for_port(packets, port(world, turn as u32 / 5), CALLS[turn % 2]);
        }
        deliver_all(world);
    }
    complete(world, Completion::default());
}

/// More sends than a filter that limits itself lets pass.
pub(super) fn many(world: &Arc<World>, frames: &mut Frames, then_immediate: bool) {
    let late = Completion {
        deferred: true,
        merged: true,
        at_dispatch: true,
        ..Completion::default()
    };
    complete(world, late);
    for turn in 0..30 {
        let packets = vec![frames.packet(100 + turn % 3 * 600), frames.packet(40)];
        world.send(packets, CALLS[turn % 2]);
    }
    if then_immediate {
        complete(world, Completion::default());
    }
    deliver_all(world);
    complete(world, Completion::default());
}

/// Sends that the NIC fails.
pub(super) fn failed(world: &Arc<World>, frames: &mut Frames, random: &mut Random) {
    let next = world.accepted();
    world.set_nic(|nic| {
        nic.failing = vec![
            (next, sys::NDIS_STATUS_RESOURCES),
            (next + 1, sys::NDIS_STATUS_FAILURE),
            (next + 4, sys::NDIS_STATUS_FAILURE),
        ];
    });
    for call in CALLS {
        let large = frames.large(large_size(world, random));
        world.send(vec![frames.packet(99), large, frames.packet(700)], call);
    }
    world.set_nic(|nic| nic.failing.clear());
}

/// Sends that the overlying driver cancels while they may be queued.
pub(super) fn canceled(world: &Arc<World>, frames: &mut Frames) {
    const ID: usize = 0x7700_0000;
    world.set_nic(|nic| nic.completion.deferred = true);
    for turn in 0..24 {
        let packet = frames.packet(500);
        let packet = packet.with_slot(sys::NetBufferListCancelId, ID + turn % 2);
        world.send(vec![packet], CALLS[0]);
    }
    world.inside(|| {
        world.cancel_sends(ID + 1);
        world.cancel_sends(0x99);
    });
    deliver_all(world);
    complete(world, Completion::default());
}

/// A pause while sends are queued and under way.
pub(super) fn pause_over(world: &Arc<World>, frames: &mut Frames) {
    world.set_nic(|nic| nic.completion.deferred = true);
    for turn in 0..20 {
        world.send(vec![frames.packet(30 + turn % 2 * 900)], CALLS[0]);
    }
    world.receive(
        vec![frames.tcp(50)],
        ReceiveCall {
            kept: true,
            ..ReceiveCall::default()
        },
    );
    world.pause();
    world.return_received();
    deliver_all(world);
    complete(world, Completion::default());
}

/// Sends and received packets for a module that is paused.
pub(super) fn while_paused(world: &Arc<World>, frames: &mut Frames) {
    for call in CALLS {
        let packets = [80, 400, 20].map(|size| frames.packet(size));
        world.send(packets.into(), call);
        world.send(vec![frames.large(5000)], call);
    }
    for resources in [false, true] {
        let call = ReceiveCall {
            resources,
            ..ReceiveCall::default()
        };
        world.receive(vec![frames.tcp(70), frames.tcp(300)], call);
    }
}

/// Received packets of every kind.
pub(super) fn received(world: &Arc<World>, frames: &mut Frames) {
    for index in 0..16_u32 {
        let call = ReceiveCall {
            at_dispatch: index & 1 != 0,
            resources: index & 2 != 0,
            kept: index & 4 != 0,
            processor: index & 1,
            port: port(world, index >> 3),
        };
        let three = [100, 300, 10].map(|size| frames.tcp(size));
        world.receive(three.into(), call);
        world.receive(vec![frames.tcp(700)], call);
        if index % 3 == 0 {
            world.return_received();
        }
    }
    world.return_received();
}
