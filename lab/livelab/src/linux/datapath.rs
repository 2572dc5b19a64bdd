//! The datapath of a host: its switch delivers the guests' packets to each other whole, and to the
//! outside through the filter; it advertises to its guests the sizes that it gets itself.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use model::host::Host;
use model::{
    Backing, ChecksumSlot, Lent, ModuleState, Packet, Pages, SendCall, SendKind, Slots, World,
    one_stage,
};
use ndis::sys;

use super::counters::Counters;
use super::delivery::{cut, delivery};
use super::doing::Doing;
use super::intake::{Kind, Large, intake, limit, may_go_down};
use super::netlink::Mac;
use super::packet::{BATCH, PacketSocket};
use super::virtual_nic::Port;
use super::vnet::{self, VnetHeader};
use super::wire::is_for_many;
use crate::error::Error;
use harness::ingest::BUFFER;

/// Where a frame starts in its pages, unless a tag makes it longer; its header is before.
const START: usize = 64;
/// Where that begins.
const BEFORE: usize = START - vnet::LENGTH;
/// Bytes for a packet of a guest: a Linux stack makes none beyond 512 KiB for a veth.
pub(super) const ROOM: usize = START + (544 << 10);
/// Most packets of guests at a time that are on their way through a host.
const MOST_PAGES: usize = 96;
/// Most packets that are sent as one chain.
pub(super) const CHAIN: usize = 8;
/// Processors of a model machine, by default.
const PROCESSORS: u32 = 2;
/// How long a host waits for packets before it looks for other things to do.
pub(super) const POLL_MS: u8 = 20;

/// A request to a host, carried out between packets.
pub enum Request {
    /// Take on a guest.
    Connect(Box<Port>),
    /// Disconnect the guest with this address, and return its port.
    Disconnect(Mac, Sender<Port>),
}

/// How much of what passes is compared byte for byte: one large send in so many.
#[derive(Clone, Copy, Debug)]
pub struct Sample(pub u64);

/// A host at work, on a thread of its own.
pub struct Datapath {
    pub host: Arc<Host>,
    /// Guests on its switch.
    pub ports: Vec<Port>,
    /// The requests to carry out between packets.
    pub requests: Receiver<Request>,
    /// Whether to end.
    pub stop: Arc<AtomicBool>,
    /// Held for reading by each send, and for writing while the filter is detached.
    pub sending: Arc<RwLock<()>>,
    /// Where is counted.
    pub counters: Arc<Counters>,
    /// How much is compared.
    pub sample: Sample,
    /// How the pages of packets are held.
    pub backing: Backing,
    pages: Vec<Pages>,
    made: usize,
    seen: u64,
}

impl Datapath {
    /// A host without guests.
    pub fn new(host: Arc<Host>, requests: Receiver<Request>, counters: Arc<Counters>) -> Self {
        Self {
            host,
            ports: Vec::new(),
            requests,
            stop: Arc::default(),
            sending: Arc::default(),
            counters,
            sample: Sample(1),
            backing: Backing::NonPagedPool,
            pages: Vec::new(),
            made: 0,
            seen: 0,
        }
    }

    /// Works until it is stopped.
    pub fn run(mut self) -> Result<(), Error> {
        while !self.stop.load(Relaxed) {
            self.follow_orders();
            for port in &mut self.ports {
                port.nic.follow(&port.guest)?;
            }
            let sockets = self.ports.iter().map(|port| &*port.socket);
            let ready = PacketSocket::wait(sockets, POLL_MS)
                .doing(|| "waiting for a guest's packets".to_owned())?;
            for (port, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
                self.take(port)
                    .doing(|| "receiving a guest's packets".to_owned())?;
            }
            self.recycle();
        }
        Ok(())
    }

    fn world(&self) -> &Arc<World> {
        self.host.world()
    }

    fn follow_orders(&mut self) {
        for request in self.requests.try_iter() {
            match request {
                Request::Connect(port) => self.ports.push(*port),
                Request::Disconnect(mac, to) => {
                    let at = self.ports.iter().position(|port| port.guest.mac() == mac);
                    if let Some(at) = at {
                        let _ = to.send(self.ports.remove(at));
                    }
                }
            }
        }
    }

    /// Reads the packets that a guest has sent.
    fn take(&mut self, port: usize) -> io::Result<()> {
        let mut pages = self.free_pages();
        if pages.is_empty() {
            // All are on their way through a slow NIC.
            std::thread::sleep(Duration::from_millis(1));
            return Ok(());
        }
        let mut buffers: Vec<_> = pages
            .iter_mut()
            .map(|pages| &mut pages.bytes_mut()[BEFORE..])
            .collect();
        let lengths = self.ports[port].socket.receive(&mut buffers)?;
        // The filter is not detached until all packets are sent.
        let sending = Arc::clone(&self.sending);
        let _open = sending.read();
        let mut down = Vec::with_capacity(lengths.len());
        for one in lengths {
            let mut received = pages.remove(0);
            let (header, start) = one.unpack(&mut received.bytes_mut()[BEFORE..]);
            self.pass(
                port,
                received,
                header,
                BEFORE + start..BEFORE + one.length,
                &mut down,
            )?;
        }
        self.pages.append(&mut pages);
        if !down.is_empty() {
            self.world().send_lent(down, self.call(port));
        }
        Ok(())
    }

    /// How a switch sends: each guest's packets on a processor of their own, and mostly, but not
    /// always, at DISPATCH_LEVEL.
    fn call(&self, port: usize) -> SendCall {
        SendCall {
            at_dispatch: !self.seen.is_multiple_of(4),
            processor: port as u32 % PROCESSORS,
        }
    }

    /// Forwards a frame of the guest `from`: to another guest, or to the filter; a multicast goes
    /// both ways.
    fn pass(
        &mut self,
        from: usize,
        mut pages: Pages,
        header: VnetHeader,
        at: Range<usize>,
        down: &mut Vec<Lent>,
    ) -> io::Result<()> {
        let frame = &mut pages.bytes_mut()[at.clone()];
        for port in self.ports_of(from, frame) {
            let lost = self.deliver_whole(port, frame, header)?;
            self.counters.no_place.add(lost);
        }
        if self.port_of(frame).is_some() {
            self.pages.push(pages);
            return Ok(());
        }
        let found = intake(frame, header);
        let frame = &frame[found.skipped..];
        let slots = match found.kind {
            Kind::LargeSend(large) if self.goes_down(&large, frame) => large.slots,
            Kind::Packet(checksum) => {
                self.counters.packets.add(1);
                Slots {
                    checksum: ChecksumSlot::from_raw(checksum),
                    ..Slots::default()
                }
            }
            other => {
                if let Kind::Odd(header) = other {
                    self.cut_odd(frame, header);
                }
                self.pages.push(pages);
                return Ok(());
            }
        };
        let is_large = slots.kind() != SendKind::Packet;
        self.seen += u64::from(is_large);
        let fully = !is_large || self.seen.is_multiple_of(self.sample.0);
        self.counters.compared.add(u64::from(is_large && fully));
        down.push(Lent {
            start: at.start + found.skipped,
            length: frame.len(),
            large_send: slots.large_send,
            oob: oob(&slots),
            buffer: BUFFER,
            backing: self.backing,
            fully,
            pages,
        });
        Ok(())
    }

    /// Counts a large send. Returns whether it is sent to the filter; if not, it is segmented here,
    /// or lost while neither filter nor NIC accepts it.
    fn goes_down(&self, large: &Large, frame: &[u8]) -> bool {
        if !self.take_note(large) {
            return false;
        }
        let (advertised, advertised_uso) =
            (self.host.filter_advertises(), self.world().advertised_uso());
        let may = may_go_down(large, advertised, advertised_uso);
        if !may {
            self.cut(frame, &large.slots);
        }
        may
    }

    /// Counts a large send. Returns whether it is accepted: while no filter is attached, it has to
    /// fit the NIC.
    fn take_note(&self, large: &Large) -> bool {
        let counters = &self.counters;
        counters.large_sends.add(1);
        counters.largest_large_send.at_least(large.payload.into());
        counters.largest_lately.at_least(large.payload.into());
        match large.slots.kind() {
            SendKind::Uso => counters.uso.add(1),
            SendKind::Tunnelled => counters.tunnelled.add(1),
            _ => {}
        }
        if self.world().module_state() != ModuleState::Detached {
            return true;
        }
        let nic_uso = self.world().nic().current_uso();
        let (most, _) = limit(large.slots, self.host.nic_limits(), nic_uso);
        let fits = large.payload <= most;
        counters.too_large.add(u64::from(!fits));
        fits
    }

    /// The other guests of this host that a frame is for.
    fn ports_of(&self, from: usize, frame: &[u8]) -> Vec<usize> {
        if is_for_many(frame) {
            return (0..self.ports.len()).filter(|port| *port != from).collect();
        }
        self.port_of(frame).into_iter().collect()
    }

    fn port_of(&self, frame: &[u8]) -> Option<usize> {
        let to: &Mac = frame.first_chunk()?;
        self.ports.iter().position(|port| port.guest.mac() == *to)
    }

    /// Delivers a frame to a guest of this host: the filter never gets it.
    fn deliver_whole(&self, port: usize, frame: &[u8], header: VnetHeader) -> io::Result<u64> {
        let Some(messages) = delivery(frame, header) else {
            self.counters.uncut.add(1);
            return Ok(0);
        };
        if header.segments != vnet::Segments::None && messages.len() == 1 {
            self.counters.whole_between_guests.add(1);
            self.counters
                .largest_whole_frame
                .at_least(frame.len() as u64);
        }
        self.ports[port].socket.send(&messages)
    }

    /// Segments a large send beyond the advertised limits, as a switch must.
    fn cut(&self, frame: &[u8], slots: &Slots) {
        let Ok(packets) = one_stage(frame, slots, 16) else {
            self.counters.uncut.add(1);
            return;
        };
        self.counters.cut_by_switch.add(1);
        self.send_cut(packets);
    }

    /// Segments a large send that no NIC can, as a switch must: one in a tunnel that NDIS has no
    /// offload for, such as GENEVE, or of UDP in a tunnel.
    fn cut_odd(&self, frame: &[u8], header: VnetHeader) {
        let Some(packets) = cut(frame, header) else {
            self.counters.odd.add(1);
            return;
        };
        // All that the first packet lacks, and its own part.
        let first = packets.first().map_or(0, Vec::len);
        let payload = frame.len() - first + usize::from(header.segment_size);
        self.counters.large_sends.add(1);
        self.counters.largest_large_send.at_least(payload as u64);
        self.counters.no_offload.add(1);
        self.send_cut(packets);
    }

    fn send_cut(&self, packets: Vec<Vec<u8>>) {
        let packets = packets.into_iter().map(Packet::new).collect();
        self.world().send(packets, SendCall::default());
    }

    /// Collects the completed sends, and checks how they were completed.
    fn recycle(&mut self) {
        for returned in self.world().take_returned() {
            match returned.completed.status {
                sys::NDIS_STATUS_SUCCESS => {}
                sys::NDIS_STATUS_PAUSED => self.counters.paused.add(1),
                _ => self.counters.failed.add(1),
            }
            self.pages.push(returned.pages);
        }
    }

    /// Pages for the next packets, those used last first: they are in the processor's cache.
    fn free_pages(&mut self) -> Vec<Pages> {
        self.recycle();
        let want = CHAIN.min(BATCH);
        while self.pages.len() < want && self.made < MOST_PAGES {
            self.pages.push(Pages::new(ROOM));
            self.made += 1;
        }
        let rest = self.pages.len().saturating_sub(want);
        let mut free = self.pages.split_off(rest);
        free.reverse();
        free
    }
}

/// The slots that are not empty, except that of LSO.
fn oob(slots: &Slots) -> Vec<(usize, usize)> {
    let all = [
        (sys::TcpIpChecksumNetBufferListInfo, slots.checksum.to_raw()),
        (sys::UdpSegmentationOffloadInfo, slots.uso.to_raw()),
        (
            sys::TcpSendOffloadsSupplementalNetBufferListInfo,
            slots.tunnel.to_raw(),
        ),
    ];
    all.into_iter().filter(|(_, value)| *value != 0).collect()
}
