//! Spin locks, taken well and badly around each send.

use std::{cell::UnsafeCell, ptr};

use ndis::sys::{self, KSPIN_LOCK, NDIS_HANDLE};

use super::fault;

/// A lock in the module, and one in the pool.
pub(super) struct Locks {
    own: Box<UnsafeCell<KSPIN_LOCK>>,
    in_pool: *mut KSPIN_LOCK,
}

const TAG: u32 = u32::from_le_bytes(*b"MinL");

impl Locks {
    pub(super) fn new<const FAULT: u8>() -> Self {
        let own = Box::new(UnsafeCell::new(0));
        // SAFETY: the memory is the lock's as long as the module lives.
        let in_pool = unsafe {
            if FAULT != fault::LOCK_UNINITIALISED {
                sys::KeInitializeSpinLock(own.get());
            }
            let memory = sys::ExAllocatePool2(sys::POOL_FLAG_NON_PAGED, 64, TAG).cast();
            if !ptr::eq(memory, ptr::null::<KSPIN_LOCK>()) {
                sys::KeInitializeSpinLock(memory);
            }
            memory
        };
        Self { own, in_pool }
    }

    /// Runs before each send. Returns the old IRQL if a lock is still held that `after` is to
    /// release.
    pub(super) fn before<const FAULT: u8>(&self, module: NDIS_HANDLE) -> Option<sys::KIRQL> {
        let lock = self.own.get();
        // SAFETY: the lock is initialized unless the fault is that it is not.
        unsafe {
            let old = sys::KeAcquireSpinLockRaiseToDpc(lock);
            match FAULT {
                fault::LOCK_TWICE => sys::KeAcquireSpinLockAtDpcLevel(lock),
                fault::LOCK_ACROSS | fault::LOCK_KEPT => return Some(old),
                fault::LOCK_OTHER_IRQL => {
                    sys::KeReleaseSpinLock(lock, sys::APC_LEVEL);
                    sys::KeLowerIrql(old);
                    return None;
                }
                fault::PASSIVE_HIGH => open_configuration(module),
                _ => {}
            }
            sys::KeReleaseSpinLock(lock, old);
            match FAULT {
                fault::LOCK_NOT_HELD => {
                    let old = sys::KfRaiseIrql(sys::DISPATCH_LEVEL);
                    sys::KeReleaseSpinLockFromDpcLevel(lock);
                    sys::KeLowerIrql(old);
                }
                fault::LOCK_LOW => {
                    sys::KeAcquireSpinLockAtDpcLevel(lock);
                    sys::KeReleaseSpinLockFromDpcLevel(lock);
                }
                fault::LOCK_FREED | fault::LOCK_FREED_HELD => self.in_freed_memory::<FAULT>(),
                _ => {}
            }
        }
        None
    }

    /// Runs after each send.
    pub(super) fn after<const FAULT: u8>(&self, held: Option<sys::KIRQL>) {
        if let Some(old) = held
            && FAULT != fault::LOCK_KEPT
        {
            // SAFETY: `before` took it.
            unsafe { sys::KeReleaseSpinLock(self.own.get(), old) };
        }
    }

    /// A lock of its own, so that the module's stays whole.
    fn in_freed_memory<const FAULT: u8>(&self) {
        // SAFETY: the model does not touch a lock whose memory is freed.
        unsafe {
            let memory = sys::ExAllocatePool2(sys::POOL_FLAG_NON_PAGED, 64, TAG);
            let lock = memory.cast::<KSPIN_LOCK>();
            sys::KeInitializeSpinLock(lock);
            let old = sys::KfRaiseIrql(sys::DISPATCH_LEVEL);
            if FAULT == fault::LOCK_FREED_HELD {
                sys::KeAcquireSpinLockAtDpcLevel(lock);
                sys::ExFreePoolWithTag(memory, TAG);
            } else {
                sys::ExFreePoolWithTag(memory, TAG);
                sys::KeAcquireSpinLockAtDpcLevel(lock);
                sys::KeReleaseSpinLockFromDpcLevel(lock);
            }
            sys::KeLowerIrql(old);
        }
    }
}

/// Opens and closes the module's configuration.
fn open_configuration(module: NDIS_HANDLE) {
    // SAFETY: the module is attached.
    unsafe { sys::NdisCloseConfiguration(scenarios::driver::open_configuration(module)) };
}

impl Drop for Locks {
    fn drop(&mut self) {
        if !self.in_pool.is_null() {
            // SAFETY: allocated in `new`.
            unsafe { sys::ExFreePoolWithTag(self.in_pool.cast(), TAG) };
        }
    }
}
