//! NBLs as the overlying driver owns them.
#![expect(unsafe_code, reason = "NBLs and MDLs are C structures with pointers")]

use std::{mem::zeroed, ptr};

use ndis::{EncapsulationInfo, InnerOffsets, LargeSendInfo, UdpSendInfo, sys};

use crate::{
    cases::{Case, Traffic},
    frame,
};

const PAGE: usize = sys::PAGE_SIZE as usize;

/// Memory that starts with a page.
struct Pages(Vec<u8>);

impl Pages {
    fn new(length: usize) -> Self {
        Self(vec![0xA5; length + PAGE])
    }

    fn bytes(&mut self) -> &mut [u8] {
        let start = self.0.as_ptr().align_offset(PAGE);
        &mut self.0[start..]
    }
}

/// An MDL with room for the page frame numbers of the largest buffer, 64 KiB.
#[repr(C, align(16))]
struct Buffer {
    mdl: sys::MDL,
    pages: [sys::PFN_NUMBER; 17],
}

/// A packet: its NBL and its NET_BUFFER.
struct Packet {
    nbl: sys::NET_BUFFER_LIST,
    packet: sys::NET_BUFFER,
}

/// A batch of equal NBLs. All of them have the same payload bytes, but buffers of their own, as far
/// as a filter can see.
pub(crate) struct Batch {
    nbls: Vec<Packet>,
    /// The buffers that the NBLs point to.
    _buffers: Vec<Buffer>,
    _payload: Pages,
    _headers: Pages,
    slots: Slots,
}

// SAFETY: the batch owns all that its NBLs point to.
unsafe impl Send for Batch {}

/// The out-of-band slots that describe the send. Completion changes the first.
#[derive(Clone, Copy)]
struct Slots {
    large_send: usize,
    udp_send: usize,
    supplemental: usize,
}

impl Slots {
    fn of(traffic: Traffic) -> Self {
        let none = Self {
            large_send: 0,
            udp_send: 0,
            supplemental: 0,
        };
        match traffic {
            Traffic::Plain => none,
            Traffic::Tcp(mss) => Self {
                large_send: LargeSendInfo::v2(mss, frame::TRANSPORT, false).to_raw(),
                ..none
            },
            Traffic::Udp(mss) => Self {
                udp_send: UdpSendInfo::new(mss, frame::TRANSPORT, false).to_raw(),
                ..none
            },
            Traffic::Vxlan(mss) => {
                let outer = frame::VXLAN.len() as u32;
                let inner = InnerOffsets {
                    frame: outer,
                    ip: outer + frame::ETHERNET,
                    transport: outer + frame::TRANSPORT,
                };
                Self {
                    large_send: LargeSendInfo::v2(mss, 0, false).to_raw(),
                    supplemental: EncapsulationInfo::new(inner, false, true).to_raw(),
                    ..none
                }
            }
        }
    }
}

/// The header bytes of a send.
pub(crate) fn header(traffic: Traffic) -> Vec<u8> {
    match traffic {
        Traffic::Tcp(_) | Traffic::Plain => frame::TCP.to_vec(),
        Traffic::Udp(_) => frame::UDP.to_vec(),
        Traffic::Vxlan(_) => [&frame::VXLAN[..], &frame::TCP].concat(),
    }
}

impl Batch {
    /// The batch that `case` sends.
    pub(crate) fn new(case: &Case) -> Self {
        let header = header(case.traffic);
        let mut payload = Pages::new(case.payload as usize);
        let mut headers = Pages::new(case.batch * PAGE);
        let lengths = lengths(case);
        let mut buffers = Vec::with_capacity(case.batch * (1 + lengths.len()));
        let mut nbls = Vec::with_capacity(case.batch);
        for page in headers.bytes().chunks_mut(PAGE).take(case.batch) {
            let place = &mut page[..header.len()];
            place.copy_from_slice(&header);
            let first = buffers.len();
            buffers.push(Buffer::new(place));
            let mut rest = payload.bytes();
            for length in &lengths {
                let (buffer, others) = rest.split_at_mut(*length as usize);
                buffers.push(Buffer::new(buffer));
                rest = others;
            }
            // The buffers do not move any more: there is capacity for all of them.
            for index in first + 1..buffers.len() {
                buffers[index - 1].mdl.Next = &raw mut buffers[index].mdl;
            }
            let length = header.len() as u32 + case.payload;
            nbls.push(Packet::new(&raw mut buffers[first].mdl, length));
        }
        for packet in &mut nbls {
            packet.nbl.FirstNetBuffer = &raw mut packet.packet;
        }
        Self {
            nbls,
            _buffers: buffers,
            _payload: payload,
            _headers: headers,
            slots: Slots::of(case.traffic),
        }
    }

    /// The NBLs as a chain to be sent; each was completed since it was sent last.
    #[inline]
    pub(crate) fn chain(&mut self) -> *mut sys::NET_BUFFER_LIST {
        let mut next = ptr::null_mut();
        for packet in self.nbls.iter_mut().rev() {
            let nbl = &mut packet.nbl;
            nbl.Next = next;
            let slots = &mut nbl.NetBufferListInfo;
            let raw = ptr::without_provenance_mut;
            slots[sys::TcpLargeSendNetBufferListInfo] = raw(self.slots.large_send);
            slots[sys::UdpSegmentationOffloadInfo] = raw(self.slots.udp_send);
            slots[sys::TcpSendOffloadsSupplementalNetBufferListInfo] = raw(self.slots.supplemental);
            next = &raw mut packet.nbl;
        }
        next
    }

    /// Whether `chain` is all of the batch, in its order and successful.
    pub(crate) fn is_completed(&self, chain: *mut sys::NET_BUFFER_LIST) -> bool {
        let mut next = chain.cast_const();
        for packet in &self.nbls {
            if next != &raw const packet.nbl || packet.nbl.Status != sys::NDIS_STATUS_SUCCESS {
                return false;
            }
            next = packet.nbl.Next;
        }
        next.is_null()
    }
}

/// The bytes of a packet's buffers, one after the other.
pub(crate) fn lengths(case: &Case) -> Vec<u32> {
    let mut left = case.payload;
    let mut lengths = Vec::new();
    for length in case.buffers.iter().cycle() {
        if left == 0 {
            break;
        }
        lengths.push(left.min(*length));
        left -= left.min(*length);
    }
    lengths
}

impl Packet {
    fn new(first: *mut sys::MDL, length: u32) -> Self {
        // SAFETY: numbers and raw pointers may all be zero.
        let mut packet: Self = unsafe { zeroed() };
        packet.packet.CurrentMdl = first;
        packet.packet.MdlChain = first;
        packet.packet.DataLength = length;
        packet
    }
}

impl Buffer {
    /// The MDL of `bytes`, in non-paged memory.
    fn new(bytes: &mut [u8]) -> Self {
        let start = bytes.as_mut_ptr();
        let offset = start.addr() % PAGE;
        let first_page = start.addr() / PAGE;
        Self {
            mdl: sys::MDL {
                Next: ptr::null_mut(),
                Size: size_of::<Self>() as i16,
                MdlFlags: sys::MDL_SOURCE_IS_NONPAGED_POOL,
                Process: ptr::null_mut(),
                MappedSystemVa: start.cast(),
                StartVa: start.wrapping_sub(offset).cast(),
                ByteCount: bytes.len() as u32,
                ByteOffset: offset as u32,
            },
            pages: std::array::from_fn(|page| first_page + page),
        }
    }
}
