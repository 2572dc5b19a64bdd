//! Tuning an adapter and querying it, through the control device; and the expected results.

use std::{mem::offset_of, sync::Arc};

use ::control::{
    Cap, IoControl, Message, Multiple, Profile, Raise, ReadReply, Select, SetRequest,
    SetSettingsRequest, SettingsChange, SettingsReply, Tuning,
};
use model::{LargeSendLimit, LargeSendLimits};
use model::{OidCall, SeenStatus, StatusSource, World};
use ndis::sys;

use crate::control::IF_INDEX;

/// A message's bytes.
///
/// # Panics
/// If the message cannot be encoded.
#[must_use]
pub fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut bytes = vec![0; M::SIZE];
    message.encode(&mut bytes).expect("room");
    bytes
}

/// READ's reply for the model's adapter.
///
/// # Panics
/// If no module is attached, or the answer breaks the protocol.
#[must_use]
#[track_caller]
pub fn read(world: &Arc<World>) -> ReadReply {
    let select = encoded(&Select { if_index: IF_INDEX });
    let answer = world.ioctl(IoControl::READ.code(), &select, ReadReply::SIZE);
    ReadReply::decode(&answer.expect("a module is attached")).expect("the protocol")
}

/// READ_SETTINGS's reply for the model's adapter.
///
/// # Panics
/// If no module is attached, or the answer breaks the protocol.
#[must_use]
#[track_caller]
pub fn read_settings(world: &Arc<World>) -> SettingsReply {
    let select = encoded(&Select { if_index: IF_INDEX });
    let code = IoControl::READ_SETTINGS.code();
    let answer = world.ioctl(code, &select, SettingsReply::SIZE);
    SettingsReply::decode(&answer.expect("a module is attached")).expect("the protocol")
}

/// Writes settings of the adapter to the registry.
///
/// # Errors
/// The driver's status.
pub fn set_settings(world: &Arc<World>, change: SettingsChange) -> Result<(), i32> {
    let request = encoded(&SetSettingsRequest {
        if_index: IF_INDEX,
        change,
    });
    let answer = world.ioctl(IoControl::SET_SETTINGS.code(), &request, 0)?;
    assert!(answer.is_empty(), "SET_SETTINGS has no reply");
    Ok(())
}

/// Sets the adapter's tuning until it is detached.
///
/// # Errors
/// The driver's status.
pub fn set(world: &Arc<World>, tuning: Tuning) -> Result<(), i32> {
    request(world, tuning, false)
}

/// The same, to last.
///
/// # Errors
/// The driver's status.
pub fn persist(world: &Arc<World>, tuning: Tuning) -> Result<(), i32> {
    request(world, tuning, true)
}

fn request(world: &Arc<World>, tuning: Tuning, persist: bool) -> Result<(), i32> {
    let request = encoded(&SetRequest {
        if_index: IF_INDEX,
        tuning,
        persist,
    });
    let answer = world.ioctl(IoControl::SET.code(), &request, 0)?;
    assert!(answer.is_empty(), "SET has no reply");
    Ok(())
}

/// Turns LSOv2 on or off as the overlying driver does: by OID_TCP_OFFLOAD_PARAMETERS, upon which
/// the miniport indicates its new configuration.
///
/// # Panics
/// If the miniport refuses.
pub fn enable_lso(world: &Arc<World>, ipv4: bool, ipv6: bool) {
    let size = sys::NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_5;
    let mut parameters = vec![0; size.into()];
    parameters[0] = sys::NDIS_OBJECT_TYPE_DEFAULT;
    parameters[1] = sys::NDIS_OFFLOAD_PARAMETERS_REVISION_5;
    parameters[2..4].copy_from_slice(&size.to_le_bytes());
    let value = |on| {
        if on {
            sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED
        } else {
            sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED
        }
    };
    parameters[offset_of!(sys::NDIS_OFFLOAD_PARAMETERS, LsoV2IPv4)] = value(ipv4);
    parameters[offset_of!(sys::NDIS_OFFLOAD_PARAMETERS, LsoV2IPv6)] = value(ipv6);
    let call = OidCall::set(sys::OID_TCP_OFFLOAD_PARAMETERS, parameters);
    assert_eq!(world.oid(call).status, 0);
}

/// So many times the NIC's maximum, without a cap.
///
/// # Panics
/// Outside 1 to 16.
#[must_use]
pub fn times(multiple: u32) -> Tuning {
    Tuning {
        raise: Raise::Multiple(Multiple::new(multiple).expect("1 to 16")),
        cap: None,
    }
}

/// By the profile alone, without a cap.
#[must_use]
pub fn profile(profile: Profile) -> Tuning {
    Tuning {
        raise: Raise::Profile(profile),
        cap: None,
    }
}

/// The same tuning, capped.
///
/// # Panics
/// If the cap is out of range.
#[must_use]
pub fn capped(tuning: Tuning, bytes: u32) -> Tuning {
    Tuning {
        cap: Some(Cap::new(bytes).expect("in range")),
        ..tuning
    }
}

/// The limits that must be advertised to the overlying driver for a NIC with `nic` and a tuning to
/// `multiple` and `cap`, computed independently.
#[must_use]
pub fn raised(nic: LargeSendLimits, multiple: u32, cap: Option<u32>) -> LargeSendLimits {
    let raise = |limit: LargeSendLimit| {
        let wanted = u64::from(limit.max_payload) * u64::from(multiple);
        let allowed = wanted.min(cap.map_or(u64::MAX, u64::from));
        LargeSendLimit {
            max_payload: allowed.max(limit.max_payload.into()) as u32,
            ..limit
        }
    };
    LargeSendLimits {
        v1: nic.v1,
        v2_ipv4: raise(nic.v2_ipv4),
        v2_ipv6: raise(nic.v2_ipv6),
    }
}

/// Checks that the limits that the overlying driver received last are those that READ reports as
/// advertised, and those that the tuning in effect makes of the NIC as it is.
///
/// # Panics
/// If it is not.
#[track_caller]
pub fn assert_last_indication(world: &Arc<World>) {
    let reply = read(world);
    let nic = world.nic().current();
    let cap = reply.tuning.cap.map(Cap::bytes);
    let advertised = world.advertised();
    assert_eq!(advertised, raised(nic, reply.tuning.multiple(), cap));
    assert_read_matches_indication(world);
    let limits = reply.nic;
    let read = [limits.v1, limits.v2_ipv4, limits.v2_ipv6].map(|limit| limit.max_payload);
    let has = [nic.v1, nic.v2_ipv4, nic.v2_ipv6].map(|limit| limit.max_payload);
    assert_eq!(read, has, "the NIC's maxima");
}

/// Checks that READ reports the limits that the overlying driver received last as advertised.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn assert_read_matches_indication(world: &Arc<World>) {
    let (reply, indicated) = (read(world), world.advertised());
    let read = [reply.advertised_v2_ipv4, reply.advertised_v2_ipv6];
    let indicated = [indicated.v2_ipv4.max_payload, indicated.v2_ipv6.max_payload];
    assert_eq!(read, indicated, "READ, and the overlying driver");
}

/// The filter's own status indications that the overlying driver received.
#[must_use]
pub fn originated(world: &Arc<World>) -> Vec<SeenStatus> {
    let mut seen = world.seen_statuses();
    seen.retain(|status| status.source == StatusSource::Filter);
    seen
}
