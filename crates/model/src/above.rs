//! The layer above: a protocol or switch that sends packets and checks how they come back.
#![expect(unsafe_code, reason = "NBLs and NET_BUFFERs are C structures")]

use std::ptr;

use ndis::{LargeSendInfo, sys};

use crate::{
    live::Pages,
    mdl::{Backing, Buffer, MdlLook},
    memory::Block,
    rules::Rule,
    segment::{Job, parts, segment},
    state::{Known, Origin, Owner, State},
};

/// A packet that the layer above is to send.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The frame from its Ethernet header on. A large send has the shape that LSO asks for.
    pub frame: Vec<u8>,
    /// What the large-send slot says; the default for a packet that is none.
    pub large_send: LargeSendInfo,
    /// Lengths of the MDLs that the frame lies in, in order; what they leave over is in a last one.
    pub buffers: Vec<u32>,
    /// Bytes of unused space before the frame in the first MDL.
    pub data_offset: u32,
    /// Bytes from a page's start at which each buffer starts.
    pub page_offset: u32,
    /// How the pages are held.
    pub backing: Backing,
    /// Further out-of-band slots and their values.
    pub oob: Vec<(usize, usize)>,
    /// NblFlags.
    pub nbl_flags: u32,
    /// NET_BUFFERs in the NBL, each with the same frame. A large send has one.
    pub net_buffers: usize,
    /// Added to the NET_BUFFER's DataLength, to make a packet whose chain is too short.
    pub extra_length: u32,
}

impl Packet {
    /// A packet that is no large send, in one buffer.
    #[must_use]
    pub fn new(frame: Vec<u8>) -> Self {
        Self {
            frame,
            large_send: LargeSendInfo::default(),
            buffers: Vec::new(),
            data_offset: 0,
            page_offset: 0,
            backing: Backing::NonPagedPool,
            oob: Vec::new(),
            nbl_flags: 0,
            net_buffers: 1,
            extra_length: 0,
        }
    }

    /// An LSOv2 send of `mss`; the slot's other parts come from the frame where it is TCP.
    #[must_use]
    pub fn large_send(frame: Vec<u8>, mss: u32) -> Self {
        let (tcp, ipv6) = parts(&frame).map_or((0, false), |parts| (parts.tcp, parts.ipv6));
        Self {
            large_send: LargeSendInfo::v2(mss, tcp as u32, ipv6),
            ..Self::new(frame)
        }
    }

    /// An LSOv1 send of `mss`.
    #[must_use]
    pub fn large_send_v1(frame: Vec<u8>, mss: u32) -> Self {
        let tcp = parts(&frame).map_or(0, |parts| parts.tcp);
        Self {
            large_send: LargeSendInfo::v1(mss, tcp as u32),
            ..Self::new(frame)
        }
    }

    /// The same packet with its headers in the first MDL and its payload in MDLs of `size` bytes.
    #[must_use]
    pub fn in_buffers(mut self, size: u32) -> Self {
        let header = parts(&self.frame).map_or(0, |parts| parts.payload);
        let rest = self.frame.len().saturating_sub(header);
        self.buffers = vec![header as u32];
        self.buffers
            .extend(std::iter::repeat_n(size, rest / size.max(1) as usize));
        self
    }
}

/// What became of a packet that the layer above sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completed {
    /// Its status.
    pub status: i32,
    /// Its large-send slot at completion.
    pub large_send: LargeSendInfo,
}

/// The fields of a NET_BUFFER that a filter must leave as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct NbLook {
    next: usize,
    current_mdl: usize,
    current_offset: u32,
    length: u32,
    chain: usize,
    offset: u32,
}

impl NbLook {
    /// # Safety
    /// `raw` points to a live NET_BUFFER.
    unsafe fn of(raw: *const sys::NET_BUFFER) -> Self {
        // SAFETY: as the caller vouches.
        unsafe {
            Self {
                next: (*raw).Next.addr(),
                current_mdl: (*raw).CurrentMdl.addr(),
                current_offset: (*raw).CurrentMdlOffset,
                length: (*raw).DataLength,
                chain: (*raw).MdlChain.addr(),
                offset: (*raw).DataOffset,
            }
        }
    }
}

/// A packet that was sent, until the model forgets it.
pub(crate) struct Sent {
    /// What was sent. Of a lent packet that is not checked in full, the frame is its headers alone.
    pub(crate) packet: Packet,
    /// Bytes in the frame.
    pub(crate) length: usize,
    /// Whether every byte of it is looked at on its way.
    pub(crate) fully: bool,
    /// Where the frame of a lent packet lies, until it is completed and taken back.
    pub(crate) pages: Option<Pages>,
    pub(crate) nbl: usize,
    net_buffers: Vec<Block>,
    buffers: Vec<Buffer>,
    nb_looks: Vec<NbLook>,
    mdl_looks: Vec<MdlLook>,
    /// Statuses of its children that failed, in the order in which the miniport completed them.
    pub(crate) child_failures: Vec<i32>,
    pub(crate) children: u32,
    /// The restart since which the module ran when it was sent.
    running_since: Option<u64>,
    /// Whether the miniport failed it, as it was sent.
    pub(crate) failed_below: bool,
    /// Wire packets that came of it.
    pub(crate) wire: Vec<Vec<u8>>,
    pub(crate) completed: Option<Completed>,
    /// The NBL's bytes when it came back, to find who touches it afterwards.
    after: Vec<u8>,
}

/// An NBL's memory is longer than what drivers see of it; ndis.sys keeps things there.
const NBL_SIZE: usize = size_of::<sys::NET_BUFFER_LIST>() + HIDDEN;
/// Bytes behind the visible part.
const HIDDEN: usize = 128;
/// What the model writes there, to find who overwrites it.
const HIDDEN_BYTE: u8 = 0xC5;

/// Memory for an NBL, with the hidden part marked.
pub(crate) fn new_nbl() -> Block {
    let block = Block::new(NBL_SIZE, 16);
    // SAFETY: the block is NBL_SIZE bytes long.
    unsafe { ptr::write_bytes(block.start().add(NBL_SIZE - HIDDEN), HIDDEN_BYTE, HIDDEN) };
    block
}

/// Whether nobody wrote behind the visible part of the NBL in `block`.
pub(crate) fn hidden_part_intact(block: &Block) -> bool {
    // SAFETY: the block came from `new_nbl`.
    let hidden =
        unsafe { std::slice::from_raw_parts(block.start().add(NBL_SIZE - HIDDEN), HIDDEN) };
    hidden.iter().all(|byte| *byte == HIDDEN_BYTE)
}

/// The layer above's handle of its binding, which is the SourceHandle of what it sends.
pub(crate) const BINDING: usize = 0xB1D1;

/// Makes an NBL of `packet` and enters it into the ledger as the layer above's.
pub(crate) fn build(state: &mut State, packet: Packet) -> u64 {
    let mut parts = Parts {
        length: packet.frame.len(),
        fully: true,
        pages: None,
        net_buffers: Vec::new(),
        buffers: Vec::new(),
    };
    for _ in 0..packet.net_buffers {
        let (net_buffer, mut own) = build_net_buffer(&packet);
        parts.net_buffers.push(net_buffer);
        parts.buffers.append(&mut own);
    }
    enter(state, packet, parts)
}

/// What an NBL is made of, before there is one.
pub(crate) struct Parts {
    pub(crate) length: usize,
    pub(crate) fully: bool,
    pub(crate) pages: Option<Pages>,
    pub(crate) net_buffers: Vec<Block>,
    /// Those of each NET_BUFFER, one after the other.
    pub(crate) buffers: Vec<Buffer>,
}

/// Makes an NBL of `parts`, and enters it into the ledger as the layer above's.
pub(crate) fn enter(state: &mut State, packet: Packet, parts: Parts) -> u64 {
    let Parts {
        length,
        fully,
        pages,
        net_buffers,
        buffers,
    } = parts;
    let number = state.next_send;
    state.next_send += 1;
    let block = new_nbl();
    let nbl = block.start().cast::<sys::NET_BUFFER_LIST>();
    let mut previous: *mut sys::NET_BUFFER = ptr::null_mut();
    for net_buffer in &net_buffers {
        let raw = net_buffer.start().cast::<sys::NET_BUFFER>();
        // SAFETY: the blocks are new.
        unsafe {
            if previous.is_null() {
                (*nbl).FirstNetBuffer = raw;
            } else {
                (*previous).Next = raw;
            }
        }
        previous = raw;
    }
    // SAFETY: the block is new.
    unsafe {
        (*nbl).SourceHandle = ptr::without_provenance_mut(BINDING);
        (*nbl).NblFlags = packet.nbl_flags;
        for (slot, value) in &packet.oob {
            (*nbl).NetBufferListInfo[*slot] = ptr::without_provenance_mut(*value);
        }
        (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo] =
            ptr::without_provenance_mut(packet.large_send.to_raw());
    }
    let kind = if packet.large_send.mss() == 0 {
        "packet"
    } else {
        "large send"
    };
    let address = block.address();
    state.nbls.insert(address, block);
    state.known.insert(
        address,
        Known {
            owner: Owner::Above,
            origin: Origin::Above(number),
            name: format!("{kind} {number}"),
        },
    );
    // SAFETY: all live as long as the `Sent` that is made here.
    let nb_looks = net_buffers
        .iter()
        .map(|block| unsafe { NbLook::of(block.start().cast()) })
        .collect();
    let mdl_looks = buffers.iter().map(Buffer::look).collect();
    state.sent.insert(
        number,
        Sent {
            packet,
            length,
            fully,
            pages,
            nbl: address,
            net_buffers,
            buffers,
            nb_looks,
            mdl_looks,
            child_failures: Vec::new(),
            children: 0,
            running_since: state.running_since,
            failed_below: false,
            wire: Vec::new(),
            completed: None,
            after: Vec::new(),
        },
    );
    number
}

/// A NET_BUFFER with the packet's frame in its buffers.
fn build_net_buffer(packet: &Packet) -> (Block, Vec<Buffer>) {
    let mut buffers = Vec::new();
    let mut rest = packet.frame.as_slice();
    let mut first = vec![0xEE; packet.data_offset as usize];
    for length in &packet.buffers {
        let (part, after) = rest.split_at((*length as usize).min(rest.len()));
        first.extend_from_slice(part);
        let bytes = std::mem::take(&mut first);
        buffers.push(Buffer::new(
            &bytes,
            packet.page_offset as usize,
            packet.backing,
        ));
        rest = after;
    }
    if !rest.is_empty() || buffers.is_empty() {
        first.extend_from_slice(rest);
        buffers.push(Buffer::new(
            &first,
            packet.page_offset as usize,
            packet.backing,
        ));
    }
    let length = packet.frame.len() as u32 + packet.extra_length;
    (net_buffer(&buffers, packet.data_offset, length), buffers)
}

/// A NET_BUFFER of `length` bytes, `offset` bytes into the chain of `buffers`, which it links.
pub(crate) fn net_buffer(buffers: &[Buffer], offset: u32, length: u32) -> Block {
    for pair in buffers.windows(2) {
        pair[0].link(&pair[1]);
    }
    let block = Block::new(size_of::<sys::NET_BUFFER>(), 16);
    let raw = block.start().cast::<sys::NET_BUFFER>();
    // SAFETY: the block is new.
    unsafe {
        (*raw).MdlChain = buffers[0].mdl();
        (*raw).CurrentMdl = buffers[0].mdl();
        (*raw).DataOffset = offset;
        (*raw).CurrentMdlOffset = offset;
        (*raw).DataLength = length;
    }
    block
}

/// The whole NBL as bytes.
fn nbl_bytes(block: &Block) -> Vec<u8> {
    // SAFETY: the block is initialised memory (zeroed, then written) and lives meanwhile; pointers
    // in it are read as bytes and only compared.
    unsafe { std::slice::from_raw_parts(block.start(), block.size()) }.to_vec()
}

impl State {
    /// The layer above gets `nbl`, its send `number`, back: everything about it is checked.
    pub(crate) fn came_back(&mut self, number: u64, nbl: *mut sys::NET_BUFFER_LIST) {
        let name = self.name(nbl.addr());
        // SAFETY: the NBL is in the ledger, so its memory is live, and the layer above owns it now.
        let (status, slot, references, source) = unsafe {
            (
                (*nbl).Status,
                (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo].addr(),
                (*nbl).ChildRefCount,
                (*nbl).SourceHandle.addr(),
            )
        };
        if references != 0 {
            let found = format!("ChildRefCount is {references}");
            self.violation(Rule::ChildRefCount, name.clone(), found);
        }
        if source != BINDING {
            let found = format!("SourceHandle came back as {source:#x}");
            self.violation(Rule::SourceHandle, name.clone(), found);
        }
        let Some(sent) = self.sent.get(&number) else {
            return;
        };
        let completed = Completed {
            status,
            large_send: LargeSendInfo::from_raw(slot),
        };
        let mut broken = sent.check_intact();
        if !hidden_part_intact(&self.nbls[&nbl.addr()]) {
            broken.push((
                Rule::OneOwner,
                "memory behind the visible NBL was overwritten".into(),
            ));
        }
        // SAFETY: as above.
        unsafe { sent.check_oob(nbl, &mut broken) };
        sent.check_completion(completed, self.id_bits, &mut broken);
        let ran = sent.running_since.is_some() && sent.running_since == self.running_since;
        if ran && completed.status == sys::NDIS_STATUS_PAUSED && !sent.failed_below {
            broken.push((Rule::Running, "refused as paused while running".into()));
        }
        if sent.child_failures.is_empty()
            && !sent.failed_below
            && let Some(found) = self.refused_wrongly(sent, completed)
        {
            broken.push((Rule::StaleSize, found));
        }
        let mdls: Vec<_> = sent
            .buffers
            .iter()
            .map(|buffer| buffer.mdl().addr())
            .collect();
        self.check_partials(&mdls, &mut broken);
        for mdl in &mdls {
            // The owner unmaps what others mapped, when it unlocks the pages.
            self.mapped.remove(mdl);
        }
        for (rule, found) in broken {
            self.violation(rule, name.clone(), found);
        }
        let after = nbl_bytes(&self.nbls[&nbl.addr()]);
        if let Some(sent) = self.sent.get_mut(&number) {
            sent.completed = Some(completed);
            sent.after = after;
        }
    }

    /// No partial MDL over the returned buffers may still be mapped or on its way to the wire.
    fn check_partials(&mut self, sources: &[usize], broken: &mut Vec<(Rule, String)>) {
        let gone: Vec<_> = self
            .partials
            .iter()
            .filter(|(_, partial)| sources.contains(&partial.source))
            .map(|(address, _)| *address)
            .collect();
        for partial in gone {
            self.partials.remove(&partial);
            if self.mapped.contains_key(&partial) {
                let found = format!("the partial MDL at {partial:#x} is still mapped");
                broken.push((Rule::Mappings, found));
            }
            if self.windows.contains_key(&partial) {
                let found = format!("the partial MDL at {partial:#x} is still in flight");
                broken.push((Rule::OneOwner, found));
            }
        }
    }

    /// Forgets completed sends, after a last look at whether anybody touched them since. Those whose
    /// pages were not yet given back stay.
    pub(crate) fn forget_completed(&mut self) {
        let done: Vec<_> = self
            .sent
            .iter()
            .filter(|(_, sent)| sent.completed.is_some() && sent.pages.is_none())
            .map(|(number, _)| *number)
            .collect();
        for number in done {
            let Some(sent) = self.sent.remove(&number) else {
                continue;
            };
            let name = self.name(sent.nbl);
            self.known.remove(&sent.nbl);
            let block = self.nbls.remove(&sent.nbl);
            if block.is_some_and(|block| nbl_bytes(&block) != sent.after) {
                self.violation(Rule::OneOwner, name, "touched after it was completed");
            }
        }
    }
}

impl Sent {
    /// Whether the packet is as it was sent: NET_BUFFERs, MDLs, bytes.
    fn check_intact(&self) -> Vec<(Rule, String)> {
        let mut broken = Vec::new();
        for (block, look) in self.net_buffers.iter().zip(&self.nb_looks) {
            // SAFETY: the block lives as long as `self`.
            let now = unsafe { NbLook::of(block.start().cast()) };
            if now != *look {
                broken.push((
                    Rule::ParentIntact,
                    format!("NET_BUFFER was {look:?}, is {now:?}"),
                ));
            }
        }
        for (buffer, look) in self.buffers.iter().zip(&self.mdl_looks) {
            let now = buffer.look();
            if now != *look {
                broken.push((Rule::ParentIntact, format!("MDL was {look:?}, is {now:?}")));
            }
        }
        if broken.is_empty() && !self.bytes_intact() {
            broken.push((Rule::ParentIntact, "the packet's bytes changed".into()));
        }
        broken
    }

    /// Whether the out-of-band information is as it was sent, but for the large-send slot, which a
    /// completer writes.
    ///
    /// # Safety
    /// `nbl` is this send's NBL, and live.
    unsafe fn check_oob(&self, nbl: *const sys::NET_BUFFER_LIST, broken: &mut Vec<(Rule, String)>) {
        // SAFETY: as the caller vouches.
        let (slots, flags) = unsafe { ((*nbl).NetBufferListInfo, (*nbl).NblFlags) };
        for (slot, now) in slots.iter().enumerate() {
            let sent = self.packet.oob.iter().find(|(of, _)| *of == slot);
            let sent = sent.map_or(0, |(_, value)| *value);
            if slot != sys::TcpLargeSendNetBufferListInfo && now.addr() != sent {
                let found = format!("slot {slot} was {sent:#x}, is {:#x}", now.addr());
                broken.push((Rule::OutOfBand, found));
            }
        }
        if flags != self.packet.nbl_flags {
            let found = format!("NblFlags were {:#x}, are {flags:#x}", self.packet.nbl_flags);
            broken.push((Rule::OutOfBand, found));
        }
    }

    /// Whether the packet's bytes are as they were; of a lent packet that is not checked in full,
    /// its headers.
    fn bytes_intact(&self) -> bool {
        let per_packet = self.buffers.len() / self.net_buffers.len().max(1);
        self.buffers.chunks(per_packet.max(1)).all(|buffers| {
            let mut rest = self.packet.frame.as_slice();
            let mut skip = self.packet.data_offset as usize;
            buffers.iter().all(|buffer| {
                let bytes = &buffer.bytes()[std::mem::take(&mut skip)..];
                let (mine, after) = rest.split_at(bytes.len().min(rest.len()));
                rest = after;
                bytes == mine || !self.fully && bytes.starts_with(mine)
            })
        })
    }

    /// Whether a completed packet says what it has to say.
    fn check_completion(
        &self,
        completed: Completed,
        id_bits: u32,
        broken: &mut Vec<(Rule, String)>,
    ) {
        if self.children > 0 {
            let expected = self.child_failures.first().copied().unwrap_or(0);
            if completed.status != expected {
                let found = format!(
                    "status {:#x}, its first failed child has {expected:#x}",
                    completed.status
                );
                broken.push((Rule::FirstFailure, found));
            }
        }
        let info = self.packet.large_send;
        if info.mss() != 0 {
            let sent = if completed.status == 0 {
                self.payload_length()
            } else {
                0
            };
            let expected = info.transmit_complete(sent);
            if completed.large_send != expected {
                let found = format!("slot {:?}, expected {expected:?}", completed.large_send);
                broken.push((Rule::TransmitComplete, found));
            }
            self.check_wire(completed, id_bits, broken);
        }
    }

    /// Bytes of TCP payload, or of all where it is not TCP.
    pub(crate) fn payload_length(&self) -> u32 {
        let payload = parts(&self.packet.frame).map_or(0, |parts| parts.payload);
        (self.length - payload) as u32
    }

    /// The memory of a lent packet, once it is completed. From then on nobody reads its bytes.
    pub(crate) fn take_pages(&mut self) -> Option<Pages> {
        for buffer in &mut self.buffers {
            buffer.forget_bytes();
        }
        self.pages.take()
    }

    /// Two stages must put on the wire what one stage would have.
    fn check_wire(&self, completed: Completed, id_bits: u32, broken: &mut Vec<(Rule, String)>) {
        if completed.status != 0 || !self.fully {
            return;
        }
        match segment(&self.packet.frame, job_of(self.packet.large_send, id_bits)) {
            Ok(expected) if expected == self.wire => {}
            Ok(expected) => {
                let at = expected.iter().zip(&self.wire).position(|(a, b)| a != b);
                let found = format!(
                    "{} wire packets for {} of one stage, first difference in packet {at:?}",
                    self.wire.len(),
                    expected.len()
                );
                broken.push((Rule::Wire, found));
            }
            Err(why) => broken.push((Rule::Wire, why)),
        }
    }
}

/// The NIC's work order for a large send.
pub(crate) fn job_of(info: LargeSendInfo, id_bits: u32) -> Job {
    Job {
        mss: info.mss() as usize,
        tcp: info.tcp_header_offset() as usize,
        ipv6: info.is_ipv6(),
        id_bits,
    }
}
