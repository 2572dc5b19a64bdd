//! `ntoskrnl.exe`: the System event log.

use std::{ffi::c_void, ptr};

use ::ndis::sys;

use crate::{error_log, memory::Block, rules::Rule, thread};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IoAllocateErrorLogEntry(
    object: *mut c_void,
    size: u8,
) -> *mut c_void {
    let routine = "IoAllocateErrorLogEntry";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let is_drivers = world.driver_object() == object.cast();
    let mut state = world.state();
    if !is_drivers {
        state.violation(
            Rule::ErrorLog,
            routine,
            "for an object that is not the driver's",
        );
    }
    let least = size_of::<sys::IO_ERROR_LOG_PACKET>();
    if size > sys::ERROR_LOG_MAXIMUM_SIZE || usize::from(size) < least {
        state.violation(Rule::ErrorLog, routine, format!("an entry of {size} bytes"));
        return ptr::null_mut();
    }
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let block = Block::new(size.into(), 16);
    let start = block.start().cast();
    state
        .kernel
        .error_log
        .pending
        .insert(block.address(), block);
    start
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IoWriteErrorLogEntry(entry: *mut c_void) {
    let routine = "IoWriteErrorLogEntry";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    let Some(block) = state.kernel.error_log.pending.remove(&entry.addr()) else {
        return state.violation(Rule::ErrorLog, routine, "an entry that is not allocated");
    };
    match error_log::read(&block) {
        Ok(entry) => state.kernel.error_log.written.push(entry),
        Err(found) => state.violation(Rule::ErrorLog, routine, found),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IoFreeErrorLogEntry(entry: *mut c_void) {
    let routine = "IoFreeErrorLogEntry";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if state
        .kernel
        .error_log
        .pending
        .remove(&entry.addr())
        .is_none()
    {
        state.violation(Rule::ErrorLog, routine, "an entry that is not allocated");
    }
}

super::exports! {
    IoAllocateErrorLogEntry
    IoWriteErrorLogEntry
    IoFreeErrorLogEntry
}
