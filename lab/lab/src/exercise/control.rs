//! OID requests, status indications, events, and requests to the control device.

use std::{collections::BTreeSet, sync::Arc};

use model::{Answering, FILTER_IF_INDEX, Indication, OidCall, OidKind, World};
use ndis::sys;

use super::frames::Frames;
use super::subject::{DELETE_SA, FRAME_SIZE, PACKET_FILTER, STATISTICS, Subject, VENDOR};
use harness::driver::Driver;

/// An OID that no miniport has.
const UNKNOWN: u32 = 0x0001_9999;

/// The bytes of a NET_DEVICE_POWER_STATE.
const D0: [u8; 4] = [1, 0, 0, 0];
const D3: [u8; 4] = [4, 0, 0, 0];

/// NetEventReconfigure.
pub(super) const RECONFIGURE: i32 = 4;

/// NDIS_STATUS_MEDIA_DISCONNECT and NDIS_STATUS_LINK_STATE.
const MEDIA_DISCONNECT: i32 = 0x4001_000C;
pub(super) const LINK_STATE: i32 = 0x4001_0017;

/// One request of each kind, answered in each way, at both IRQLs.
pub(super) fn oids(world: &Arc<World>) {
    for answering in [Answering::Inline, Answering::Early, Answering::Later] {
        world.set_nic(|nic| nic.oids = answering);
        for at_dispatch in [false, true] {
            let calls = [
                OidCall::query(FRAME_SIZE, 4),
                OidCall::query(FRAME_SIZE, 2),
                OidCall::query(FRAME_SIZE, 0),
                OidCall::query(VENDOR, 64),
                OidCall::query(VENDOR, 3),
                OidCall::query(VENDOR, 0),
                OidCall::query(UNKNOWN, 8),
                OidCall::query(UNKNOWN, 2),
                OidCall::query(sys::OID_TCP_OFFLOAD_CURRENT_CONFIG, 512),
                OidCall::query(sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES, 512),
                OidCall::set(PACKET_FILTER, vec![5, 0, 0, 0]),
                OidCall::set(UNKNOWN, vec![1]),
                OidCall::set(sys::OID_TCP_OFFLOAD_PARAMETERS, no_change()),
                OidCall::method(STATISTICS, 0, vec![1, 2, 3], 64),
                OidCall {
                    kind: OidKind::Statistics,
                    ..OidCall::query(FRAME_SIZE, 4)
                },
            ];
            for mut call in calls {
                call.at_dispatch = at_dispatch;
                world.oid(call);
            }
        }
    }
    world.set_nic(|nic| nic.oids = Answering::Inline);
}

/// NDIS_OFFLOAD_PARAMETERS that leave every offload as it is.
fn no_change() -> Vec<u8> {
    let size = sys::NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1;
    let mut bytes = vec![0; size.into()];
    bytes[..4].copy_from_slice(&[
        sys::NDIS_OBJECT_TYPE_DEFAULT,
        sys::NDIS_OFFLOAD_PARAMETERS_REVISION_1,
        size as u8,
        0,
    ]);
    bytes
}

/// Direct requests, several at a time, and synchronous ones, at both IRQLs.
pub(super) fn unserialized_oids(world: &Arc<World>) {
    for answering in [Answering::Inline, Answering::Early, Answering::Later] {
        world.set_nic(|nic| nic.oids = answering);
        for at_dispatch in [false, true] {
            let calls = [
                OidCall::set(DELETE_SA, vec![0; 16]),
                OidCall::query(UNKNOWN, 8),
                OidCall::method(STATISTICS, 0, vec![1, 2, 3], 64),
            ];
            let calls = calls.map(|call| OidCall {
                at_dispatch,
                ..call
            });
            let numbers = calls.clone().map(|call| world.direct_oid(call));
            world.cancel_direct_oid(numbers[1]);
            for call in calls {
                world.synchronous_oid(call);
            }
            world.complete_direct_oids();
        }
    }
    world.set_nic(|nic| nic.oids = Answering::Inline);
}

/// Requests that are canceled, one with the miniport and one behind it.
pub(super) fn canceled_oids(world: &Arc<World>) {
    world.set_nic(|nic| nic.oids = Answering::Later);
    let first = world.start_oid(OidCall::query(FRAME_SIZE, 4));
    let second = world.start_oid(OidCall::query(PACKET_FILTER, 4));
    world.inside(|| {
        world.cancel_oid(second);
        world.cancel_oid(first);
    });
    world.complete_oids();
    world.set_nic(|nic| nic.oids = Answering::Inline);
}

/// Status indications, also while a request waits.
pub(super) fn statuses(world: &Arc<World>) {
    world.indicate(MEDIA_DISCONNECT, Vec::new());
    world.nic_changes(|nic| nic.enabled.v2_ipv4 = false);
    world.nic_changes(|nic| nic.enabled.v2_ipv4 = true);
    world.indicate_offload(sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES);
    for answering in [Answering::Inline, Answering::Later] {
        world.set_nic(|nic| nic.oids = answering);
        for at_dispatch in [false, true] {
            world.indicate_with(&Indication {
                at_dispatch,
                port: 3,
                request_id: 0x55,
                ..Indication::new(LINK_STATE, vec![1; 40])
            });
        }
        world.oid(OidCall::query(FRAME_SIZE, 4));
    }
    world.set_nic(|nic| nic.oids = Answering::Inline);
}

/// Network events, with and without the drivers above agreeing, and device events.
pub(super) fn events(world: &Arc<World>) {
    const REMOVED: i32 = 5;
    let queries = [sys::NetEventQueryPower, sys::NetEventQueryRemoveDevice];
    for event in [RECONFIGURE].into_iter().chain(queries) {
        world.net_event(event, &[1, 2, 3, 4], sys::NDIS_STATUS_SUCCESS);
        world.net_event(event, &[], sys::NDIS_STATUS_FAILURE);
    }
    world.device_event(REMOVED);
}

/// Power events while sends are outstanding: the NIC loses its power and gets it again. In between
/// it completes the sends, its link goes down, and time passes.
pub(super) fn power_events(world: &Arc<World>, frames: &mut Frames) {
    world.set_nic(|nic| nic.completion.deferred = true);
    for _ in 0..4 {
        let packets = vec![frames.packet(80), frames.packet(900)];
        world.send(packets, model::SendCall::default());
    }
    for state in [D3, D0] {
        world.net_event(sys::NetEventQueryPower, &state, sys::NDIS_STATUS_SUCCESS);
        world.net_event(sys::NetEventSetPower, &state, sys::NDIS_STATUS_SUCCESS);
        super::traffic::deliver_all(world);
        world.indicate(MEDIA_DISCONNECT, Vec::new());
        world.run_deferred();
        world.pass_to_timer();
    }
    world.set_nic(|nic| nic.completion = model::Completion::default());
}

/// The codes that the driver's device may handle: those of the command line, and all that its code
/// compares with.
pub(super) fn codes(subject: &Subject) -> Vec<u32> {
    let mut codes: BTreeSet<u32> = subject.codes.iter().copied().collect();
    if let Driver::Image(image) = &subject.driver {
        codes.extend(image.code().flat_map(compared));
    }
    // A jump table covers codes that are nowhere in the code: the functions around one.
    const AROUND: u32 = 12;
    let seen: Vec<_> = codes.iter().copied().collect();
    for code in seen {
        let first = code.saturating_sub(AROUND * FUNCTION);
        codes.extend((0..=2 * AROUND).map(|step| first + step * FUNCTION));
    }
    codes.into_iter().filter(|code| is_code(*code)).collect()
}

/// The distance between the codes of two functions.
const FUNCTION: u32 = 4;

/// Whether this can be a control code of METHOD_BUFFERED: a device type, and no method.
fn is_code(code: u32) -> bool {
    let device = code >> 16;
    code & 3 == 0 && (1..0x100).contains(&device) && code & 0xFFFF != 0
}

/// The control codes that instructions of x64 compare with: `cmp` or `sub` with the constant, or
/// `add` or `lea` with its negative.
fn compared(code: &[u8]) -> Vec<u32> {
    let constant = |at: usize| {
        let bytes = code.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let mut found = Vec::new();
    for (at, pair) in code.windows(2).enumerate() {
        let value = match pair {
            // cmp eax, imm32; sub eax, imm32; mov eax.., imm32.
            [0x3D | 0x2D, _] | [0xB8..=0xBF, _] => constant(at + 1),
            // add eax, imm32.
            [0x05, _] => constant(at + 1).map(u32::wrapping_neg),
            // cmp r32, imm32; sub r32, imm32.
            [0x81, 0xF8..=0xFF | 0xE8..=0xEF] => constant(at + 2),
            // add r32, imm32; lea r32, [r32 + disp32].
            [0x81, 0xC0..=0xC7] | [0x8D, 0x80..=0xBF] => constant(at + 2).map(u32::wrapping_neg),
            _ => None,
        };
        found.extend(value.filter(|value| is_code(*value)));
    }
    found
}

/// Requests to the control device with every code, in buffers that fit and that do not. Returns the
/// codes that it handles.
pub(super) fn device(world: &Arc<World>, codes: &[u32]) -> Vec<u32> {
    let mut handled = Vec::new();
    if !world.has_control_device() {
        return handled;
    }
    let index = FILTER_IF_INDEX.to_ne_bytes();
    let guid: Vec<u8> = model::FILTER_MODULE_GUID
        .encode_utf16()
        .flat_map(u16::to_ne_bytes)
        .collect();
    let inputs = [
        Vec::new(),
        index.to_vec(),
        [index, [6, 0, 0, 0]].concat(),
        [[9, 0, 0, 0], [3, 0, 0, 0]].concat(),
        guid,
        vec![0; 64],
    ];
    world.open_device("");
    for code in codes {
        let first = world.device_control(*code, &[], 0);
        if first.status == sys::STATUS_INVALID_DEVICE_REQUEST {
            continue;
        }
        handled.push(*code);
        for input in &inputs {
            for output in [0, 4, 100, 2048] {
                world.device_control(*code, input, output);
                // The status of a failed restart is the life's to find.
                let _ = world.restart_if_requested();
            }
        }
    }
    // A code that no driver has.
    world.device_control(0x0022_3FFC, &[1], 8);
    handled
}
