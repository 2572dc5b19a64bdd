//! A filter driver that cuts every large send itself, correctly: tests change its children on their
//! way down.
//!
//! How it cuts is part of its type. The bytes come from the model's own second stage: here it
//! matters that a correct filter breaks no rule, and that each fault does.

use std::{mem, ptr, sync::Arc};

use model::{ChecksumSlot, Config, Slots, World, layout, one_stage, tunnel};
use ndis::sys::{self, NDIS_HANDLE};

use crate::{Nbl, mini_filter};

/// How a large send is cut.
pub(crate) mod cut {
    /// Into packets of the wire, each with all its checksums.
    pub(crate) const WHOLE: u8 = 0;
    /// Into packets whose TCP or UDP checksum is left to the NIC.
    pub(crate) const OFFLOADED: u8 = 1;
    /// Into large sends of four segments.
    pub(crate) const LARGE: u8 = 2;
}

/// A machine with that driver running.
pub(crate) fn start<const CUT: u8>(config: Config) -> Arc<World> {
    let world = World::new(config);
    // SAFETY: the entry point is this driver's.
    unsafe { world.start(entry::<CUT>) }.expect("the driver starts");
    world
}

unsafe extern "efiapi" fn entry<const CUT: u8>(
    driver: *mut sys::DRIVER_OBJECT,
    _path: *mut sys::UNICODE_STRING,
) -> i32 {
    // SAFETY: as the model vouches to both.
    unsafe {
        mini_filter::entry_with::<{ mini_filter::fault::NONE }>(driver, |all| {
            all.SendNetBufferListsHandler = Some(send::<CUT>);
            all.SendNetBufferListsCompleteHandler = Some(complete);
        })
    }
}

/// The parts of a child.
struct Part {
    frame: Vec<u8>,
    large_send: usize,
    uso: usize,
    tunnel: usize,
    checksum: usize,
}

/// Slots that every child has as its parent.
const CARRIED: [usize; 4] = [
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListHashValue,
    sys::NetBufferListHashInfo,
    sys::NetBufferListCancelId,
];

unsafe extern "efiapi" fn send<const CUT: u8>(
    context: NDIS_HANDLE,
    chain: Nbl,
    _port: u32,
    _flags: u32,
) {
    // SAFETY: the context is the one that `attach` set; the chain is the filter's now.
    unsafe {
        let module = mini_filter::module(context);
        for parent in scenarios::tampering::nbls(chain) {
            (*parent).Next = ptr::null_mut();
            let frame = bytes(parent);
            let slot = |slot: usize| (&(*parent).NetBufferListInfo)[slot].addr();
            let parts = parts::<CUT>(&frame, &slot);
            (*parent).Scratch = ptr::without_provenance_mut(parts.len());
            (*parent).Status = sys::NDIS_STATUS_SUCCESS;
            let mut first: Nbl = ptr::null_mut();
            for part in parts.iter().rev() {
                let child = new_child(module, parent, part);
                (*child).Next = first;
                first = child;
            }
            sys::NdisFSendNetBufferLists(module.handle, first, 0, 0);
        }
    }
}

/// The parent's frame.
///
/// # Safety
/// The parent is the filter's, and its pages are mapped.
unsafe fn bytes(parent: Nbl) -> Vec<u8> {
    let mut frame = Vec::new();
    // SAFETY: as the caller vouches.
    unsafe {
        let packet = (*parent).FirstNetBuffer;
        let (mut mdl, mut offset) = ((*packet).CurrentMdl, (*packet).CurrentMdlOffset as usize);
        while !mdl.is_null() {
            let start = (*mdl).MappedSystemVa.cast::<u8>().add(offset);
            let length = (*mdl).ByteCount as usize - mem::take(&mut offset);
            frame.extend_from_slice(std::slice::from_raw_parts(start, length));
            mdl = (*mdl).Next;
        }
    }
    frame
}

fn parts<const CUT: u8>(frame: &[u8], slot: &dyn Fn(usize) -> usize) -> Vec<Part> {
    let raw = [
        slot(sys::TcpLargeSendNetBufferListInfo),
        slot(sys::UdpSegmentationOffloadInfo),
        slot(sys::TcpSendOffloadsSupplementalNetBufferListInfo),
    ];
    let slots = Slots {
        large_send: ndis::LargeSendInfo::from_raw(raw[0]),
        uso: model::UsoSlot::from_raw(raw[1]),
        tunnel: model::TunnelSlot::from_raw(raw[2]),
        checksum: ChecksumSlot::default(),
    };
    if CUT == cut::LARGE {
        return large_parts(frame, &slots, raw);
    }
    let offloaded = CUT == cut::OFFLOADED && !slots.kind().is_tunnelled();
    let packets = one_stage(frame, &slots, 16).expect("a large send");
    packets
        .into_iter()
        .map(|mut packet| {
            let checksum = if offloaded {
                leave_to_nic(&mut packet, frame)
            } else {
                0
            };
            Part {
                frame: packet,
                large_send: 0,
                uso: 0,
                tunnel: 0,
                checksum,
            }
        })
        .collect()
}

/// Puts the pseudo-header's sum with the length into the checksum field, and returns the slot for
/// it.
fn leave_to_nic(packet: &mut [u8], parent: &[u8]) -> usize {
    let found = layout(packet).expect("TCP or UDP");
    let field = found.transport + if found.udp { 6 } else { 16 };
    let seed = u16::from_be_bytes([parent[field], parent[field + 1]]);
    if found.udp && seed == 0 {
        return 0;
    }
    let length = (packet.len() - found.transport) as u32;
    let sum = u32::from(seed) + length;
    let sum = (sum & 0xFFFF) + (sum >> 16);
    packet[field..field + 2].copy_from_slice(&(sum as u16).to_be_bytes());
    let slot = ChecksumSlot {
        ipv4: !found.ipv6,
        ipv6: found.ipv6,
        tcp: !found.udp,
        udp: found.udp,
        ip_header: false,
        header_offset: found.transport as u32,
    };
    slot.to_raw()
}

/// Large sends of four segments each: cut as if a segment were that long, and made large again.
fn large_parts(frame: &[u8], slots: &Slots, raw: [usize; 3]) -> Vec<Part> {
    let mut longer = *slots;
    longer.uso.mss *= 4;
    let info = slots.large_send;
    if info.mss() != 0 {
        longer.large_send =
            ndis::LargeSendInfo::v2(info.mss() * 4, info.tcp_header_offset(), info.is_ipv6());
    }
    let parts = one_stage(frame, &longer, 16).expect("a large send");
    parts
        .into_iter()
        .enumerate()
        .map(|(index, mut part)| {
            restore(&mut part, frame, slots, index as u16 * 4);
            Part {
                frame: part,
                large_send: raw[0],
                uso: raw[1],
                tunnel: raw[2],
                checksum: 0,
            }
        })
        .collect()
}

/// Gives a part its parent's seeds, lengths of 0, and identifications `segments` after its parent's.
fn restore(part: &mut [u8], parent: &[u8], slots: &Slots, segments: u16) {
    let found = tunnel(parent).filter(|_| slots.kind().is_tunnelled());
    let mut headers: Vec<_> = found
        .map(|tunnel| (tunnel.ip, tunnel.ipv6))
        .into_iter()
        .collect();
    match found {
        Some(tunnel) => {
            headers.push((tunnel.inner.ip, tunnel.inner.ipv6));
            copy(part, parent, tunnel.inner.transport + 16);
            if tunnel.kind != model::TunnelKind::Nvgre {
                copy(part, parent, tunnel.transport + 4);
                copy(part, parent, tunnel.transport + 6);
            }
        }
        None => {
            let plain = layout(parent).expect("a packet");
            headers.push((plain.ip, plain.ipv6));
            if plain.udp {
                copy(part, parent, plain.transport + 4);
            }
            copy(
                part,
                parent,
                plain.transport + if plain.udp { 6 } else { 16 },
            );
        }
    }
    for (ip, ipv6) in headers {
        copy(part, parent, ip + if ipv6 { 4 } else { 2 });
        if !ipv6 {
            let id = u16::from_be_bytes([parent[ip + 4], parent[ip + 5]]).wrapping_add(segments);
            part[ip + 4..ip + 6].copy_from_slice(&id.to_be_bytes());
        }
    }
}

fn copy(part: &mut [u8], parent: &[u8], at: usize) {
    part[at..at + 2].copy_from_slice(&parent[at..at + 2]);
}

/// A child's bytes with their MDL, in memory that its completion frees.
struct Memory {
    bytes: Vec<u8>,
    mdl: Vec<usize>,
    parent: Nbl,
}

/// # Safety
/// The module is attached, and the parent is the filter's.
unsafe fn new_child(module: &mini_filter::Module, parent: Nbl, part: &Part) -> Nbl {
    let words = size_of::<sys::MDL>() / 8 + part.frame.len() / 4096 + 2;
    let mut memory = Box::new(Memory {
        bytes: vec![0; part.frame.len() + 4096],
        mdl: vec![0; words],
        parent,
    });
    // The headers are in one page.
    let in_page = memory.bytes.as_ptr().align_offset(4096);
    memory.bytes[in_page..in_page + part.frame.len()].copy_from_slice(&part.frame);
    let start = memory.bytes[in_page..].as_mut_ptr();
    let mdl = memory.mdl.as_mut_ptr().cast::<sys::MDL>();
    // SAFETY: the memory is new, and lives until the child is back.
    unsafe {
        let offset = start.addr() % 4096;
        (*mdl).Size = (words * 8) as i16;
        (*mdl).StartVa = start.wrapping_sub(offset).cast();
        (*mdl).ByteOffset = offset as u32;
        (*mdl).ByteCount = part.frame.len() as u32;
        sys::MmBuildMdlForNonPagedPool(mdl);
        let length = part.frame.len();
        let child = sys::NdisAllocateNetBufferAndNetBufferList(module.pool, 0, 0, mdl, 0, length);
        (*child).SourceHandle = module.handle;
        // NDIS's own bits stay.
        (*child).NblFlags |= (*parent).NblFlags;
        sys::NdisCopySendNetBufferListInfo(child, parent);
        (*child).Scratch = Box::into_raw(memory).cast();
        let slots = &mut (*child).NetBufferListInfo;
        for slot in CARRIED {
            slots[slot] = (&(*parent).NetBufferListInfo)[slot];
        }
        for (slot, value) in [
            (sys::TcpLargeSendNetBufferListInfo, part.large_send),
            (sys::UdpSegmentationOffloadInfo, part.uso),
            (
                sys::TcpSendOffloadsSupplementalNetBufferListInfo,
                part.tunnel,
            ),
            (sys::TcpIpChecksumNetBufferListInfo, part.checksum),
        ] {
            slots[slot] = ptr::without_provenance_mut(value);
        }
        child
    }
}

unsafe extern "efiapi" fn complete(context: NDIS_HANDLE, chain: Nbl, _flags: u32) {
    // SAFETY: the context is the one that `attach` set; all that goes down are children, the
    // filter's now.
    unsafe {
        let module = mini_filter::module(context);
        for child in scenarios::tampering::nbls(chain) {
            let memory = Box::from_raw((*child).Scratch.cast::<Memory>());
            let (parent, status) = (memory.parent, (*child).Status);
            sys::NdisFreeNetBufferList(child);
            if (*parent).Status == sys::NDIS_STATUS_SUCCESS {
                (*parent).Status = status;
            }
            let left = (*parent).Scratch.addr() - 1;
            (*parent).Scratch = ptr::without_provenance_mut(left);
            if left == 0 {
                finish(module, parent);
            }
        }
    }
}

/// # Safety
/// The parent is the filter's, and its children are back.
unsafe fn finish(module: &mini_filter::Module, parent: Nbl) {
    // SAFETY: as the caller vouches.
    unsafe {
        let slot = &mut (&mut (*parent).NetBufferListInfo)[sys::TcpLargeSendNetBufferListInfo];
        let info = ndis::LargeSendInfo::from_raw(slot.addr());
        if info.mss() != 0 {
            assert!(
                info.is_v2(),
                "for an LSOv1 send it would say how much was sent"
            );
            *slot = ptr::without_provenance_mut(info.transmit_complete(0).to_raw());
        }
        sys::NdisFSendNetBufferListsComplete(module.handle, parent, 0);
    }
}
