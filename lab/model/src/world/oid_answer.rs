//! The miniport's answers to OID requests.
#![expect(unsafe_code, reason = "requests are C structures")]

use std::{mem::offset_of, sync::Arc};

use ndis::sys::{self, NDIS_OFFLOAD_PARAMETERS as Parameters};

use super::World;
use crate::{
    capabilities::Enabled,
    oid::{
        OidCall, OidKind, OidResult,
        raw::{read_call, write_answer},
    },
    virtual_switch,
};

impl World {
    /// Makes the miniport answer `request`: its status, its answer in the buffer, its counts.
    pub(super) fn miniport_answers(
        self: &Arc<Self>,
        request: *mut sys::NDIS_OID_REQUEST,
        abort: Option<i32>,
    ) -> i32 {
        let of = self.state().oids.below.as_ref().and_then(|below| below.of);
        self.answer(request, of.unwrap_or(u64::MAX), abort)
    }

    /// The same for the overlying driver's request `of`, or a clone of it, if there is one.
    pub(super) fn answer(
        self: &Arc<Self>,
        request: *mut sys::NDIS_OID_REQUEST,
        of: u64,
        abort: Option<i32>,
    ) -> i32 {
        // SAFETY: a request that the miniport has is live, and so is its buffer.
        let call = unsafe { read_call(request) };
        let answer = match (abort, call) {
            (Some(status), _) => failed(status, 0),
            (None, Some(call)) => self.miniport_answer(&call),
            (None, None) => failed(sys::NDIS_STATUS_INVALID_PARAMETER, 0),
        };
        // SAFETY: as above.
        unsafe { write_answer(request, &answer) };
        let status = answer.status;
        let mut state = self.state();
        if let Some(asked) = state.oids.asked.get_mut(&of) {
            asked.answer = Some(answer);
        }
        status
    }

    /// The miniport's answer to `call`.
    fn miniport_answer(self: &Arc<Self>, call: &OidCall) -> OidResult {
        let nic = self.nic();
        let offload = matches!(
            call.oid,
            sys::OID_TCP_OFFLOAD_CURRENT_CONFIG | sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES
        );
        if self.state().life.switch_extension
            && let Some(bytes) = virtual_switch::answer(call)
        {
            return of_switch(call, bytes);
        }
        let own = match call.oid {
            _ if offload && !self.config.has_offload => None,
            sys::OID_TCP_OFFLOAD_CURRENT_CONFIG => Some(nic.offload_config()),
            sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES => Some(nic.offload_hardware()),
            oid => nic
                .answers
                .iter()
                .find(|(known, _)| *known == oid)
                .map(|(_, bytes)| bytes.clone()),
        };
        match (call.kind, own) {
            (OidKind::Query | OidKind::Statistics | OidKind::Method(_), Some(bytes)) => {
                answered(call, bytes)
            }
            (OidKind::Set, _) if call.oid == sys::OID_TCP_OFFLOAD_PARAMETERS => {
                self.set_offload_parameters(&call.input)
            }
            (OidKind::Set, Some(_)) => OidResult {
                read: call.input.len() as u32,
                ..failed(sys::NDIS_STATUS_SUCCESS, 0)
            },
            (_, None) => failed(sys::NDIS_STATUS_NOT_SUPPORTED, 0),
        }
    }

    /// OID_TCP_OFFLOAD_PARAMETERS turns offloads on or off; the miniport then indicates its new
    /// configuration.
    fn set_offload_parameters(self: &Arc<Self>, input: &[u8]) -> OidResult {
        let least = sys::NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1;
        if input.len() < usize::from(least) || input[0] != sys::NDIS_OBJECT_TYPE_DEFAULT {
            return failed(sys::NDIS_STATUS_INVALID_LENGTH, least.into());
        }
        self.nic_changes(|nic| turn(&mut nic.enabled, input));
        OidResult {
            read: input.len() as u32,
            ..failed(sys::NDIS_STATUS_SUCCESS, 0)
        }
    }
}

/// Turns on or off the offloads that the parameters name; those that they leave out, or that their
/// revision lacks, stay.
fn turn(on: &mut Enabled, parameters: &[u8]) {
    let at = |field: usize| parameters.get(field).copied().unwrap_or_default();
    let switched = |on: &mut bool, field: usize| match at(field) {
        sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED => *on = false,
        sys::NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED => *on = true,
        _ => {}
    };
    switched(&mut on.v1, offset_of!(Parameters, LsoV1));
    switched(&mut on.v2_ipv4, offset_of!(Parameters, LsoV2IPv4));
    switched(&mut on.v2_ipv6, offset_of!(Parameters, LsoV2IPv6));
    if at(1) >= sys::NDIS_OFFLOAD_PARAMETERS_REVISION_5 {
        switched(
            &mut on.uso_ipv4,
            offset_of!(Parameters, UdpSegmentation.IPv4),
        );
        switched(
            &mut on.uso_ipv6,
            offset_of!(Parameters, UdpSegmentation.IPv6),
        );
    }
    let sends = |on: &mut bool, field: usize| match at(field) {
        sys::NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED
        | sys::NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED => *on = false,
        sys::NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED
        | sys::NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED => *on = true,
        _ => {}
    };
    sends(&mut on.ip_header, offset_of!(Parameters, IPv4Checksum));
    sends(&mut on.tcp_ipv4, offset_of!(Parameters, TCPIPv4Checksum));
    sends(&mut on.udp_ipv4, offset_of!(Parameters, UDPIPv4Checksum));
    sends(&mut on.tcp_ipv6, offset_of!(Parameters, TCPIPv6Checksum));
    sends(&mut on.udp_ipv6, offset_of!(Parameters, UDPIPv6Checksum));
}

fn failed(status: i32, needed: u32) -> OidResult {
    OidResult {
        status,
        bytes: Vec::new(),
        written: 0,
        read: 0,
        needed,
    }
}

/// The virtual switch's answer with `bytes`, which say by another status that they do not fit.
fn of_switch(call: &OidCall, bytes: Vec<u8>) -> OidResult {
    if call.kind != OidKind::Set && bytes.len() as u32 > call.room {
        return failed(sys::NDIS_STATUS_INVALID_LENGTH, bytes.len() as u32);
    }
    answered(call, bytes)
}

fn answered(call: &OidCall, bytes: Vec<u8>) -> OidResult {
    let length = bytes.len() as u32;
    if length > call.room {
        return failed(sys::NDIS_STATUS_BUFFER_TOO_SHORT, length);
    }
    OidResult {
        bytes,
        written: length,
        read: call.input.len() as u32,
        ..failed(sys::NDIS_STATUS_SUCCESS, 0)
    }
}
