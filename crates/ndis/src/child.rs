//! Children: the NBLs that this filter originates, preallocated, recycled, and never copied.
//!
//! A child is an NBL with its NET_BUFFER from our own NDIS pool. Its context area holds all that
//! one large send needs beside the parent's payload: the header bytes with an MDL that is built
//! once, and room for one partial MDL, or for more where [chains end](Chains::Ended). So in steady
//! state a split allocates nothing:
//!
//! 1. [`ChildPool::take`](crate::ChildPool::take) hands out idle children of the processor;
//! 2. [`Child::write_header`], [`Child::set_payload`] and [`Child::inherit`] make a large send, or
//!    with [`Child::inherit_as_packet`] a single packet;
//! 3. [`Children::adopted_by`] ties them to their parent, which is kept, and yields the NBLs;
//! 4. [`Child::settle`] unties one that NDIS completed, and yields the parent after the last;
//! 5. [`Recycler`](crate::Recycler) brings the child home to the processor that it came from.

use core::{
    ptr::{self, NonNull},
    sync::atomic::{AtomicI32, Ordering, fence},
};

use crate::{
    chains::{Chains, Pieces},
    filter_module::ModuleHandle,
    mdl::{self, BufferError, PayloadCursor},
    nbl::{Nbl, NblQueue},
    oob::{ChecksumInfo, EncapsulationInfo, LargeSendInfo, UdpSendInfo},
    sys,
};

/// Bytes before a child's header that a lower driver may retreat into without an allocation.
pub const BACKFILL: u32 = 64;
/// Longest header in bytes that a child can carry.
pub const HEADER_CAPACITY: u32 = 256;

type RawNbl = NonNull<sys::NET_BUFFER_LIST>;

/// What lies in a child's NBL context area.
#[repr(C, align(16))]
pub(crate) struct Context {
    /// Processor whose cache owns the child.
    pub(crate) home: u32,
    /// The child's chain ends with its window: [`Pieces`] follow instead of page frame numbers, and
    /// the partial MDL is not used.
    is_ended: bool,
    /// What the parent's large-send slot will say once all its children have gone out.
    transmit_complete: usize,
    header_mdl: sys::MDL,
    /// The header area may straddle a page.
    header_pages: [usize; 2],
    header: [u8; (BACKFILL + HEADER_CAPACITY) as usize],
    /// The page frame numbers follow, up to the end of the context area.
    partial_mdl: sys::MDL,
}

const _: () = assert!(align_of::<Pieces>() <= align_of::<Context>());

/// Where the context area of one of our NBLs starts. (NET_BUFFER_LIST_CONTEXT_DATA_START)
///
/// # Safety
/// `nbl` is a live NBL that a `ChildPool` allocated.
pub(crate) unsafe fn context(nbl: RawNbl) -> *mut Context {
    // SAFETY: the pool asked NDIS for a context area of at least a `Context`; NDIS aligns it to
    // 16 bytes and says by `Offset` where the used part starts.
    unsafe {
        let area = (*nbl.as_ptr()).Context;
        let offset = usize::from((*area).Offset);
        area.add(1).cast::<u8>().add(offset).cast()
    }
}

/// One child that this code owns.
#[must_use = "a child that is neither sent nor recycled is lost"]
pub struct Child(pub(crate) RawNbl);

impl Context {
    /// Bytes of context area for children of up to `capacity` bytes of payload, as NDIS wants
    /// them: a multiple of MEMORY_ALLOCATION_ALIGNMENT.
    pub(crate) const fn size(capacity: u32, chains: Chains) -> usize {
        let behind = match chains.most_pieces() {
            0 => mdl::page_array_size(capacity),
            most => Pieces::size(most, capacity),
        };
        size_of::<Self>()
            .saturating_add(behind)
            .next_multiple_of(16)
    }

    /// Sets up the context area of a new child.
    ///
    /// # Safety
    /// `this` is the context area of a new NBL, at least [`Context::size`] of `capacity` and
    /// `chains` long.
    pub(crate) unsafe fn initialize(this: *mut Self, home: u32, capacity: u32, chains: Chains) {
        // SAFETY: the caller vouches for the memory, which is non-paged as all of NDIS's pools
        // are; each MDL is followed by the page frame numbers that it is told, or is not used.
        unsafe {
            (*this).home = home;
            (*this).transmit_complete = 0;
            (*this).header = [0; _];
            let (header, length) = (&raw mut (*this).header, BACKFILL + HEADER_CAPACITY);
            let header_mdl = &raw mut (*this).header_mdl;
            mdl::initialize(header_mdl, header.cast(), length, length);
            sys::MmBuildMdlForNonPagedPool(header_mdl);
            let most = chains.most_pieces();
            (*this).is_ended = most > 0;
            if most > 0 {
                Pieces::initialize(Self::pieces(this), most, capacity);
            } else {
                let partial_mdl = &raw mut (*this).partial_mdl;
                mdl::initialize(partial_mdl, ptr::null_mut(), 0, capacity);
            }
        }
    }

    /// Where the pieces are, if the chain is ended.
    const fn pieces(this: *mut Self) -> *mut Pieces {
        this.wrapping_add(1).cast()
    }

    /// Undoes what an ended chain left.
    ///
    /// # Safety
    /// `this` is the context area of a child that is owned here.
    pub(crate) unsafe fn release(this: *mut Self) {
        // SAFETY: as the caller vouches.
        unsafe {
            if (*this).is_ended {
                Pieces::release(Self::pieces(this));
            }
        }
    }
}

impl Child {
    /// Takes `nbl` for a child of the filter module `module`, or gives it back as somebody else's.
    ///
    /// # Errors
    /// The NBL itself, where it does not carry the module's handle.
    #[inline]
    pub fn claim(nbl: Nbl, module: ModuleHandle) -> Result<Self, Nbl> {
        // Only `inherit` writes the module's handle to a SourceHandle, and only to children; NDIS
        // forbids others to write it.
        if module.is_source_of(&nbl) {
            Ok(Self(nbl.into_raw()))
        } else {
            Err(nbl)
        }
    }

    /// The child as the NBL that it is.
    pub(crate) fn into_nbl(self) -> Nbl {
        // SAFETY: `self` owns the NBL and gives it up here.
        unsafe { Nbl::from_raw(self.0) }
    }

    /// Lets `write` fill in the header, `length` bytes (at most [`HEADER_CAPACITY`]).
    ///
    /// # Errors
    /// What `write` refuses, or `too_long`.
    #[inline]
    pub fn write_header<E>(
        &mut self,
        length: u32,
        too_long: E,
        write: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // SAFETY: `self` owns the child and with it the header area, which `allocate` zeroed;
        // `get_mut` bounds the slice within it.
        let area = unsafe { &mut (*context(self.0)).header };
        let end = BACKFILL.saturating_add(length) as usize;
        write(area.get_mut(BACKFILL as usize..end).ok_or(too_long)?)
    }

    /// Makes the child's packet: `header_length` bytes of header as written, then the next
    /// `payload_length` bytes at `payload`, lent and not copied, unless an ended chain would have
    /// too many elements.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the parent's chain ends before that; for an ended chain also
    /// where what has to be copied cannot be.
    #[inline]
    pub fn set_payload(
        &mut self,
        header_length: u32,
        payload: &mut PayloadCursor<'_>,
        payload_length: u32,
    ) -> Result<(), BufferError> {
        // SAFETY: `self` owns the NBL, its only NET_BUFFER and its context. The partial MDL was
        // set up for the pool's capacity, which bounds `payload_length`; the pieces see to it
        // themselves.
        unsafe {
            let context = context(self.0);
            let header = &raw mut (*context).header_mdl;
            if !(*context).is_ended {
                let first = payload.take(payload_length, &raw mut (*context).partial_mdl)?;
                (*header).Next = first;
            } else {
                Pieces::take(Context::pieces(context), header, payload, payload_length)?;
            }
            (*header).ByteCount = BACKFILL.saturating_add(header_length);
            let packet = (*self.0.as_ptr()).FirstNetBuffer;
            (*packet).MdlChain = header;
            (*packet).CurrentMdl = header;
            (*packet).DataOffset = BACKFILL;
            (*packet).CurrentMdlOffset = BACKFILL;
            (*packet).DataLength = header_length.saturating_add(payload_length);
        }
        Ok(())
    }

    /// Carries over from `parent` what lower drivers need to know beside the bytes of a large send:
    /// the slots of the offloads, every other out-of-band slot that a send may carry, and the
    /// protocol's NBL flags. `done` is what the parent's large-send slot will say once all its
    /// children have gone out: nothing for a UDP segmentation send, whose own slot stays as it was
    /// sent.
    #[inline]
    pub fn inherit(&mut self, parent: &Nbl, module: ModuleHandle, done: LargeSendInfo) {
        self.carry_over(parent, module, done);
        // Of a TCP large send, what is in this slot was left there by a receive.
        let udp_send = parent.udp_send();
        self.with_nbl(|child| child.set_udp_send(udp_send));
    }

    /// The same for a child that is one packet and no large send: it asks for `checksum` alone.
    /// With `clear_encapsulation` it does not say either that it is a frame in a tunnel, so that no
    /// NIC computes anything in it.
    #[inline]
    pub fn inherit_as_packet(
        &mut self,
        parent: &Nbl,
        module: ModuleHandle,
        done: LargeSendInfo,
        checksum: ChecksumInfo,
        clear_encapsulation: bool,
    ) {
        self.carry_over(parent, module, done);
        self.with_nbl(|child| {
            child.set_large_send(LargeSendInfo::default());
            child.set_udp_send(UdpSendInfo::default());
            child.set_checksum(checksum);
            if clear_encapsulation {
                child.set_encapsulation(EncapsulationInfo::default());
            }
        });
    }

    /// Lets `change` write to the child as the NBL that it is.
    #[inline]
    fn with_nbl(&mut self, change: impl FnOnce(&mut Nbl)) {
        // SAFETY: `self` owns the NBL, and lends it meanwhile.
        change(&mut unsafe { Nbl::from_raw(self.0) });
    }

    #[inline]
    fn carry_over(&mut self, parent: &Nbl, module: ModuleHandle, done: LargeSendInfo) {
        let (child, from) = (self.0.as_ptr(), parent.as_ptr());
        // SAFETY: `self` and `parent` own the two NBLs.
        unsafe {
            (*child).NetBufferListInfo = [ptr::null_mut(); sys::MaxNetBufferListInfo];
            sys::NdisCopySendNetBufferListInfo(child, from);
            // What NdisCopySendNetBufferListInfo is not documented to copy.
            let (to, of) = (&mut (*child).NetBufferListInfo, &(*from).NetBufferListInfo);
            to[sys::NetBufferListHashValue] = of[sys::NetBufferListHashValue];
            to[sys::NetBufferListHashInfo] = of[sys::NetBufferListHashInfo];
            to[sys::TcpSendOffloadsSupplementalNetBufferListInfo] =
                of[sys::TcpSendOffloadsSupplementalNetBufferListInfo];
            (*child).NblFlags = (*from).NblFlags & INHERITED_FLAGS;
            (*child).Status = sys::NDIS_STATUS_SUCCESS;
            (*child).SourceHandle = module.raw();
            (*child).ParentNetBufferList = from;
            (*context(self.0)).transmit_complete = done.to_raw();
        }
    }

    /// Unties a child that NDIS completed: its status counts for the parent, and the last child
    /// yields the parent with its status and large-send slot as a completer leaves them.
    #[inline]
    pub fn settle(self) -> (Self, Option<Nbl>) {
        // SAFETY: NDIS gave the child back. The parent is the filter's until its last child is
        // settled; the two fields that several children touch at once are accessed atomically.
        unsafe {
            let child = self.0.as_ptr();
            let context = context(self.0);
            let parent = (*child).ParentNetBufferList;
            let done = LargeSendInfo::from_raw((*context).transmit_complete);
            if !(*context).is_ended {
                mdl::prepare_for_reuse(&raw mut (*context).partial_mdl);
            } else {
                Pieces::release(Context::pieces(context));
            }
            note_failure(parent, (*child).Status);
            let left = AtomicI32::from_ptr(&raw mut (*parent).ChildRefCount);
            // Release, so that what this child did is seen by who completes the parent; acquire
            // there, to see it.
            if left.fetch_sub(1, Ordering::Release) != 1 {
                return (self, None);
            }
            fence(Ordering::Acquire);
            let mut parent = Nbl::from_raw(NonNull::new_unchecked(parent));
            let all_sent = (*parent.as_ptr()).Status == sys::NDIS_STATUS_SUCCESS;
            parent.set_large_send(if all_sent {
                done
            } else {
                done.transmit_complete(0)
            });
            (self, Some(parent))
        }
    }
}

/// Keeps the first failure among the children as the parent's status.
///
/// # Safety
/// `parent` is a parent that waits for its children, of which the caller settles one.
unsafe fn note_failure(parent: *mut sys::NET_BUFFER_LIST, status: sys::NDIS_STATUS) {
    if status != sys::NDIS_STATUS_SUCCESS {
        // SAFETY: the parent lives until the caller's child is settled, and while it waits its
        // status is accessed only like this.
        let first = unsafe { AtomicI32::from_ptr(&raw mut (*parent).Status) };
        // Losing the race means that another child failed first.
        let _ = first.compare_exchange(
            sys::NDIS_STATUS_SUCCESS,
            status,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

/// NBL flags that say what the packet is and how it may be handled, as against who has it.
const INHERITED_FLAGS: u32 = sys::NDIS_NBL_FLAGS_SEND_READ_ONLY
    | sys::NDIS_NBL_FLAGS_IS_IPV4
    | sys::NDIS_NBL_FLAGS_IS_IPV6
    | sys::NDIS_NBL_FLAGS_IS_TCP
    | sys::NDIS_NBL_FLAGS_IS_UDP
    | sys::NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET;

/// Children of one parent, in their order on the wire: idle at first, each to be made into
/// something where it stands.
#[must_use = "children that are neither sent nor recycled are lost"]
#[derive(Default)]
pub struct Children {
    queue: NblQueue,
    count: u32,
}

impl Children {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Appends `count` idle children.
    pub(crate) fn append(&mut self, more: NblQueue, count: u32) {
        self.queue.append(more);
        self.count = self.count.saturating_add(count);
    }

    /// Lets `make` make something of each in turn, until it fails.
    ///
    /// # Errors
    /// What `make` answers.
    #[inline]
    pub fn try_for_each<E>(
        &mut self,
        mut make: impl FnMut(&mut Child) -> Result<(), E>,
    ) -> Result<(), E> {
        // `Child` does not change an NBL's `Next`, nor does it free the NBL.
        self.queue.iter().try_for_each(|nbl| make(&mut Child(nbl)))
    }

    /// Ties the children to `parent`, from which each has [inherited](Child::inherit), and yields
    /// their NBLs. The parent comes back by [`Child::settle`] of the last one.
    pub fn adopted_by(self, parent: Nbl) -> NblQueue {
        let raw = parent.into_raw().as_ptr();
        // SAFETY: the parent is owned here, and no child has been sent yet.
        unsafe {
            (*raw).Status = sys::NDIS_STATUS_SUCCESS;
            (*raw).ChildRefCount = self.count.cast_signed();
        }
        self.queue
    }

    /// Makes them idle again, each given to `idle`: the split they were for did not come about.
    pub(crate) fn abandon(self, mut idle: impl FnMut(Child)) {
        let mut chain = self.queue.into_chain();
        while let Some(nbl) = chain.pop() {
            let child = Child(nbl.into_raw());
            // SAFETY: the child is owned here, and no lower driver has seen it.
            unsafe { Context::release(context(child.0)) };
            idle(child);
        }
    }
}
