//! The control plane: status indications, OID requests and settings.

use control::{IoControl, Parameters};
use model::{Indication, LargeSendLimit, LargeSendLimits, OidCall, OidHeader, OidKind};
use ndis::sys;

use super::Run;
use crate::{
    nic,
    step::{Control, NetEvent, Oid, Status},
};
use harness::device;

impl Run<'_> {
    /// The overlying driver turns these offloads off, and all others on.
    pub(super) fn enable(&self, off: u16) -> bool {
        if !self.has_offload {
            return false;
        }
        let call = OidCall::set(sys::OID_TCP_OFFLOAD_PARAMETERS, nic::parameters(off));
        self.world.oid(call).status == sys::NDIS_STATUS_SUCCESS
    }

    pub(super) fn indicate(&self, status: &Status) -> bool {
        self.world.indicate_with(&Indication {
            port: status.port,
            at_dispatch: status.at_dispatch,
            ..Indication::new(status.code, status.bytes.clone())
        });
        true
    }

    /// Whether it was taken: of numbers out of range, nothing is.
    pub(super) fn tune(&self, [multiple, profile, cap_bytes]: [u32; 3], persist: bool) -> bool {
        let parameters = Parameters {
            multiple,
            profile,
            cap_bytes,
        };
        device::tune_by(&self.world, parameters, persist).is_ok()
    }

    pub(super) fn control(&mut self, request: &Control) -> bool {
        let Control { code, input, room } = request;
        let _ = self.world.device_control(*code, input, *room as usize);
        if *code == IoControl::RESET_STATISTICS.code() {
            self.counts = None;
        }
        true
    }

    pub(super) fn ask(&mut self, oid: &Oid) -> bool {
        let changes = oid.oid == sys::OID_TCP_OFFLOAD_PARAMETERS;
        if changes && !self.has_offload {
            return false;
        }
        let kind = match oid.kind {
            0 => OidKind::Query,
            1 => OidKind::Statistics,
            2 => OidKind::Set,
            method => OidKind::Method(method - 3),
        };
        let asks = matches!(kind, OidKind::Query | OidKind::Statistics);
        self.oid = Some(self.world.start_oid(OidCall {
            kind,
            oid: oid.oid,
            input: if asks { Vec::new() } else { oid.input.clone() },
            room: if kind == OidKind::Set { 0 } else { oid.room },
            port: oid.port,
            at_dispatch: oid.at_dispatch,
            header: OidHeader::ALL[oid.header as usize % OidHeader::ALL.len()],
        }));
        true
    }

    pub(super) fn cancel_oid(&mut self) -> bool {
        let last = self.oid.take();
        if let Some(number) = last {
            self.world.cancel_oid(number);
        }
        last.is_some()
    }

    pub(super) fn net_event(&self, event: &NetEvent) -> bool {
        // NetEventFilterPreDetach is a step of its own.
        let sent = self.is_attached() && event.event != sys::NetEventFilterPreDetach;
        if sent {
            let NetEvent {
                event,
                bytes,
                answer,
            } = event;
            self.world.net_event(*event, bytes, *answer);
        }
        sent
    }

    pub(super) fn trace(&self, session: Option<(u8, u64)>) -> bool {
        match session {
            Some((level, keyword)) => self.world.enable_tracing(level, keyword),
            None => self.world.disable_tracing(),
        }
        true
    }

    /// A guest arrives with the sizes that another host advertised to it.
    pub(super) fn migrate(&self, sizes: [u32; 5]) -> bool {
        let [v1, v2_ipv4, v2_ipv6, ..] = sizes.map(|max_payload| LargeSendLimit {
            max_payload,
            min_segments: 2,
        });
        self.world.also_advertised(LargeSendLimits {
            v1,
            v2_ipv4,
            v2_ipv6,
        });
        let mut uso = self.world.advertised_uso();
        uso.ipv4.max_payload = sizes[3];
        uso.ipv6.max_payload = sizes[4];
        self.world.also_advertised_uso(uso);
        true
    }
}
