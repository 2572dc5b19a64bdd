//! `ntoskrnl.exe` and `ndis.sys`: processors, which are all in one group.

use ::ndis::sys::{self, PROCESSOR_NUMBER};

use crate::thread;

/// All processors, active or not, and the active ones.
fn most() -> u32 {
    let config = &thread::world().config;
    config.processors + config.hot_added
}

fn active() -> u32 {
    thread::world().active_processors()
}

/// The set of the active processors.
fn set() -> usize {
    (1_usize << active().min(63)) - 1
}

unsafe extern "efiapi" fn KeQueryActiveProcessorCount(set_of_them: *mut usize) -> u32 {
    if !set_of_them.is_null() {
        // SAFETY: the caller passes a place or null.
        unsafe { *set_of_them = set() };
    }
    active()
}

unsafe extern "efiapi" fn KeQueryActiveProcessors() -> usize {
    set()
}

unsafe extern "efiapi" fn KeQueryGroupAffinity(_group: u16) -> usize {
    set()
}

unsafe extern "efiapi" fn KeQueryMaximumProcessorCount() -> u32 {
    most()
}

unsafe extern "efiapi" fn KeQueryActiveGroupCount() -> u16 {
    1
}
use KeQueryActiveGroupCount as KeQueryMaximumGroupCount;

unsafe extern "efiapi" fn KeQueryHighestNodeNumber() -> u16 {
    0
}
use KeQueryHighestNodeNumber as KeGetCurrentNodeNumber;

unsafe extern "efiapi" fn KeGetProcessorNumberFromIndex(
    index: u32,
    number: *mut PROCESSOR_NUMBER,
) -> i32 {
    if index >= most() {
        return sys::NDIS_STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller passes a place.
    unsafe {
        ((*number).Group, (*number).Number, (*number).Reserved) = (0, index as u8, 0);
    }
    sys::STATUS_SUCCESS
}

unsafe extern "efiapi" fn KeGetProcessorIndexFromNumber(number: *const PROCESSOR_NUMBER) -> u32 {
    // SAFETY: the caller passes a number.
    unsafe { (*number).Number.into() }
}

/// Where a thread runs is the model's choice in any case.
unsafe extern "efiapi" fn KeSetSystemAffinityThreadEx(_set: usize) -> usize {
    set()
}

unsafe extern "efiapi" fn leave_affinity(_set: usize) {}
use leave_affinity as KeRevertToUserAffinityThread;
use leave_affinity as KeRevertToUserAffinityThreadEx;
use leave_affinity as KeRevertToUserGroupAffinityThread;
use leave_affinity as KeSetSystemAffinityThread;

/// GROUP_AFFINITY.
#[repr(C)]
pub struct GROUP_AFFINITY {
    mask: usize,
    group: u16,
    reserved: [u16; 3],
}

unsafe extern "efiapi" fn KeSetSystemGroupAffinityThread(
    _wanted: *const GROUP_AFFINITY,
    before: *mut GROUP_AFFINITY,
) {
    if !before.is_null() {
        // SAFETY: the caller passes a place or null.
        unsafe {
            *before = GROUP_AFFINITY {
                mask: set(),
                group: 0,
                reserved: [0; 3],
            };
        }
    }
}

unsafe extern "efiapi" fn NdisSystemProcessorCount() -> u32 {
    active()
}

unsafe extern "efiapi" fn NdisSystemActiveProcessorCount(set_of_them: *mut usize) -> u32 {
    // SAFETY: as for this routine.
    unsafe { KeQueryActiveProcessorCount(set_of_them) }
}

unsafe extern "efiapi" fn NdisGroupActiveProcessorCount(_group: u16) -> u32 {
    active()
}

unsafe extern "efiapi" fn NdisGroupMaxProcessorCount(_group: u16) -> u32 {
    most()
}

unsafe extern "efiapi" fn NdisActiveGroupCount() -> u16 {
    1
}
use NdisActiveGroupCount as NdisMaxGroupCount;

unsafe extern "efiapi" fn NdisCurrentProcessorIndex() -> u32 {
    thread::processor()
}

unsafe extern "efiapi" fn NdisProcessorNumberToIndex(number: PROCESSOR_NUMBER) -> u32 {
    number.Number.into()
}

unsafe extern "efiapi" fn NdisProcessorIndexToNumber(
    index: u32,
    number: *mut PROCESSOR_NUMBER,
) -> i32 {
    // SAFETY: as for this routine.
    unsafe { KeGetProcessorNumberFromIndex(index, number) }
}

super::exports! {
    KeQueryActiveProcessorCount
    KeQueryActiveProcessors
    KeQueryGroupAffinity
    KeQueryMaximumProcessorCount
    KeQueryActiveGroupCount
    KeQueryMaximumGroupCount
    KeQueryHighestNodeNumber
    KeGetCurrentNodeNumber
    KeGetProcessorNumberFromIndex
    KeGetProcessorIndexFromNumber
    KeSetSystemAffinityThread
    KeSetSystemAffinityThreadEx
    KeRevertToUserAffinityThread
    KeRevertToUserAffinityThreadEx
    KeSetSystemGroupAffinityThread
    KeRevertToUserGroupAffinityThread
    NdisSystemProcessorCount
    NdisSystemActiveProcessorCount
    NdisGroupActiveProcessorCount
    NdisGroupMaxProcessorCount
    NdisActiveGroupCount
    NdisMaxGroupCount
    NdisCurrentProcessorIndex
    NdisProcessorNumberToIndex
    NdisProcessorIndexToNumber
}
