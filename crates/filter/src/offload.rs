//! NDIS_OFFLOAD as bytes: what a NIC says it takes, and the indicator that the layer above sees.
//!
//! One pure rewrite serves attach, status indications, answers to OIDs and our own indications. It
//! can be applied twice with no further effect, for who else rewrote an answer is not known. It
//! keeps type, revision and size, and of all fields it changes three: the LSOv2 maximum of each IP
//! version, raised and never lowered, and LSOv2 for encapsulated packets, which would be raised
//! along and which the filter does not split.

use core::mem::offset_of;

use control::{Tuning, first_stage_size};
use ndis::{LargeSendLimit, LargeSendLimits, sys};

/// A buffer that is no NDIS_OFFLOAD of a revision and size that NDIS defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Where one kind of large send stands in an NDIS_OFFLOAD: encapsulation, maximum, minimum.
#[derive(Clone, Copy)]
struct Place(usize);

const HEADER_SIZE: usize = offset_of!(sys::NDIS_OBJECT_HEADER, Size);
const LSO_V1: Place = Place(offset_of!(sys::NDIS_OFFLOAD, LsoV1));
const LSO_V2: usize = offset_of!(sys::NDIS_OFFLOAD, LsoV2);
const LSO_V2_IPV4: Place = Place(LSO_V2 + offset_of!(sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2, IPv4));
const LSO_V2_IPV6: Place = Place(LSO_V2 + offset_of!(sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2, IPv6));
const MAX_OFFLOAD_SIZE: usize =
    offset_of!(sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4, MaxOffLoadSize);
const MIN_SEGMENT_COUNT: usize =
    offset_of!(sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V2_IPV4, MinSegmentCount);
/// The words whose bits say what is offloaded for encapsulated packets, GRE and VXLAN.
const ENCAPSULATED: [usize; 2] = [
    offset_of!(sys::NDIS_OFFLOAD, EncapsulatedPacketTaskOffloadGre),
    offset_of!(sys::NDIS_OFFLOAD, EncapsulatedPacketTaskOffloadVxlan),
];

// LSOv1 has its three words in the same order.
const _: () = {
    use sys::NDIS_TCP_LARGE_SEND_OFFLOAD_V1_IPV4 as V1;
    assert!(offset_of!(V1, MaxOffLoadSize) == MAX_OFFLOAD_SIZE);
    assert!(offset_of!(V1, MinSegmentCount) == MIN_SEGMENT_COUNT);
};

/// The large sends that the configuration in `offload` allows.
///
/// # Errors
/// [`Malformed`].
pub fn limits(offload: &[u8]) -> Result<LargeSendLimits, Malformed> {
    let offload = checked(offload)?;
    let limit = |place: Place| place.limit(offload).ok_or(Malformed);
    Ok(LargeSendLimits {
        v1: limit(LSO_V1)?,
        v2_ipv4: limit(LSO_V2_IPV4)?,
        v2_ipv6: limit(LSO_V2_IPV6)?,
    })
}

/// Makes the configuration in `offload` the one that the layer above sees, where the NIC takes
/// `nic` and the adapter is tuned to `tuning`.
///
/// # Errors
/// [`Malformed`]; the buffer is unchanged then.
pub fn rewrite(offload: &mut [u8], nic: &LargeSendLimits, tuning: Tuning) -> Result<(), Malformed> {
    let size = checked(offload)?.len();
    let offload = offload.get_mut(..size).ok_or(Malformed)?;
    let raised_ipv4 = LSO_V2_IPV4.raise(offload, nic.v2_ipv4, tuning);
    let raised_ipv6 = LSO_V2_IPV6.raise(offload, nic.v2_ipv6, tuning);
    if raised_ipv4 || raised_ipv6 {
        for place in ENCAPSULATED {
            clear_encapsulated_lso(offload, place);
        }
    }
    Ok(())
}

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

    /// Raises the maximum to the first-stage size, and says whether it is above the NIC's. What is
    /// disabled stays so.
    fn raise(self, offload: &mut [u8], nic: LargeSendLimit, tuning: Tuning) -> bool {
        let Some(says) = self.limit(offload).filter(|limit| limit.max_payload > 0) else {
            return false;
        };
        if nic.max_payload == 0 {
            return false;
        }
        let first_stage = first_stage_size(nic.max_payload, tuning).max(says.max_payload);
        if let Some(at) = self.0.checked_add(MAX_OFFLOAD_SIZE) {
            set_word(offload, at, first_stage);
        }
        first_stage > nic.max_payload
    }
}

fn clear_encapsulated_lso(offload: &mut [u8], place: usize) {
    if let Some(bits) = word(offload, place) {
        set_word(
            offload,
            place,
            sys::ENCAPSULATED_OFFLOAD_LSO_V2.with(bits, 0),
        );
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
