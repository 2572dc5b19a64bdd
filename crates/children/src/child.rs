//! One child NBL, and the children of one parent before they are sent.

use core::{
    mem::offset_of,
    ptr::{self, NonNull},
};

use ndis::{
    BufferError, ChecksumInfo, EncapsulationInfo, LargeSendInfo, ModuleHandle, Nbl, NblQueue,
    PayloadCursor, Status, UdpSendInfo, mdl,
};
use ndis_sys as sys;

use crate::chains::{Chains, PayloadMdls};

/// Bytes before a child's header that a lower driver may retreat into without an allocation.
pub const BACKFILL: u32 = 64;
/// Longest header in bytes that a child can carry.
pub const HEADER_CAPACITY: u32 = 256;

type RawNbl = NonNull<sys::NET_BUFFER_LIST>;

/// The layout of a child's NBL context area.
#[repr(C, align(16))]
pub(crate) struct Context {
    /// The owner CPU, whose cache the child belongs to.
    pub(crate) owner_cpu: u32,
    /// The child's chain ends with its window: [`PayloadMdls`] follow instead of page frame numbers,
    /// and the partial MDL is not used.
    is_trimmed: bool,
    /// The NBL that it is a child of, while it is. NDIS has a field for that, ParentNetBufferList,
    /// which is for clones made by NdisAllocateCloneNetBufferList and null in every other NBL
    /// (Windows driver documentation, NET_BUFFER_LIST).
    pub(crate) parent: *mut sys::NET_BUFFER_LIST,
    header_mdl: sys::MDL,
    /// The header area may straddle a page.
    header_pages: [usize; 2],
    backfill: [u8; BACKFILL as usize],
    header: [u8; HEADER_CAPACITY as usize],
    /// The page frame numbers follow, up to the end of the context area.
    partial_mdl: sys::MDL,
}

const _: () = assert!(align_of::<PayloadMdls>() <= align_of::<Context>());
const _: () =
    assert!(offset_of!(Context, backfill) + BACKFILL as usize == offset_of!(Context, header));

/// The start of the context area of one of our NBLs. (NET_BUFFER_LIST_CONTEXT_DATA_START)
///
/// # Safety
/// `nbl` is a live NBL that a `ChildPool` allocated.
pub(crate) unsafe fn context(nbl: RawNbl) -> *mut Context {
    // SAFETY: `nbl` is live and has a context area of the pool's size, by this function's contract
    // (invariant 1); NDIS stores in `Offset` where the used part starts.
    unsafe {
        let area = (*nbl.as_ptr()).Context;
        let offset = usize::from((*area).Offset);
        area.add(1).cast::<u8>().add(offset).cast()
    }
}

/// One child that this code owns.
#[must_use = "a child that is neither sent nor recycled is lost"]
pub struct ChildNbl {
    nbl: RawNbl,
    context: *mut Context,
}

impl Context {
    /// Bytes of context area for children of up to `capacity` bytes of payload, rounded up as NDIS
    /// requires to a multiple of MEMORY_ALLOCATION_ALIGNMENT.
    pub(crate) const fn size(capacity: u32, chains: Chains) -> usize {
        let behind = match chains.max_payload_mdls() {
            0 => mdl::page_array_size(capacity),
            max => PayloadMdls::size(max, capacity),
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
    pub(crate) unsafe fn initialize(
        this: *mut Self,
        owner_cpu: u32,
        capacity: u32,
        chains: Chains,
    ) {
        // SAFETY: `this` is a context area of sufficient size, by this function's contract, and
        // non-paged as all of NDIS's pools are; each MDL is followed by room for the page frame
        // numbers of its capacity, or is not used.
        unsafe {
            (*this).owner_cpu = owner_cpu;
            (*this).backfill = [0; _];
            (*this).header = [0; _];
            // Both, which adjoin.
            let bytes = this.cast::<u8>().add(offset_of!(Self, backfill));
            let length = BACKFILL + HEADER_CAPACITY;
            let header_mdl = &raw mut (*this).header_mdl;
            mdl::initialize(header_mdl, bytes, length, length);
            sys::MmBuildMdlForNonPagedPool(header_mdl);
            let max = chains.max_payload_mdls();
            (*this).is_trimmed = max > 0;
            if max > 0 {
                PayloadMdls::initialize(Self::payload_mdls(this), max, capacity);
            } else {
                let partial_mdl = &raw mut (*this).partial_mdl;
                mdl::initialize(partial_mdl, ptr::null_mut(), 0, capacity);
            }
        }
    }

    /// The address of the payload MDLs, if the chain is trimmed.
    const fn payload_mdls(this: *mut Self) -> *mut PayloadMdls {
        this.wrapping_add(1).cast()
    }

    /// Undoes what lower drivers left on the MDLs of the payload, before its pages go back to their
    /// owner, and releases what a trimmed chain allocated.
    ///
    /// # Safety
    /// `this` is the context area of a child that is owned here.
    #[inline]
    pub(crate) unsafe fn release(this: *mut Self) {
        // SAFETY: `this` is the context area of a child that is owned here, by this function's
        // contract.
        unsafe {
            if (*this).is_trimmed {
                PayloadMdls::release(Self::payload_mdls(this));
            } else {
                mdl::prepare_for_reuse(&raw mut (*this).partial_mdl);
            }
        }
    }
}

impl ChildNbl {
    /// The child whose NBL is `nbl`.
    ///
    /// # Safety
    /// `nbl` is a live NBL that a `ChildPool` allocated.
    #[inline]
    unsafe fn of(nbl: RawNbl) -> Self {
        // SAFETY: `nbl` is a live NBL that a `ChildPool` allocated, by this function's contract.
        let context = unsafe { context(nbl) };
        Self { nbl, context }
    }

    /// The buffer for its header, to be written from the first byte on.
    /// [`set_payload`](Self::set_payload) determines how many of the bytes are the header.
    #[inline]
    pub fn header(&mut self) -> &mut [u8; HEADER_CAPACITY as usize] {
        // SAFETY: `self` owns the child and its context (invariant 2), whose header bytes
        // `Context::initialize` zeroed (invariant 1).
        unsafe { &mut (*self.context).header }
    }

    /// Builds the child's packet: `header_length` bytes of header as written, then the next
    /// `payload_length` bytes at `payload`, referenced and not copied, unless a trimmed chain would
    /// have too many elements.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the parent's chain ends before that; for a trimmed chain
    /// also if a required copy fails.
    #[inline]
    pub fn set_payload(
        &mut self,
        header_length: u32,
        payload: &mut PayloadCursor<'_>,
        payload_length: u32,
    ) -> Result<(), BufferError> {
        let context = self.context;
        // SAFETY: `self` owns the NBL, its only NET_BUFFER and its context (invariants 1 and 2). The
        // partial MDL has room for the pool's capacity, which bounds `payload_length`; a trimmed
        // chain checks its own capacity.
        unsafe {
            let header = &raw mut (*context).header_mdl;
            if !(*context).is_trimmed {
                let first = payload.take(payload_length, &raw mut (*context).partial_mdl)?;
                (*header).Next = first;
            } else {
                PayloadMdls::take(
                    Context::payload_mdls(context),
                    header,
                    payload,
                    payload_length,
                )?;
            }
            (*header).ByteCount = BACKFILL.wrapping_add(header_length);
            let packet = (*self.nbl.as_ptr()).FirstNetBuffer;
            (*packet).MdlChain = header;
            (*packet).CurrentMdl = header;
            (*packet).DataOffset = BACKFILL;
            (*packet).CurrentMdlOffset = BACKFILL;
            (*packet).DataLength = header_length.wrapping_add(payload_length);
        }
        Ok(())
    }

    /// Turns a child, which has the parent's [large-send request](Children::copy_oob_from), into one
    /// packet that requests `checksum` only. The packet is not flagged as a frame in a
    /// tunnel either, so that no NIC computes anything in it.
    #[inline]
    pub fn become_packet(&mut self, checksum: ChecksumInfo) {
        // SAFETY: `self` owns the NBL (invariant 2), and `nbl` ends with this call.
        let mut nbl = unsafe { Nbl::from_raw(self.nbl) };
        nbl.set_large_send(LargeSendInfo::default());
        nbl.set_udp_send(UdpSendInfo::default());
        nbl.set_checksum(checksum);
        nbl.set_encapsulation(EncapsulationInfo::default());
    }
}

/// Copies the out-of-band data that lower drivers need from `parent` to `child`. NDIS copies it for
/// each child separately: it includes a part that drivers do not see, and an object of WFP's that
/// belongs to a single NBL.
///
/// # Safety
/// Both NBLs are owned by the caller; the child is one of ours, without an object of WFP's.
#[inline]
unsafe fn copy_oob_from(nbl: RawNbl, parent: &Nbl, module: ModuleHandle) {
    let (child, from) = (nbl.as_ptr(), parent.as_ptr());
    // SAFETY: both NBLs are owned by the caller, by this function's contract.
    unsafe {
        (*child).NetBufferListInfo = [ptr::null_mut(); sys::MaxNetBufferListInfo];
        sys::NdisCopySendNetBufferListInfo(child, from);
        let (to, of) = (&mut (*child).NetBufferListInfo, &(*from).NetBufferListInfo);
        // Slots that NdisCopySendNetBufferListInfo is not documented to copy.
        to[sys::ClassificationHandleNetBufferListInfo] =
            of[sys::ClassificationHandleNetBufferListInfo];
        to[sys::NetBufferListHashValue] = of[sys::NetBufferListHashValue];
        to[sys::NetBufferListHashInfo] = of[sys::NetBufferListHashInfo];
        to[sys::MediaSpecificInformationEx] = of[sys::MediaSpecificInformationEx];
        to[sys::TcpSendOffloadsSupplementalNetBufferListInfo] =
            of[sys::TcpSendOffloadsSupplementalNetBufferListInfo];
        // With a TCP large send, the content of this slot is left over from a receive.
        let udp_send = ptr::without_provenance_mut(parent.udp_send().to_raw());
        to[sys::UdpSegmentationOffloadInfo] = udp_send;
        (*child).NblFlags = (*from).NblFlags & COPIED_FLAGS;
        (*child).Status = sys::NDIS_STATUS_SUCCESS;
        (*child).SourceHandle = module.raw();
        (*context(nbl)).parent = from;
    }
}

/// Whether WFP has an object for `child`: NDIS has cloned it from the parent's, or a callout in a
/// lower driver has created one. It lives in a slot that no driver may write to, and is released
/// when the NBL is freed; such a child therefore cannot be used again.
///
/// # Safety
/// `child` is a child that is owned here.
#[inline]
pub(crate) unsafe fn has_wfp_context(child: RawNbl) -> bool {
    // SAFETY: `child` is a live child that is owned here, by this function's contract.
    unsafe { !(&(*child.as_ptr()).NetBufferListInfo)[sys::WfpNetBufferListInfo].is_null() }
}

/// NBL flags that describe the packet and how it may be handled, as opposed to its ownership.
const COPIED_FLAGS: u32 = sys::NDIS_NBL_FLAGS_SEND_READ_ONLY
    | sys::NDIS_NBL_FLAGS_IS_IPV4
    | sys::NDIS_NBL_FLAGS_IS_IPV6
    | sys::NDIS_NBL_FLAGS_IS_TCP
    | sys::NDIS_NBL_FLAGS_IS_UDP
    | sys::NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET;

/// Whether the miniport is requested to report the transmit time of `nbl`.
///
/// # Safety
/// `nbl` is live, and its flags do not change during the call.
#[inline]
pub(crate) unsafe fn requests_timestamp(nbl: *mut sys::NET_BUFFER_LIST) -> bool {
    // SAFETY: `nbl` is live and its flags do not change, by this function's contract.
    unsafe { (*nbl).NblFlags & sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT != 0 }
}

/// The number of children that a waiting parent still misses. It is kept in Scratch, which belongs
/// to the NBL's owner. ChildRefCount belongs to the overlying driver, which may have clones of the
/// same NBL elsewhere, as a virtual switch that floods has, and decrement it meanwhile.
///
/// # Safety
/// `parent` is an NBL that is owned here.
#[inline]
pub(crate) unsafe fn children_left(parent: *mut sys::NET_BUFFER_LIST) -> *mut usize {
    // SAFETY: `parent` is a live NBL that is owned here, by this function's contract; nothing is
    // read.
    unsafe { (&raw mut (*parent).Scratch).cast() }
}

/// Children of one parent, in their order on the wire: idle at first, each to be filled in place.
#[must_use = "children that are neither sent nor recycled are lost"]
#[derive(Default)]
pub struct Children {
    queue: NblQueue,
    count: u32,
}

impl Children {
    /// The number of children.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Appends `count` idle children.
    pub(crate) fn append(&mut self, more: NblQueue, count: u32) {
        self.queue.append(more);
        self.count = self.count.saturating_add(count);
    }

    /// Copies from `parent` to each child what lower drivers need beside the bytes of a large send:
    /// the offload slots, every other out-of-band slot that a send may carry, and the protocol's
    /// NBL flags. If the parent requests a transmit timestamp, the first child requests it instead,
    /// as with several packets in one NBL (Windows driver documentation, "Attaching timestamps to
    /// packets").
    pub fn copy_oob_from(&mut self, parent: &Nbl, module: ModuleHandle) {
        for nbl in self.queue.iter() {
            // SAFETY: `self` owns the children, the caller owns the parent, and no child has been
            // sent yet, so that none has an object of WFP's (invariants 2 and 7).
            unsafe { copy_oob_from(nbl, parent, module) };
        }
        // SAFETY: the caller owns the parent, and `self` the child (invariant 2).
        unsafe {
            if requests_timestamp(parent.as_ptr())
                && let Some(first) = self.queue.iter().next()
            {
                (*first.as_ptr()).NblFlags |= sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT;
            }
        }
    }

    /// Sets the TCP header offset in each child, for a parent that leaves it 0: not every NIC finds
    /// the header itself.
    #[cold]
    pub fn set_tcp_header_offset(&mut self, tcp_header_offset: u32) {
        for nbl in self.queue.iter() {
            // SAFETY: the queue owns the NBL (invariant 2), and `nbl` ends with this turn.
            let mut nbl = unsafe { Nbl::from_raw(nbl) };
            let info = nbl.large_send().with_tcp_header_offset(tcp_header_offset);
            nbl.set_large_send(info);
        }
    }

    /// Calls `make` for each in turn, until it fails.
    ///
    /// # Errors
    /// The first error of `make`.
    #[inline]
    pub fn try_for_each<E>(
        &mut self,
        mut make: impl FnMut(&mut ChildNbl) -> Result<(), E>,
    ) -> Result<(), E> {
        // SAFETY: the queue owns its NBLs, which are children (invariants 1 and 2). A `ChildNbl`
        // does not change `Next`, nor does it free the NBL.
        self.queue
            .iter()
            .try_for_each(|nbl| make(&mut unsafe { ChildNbl::of(nbl) }))
    }

    /// Attaches the children to `parent`, whose out-of-band data they [have](Self::copy_oob_from), and
    /// returns their NBLs. [`WaitingParent`](crate::WaitingParent) returns the parent after the last
    /// one; `completion_info` is the content of its large-send slot if all succeed.
    pub fn attach_to(self, mut parent: Nbl, completion_info: LargeSendInfo) -> NblQueue {
        parent.set_large_send(completion_info);
        parent.set_status(Status::SUCCESS);
        let raw = parent.into_raw().as_ptr();
        // SAFETY: the caller gave up the parent to this call, and no child has been sent yet, so that
        // nothing else accesses Scratch (invariant 5).
        unsafe { *children_left(raw) = self.count as usize };
        self.queue
    }

    /// Makes the children idle again and hands them over: the split was abandoned.
    pub(crate) fn abandon(self) -> NblQueue {
        for nbl in self.queue.iter() {
            // SAFETY: the queue owns the child (invariants 1 and 2), and no lower driver has seen it.
            unsafe { Context::release(context(nbl)) };
        }
        self.queue
    }
}
