//! A child: an NBL, its context area, and what it carries of its parent.

use core::{
    ffi::c_void,
    mem::offset_of,
    ptr::{self, NonNull},
};

use ndis::{
    BufferError, ChecksumInfo, EncapsulationInfo, LargeSendInfo, ModuleHandle, Nbl, NblChain,
    NblQueue, PayloadCursor, Status, UdpSendInfo,
};
use ndis_sys as sys;

use crate::{
    child_pool::MdlSource,
    idle_list::Items,
    packet::{Extra, Extras, HEADER_CAPACITY, Packet},
};

type RawNbl = NonNull<sys::NET_BUFFER_LIST>;

/// The layout of a child's NBL context area.
#[repr(C, align(16))]
pub(crate) struct Context {
    /// The NBL that it is a child of, while it is. NDIS has a field for that, ParentNetBufferList,
    /// which is for clones made by NdisAllocateCloneNetBufferList and null in every other NBL
    /// (Windows driver documentation, NET_BUFFER_LIST).
    pub(crate) parent: *mut sys::NET_BUFFER_LIST,
    /// The owner CPU, in whose lists the child is when it is idle.
    pub(crate) owner_cpu: u32,
    /// Whether it is its parent's first child, whose transmit timestamp is the parent's.
    pub(crate) is_first: bool,
    /// The packets beside the first, as extras.
    more: Extras,
    packet: Packet,
}

const _: () = assert!(size_of::<Context>().is_multiple_of(16));

/// The start of the context area of one of our NBLs. (NET_BUFFER_LIST_CONTEXT_DATA_START)
///
/// # Safety
/// `nbl` is a live NBL that a `ChildPool` allocated.
pub(crate) unsafe fn context(nbl: RawNbl) -> *mut Context {
    // SAFETY: the pool requested a context area of at least a `Context` from NDIS; NDIS aligns it
    // to 16 bytes and stores in `Offset` where the used part starts.
    unsafe {
        let area = (*nbl.as_ptr()).Context;
        let offset = usize::from((*area).Offset);
        area.add(1).cast::<u8>().add(offset).cast()
    }
}

impl Context {
    /// Sets up the context area of a new child.
    ///
    /// # Safety
    /// `this` is the context area of `nbl`, a new NBL, and as long as a `Context`.
    pub(crate) unsafe fn initialize(this: *mut Self, nbl: RawNbl, owner_cpu: u32) {
        // SAFETY: `this` is a context area of sufficient size, by this function's contract.
        unsafe {
            (*this).parent = ptr::null_mut();
            (*this).owner_cpu = owner_cpu;
            (*this).is_first = false;
            (&raw mut (*this).more).write(Extras::NONE);
            Packet::initialize(&raw mut (*this).packet, (*nbl.as_ptr()).FirstNetBuffer);
        }
    }

    /// Adds a packet to the child.
    ///
    /// # Safety
    /// `this` is the context area of a child that is owned by the caller, as is the packet.
    unsafe fn add(this: *mut Self, packet: NonNull<Extra>) {
        // SAFETY: the child and the packet are owned, by this function's contract.
        unsafe {
            (*this).more.push(packet);
            (*this).packet.needs_release = true;
        }
    }

    /// Undoes what lower drivers left on the MDLs of the payload, before its pages go back to their
    /// owner, and moves what the child has beside its own to `extras`.
    ///
    /// # Safety
    /// `this` is the context area of a child that is owned by the caller.
    #[inline]
    pub(crate) unsafe fn release(this: *mut Self, extras: &mut Extras) {
        // SAFETY: the child is owned by the caller, by this function's contract.
        unsafe {
            if (*this).packet.needs_release {
                Self::release_parts(this, extras);
            }
        }
    }

    /// # Safety
    /// As for [`release`](Self::release).
    #[inline(never)]
    unsafe fn release_parts(this: *mut Self, extras: &mut Extras) {
        // SAFETY: the child is owned by the caller, by this function's contract, and with it its
        // packets.
        unsafe {
            Packet::release(&raw mut (*this).packet, extras);
            (*(*this).packet.net_buffer).Next = ptr::null_mut();
            while let Some(packet) = (*this).more.pop() {
                Packet::release(packet.as_ptr().cast(), extras);
                extras.push(packet);
            }
        }
    }
}

/// One packet of a child, to be filled.
pub struct PacketBuffer<'child> {
    packet: *mut Packet,
    of: core::marker::PhantomData<&'child mut ChildNbl<'child>>,
}

impl PacketBuffer<'_> {
    /// The buffer for its header, to be written from the first byte on.
    /// [`set_payload`](Self::set_payload) determines how many of the bytes are the header.
    #[inline]
    pub fn header(&mut self) -> &mut [u8; HEADER_CAPACITY as usize] {
        // SAFETY: the child is owned for `'child`, and with it the header area, which was zeroed.
        unsafe { &mut *Packet::header(self.packet) }
    }

    /// Makes it a packet of `header_length` bytes of header as written, and the next
    /// `payload_length` bytes at `payload`, referenced and not copied, unless the chain would have
    /// too many elements. `is_last` is whether the parent's payload ends there.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the parent's chain ends before that, or for more payload
    /// than the pool's capacity; [`BufferError::NoMemory`], and the errors of a required copy.
    #[inline]
    pub fn set_payload(
        self,
        header_length: u32,
        payload: &mut PayloadCursor<'_>,
        payload_length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        // SAFETY: the child is owned for `'child`, and `ChildNbl` gives out each packet once, so that
        // it is released.
        unsafe {
            Packet::set_payload(
                self.packet,
                header_length,
                payload,
                payload_length,
                is_last,
                source,
            )
        }
    }
}

/// A child that is being filled.
pub struct ChildNbl<'fill> {
    nbl: RawNbl,
    context: *mut Context,
    /// Packets that children may take.
    spare: &'fill mut Items,
    /// Packets that were given out.
    packets: u32,
    last: *mut sys::NET_BUFFER,
}

impl ChildNbl<'_> {
    /// The child's next packet: its only one, if it is a large send. `None` if there is no memory
    /// for another one, as many as the children were taken with.
    #[inline]
    pub fn next_packet(&mut self) -> Option<PacketBuffer<'_>> {
        let packet = if self.packets == 0 {
            // SAFETY: the child is owned by `fill`.
            unsafe { &raw mut (*self.context).packet }
        } else {
            self.add_packet()?
        };
        self.packets = self.packets.wrapping_add(1);
        // SAFETY: as above.
        self.last = unsafe { (*packet).net_buffer };
        Some(PacketBuffer {
            packet,
            of: core::marker::PhantomData,
        })
    }

    fn add_packet(&mut self) -> Option<*mut Packet> {
        let packet = self.spare.pop()?;
        // SAFETY: the child is owned by `fill`, and so is the packet.
        unsafe {
            Context::add(self.context, packet.cast());
            let packet: *mut Packet = packet.as_ptr().cast();
            (*(*packet).net_buffer).Next = ptr::null_mut();
            (*self.last).Next = (*packet).net_buffer;
            Some(packet)
        }
    }

    /// The number of packets that were given out.
    #[must_use]
    pub const fn packets(&self) -> u32 {
        self.packets
    }

    /// Turns a child, which has the parent's large-send request, into packets that request
    /// `checksum` only. The packets are not flagged as frames in a tunnel either, so that no NIC
    /// computes anything in them.
    #[inline]
    pub fn become_packets(&mut self, checksum: ChecksumInfo) {
        // SAFETY: `fill` owns the NBL, and lends it for this call.
        let mut nbl = unsafe { Nbl::from_raw(self.nbl) };
        nbl.set_large_send(LargeSendInfo::default());
        nbl.set_udp_send(UdpSendInfo::default());
        nbl.set_checksum(checksum);
        nbl.set_encapsulation(EncapsulationInfo::default());
    }
}

/// What children get beside the parent's out-of-band data.
#[derive(Clone, Copy)]
pub struct ChildOob {
    /// The filter module that originates them.
    pub module: ModuleHandle,
    /// The large-send slot.
    pub large_send: LargeSendInfo,
    /// The slot of UDP segmentation.
    pub udp_send: UdpSendInfo,
    /// The supplemental slot.
    pub encapsulation: EncapsulationInfo,
}

/// Two adjacent slots of out-of-band data, which are written at once.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct SlotPair([*mut c_void; 2]);

impl SlotPair {
    const NONE: Self = Self([ptr::null_mut(); 2]);

    /// The slots `first` and the next of `slots`.
    const fn of(slots: &[*mut c_void; sys::MaxNetBufferListInfo], first: usize) -> Self {
        Self([slots[first], slots[first + 1]])
    }
}

/// What the children of one parent have in common: read once, and written to each.
struct CommonOob<'a> {
    parent: &'a Nbl,
    module: ModuleHandle,
    flags: u32,
    /// Slots that NdisCopySendNetBufferListInfo is not documented to copy, or with another content,
    /// each with its neighbour.
    pairs: [SlotPair; PAIRS.len()],
    media_specific_ex: *mut c_void,
}

/// The first slot of each of the pairs.
const PAIRS: [usize; 4] = [
    sys::TcpLargeSendNetBufferListInfo,
    sys::NetBufferListHashValue,
    sys::UdpSegmentationOffloadInfo,
    sys::GftOffloadInformation,
];
/// The first slots of the other pairs: the last slot has no neighbour.
const CLEARED: [usize; 9] = [0, 4, 6, 10, 12, 14, 16, 18, 20];
const _: () = assert!(2 * (PAIRS.len() + CLEARED.len()) + 1 == sys::MaxNetBufferListInfo);
const _: () = assert!(
    sys::ClassificationHandleNetBufferListInfo == PAIRS[0] + 1
        && sys::NetBufferListHashInfo == PAIRS[1] + 1
        && sys::TcpSendOffloadsSupplementalNetBufferListInfo == PAIRS[2] + 1
        && sys::GftFlowEntryId == PAIRS[3] + 1
        && offset_of!(sys::NET_BUFFER_LIST, NetBufferListInfo).is_multiple_of(16)
);

impl<'a> CommonOob<'a> {
    #[inline]
    fn new(parent: &'a Nbl, oob: &ChildOob) -> Self {
        let raw = ptr::without_provenance_mut;
        let from = parent.as_ptr();
        // SAFETY: the parent is owned for `'a`.
        let (of, flags) = unsafe { (&(*from).NetBufferListInfo, (*from).NblFlags) };
        let mut pairs = PAIRS.map(|first| SlotPair::of(of, first));
        pairs[0].0[0] = raw(oob.large_send.to_raw());
        pairs[2] = SlotPair([raw(oob.udp_send.to_raw()), raw(oob.encapsulation.to_raw())]);
        Self {
            parent,
            module: oob.module,
            flags: flags & INHERITED_FLAGS,
            pairs,
            media_specific_ex: of[sys::MediaSpecificInformationEx],
        }
    }

    /// Copies the out-of-band data that lower drivers need to `child`. NDIS copies it for each child
    /// separately: it includes a part that drivers do not see, and an object of WFP's that belongs to
    /// a single NBL.
    ///
    /// # Safety
    /// The child is one of ours that is owned by the caller, without an object of WFP's, and
    /// `context` is its context area.
    #[inline(always)]
    unsafe fn copy_to(&self, child: RawNbl, context: *mut Context) {
        let (child, from) = (child.as_ptr(), self.parent.as_ptr());
        // SAFETY: both NBLs are owned, by this function's contract and by that of `new`; the slots
        // begin at a multiple of 16 bytes, and pairs are of even slots below the 27th.
        unsafe {
            let slots = &raw mut (*child).NetBufferListInfo;
            let pairs = slots.cast::<SlotPair>();
            for first in CLEARED {
                *pairs.add(first / 2) = SlotPair::NONE;
            }
            (*slots)[sys::MaxNetBufferListInfo - 1] = ptr::null_mut();
            sys::NdisCopySendNetBufferListInfo(child, from);
            for (pair, first) in self.pairs.iter().zip(PAIRS) {
                *pairs.add(first / 2) = *pair;
            }
            (*slots)[sys::MediaSpecificInformationEx] = self.media_specific_ex;
            (*child).NblFlags = self.flags | (*child).NblFlags & NDIS_FLAGS;
            (*child).Status = sys::NDIS_STATUS_SUCCESS;
            (*child).SourceHandle = self.module.raw();
            (*context).parent = from;
            (*context).is_first = false;
        }
    }
}

/// NBL flags that NDIS keeps with each NBL for itself; ndis.h defines those around them.
const NDIS_FLAGS: u32 = 0x0000_00FC;

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
const INHERITED_FLAGS: u32 = sys::NDIS_NBL_FLAGS_SEND_READ_ONLY
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
pub struct Children {
    children: Items,
    /// Packets for children of several packets, until those have taken them.
    spare: Items,
    owner_cpu: u32,
}

impl Children {
    /// Idle children of `owner_cpu`, with packets.
    pub(crate) const fn new(children: Items, spare: Items, owner_cpu: u32) -> Self {
        Self {
            children,
            spare,
            owner_cpu,
        }
    }

    /// The number of children.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.children.count()
    }

    /// Copies to each child, from `parent` and `oob`, what lower drivers need beside the bytes: the
    /// offload slots, every other out-of-band slot that a send may carry, and the protocol's NBL
    /// flags; then calls `make` for its packets, until that fails. If the parent requests a transmit
    /// timestamp, the first child requests it instead, as with several packets in one NBL (Windows
    /// driver documentation, "Attaching timestamps to packets").
    ///
    /// # Errors
    /// The first error of `make`.
    #[inline]
    pub fn fill<E>(
        &mut self,
        parent: &Nbl,
        oob: &ChildOob,
        mut make: impl FnMut(&mut ChildNbl<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let common = CommonOob::new(parent, oob);
        let first = self.children.first();
        let Some(link) = NonNull::new(first) else {
            return Ok(());
        };
        let mut nbl: RawNbl = link.cast();
        let mut child = ChildNbl {
            nbl,
            // SAFETY: the children are NBLs of a pool.
            context: unsafe { context(nbl) },
            spare: &mut self.spare,
            packets: 0,
            last: ptr::null_mut(),
        };
        loop {
            // SAFETY: the children are NBLs of a pool, and are owned here, as is the parent; no
            // lower driver has them.
            let next = unsafe {
                common.copy_to(nbl, child.context);
                (*nbl.as_ptr()).Next
            };
            make(&mut child)?;
            let Some(next) = NonNull::new(next) else {
                break;
            };
            nbl = next;
            // SAFETY: as above.
            (child.nbl, child.context) = (nbl, unsafe { context(nbl) });
            child.packets = 0;
        }
        if let Some(first) = NonNull::new(first) {
            let first: RawNbl = first.cast();
            // SAFETY: as above.
            unsafe {
                (*context(first)).is_first = true;
                if requests_timestamp(parent.as_ptr()) {
                    (*first.as_ptr()).NblFlags |= sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT;
                }
            }
        }
        Ok(())
    }

    /// Attaches the children to `parent`, for which they were [filled](Self::fill), and yields their
    /// NBLs. [`ChildRun`](crate::ChildRun) yields the parent with the last one; `completion_info` is the content
    /// of its large-send slot once all have been sent.
    #[inline]
    pub fn attach_to(self, mut parent: Nbl, completion_info: LargeSendInfo) -> NblQueue {
        parent.set_large_send(completion_info);
        parent.set_status(Status::SUCCESS);
        let raw = parent.into_raw().as_ptr();
        // SAFETY: the parent is owned here, and no child has been sent yet.
        unsafe { *children_left(raw) = self.count() as usize };
        let mut spare = self.spare;
        let Some((first, last)) = self.children.into_ends() else {
            return NblQueue::new();
        };
        // Packets that no child has needed come back with the first.
        while let Some(packet) = spare.pop() {
            // SAFETY: the child and the packet are owned here.
            unsafe { Context::add(context(first.cast()), packet.cast()) };
        }
        // SAFETY: the children are NBLs in a list that ends with the last.
        unsafe { NblChain::from_raw(first.as_ptr().cast()).split_after(last.cast()) }
    }

    /// The owner CPU, the children and the packets that none of them has: the split was abandoned.
    pub(crate) fn abandon(self) -> (u32, Items, Items) {
        (self.owner_cpu, self.children, self.spare)
    }
}
