//! Child NBLs: their pool, their MDL chains, their attachment to the parent, and their completion.
//!
//! A large send that the NIC does not accept, the *parent*, is replaced by several that it does, the
//! *children*. A child is a NET_BUFFER_LIST from this driver's own NDIS pool. Its context area holds
//! all that it needs beside the parent's payload: header bytes with an MDL that is built once, and
//! the MDLs that describe the payload. The payload itself is never copied, but for the rest of a
//! chain that would have too many elements. In steady state a split allocates nothing:
//!
//! 1. [`ChildPool::take`] takes idle children out of the cache of the current processor;
//! 2. [`Children::copy_oob_from`] copies the parent's out-of-band data to each;
//! 3. [`ChildNbl::header`] and [`ChildNbl::set_payload`] make a large send of one, and
//!    [`ChildNbl::become_packet`] a single packet;
//! 4. [`Children::attach_to`] attaches them to their parent, which then waits, and returns the NBLs
//!    to be sent;
//! 5. [`ChildRun`] returns those that NDIS completed to their owner CPU; [`WaitingParent`] counts
//!    them off, and returns the parent after the last.
//!
//! # Invariants
//!
//! The SAFETY comments of this crate cite these by number. Code outside of it cannot break them,
//! because it has no pointer to a child that it does not own.
//!
//! 1. **Context.** An NBL of a [`ChildPool`] has one NET_BUFFER and a context area for the pool's
//!    capacity and kind of chains, aligned to 16 bytes. The area is initialized before the NBL leaves
//!    `ChildPool::allocate`, header bytes zeroed, and lives as long as the NBL. Each MDL in it is
//!    followed by room for the page frame numbers of the bytes that it may describe.
//! 2. **One owner.** A child is in one place at a time: a cache of the pool, a [`Children`], the
//!    drivers below (from the send until NDIS completes it), or a [`ChildRun`]. None of these values
//!    can be copied. Their owner alone reads and writes the child, its NET_BUFFER and its context.
//! 3. **Owner CPU.** The owner CPU of a child never changes. The list `local` of a cache is reached
//!    by its own processor at DISPATCH_LEVEL alone, for which an [`AtDispatch`](ndis::AtDispatch) is
//!    the proof, or by the only thread that has the pool: in `try_new` and in `drop`. The list
//!    `returned` is atomic: batches are pushed by any processor, and only the owner CPU takes them,
//!    all at once, so that no element is ever taken from between others.
//! 4. **Source.** Only `Children::copy_oob_from` writes a module's handle to a SourceHandle, and only
//!    to children. Other drivers must not write it (Windows driver documentation, NET_BUFFER_LIST).
//!    An NBL of a completed chain with the module's handle is therefore a child of the module's pool.
//! 5. **Parent.** From `copy_oob_from` on a child's context points to its parent, which the filter
//!    owns. From `attach_to` until its last child is counted off, the parent is not completed, its
//!    flags do not change, its Scratch holds the number of children not counted off, and Scratch and
//!    Status are accessed atomically. Scratch belongs to an NBL's owner.
//! 6. **Payload.** A child's MDLs describe pages of its parent, which the parent's owner keeps locked
//!    until the parent is completed. Before a child is returned, `Context::release` unmaps what a
//!    lower driver mapped through its MDLs and frees its copy, so that no idle child refers to
//!    foreign pages.
//! 7. **WFP.** A child with an object of the Windows Filtering Platform is freed, not returned: only
//!    freeing the NBL releases the object. An idle child therefore has none.
//! 8. **End.** The pool is dropped after the module's rundown, when all children are back.
#![no_std]
#![expect(
    unsafe_code,
    reason = "children are NBLs, MDLs and memory of NDIS's pools, all of them raw pointers"
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap
)]

mod chains;
mod child;
mod child_pool;
mod child_run;

pub use chains::{Chains, MAX_SG_ELEMENTS};
pub use child::{BACKFILL, ChildNbl, Children, HEADER_CAPACITY};
pub use child_pool::{ChildPool, MAX_CHILDREN};
pub use child_run::{ChildRun, WaitingParent};
