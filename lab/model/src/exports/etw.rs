//! `ntoskrnl.exe`: event tracing.

use std::{ffi::c_void, slice};

use ::ndis::sys::{
    self, BOOLEAN, EVENT_DATA_DESCRIPTOR, EVENT_DESCRIPTOR, GUID, NTSTATUS, REGHANDLE,
};

use crate::{
    etw::Provider,
    rules::{Finding, Level, Rule},
    thread,
};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn EtwRegister(
    id: *const GUID,
    callback: *const c_void,
    _context: *mut c_void,
    handle: *mut REGHANDLE,
) -> NTSTATUS {
    let routine = "EtwRegister";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !callback.is_null() {
        let found = "with an enable callback, which the model would never call";
        state.finding(routine, Finding::at(Level::Product, Rule::Tracing, found));
    }
    if state.kernel.tracing.provider.is_some() {
        let found = "a second provider, or the same again";
        state.finding(routine, Finding::at(Level::Product, Rule::Tracing, found));
    }
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    // SAFETY: the caller passes a GUID and a place for the handle.
    unsafe {
        *handle = HANDLE;
        state.kernel.tracing.provider = Some(Provider::new(*id));
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn EtwUnregister(handle: REGHANDLE) -> NTSTATUS {
    let routine = "EtwUnregister";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if handle != HANDLE || state.kernel.tracing.provider.take().is_none() {
        state.violation(Rule::Tracing, routine, NOT_REGISTERED);
        return sys::STATUS_INVALID_PARAMETER;
    }
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn EtwSetInformation(
    handle: REGHANDLE,
    class: i32,
    information: *const c_void,
    length: u32,
) -> NTSTATUS {
    let routine = "EtwSetInformation";
    thread::require_irql_at_most(sys::PASSIVE_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    // SAFETY: the caller passes that many bytes.
    let bytes = unsafe { slice::from_raw_parts(information.cast::<u8>(), length as usize) };
    let provider = state.kernel.tracing.provider.as_mut();
    let found = match provider.filter(|_| handle == HANDLE) {
        None => NOT_REGISTERED,
        Some(_) if class != sys::EventProviderSetTraits => "something other than traits",
        Some(provider) => {
            if provider.set_traits(bytes) {
                return sys::NDIS_STATUS_SUCCESS;
            }
            "traits that are no name with its length"
        }
    };
    state.violation(Rule::Tracing, routine, found);
    sys::STATUS_INVALID_PARAMETER
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn EtwEventEnabled(
    handle: REGHANDLE,
    descriptor: *const EVENT_DESCRIPTOR,
) -> BOOLEAN {
    let world = thread::world();
    let mut state = world.state();
    if handle != HANDLE || state.kernel.tracing.provider.is_none() {
        state.violation(Rule::Tracing, "EtwEventEnabled", NOT_REGISTERED);
    }
    // SAFETY: the caller passes a descriptor.
    u8::from(state.kernel.tracing.is_enabled(unsafe { &*descriptor }))
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn EtwWriteTransfer(
    handle: REGHANDLE,
    descriptor: *const EVENT_DESCRIPTOR,
    _activity: *const GUID,
    _related: *const GUID,
    count: u32,
    data: *const EVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    let routine = "EtwWriteTransfer";
    let world = thread::world();
    let mut state = world.state();
    if handle != HANDLE || state.kernel.tracing.provider.is_none() {
        state.violation(Rule::Tracing, routine, NOT_REGISTERED);
        return sys::STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller passes a descriptor.
    if !state.kernel.tracing.is_enabled(unsafe { &*descriptor }) {
        let found = "an event was built although no session enables it";
        state.finding(routine, Finding::at(Level::Product, Rule::Tracing, found));
    }
    // SAFETY: the caller passes a descriptor, and that many descriptors of data, which lives.
    let (descriptor, parts) = unsafe {
        let parts = slice::from_raw_parts(data, count as usize);
        let bytes = |part: &EVENT_DATA_DESCRIPTOR| {
            slice::from_raw_parts(part.Ptr.cast::<u8>(), part.Size as usize).to_vec()
        };
        let parts = parts.iter().map(|part| (part.Type, bytes(part)));
        (*descriptor, parts.collect::<Vec<_>>())
    };
    if let Err(found) = state.kernel.tracing.write(&descriptor, &parts) {
        state.finding(routine, Finding::at(Level::Product, Rule::Tracing, found));
        return sys::STATUS_INVALID_PARAMETER;
    }
    sys::NDIS_STATUS_SUCCESS
}

/// The only registration that there ever is.
const HANDLE: REGHANDLE = 0xE7_4EE7;

const NOT_REGISTERED: &str = "of a provider that is not registered";

super::exports! {
    EtwRegister
    EtwUnregister
    EtwSetInformation
    EtwEventEnabled
    EtwWriteTransfer
}
