//! The control device: every request, right and wrong in each respect.

mod neighbor;
mod property;
mod settings;
mod tuning;

use control::{
    DEVICE_NAME, DriverVersion, IoControl, IpIdBits, ListReply, ListRequest, Message, ReadReply,
    SDDL, SYMBOLIC_NAME, Select, SetRequest, SetSettingsRequest, SettingsChange, SettingsReply,
    StatisticsReply, Tuning, VersionRequest,
};
use model::{Config, FILTER_IF_INDEX, MINIPORT_IF_INDEX, MINIPORT_INSTANCE_NAME, PROTECTION};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{encoded, read, read_settings, times},
    assert_clean,
    control::IF_INDEX,
    packets::large_v4,
};

/// The kinds of requests, each with a code and a right input.
fn right() -> [(IoControl, Vec<u8>, usize); 8] {
    let select = encoded(&Select { if_index: IF_INDEX });
    let list = encoded(&ListRequest);
    let set = encoded(&set_request(IF_INDEX, times(3)));
    let set_settings = encoded(&SetSettingsRequest {
        if_index: IF_INDEX,
        change: SettingsChange {
            ip_id_bits: IpIdBits::new(15).ok(),
            ..SettingsChange::default()
        },
    });
    [
        (IoControl::LIST, list, ListReply::size_of(1)),
        (IoControl::READ, select.clone(), ReadReply::SIZE),
        (IoControl::STATISTICS, select.clone(), StatisticsReply::SIZE),
        (IoControl::SET, set, 0),
        (IoControl::RESET_STATISTICS, select.clone(), 0),
        (
            IoControl::DRIVER_VERSION,
            encoded(&VersionRequest),
            DriverVersion::SIZE,
        ),
        (IoControl::READ_SETTINGS, select, SettingsReply::SIZE),
        (IoControl::SET_SETTINGS, set_settings, 0),
    ]
}

/// The kinds that name an adapter, by their place in [`right`].
const OF_AN_ADAPTER: [usize; 6] = [1, 2, 3, 4, 6, 7];

fn set_request(if_index: u32, tuning: Tuning) -> SetRequest {
    SetRequest {
        if_index,
        tuning,
        persist: false,
    }
}

/// A machine that detects any change that a wrong request makes.
fn started() -> Machine {
    let machine = Machine::start(Config::default());
    machine.assert_split(large_v4(100_000));
    machine
}

/// Makes a request that must be completed with `status`, and change nothing.
#[track_caller]
fn assert_refused(machine: &Machine, code: u32, input: &[u8], output: usize, status: i32) {
    let state = || {
        let world = &machine.world;
        (read(world), read_settings(world), machine.statistics())
    };
    let before = state();
    let answered = machine.world.device_control(code, input, output);
    assert_eq!(answered.status, status, "{code:#x} {input:x?} {output}");
    assert!(answered.bytes.is_empty(), "no output with an error");
    assert_eq!(state(), before);
}

#[test]
fn it_has_its_names_and_its_protection() {
    let machine = Machine::without_driver(Config::default());
    assert_eq!(machine.world.control_device_names(), None);
    machine.load().expect("the driver loads");
    let names = machine.world.control_device_names().expect("a device");
    assert_eq!(names, [DEVICE_NAME, SYMBOLIC_NAME]);
    assert_eq!(names, ["\\Device\\mslso", "\\DosDevices\\mslso"]);
    // Rule 36 compares the string that the driver registers with this one.
    assert_eq!(SDDL, PROTECTION);
    machine.world.unload();
    assert!(!machine.world.has_control_device());
    assert_clean(&machine.world.finish());
}

/// A name below a device need not have the device's protection.
#[test]
fn nothing_is_below_the_device() {
    let machine = started();
    assert_eq!(machine.world.open_device(""), 0);
    for below in ["\\", "\\x", "\\mslso\\x", "x"] {
        let status = machine.world.open_device(below);
        assert_eq!(status, sys::STATUS_OBJECT_NAME_NOT_FOUND, "{below}");
    }
    machine.stop_clean();
}

#[test]
fn right_requests_are_answered() {
    let machine = started();
    for (code, input, output) in right() {
        for room in [output, output + 1, output + 1000] {
            let answer = machine.world.device_control(code.code(), &input, room);
            assert_eq!((answer.status, answer.bytes.len()), (0, output), "{code:?}");
        }
    }
    machine.stop_clean();
}

/// A user who suspends a program that makes a request must not stop attach and detach, which wait
/// for the resources that the request holds: rule 36 is broken by each request that can be
/// suspended while it holds one.
#[test]
fn a_suspended_program_holds_no_resource() {
    let machine = started();
    let persist = SetRequest {
        persist: true,
        ..set_request(IF_INDEX, times(5))
    };
    let (code, input) = (IoControl::SET.code(), encoded(&persist));
    // One of them waits for the other.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| machine.world.ioctl(code, &input, 0).expect("it is set"));
        }
    });
    assert_clean(&machine.world.take_violations());
    for (code, input, output) in right() {
        let _ = machine.world.device_control(code.code(), &input, output);
        assert_clean(&machine.world.take_violations());
    }
    machine.stop_clean();
}

#[test]
fn inputs_of_any_other_size_are_refused() {
    let machine = started();
    for (code, input, output) in right() {
        for size in (0..300).filter(|size| *size != input.len()) {
            let mut wrong = input.clone();
            wrong.resize(size, 0);
            let invalid = sys::STATUS_INVALID_PARAMETER;
            assert_refused(&machine, code.code(), &wrong, output, invalid);
            if size >= 8 {
                // A Size field that matches the wrong length does not help either.
                wrong[4..8].copy_from_slice(&(size as u32).to_le_bytes());
                assert_refused(&machine, code.code(), &wrong, output, invalid);
            }
        }
    }
    machine.stop_clean();
}

#[test]
fn another_version_has_an_error_of_its_own() {
    let machine = started();
    let mismatch = sys::STATUS_REVISION_MISMATCH;
    for (code, input, output) in right() {
        for version in [0_u16, 2, 0x0100, 0xFFFF] {
            let mut wrong = input.clone();
            wrong[..2].copy_from_slice(&version.to_le_bytes());
            assert_refused(&machine, code.code(), &wrong, output, mismatch);
            wrong[2..].fill(0xEE);
            assert_refused(&machine, code.code(), &wrong, output, mismatch);
            // A newer protocol's messages may be longer.
            for size in [2, 8, 60, 64, 65, 100, 500] {
                wrong.resize(size, 0xEE);
                assert_refused(&machine, code.code(), &wrong, output, mismatch);
            }
        }
    }
    machine.stop_clean();
}

#[test]
fn another_kind_or_size_in_the_header_is_refused() {
    let machine = started();
    for (code, input, output) in right() {
        for at in 2..8 {
            for bit in 0..8 {
                let mut wrong = input.clone();
                wrong[at] ^= 1 << bit;
                let invalid = sys::STATUS_INVALID_PARAMETER;
                assert_refused(&machine, code.code(), &wrong, output, invalid);
            }
        }
    }
    machine.stop_clean();
}

#[test]
fn a_request_under_another_code_is_refused() {
    let machine = started();
    for (code, input, output) in right() {
        for (other, takes, _) in right() {
            if takes != input {
                let invalid = sys::STATUS_INVALID_PARAMETER;
                assert_refused(&machine, other.code(), &input, output + 512, invalid);
            }
        }
        // Each bit of a code counts: function, method, access, device type.
        for bit in 0..32 {
            let wrong = code.code() ^ 1 << bit;
            if IoControl::from_code(wrong).is_err() {
                let unknown = sys::STATUS_INVALID_DEVICE_REQUEST;
                assert_refused(&machine, wrong, &input, output, unknown);
            }
        }
        for method in 1..4 {
            let unknown = sys::STATUS_INVALID_DEVICE_REQUEST;
            assert_refused(&machine, code.code() | method, &input, output, unknown);
        }
    }
    machine.stop_clean();
}

#[test]
fn an_unknown_code_is_unknown_whatever_comes_with_it() {
    let machine = started();
    // The codes of a newer driver, with inputs of their own.
    for function in 0x808..0x810 {
        for access in [1, 2] {
            let code = 0x12 << 16 | access << 14 | function << 2;
            for size in [0, 8, 64, 65, 4096] {
                let unknown = sys::STATUS_INVALID_DEVICE_REQUEST;
                assert_refused(&machine, code, &vec![1; size], 100, unknown);
            }
        }
    }
    machine.stop_clean();
}

#[test]
fn an_output_too_small_has_a_status_of_its_own() {
    let machine = started();
    for (code, input, output) in right() {
        if code == IoControl::LIST {
            continue;
        }
        for room in 0..output {
            let small = sys::STATUS_BUFFER_TOO_SMALL;
            assert_refused(&machine, code.code(), &input, room, small);
        }
    }
    machine.stop_clean();
}

#[test]
fn a_list_without_room_for_its_entries_has_their_count() {
    let machine = started();
    let list = |room| {
        let code = IoControl::LIST.code();
        machine
            .world
            .device_control(code, &encoded(&ListRequest), room)
    };
    for room in 0..ListReply::size_of(0) {
        assert_eq!(list(room).status, sys::STATUS_BUFFER_TOO_SMALL, "{room}");
    }
    for room in ListReply::size_of(0)..ListReply::size_of(1) {
        let answer = list(room);
        assert_eq!((answer.status, answer.bytes.len()), (0, 16), "{room}");
        let reply = ListReply::decode(&answer.bytes).expect("the protocol");
        assert_eq!((reply.total(), reply.iter().count()), (1, 0));
        assert!(!reply.is_whole());
    }
    let answer = list(ListReply::size_of(16));
    let reply = ListReply::decode(&answer.bytes).expect("the protocol");
    assert!(reply.is_whole());
    let entry = reply.iter().next().expect("the adapter");
    assert_eq!(entry.if_index, FILTER_IF_INDEX);
    assert_eq!(entry.base_if_index, MINIPORT_IF_INDEX);
    assert_eq!(entry.name.to_string(), MINIPORT_INSTANCE_NAME);
    assert!(entry.running);
    machine.stop_clean();
}

#[test]
fn an_adapter_is_known_by_either_interface_index_and_by_no_other() {
    let machine = started();
    let read = |if_index: u32| {
        let mut select = encoded(&Select { if_index: IF_INDEX });
        select[8..].copy_from_slice(&if_index.to_le_bytes());
        let code = IoControl::READ.code();
        machine.world.ioctl(code, &select, ReadReply::SIZE)
    };
    assert_eq!(read(FILTER_IF_INDEX), read(MINIPORT_IF_INDEX));
    assert!(read(FILTER_IF_INDEX).is_ok());
    assert_eq!(read(0), Err(sys::STATUS_INVALID_PARAMETER));
    for unknown in [1, 4, 6, 8, 7 << 8, u32::MAX] {
        assert_eq!(read(unknown), Err(sys::STATUS_NOT_FOUND));
        for (code, input, output) in right() {
            let mut wrong = input;
            if wrong.len() > 8 {
                wrong[8..12].copy_from_slice(&unknown.to_le_bytes());
                let not_found = sys::STATUS_NOT_FOUND;
                assert_refused(&machine, code.code(), &wrong, output, not_found);
            }
        }
    }
    let by_nic = encoded(&set_request(MINIPORT_IF_INDEX, times(5)));
    let set = machine.world.ioctl(IoControl::SET.code(), &by_nic, 0);
    assert_eq!(set, Ok(Vec::new()));
    assert_eq!(scenarios::adapter::read(&machine.world).tuning, times(5));
    machine.stop_clean();
}

#[test]
fn it_answers_before_an_attach_while_paused_and_after_a_detach() {
    let machine = Machine::without_driver(Config::default());
    let ask = |kind: usize| {
        let (code, input, output) = right()[kind].clone();
        machine.world.ioctl(code.code(), &input, output)
    };
    let absent = || {
        let list = ask(0).expect("an empty list");
        let list = ListReply::decode(&list).expect("the protocol");
        assert_eq!((list.total(), list.is_whole()), (0, true));
        for kind in OF_AN_ADAPTER {
            assert_eq!(ask(kind), Err(sys::STATUS_NOT_FOUND));
        }
    };
    let runs = || {
        let list = ask(0).expect("a list");
        let list = ListReply::decode(&list).expect("the protocol");
        let entry = list.iter().next().expect("an adapter");
        let reply = read(&machine.world);
        assert_eq!(entry.running, reply.running);
        for kind in OF_AN_ADAPTER {
            assert!(ask(kind).is_ok());
        }
        reply.running
    };
    for kind in 0..8 {
        assert_eq!(ask(kind), Err(sys::STATUS_OBJECT_NAME_NOT_FOUND));
    }
    machine.load().expect("the driver loads");
    for _ in 0..2 {
        absent();
        machine.world.attach().expect("an attach");
        assert!(!runs());
        machine.world.restart().expect("a restart");
        assert!(runs());
        machine.world.pause();
        assert!(!runs());
        machine.world.detach();
    }
    absent();
    machine.world.unload();
    assert_clean(&machine.world.finish());
}

/// Field report: a program's open handle left a driver in STOP_PENDING, and its upgrade blocked.
/// Windows calls unload once the last handle is closed. Until then a handle keeps nothing else:
/// neither the detach waits for it, nor does a request through it find a module that is gone.
#[test]
fn an_open_handle_keeps_no_module_attached() {
    let machine = started();
    assert_eq!(machine.world.open_device(""), 0);
    let ask = |(code, input, output): &(IoControl, Vec<u8>, usize)| {
        machine.world.open_ioctl(code.code(), input, *output)
    };
    for request in &right() {
        assert_eq!(ask(request), 0);
    }
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    for request in &right() {
        let expected = match request.0 {
            IoControl::LIST | IoControl::DRIVER_VERSION => 0,
            _ => sys::STATUS_NOT_FOUND,
        };
        assert_eq!(ask(request), expected, "{:?}", request.0);
    }
    machine.world.close_device();
    machine.world.unload();
    assert_clean(&machine.world.finish());
}
