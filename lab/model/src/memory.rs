//! Memory that the model hands to the driver: blocks with an owner, tagged pool allocations, and
//! allocations that fail on demand.
#![expect(unsafe_code, reason = "memory for C structures is allocated raw")]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    collections::BTreeMap,
    ptr::{self, NonNull},
};

use crate::guard;

/// A block of zeroed memory that is freed when this is dropped.
#[derive(Debug)]
pub(crate) struct Block {
    memory: NonNull<u8>,
    layout: Layout,
    /// Bytes at its beginning that are not handed out.
    skew: usize,
}

/// The contents of memory that is not zeroed: an address made of it is nobody's.
pub(crate) const UNINITIALISED: u8 = 0xA7;

/// Offset that makes an address a multiple of 16 and of no higher power of two.
const POOL_SKEW: usize = 16;

// SAFETY: a block owns its memory and is not tied to a thread.
unsafe impl Send for Block {}
// SAFETY: a shared block hands out where its memory is; what is read and written there is a matter of
// the driver and of the locks of the model, as without a block.
unsafe impl Sync for Block {}

impl Block {
    /// `size` zeroed bytes at an address that is a multiple of `align`.
    ///
    /// # Panics
    /// If this machine has no memory left, or `align` is no power of two.
    pub(crate) fn new(size: usize, align: usize) -> Self {
        let layout = Layout::from_size_align(size.max(1), align).expect("a sensible layout");
        let memory = guard::allocate(layout.size(), align).unwrap_or_else(|| {
            // SAFETY: the layout's size is not zero.
            unsafe { alloc_zeroed(layout) }
        });
        Self {
            memory: NonNull::new(memory).expect("memory for the model"),
            layout,
            skew: 0,
        }
    }

    /// The same at an address that is a multiple of 16 and of nothing more, as the pool's may be.
    pub(crate) fn of_pool(size: usize) -> Self {
        if guard::is_on() {
            return Self::new(size, POOL_SKEW);
        }
        let mut block = Self::new(POOL_SKEW + size.max(1), 64);
        block.skew = POOL_SKEW;
        block
    }

    /// A copy of `bytes`, aligned for every structure of NDIS.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let block = Self::new(bytes.len(), 16);
        // SAFETY: the block is new and as long as `bytes`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), block.start(), bytes.len()) };
        block
    }

    /// The block's bytes now.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // SAFETY: the memory was zeroed when it was allocated and lives as long as `self`;
        // pointers in it are read as bytes and only compared.
        unsafe { std::slice::from_raw_parts(self.start(), self.size()) }.to_vec()
    }

    /// The first byte.
    pub(crate) fn start(&self) -> *mut u8 {
        self.memory.as_ptr().wrapping_add(self.skew)
    }

    /// The block's address, which is the model's key for it.
    pub(crate) fn address(&self) -> usize {
        self.start().addr()
    }

    /// Describes a write just outside of the block.
    pub(crate) fn written_outside(&self) -> Option<String> {
        guard::written_outside(self.memory.as_ptr())
    }

    /// Bytes in the block.
    pub(crate) fn size(&self) -> usize {
        self.layout.size() - self.skew
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if guard::free(self.memory.as_ptr()) {
            return;
        }
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}

/// The pool as the driver sees it.
#[derive(Default)]
pub(crate) struct Memory {
    /// Allocations in use, by address, with their tag.
    pub(crate) pool: BTreeMap<usize, (Block, u32)>,
    /// Allocations requested so far, of every kind that may fail.
    pub(crate) asked: u64,
    /// The numbers (counted as `asked`) of those that must fail.
    pub(crate) failing: Failing,
    /// How many were made to fail.
    pub(crate) failed: u64,
    /// How many of those were accounted for by the send within which they did.
    pub(crate) accounted: u64,
}

/// Selects the allocations that fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Failing {
    /// None.
    #[default]
    None,
    /// The one with this number, counted from 0 since the model began.
    Nth(u64),
    /// All from this one on.
    From(u64),
}

impl Memory {
    /// Whether `address` lies in an allocation in use.
    pub(crate) fn contains(&self, address: usize) -> bool {
        let before = self.pool.range(..=address).next_back();
        before.is_some_and(|(start, (block, _))| address < start + block.size())
    }

    /// How many failed for which no send accounts yet.
    pub(crate) fn unaccounted(&self) -> u64 {
        self.failed - self.accounted
    }

    /// Counts one request for memory, and returns whether to grant it.
    pub(crate) fn grant(&mut self) -> bool {
        let number = self.asked;
        self.asked += 1;
        let fails = match self.failing {
            Failing::None => false,
            Failing::Nth(n) => number == n,
            Failing::From(n) => number >= n,
        };
        self.failed += u64::from(fails);
        !fails
    }
}
