//! `ndis.sys`: memory, and spin locks by their names in NDIS.

use std::ffi::c_void;

use ::ndis::sys::{self, KSPIN_LOCK, NDIS_HANDLE};

use crate::{
    exports::{kernel_pool, spin_lock},
    thread,
};

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateMemoryWithTagPriority(
    owner: NDIS_HANDLE,
    length: u32,
    tag: u32,
    _priority: i32,
) -> *mut c_void {
    let routine = "NdisAllocateMemoryWithTagPriority";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    thread::require_module_or_driver(owner, routine);
    let world = thread::world();
    let mut state = world.state();
    state.check_tag(tag, routine);
    kernel_pool::allocate_pool(&mut state, length as usize, tag, true, routine)
}

unsafe extern "efiapi" fn NdisAllocateMemoryWithTag(
    memory: *mut *mut c_void,
    length: u32,
    tag: u32,
) -> sys::NDIS_STATUS {
    let routine = "NdisAllocateMemoryWithTag";
    thread::ndis_call(sys::DISPATCH_LEVEL, routine);
    let world = thread::world();
    let mut state = world.state();
    state.check_tag(tag, routine);
    let made = kernel_pool::allocate_pool(&mut state, length as usize, tag, true, routine);
    // SAFETY: the caller passes a place.
    unsafe { *memory = made };
    match made.is_null() {
        true => sys::NDIS_STATUS_RESOURCES,
        false => sys::NDIS_STATUS_SUCCESS,
    }
}

/// The upper half of the IDs by which a driver cancels sends of its own.
unsafe extern "efiapi" fn NdisGeneratePartialCancelId() -> u8 {
    7
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeMemory(memory: *mut c_void, _length: u32, _flags: u32) {
    thread::ndis_call(sys::DISPATCH_LEVEL, "NdisFreeMemory");
    kernel_pool::free_pool(memory, None, "NdisFreeMemory");
}

/// NDIS_SPIN_LOCK: the lock, and the IRQL from before it was acquired.
#[repr(C)]
pub struct NDIS_SPIN_LOCK {
    lock: KSPIN_LOCK,
    irql: u8,
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAllocateSpinLock(lock: *mut NDIS_SPIN_LOCK) {
    // SAFETY: the caller passes a place for a lock.
    unsafe { spin_lock::KeInitializeSpinLock(&raw mut (*lock).lock) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisFreeSpinLock(lock: *mut NDIS_SPIN_LOCK) {
    let place = lock.addr();
    let world = thread::world();
    world.state().kernel.spin_locks.forget(place..place + 1);
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisAcquireSpinLock(lock: *mut NDIS_SPIN_LOCK) {
    // SAFETY: the caller passes a lock.
    unsafe { (*lock).irql = spin_lock::KeAcquireSpinLockRaiseToDpc(&raw mut (*lock).lock) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisReleaseSpinLock(lock: *mut NDIS_SPIN_LOCK) {
    // SAFETY: the caller passes a lock.
    unsafe { spin_lock::KeReleaseSpinLock(&raw mut (*lock).lock, (*lock).irql) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisDprAcquireSpinLock(lock: *mut NDIS_SPIN_LOCK) {
    // SAFETY: the caller passes a lock.
    unsafe { spin_lock::KeAcquireSpinLockAtDpcLevel(&raw mut (*lock).lock) };
}

#[unsafe(no_mangle)]
pub unsafe extern "efiapi" fn NdisDprReleaseSpinLock(lock: *mut NDIS_SPIN_LOCK) {
    // SAFETY: the caller passes a lock.
    unsafe { spin_lock::KeReleaseSpinLockFromDpcLevel(&raw mut (*lock).lock) };
}

super::exports! {
    NdisAllocateMemoryWithTagPriority
    NdisAllocateMemoryWithTag
    NdisGeneratePartialCancelId
    NdisFreeMemory
    NdisAllocateSpinLock
    NdisFreeSpinLock
    NdisAcquireSpinLock
    NdisReleaseSpinLock
    NdisDprAcquireSpinLock
    NdisDprReleaseSpinLock
}
