//! NDIS_OFFLOAD as bytes: the miniport's own, and the changes that a filter may make to it.
#![expect(unsafe_code, reason = "a C structure is written and read as bytes")]

use std::mem::offset_of;

use crate::{LargeSendLimit, LargeSendLimits};
use ndis::sys;

use crate::{
    capabilities::{Capabilities, ChecksumOffload, TunnelOffload, UsoLimit, UsoLimits},
    memory::Block,
};

/// The revision of NDIS_OFFLOAD that the miniport writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffloadShape {
    /// Header.Revision.
    pub revision: u8,
    /// Header.Size, which is also the length of its buffer.
    pub size: u16,
    /// Further 32-bit words by their offset, for offloads that the model itself has not.
    pub words: Vec<(usize, u32)>,
    /// Whether a feature that is off is NDIS_OFFLOAD_SET_OFF, as the documentation wants it in
    /// indications, rather than NDIS_OFFLOAD_NOT_SUPPORTED.
    pub set_off: bool,
}

impl OffloadShape {
    /// The value of a feature.
    fn flag(&self, is_on: bool) -> u32 {
        match (is_on, self.set_off) {
            (true, _) => sys::NDIS_OFFLOAD_SET_ON,
            (false, true) => sys::NDIS_OFFLOAD_SET_OFF,
            (false, false) => sys::NDIS_OFFLOAD_NOT_SUPPORTED,
        }
    }
}

impl Default for OffloadShape {
    /// Revision 7.
    fn default() -> Self {
        Self {
            revision: sys::NDIS_OFFLOAD_REVISION_7,
            size: sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_7,
            words: Vec::new(),
            set_off: false,
        }
    }
}

/// Returns the part of `capabilities` that an NDIS_OFFLOAD of `revision` can express.
pub(crate) fn known_to(revision: u8, mut capabilities: Capabilities) -> Capabilities {
    if revision < sys::NDIS_OFFLOAD_REVISION_3 {
        capabilities.tunnels.nvgre = TunnelOffload::default();
    }
    if revision < sys::NDIS_OFFLOAD_REVISION_4 {
        capabilities.tunnels.vxlan = TunnelOffload::default();
    }
    if revision < sys::NDIS_OFFLOAD_REVISION_6 {
        capabilities.uso = UsoLimits::default();
    }
    if revision < sys::NDIS_OFFLOAD_REVISION_7 {
        capabilities.uso.ipv4.sub_mss_final = false;
        capabilities.uso.ipv6.sub_mss_final = false;
    }
    capabilities
}

/// The bytes of an NDIS_OFFLOAD with these capabilities.
pub(crate) fn write(capabilities: &Capabilities, shape: &OffloadShape) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(shape.size).max(4)];
    bytes[0] = sys::NDIS_OBJECT_TYPE_OFFLOAD;
    bytes[1] = shape.revision;
    bytes[2..4].copy_from_slice(&shape.size.to_ne_bytes());
    write_checksums(&mut bytes, capabilities, shape);
    write_large_sends(&mut bytes, capabilities, shape);
    write_tunnels(&mut bytes, capabilities, shape.revision);
    for (offset, limit) in [
        (USO_IPV4, capabilities.uso.ipv4),
        (USO_IPV6, capabilities.uso.ipv6),
    ] {
        if limit.max_payload > 0 {
            write_uso(&mut bytes, offset, limit);
        }
    }
    if capabilities.uso.ipv6.max_payload > 0 {
        let bits = shape.flag(capabilities.uso.ipv6.extensions);
        put(
            &mut bytes,
            USO_IPV6 + 12,
            sys::USO_OFFLOAD_IP_EXTENSION_HEADERS.with(0, bits),
        );
    }
    for (offset, word) in &shape.words {
        put(&mut bytes, *offset, *word);
    }
    bytes
}

fn write_checksums(bytes: &mut [u8], capabilities: &Capabilities, shape: &OffloadShape) {
    for (offset, has) in [
        (CHECKSUM_IPV4, capabilities.checksum.ipv4),
        (CHECKSUM_IPV6, capabilities.checksum.ipv6),
    ] {
        if has.ip_header || has.tcp || has.udp {
            put(bytes, offset, sys::NDIS_ENCAPSULATION_IEEE_802_3);
            put(bytes, offset + 4, checksum_bits(has, shape));
        }
    }
}

fn checksum_bits(has: ChecksumOffload, shape: &OffloadShape) -> u32 {
    let flag = |is_on| shape.flag(is_on);
    let bits = sys::CHECKSUM_OFFLOAD_IP_OPTIONS.with(0, flag(has.ip_options));
    let bits = sys::CHECKSUM_OFFLOAD_TCP_OPTIONS.with(bits, flag(has.tcp_options));
    let bits = sys::CHECKSUM_OFFLOAD_TCP.with(bits, flag(has.tcp));
    let bits = sys::CHECKSUM_OFFLOAD_UDP.with(bits, flag(has.udp));
    sys::CHECKSUM_OFFLOAD_IP.with(bits, flag(has.ip_header))
}

fn write_large_sends(bytes: &mut [u8], capabilities: &Capabilities, shape: &OffloadShape) {
    let families = [
        (V1, capabilities.large_sends.v1),
        (V2_IPV4, capabilities.large_sends.v2_ipv4),
        (V2_IPV6, capabilities.large_sends.v2_ipv6),
    ];
    for (offset, limit) in families {
        let encapsulation = if limit.max_payload == 0 {
            sys::NDIS_ENCAPSULATION_NOT_SUPPORTED
        } else {
            sys::NDIS_ENCAPSULATION_IEEE_802_3
        };
        put(bytes, offset, encapsulation);
        put(bytes, offset + 4, limit.max_payload);
        put(bytes, offset + 8, limit.min_segments);
    }
    let has = &capabilities.options;
    let flag = |is_on| shape.flag(is_on);
    if capabilities.large_sends.v1.max_payload > 0 {
        let bits = sys::LSO_V1_OFFLOAD_TCP_OPTIONS.with(0, flag(has.v1_tcp));
        let bits = sys::LSO_V1_OFFLOAD_IP_OPTIONS.with(bits, flag(has.v1_ip));
        put(bytes, V1 + 12, bits);
    }
    if capabilities.large_sends.v2_ipv6.max_payload > 0 {
        let bits = sys::LSO_V2_OFFLOAD_IP_EXTENSION_HEADERS.with(0, flag(has.v2_ipv6_extensions));
        let bits = sys::LSO_V2_OFFLOAD_TCP_OPTIONS.with(bits, flag(has.v2_ipv6_tcp));
        put(bytes, V2_IPV6 + 12, bits);
    }
}

fn write_tunnels(bytes: &mut [u8], capabilities: &Capabilities, revision: u8) {
    let tunnels = &capabilities.tunnels;
    for (offset, has) in ENCAPSULATED.into_iter().zip([tunnels.nvgre, tunnels.vxlan]) {
        let bits = sys::ENCAPSULATED_OFFLOAD_TRANSMIT_CHECKSUM.with(0, has.transmit_checksum);
        let bits = sys::ENCAPSULATED_OFFLOAD_LSO_V2.with(bits, has.lso_v2);
        let bits = sys::ENCAPSULATED_OFFLOAD_USO.with(bits, has.uso);
        put(bytes, offset, bits);
        put(bytes, offset + 4, has.max_header);
    }
    if tunnels.vxlan != TunnelOffload::NONE {
        put(bytes, ENCAPSULATED[1] + 8, tunnels.vxlan_port.into());
    }
    let known = [
        (tunnels.nvgre, sys::NDIS_ENCAPSULATION_TYPE_GRE_MAC),
        (tunnels.vxlan, sys::NDIS_ENCAPSULATION_TYPE_VXLAN),
    ];
    let types = offset_of!(sys::NDIS_OFFLOAD, EncapsulationTypes);
    if revision >= sys::NDIS_OFFLOAD_REVISION_4
        && let Some(types) = bytes.get_mut(types)
    {
        let known = known.iter().filter(|(has, _)| *has != TunnelOffload::NONE);
        *types = known.fold(0, |types, (_, bit)| types | bit);
    }
}

fn write_uso(bytes: &mut [u8], offset: usize, limit: UsoLimit) {
    put(bytes, offset, sys::NDIS_ENCAPSULATION_IEEE_802_3);
    put(bytes, offset + 4, limit.max_payload);
    let bits = sys::USO_OFFLOAD_MIN_SEGMENT_COUNT.with(0, limit.min_segments);
    let last = u32::from(limit.sub_mss_final);
    put(
        bytes,
        offset + 8,
        sys::USO_OFFLOAD_SUB_MSS_FINAL_SEGMENT.with(bits, last),
    );
}

/// The UDP large sends that `bytes` allow; none if they are no NDIS_OFFLOAD.
pub(crate) fn uso(bytes: &[u8]) -> UsoLimits {
    let advertised = valid_size(bytes).map_or(&[][..], |size| &bytes[..size]);
    let limit = |offset: usize| {
        if word(advertised, offset) == 0 {
            return UsoLimit::default();
        }
        let bits = word(advertised, offset + 8);
        UsoLimit {
            max_payload: word(advertised, offset + 4),
            min_segments: sys::USO_OFFLOAD_MIN_SEGMENT_COUNT.get(bits),
            sub_mss_final: sys::USO_OFFLOAD_SUB_MSS_FINAL_SEGMENT.get(bits) != 0,
            extensions: false,
        }
    };
    let extensions = sys::USO_OFFLOAD_IP_EXTENSION_HEADERS.get(word(advertised, USO_IPV6 + 12));
    UsoLimits {
        ipv4: limit(USO_IPV4),
        ipv6: UsoLimit {
            extensions: extensions != 0,
            ..limit(USO_IPV6)
        },
    }
}

/// IPv4Transmit of the checksums: Encapsulation, then bits.
const CHECKSUM_IPV4: usize = offset_of!(sys::NDIS_OFFLOAD, Checksum.IPv4Transmit);
/// IPv6Transmit likewise.
const CHECKSUM_IPV6: usize = offset_of!(sys::NDIS_OFFLOAD, Checksum.IPv6Transmit);
/// LSOv1: Encapsulation, MaxOffLoadSize, MinSegmentCount, bits.
const V1: usize = offset_of!(sys::NDIS_OFFLOAD, LsoV1);
/// USO over IPv4: Encapsulation, MaxOffLoadSize, bits.
const USO_IPV4: usize = offset_of!(sys::NDIS_OFFLOAD, UdpSegmentation.IPv4);
/// USO over IPv6 likewise, and more bits.
const USO_IPV6: usize = offset_of!(sys::NDIS_OFFLOAD, UdpSegmentation.IPv6);
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

/// The large sends that `bytes` allow; none if they are no NDIS_OFFLOAD.
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

/// Without an encapsulation the NIC does not support the kind, whatever the other fields hold.
fn limit(encapsulation: u32, max_payload: u32, min_segments: u32) -> LargeSendLimit {
    if encapsulation == 0 {
        return LargeSendLimit::default();
    }
    LargeSendLimit {
        max_payload,
        min_segments,
    }
}

/// The changes that a filter may make to a configuration, besides raising maxima that are in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct MayAdd {
    /// LSOv2 over IPv4, which the NIC cannot do at all.
    pub(crate) v2_ipv4: bool,
    /// LSOv2 over IPv6.
    pub(crate) v2_ipv6: bool,
    /// Both, whatever the NIC can do: the administrator wants it.
    pub(crate) anyhow: bool,
}

/// Describes a change to the miniport's configuration that the filter may not make. Returns `None`
/// if `advertised` is `own` with larger maxima of LSOv2 and USO, with encapsulated LSO removed or
/// unchanged, and with LSOv2 for an IP version that `may` be added because the NIC computes its TCP
/// checksums.
pub(crate) fn wrong_rewrite(own: &[u8], advertised: &[u8], may: MayAdd) -> Option<String> {
    let Some(size) = valid_size(own) else {
        return (own != advertised).then(|| "malformed, and changed".into());
    };
    let Some(advertised) = advertised.get(..size) else {
        return Some(format!("{} bytes of {size}", advertised.len()));
    };
    let mut expected = own[..size].to_vec();
    for (family, name) in [
        (V2_IPV4, "LSOv2"),
        (V2_IPV6, "LSOv2"),
        (USO_IPV4, "USO"),
        (USO_IPV6, "USO"),
    ] {
        if adds(own, advertised, family, may) {
            put(&mut expected, family, sys::NDIS_ENCAPSULATION_IEEE_802_3);
            let words = if family == V2_IPV6 { 4 } else { 3 };
            for at in (family + 4..).step_by(4).take(words - 1) {
                put(&mut expected, at, word(advertised, at));
            }
            continue;
        }
        let (was, is) = (word(own, family + 4), word(advertised, family + 4));
        let unknown = name == "USO" && own[1] < sys::NDIS_OFFLOAD_REVISION_6;
        let off = word(own, family) == 0 || was == 0 || unknown;
        if is < was || off && is != was {
            return Some(format!("an {name} maximum of {was} became {is}"));
        }
        put(&mut expected, family + 4, is);
    }
    for offset in ENCAPSULATED {
        let (was, is) = (word(own, offset), word(advertised, offset));
        if is == sys::ENCAPSULATED_OFFLOAD_LSO_V2.with(was, 0) {
            put(&mut expected, offset, is);
        }
    }
    let at = expected.iter().zip(advertised).position(|(a, b)| a != b)?;
    let (was, is) = (expected[at], advertised[at]);
    Some(format!("byte {at:#x} was {was:#x} and became {is:#x}"))
}

/// Whether `advertised` has LSOv2 of an IP version that `own` lacks, and may add it.
fn adds(own: &[u8], advertised: &[u8], family: usize, may: MayAdd) -> bool {
    let (allowed, checksum) = match family {
        V2_IPV4 => (may.v2_ipv4, CHECKSUM_IPV4),
        V2_IPV6 => (may.v2_ipv6, CHECKSUM_IPV6),
        _ => return false,
    };
    let computes_tcp = word(own, checksum) != 0
        && sys::CHECKSUM_OFFLOAD_TCP.get(word(own, checksum + 4)) == sys::NDIS_OFFLOAD_SET_ON;
    let had = word(own, family) != 0 && word(own, family + 4) != 0;
    let has = word(advertised, family) == sys::NDIS_ENCAPSULATION_IEEE_802_3
        && word(advertised, family + 4) != 0
        && word(advertised, family + 8) != 0;
    (allowed && computes_tcp || may.anyhow) && !had && has
}

#[cfg(test)]
mod tests;
