//! Child NBLs: their pool, their MDL chains, their attachment to the parent, and their completion.
//!
//! A large send that the NIC does not accept, the *parent*, is replaced by several that it does, the
//! *children*. A child is a NET_BUFFER_LIST from this driver's own NDIS pool. Its context area holds
//! what its first packet needs beside the parent's payload: header bytes with an MDL that is built
//! once, and room for MDLs that describe a payload in few buffers. A child of several packets has
//! more of these, and a payload in many buffers an array of MDLs. The payload itself is never copied,
//! but for the rest of a chain that would have too many elements. In steady state a split allocates
//! nothing:
//!
//! 1. [`ChildPool::take`] takes idle children, and packets for them, from the lists of the current
//!    processor;
//! 2. [`Children::fill`] copies the parent's out-of-band data to each, and calls for its contents:
//!    [`ChildNbl::next_packet`] gives each packet of a child, [`PacketBuffer::header`] and
//!    [`PacketBuffer::set_payload`] fill it, and [`ChildNbl::become_packets`] makes a child one that
//!    requests no large send;
//! 3. [`Children::attach_to`] attaches them to their parent, which then waits, and returns the NBLs
//!    to be sent;
//! 4. [`ChildRun`] returns those that NDIS completed to their owner CPU; [`WaitingParent`] counts
//!    them off, and returns the parent after the last.
//!
//! # Invariants
//!
//! The SAFETY comments of this crate rely on them. Code outside of it cannot break them, because it
//! has no pointer to a child that it does not own.
//!
//! 1. **Context.** An NBL of a [`ChildPool`] has one NET_BUFFER of its own and a context area,
//!    aligned to 16 bytes. The area is initialized before the NBL leaves `allocate_child`, header
//!    bytes zeroed, and lives as long as the NBL. The same holds for a packet and `allocate_packet`.
//!    Each MDL is followed by room for the page frame numbers of the bytes that it describes. No page
//!    boundary is in a header area.
//! 2. **One owner.** A child is in one place at a time: an idle list of the pool, a [`Children`], the
//!    drivers below (from the send until NDIS completes it), or a [`ChildRun`]. None of these values
//!    can be copied. Their owner alone reads and writes the child, its NET_BUFFERs and its context.
//!    The same holds for packets, arrays and copies, which a child owns while it uses them.
//! 3. **Owner CPU.** The owner CPU of a child never changes. The list `local` of an idle list is
//!    reached by its own processor at DISPATCH_LEVEL alone, for which an
//!    [`AtDispatch`](ndis::AtDispatch) is the proof, or by the only thread that uses the pool: in
//!    `preallocate`, `trim` and `drop`. The list `returned` is atomic: lists are pushed by any processor,
//!    and taken as a whole, so that no element is ever taken from between others.
//! 4. **Source.** Only `Children::fill` writes a module's handle to a SourceHandle, and only to
//!    children. Other drivers must not write it (Windows driver documentation, NET_BUFFER_LIST). An
//!    NBL of a completed chain with the module's handle is therefore a child of the module's pool.
//! 5. **Parent.** From `fill` on a child's context points to its parent, which the filter owns. From
//!    `attach_to` until its last child is counted off, the parent is not completed, its flags do not
//!    change, its Scratch holds the number of children not counted off, and Scratch and Status are
//!    accessed atomically. Scratch belongs to an NBL's owner. Its timestamp slot is written by the one
//!    that has its first child.
//! 6. **Payload.** A child's MDLs describe pages of its parent, which the parent's owner keeps locked
//!    until the parent is completed. The chain ends with the packet; the parent's own MDLs are read,
//!    never written. Before a child is returned, `Context::release` unmaps what a lower driver mapped
//!    through its MDLs, and takes its arrays and copies, so that no idle child refers to foreign
//!    pages.
//! 7. **WFP.** A child with an object of the Windows Filtering Platform is freed, not returned: only
//!    freeing the NBL releases the object. An idle child therefore has none.
//! 8. **Memory.** Every allocation is counted before it is made, by the bytes that it has in the
//!    pool, and counted off after it is freed.
//! 9. **End.** The pool is trimmed, and dropped, after the module's rundown, when all children are
//!    back.
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

mod chain;
mod child;
mod child_pool;
mod child_run;
mod context;
mod extra;
mod idle_list;
mod mdl_array;
mod memory_bound;
mod packet;
mod pools;

pub use child::{ChildNbl, ChildOob, Children, PacketBuffer};
pub use child_pool::{
    CHILD_BYTES, ChildPool, MdlSource, PACKET_BYTES, PACKETS_PER_CHILD, PoolLimits,
};
pub use child_run::{ChildRun, WaitingParent};
pub use mdl_array::{MAX_SG_ELEMENTS, mdl_array_bytes};
pub use packet::{BACKFILL, HEADER_CAPACITY};
