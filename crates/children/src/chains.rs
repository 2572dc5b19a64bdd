//! How far a child's MDL chain extends.
//!
//! A packet is a window into a chain of MDLs, and the chain may continue past the window. A child's
//! payload is therefore usually the parent's own chain, entered in its middle, which costs one
//! partial MDL regardless of the number of MDLs. Some drivers, however, walk a chain to its end and
//! ignore the window, and some NICs accept only a limited number of elements. For those the child's
//! chain is trimmed to its window: a partial MDL of the child describes each MDL in the window, and
//! where that exceeds the limit, the rest of the window is copied into one buffer.

use core::ptr;

use ndis::{BufferError, PayloadCursor, Tag, allocate_bytes, free_bytes, mdl};
use ndis_sys as sys;

/// Maximum number of elements in a trimmed chain, the header's included. A child has room for this
/// many and copies the rest: buffers below 1 KiB with the maxima of today's NICs.
pub const MAX_SG_ELEMENTS: u32 = 64;
/// Minimum number of elements: the header, and one for all of the payload.
const MIN_SG_ELEMENTS: u32 = 2;

const TAG_COPY: Tag = Tag::new(*b"MslP");

/// The end of a child's MDL chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Chains {
    /// At the end of the parent's chain: it may continue past the child's window. This is fastest.
    #[default]
    Shared,
    /// Exactly where the child's window ends.
    Trimmed {
        /// Maximum number of MDLs of one child, the header's included; at least 2 are used. `None`
        /// stands for [`MAX_SG_ELEMENTS`], which is also the maximum.
        max_sg_elements: Option<u32>,
    },
}

impl Chains {
    /// Maximum number of MDLs that describe the payload of a trimmed chain; 0 if chains are not
    /// trimmed.
    pub(crate) const fn max_payload_mdls(self) -> u32 {
        let max = match self {
            Self::Shared => return 0,
            Self::Trimmed {
                max_sg_elements: None,
            } => MAX_SG_ELEMENTS,
            Self::Trimmed {
                max_sg_elements: Some(max),
            } => max,
        };
        let max = if max > MAX_SG_ELEMENTS {
            MAX_SG_ELEMENTS
        } else if max < MIN_SG_ELEMENTS {
            MIN_SG_ELEMENTS
        } else {
            max
        };
        max.saturating_sub(1)
    }
}

/// The MDLs of one child's payload, in a chain trimmed to it. They follow this structure in memory
/// back to back; the `Size` of each gives its length.
#[repr(C, align(16))]
pub(crate) struct PayloadMdls {
    /// Maximum number of bytes of payload.
    capacity: u32,
    /// Maximum number of MDLs.
    max: u32,
    /// MDLs in use.
    used: u32,
    /// The buffer that the last MDL describes, if it is a copy. It is allocated for each such child
    /// and freed with it: the allocation costs little beside the copy, and children that kept their
    /// buffers would accumulate as much memory as they ever carried payload.
    copy: *mut u8,
}

impl PayloadMdls {
    /// Bytes of memory for `max` MDLs that together describe `capacity` bytes.
    ///
    /// An MDL of n bytes has ⌈n / 4096⌉ + 1 page frame numbers: two for itself, and those of its
    /// whole pages, of which all MDLs together have no more than `capacity` bytes have.
    pub(crate) const fn size(max: u32, capacity: u32) -> usize {
        let each = size_of::<sys::MDL>().saturating_add(2_usize.saturating_mul(PFN));
        let pages = (capacity / sys::PAGE_SIZE) as usize;
        size_of::<Self>()
            .saturating_add((max as usize).saturating_mul(each))
            .saturating_add(pages.saturating_mul(PFN))
    }

    /// Initializes them with none in use.
    ///
    /// # Safety
    /// `this` is aligned memory of at least [`PayloadMdls::size`] bytes that is not used elsewhere.
    pub(crate) unsafe fn initialize(this: *mut Self, max: u32, capacity: u32) {
        let empty = Self {
            capacity,
            max,
            used: 0,
            copy: ptr::null_mut(),
        };
        // SAFETY: `this` is aligned, unshared memory of at least `size` bytes, by this function's
        // contract.
        unsafe { this.write(empty) };
    }

    /// The address of the first MDL.
    const fn first(this: *mut Self) -> *mut sys::MDL {
        this.wrapping_add(1).cast()
    }

    /// Describes the next `length` bytes at `payload` by MDLs that are chained behind `header` and
    /// end exactly there, and advances past them. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`BufferError`]; [`release`](Self::release) undoes what is in use at that point.
    ///
    /// # Safety
    /// `this` was initialized by [`initialize`](Self::initialize); neither it nor `header`, an MDL,
    /// is used elsewhere.
    #[inline(never)]
    pub(crate) unsafe fn take(
        this: *mut Self,
        header: *mut sys::MDL,
        payload: &mut PayloadCursor<'_>,
        length: u32,
    ) -> Result<(), BufferError> {
        // SAFETY: `this` is initialized, and it and `header` are not used elsewhere, by this
        // function's contract. No more than `max` MDLs are built, of no more than `capacity` bytes
        // together, so all of them lie in the memory after `this`: see `size`.
        unsafe {
            Self::release(this);
            (*header).Next = ptr::null_mut();
            if length > (*this).capacity {
                return Err(BufferError::Malformed);
            }
            let (mut last, mut place, mut left) = (header, Self::first(this), length);
            while left > 0 {
                let is_last = (*this).used.saturating_add(1) >= (*this).max;
                let part = if is_last && payload.skip_empty()? < left {
                    Self::copy(this, place, payload, left)?;
                    left
                } else {
                    payload.take_piece(left, place)?
                };
                (*this).used = (*this).used.saturating_add(1);
                (*last).Next = place;
                last = place;
                place = next(place);
                left = left.saturating_sub(part);
            }
        }
        Ok(())
    }

    /// Makes `mdl` describe a copy of the next `length` bytes at `payload`, and advances past them.
    ///
    /// # Safety
    /// As for [`take`](Self::take), with room for the MDL of so many bytes at `mdl`.
    unsafe fn copy(
        this: *mut Self,
        mdl: *mut sys::MDL,
        payload: &mut PayloadCursor<'_>,
        length: u32,
    ) -> Result<(), BufferError> {
        let buffer =
            allocate_bytes(TAG_COPY, length as usize).map_err(|_| BufferError::NoMemory)?;
        // SAFETY: `this` and `mdl` are not used elsewhere, by this function's contract; the buffer
        // is `length` bytes of non-paged pool, and stays until `release`, which finds it by `copy`.
        unsafe {
            (*this).copy = buffer.as_ptr();
            payload.copy(buffer.as_ptr(), length)?;
            mdl::initialize(mdl, buffer.as_ptr(), length, length);
            sys::MmBuildMdlForNonPagedPool(mdl);
        }
        Ok(())
    }

    /// Undoes what lower drivers left on the MDLs, and frees the copy. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `this` was initialized by [`initialize`](Self::initialize); neither it nor its MDLs are used
    /// elsewhere.
    #[inline(never)]
    pub(crate) unsafe fn release(this: *mut Self) {
        // SAFETY: `this` is initialized and unshared, by this function's contract; `used` MDLs
        // follow it in memory.
        unsafe {
            let mut place = Self::first(this);
            for _ in 0..(*this).used {
                mdl::prepare_for_reuse(place);
                place = next(place);
            }
            (*this).used = 0;
            let copy = core::mem::replace(&mut (*this).copy, ptr::null_mut());
            if let Some(copy) = ptr::NonNull::new(copy) {
                free_bytes(TAG_COPY, copy);
            }
        }
    }
}

const PFN: usize = size_of::<sys::PFN_NUMBER>();

/// The MDL that follows `mdl` in memory.
///
/// # Safety
/// `mdl` is one of a child's payload MDLs, with its size written.
unsafe fn next(mdl: *mut sys::MDL) -> *mut sys::MDL {
    // SAFETY: `mdl` is one of a child's payload MDLs and its size is written, by this function's
    // contract. The size is positive: `mdl::initialize` wrote it.
    unsafe { mdl.wrapping_byte_add(usize::from((*mdl).Size.unsigned_abs())) }
}
