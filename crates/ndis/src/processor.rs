//! The current processor: holding on to it, and memory of its own for each.

use core::marker::PhantomData;

use crate::{pool::PoolSlice, pool_tag::Tag, status::Status, sys};

/// Proof that this thread runs at DISPATCH_LEVEL, so that it stays on its processor and nothing
/// else at or below DISPATCH_LEVEL runs there until the proof is dropped.
pub struct AtDispatch {
    /// The IRQL to go back to, where this proof raised it.
    lower_to: Option<sys::KIRQL>,
    /// IRQL belongs to the processor: the proof may not move to another thread.
    stays_here: PhantomData<*const ()>,
}

impl AtDispatch {
    /// Raises the IRQL to DISPATCH_LEVEL unless the caller is there `already`.
    ///
    /// NDIS reports this with NDIS_SEND_FLAGS_DISPATCH_LEVEL; passing `true` at a lower IRQL is a
    /// bug of the caller that the model reports as rule 22.
    #[must_use]
    pub fn enter(already: bool) -> Self {
        let lower_to = if already {
            None
        } else {
            // SAFETY: raising to DISPATCH_LEVEL is legal from every IRQL at which NDIS calls a
            // filter's data path (≤ DISPATCH_LEVEL); `drop` lowers it again.
            Some(unsafe { sys::KfRaiseIrql(sys::DISPATCH_LEVEL) })
        };
        Self {
            lower_to,
            stays_here: PhantomData,
        }
    }

    /// The proof of a caller that is there `already`, and none of one that may not be.
    #[must_use]
    pub fn if_already(already: bool) -> Option<Self> {
        already.then(|| Self::enter(true))
    }

    /// Index of this processor, which stays the same as long as `self` lives.
    pub fn processor(&self) -> u32 {
        current_processor()
    }
}

/// Index of the current processor, counted over all groups from 0. Below DISPATCH_LEVEL the thread
/// may move to another one at any time.
pub fn current_processor() -> u32 {
    // SAFETY: a null argument is allowed and requests the index only.
    unsafe { sys::KeGetCurrentProcessorNumberEx(core::ptr::null_mut()) }
}

impl Drop for AtDispatch {
    fn drop(&mut self) {
        if let Some(irql) = self.lower_to {
            // SAFETY: `irql` is what KfRaiseIrql returned to `enter` on this same thread.
            unsafe { sys::KeLowerIrql(irql) };
        }
    }
}

/// The number of active processors, and the maximum after a hot add.
pub fn processor_counts() -> (u32, u32) {
    // SAFETY: both routines may be called at any IRQL and take any group number.
    unsafe {
        (
            sys::KeQueryActiveProcessorCountEx(sys::ALL_PROCESSOR_GROUPS),
            sys::KeQueryMaximumProcessorCountEx(sys::ALL_PROCESSOR_GROUPS),
        )
    }
}

/// One value in cache lines of its own.
#[repr(C, align(64))]
struct Slot<T>(T);

/// A `T` for each processor, none of which shares a cache line with another's.
pub struct PerProcessor<T> {
    slots: PoolSlice<Slot<T>>,
}

impl<T> PerProcessor<T> {
    /// A value for each processor that may ever be active, made from its index.
    pub fn try_new(tag: Tag, mut make: impl FnMut(u32) -> T) -> Result<Self, Status> {
        let (_, most) = processor_counts();
        let length = usize::try_from(most).map_err(|_| Status::RESOURCES)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an index below `most`, which is a u32"
        )]
        let slots = PoolSlice::try_new(tag, length, |index| Slot(make(index as u32)))?;
        Ok(Self { slots })
    }

    /// The value of processor `index`; `None` where the machine has no such processor.
    pub fn get(&self, index: u32) -> Option<&T> {
        let slot = self.slots.get(usize::try_from(index).ok()?)?;
        Some(&slot.0)
    }

    /// All values in the order of their processors.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|slot| &slot.0)
    }
}
