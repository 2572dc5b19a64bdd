//! Where a child's MDL chain ends.
//!
//! A packet is a window into a chain of MDLs, and the chain may go on behind it: so a child's payload
//! is as a rule the parent's own chain, entered in its middle, which costs one partial MDL however
//! many MDLs there are. But there are consumers that walk a chain to its end, whatever the window
//! says, and NICs that take only so many elements. For them a child's chain ends with its window:
//! every MDL in the window is described by a partial MDL of the child's, and where there are too
//! many, the rest of the window is copied into one buffer.

use core::ptr;

use crate::{
    mdl::{self, BufferError, PayloadCursor},
    pool::{Tag, allocate_bytes, free_bytes},
    sys,
};

/// Most elements that an ended chain has, the header's included. A child has room for so many, and
/// copies what would need more: buffers below 1 KiB, for NICs of today's maxima.
pub const MOST_ELEMENTS: u32 = 64;
/// Fewest elements: the header, and one for all of the payload.
const FEWEST_ELEMENTS: u32 = 2;

const TAG_COPY: Tag = Tag::new(*b"MslP");

/// Where a child's MDL chain ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Chains {
    /// Wherever the parent's does: the chain may go on behind the child's window. This is fastest.
    #[default]
    Lent,
    /// Exactly where the child's window ends.
    Ended {
        /// Most MDLs of one child, that of its header included; at least 2 are used. `None` stands
        /// for [`MOST_ELEMENTS`], which is also the most.
        max_elements: Option<u32>,
    },
}

impl Chains {
    /// Most MDLs that describe the payload of an ended chain; 0 where chains are lent.
    pub(crate) const fn most_pieces(self) -> u32 {
        let most = match self {
            Self::Lent => return 0,
            Self::Ended { max_elements: None } => MOST_ELEMENTS,
            Self::Ended {
                max_elements: Some(most),
            } => most,
        };
        let most = if most > MOST_ELEMENTS {
            MOST_ELEMENTS
        } else if most < FEWEST_ELEMENTS {
            FEWEST_ELEMENTS
        } else {
            most
        };
        most.saturating_sub(1)
    }
}

/// The MDLs of one child's payload, in a chain that ends with it. They stand one behind the other
/// in the memory after this, each as long as its `Size` says.
#[repr(C, align(16))]
pub(crate) struct Pieces {
    /// Most bytes of payload.
    capacity: u32,
    /// Most MDLs.
    most: u32,
    /// MDLs in use.
    used: u32,
    /// The buffer that the last MDL describes, where it is a copy. It is allocated anew for each
    /// such child and freed with it: the call costs little beside the copy, and children that kept
    /// their buffers would keep as much memory as they ever carried payload.
    copy: *mut u8,
}

impl Pieces {
    /// Bytes of memory for pieces of `most` MDLs that describe `capacity` bytes together.
    ///
    /// An MDL of n bytes has ⌈n / 4096⌉ + 1 page frame numbers: two for itself, and those of its
    /// whole pages, of which all MDLs together have no more than `capacity` bytes have.
    pub(crate) const fn size(most: u32, capacity: u32) -> usize {
        let each = size_of::<sys::MDL>().saturating_add(2_usize.saturating_mul(PFN));
        let pages = (capacity / sys::PAGE_SIZE) as usize;
        size_of::<Self>()
            .saturating_add((most as usize).saturating_mul(each))
            .saturating_add(pages.saturating_mul(PFN))
    }

    /// Sets up pieces, none in use.
    ///
    /// # Safety
    /// `this` is aligned memory of at least [`Pieces::size`] bytes that nobody else uses.
    pub(crate) unsafe fn initialize(this: *mut Self, most: u32, capacity: u32) {
        let empty = Self {
            capacity,
            most,
            used: 0,
            copy: ptr::null_mut(),
        };
        // SAFETY: as the caller vouches.
        unsafe { this.write(empty) };
    }

    /// Where the first MDL is.
    const fn first(this: *mut Self) -> *mut sys::MDL {
        this.wrapping_add(1).cast()
    }

    /// Describes the next `length` bytes at `payload` by MDLs that are chained behind `header` and
    /// end exactly there, and moves behind them. IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Errors
    /// [`BufferError`]; what is in use then is undone by [`release`](Self::release).
    ///
    /// # Safety
    /// `this` was set up by [`initialize`](Self::initialize); it and `header`, an MDL, are used by
    /// nobody else.
    #[inline(never)]
    pub(crate) unsafe fn take(
        this: *mut Self,
        header: *mut sys::MDL,
        payload: &mut PayloadCursor<'_>,
        length: u32,
    ) -> Result<(), BufferError> {
        // SAFETY: the caller vouches for `this` and `header`. No more than `most` MDLs are made,
        // of no more than `capacity` bytes together, so all of them lie in the memory after
        // `this`: see `size`.
        unsafe {
            Self::release(this);
            (*header).Next = ptr::null_mut();
            if length > (*this).capacity {
                return Err(BufferError::Malformed);
            }
            let (mut last, mut place, mut left) = (header, Self::first(this), length);
            while left > 0 {
                let is_last = (*this).used.saturating_add(1) >= (*this).most;
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

    /// Makes `mdl` describe a copy of the next `length` bytes at `payload`, and moves behind them.
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
        // SAFETY: the caller vouches for `this` and `mdl`; the buffer is `length` bytes of the
        // non-paged pool, and stays until `release`, which finds it by `copy`.
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
    /// `this` was set up by [`initialize`](Self::initialize), and nobody else uses it or the MDLs.
    #[inline(never)]
    pub(crate) unsafe fn release(this: *mut Self) {
        // SAFETY: as the caller vouches; `used` MDLs stand in the memory after `this`.
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

/// The MDL that stands behind `mdl`.
///
/// # Safety
/// `mdl` is one of a child's pieces, with its size written.
unsafe fn next(mdl: *mut sys::MDL) -> *mut sys::MDL {
    // SAFETY: as the caller vouches. The size is positive: `mdl::initialize` made it.
    unsafe { mdl.wrapping_byte_add(usize::from((*mdl).Size.unsigned_abs())) }
}
