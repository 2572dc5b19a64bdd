//! Rules 21, 23 and 38 for event providers.

use std::ptr;

use model::{Config, Rule};
use ndis::sys::{self, EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, REGHANDLE};
use scenarios::Machine;

use crate::{Run, assert_breaks};

const ID: GUID = GUID {
    Data1: 1,
    Data2: 2,
    Data3: 3,
    Data4: [4; 8],
};
const TRAITS: &[u8] = b"\x04\0x\0";
/// An event named "e" with a number "n".
const METADATA: &[u8] = b"\x08\0\0e\0n\0\x08";

/// `calls` run as driver code on a machine whose driver is gone, right or wrong.
#[track_caller]
fn assert_calls_break(rule: Rule, subject: &str, calls: impl Fn(Run)) {
    assert_breaks(rule, subject, |run| {
        let machine = Machine::start(Config::default());
        machine.world.pre_detach();
        machine.world.pause();
        machine.world.detach();
        machine.world.unload();
        machine.world.inside(|| calls(run));
        machine.world.unload();
        machine.world.finish()
    });
}

fn register() -> REGHANDLE {
    let mut handle = 0;
    // SAFETY: a GUID, and a place for the handle.
    unsafe { sys::EtwRegister(&ID, ptr::null(), ptr::null_mut(), &raw mut handle) };
    handle
}

fn unregister(handle: REGHANDLE) {
    // SAFETY: the model looks the handle up.
    unsafe { sys::EtwUnregister(handle) };
}

fn set_traits(handle: REGHANDLE, traits: &[u8]) {
    let (class, length) = (sys::EventProviderSetTraits, traits.len() as u32);
    // SAFETY: that many bytes.
    unsafe { sys::EtwSetInformation(handle, class, traits.as_ptr().cast(), length) };
}

fn named() -> REGHANDLE {
    let handle = register();
    set_traits(handle, TRAITS);
    handle
}

fn write(handle: REGHANDLE, traits: &[u8], metadata: &[u8], data: &[u8], channel: u8) {
    let descriptor = EVENT_DESCRIPTOR {
        Id: 0,
        Version: 0,
        Channel: channel,
        Level: 4,
        Opcode: 0,
        Task: 0,
        Keyword: 1,
    };
    let part = |bytes: &[u8], kind| EVENT_DATA_DESCRIPTOR {
        Ptr: bytes.as_ptr().cast(),
        Size: bytes.len() as u32,
        Type: kind,
        Reserved1: 0,
        Reserved2: 0,
    };
    let parts = [part(traits, 2), part(metadata, 1), part(data, 0)];
    let none = ptr::null();
    // SAFETY: three parts of the lengths that their descriptors give.
    unsafe { sys::EtwWriteTransfer(handle, &raw const descriptor, none, none, 3, parts.as_ptr()) };
}

#[test]
fn a_provider_is_registered_at_passive_level() {
    assert_calls_break(Rule::Passive, "EtwRegister", |run| {
        let irql = if run == Run::Right { 0 } else { 1 };
        // SAFETY: raised and lowered again.
        let before = unsafe { sys::KfRaiseIrql(irql) };
        let handle = register();
        // SAFETY: as above.
        unsafe { sys::KeLowerIrql(before) };
        unregister(handle);
    });
}

#[test]
fn a_provider_is_registered_once() {
    assert_calls_break(Rule::Tracing, "EtwRegister", |run| {
        let handle = register();
        if run == Run::Wrong {
            register();
        }
        unregister(handle);
    });
}

#[test]
fn a_provider_is_unregistered_once() {
    assert_calls_break(Rule::Tracing, "EtwUnregister", |run| {
        let handle = register();
        unregister(handle);
        if run == Run::Wrong {
            unregister(handle);
        }
    });
}

#[test]
fn a_provider_is_not_left_when_the_driver_is_gone() {
    assert_calls_break(Rule::NothingLeft, "event provider", |run| {
        let handle = register();
        if run == Run::Right {
            unregister(handle);
        }
    });
}

#[test]
fn a_providers_traits_are_a_name() {
    for wrong in [&b"\x05\0x\0"[..], b"\x04\0xx", b"\x06\0x\0y\0", b""] {
        assert_calls_break(Rule::Tracing, "EtwSetInformation", |run| {
            let handle = register();
            set_traits(handle, if run == Run::Right { TRAITS } else { wrong });
            unregister(handle);
        });
    }
}

#[test]
fn nothing_is_written_before_a_provider_is_registered_or_after() {
    assert_calls_break(Rule::Tracing, "EtwWriteTransfer", |run| {
        let handle = named();
        if run == Run::Right {
            write(handle, TRAITS, METADATA, &[0; 4], 11);
        }
        unregister(handle);
        if run == Run::Wrong {
            write(handle, TRAITS, METADATA, &[0; 4], 11);
        }
    });
}

#[test]
fn an_event_is_well_formed() {
    type Wrong = (&'static [u8], &'static [u8], &'static [u8], u8);
    let wrong: [Wrong; 8] = [
        // Other traits, another channel.
        (b"\x04\0y\0", METADATA, &[0; 4], 11),
        (TRAITS, METADATA, &[0; 4], 0),
        // Data too short, too long.
        (TRAITS, METADATA, &[0; 3], 11),
        (TRAITS, METADATA, &[0; 5], 11),
        // Metadata of another length, without an end, without a type, of an unknown type.
        (TRAITS, b"\x09\0\0e\0n\0\x08", &[0; 4], 11),
        (TRAITS, b"\x05\0\0ee", &[], 11),
        (TRAITS, b"\x07\0\0e\0n\0", &[], 11),
        (TRAITS, b"\x08\0\0e\0n\0\x1E", &[0; 4], 11),
    ];
    for (traits, metadata, data, channel) in wrong {
        assert_calls_break(Rule::Tracing, "EtwWriteTransfer", |run| {
            let handle = named();
            match run {
                Run::Right => write(handle, TRAITS, METADATA, &[0; 4], 11),
                Run::Wrong => write(handle, traits, metadata, data, channel),
            }
            unregister(handle);
        });
    }
}

#[test]
fn an_event_is_not_written_before_its_provider_has_a_name() {
    assert_calls_break(Rule::Tracing, "EtwWriteTransfer", |run| {
        let handle = register();
        if run == Run::Right {
            set_traits(handle, TRAITS);
        }
        write(handle, TRAITS, METADATA, &[0; 4], 11);
        unregister(handle);
    });
}
