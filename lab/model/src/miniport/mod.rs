//! The miniport: accepts the filter's sends, checks them, puts them on the wire, and completes them
//! as configured.
#![expect(unsafe_code, reason = "NBLs and NET_BUFFERs are C structures")]

mod release;
mod stream_position;
mod transmit;

use ndis::{LargeSendInfo, sys};

use crate::{
    guard,
    mdl::{self, MdlLook, Read, Window},
    memory::Block,
    nic::Nic,
    oob::{SendKind, Slots},
    rules::{Finding, Level, Rule, page},
    segment::Layout,
    state::{Known, ModuleState, Origin, Owner, RESTARTING, State},
    thread,
    world::in_pause,
};
pub(crate) use release::reorder;
pub(crate) use stream_position::{Place, cut_layout};

/// A packet that the filter gave to the miniport, as it was then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentChild {
    /// The frame.
    pub frame: Vec<u8>,
    /// The large-send slot.
    pub large_send: LargeSendInfo,
    /// The large-send slot and the other slots that the NIC acts on.
    pub slots: Slots,
    /// Number of the overlying driver's send that it is, or is a part of.
    pub send: u64,
    /// Bytes of TCP or UDP payload, of the inner packet inside a tunnel; 0 if it is neither.
    pub payload: usize,
    /// Whether the filter made it, rather than passing it on.
    pub is_child: bool,
    /// Number of its NBL among all that the NIC was given.
    pub nbl: u64,
}

/// Bytes of an Ethernet header.
const ETHERNET_HEADER: usize = 14;

/// The same with a VLAN tag.
const ETHERNET: usize = 18;

impl Window {
    fn piece(&self) -> Piece {
        Piece {
            address: self.address.expose_provenance(),
            length: self.length,
        }
    }
}

impl SentChild {
    /// Whether the filter made it as one packet of the wire.
    #[must_use]
    pub fn is_packet(&self) -> bool {
        self.is_child && self.slots.kind() == SendKind::Packet
    }
}

/// An NBL that the miniport owns.
pub(crate) struct Held {
    pub(crate) nbl: usize,
    /// The NBL's visible part as it came. While the miniport owns it, the memory holds poison bytes
    /// instead.
    saved: Block,
    /// The NBL's bytes while the miniport owns it.
    poisoned: Vec<u8>,
    /// Each NET_BUFFER's frame, to detect changes while it is in flight.
    frames: Vec<Seen>,
    /// Where each frame is in memory, in order, for a consumer that takes it from here.
    pub(crate) pieces: Vec<Vec<Piece>>,
    /// The slots as they came.
    pub(crate) slots: Slots,
    /// The window's MDLs.
    mdls: Vec<(usize, MdlLook)>,
    pub(crate) status: i32,
    /// The send it is a child of.
    pub(crate) parent: Option<u64>,
    /// Whether it is the first NBL of its send.
    is_first: bool,
    /// Whether the miniport reports its transmit time unasked.
    is_stamped: bool,
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

pub(crate) const NDIS_FLAGS: u32 = 0xA4;

/// The model's record of an NBL that the miniport is given.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) slots: Slots,
    /// The overlying driver's send that it is, or is a part of.
    pub(crate) send: Option<u64>,
    pub(crate) is_child: bool,
}

/// One packet of it.
pub(crate) struct GivenPacket {
    /// All of its bytes, or where not all is looked at, its headers.
    pub(crate) frame: Vec<u8>,
    /// Bytes of it.
    pub(crate) length: usize,
    /// Where the headers and the payload are that a large send is cut by: those of the inner
    /// packet inside a tunnel.
    pub(crate) layout: Option<Layout>,
    /// Bytes of payload.
    pub(crate) payload: usize,
}

/// Most packets in one NBL of a send that the filter segments.
const MOST_PACKETS: usize = 64;

impl State {
    /// The miniport accepts one NBL that the filter sent.
    ///
    /// # Safety
    /// `nbl` is a live NBL of the ledger.
    pub(crate) unsafe fn accept(
        &mut self,
        nic: &Nic,
        nbl: *mut sys::NET_BUFFER_LIST,
        (port, flags): (u32, u32),
    ) {
        let number = self.miniport.accepted;
        self.miniport.accepted += 1;
        // SAFETY: as the caller vouches.
        let Some(given) = (unsafe { self.given(nbl) }) else {
            return;
        };
        let mut held = Held {
            nbl: nbl.addr(),
            saved: Block::new(size_of::<sys::NET_BUFFER_LIST>(), 16),
            poisoned: Vec::new(),
            frames: Vec::new(),
            pieces: Vec::new(),
            slots: given.slots,
            mdls: Vec::new(),
            status: nic
                .failing
                .iter()
                .find(|(failing, _)| *failing == number)
                .map_or(sys::NDIS_STATUS_SUCCESS, |(_, status)| *status),
            parent: given.send.filter(|_| given.is_child),
            is_first: given
                .send
                .and_then(|send| self.sends.sent.get(&send))
                .is_none_or(|sent| sent.children == 0),
            is_stamped: nic.stamps_all,
        };
        self.check_call(&given, port, flags);
        if !given.is_child
            && let Some(sent) = given.send.and_then(|send| self.sends.sent.get_mut(&send))
        {
            sent.forwarded = true;
        }
        // SAFETY: as the caller vouches.
        let mut net_buffer = unsafe { (*nbl).FirstNetBuffer };
        while !net_buffer.is_null() {
            // SAFETY: the NBL's NET_BUFFERs are live.
            let next = unsafe {
                self.take_packet(nic, net_buffer, &given, &mut held);
                (*net_buffer).Next
            };
            let most = match given.slots.mss() {
                0 if self.is_packet_child(&given).is_some() => MOST_PACKETS,
                0 => usize::MAX,
                _ => 1,
            };
            if held.frames.len() >= most && !next.is_null() {
                let found = format!("more than {most} NET_BUFFERs");
                self.violation(Rule::OneNetBuffer, &*given.name, found);
                break;
            }
            net_buffer = next;
        }
        if given.is_child
            && let Some(send) = given.send
        {
            // SAFETY: as the caller vouches.
            unsafe { self.check_oob(nbl, send, &given) };
            if let Some(sent) = self.sends.sent.get_mut(&send) {
                sent.children += held.frames.len() as u32;
            }
        }
        // SAFETY: as the caller vouches.
        unsafe { release::poison(nbl, &mut held) };
        self.guarded(nbl.addr(), |memory| {
            guard::close(memory, "of an NBL that was sent and is not completed");
        });
        self.miniport.held.push_back(held);
    }

    /// A packet goes down for the port that it came for, and is looped back if it was to be.
    fn check_call(&mut self, given: &Given, port: u32, flags: u32) {
        let Some(sent) = given.send.and_then(|send| self.sends.sent.get(&send)) else {
            return;
        };
        let (expected, loopback) = (sent.port, sent.loopback);
        if expected != port {
            let found = format!("came for port {expected}, is sent for port {port}");
            self.violation(Rule::PortAndFlags, &*given.name, found);
        }
        if loopback && flags & sys::NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK == 0 {
            // A filter may loop its packets back itself.
            let found = "a send with NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK goes down without it";
            let finding = Finding::at(Level::Advice, Rule::PortAndFlags, found);
            let page = "network/sending-data-from-a-filter-driver";
            self.finding("NdisFSendNetBufferLists", finding.on(page));
        }
    }

    /// Reads an NBL's fields and slots, and determines its owner.
    ///
    /// # Safety
    /// `nbl` is a live NBL of the ledger.
    unsafe fn given(&mut self, nbl: *mut sys::NET_BUFFER_LIST) -> Option<Given> {
        let name = self.name(nbl.addr());
        let Known { origin, .. } = self.nbls.known.get(&nbl.addr())?;
        let (is_child, send) = match *origin {
            Origin::Above(send) => (false, Some(send)),
            // SAFETY: as the caller vouches.
            Origin::Pool(_) => (true, unsafe { self.parent_of(nbl, &name) }),
        };
        // SAFETY: as the caller vouches.
        let (source, slots) = unsafe {
            let slots = Slots::read(|slot| (&(*nbl).NetBufferListInfo)[slot].addr());
            ((*nbl).SourceHandle.addr(), slots)
        };
        if is_child && source != self.life.handle {
            let found = format!("a child's SourceHandle is {source:#x}, not the filter's");
            self.violation(Rule::SourceHandle, &*name, found);
        }
        if is_child && send.is_none() && self.life.module == ModuleState::Restarting {
            let found = "the filter originates a send while Restarting";
            let finding = Finding::at(Level::Advice, Rule::Running, found);
            self.finding(RESTARTING, finding);
        }
        if is_child && send.is_none() && self.life.low_power && !self.filter_has_sends() {
            let found = "the filter originates a send after NetEventSetPower";
            self.finding(
                "module",
                Finding::new(Rule::NetEvent, found).on(page::POWER),
            );
        }
        if is_child && send.is_none() && in_pause() {
            let found = "FilterPause originates a send";
            self.finding(
                "module",
                Finding::new(Rule::Running, found).on("ddi/ndis/nc-ndis-filter_pause"),
            );
        }
        Some(Given {
            name,
            slots,
            send,
            is_child,
        })
    }

    /// The overlying driver's send that a child belongs to: the NBL whose information was copied to
    /// it.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    unsafe fn parent_of(&mut self, nbl: *mut sys::NET_BUFFER_LIST, name: &str) -> Option<u64> {
        // SAFETY: as the caller vouches.
        if !unsafe { (*nbl).ParentNetBufferList }.is_null() {
            let found = "has a ParentNetBufferList, as only a clone of NDIS's has";
            self.finding(name, Finding::at(Level::Product, Rule::Clones, found));
        }
        let Some(parent) = self.nbls.hidden.copied_from(nbl.addr()) else {
            let found = "sent without the information that NDIS keeps with its parent";
            // SAFETY: as the caller vouches.
            let derived = unsafe { self.is_copy(nbl) };
            // A filter may originate sends; one in the place of another's has its information.
            let level = if derived {
                Level::Contract
            } else {
                Level::Product
            };
            self.finding(name, Finding::at(level, Rule::OutOfBand, found));
            return None;
        };
        match self.nbls.known.get(&parent) {
            Some(Known {
                owner: Owner::Filter,
                origin: Origin::Above(send),
                ..
            }) => Some(*send),
            _ => {
                let found = "made of an NBL that the filter does not have";
                self.violation(Rule::OneOwner, name, found);
                None
            }
        }
    }

    /// Whether the filter has sends of the overlying driver.
    fn filter_has_sends(&self) -> bool {
        let mut known = self.nbls.known.values();
        known.any(|one| one.owner == Owner::Filter && matches!(one.origin, Origin::Above(_)))
    }

    /// Whether an NBL of the filter's carries the frame of a send that the filter has.
    ///
    /// # Safety
    /// `nbl` is a live NBL.
    unsafe fn is_copy(&mut self, nbl: *const sys::NET_BUFFER_LIST) -> bool {
        // SAFETY: as the caller vouches.
        let net_buffer = unsafe { (*nbl).FirstNetBuffer };
        if net_buffer.is_null() {
            return false;
        }
        // SAFETY: the NBL's NET_BUFFERs are live.
        let Ok(read) = (unsafe { mdl::read(self, net_buffer, usize::MAX) }) else {
            return false;
        };
        self.nbls.known.values().any(|known| match known.origin {
            Origin::Above(send) if known.owner == Owner::Filter => {
                let sent = self.sends.sent.get(&send);
                sent.is_some_and(|sent| sent.packet.frame == read.bytes)
            }
            _ => false,
        })
    }

    /// One packet: read it, check it, transmit it.
    ///
    /// # Safety
    /// `net_buffer` is a live NET_BUFFER.
    unsafe fn take_packet(
        &mut self,
        nic: &Nic,
        net_buffer: *mut sys::NET_BUFFER,
        given: &Given,
        held: &mut Held,
    ) {
        let most = self.looked_at(given.send);
        // SAFETY: as the caller vouches.
        let mut read = match unsafe { mdl::read(self, net_buffer, most) } {
            Ok(read) => read,
            Err(found) => return self.violation(Rule::Chain, &*given.name, found),
        };
        // SAFETY: as the caller vouches.
        unsafe {
            self.check_offsets(net_buffer, &given.name);
            if given.is_child {
                self.check_chain(nic, net_buffer, &given.name);
            }
        }
        self.claim_windows(&read, &given.name, held);
        let layout = self.layout_of(&read.bytes, given);
        let packet = GivenPacket {
            payload: layout.map_or(0, |layout| read.length - layout.payload),
            frame: std::mem::take(&mut read.bytes),
            length: read.length,
            layout,
        };
        self.check_packet(nic, given, &packet, &read);
        if held.status == sys::NDIS_STATUS_SUCCESS && packet.frame.len() == packet.length {
            self.transmit(nic, given, &packet);
        }
        if !self.miniport.live {
            self.miniport.children.push(SentChild {
                large_send: given.slots.large_send,
                slots: given.slots,
                send: given.send.unwrap_or(u64::MAX),
                payload: packet.payload,
                is_child: given.is_child,
                nbl: self.miniport.accepted - 1,
                frame: packet.frame.clone(),
            });
        }
        held.pieces
            .push(read.windows.iter().map(Window::piece).collect());
        held.frames.push(Seen {
            bytes: packet.frame,
            length: read.length,
        });
    }

    /// The number of bytes of each packet of `send` that the miniport reads.
    fn looked_at(&self, send: Option<u64>) -> usize {
        let sent = send.and_then(|send| self.sends.sent.get(&send));
        sent.filter(|sent| !sent.fully)
            .map_or(usize::MAX, |sent| sent.packet.frame.len())
    }

    /// All checks of a packet before it is transmitted.
    fn check_packet(&mut self, nic: &Nic, given: &Given, packet: &GivenPacket, read: &Read) {
        let place = self.place_of(given, packet);
        if given.slots.mss() != 0 {
            self.check_contiguous(given, packet, read);
            self.check_limit(nic, given, packet);
        }
        if let Some(place) = place {
            self.check_multiple(given, packet, &place);
        }
        if given.is_child && packet.length < ETHERNET_HEADER {
            let found = format!("{} bytes, less than an Ethernet header", packet.length);
            self.violation(Rule::Headers, &*given.name, found);
        }
        if given.is_child {
            self.check_header_page(given, packet, read);
        }
        if given.is_child && given.slots.mss() != 0 {
            self.check_large_child(given, packet);
        }
        self.check_lost_large_send(given, packet);
        if let Some(parent) = self.is_packet_child(given) {
            self.check_packet_child(given, packet, parent);
        }
        if let Some(place) = place {
            self.check_order(given, packet, &place);
        }
    }

    /// A forwarded large send must still be a large send for the NIC: as an ordinary packet it
    /// would exceed the MTU.
    fn check_lost_large_send(&mut self, given: &Given, packet: &GivenPacket) {
        let sent = given.send.and_then(|send| self.sends.sent.get(&send));
        let was = sent.is_some_and(|sent| sent.slots.kind() != SendKind::Packet);
        let lost = was && !given.is_child && given.slots.kind() == SendKind::Packet;
        let most = self
            .advertised
            .mtu
            .map_or(usize::MAX, |mtu| mtu as usize + ETHERNET);
        if lost && packet.length > most {
            let found = format!(
                "{} bytes as a packet, no large send any more",
                packet.length
            );
            self.violation(Rule::Mtu, &*given.name, found);
        }
    }

    /// The NET_BUFFER's fields agree with each other.
    ///
    /// # Safety
    /// `net_buffer` is a live NET_BUFFER, whose chain was read to its end.
    unsafe fn check_offsets(&mut self, net_buffer: *mut sys::NET_BUFFER, name: &str) {
        // SAFETY: as the caller vouches.
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
    }

    /// Each MDL of the window must be this packet's alone while it is in flight.
    fn claim_windows(&mut self, read: &Read, name: &str, held: &mut Held) {
        for window in &read.windows {
            let address = window.mdl.addr();
            if let Some(other) = self.mdls.windows.insert(address, held.nbl)
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

    /// The index of the oldest capabilities that the filter may use on this thread: see
    /// [`crate::limits`].
    pub(crate) fn settled(&self) -> usize {
        thread::settled().unwrap_or_else(|| self.advertised.limits.settled())
    }
}
