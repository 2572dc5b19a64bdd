//! The miniport below: takes what the filter sends, checks it, puts it on the wire, and completes
//! it as it is told to.
#![expect(unsafe_code, reason = "NBLs and NET_BUFFERs are C structures")]

use std::{mem::offset_of, ptr};

use ndis::{LargeSendInfo, sys};

use crate::{
    above::job_of,
    limits::limit_for,
    mdl::{self, MdlLook, Read, Window},
    memory::Block,
    nic::{Nic, Order},
    rules::Rule,
    segment::{Parts, parts, segment},
    state::{Known, Origin, Owner, State},
    thread,
    world::MODULE,
};

/// A packet that the filter gave to the miniport, as it was then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Child {
    /// The frame.
    pub frame: Vec<u8>,
    /// The large-send slot.
    pub large_send: LargeSendInfo,
    /// Number of the layer above's send that it is, or is a part of.
    pub send: u64,
    /// Bytes of TCP payload; 0 where it is not TCP.
    pub payload: usize,
    /// Whether the filter made it, rather than passing it on.
    pub is_child: bool,
}

/// An NBL that the miniport owns.
pub(crate) struct Held {
    pub(crate) nbl: usize,
    /// The visible NBL as it came. While the miniport owns it, other bytes stand in its place.
    saved: Block,
    /// The NBL's bytes while the miniport owns it.
    poisoned: Vec<u8>,
    /// Each NET_BUFFER's frame, to see that nobody changes it under way.
    frames: Vec<Seen>,
    /// Where the first frame is in memory, in order, for who takes it from here.
    pub(crate) pieces: Vec<Piece>,
    /// The large-send slot and the checksum slot as they came.
    pub(crate) large_send: LargeSendInfo,
    pub(crate) checksum: usize,
    /// The window's MDLs.
    mdls: Vec<(usize, MdlLook)>,
    pub(crate) status: i32,
    /// The send it is a child of.
    pub(crate) parent: Option<u64>,
}

/// A frame as the miniport saw it.
struct Seen {
    /// All of it, or where not all is looked at, its headers.
    bytes: Vec<u8>,
    length: usize,
}

/// Mapped bytes of a packet that the miniport owns.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) address: usize,
    pub(crate) length: usize,
}

/// What a read through an NBL that is not one's own finds instead of a pointer.
const POISON: usize = 0x0BAD_0BAD_0BAD_0BAD;

impl State {
    /// The miniport takes one NBL that the filter sent.
    ///
    /// # Safety
    /// `nbl` is a live NBL of the ledger.
    pub(crate) unsafe fn accept(&mut self, nic: &Nic, nbl: *mut sys::NET_BUFFER_LIST) {
        let address = nbl.addr();
        let name = self.name(address);
        let number = self.accepted;
        self.accepted += 1;
        // SAFETY: as the caller vouches.
        let (source, info, checksum, first) = unsafe {
            (
                (*nbl).SourceHandle.addr(),
                LargeSendInfo::from_raw(
                    (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo].addr(),
                ),
                (*nbl).NetBufferListInfo[sys::TcpIpChecksumNetBufferListInfo].addr(),
                (*nbl).FirstNetBuffer,
            )
        };
        let Some(Known { origin, .. }) = self.known.get(&address) else {
            return;
        };
        let (is_child, send) = match *origin {
            Origin::Above(send) => (false, Some(send)),
            // SAFETY: as the caller vouches.
            Origin::Pool(_) => (true, unsafe { self.parent_of(nbl, &name) }),
        };
        if is_child && source != MODULE {
            let found = format!("a child's SourceHandle is {source:#x}, not the filter's");
            self.violation(Rule::SourceHandle, name.clone(), found);
        }
        let mut held = Held {
            nbl: address,
            saved: Block::new(size_of::<sys::NET_BUFFER_LIST>(), 16),
            poisoned: Vec::new(),
            frames: Vec::new(),
            pieces: Vec::new(),
            large_send: info,
            checksum,
            mdls: Vec::new(),
            status: nic
                .failing
                .iter()
                .find(|(failing, _)| *failing == number)
                .map_or(sys::NDIS_STATUS_SUCCESS, |(_, status)| *status),
            parent: send.filter(|_| is_child),
        };
        let mut net_buffer = first;
        while !net_buffer.is_null() {
            // SAFETY: the NBL's NET_BUFFERs are live.
            let next = unsafe {
                self.take_packet(nic, net_buffer, info, send, is_child, &name, &mut held);
                (*net_buffer).Next
            };
            if info.mss() != 0 && !next.is_null() {
                self.violation(Rule::OneNetBuffer, name.clone(), "a second NET_BUFFER");
                break;
            }
            net_buffer = next;
        }
        if is_child && let Some(send) = send {
            // SAFETY: as the caller vouches.
            unsafe { self.check_oob(nbl, send, &name) };
            if let Some(sent) = self.sent.get_mut(&send) {
                sent.children += 1;
            }
        }
        // SAFETY: as the caller vouches.
        unsafe { poison(nbl, &mut held) };
        self.held.push_back(held);
    }

    /// The send of the layer above that a child belongs to.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    unsafe fn parent_of(&mut self, nbl: *mut sys::NET_BUFFER_LIST, name: &str) -> Option<u64> {
        // SAFETY: as the caller vouches.
        let parent = unsafe { (*nbl).ParentNetBufferList }.addr();
        match self.known.get(&parent) {
            Some(Known {
                owner: Owner::Filter,
                origin: Origin::Above(send),
                ..
            }) => Some(*send),
            _ => {
                let found = "its ParentNetBufferList is no NBL that the filter has";
                self.violation(Rule::OneOwner, name, found);
                None
            }
        }
    }

    /// One packet: read it, check it, transmit it.
    ///
    /// # Safety
    /// `net_buffer` is a live NET_BUFFER.
    #[expect(clippy::too_many_arguments, reason = "all that is known of the packet")]
    unsafe fn take_packet(
        &mut self,
        nic: &Nic,
        net_buffer: *mut sys::NET_BUFFER,
        info: LargeSendInfo,
        send: Option<u64>,
        is_child: bool,
        name: &str,
        held: &mut Held,
    ) {
        let most = self.looked_at(send);
        // SAFETY: as the caller vouches.
        let read = unsafe { mdl::read(self, net_buffer, most) };
        let read = match read {
            Ok(read) => read,
            Err(found) => return self.violation(Rule::Chain, name, found),
        };
        // SAFETY: as the caller vouches.
        unsafe { self.check_net_buffer(net_buffer, info, &read, name) };
        self.claim_windows(&read, name, held);
        let found = parts(&read.bytes);
        let payload = found.map_or(0, |parts| read.length - parts.payload);
        if info.mss() != 0 {
            self.check_size(
                nic,
                info,
                payload,
                send.filter(|_| is_child),
                found,
                &read.bytes,
                name,
            );
        }
        if let (Some(parts), true) = (found, is_child && info.mss() != 0) {
            self.check_ip_length(&read, parts, info, name);
        }
        if let (Some(parts), Some(send)) = (found, send) {
            self.check_order(&read.bytes, parts, send, name);
        }
        if held.status == sys::NDIS_STATUS_SUCCESS && read.bytes.len() == read.length {
            self.transmit(nic, &read.bytes, info, send, name);
        }
        if !self.live {
            self.children.push(Child {
                frame: read.bytes.clone(),
                large_send: info,
                send: send.unwrap_or(u64::MAX),
                payload,
                is_child,
            });
        }
        if held.frames.is_empty() {
            held.pieces = read.windows.iter().map(Window::piece).collect();
        }
        held.frames.push(Seen {
            bytes: read.bytes,
            length: read.length,
        });
    }

    /// How many bytes of each packet of `send` the miniport looks at.
    fn looked_at(&self, send: Option<u64>) -> usize {
        let sent = send.and_then(|send| self.sent.get(&send));
        sent.filter(|sent| !sent.fully)
            .map_or(usize::MAX, |sent| sent.packet.frame.len())
    }

    /// The NET_BUFFER's fields agree with each other, and a large send's headers are in one MDL.
    ///
    /// # Safety
    /// `net_buffer` is a live NET_BUFFER.
    unsafe fn check_net_buffer(
        &mut self,
        net_buffer: *mut sys::NET_BUFFER,
        info: LargeSendInfo,
        read: &Read,
        name: &str,
    ) {
        // SAFETY: as the caller vouches; the chain was read to its end just before.
        let (place, offset) = unsafe {
            let mut offset = (*net_buffer).DataOffset;
            let mut mdl = (*net_buffer).MdlChain;
            while !mdl.is_null() && mdl != (*net_buffer).CurrentMdl {
                offset = offset.wrapping_sub((*mdl).ByteCount);
                mdl = (*mdl).Next;
            }
            (mdl, offset)
        };
        // SAFETY: as the caller vouches.
        if place.is_null() || offset != unsafe { (*net_buffer).CurrentMdlOffset } {
            let found = "DataOffset from MdlChain and CurrentMdlOffset from CurrentMdl differ";
            self.violation(Rule::Headers, name, found);
        }
        if info.mss() == 0 {
            return;
        }
        let in_first = read.windows.first().map_or(0, |window| window.length);
        let headers = parts(&read.bytes).map(|parts| parts.payload);
        if headers.is_none_or(|headers| headers > in_first) {
            let found = format!("headers of {headers:?} bytes, {in_first} bytes in the first MDL");
            self.violation(Rule::Headers, name, found);
        }
    }

    /// Each MDL of the window must be this packet's alone while it is in flight.
    fn claim_windows(&mut self, read: &Read, name: &str, held: &mut Held) {
        for window in &read.windows {
            let address = window.mdl.addr();
            if let Some(other) = self.windows.insert(address, held.nbl)
                && other != held.nbl
            {
                let other = self.name(other);
                let found = format!("the MDL at {address:#x} is also in flight in {other}");
                self.violation(Rule::Chain, name, found);
            }
            // SAFETY: the window was read just before.
            held.mdls
                .push((address, unsafe { MdlLook::of(window.mdl) }));
        }
    }

    /// A large send is one that this NIC takes, and a child is cut where it may be.
    #[expect(clippy::too_many_arguments, reason = "all that is known of the packet")]
    fn check_size(
        &mut self,
        nic: &Nic,
        info: LargeSendInfo,
        payload: usize,
        parent: Option<u64>,
        found: Option<Parts>,
        frame: &[u8],
        name: &str,
    ) {
        self.check_limit(nic, info, payload, name);
        let Some((parts, sent)) = found.zip(parent.and_then(|send| self.sent.get(&send))) else {
            return;
        };
        let whole = sent.payload_length() as usize;
        let offset = sequence(frame, parts).wrapping_sub(sequence(&sent.packet.frame, parts));
        let is_last = offset as usize + payload == whole;
        if !is_last && !payload.is_multiple_of(info.mss() as usize) {
            let found = format!("{payload} bytes of payload at MSS {}", info.mss());
            self.violation(Rule::MssMultiple, name, found);
        }
    }

    /// A large send is within a limit that the filter may go by: see [`crate::limits`].
    fn check_limit(&mut self, nic: &Nic, info: LargeSendInfo, payload: usize, name: &str) {
        let segments = payload.div_ceil(info.mss() as usize);
        let settled = thread::settled().unwrap_or_else(|| self.limits.settled());
        let fits = self.limits.any_since(settled, info, |limit| {
            payload <= limit.max_payload as usize && segments >= limit.min_segments as usize
        });
        if !fits {
            let limit = limit_for(nic.current(), info);
            let found = format!(
                "{payload} bytes of payload in {segments} segments, the NIC takes {} bytes and \
                 asks for {} segments",
                limit.max_payload, limit.min_segments
            );
            self.violation(Rule::Limit, name, found);
        }
    }

    /// The IP header of a large send says 0 with LSOv2, and the true length with LSOv1.
    fn check_ip_length(&mut self, read: &Read, parts: Parts, info: LargeSendInfo, name: &str) {
        let field = parts.ip + if parts.ipv6 { 4 } else { 2 };
        let says = u16::from_be_bytes([read.bytes[field], read.bytes[field + 1]]);
        let right = if info.is_v2() {
            0
        } else {
            read.length - parts.ip
        };
        if usize::from(says) != right {
            let found = format!("the IP header says {says} bytes, a large send says {right}");
            self.violation(Rule::Headers, name, found);
        }
    }

    /// Within a flow, sends go down in the order in which they came, and so do their parts.
    fn check_order(&mut self, frame: &[u8], parts: Parts, send: u64, name: &str) {
        let Some(sent) = self.sent.get(&send) else {
            return;
        };
        let start = crate::segment::parts(&sent.packet.frame);
        let base = start.map_or(0, |parts| sequence(&sent.packet.frame, parts));
        let now = (send, sequence(frame, parts).wrapping_sub(base));
        let many = sent.packet.net_buffers > 1;
        let before = self.flows.insert(flow(frame, parts), now);
        if before.is_some_and(|before| before >= now) && !many {
            let found = format!("(send, offset) {now:?} went down after {before:?}");
            self.violation(Rule::Order, name, found);
        }
    }

    /// The second stage, or the packet as it is.
    fn transmit(
        &mut self,
        nic: &Nic,
        frame: &[u8],
        info: LargeSendInfo,
        send: Option<u64>,
        name: &str,
    ) {
        let packets = if info.mss() == 0 {
            vec![frame.to_vec()]
        } else {
            match segment(frame, job_of(info, nic.id_bits)) {
                Ok(packets) => packets,
                Err(why) => return self.violation(Rule::Headers, name, why),
            }
        };
        if !self.live {
            self.wire.extend(packets.iter().cloned());
        }
        if let Some(sent) = send.and_then(|send| self.sent.get_mut(&send)) {
            sent.wire.extend(packets);
        }
    }

    /// A child carries its parent's out-of-band information and flags.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    unsafe fn check_oob(&mut self, nbl: *mut sys::NET_BUFFER_LIST, send: u64, name: &str) {
        let Some(sent) = self.sent.get(&send) else {
            return;
        };
        let mut expected: Vec<_> = CARRIED.iter().map(|slot| (*slot, 0)).collect();
        for (slot, value) in &sent.packet.oob {
            if let Some(carried) = expected.iter_mut().find(|(carried, _)| carried == slot) {
                carried.1 = *value;
            }
        }
        let lso = sys::TcpLargeSendNetBufferListInfo;
        expected.push((lso, sent.packet.large_send.to_raw()));
        let flags = sent.packet.nbl_flags;
        for (slot, value) in expected {
            // SAFETY: as the caller vouches.
            let now = unsafe { (&(*nbl).NetBufferListInfo)[slot].addr() };
            if now != value {
                let found = format!("slot {slot} is {now:#x}, the parent has {value:#x}");
                self.violation(Rule::OutOfBand, name, found);
            }
        }
        // SAFETY: as the caller vouches.
        let now = unsafe { (*nbl).NblFlags };
        if now != flags {
            let found = format!("NblFlags are {now:#x}, the parent has {flags:#x}");
            self.violation(Rule::OutOfBand, name, found);
        }
    }

    /// Takes what is held out, in the order in which it was sent.
    pub(crate) fn take_held(&mut self) -> Vec<Held> {
        self.held.drain(..).collect()
    }

    /// The miniport gives `held` back, after a last look, with its status and large-send slot.
    pub(crate) fn release(&mut self, held: &Held) -> *mut sys::NET_BUFFER_LIST {
        let name = self.name(held.nbl);
        let nbl = self.nbls[&held.nbl].start().cast::<sys::NET_BUFFER_LIST>();
        // SAFETY: the NBL's memory is in `nbls`, and the saved part is what was there.
        unsafe {
            if visible_bytes(nbl) != held.poisoned {
                self.violation(
                    Rule::OneOwner,
                    name.clone(),
                    "touched while the miniport has it",
                );
            }
            ptr::copy_nonoverlapping(held.saved.start().cast::<sys::NET_BUFFER_LIST>(), nbl, 1);
            self.check_unchanged(nbl, held, &name);
            let info = LargeSendInfo::from_raw(
                (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo].addr(),
            );
            if info.mss() != 0 {
                let payload = held.frames.first().map_or(0, Seen::payload) as u32;
                let sent = if held.status == 0 { payload } else { 0 };
                (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo] =
                    ptr::without_provenance_mut(info.transmit_complete(sent).to_raw());
            }
            (*nbl).Status = held.status;
            (*nbl).Next = ptr::null_mut();
        }
        for (mdl, _) in &held.mdls {
            if self.windows.get(mdl) == Some(&held.nbl) {
                self.windows.remove(mdl);
            }
        }
        if held.status != 0
            && let Some(sent) = held.parent.and_then(|send| self.sent.get_mut(&send))
        {
            sent.child_failures.push(held.status);
        }
        let Some(known) = self.known.get_mut(&held.nbl) else {
            return nbl;
        };
        known.owner = Owner::Filter;
        if let Origin::Above(send) = known.origin
            && held.status != 0
            && let Some(sent) = self.sent.get_mut(&send)
        {
            sent.failed_below = true;
        }
        nbl
    }

    /// The packet is still what was sent: its MDLs and its bytes.
    ///
    /// # Safety
    /// `nbl` is a live NBL, restored to what it was.
    unsafe fn check_unchanged(&mut self, nbl: *mut sys::NET_BUFFER_LIST, held: &Held, name: &str) {
        // SAFETY: as the caller vouches.
        let mut net_buffer = unsafe { (*nbl).FirstNetBuffer };
        for frame in &held.frames {
            // SAFETY: the NBL's NET_BUFFERs are live.
            let now = unsafe { mdl::read(self, net_buffer, frame.bytes.len()) };
            let same = now.is_ok_and(|read| {
                let looks = read.windows.iter().all(|window| {
                    // SAFETY: read just before.
                    let look = unsafe { MdlLook::of(window.mdl) };
                    held.mdls.contains(&(window.mdl.addr(), look))
                });
                looks && read.bytes == frame.bytes && read.length == frame.length
            });
            if !same {
                let found = "its packet changed while the miniport has it";
                self.violation(Rule::OneOwner, name, found);
            }
            // SAFETY: as above.
            net_buffer = unsafe { (*net_buffer).Next };
        }
    }
}

/// Slots of a send that a child carries as its parent has them.
const CARRIED: [usize; 12] = [
    sys::TcpIpChecksumNetBufferListInfo,
    sys::ClassificationHandleNetBufferListInfo,
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListCancelId,
    sys::MediaSpecificInformation,
    sys::NetBufferListProtocolId,
    sys::NetBufferListHashValue,
    sys::NetBufferListHashInfo,
    sys::NetBufferListFilteringInfo,
    sys::MediaSpecificInformationEx,
    sys::VirtualSubnetInfo,
    sys::TcpSendOffloadsSupplementalNetBufferListInfo,
];

impl Seen {
    /// Bytes of TCP payload.
    fn payload(&self) -> usize {
        parts(&self.bytes).map_or(0, |parts| self.length - parts.payload)
    }
}

impl Window {
    fn piece(&self) -> Piece {
        Piece {
            address: self.address.expose_provenance(),
            length: self.length,
        }
    }
}

/// Brings what is held into the order of completion.
pub(crate) fn reorder(held: &mut [Held], order: Order) {
    match order {
        Order::Sent => {}
        Order::Reversed => held.reverse(),
        Order::Shuffled(seed) => shuffle(held, seed),
    }
}

fn sequence(frame: &[u8], parts: Parts) -> u32 {
    frame
        .get(parts.tcp + 4..parts.tcp + 8)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// Addresses and ports.
fn flow(frame: &[u8], parts: Parts) -> Vec<u8> {
    let addresses = if parts.ipv6 { 8..40 } else { 12..20 };
    let (ip, tcp) = (&frame[parts.ip..], &frame[parts.tcp..]);
    [&ip[addresses], &tcp[..4]].concat()
}

/// Fisher and Yates with a small generator: the model needs no more randomness than that.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for last in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(last, (state % (last as u64 + 1)) as usize);
    }
}

/// The part of an NBL that drivers see, as bytes.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn visible_bytes(nbl: *const sys::NET_BUFFER_LIST) -> Vec<u8> {
    // SAFETY: as the caller vouches; the memory was zeroed when it was allocated.
    unsafe { std::slice::from_raw_parts(nbl.cast::<u8>(), size_of::<sys::NET_BUFFER_LIST>()) }
        .to_vec()
}

/// Puts the NBL aside, and in its place leaves pointers to nowhere, so that who reads an NBL that
/// is not his finds nothing of use, and who writes to it is found out.
///
/// # Safety
/// `nbl` is a live NBL.
unsafe fn poison(nbl: *mut sys::NET_BUFFER_LIST, held: &mut Held) {
    const _: () = assert!(offset_of!(sys::NET_BUFFER_LIST, Next) == 0);
    // SAFETY: as the caller vouches.
    unsafe {
        ptr::copy_nonoverlapping(nbl, held.saved.start().cast(), 1);
        (*nbl).Next = ptr::without_provenance_mut(POISON);
        (*nbl).FirstNetBuffer = ptr::without_provenance_mut(POISON);
        (*nbl).ParentNetBufferList = ptr::without_provenance_mut(POISON);
        (*nbl).Context = ptr::without_provenance_mut(POISON);
        (*nbl).SourceHandle = ptr::without_provenance_mut(POISON);
        (*nbl).ChildRefCount = POISON as i32;
        held.poisoned = visible_bytes(nbl);
    }
}
