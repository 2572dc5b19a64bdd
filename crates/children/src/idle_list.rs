//! Idle items of one kind: a list for each processor, without a lock.
//!
//! Each processor has two lists. `local` belongs to it: only code at DISPATCH_LEVEL on that
//! processor touches it, so that taking an item costs no atomic operation. `returned` receives the
//! items that any processor returns at any IRQL: a chain is pushed with one compare-exchange, and is
//! taken as a whole with one exchange when `local` is empty. No single item is ever popped from the
//! shared list, so the ABA problem cannot arise. Items that are returned on the processor itself at
//! DISPATCH_LEVEL go to `local`, and are used again first: its data cache still has them.
//!
//! `local` keeps a bounded number of items. The rest go back to `returned`, where another processor
//! can free them when memory is short.

use core::{
    cell::UnsafeCell,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, Ordering},
};

use ndis::AtDispatch;

/// The first field of an item: the next one of its list.
#[repr(C)]
pub(crate) struct Link {
    pub(crate) next: *mut Link,
}

/// A list of items that are owned here.
#[must_use = "items that are neither used nor returned are lost"]
pub(crate) struct Items {
    ends: Option<(NonNull<Link>, NonNull<Link>)>,
    count: u32,
}

impl Items {
    pub(crate) const EMPTY: Self = Self {
        ends: None,
        count: 0,
    };

    /// The number of items.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// The first item; null if there is none.
    pub(crate) const fn first(&self) -> *mut Link {
        match self.ends {
            Some((first, _)) => first.as_ptr(),
            None => ptr::null_mut(),
        }
    }

    /// The items from `first` to `last`.
    ///
    /// # Safety
    /// They are a list of `count` items, which are owned by the caller.
    pub(crate) const unsafe fn from_ends(
        first: NonNull<Link>,
        last: NonNull<Link>,
        count: u32,
    ) -> Self {
        Self {
            ends: Some((first, last)),
            count,
        }
    }

    /// First and last item, or `None` if there is none; the items stay owned here.
    pub(crate) const fn ends(&self) -> Option<(NonNull<Link>, NonNull<Link>)> {
        self.ends
    }

    /// First and last item, or `None` if there is none.
    pub(crate) const fn into_ends(self) -> Option<(NonNull<Link>, NonNull<Link>)> {
        self.ends
    }

    /// Puts one in front.
    ///
    /// # Safety
    /// The item is owned by the caller.
    pub(crate) unsafe fn push(&mut self, item: NonNull<Link>) {
        let (next, last) = match self.ends {
            Some((first, last)) => (first.as_ptr(), last),
            None => (ptr::null_mut(), item),
        };
        // SAFETY: the item is owned here (invariant 2).
        unsafe { (*item.as_ptr()).next = next };
        self.ends = Some((item, last));
        self.count = self.count.saturating_add(1);
    }

    pub(crate) fn append(&mut self, more: Self) {
        let Some((first, last)) = more.ends else {
            return;
        };
        self.ends = match self.ends {
            None => Some((first, last)),
            Some((head, tail)) => {
                // SAFETY: the list owns its last item (invariant 2).
                unsafe { (*tail.as_ptr()).next = first.as_ptr() };
                Some((head, last))
            }
        };
        self.count = self.count.saturating_add(more.count);
    }

    /// Takes the first one out.
    pub(crate) fn pop(&mut self) -> Option<NonNull<Link>> {
        let (first, last) = self.ends?;
        self.ends = if first == last {
            None
        } else {
            // SAFETY: the list owns the item (invariant 2), which is not its last.
            NonNull::new(unsafe { (*first.as_ptr()).next }).map(|next| (next, last))
        };
        self.count = self.count.saturating_sub(1);
        // SAFETY: the item is owned here (invariant 2).
        unsafe { (*first.as_ptr()).next = ptr::null_mut() };
        Some(first)
    }
}

/// The idle items of one kind and one processor.
pub(crate) struct IdleList {
    local: UnsafeCell<Local>,
    returned: Returned,
}

/// The list of the processor itself.
struct Local {
    first: *mut Link,
    count: u32,
}

/// In a cache line of its own: other processors write to it.
#[repr(align(64))]
struct Returned(AtomicPtr<Link>);

// SAFETY: `local` is reached through an `AtDispatch` of its processor, which serializes all access,
// or while no other thread uses the list (invariant 3); `returned` is atomic.
unsafe impl Sync for IdleList {}
// SAFETY: items are not tied to a thread.
unsafe impl Send for IdleList {}

impl IdleList {
    pub(crate) const fn new() -> Self {
        Self {
            local: UnsafeCell::new(Local {
                first: ptr::null_mut(),
                count: 0,
            }),
            returned: Returned(AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// Takes up to `most` items (at least one requested) from `local`. If `local` is empty, first
    /// moves up to `most + keep` items there from `returned`. IRQL DISPATCH_LEVEL, on the list's
    /// processor.
    #[inline]
    pub(crate) fn take(&self, most: u32, keep: u32, _at: &AtDispatch) -> Items {
        // SAFETY: `_at` proves that this thread has the processor to itself at DISPATCH_LEVEL
        // (invariant 3), and nothing that is called while the reference lives re-enters this function.
        let local = unsafe { &mut *self.local.get() };
        if local.first.is_null() {
            (local.first, local.count) = self.take_returned(most.saturating_add(keep));
        }
        // SAFETY: the list owns its items (invariant 2).
        let items = unsafe { split(&mut local.first, most) };
        local.count = local.count.wrapping_sub(items.count());
        items
    }

    /// Takes `most` of the returned items. Returns the first and their number.
    fn take_returned(&self, most: u32) -> (*mut Link, u32) {
        // Acquire: see what the returning processor wrote to the items.
        let mut all = self.returned.0.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: the items were in the list, and are owned here now (invariants 2 and 3).
        let taken = unsafe { split(&mut all, most) };
        if !all.is_null() {
            self.put_back(all);
        }
        (taken.first(), taken.count())
    }

    /// Returns a list whose end is unknown. If other processors returned items meanwhile, those go
    /// in front, because that list is shorter to walk to its end.
    #[cold]
    fn put_back(&self, mut list: *mut Link) {
        let returned = &self.returned.0;
        // Release: the thread that takes the items sees all earlier writes to them.
        while returned
            .compare_exchange(ptr::null_mut(), list, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            let mut newer = returned.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: the items were in the list, and are owned here now (invariants 2 and 3).
            if let Some((first, last)) = unsafe { split(&mut newer, u32::MAX) }.into_ends() {
                // SAFETY: as above.
                unsafe { (*last.as_ptr()).next = list };
                list = first.as_ptr();
            }
        }
    }

    /// Returns items on the list's processor, to be taken first. `keep` items at most stay local.
    /// IRQL DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn give_local(&self, items: Items, keep: u32, _at: &AtDispatch) {
        // SAFETY: `_at` proves that this thread has the processor to itself at DISPATCH_LEVEL
        // (invariant 3), and nothing is called while the reference lives.
        let local = unsafe { &mut *self.local.get() };
        let count = local.count.saturating_add(items.count());
        if count > keep {
            return self.give(items);
        }
        let Some((first, last)) = items.into_ends() else {
            return;
        };
        // SAFETY: the items are owned here (invariant 2).
        unsafe { (*last.as_ptr()).next = local.first };
        (local.first, local.count) = (first.as_ptr(), count);
    }

    /// Returns items. IRQL ≤ DISPATCH_LEVEL, on any processor.
    #[inline]
    pub(crate) fn give(&self, items: Items) {
        let Some((first, last)) = items.into_ends() else {
            return;
        };
        let list = &self.returned.0;
        let mut head = list.load(Ordering::Relaxed);
        loop {
            // SAFETY: the items are owned here until the exchange succeeds (invariant 2).
            unsafe { (*last.as_ptr()).next = head };
            // Release: the thread that takes the items sees all earlier writes to them.
            match list.compare_exchange_weak(
                head,
                first.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes some of the items that are not local, to be freed: while `free` frees one and returns
    /// `true`, it gets the next. IRQL ≤ DISPATCH_LEVEL, on any processor.
    #[inline(always)]
    pub(crate) fn reclaim(&self, mut free: impl FnMut(NonNull<Link>) -> bool) {
        let mut all = self.returned.0.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(item) = NonNull::new(all) {
            // SAFETY: the items were in the list, and are owned here now (invariants 2 and 3).
            all = unsafe { (*item.as_ptr()).next };
            if !free(item) {
                break;
            }
        }
        if !all.is_null() {
            self.put_back(all);
        }
    }

    /// Takes all items.
    ///
    /// # Safety
    /// No other thread uses the list during the call.
    pub(crate) unsafe fn take_all(&self) -> Items {
        let mut returned = self.returned.0.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: no other thread uses the list, by this function's contract (invariant 3).
        let local = unsafe { &mut *self.local.get() };
        // SAFETY: the lists own their items (invariant 2).
        unsafe {
            local.count = 0;
            let mut all = split(&mut local.first, u32::MAX);
            all.append(split(&mut returned, u32::MAX));
            all
        }
    }

    /// Makes `items` local. The list has no local items.
    ///
    /// # Safety
    /// No other thread uses the list during the call.
    pub(crate) unsafe fn set_local(&self, items: Items) {
        let (first, count) = (items.first(), items.count());
        // SAFETY: no other thread uses the list, by this function's contract (invariant 3).
        unsafe { *self.local.get() = Local { first, count } };
    }
}

/// Takes `most` items from the front of `list` (at least one), or as many as there are.
///
/// # Safety
/// `list` is null or the first of items that are owned by the caller.
#[inline]
unsafe fn split(list: &mut *mut Link, most: u32) -> Items {
    let Some(first) = NonNull::new(*list) else {
        return Items::EMPTY;
    };
    let (mut last, mut count) = (first, 1_u32);
    // SAFETY: the items are owned by the caller (invariant 2).
    unsafe {
        while count < most
            && let Some(next) = NonNull::new((*last.as_ptr()).next)
        {
            last = next;
            count = count.wrapping_add(1);
        }
        *list = (*last.as_ptr()).next;
        (*last.as_ptr()).next = ptr::null_mut();
        Items::from_ends(first, last, count)
    }
}
