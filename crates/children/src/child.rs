//! A child: an NBL, its context area, and what it carries of its parent.

use core::{
    ffi::c_void,
    mem::offset_of,
    ptr::{self, NonNull},
};

use ndis::{
    AtDispatch, BufferError, ChecksumInfo, EncapsulationInfo, LargeSendInfo, ModuleHandle, Nbl,
    NblChain, NblQueue, PayloadCursor, Status, UdpSendInfo,
};
use ndis_sys as sys;

use crate::{
    chain,
    child_pool::{ChildPool, MdlSource},
    context::{Context, RawNbl, children_left, context, has_wfp_context, requests_timestamp},
    extra::Extras,
    idle_list::{Items, Link},
    packet::{HEADER_CAPACITY, Notes, Packet},
};

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
        // SAFETY: the child is owned for `'child` (invariant 2), and with it the header area, which
        // was zeroed (invariant 1).
        unsafe { &mut *Packet::header(self.packet) }
    }

    /// Makes it a packet of `header_length` bytes of header as written, and the next
    /// `payload_length` bytes at `payload`, referenced and not copied, unless the chain would have
    /// too many elements. `is_last` is whether the parent's payload ends there.
    ///
    /// # Errors
    /// [`BufferError::Malformed`] where the parent's chain ends before that, or for more payload
    /// than the pool's capacity; [`BufferError::NoMemory`], and the errors of a required copy.
    #[inline(always)]
    pub fn set_payload(
        self,
        header_length: u32,
        payload: &mut PayloadCursor<'_>,
        payload_length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        // SAFETY: the child is owned for `'child` (invariant 2), and `ChildNbl` gives out each packet
        // once, so that it is released.
        unsafe {
            chain::set_payload(
                self.packet,
                header_length,
                payload,
                payload_length,
                is_last,
                source,
            )
        }
    }

    /// The same out of line, where the stack is short.
    ///
    /// # Errors
    /// As for [`set_payload`](Self::set_payload).
    // Its arguments too are then not in the frame of the caller, which has no room for them.
    #[inline(never)]
    pub fn set_payload_apart(
        self,
        header_length: u32,
        payload: &mut PayloadCursor<'_>,
        payload_length: u32,
        is_last: bool,
        source: &MdlSource<'_>,
    ) -> Result<(), BufferError> {
        // SAFETY: as in `set_payload`.
        unsafe {
            chain::set_payload_apart(
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
            // SAFETY: the child is owned by `fill` (invariant 2).
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
        // SAFETY: the child is owned by `fill`, and so is the packet (invariant 2).
        unsafe {
            Context::add(self.context, packet.cast());
            let packet: *mut Packet = packet.as_ptr().cast();
            (*(*packet).net_buffer).Next = ptr::null_mut();
            (*self.last).Next = (*packet).net_buffer;
            Some(packet)
        }
    }

    /// Turns a child, which has the parent's large-send request, into packets that request
    /// `checksum` only. The packets are not flagged as frames in a tunnel either, so that no NIC
    /// computes anything in them.
    #[inline]
    pub fn become_packets(&mut self, checksum: ChecksumInfo) {
        // SAFETY: `fill` owns the NBL (invariant 2), and lends it for this call.
        let mut nbl = unsafe { Nbl::from_raw(self.nbl) };
        nbl.set_large_send(LargeSendInfo::default());
        nbl.set_udp_send(UdpSendInfo::default());
        nbl.set_checksum(checksum);
        nbl.set_encapsulation(EncapsulationInfo::default());
    }
}

/// The values that children get beside the parent's out-of-band data.
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
}

/// The values that the children of one parent have in common: read once, and written to each.
struct CommonOob<'a> {
    parent: &'a Nbl,
    module: ModuleHandle,
    flags: u32,
    /// Slots that NdisCopySendNetBufferListInfo is not documented to copy, or with another content,
    /// each with its neighbor.
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
/// The first slots of the other pairs: the last slot has no neighbor.
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
    // Out of line, so that it is built in memory, from where a pair is read at once.
    #[inline(never)]
    fn new(parent: &'a Nbl, oob: &ChildOob) -> Self {
        let raw = ptr::without_provenance_mut;
        let from = parent.as_ptr();
        // SAFETY: the parent is owned for `'a` (invariant 5); its slots begin at a multiple of 16
        // bytes, and the pairs are of even slots below the 27th.
        let (mut pairs, media_specific_ex, flags) = unsafe {
            let slots = &raw const (*from).NetBufferListInfo;
            let of = slots.cast::<SlotPair>();
            (
                PAIRS.map(|first| *of.add(first / 2)),
                (*slots)[sys::MediaSpecificInformationEx],
                (*from).NblFlags,
            )
        };
        pairs[0].0[0] = raw(oob.large_send.to_raw());
        pairs[2] = SlotPair([raw(oob.udp_send.to_raw()), raw(oob.encapsulation.to_raw())]);
        Self {
            parent,
            module: oob.module,
            flags: flags & INHERITED_FLAGS,
            pairs,
            media_specific_ex,
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
        // SAFETY: both NBLs are owned (invariants 2 and 5), the child's source is written here alone
        // (invariant 4); the slots begin at a multiple of 16 bytes, and pairs are of even slots
        // below the 27th.
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
        }
    }
}

/// NBL flags that NDIS keeps with each NBL for itself; ndis.h defines those around them.
const NDIS_FLAGS: u32 = 0x0000_00FC;

/// NBL flags that describe the packet and how it may be handled, as opposed to its ownership.
const INHERITED_FLAGS: u32 = sys::NDIS_NBL_FLAGS_SEND_READ_ONLY
    | sys::NDIS_NBL_FLAGS_IS_IPV4
    | sys::NDIS_NBL_FLAGS_IS_IPV6
    | sys::NDIS_NBL_FLAGS_IS_TCP
    | sys::NDIS_NBL_FLAGS_IS_UDP
    | sys::NDIS_NBL_FLAGS_IS_LOOPBACK_PACKET;

impl ChildPool {
    /// Takes `count` idle children of this processor, at least one, and `packets` more packets for
    /// them. Those that the processor lacks are allocated once and stay in its lists afterwards. IRQL
    /// DISPATCH_LEVEL.
    ///
    /// `None`, and nothing is taken, where memory or its bound is exhausted.
    #[inline]
    #[must_use]
    pub fn take(&self, count: u32, packets: u32, at: &AtDispatch) -> Option<Children> {
        let (owner_cpu, count) = (at.processor(), count.max(1));
        let children = self.take_children(owner_cpu, count, at)?;
        let (first, last) = children.ends()?;
        let spare = if packets == 0 {
            Items::EMPTY
        } else if let Some(spare) = self.take_packets(owner_cpu, packets, at) {
            spare
        } else {
            self.return_children(owner_cpu, children, None);
            return None;
        };
        Some(Children {
            first,
            last,
            count,
            owner_cpu,
            spare,
        })
    }

    /// Returns children that were not sent to their owner CPU. IRQL ≤ DISPATCH_LEVEL.
    #[cold]
    #[inline(never)]
    pub fn recycle(&self, children: Children) {
        let Children {
            first,
            last,
            count,
            owner_cpu,
            mut spare,
        } = children;
        // SAFETY: they are a list from `first` to `last`, owned here (invariant 2).
        let mut children = unsafe { Items::from_ends(first, last, count) };
        let (mut idle, mut extras) = (Items::EMPTY, Extras::NONE);
        while let Some(child) = children.pop() {
            let nbl = child.cast();
            // SAFETY: the child is owned here (invariant 2), and no lower driver has seen it.
            unsafe {
                Context::release(context(nbl), &mut extras);
                if has_wfp_context(nbl) {
                    self.free_child(child);
                } else {
                    idle.push(child);
                }
            }
        }
        while let Some(packet) = spare.pop() {
            // SAFETY: the packet is owned here (invariant 2).
            unsafe { extras.push(packet.cast()) };
        }
        self.return_children(owner_cpu, idle, None);
        self.return_extras(owner_cpu, extras, None);
    }
}

/// Children of one parent, in their order on the wire: idle at first, each to be filled in place.
#[must_use = "children that are neither sent nor recycled are lost"]
pub struct Children {
    /// The first and the last of a list that has at least one.
    first: NonNull<Link>,
    last: NonNull<Link>,
    count: u32,
    owner_cpu: u32,
    /// Packets for children of several packets, until those have taken them.
    spare: Items,
}

impl Children {
    /// The number of children.
    pub const fn count(&self) -> u32 {
        self.count
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
        mut make: impl FnMut(ChildNbl<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let common = CommonOob::new(parent, oob);
        let mut nbl: RawNbl = self.first.cast();
        loop {
            // SAFETY: the children are owned here, as is the parent (invariants 2 and 5), and have a
            // context (invariant 1).
            let (context, next) = unsafe {
                let context = context(nbl);
                common.copy_to(nbl, context);
                (context, (*nbl.as_ptr()).Next)
            };
            // By value: most children are never in memory as such.
            make(ChildNbl {
                nbl,
                context,
                spare: &mut self.spare,
                packets: 0,
                last: ptr::null_mut(),
            })?;
            let Some(next) = NonNull::new(next) else {
                break;
            };
            nbl = next;
        }
        let first: RawNbl = self.first.cast();
        // SAFETY: as above.
        unsafe {
            (*context(first)).packet.notes.add(Notes::FIRST);
            if requests_timestamp(parent.as_ptr()) {
                (*first.as_ptr()).NblFlags |= sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT;
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
        // SAFETY: the parent is owned here (invariant 5), and no child has been sent yet.
        unsafe { *children_left(raw) = self.count as usize };
        let mut spare = self.spare;
        // Packets that no child has needed come back with the first.
        while let Some(packet) = spare.pop() {
            // SAFETY: the child and the packet are owned here (invariant 2).
            unsafe { Context::add(context(self.first.cast()), packet.cast()) };
        }
        // SAFETY: the children are NBLs in a list that ends with the last (invariant 2).
        unsafe { NblChain::from_raw(self.first.as_ptr().cast()).split_after(self.last.cast()) }
    }
}
