//! NDIS_OFFLOAD as bytes: what a miniport says, and what a filter may make of it.
#![expect(unsafe_code, reason = "a C structure is written and read as bytes")]

use std::mem::offset_of;

use ndis::{LargeSendLimit, LargeSendLimits, sys};

use crate::memory::Block;

/// Which revision of NDIS_OFFLOAD the miniport writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffloadShape {
    /// Header.Revision.
    pub revision: u8,
    /// Header.Size, which is also the length of its buffer.
    pub size: u16,
    /// Further 32-bit words by their offset, for offloads that the model itself has not.
    pub words: Vec<(usize, u32)>,
}

impl Default for OffloadShape {
    /// Revision 7.
    fn default() -> Self {
        Self {
            revision: sys::NDIS_OFFLOAD_REVISION_7,
            size: sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7,
            words: Vec::new(),
        }
    }
}

/// The bytes of an NDIS_OFFLOAD with these large sends.
pub(crate) fn write(limits: LargeSendLimits, shape: &OffloadShape) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(shape.size).max(4)];
    bytes[0] = sys::NDIS_OBJECT_TYPE_OFFLOAD;
    bytes[1] = shape.revision;
    bytes[2..4].copy_from_slice(&shape.size.to_ne_bytes());
    let families = [
        (offset_of!(sys::NDIS_OFFLOAD, LsoV1), limits.v1),
        (V2_IPV4, limits.v2_ipv4),
        (V2_IPV6, limits.v2_ipv6),
    ];
    for (offset, limit) in families {
        let encapsulation = if limit.max_payload == 0 {
            sys::NDIS_ENCAPSULATION_NOT_SUPPORTED
        } else {
            sys::NDIS_ENCAPSULATION_IEEE_802_3
        };
        put(&mut bytes, offset, encapsulation);
        put(&mut bytes, offset + 4, limit.max_payload);
        put(&mut bytes, offset + 8, limit.min_segments);
    }
    for (offset, word) in &shape.words {
        put(&mut bytes, *offset, *word);
    }
    bytes
}

/// Where LSOv2 over IPv4 begins: Encapsulation, MaxOffLoadSize, MinSegmentCount.
const V2_IPV4: usize = offset_of!(sys::NDIS_OFFLOAD, LsoV2.IPv4);
/// LSOv2 over IPv6 likewise.
const V2_IPV6: usize = offset_of!(sys::NDIS_OFFLOAD, LsoV2.IPv6);
/// Words with an LsoV2Supported among their bits.
const ENCAPSULATED: [usize; 2] = [
    offset_of!(sys::NDIS_OFFLOAD, EncapsulatedPacketTaskOffloadGre),
    offset_of!(sys::NDIS_OFFLOAD, EncapsulatedPacketTaskOffloadVxlan),
];

fn put(bytes: &mut [u8], offset: usize, word: u32) {
    if let Some(place) = bytes.get_mut(offset..offset + 4) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    bytes
        .get(offset..offset + 4)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_ne_bytes)
}

/// Bytes that the NDIS_OFFLOAD at the start of `bytes` has by its header; `None` where it is none.
pub(crate) fn valid_size(bytes: &[u8]) -> Option<usize> {
    let [kind, revision, low, high] = *bytes.first_chunk::<4>()?;
    let size = u16::from_ne_bytes([low, high]);
    let valid = kind == sys::NDIS_OBJECT_TYPE_OFFLOAD
        && revision >= sys::NDIS_OFFLOAD_REVISION_1
        && size >= sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1
        && usize::from(size) <= bytes.len();
    valid.then_some(usize::from(size))
}

/// The large sends that `bytes` speak of; none where they are no NDIS_OFFLOAD.
pub(crate) fn limits(bytes: &[u8]) -> LargeSendLimits {
    if valid_size(bytes).is_none() {
        return LargeSendLimits::default();
    }
    let block = Block::of(bytes);
    // SAFETY: the block is aligned, and at least as long as revision 1, in which both parts are.
    let (v1, v2) = unsafe {
        let offload = block.start().cast::<sys::NDIS_OFFLOAD>();
        ((*offload).LsoV1, (*offload).LsoV2)
    };
    LargeSendLimits {
        v1: limit(
            v1.IPv4.Encapsulation,
            v1.IPv4.MaxOffLoadSize,
            v1.IPv4.MinSegmentCount,
        ),
        v2_ipv4: limit(
            v2.IPv4.Encapsulation,
            v2.IPv4.MaxOffLoadSize,
            v2.IPv4.MinSegmentCount,
        ),
        v2_ipv6: limit(
            v2.IPv6.Encapsulation,
            v2.IPv6.MaxOffLoadSize,
            v2.IPv6.MinSegmentCount,
        ),
    }
}

/// Without an encapsulation the NIC does not do the kind, whatever else it says.
fn limit(encapsulation: u32, max_payload: u32, min_segments: u32) -> LargeSendLimit {
    if encapsulation == 0 {
        return LargeSendLimit::default();
    }
    LargeSendLimit {
        max_payload,
        min_segments,
    }
}

/// What a filter changed of the miniport's configuration that it may not; `None` where `told` is
/// `own` with larger LSOv2 maxima, or with encapsulated LSO taken out.
pub(crate) fn wrong_rewrite(own: &[u8], told: &[u8]) -> Option<String> {
    let Some(size) = valid_size(own) else {
        return (own != told).then(|| "malformed, and changed".into());
    };
    let Some(told) = told.get(..size) else {
        return Some(format!("{} bytes of {size}", told.len()));
    };
    let mut expected = own[..size].to_vec();
    for family in [V2_IPV4, V2_IPV6] {
        let (was, is) = (word(own, family + 4), word(told, family + 4));
        let off = word(own, family) == 0 || was == 0;
        if is < was || off && is != was {
            return Some(format!("an LSOv2 maximum of {was} became {is}"));
        }
        put(&mut expected, family + 4, is);
    }
    for offset in ENCAPSULATED {
        let (was, is) = (word(own, offset), word(told, offset));
        if is == sys::ENCAPSULATED_OFFLOAD_LSO_V2.with(was, 0) {
            put(&mut expected, offset, is);
        }
    }
    let at = expected.iter().zip(told).position(|(a, b)| a != b)?;
    let (was, is) = (expected[at], told[at]);
    Some(format!("byte {at:#x} was {was:#x} and became {is:#x}"))
}
