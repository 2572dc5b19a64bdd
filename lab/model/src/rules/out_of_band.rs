//! Rule 17: a child carries its parent's out-of-band information and flags.
#![expect(unsafe_code, reason = "NBLs are C structures")]

use ndis::sys;

use crate::miniport::{Given, NDIS_FLAGS};
use crate::{
    oob::{ChecksumSlot, SendKind, TunnelSlot},
    rules::{Finding, Level, Rule},
    segment::layout,
    state::State,
};

/// Slots of a send that a child carries as its parent has them.
const CARRIED: [usize; 16] = [
    sys::TcpIpChecksumNetBufferListInfo,
    sys::TcpLargeSendNetBufferListInfo,
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
    sys::UdpSegmentationOffloadInfo,
    sys::TcpSendOffloadsSupplementalNetBufferListInfo,
    sys::GftOffloadInformation,
    sys::GftFlowEntryId,
];

/// Whether the supplemental slot marks a packet as encapsulated.
fn encapsulated(slot: usize) -> bool {
    TunnelSlot::from_raw(slot).encapsulated
}

/// Bits of NblFlags that NDIS has for itself in each NBL, and their value in those of the filter.
const NDIS_MASK: u32 = 0xFC;

impl State {
    /// # Safety
    /// `nbl` is a live NBL.
    pub(crate) unsafe fn check_oob(
        &mut self,
        nbl: *mut sys::NET_BUFFER_LIST,
        send: u64,
        given: &Given,
    ) {
        let is_packet = self.is_packet_child(given).is_some();
        let Some(sent) = self.sends.sent.get(&send) else {
            return;
        };
        let kind = sent.slots.kind();
        // The timestamp of several packets is that of the first, as it is where they are in one NBL
        // (Windows driver documentation, "Attaching timestamps to packets").
        let flags = match sent.children {
            0 => sent.packet.nbl_flags,
            _ => sent.packet.nbl_flags & !sys::NDIS_NBL_FLAGS_CAPTURE_TIMESTAMP_ON_TRANSMIT,
        };
        let large_send = sent.slots.large_send;
        let checksum = checksum_of(&sent.packet.frame, kind);
        let mut wrong = Vec::new();
        for slot in CARRIED {
            // SAFETY: as the caller vouches.
            let now = unsafe { (&(*nbl).NetBufferListInfo)[slot].addr() };
            let has = match (slot, kind) {
                (sys::TcpLargeSendNetBufferListInfo, SendKind::LargeSend) => large_send.to_raw(),
                _ => sent.packet.slot(slot),
            };
            let right = match slot {
                // It is a large send of TCP; this slot's value does not matter.
                sys::UdpSegmentationOffloadInfo if !kind.is_uso() => now == 0 || now == has,
                sys::TcpSendOffloadsSupplementalNetBufferListInfo if !kind.is_tunnelled() => {
                    now == 0 || now == has && !encapsulated(has)
                }
                _ if !is_packet => now == has,
                sys::TcpLargeSendNetBufferListInfo | sys::UdpSegmentationOffloadInfo => now == 0,
                // Outside of a tunnel its value is meaningless, and may be left over from a receive.
                sys::TcpSendOffloadsSupplementalNetBufferListInfo => now == 0,
                sys::TcpIpChecksumNetBufferListInfo => now == 0 || Some(now) == checksum,
                _ => now == has,
            };
            if !right {
                let form = if is_packet { " of a packet" } else { "" };
                wrong.push(format!(
                    "slot {slot}{form} is {now:#x}, the parent has {has:#x}"
                ));
            }
        }
        // SAFETY: as the caller vouches.
        let now = unsafe { (*nbl).NblFlags };
        let right = flags & !NDIS_MASK | NDIS_FLAGS;
        if now & !NDIS_MASK != right & !NDIS_MASK {
            wrong.push(format!("NblFlags are {now:#x}, not {right:#x}"));
        } else if now != right {
            // No page documents these bits, and foreign filters copy all.
            let found = format!("NblFlags are {now:#x}, not {right:#x}: some bits are NDIS's own");
            let finding = Finding::at(Level::Product, Rule::OutOfBand, found);
            self.finding(&*given.name, finding);
        }
        for found in wrong {
            self.violation(Rule::OutOfBand, &*given.name, found);
        }
        // SAFETY: as the caller vouches.
        unsafe { self.check_private(nbl, &given.name) };
    }
}

/// The expected checksum slot of a packet cut from `frame`, if the NIC is to compute the checksum:
/// never for a packet in a tunnel, nor for one without a checksum.
fn checksum_of(frame: &[u8], kind: SendKind) -> Option<usize> {
    let found = layout(frame).filter(|_| !kind.is_tunnelled())?;
    let none = found.udp && frame[found.transport + 6..found.transport + 8] == [0, 0];
    let slot = ChecksumSlot {
        ipv4: !found.ipv6,
        ipv6: found.ipv6,
        tcp: !found.udp,
        udp: found.udp,
        ip_header: false,
        header_offset: found.transport as u32,
    };
    (!none).then(|| slot.to_raw())
}
