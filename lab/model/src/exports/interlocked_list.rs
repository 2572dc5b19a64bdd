//! `ntoskrnl.exe`: lists that several threads use.

use std::{
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ::ndis::sys::KSPIN_LOCK;

use crate::{guard, race};

/// The one lock of all lists: the processor's instructions, and the driver's own lock, which the
/// routines acquire at any IRQL.
static LISTS: Mutex<()> = Mutex::new(());

fn lock() -> MutexGuard<'static, ()> {
    LISTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SLIST_HEADER: the number of entries in the lowest 16 bits, and the first entry, at a multiple of 16.
#[repr(C)]
pub struct SLIST_HEADER {
    depth: u64,
    next: *mut SLIST_ENTRY,
}

/// SLIST_ENTRY.
#[repr(C)]
pub struct SLIST_ENTRY {
    next: *mut SLIST_ENTRY,
}

/// Checks that the driver may use a list's header.
fn check<T>(place: *const T) {
    guard::check_access(place.cast(), size_of::<T>(), true);
    race::acquire(place.addr());
}

unsafe extern "efiapi" fn InitializeSListHead(list: *mut SLIST_HEADER) {
    check(list);
    // SAFETY: the caller passes a place for a list.
    unsafe {
        *list = SLIST_HEADER {
            depth: 0,
            next: ptr::null_mut(),
        };
    }
}

unsafe extern "efiapi" fn ExpInterlockedPushEntrySList(
    list: *mut SLIST_HEADER,
    entry: *mut SLIST_ENTRY,
) -> *mut SLIST_ENTRY {
    check(list);
    check(entry);
    let _all = lock();
    race::release(list.addr());
    // SAFETY: the caller passes a list, and an entry of its own.
    unsafe {
        let first = (*list).next;
        (*entry).next = first;
        (*list).next = entry;
        (*list).depth += 1;
        first
    }
}

unsafe extern "efiapi" fn ExpInterlockedPopEntrySList(list: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
    check(list);
    let _all = lock();
    // SAFETY: the caller passes a list, whose entries are live.
    unsafe {
        let first = (*list).next;
        if !first.is_null() {
            check(first);
            (*list).next = (*first).next;
            (*list).depth -= 1;
        }
        first
    }
}

unsafe extern "efiapi" fn ExpInterlockedFlushSList(list: *mut SLIST_HEADER) -> *mut SLIST_ENTRY {
    check(list);
    let _all = lock();
    // SAFETY: the caller passes a list.
    unsafe {
        (*list).depth = 0;
        std::mem::replace(&mut (*list).next, ptr::null_mut())
    }
}

unsafe extern "efiapi" fn ExQueryDepthSList(list: *mut SLIST_HEADER) -> u16 {
    check(list);
    // SAFETY: the caller passes a list.
    unsafe { (*list).depth as u16 }
}

/// LIST_ENTRY.
#[repr(C)]
pub struct LIST_ENTRY {
    next: *mut LIST_ENTRY,
    previous: *mut LIST_ENTRY,
}

/// An end of a list.
#[derive(PartialEq, Eq)]
enum End {
    Head,
    Tail,
}

/// Links `entry` at an end of the list. Returns the entry that was there, or null where the list was
/// empty.
///
/// # Safety
/// `head` is a list's head, and `entry` the caller's own.
unsafe fn insert(end: End, head: *mut LIST_ENTRY, entry: *mut LIST_ENTRY) -> *mut LIST_ENTRY {
    check(head);
    check(entry);
    let _all = lock();
    race::release(head.addr());
    // SAFETY: as the caller vouches; the neighbors are linked to each other.
    unsafe {
        let (before, after) = match end {
            End::Head => (head, (*head).next),
            End::Tail => ((*head).previous, head),
        };
        ((*entry).previous, (*entry).next) = (before, after);
        (*before).next = entry;
        (*after).previous = entry;
        let other = if end == End::Head { after } else { before };
        if other == head {
            ptr::null_mut()
        } else {
            other
        }
    }
}

unsafe extern "efiapi" fn ExInterlockedInsertTailList(
    head: *mut LIST_ENTRY,
    entry: *mut LIST_ENTRY,
    _lock: *mut KSPIN_LOCK,
) -> *mut LIST_ENTRY {
    // SAFETY: the caller passes a list's head, and an entry of its own.
    unsafe { insert(End::Tail, head, entry) }
}

unsafe extern "efiapi" fn ExInterlockedInsertHeadList(
    head: *mut LIST_ENTRY,
    entry: *mut LIST_ENTRY,
    _lock: *mut KSPIN_LOCK,
) -> *mut LIST_ENTRY {
    // SAFETY: as for the tail.
    unsafe { insert(End::Head, head, entry) }
}

unsafe extern "efiapi" fn ExInterlockedRemoveHeadList(
    head: *mut LIST_ENTRY,
    _lock: *mut KSPIN_LOCK,
) -> *mut LIST_ENTRY {
    check(head);
    let _all = lock();
    // SAFETY: the caller passes a list's head, and its entries are live.
    unsafe {
        let first = (*head).next;
        if first == head {
            return ptr::null_mut();
        }
        check(first);
        (*head).next = (*first).next;
        (*(*first).next).previous = head;
        first
    }
}

super::exports! {
    InitializeSListHead
    ExpInterlockedPushEntrySList
    ExpInterlockedPopEntrySList
    ExpInterlockedFlushSList
    ExQueryDepthSList
    ExInterlockedInsertTailList
    ExInterlockedInsertHeadList
    ExInterlockedRemoveHeadList
}
