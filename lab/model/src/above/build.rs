//! A packet in memory: NBL, NET_BUFFERs, MDLs and their buffers.

use std::ptr;

use ndis::sys;

use super::{NbLook, Packet, Sent};
use crate::{
    live::Pages,
    mdl::Buffer,
    memory::Block,
    miniport::cut_layout,
    oob::SendKind,
    state::{Known, Origin, Owner, State},
    virtual_switch,
};

/// An NBL's memory is longer than the part that drivers see; ndis.sys keeps data there.
const NBL_SIZE: usize = size_of::<sys::NET_BUFFER_LIST>() + HIDDEN;
/// Bytes behind the visible part.
const HIDDEN: usize = 128;
/// The pattern that the model writes there, to detect overwrites.
const HIDDEN_BYTE: u8 = 0xC5;

/// Memory for an NBL, with the hidden part marked.
pub(crate) fn new_nbl() -> Block {
    let block = Block::new(NBL_SIZE, 16);
    // SAFETY: the block is NBL_SIZE bytes long.
    unsafe { ptr::write_bytes(block.start().add(NBL_SIZE - HIDDEN), HIDDEN_BYTE, HIDDEN) };
    block
}

/// Whether the bytes behind the visible part of the NBL in `block` are untouched.
pub(crate) fn hidden_part_intact(block: &Block) -> bool {
    // SAFETY: the block came from `new_nbl`.
    let hidden =
        unsafe { std::slice::from_raw_parts(block.start().add(NBL_SIZE - HIDDEN), HIDDEN) };
    hidden.iter().all(|byte| *byte == HIDDEN_BYTE)
}

/// The fill byte in a packet's buffers before and behind the packet.
pub(crate) const UNUSED: u8 = 0xEE;

/// The overlying driver's handle of its binding, which is the SourceHandle of its sends.
pub(crate) const BINDING: usize = 0xB1D1;

/// How many clones of its send of this number the overlying driver has elsewhere: its
/// ChildRefCount, which the drivers below must leave alone.
pub(crate) fn clones(number: u64) -> i32 {
    (number % 3) as i32
}

/// Makes an NBL of `packet` and enters it into the ledger as the overlying driver's.
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

/// The components of an NBL, before it is built.
pub(crate) struct Parts {
    pub(crate) length: usize,
    pub(crate) fully: bool,
    pub(crate) pages: Option<Pages>,
    pub(crate) net_buffers: Vec<Block>,
    /// Those of each NET_BUFFER, one after the other.
    pub(crate) buffers: Vec<Buffer>,
}

/// Makes an NBL of `parts`, and enters it into the ledger as the overlying driver's.
pub(crate) fn enter(state: &mut State, packet: Packet, parts: Parts) -> u64 {
    let Parts {
        length,
        fully,
        pages,
        net_buffers,
        buffers,
    } = parts;
    let mut packet = packet;
    if state.life.switch_extension && packet.slot(sys::SwitchForwardingDetail) == 0 {
        packet = packet.with_slot(sys::SwitchForwardingDetail, virtual_switch::DETAIL);
    }
    let number = state.sends.next;
    state.sends.next += 1;
    let block = new_nbl();
    state.virtual_switch.destinations.remove(&block.address());
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
    if !previous.is_null() {
        // SAFETY: as above.
        unsafe { (*previous).DataLength += packet.last_longer };
    }
    // SAFETY: the block is new.
    unsafe {
        (*nbl).SourceHandle = ptr::without_provenance_mut(BINDING);
        (*nbl).ChildRefCount = clones(number);
        (*nbl).NblFlags = packet.nbl_flags;
        for (slot, value) in &packet.oob {
            (*nbl).NetBufferListInfo[*slot] = ptr::without_provenance_mut(*value);
        }
        (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo] =
            ptr::without_provenance_mut(packet.large_send.to_raw());
    }
    let slots = packet.slots().located(&packet.frame);
    let kind = match slots.kind() {
        SendKind::Packet => "packet",
        _ => "large send",
    };
    let layout = cut_layout(&packet.frame, slots.kind().is_tunnelled());
    // SAFETY: the block is new and as long as the structure.
    let kept = unsafe { super::Kept::of(nbl) };
    let address = block.address();
    state.nbls.memory.insert(address, block);
    state.nbls.known.insert(
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
    state.sends.sent.insert(
        number,
        Sent {
            packet,
            length,
            fully,
            pages,
            slots,
            layout,
            passed: 0,
            nbl: address,
            net_buffers,
            buffers,
            nb_looks,
            mdl_looks,
            child_failures: Vec::new(),
            timestamp: None,
            children: 0,
            at: state.clock.now(),
            running_since: state.life.running_since,
            failed_below: false,
            status_below: 0,
            forwarded: false,
            port: 0,
            loopback: false,
            handler_returned: false,
            wire: Vec::new(),
            completed: None,
            kept,
            after: Vec::new(),
        },
    );
    number
}

/// A NET_BUFFER with the packet's frame in its buffers.
fn build_net_buffer(packet: &Packet) -> (Block, Vec<Buffer>) {
    let mut buffers = Vec::new();
    let mut rest = packet.frame.as_slice();
    let mut first = vec![UNUSED; packet.data_offset as usize];
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
    if !rest.is_empty() || buffers.is_empty() || packet.tail > 0 {
        first.extend_from_slice(rest);
        first.extend(std::iter::repeat_n(UNUSED, packet.tail as usize));
        buffers.push(Buffer::new(
            &first,
            packet.page_offset as usize,
            packet.backing,
        ));
    }
    let length = packet.frame.len() as u32 + packet.extra_length;
    (
        net_buffer(&buffers, packet.data_offset, packet.skew, length),
        buffers,
    )
}

/// A NET_BUFFER of `length` bytes, `offset` bytes into the chain of `buffers`, which it links. Where
/// it is seen from its first MDL, `skew` is added.
pub(crate) fn net_buffer(buffers: &[Buffer], offset: u32, skew: u32, length: u32) -> Block {
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
        (*raw).CurrentMdlOffset = offset + skew;
        (*raw).DataLength = length;
    }
    block
}
