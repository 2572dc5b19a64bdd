//! `ntoskrnl.exe`.

use std::{
    ffi::{CStr, c_char, c_void},
    io::Write,
    ptr,
    time::Duration,
};

use ::ndis::sys::{
    self, BOOLEAN, DRIVER_OBJECT, EX_RUNDOWN_REF_CACHE_AWARE, KIRQL, NTSTATUS, PROCESSOR_NUMBER,
};

use crate::{memory::Block, race, rules::Rule, state::Rundown, suspension, thread, world::Waited};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeGetCurrentIrql() -> KIRQL {
    thread::irql()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KfRaiseIrql(irql: KIRQL) -> KIRQL {
    if irql < thread::irql() {
        let found = format!("to {irql} from {}", thread::irql());
        thread::world().violation(Rule::Irql, "KfRaiseIrql", found);
    }
    let before = thread::set_irql(irql);
    thread::raised_from(before);
    if irql >= sys::DISPATCH_LEVEL {
        race::raised();
    }
    before
}

unsafe extern "efiapi" fn KeRaiseIrqlToDpcLevel() -> KIRQL {
    // SAFETY: the routine takes no pointer.
    unsafe { KfRaiseIrql(sys::DISPATCH_LEVEL) }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeLowerIrql(irql: KIRQL) {
    if irql > thread::irql() {
        let found = format!("to {irql} from {}", thread::irql());
        thread::world().violation(Rule::Irql, "KeLowerIrql", found);
    }
    if let Some(before) = thread::lowers_to(irql) {
        let found = format!("to {irql}, where KeRaiseIrql has returned {before}");
        thread::world().violation(Rule::Irql, "KeLowerIrql", found);
    }
    if irql < thread::entry_irql() {
        let found = format!("to {irql} in a handler called at {}", thread::entry_irql());
        thread::world().violation(Rule::Irql, "KeLowerIrql", found);
    }
    if irql < sys::DISPATCH_LEVEL && thread::locks_held() > 0 {
        let found = format!("to {irql} with a spin lock held");
        thread::world().violation(Rule::SpinLock, "KeLowerIrql", found);
    }
    if thread::irql() >= sys::DISPATCH_LEVEL {
        race::lowers();
    }
    thread::set_irql(irql);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeGetCurrentProcessorNumberEx(number: *mut PROCESSOR_NUMBER) -> u32 {
    let processor = thread::processor();
    if !number.is_null() {
        // SAFETY: the caller passes a place or null.
        unsafe {
            (*number).Group = 0;
            (*number).Number = processor as u8;
            (*number).Reserved = 0;
        }
    }
    processor
}

/// The longest stall: NdisStallExecution, which is a macro of this routine, must never be called for
/// more (Windows driver documentation, NdisStallExecution_Delay).
const LONGEST_STALL: Duration = Duration::from_micros(50);

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeStallExecutionProcessor(microseconds: u32) {
    let length = Duration::from_micros(microseconds.into());
    if length > LONGEST_STALL {
        let found = format!("a stall of {length:?}");
        thread::world().violation(Rule::Durations, "processor stall", found);
    }
    thread::stall(length);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeQueryMaximumProcessorCountEx(_group: u16) -> u32 {
    let config = &thread::world().config;
    config.processors + config.hot_added
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeQueryActiveProcessorCountEx(_group: u16) -> u32 {
    thread::world().active_processors()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IoAllocateDriverObjectExtension(
    driver: *mut DRIVER_OBJECT,
    key: *mut c_void,
    size: u32,
    extension: *mut *mut c_void,
) -> NTSTATUS {
    let routine = "IoAllocateDriverObjectExtension";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !state.may_allocate(routine) {
        return sys::NDIS_STATUS_RESOURCES;
    }
    let block = Block::new(size as usize, 16);
    // SAFETY: the caller passes a place for the pointer.
    unsafe { *extension = block.start().cast() };
    state
        .kernel
        .extensions
        .insert((driver.addr(), key.addr()), block);
    sys::NDIS_STATUS_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IoGetDriverObjectExtension(
    driver: *mut DRIVER_OBJECT,
    key: *mut c_void,
) -> *mut c_void {
    let world = thread::world();
    let state = world.state();
    state
        .kernel
        .extensions
        .get(&(driver.addr(), key.addr()))
        .map_or(ptr::null_mut(), |block| block.start().cast())
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeEnterCriticalRegion() {
    thread::require_irql_at_most(sys::APC_LEVEL, "KeEnterCriticalRegion");
    suspension::set_regions(suspension::regions() + 1);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeLeaveCriticalRegion() {
    let routine = "KeLeaveCriticalRegion";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    match suspension::regions().checked_sub(1) {
        Some(left) => suspension::set_regions(left),
        None => {
            let found = "called by a thread that is in no critical region";
            thread::world().violation(Rule::Irql, routine, found.into());
        }
    }
}

/// The machine stops here, and so does the process: no rule of the model lets a driver go on.
#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn KeBugCheckEx(
    code: u32,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
) -> ! {
    let line = format!(
        "the driver stopped the machine: bug check {code:#x} ({first:#x}, {second:#x}, {third:#x}, \
         {fourth:#x})\n"
    );
    let _ = std::io::stderr().write_all(line.as_bytes());
    std::process::abort();
}

/// Prints to stderr, as a debugger would show it. Variadic in C; of the arguments after the format,
/// `wdk::println!` passes one, for a `%s`, and other formats are printed as they are.
#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn DbgPrint(format: *const c_char, first: *const c_char) -> u32 {
    // SAFETY: DbgPrint takes a string that ends with a zero, and for `%s` another one.
    let text = unsafe {
        match CStr::from_ptr(format) {
            format if format == c"%s" => CStr::from_ptr(first),
            format => format,
        }
    };
    let line = format!("DbgPrint: {}", text.to_string_lossy());
    let _ = std::io::stderr().write_all(line.as_bytes());
    0
}

pub(super) type Reference = *mut EX_RUNDOWN_REF_CACHE_AWARE;

/// The subject of findings about one.
const RUNDOWN: &str = "rundown reference";

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExAllocateCacheAwareRundownProtection(
    _pool: i32,
    tag: u32,
) -> Reference {
    let routine = "ExAllocateCacheAwareRundownProtection";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    state.check_tag(tag, routine);
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let memory = Block::new(64, 64);
    let reference = memory.start().cast();
    let rundown = Rundown {
        count: 0,
        down: false,
        completed: false,
        memory,
    };
    state
        .kernel
        .rundowns
        .insert(rundown.memory.address(), rundown);
    reference
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExFreeCacheAwareRundownProtection(reference: Reference) {
    thread::require_irql_at_most(sys::APC_LEVEL, "ExFreeCacheAwareRundownProtection");
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.rundowns.remove(&reference.addr()) {
        Some(rundown) if rundown.count == 0 => {}
        _ => state.violation(Rule::PoolTags, RUNDOWN, "freed in use, or twice"),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExAcquireRundownProtectionCacheAwareEx(
    reference: Reference,
    count: u32,
) -> BOOLEAN {
    let routine = "ExAcquireRundownProtectionCacheAwareEx";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    suspension::require_none(routine);
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.rundowns.get_mut(&reference.addr()) {
        Some(rundown) if !rundown.down => {
            rundown.count += u64::from(count);
            1
        }
        _ => 0,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExReleaseRundownProtectionCacheAwareEx(
    reference: Reference,
    count: u32,
) {
    thread::require_irql_at_most(
        sys::DISPATCH_LEVEL,
        "ExReleaseRundownProtectionCacheAwareEx",
    );
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.rundowns.get_mut(&reference.addr()) {
        Some(rundown) if rundown.count >= u64::from(count) => rundown.count -= u64::from(count),
        _ => state.violation(Rule::Pause, RUNDOWN, "released more often than acquired"),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExWaitForRundownProtectionReleaseCacheAware(reference: Reference) {
    let routine = "ExWaitForRundownProtectionReleaseCacheAware";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    suspension::require_none(routine);
    let world = thread::world();
    let is_down = || match world.state().kernel.rundowns.get_mut(&reference.addr()) {
        Some(rundown) => {
            rundown.down = true;
            rundown.count == 0
        }
        None => true,
    };
    if world.wait(routine, None, is_down) == Waited::Forever {
        let found = "the wait would never end";
        world.violation(Rule::Pause, "rundown reference", found.into());
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExRundownCompletedCacheAware(reference: Reference) {
    thread::require_irql_at_most(sys::APC_LEVEL, "ExRundownCompletedCacheAware");
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.rundowns.get_mut(&reference.addr()) {
        Some(rundown) if rundown.down && rundown.count == 0 => rundown.completed = true,
        _ => state.violation(
            Rule::Pause,
            RUNDOWN,
            "marked as completed before it is down",
        ),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn ExReInitializeRundownProtectionCacheAware(reference: Reference) {
    thread::require_irql_at_most(sys::APC_LEVEL, "ExReInitializeRundownProtectionCacheAware");
    let world = thread::world();
    let mut state = world.state();
    match state.kernel.rundowns.get_mut(&reference.addr()) {
        Some(rundown) if rundown.completed => (rundown.down, rundown.completed) = (false, false),
        _ => state.violation(
            Rule::Pause,
            RUNDOWN,
            "reinitialized before the rundown is completed",
        ),
    }
}

super::exports! {
    KeGetCurrentIrql
    KfRaiseIrql
    KeRaiseIrqlToDpcLevel
    KeLowerIrql
    KeGetCurrentProcessorNumberEx
    KeStallExecutionProcessor
    KeQueryMaximumProcessorCountEx
    KeQueryActiveProcessorCountEx
    KeEnterCriticalRegion
    KeLeaveCriticalRegion
    KeBugCheckEx
    DbgPrint
    IoAllocateDriverObjectExtension
    IoGetDriverObjectExtension
    ExAllocateCacheAwareRundownProtection
    ExFreeCacheAwareRundownProtection
    ExAcquireRundownProtectionCacheAwareEx
    ExReleaseRundownProtectionCacheAwareEx
    ExWaitForRundownProtectionReleaseCacheAware
    ExRundownCompletedCacheAware
    ExReInitializeRundownProtectionCacheAware
}
