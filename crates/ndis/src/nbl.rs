//! NET_BUFFER_LISTs by ownership: one ([`Nbl`]), a received chain ([`NblChain`]), a chain under
//! construction ([`NblQueue`]), and a view of the NET_BUFFER inside ([`NetBuffer`]).
//!
//! NDIS hands over chains; the current owner alone may read and write all of it. The types follow
//! that rule: none of them can be copied, and a pointer leaves only through `into_raw`. None has a
//! destructor, because the owner of an NBL never frees it but sends or completes it.

use core::{marker::PhantomData, ptr::NonNull};

use crate::{
    oob::{ChecksumInfo, EncapsulationInfo, LargeSendInfo, UdpSendInfo},
    status::Status,
    sys,
};

/// One NET_BUFFER_LIST that this code owns.
#[must_use = "an NBL that is neither sent nor completed is lost"]
#[derive(Debug)]
#[repr(transparent)]
pub struct Nbl(NonNull<sys::NET_BUFFER_LIST>);

impl Nbl {
    /// Takes over the NBL at `raw`.
    ///
    /// # Safety
    /// `raw` points to a NET_BUFFER_LIST that NDIS gave to the caller and that is not used
    /// elsewhere.
    pub const unsafe fn from_raw(raw: NonNull<sys::NET_BUFFER_LIST>) -> Self {
        Self(raw)
    }

    /// Releases the NBL as the pointer that NDIS routines take.
    #[must_use]
    pub const fn into_raw(self) -> NonNull<sys::NET_BUFFER_LIST> {
        self.0
    }

    /// The pointer, for reading and writing while `self` stays the owner.
    pub const fn as_ptr(&self) -> *mut sys::NET_BUFFER_LIST {
        self.0.as_ptr()
    }

    /// The content of the large-send slot.
    pub fn large_send(&self) -> LargeSendInfo {
        LargeSendInfo::from_raw(self.slot::<{ sys::TcpLargeSendNetBufferListInfo }>())
    }

    /// Writes the large-send slot.
    pub fn set_large_send(&mut self, info: LargeSendInfo) {
        self.set_slot::<{ sys::TcpLargeSendNetBufferListInfo }>(info.to_raw());
    }

    /// The content of the UDP segmentation slot; the default for a TCP large send. A NIC also uses
    /// that slot to report how many received segments it coalesced, and a packet that was received
    /// and then forwarded may still carry that value: code that splits must find a UDP header at
    /// this offset.
    pub fn udp_send(&self) -> UdpSendInfo {
        if self.large_send().mss() != 0 {
            return UdpSendInfo::default();
        }
        UdpSendInfo::from_raw(self.slot::<{ sys::UdpSegmentationOffloadInfo }>())
    }

    /// Whether either of the two slots requests a large send.
    #[inline]
    pub fn is_large_send(&self) -> bool {
        let tcp = self.lower_half::<{ sys::TcpLargeSendNetBufferListInfo }>();
        let udp = self.lower_half::<{ sys::UdpSegmentationOffloadInfo }>();
        LargeSendInfo::from_raw(tcp).mss() | UdpSendInfo::from_raw(udp).mss() != 0
    }

    /// Writes the UDP segmentation slot.
    pub fn set_udp_send(&mut self, info: UdpSendInfo) {
        self.set_slot::<{ sys::UdpSegmentationOffloadInfo }>(info.to_raw());
    }

    /// The tunnel information in the supplemental slot.
    pub fn encapsulation(&self) -> EncapsulationInfo {
        EncapsulationInfo::from_raw(
            self.slot::<{ sys::TcpSendOffloadsSupplementalNetBufferListInfo }>(),
        )
    }

    /// Writes the supplemental slot.
    pub fn set_encapsulation(&mut self, info: EncapsulationInfo) {
        self.set_slot::<{ sys::TcpSendOffloadsSupplementalNetBufferListInfo }>(info.to_raw());
    }

    /// Writes the checksum slot.
    pub fn set_checksum(&mut self, info: ChecksumInfo) {
        self.set_slot::<{ sys::TcpIpChecksumNetBufferListInfo }>(info.to_raw());
    }

    /// The address of slot `SLOT`, for reading and writing while `self` stays the owner.
    const fn slot_place<const SLOT: usize>(&self) -> *mut *mut core::ffi::c_void {
        const { assert!(SLOT < sys::MaxNetBufferListInfo) };
        // SAFETY: `self` owns a live NBL (see `from_raw`), and the slot is one of its 27.
        unsafe {
            (&raw mut (*self.as_ptr()).NetBufferListInfo)
                .cast::<*mut core::ffi::c_void>()
                .add(SLOT)
        }
    }

    fn slot<const SLOT: usize>(&self) -> usize {
        // SAFETY: the slot is in the NBL that `self` owns.
        unsafe { *self.slot_place::<SLOT>() }.addr()
    }

    /// The lower 32 bits of a slot, which hold the words of the offloads. For code that reads every
    /// NBL this is one instruction less than the whole slot.
    fn lower_half<const SLOT: usize>(&self) -> usize {
        // SAFETY: the slot is in the NBL that `self` owns. The lower half comes first on every
        // system that has NDIS.
        let half: u32 = unsafe { *self.slot_place::<SLOT>().cast() };
        half as usize
    }

    fn set_slot<const SLOT: usize>(&mut self, value: usize) {
        // SAFETY: the slot is in the NBL that `self` owns.
        unsafe { *self.slot_place::<SLOT>() = core::ptr::without_provenance_mut(value) };
    }

    /// The status that the overlying driver will see at completion.
    pub fn status(&self) -> Status {
        // SAFETY: `self` owns a live NBL.
        Status(unsafe { (*self.as_ptr()).Status })
    }

    /// Sets the status that the overlying driver will see at completion.
    pub fn set_status(&mut self, status: Status) {
        // SAFETY: `self` owns a live NBL.
        unsafe { (*self.as_ptr()).Status = status.0 };
    }

    /// The first NET_BUFFER; `None` for an empty NBL, which no overlying driver should send.
    pub fn first_net_buffer(&self) -> Option<NetBuffer<'_>> {
        // SAFETY: `self` owns a live NBL.
        let first = unsafe { (*self.as_ptr()).FirstNetBuffer };
        NonNull::new(first).map(|raw| NetBuffer {
            raw,
            of: PhantomData,
        })
    }

    /// All its NET_BUFFERs.
    pub fn net_buffers(&self) -> impl Iterator<Item = NetBuffer<'_>> {
        core::iter::successors(self.first_net_buffer(), |packet| {
            // SAFETY: the NET_BUFFER belongs to `self`, and so do those after it.
            let next = unsafe { (*packet.raw.as_ptr()).Next };
            NonNull::new(next).map(|raw| NetBuffer {
                raw,
                of: PhantomData,
            })
        })
    }
}

/// A NET_BUFFER of an NBL that is owned for `'nbl`: one packet, a window into an MDL chain.
#[derive(Clone, Copy)]
pub struct NetBuffer<'nbl> {
    pub(crate) raw: NonNull<sys::NET_BUFFER>,
    of: PhantomData<&'nbl Nbl>,
}

impl NetBuffer<'_> {
    /// Bytes of frame in the packet.
    pub fn data_length(&self) -> u32 {
        // SAFETY: the NET_BUFFER belongs to an NBL that is owned for `'nbl`.
        unsafe { (*self.raw.as_ptr()).DataLength }
    }

    /// Whether the NBL has no further NET_BUFFER, as a large send must (Windows driver
    /// documentation, "Offloading the Segmentation of Large TCP Packets").
    pub fn is_only(&self) -> bool {
        // SAFETY: as in `data_length`.
        unsafe { (*self.raw.as_ptr()).Next.is_null() }
    }
}

/// A chain of NBLs as NDIS hands it over, linked by `Next`, taken apart from the front.
#[must_use = "an NBL that is neither sent nor completed is lost"]
#[derive(Debug)]
pub struct NblChain {
    head: *mut sys::NET_BUFFER_LIST,
}

impl NblChain {
    /// Takes over the chain that starts at `head`, which may be null for an empty one.
    ///
    /// # Safety
    /// NDIS gave each NBL from `head` on to the caller, none of them is used elsewhere, and the
    /// last one's `Next` is null.
    pub const unsafe fn from_raw(head: *mut sys::NET_BUFFER_LIST) -> Self {
        Self { head }
    }

    /// Releases the chain as the pointer that NDIS routines take; null for an empty chain.
    #[must_use]
    pub const fn into_raw(self) -> *mut sys::NET_BUFFER_LIST {
        self.head
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Takes the first NBL out.
    pub fn pop(&mut self) -> Option<Nbl> {
        let first = NonNull::new(self.head)?;
        // SAFETY: the chain owns `first`; its `Next` is the rest of the chain.
        unsafe {
            self.head = (*first.as_ptr()).Next;
            (*first.as_ptr()).Next = core::ptr::null_mut();
        }
        Some(Nbl(first))
    }

    /// The first NBL, which stays the chain's.
    #[inline]
    pub const fn first(&self) -> Option<NonNull<sys::NET_BUFFER_LIST>> {
        NonNull::new(self.head)
    }

    /// Takes out all from the first NBL to `last`.
    ///
    /// # Safety
    /// `last` is one of the chain.
    #[inline]
    pub unsafe fn split_after(&mut self, last: NonNull<sys::NET_BUFFER_LIST>) -> NblQueue {
        let ends = NonNull::new(self.head).map(|first| (first, last));
        // SAFETY: `last` is one of the chain, by this function's contract; its `Next` is the rest
        // of the chain.
        unsafe {
            self.head = (*last.as_ptr()).Next;
            (*last.as_ptr()).Next = core::ptr::null_mut();
        }
        NblQueue { ends }
    }

    /// Takes the first `count` NBLs out, or as many as there are.
    pub fn pop_run(&mut self, count: u32) -> NblQueue {
        match count {
            0 => NblQueue::new(),
            _ => self.pop_counted(count).map_or(NblQueue::new(), |run| run.0),
        }
    }

    /// Takes the first NBLs out, `most` of them (at least one) or as many as there are, and returns
    /// them with their number. `None` if the chain is empty.
    pub fn pop_counted(&mut self, most: u32) -> Option<(NblQueue, u32)> {
        let first = NonNull::new(self.head)?;
        let (mut last, mut count) = (first, 1_u32);
        // SAFETY: the chain owns its NBLs, each of whose `Next` is the rest of it.
        unsafe {
            while count < most
                && let Some(next) = NonNull::new((*last.as_ptr()).Next)
            {
                last = next;
                count = count.saturating_add(1);
            }
            Some((self.split_after(last), count))
        }
    }

    /// The NBLs in turn, each borrowed while the chain stays the owner.
    pub fn iter(&self) -> impl Iterator<Item = &Nbl> {
        let mut next = &raw const self.head;
        core::iter::from_fn(move || {
            // SAFETY: `next` points to `head` or to the `Next` field of an NBL that the chain owns.
            // Both are a pointer to an NBL, as is `Nbl`, which is transparent; null is the
            // representation of `None` in `Option<Nbl>`.
            let nbl = unsafe { (*next.cast::<Option<Nbl>>()).as_ref() }?;
            // SAFETY: the chain owns the NBL.
            next = unsafe { &raw const (*nbl.as_ptr()).Next };
            Some(nbl)
        })
    }

    /// Takes out the first NBLs, as long as `condition` holds for them.
    #[inline]
    pub fn pop_while(&mut self, mut condition: impl FnMut(&Nbl) -> bool) -> NblQueue {
        let (mut last, mut next) = (None, NonNull::new(self.head));
        while let Some(nbl) = next {
            if !condition(&Nbl(nbl)) {
                break;
            }
            last = next;
            // SAFETY: the chain owns the NBL, which `condition` could only read.
            next = NonNull::new(unsafe { (*nbl.as_ptr()).Next });
        }
        match last {
            // SAFETY: the NBL is one of the chain.
            Some(last) => unsafe { self.split_after(last) },
            None => NblQueue::new(),
        }
    }
}

/// A chain of NBLs that is built at its end, in the order in which it will be sent or completed.
#[must_use = "an NBL that is neither sent nor completed is lost"]
#[derive(Debug, Default)]
pub struct NblQueue {
    /// First and last NBL; the last one's `Next` is null.
    ends: Option<(NonNull<sys::NET_BUFFER_LIST>, NonNull<sys::NET_BUFFER_LIST>)>,
}

impl NblQueue {
    /// A queue with nothing in it.
    pub const fn new() -> Self {
        Self { ends: None }
    }

    /// Appends one NBL.
    pub fn push(&mut self, nbl: Nbl) {
        let raw = nbl.into_raw();
        // SAFETY: the queue now owns `raw`.
        unsafe { (*raw.as_ptr()).Next = core::ptr::null_mut() };
        self.append(Self {
            ends: Some((raw, raw)),
        });
    }

    /// Appends all of `more`.
    pub fn append(&mut self, more: Self) {
        let Some((first, last)) = more.ends else {
            return;
        };
        match &mut self.ends {
            None => self.ends = Some((first, last)),
            Some((_, end)) => {
                // SAFETY: the queue owns its last NBL.
                unsafe { (*end.as_ptr()).Next = first.as_ptr() };
                *end = last;
            }
        }
    }

    /// The queue as a chain to be handed on.
    pub const fn into_chain(self) -> NblChain {
        NblChain {
            head: match self.ends {
                Some((first, _)) => first.as_ptr(),
                None => core::ptr::null_mut(),
            },
        }
    }
}
