//! `ndis.sys` and `ntoskrnl.exe`: MDLs.

use std::{ffi::c_void, ptr};

use ::ndis::sys::{self, BOOLEAN, IRP, KPROCESSOR_MODE, MDL, NDIS_HANDLE};

use crate::{
    guard, mdl,
    objects::Kind,
    rules::{Finding, Level, Rule},
    thread,
};

unsafe extern "efiapi" fn NdisAllocateMdl(
    owner: NDIS_HANDLE,
    start: *mut c_void,
    length: u32,
) -> *mut MDL {
    let routine = "NdisAllocateMdl";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::require_module_or_driver(owner, routine);
    let world = thread::world();
    let mut state = world.state();
    if guard::image().contains(&start.addr()) || thread::is_on_stack(start.addr()) {
        let found = "of memory that is no non-paged pool: the driver's image, or its stack";
        state.finding(
            routine,
            Finding::new(Rule::Mappings, found).on("ddi/mdlapi/nf-mdlapi-ndisallocatemdl"),
        );
    }
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let block = mdl::describe(start.cast(), length as usize);
    let made: *mut MDL = state.kernel.objects.insert(Kind::NdisMdl, block).cast();
    // SAFETY: the MDL is new.
    unsafe { mdl::build_nonpaged(&mut state, made) };
    made
}

unsafe extern "efiapi" fn NdisFreeMdl(mdl: *mut MDL) {
    let routine = "NdisFreeMdl";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    free(mdl, Kind::NdisMdl, routine);
}

/// Frees an MDL that nobody uses.
fn free(mdl: *mut MDL, kind: Kind, routine: &str) {
    let world = thread::world();
    let mut state = world.state();
    let address = mdl.addr();
    if state.mdls.windows.contains_key(&address) {
        let found = "the packet that it describes is with the miniport";
        state.violation(Rule::OneOwner, routine, found);
    }
    if state.mdls.mapped.remove(&address).is_some() {
        // SAFETY: an MDL that is mapped is live.
        let partial = unsafe { (*mdl).MdlFlags } & sys::MDL_PARTIAL != 0;
        // IoFreeMdl undoes the mapping of a partial MDL.
        if !partial || kind != Kind::IoMdl {
            state.violation(Rule::Mappings, routine, "it is mapped");
        }
    }
    state.mdls.partials.remove(&address);
    if state.mdls.locked.remove(&address) {
        state.violation(Rule::Mappings, routine, "its pages are locked");
    }
    state.free_object(address, kind, routine);
}

unsafe extern "efiapi" fn IoAllocateMdl(
    start: *mut c_void,
    length: u32,
    secondary: BOOLEAN,
    _charge: BOOLEAN,
    irp: *mut IRP,
) -> *mut MDL {
    let routine = "IoAllocateMdl";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !irp.is_null() {
        let found = format!("an MDL for an IRP, secondary: {secondary}, is not linked to it");
        state.finding(routine, Finding::at(Level::Product, Rule::Mappings, found));
    }
    if !state.may_allocate(routine) {
        return ptr::null_mut();
    }
    let block = mdl::describe(start.cast(), length as usize);
    state.kernel.objects.insert(Kind::IoMdl, block).cast()
}

unsafe extern "efiapi" fn IoFreeMdl(mdl: *mut MDL) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "IoFreeMdl");
    free(mdl, Kind::IoMdl, "IoFreeMdl");
}

unsafe extern "efiapi" fn MmProbeAndLockPages(
    mdl: *mut MDL,
    _mode: KPROCESSOR_MODE,
    _operation: i32,
) {
    let routine = "MmProbeAndLockPages";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    // SAFETY: the caller passes an MDL.
    unsafe { (*mdl).MdlFlags |= sys::MDL_PAGES_LOCKED };
    if !state.mdls.locked.insert(mdl.addr()) {
        state.violation(Rule::Mappings, routine, "its pages are locked already");
    }
}

unsafe extern "efiapi" fn MmUnlockPages(mdl: *mut MDL) {
    let routine = "MmUnlockPages";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if !state.mdls.locked.remove(&mdl.addr()) {
        return state.violation(Rule::Mappings, routine, "its pages are not locked");
    }
    // It also undoes the mapping.
    state.mdls.mapped.remove(&mdl.addr());
    // SAFETY: the caller passes an MDL.
    unsafe { (*mdl).MdlFlags &= !(sys::MDL_PAGES_LOCKED | sys::MDL_MAPPED_TO_SYSTEM_VA) };
}

unsafe extern "efiapi" fn MmSizeOfMdl(start: *mut c_void, length: usize) -> usize {
    mdl::describe(start.cast(), length).size()
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn IoBuildPartialMdl(
    source: *mut MDL,
    target: *mut MDL,
    address: *mut c_void,
    length: u32,
) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "IoBuildPartialMdl");
    // SAFETY: the caller passes two MDLs.
    unsafe {
        mdl::build_partial(
            &mut thread::world().state(),
            source,
            target,
            address,
            length,
        )
    };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn MmBuildMdlForNonPagedPool(mdl: *mut MDL) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "MmBuildMdlForNonPagedPool");
    // SAFETY: the caller passes an initialized MDL.
    unsafe { mdl::build_nonpaged(&mut thread::world().state(), mdl) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn MmMapLockedPagesSpecifyCache(
    mdl: *mut MDL,
    mode: KPROCESSOR_MODE,
    _cache: i32,
    _requested: *mut c_void,
    bug_check: u32,
    priority: u32,
) -> *mut c_void {
    let routine = "MmMapLockedPagesSpecifyCache";
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    if mode != sys::KernelMode || bug_check != 0 || priority & sys::MdlMappingNoExecute == 0 {
        let found = "a mapping that is not kernel mode, may bug check, or is executable";
        state.violation(Rule::Mappings, routine, found);
    }
    // SAFETY: the caller passes an MDL.
    if unsafe { (*mdl).ByteCount } == 0 {
        let found = "an empty MDL, which has no page to map";
        state.finding(routine, Finding::at(Level::Advice, Rule::Mappings, found));
    }
    if !state.kernel.memory.grant() {
        return ptr::null_mut();
    }
    state.mdls.mapped_at_dispatch |= thread::irql() >= sys::DISPATCH_LEVEL;
    // SAFETY: the caller passes an MDL.
    unsafe { mdl::map(&mut state, mdl) }
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn MmUnmapLockedPages(address: *mut c_void, mdl: *mut MDL) {
    thread::require_irql_at_most(sys::DISPATCH_LEVEL, "MmUnmapLockedPages");
    // SAFETY: the caller passes an MDL.
    unsafe { mdl::unmap(&mut thread::world().state(), address, mdl) };
}

super::exports! {
    NdisAllocateMdl
    NdisFreeMdl
    IoAllocateMdl
    IoFreeMdl
    MmProbeAndLockPages
    MmUnlockPages
    MmSizeOfMdl
    IoBuildPartialMdl
    MmBuildMdlForNonPagedPool
    MmMapLockedPagesSpecifyCache
    MmUnmapLockedPages
}
