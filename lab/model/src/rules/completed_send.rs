//! The checks of a completed packet.
#![expect(unsafe_code, reason = "NBLs and NET_BUFFERs are C structures")]

use std::time::Duration;

use ndis::{LargeSendInfo, sys};

use crate::{
    above::{BINDING, Completed, Kept, NbLook, Sent, UNUSED, clones, hidden_part_intact},
    guard,
    live::Pages,
    memory::Block,
    oob::SendKind,
    rules::{Finding, Level, Rule},
    segment::one_stage_digests,
    state::State,
    virtual_switch,
};

/// How long a send may take. Driver Verifier limits the time of a filter's sends
/// (NdisFilterTimedDataSend) and documents the limit for miniports only (NdisTimedDataHang).
const LONGEST_SEND: Duration = Duration::from_secs(22);

/// The whole NBL as bytes.
fn nbl_bytes(block: &Block) -> Vec<u8> {
    // SAFETY: the block is initialized memory (zeroed, then written) and lives meanwhile; pointers
    // in it are read as bytes and only compared.
    unsafe { std::slice::from_raw_parts(block.start(), block.size()) }.to_vec()
}

impl State {
    /// Takes back `nbl`, completed to the overlying driver as its send `number`, and checks all of
    /// it.
    pub(crate) fn came_back(&mut self, number: u64, nbl: *mut sys::NET_BUFFER_LIST) {
        let name = self.name(nbl.addr());
        // SAFETY: the NBL is in the ledger, so its memory is live, and the overlying driver owns it
        // now.
        let (status, slot, references, source) = unsafe {
            (
                (*nbl).Status,
                (*nbl).NetBufferListInfo[sys::TcpLargeSendNetBufferListInfo].addr(),
                (*nbl).ChildRefCount,
                (*nbl).SourceHandle.addr(),
            )
        };
        if references != clones(number) {
            let found = format!("ChildRefCount came back as {references}");
            self.violation(Rule::Clones, name.clone(), found);
        }
        if source != BINDING {
            let found = format!("SourceHandle came back as {source:#x}");
            self.violation(Rule::SourceHandle, name.clone(), found);
        }
        let Some(sent) = self.sends.sent.get(&number) else {
            return;
        };
        let completed = Completed {
            status,
            large_send: LargeSendInfo::from_raw(slot),
        };
        let mut broken = sent.check_intact();
        if !hidden_part_intact(&self.nbls.memory[&nbl.addr()]) {
            let found = "memory behind the visible NBL was overwritten";
            broken.push(Finding::new(Rule::OneOwner, found));
        }
        // SAFETY: as above.
        let kept = unsafe { Kept::of(nbl) };
        if kept != sent.kept {
            let found = format!("members of others were {:x?}, are {kept:x?}", sent.kept);
            let rule = match kept.first_net_buffer == sent.kept.first_net_buffer {
                true => Rule::OneOwner,
                false => Rule::ParentIntact,
            };
            broken.push(Finding::new(rule, found).on("ddi/nbl/ns-nbl-net_buffer_list"));
        }
        // SAFETY: as above.
        unsafe { sent.check_oob(nbl, &mut broken) };
        sent.check_completion(completed, self.miniport.id_bits, &mut broken);
        let ran = sent.running_since.is_some() && sent.running_since == self.life.running_since;
        if ran && completed.status == sys::NDIS_STATUS_PAUSED && !sent.failed_below {
            let found = "refused as paused while running";
            broken.push(Finding::new(Rule::Running, found));
        }
        let took = self.clock.now().saturating_sub(sent.at);
        if took > LONGEST_SEND {
            let found = format!("came back after {took:?}");
            broken.push(Finding::at(Level::Advice, Rule::EachCompletes, found));
        }
        let id = sent.packet.slot(sys::NetBufferListCancelId);
        if completed.status == sys::NDIS_STATUS_SEND_ABORTED
            && !sent.failed_below
            && sent.child_failures.is_empty()
            && !self.sends.canceled.contains(&id)
        {
            let found = "came back with NDIS_STATUS_SEND_ABORTED and was not canceled";
            broken.push(Finding::new(Rule::FinalStatus, found));
        }
        if sent.child_failures.is_empty()
            && !sent.failed_below
            && let Some(found) = self.refused_wrongly(sent, completed)
        {
            broken.push(Finding::new(Rule::StaleSize, found));
        }
        let mdls: Vec<_> = sent
            .buffers
            .iter()
            .map(|buffer| buffer.mdl().addr())
            .collect();
        self.check_partials(&mdls, &mut broken);
        for mdl in &mdls {
            // The owner removes mappings that others made, when it unlocks the pages.
            self.mdls.mapped.remove(mdl);
        }
        for finding in broken {
            self.finding(name.clone(), finding);
        }
        let after = nbl_bytes(&self.nbls.memory[&nbl.addr()]);
        if let Some(sent) = self.sends.sent.get_mut(&number) {
            sent.completed = Some(completed);
            sent.after = after;
        }
        self.guarded(nbl.addr(), |memory| {
            guard::close(memory, "of an NBL that was completed");
        });
    }

    /// No partial MDL over the returned buffers may still be mapped or on its way to the wire.
    fn check_partials(&mut self, sources: &[usize], broken: &mut Vec<Finding>) {
        let mut sources = sources.to_vec();
        sources.sort_unstable();
        let gone: Vec<_> = self
            .mdls
            .partials
            .iter()
            .filter(|(_, partial)| sources.binary_search(&partial.source).is_ok())
            .map(|(address, _)| *address)
            .collect();
        for partial in gone {
            self.mdls.partials.remove(&partial);
            if self.mdls.mapped.contains_key(&partial) {
                let found = format!("the partial MDL at {partial:#x} is still mapped");
                broken.push(Finding::new(Rule::Mappings, found));
            }
            if self.mdls.windows.contains_key(&partial) {
                let found = format!("the partial MDL at {partial:#x} is still in flight");
                broken.push(Finding::new(Rule::OneOwner, found));
            }
        }
    }

    /// Forgets completed sends, after a last check whether they were touched since. Those with
    /// pages that were not yet returned stay.
    pub(crate) fn forget_completed(&mut self) {
        let done: Vec<_> = self
            .sends
            .sent
            .iter()
            .filter(|(_, sent)| sent.completed.is_some() && sent.pages.is_none())
            .map(|(number, _)| *number)
            .collect();
        for number in done {
            if let Some(sent) = self.sends.sent.get(&number) {
                self.guarded(sent.nbl, guard::open);
            }
            let Some(sent) = self.sends.sent.remove(&number) else {
                continue;
            };
            let name = self.name(sent.nbl);
            self.nbls.known.remove(&sent.nbl);
            let block = self.nbls.memory.remove(&sent.nbl);
            if block.is_some_and(|block| nbl_bytes(&block) != sent.after) {
                self.violation(Rule::OneOwner, name, "touched after it was completed");
            }
        }
    }
}

impl Sent {
    /// Whether the packet is as it was sent: NET_BUFFERs, MDLs, bytes.
    fn check_intact(&self) -> Vec<Finding> {
        let mut broken = Vec::new();
        for (block, look) in self.net_buffers.iter().zip(&self.nb_looks) {
            // SAFETY: the block lives as long as `self`.
            let now = unsafe { NbLook::of(block.start().cast()) };
            if now != *look {
                let found = format!("NET_BUFFER was {look:?}, is {now:?}");
                let rule = match now.reserved == look.reserved {
                    true => Rule::ParentIntact,
                    false => Rule::OneOwner,
                };
                broken.push(Finding::new(rule, found));
            }
        }
        for (buffer, look) in self.buffers.iter().zip(&self.mdl_looks) {
            let now = buffer.look();
            if now != *look {
                let found = format!("MDL was {look:?}, is {now:?}");
                broken.push(Finding::new(Rule::ParentIntact, found));
            }
        }
        if broken.is_empty() && !self.bytes_intact() {
            // A filter may change the packet's contents, but not its descriptors.
            let found = "the packet's bytes changed";
            broken.push(Finding::at(Level::Product, Rule::ParentIntact, found));
        }
        broken
    }

    /// Whether the out-of-band information is as it was sent, except for the large-send slot, which
    /// the completing driver writes, and the timestamp, which must be the miniport's. The slot of
    /// USO, for which no completion value is defined, stays too.
    ///
    /// # Safety
    /// `nbl` is this send's NBL, and live.
    unsafe fn check_oob(&self, nbl: *const sys::NET_BUFFER_LIST, broken: &mut Vec<Finding>) {
        // SAFETY: as the caller vouches.
        let (slots, flags) = unsafe { ((*nbl).NetBufferListInfo, (*nbl).NblFlags) };
        let uso = self.slots.kind().is_uso();
        for (slot, now) in slots.iter().enumerate() {
            let rule = match slot {
                sys::TcpLargeSendNetBufferListInfo if uso => Rule::TransmitComplete,
                sys::TcpLargeSendNetBufferListInfo => continue,
                sys::UdpSegmentationOffloadInfo if uso => Rule::TransmitComplete,
                _ => Rule::OutOfBand,
            };
            let sent = match self.timestamp {
                Some(stamp) if slot == sys::NetBufferListInfoReserved3 => stamp,
                _ => self.packet.slot(slot),
            };
            let mut now = now.addr();
            if slot == sys::SwitchForwardingDetail && sent != 0 {
                // The switch writes there how many destinations its extensions can add.
                now = now & !virtual_switch::ROOM | sent & virtual_switch::ROOM;
            }
            if now != sent {
                broken.push(Finding::new(
                    rule,
                    format!("slot {slot} was {sent:#x}, is {now:#x}"),
                ));
            }
        }
        if flags != self.packet.nbl_flags {
            let found = format!("NblFlags were {:#x}, are {flags:#x}", self.packet.nbl_flags);
            broken.push(Finding::new(Rule::OutOfBand, found));
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
                let (bytes, tail) = bytes.split_at(mine.len());
                bytes == mine && (!self.fully || tail.iter().all(|byte| *byte == UNUSED))
            })
        })
    }

    /// Checks the completion values of a completed packet.
    fn check_completion(&self, completed: Completed, id_bits: u32, broken: &mut Vec<Finding>) {
        if self.children > 0 {
            let expected = self.child_failures.first().copied().unwrap_or(0);
            if completed.status != expected {
                let found = format!(
                    "status {:#x}, its first failed child has {expected:#x}",
                    completed.status
                );
                broken.push(Finding::new(Rule::FirstFailure, found));
            }
        }
        let failed = self.child_failures.first().copied();
        let failed = failed.or(self.failed_below.then_some(self.status_below));
        if completed.status == sys::NDIS_STATUS_PENDING {
            let found = "completed with NDIS_STATUS_PENDING, which is no final status";
            broken.push(Finding::new(Rule::FinalStatus, found));
        }
        if let Some(failed) = failed
            && completed.status >= 0
        {
            let found = format!("succeeded, although the miniport failed it with {failed:#x}");
            broken.push(Finding::new(Rule::FinalStatus, found));
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
                // One that the filter itself refused has never been sent.
                // So is one that an extension of the virtual switch drops.
                let dropped = self.packet.slot(sys::SwitchForwardingDetail) != 0;
                let refused = (completed.status != 0 || dropped && !self.forwarded)
                    && self.children == 0
                    && !self.failed_below;
                let level = if refused {
                    Level::Product
                } else {
                    Level::Contract
                };
                broken.push(Finding::at(level, Rule::TransmitComplete, found));
            }
        }
        if self.slots.kind() != SendKind::Packet {
            self.check_wire(completed, id_bits, broken);
        }
    }

    /// Bytes of payload; none if it is neither TCP nor UDP.
    pub(crate) fn payload_length(&self) -> u32 {
        self.layout
            .map_or(0, |layout| (self.length - layout.payload) as u32)
    }

    /// The memory of a lent packet, once it is completed. From then on its bytes are no longer
    /// read.
    pub(crate) fn take_pages(&mut self) -> Option<Pages> {
        for buffer in &mut self.buffers {
            buffer.forget_bytes();
        }
        self.pages.take()
    }

    /// Checks that two stages put the same packets on the wire as one stage would have.
    fn check_wire(&self, completed: Completed, id_bits: u32, broken: &mut Vec<Finding>) {
        if completed.status != 0 || !self.fully {
            return;
        }
        match one_stage_digests(&self.packet.frame, &self.slots, id_bits) {
            Ok(expected) if expected == self.wire => {}
            Ok(expected) => {
                let at = expected.iter().zip(&self.wire).position(|(a, b)| a != b);
                let found = format!(
                    "{} wire packets for {} of one stage, first difference in packet {at:?}",
                    self.wire.len(),
                    expected.len()
                );
                broken.push(Finding::new(Rule::Wire, found));
            }
            Err(why) => broken.push(Finding::new(Rule::Wire, why)),
        }
    }
}
