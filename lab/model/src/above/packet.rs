//! A packet as a test describes it.

use ndis::{LargeSendInfo, sys};

use crate::{
    mdl::Backing,
    miniport::cut_layout,
    oob::{Slots, UsoSlot},
    segment::{layout, parts, tunnel},
};

/// A packet for the overlying driver to send.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The frame from its Ethernet header on. A large send has the shape that LSO asks for.
    pub frame: Vec<u8>,
    /// Contents of the large-send slot; the default for a packet that is not a large send.
    pub large_send: LargeSendInfo,
    /// Lengths of the MDLs that the frame lies in, in order; the remaining bytes are in a last one.
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
    /// Bytes in the last MDL behind the frame that are not of the packet.
    pub tail: u32,
    /// Added to the NET_BUFFER's DataLength, to make a packet whose chain is too short.
    pub extra_length: u32,
    /// Added to the DataLength of the last NET_BUFFER alone.
    pub last_longer: u32,
    /// Added to the NET_BUFFER's CurrentMdlOffset alone, to make one that contradicts itself.
    pub skew: u32,
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
            tail: 0,
            extra_length: 0,
            last_longer: 0,
            skew: 0,
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

    /// A USO send of `mss`; the slot's other parts come from the frame where it is UDP.
    #[must_use]
    pub fn udp_large_send(frame: Vec<u8>, mss: u32) -> Self {
        let found = layout(&frame).filter(|layout| layout.udp);
        let slot = UsoSlot {
            mss,
            udp_header_offset: found.map_or(0, |layout| layout.transport as u32),
            ipv6: found.is_some_and(|layout| layout.ipv6),
        };
        Self {
            oob: vec![(sys::UdpSegmentationOffloadInfo, slot.to_raw())],
            ..Self::new(frame)
        }
    }

    /// An LSOv2 send of `mss` inside a tunnel, with where its inner headers are where there is
    /// one. The large-send slot has the outer IP version, and a TCP offset that is not valid.
    #[must_use]
    pub fn encapsulated(frame: Vec<u8>, mss: u32) -> Self {
        let found = tunnel(&frame);
        let slot = found.map_or(0, |tunnel| tunnel.slot().to_raw());
        let ipv6 = found.is_some_and(|tunnel| tunnel.ipv6);
        Self {
            large_send: LargeSendInfo::v2(mss, 0, ipv6),
            oob: vec![(sys::TcpSendOffloadsSupplementalNetBufferListInfo, slot)],
            ..Self::new(frame)
        }
    }

    /// A USO send of `mss` inside a tunnel likewise. The slot's offset is the one from before the
    /// tunnel was put around the frame.
    #[must_use]
    pub fn encapsulated_uso(frame: Vec<u8>, mss: u32) -> Self {
        let found = tunnel(&frame);
        let slot = found.map_or(0, |tunnel| tunnel.slot().to_raw());
        let uso = UsoSlot {
            mss,
            udp_header_offset: found.map_or(0, |tunnel| {
                (tunnel.inner.transport - tunnel.inner_frame) as u32
            }),
            ipv6: found.is_some_and(|tunnel| tunnel.ipv6),
        };
        Self {
            oob: vec![
                (sys::UdpSegmentationOffloadInfo, uso.to_raw()),
                (sys::TcpSendOffloadsSupplementalNetBufferListInfo, slot),
            ],
            ..Self::new(frame)
        }
    }

    /// The same packet with one more out-of-band slot.
    #[must_use]
    pub fn with_slot(mut self, slot: usize, value: usize) -> Self {
        self.oob.push((slot, value));
        self
    }

    /// The value of an out-of-band slot, the last that was given for it.
    #[must_use]
    pub fn slot(&self, slot: usize) -> usize {
        if slot == sys::TcpLargeSendNetBufferListInfo {
            return self.large_send.to_raw();
        }
        let given = self.oob.iter().rfind(|(of, _)| *of == slot);
        given.map_or(0, |(_, value)| *value)
    }

    /// The values of the slots that a NIC acts on.
    #[must_use]
    pub fn slots(&self) -> Slots {
        Slots::read(|slot| self.slot(slot))
    }

    /// The same packet with its headers in the first MDL and its payload in MDLs of `size` bytes.
    #[must_use]
    pub fn in_buffers(mut self, size: u32) -> Self {
        let tunnelled = self.slots().kind().is_tunnelled();
        let header = cut_layout(&self.frame, tunnelled).map_or(0, |layout| layout.payload);
        let rest = self.frame.len().saturating_sub(header);
        self.buffers = vec![header as u32];
        self.buffers
            .extend(std::iter::repeat_n(size, rest / size.max(1) as usize));
        self
    }
}
