//! Blocks of memory that a child uses beside its own: packets, arrays of MDLs, copies.

use core::ptr::{self, NonNull};

use crate::idle_list::Link;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum ExtraKind {
    /// A packet of its own, with a NET_BUFFER.
    Packet,
    /// An array of MDLs.
    MdlArray,
    /// A copy of payload.
    Copy,
}

/// The beginning of a block of memory that a child uses beside its own: each can be in a list.
#[repr(C)]
pub(crate) struct Extra {
    pub(crate) link: Link,
    pub(crate) kind: ExtraKind,
    /// Bytes of the copy, if it is one; MDLs in use of an array.
    pub(crate) used: u32,
}

impl Extra {
    pub(crate) const fn new(kind: ExtraKind, used: u32) -> Self {
        Self {
            link: Link {
                next: ptr::null_mut(),
            },
            kind,
            used,
        }
    }
}

/// A list of extras, linked by their [`Link`]s.
pub(crate) struct Extras(*mut Extra);

impl Extras {
    pub(crate) const NONE: Self = Self(ptr::null_mut());

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// # Safety
    /// The extra is owned by the caller.
    pub(crate) unsafe fn push(&mut self, extra: NonNull<Extra>) {
        // SAFETY: the extra is owned here (invariant 2).
        unsafe { (*extra.as_ptr()).link.next = self.0.cast() };
        self.0 = extra.as_ptr();
    }

    pub(crate) fn pop(&mut self) -> Option<NonNull<Extra>> {
        let first = NonNull::new(self.0)?;
        // SAFETY: the list owns its extras (invariant 2).
        self.0 = unsafe { (*first.as_ptr()).link.next }.cast();
        Some(first)
    }
}
