//! NDIS_OFFLOAD as bytes: what a NIC says it takes, and the indicator that the layer above sees.
//!
//! One pure rewrite serves attach, status indications, answers to OIDs and our own indications. It
//! can be applied twice with no further effect, for who else rewrote an answer is not known. It
//! keeps type, revision and size. Of all fields it changes the maxima of LSOv2 and of UDP
//! segmentation, which are raised and never lowered; and where a NIC has no LSOv2 at all, LSOv2 is
//! there if the filter is to segment in its place.

use core::mem::offset_of;

use control::{Tuning, first_stage_size};
use ndis::{
    Capabilities, ChecksumIpv4Capability, ChecksumIpv6Capability, LargeSendLimit, LsoV1Capability,
    LsoV2Ipv6Capability, TunnelCapability, TunnelIp, UsoCapability,
    sys::{self, BitField},
};

/// A buffer that is no NDIS_OFFLOAD of a revision and size that NDIS defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// The IP versions for which the layer above is told of LSOv2 though the NIC has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InSoftware {
    /// IPv4.
    pub ipv4: bool,
    /// IPv6.
    pub ipv6: bool,
}

/// What stands for the maximum of a NIC that has none, in bytes of TCP payload: what Hyper-V's
/// virtual NIC says.
pub const MAX_IN_SOFTWARE: u32 = 62_780;

/// Where one kind of large send stands in an NDIS_OFFLOAD: encapsulation, maximum, and a word with
/// the minimum.
#[derive(Clone, Copy)]
struct Place(usize);

const HEADER_SIZE: usize = offset_of!(sys::NDIS_OBJECT_HEADER, Size);
const LSO_V1: Place = Place(offset_of!(sys::NDIS_OFFLOAD, LsoV1.IPv4));
const LSO_V1_OPTIONS: usize = offset_of!(sys::NDIS_OFFLOAD, LsoV1.IPv4.Bits);
const LSO_V2_IPV4: Place = Place(offset_of!(sys::NDIS_OFFLOAD, LsoV2.IPv4));
const LSO_V2_IPV6: Place = Place(offset_of!(sys::NDIS_OFFLOAD, LsoV2.IPv6));
const LSO_V2_IPV6_OPTIONS: usize = offset_of!(sys::NDIS_OFFLOAD, LsoV2.IPv6.Bits);
const USO_IPV4: Place = Place(offset_of!(sys::NDIS_OFFLOAD, UdpSegmentation.IPv4));
const USO_IPV6: Place = Place(offset_of!(sys::NDIS_OFFLOAD, UdpSegmentation.IPv6));
const USO_IPV6_OPTIONS: usize = offset_of!(sys::NDIS_OFFLOAD, UdpSegmentation.IPv6.Bits);
const MAX_OFFLOAD_SIZE: usize =
    offset_of!(sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4, MaxOffLoadSize);
const MIN_SEGMENT_COUNT: usize =
    offset_of!(sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4, MinSegmentCount);
const CHECKSUM_IPV4: usize = offset_of!(sys::NDIS_OFFLOAD, Checksum.IPv4Transmit);
const CHECKSUM_IPV6: usize = offset_of!(sys::NDIS_OFFLOAD, Checksum.IPv6Transmit);
/// The word behind a checksum's encapsulation.
const CHECKSUM_BITS: usize = offset_of!(sys::NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV4, Bits);
const NVGRE: usize = offset_of!(sys::NDIS_OFFLOAD, EncapsulatedPacketTaskOffloadGre);
const VXLAN: usize = offset_of!(sys::NDIS_OFFLOAD, EncapsulatedPacketTaskOffloadVxlan);
const VXLAN_PORT: usize = offset_of!(
    sys::NDIS_OFFLOAD,
    EncapsulatedPacketTaskOffloadVxlan.EncapsulationProtocolInfo
);
const MAX_HEADER: usize = offset_of!(
    sys::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD,
    MaxHeaderSizeSupported
);

// All kinds of large sends have their three words in the same order, and both IP versions' checksums
// and both tunnels theirs.
const _: () = {
    use sys::{
        NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2 as Tunnel2,
        NDIS_TCP_IP_CHECKSUM_OFFLOAD_IPV6 as Checksum6, NDIS_TCP_LARGE_SEND_OFFLOAD_V1_IPV4 as V1,
        NDIS_UDP_SEGMENTATION_OFFLOAD_IPV4 as Udp,
    };
    assert!(offset_of!(V1, MaxOffLoadSize) == MAX_OFFLOAD_SIZE);
    assert!(offset_of!(V1, MinSegmentCount) == MIN_SEGMENT_COUNT);
    assert!(offset_of!(Udp, MaxOffLoadSize) == MAX_OFFLOAD_SIZE);
    assert!(offset_of!(Udp, SegmentBits) == MIN_SEGMENT_COUNT);
    assert!(offset_of!(Checksum6, Bits) == CHECKSUM_BITS);
    assert!(offset_of!(Tunnel2, MaxHeaderSizeSupported) == MAX_HEADER);
};

/// What the configuration in `offload` says that the NIC does.
///
/// # Errors
/// [`Malformed`].
pub fn capabilities(offload: &[u8]) -> Result<Capabilities, Malformed> {
    let offload = checked(offload)?;
    let limit = |place: Place| place.limit(offload).ok_or(Malformed);
    // What a revision has no field for, the NIC does not do.
    let bits = |at: usize, field: BitField| word(offload, at).map_or(0, |word| field.get(word));
    let (v1, v6) = (limit(LSO_V1)?, limit(LSO_V2_IPV6)?);
    let uso = |place: Place| {
        let limit = place.limit(offload).unwrap_or_default();
        UsoCapability {
            max_payload: limit.max_payload,
            min_segments: sys::USO_OFFLOAD_MIN_SEGMENT_COUNT.get(limit.min_segments),
            sub_mss_final: sys::USO_OFFLOAD_SUB_MSS_FINAL_SEGMENT.get(limit.min_segments) != 0,
            extension_headers: false,
        }
    };
    let checksum = |place: usize, field| {
        word(offload, place).unwrap_or(0) != 0
            && place
                .checked_add(CHECKSUM_BITS)
                .is_some_and(|at| bits(at, field) != 0)
    };
    let tunnel = |place: usize, port: u16| TunnelCapability {
        port,
        lso_v2: TunnelIp::from_bits(bits(place, sys::ENCAPSULATED_OFFLOAD_LSO_V2)),
        uso: TunnelIp::from_bits(bits(place, sys::ENCAPSULATED_OFFLOAD_USO)),
        max_header: place
            .checked_add(MAX_HEADER)
            .and_then(|at| word(offload, at))
            .unwrap_or(0),
    };
    Ok(Capabilities {
        lso_v1: LsoV1Capability {
            max_payload: v1.max_payload,
            min_segments: v1.min_segments,
            ip_options: bits(LSO_V1_OPTIONS, sys::LSO_V1_OFFLOAD_IP_OPTIONS) != 0,
            tcp_options: bits(LSO_V1_OPTIONS, sys::LSO_V1_OFFLOAD_TCP_OPTIONS) != 0,
        },
        v2_ipv4: limit(LSO_V2_IPV4)?,
        v2_ipv6: LsoV2Ipv6Capability {
            max_payload: v6.max_payload,
            min_segments: v6.min_segments,
            extension_headers: bits(
                LSO_V2_IPV6_OPTIONS,
                sys::LSO_V2_OFFLOAD_IP_EXTENSION_HEADERS,
            ) != 0,
            tcp_options: bits(LSO_V2_IPV6_OPTIONS, sys::LSO_V2_OFFLOAD_TCP_OPTIONS) != 0,
        },
        uso_ipv4: uso(USO_IPV4),
        uso_ipv6: UsoCapability {
            extension_headers: bits(USO_IPV6_OPTIONS, sys::USO_OFFLOAD_IP_EXTENSION_HEADERS) != 0,
            ..uso(USO_IPV6)
        },
        checksum_ipv4: ChecksumIpv4Capability {
            tcp: checksum(CHECKSUM_IPV4, sys::CHECKSUM_OFFLOAD_TCP),
            udp: checksum(CHECKSUM_IPV4, sys::CHECKSUM_OFFLOAD_UDP),
            ip_options: checksum(CHECKSUM_IPV4, sys::CHECKSUM_OFFLOAD_IP_OPTIONS),
            tcp_options: checksum(CHECKSUM_IPV4, sys::CHECKSUM_OFFLOAD_TCP_OPTIONS),
        },
        checksum_ipv6: ChecksumIpv6Capability {
            tcp: checksum(CHECKSUM_IPV6, sys::CHECKSUM_OFFLOAD_TCP),
            udp: checksum(CHECKSUM_IPV6, sys::CHECKSUM_OFFLOAD_UDP),
            tcp_options: checksum(CHECKSUM_IPV6, sys::CHECKSUM_OFFLOAD_TCP_OPTIONS),
            extension_headers: checksum(CHECKSUM_IPV6, sys::CHECKSUM_OFFLOAD_IP_EXTENSION_HEADERS),
        },
        nvgre: tunnel(NVGRE, 0),
        vxlan: tunnel(VXLAN, vxlan_port(offload)),
    })
}

/// The UDP port by which the NIC knows VXLAN: the lower half of a word.
fn vxlan_port(offload: &[u8]) -> u16 {
    offload
        .get(VXLAN_PORT..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |port| u16::from_le_bytes(*port))
}

/// Makes the configuration in `offload` the one that the layer above sees, where the NIC takes
/// `nic`, the adapter is tuned to `tuning`, and LSOv2 of these versions is `in_software`.
///
/// # Errors
/// [`Malformed`]; the buffer is unchanged then.
pub fn rewrite(
    offload: &mut [u8],
    nic: &Capabilities,
    tuning: Tuning,
    in_software: InSoftware,
) -> Result<(), Malformed> {
    let size = checked(offload)?.len();
    let offload = offload.get_mut(..size).ok_or(Malformed)?;
    let lso = nic.large_sends();
    // What the hardware can do and the NIC does not is left to whoever turned it off.
    let lacks = |nic: LargeSendLimit, place: Place, offload: &[u8]| {
        let says = place.limit(offload).unwrap_or_default();
        nic.max_payload == 0 && says.max_payload == 0
    };
    if in_software.ipv4 && lacks(lso.v2_ipv4, LSO_V2_IPV4, offload) {
        LSO_V2_IPV4.enable(offload, CHECKSUM_IPV4, tuning);
    } else {
        LSO_V2_IPV4.raise(offload, lso.v2_ipv4.max_payload, tuning);
    }
    if in_software.ipv6 && lacks(lso.v2_ipv6, LSO_V2_IPV6, offload) {
        LSO_V2_IPV6.enable(offload, CHECKSUM_IPV6, tuning);
        let options = sys::LSO_V2_OFFLOAD_IP_EXTENSION_HEADERS.with(0, SUPPORTED);
        let options = sys::LSO_V2_OFFLOAD_TCP_OPTIONS.with(options, SUPPORTED);
        set_word(offload, LSO_V2_IPV6_OPTIONS, options);
    } else {
        LSO_V2_IPV6.raise(offload, lso.v2_ipv6.max_payload, tuning);
    }
    USO_IPV4.raise(offload, nic.uso_ipv4.max_payload, tuning);
    USO_IPV6.raise(offload, nic.uso_ipv6.max_payload, tuning);
    Ok(())
}

/// NDIS_OFFLOAD_SUPPORTED.
const SUPPORTED: u32 = 1;

/// The part of `offload` that its header speaks of.
pub(crate) fn checked(offload: &[u8]) -> Result<&[u8], Malformed> {
    let kind = *offload.first().ok_or(Malformed)?;
    let revision = *offload.get(1).ok_or(Malformed)?;
    let size = offload
        .get(HEADER_SIZE..)
        .and_then(|bytes| bytes.first_chunk())
        .map(|bytes| u16::from_le_bytes(*bytes))
        .ok_or(Malformed)?;
    if kind != sys::NDIS_OBJECT_TYPE_OFFLOAD
        || revision < sys::NDIS_OFFLOAD_REVISION_1
        || size < sys::NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_1
    {
        return Err(Malformed);
    }
    offload.get(..usize::from(size)).ok_or(Malformed)
}

impl Place {
    /// What is allowed; `None` where the revision has no such place.
    fn limit(self, offload: &[u8]) -> Option<LargeSendLimit> {
        if word(offload, self.0)? == 0 {
            // A NIC that names no encapsulation for a kind does not do it, whatever else it says.
            return Some(LargeSendLimit::default());
        }
        Some(LargeSendLimit {
            max_payload: word(offload, self.0.checked_add(MAX_OFFLOAD_SIZE)?)?,
            min_segments: word(offload, self.0.checked_add(MIN_SEGMENT_COUNT)?)?,
        })
    }

    /// Raises the maximum to the first-stage size. What is disabled stays so.
    fn raise(self, offload: &mut [u8], nic: u32, tuning: Tuning) {
        let Some(says) = self.limit(offload).filter(|limit| limit.max_payload > 0) else {
            return;
        };
        if nic == 0 {
            return;
        }
        let first_stage = first_stage_size(nic, tuning).max(says.max_payload);
        self.set_max(offload, first_stage);
    }

    /// Allows what the NIC does not do, in the frames in which it makes the checksums in `checksum`,
    /// or in plain ones.
    fn enable(self, offload: &mut [u8], checksum: usize, tuning: Tuning) {
        let encapsulation = word(offload, checksum)
            .filter(|encapsulation| *encapsulation != 0)
            .unwrap_or(sys::NDIS_ENCAPSULATION_IEEE_802_3);
        set_word(offload, self.0, encapsulation);
        self.set_max(offload, first_stage_size(MAX_IN_SOFTWARE, tuning));
        if let Some(at) = self.0.checked_add(MIN_SEGMENT_COUNT) {
            set_word(offload, at, 2);
        }
    }

    fn set_max(self, offload: &mut [u8], max_payload: u32) {
        if let Some(at) = self.0.checked_add(MAX_OFFLOAD_SIZE) {
            set_word(offload, at, max_payload);
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

fn set_word(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(word) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *word = value.to_le_bytes();
    }
}
