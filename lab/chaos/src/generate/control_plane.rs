//! Generates the control plane: indications, OID requests and control requests.

use control::{IoControl, Message, Select, SetRequest, Tuning};
use model::{FILTER_IF_INDEX, MINIPORT_IF_INDEX};
use ndis::sys;

use super::Generator;
use crate::step::{Control, NetEvent, Oid, Status, Step};

/// Headers of buffers that are no NDIS_OFFLOAD, with the length of each buffer.
const MALFORMED: [([u8; 4], usize); 8] = [
    ([0xA7, 7, 216, 0], 4),
    ([0xA7, 7, 216, 0], 215),
    ([0xA7, 1, 112, 0], 111),
    ([0xA7, 1, 111, 0], 216),
    ([0xA7, 0, 216, 0], 216),
    ([0xA8, 7, 216, 0], 216),
    ([0xA7, 7, 0xFF, 0xFF], 216),
    ([0, 0, 0, 0], 400),
];

/// Objects of the OID requests: those of offloads, one that the NIC supports, and one that it does
/// not.
const OIDS: [u32; 5] = [
    sys::OID_TCP_OFFLOAD_CURRENT_CONFIG,
    sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
    sys::OID_GEN_STATISTICS,
    sys::OID_TCP_TASK_OFFLOAD,
    sys::OID_TCP_OFFLOAD_PARAMETERS,
];

impl Generator {
    fn any_bytes(&mut self, most: u64) -> Vec<u8> {
        let mut bytes = vec![0; self.below(most) as usize];
        self.random.fill(&mut bytes);
        bytes
    }

    pub(super) fn status(&mut self) -> Step {
        let (code, bytes) = match self.below(3) {
            0 => (
                self.random.number() as i32 & 0x4FFF_FFFF,
                self.any_bytes(40),
            ),
            which => {
                let (header, length) = self.pick(&MALFORMED);
                let mut bytes = vec![2; length];
                bytes[..4].copy_from_slice(&header);
                if self.percent(20) {
                    bytes.truncate(self.below(4) as usize);
                }
                let code = if which == 1 {
                    sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG
                } else {
                    sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES
                };
                (code, bytes)
            }
        };
        Step::Status(Status {
            code,
            bytes,
            port: self.pick(&[0, 0, 3]),
            at_dispatch: self.flag(),
        })
    }

    pub(super) fn net_event(&mut self) -> Step {
        Step::NetEvent(NetEvent {
            event: self.below(20) as i32,
            bytes: self.any_bytes(24),
            answer: self.pick(&[
                sys::NDIS_STATUS_SUCCESS,
                sys::NDIS_STATUS_FAILURE,
                sys::NDIS_STATUS_NOT_SUPPORTED,
            ]),
        })
    }

    pub(super) fn session(&mut self) -> Option<(u8, u64)> {
        let keyword = self.pick(&[u64::MAX, 1, 2, 4, 8, 0]);
        self.percent(70).then(|| (self.below(6) as u8, keyword))
    }

    pub(super) fn oid(&mut self) -> Oid {
        let oid = if self.percent(80) {
            self.pick(&OIDS)
        } else {
            self.random.number() as u32
        };
        let kind = self.pick(&[0, 0, 0, 1, 2, 3, 4]);
        Oid {
            kind,
            oid,
            input: self.any_bytes(64),
            room: match self.below(3) {
                0 => self.from(0, 400),
                _ => 216,
            },
            port: self.pick(&[0, 0, 0, 3]),
            at_dispatch: self.flag(),
            header: self.pick(&[0, 0, 0, 0, 0, 1, 1, 2, 3, 4]),
        }
    }

    /// A request to the control device: right, nearly right, or anything.
    pub(super) fn control(&mut self) -> Step {
        let code = if self.percent(90) {
            // Statistics are reset by a step of its own. Settings that are read at attach are not
            // written: the NIC is made to match them.
            let codes = [
                IoControl::LIST,
                IoControl::READ,
                IoControl::STATISTICS,
                IoControl::SET,
                IoControl::READ_SETTINGS,
            ];
            self.pick(&codes).code()
        } else {
            self.random.number() as u32
        };
        let mut input = match self.below(4) {
            0 => self.any_bytes(80),
            1 => vec![1, 0, 1, 0, 8, 0, 0, 0],
            2 => self.select(),
            _ => self.set(),
        };
        if self.percent(25) && !input.is_empty() {
            let at = self.below(input.len() as u64) as usize;
            input[at] = self.random.number() as u8;
        }
        Step::Control(Control {
            code,
            input,
            room: self.pick(&[0, 7, 16, 100, 288, 368, 600, 2000]),
        })
    }

    fn if_index(&mut self) -> u32 {
        self.pick(&[FILTER_IF_INDEX, FILTER_IF_INDEX, MINIPORT_IF_INDEX, 99])
    }

    fn select(&mut self) -> Vec<u8> {
        encoded(&Select {
            if_index: self.if_index(),
        })
    }

    fn set(&mut self) -> Vec<u8> {
        let [multiple, profile, cap_bytes] = self.tuning();
        let (tuning, _) = Tuning::from_parameters(Some(multiple), Some(profile), Some(cap_bytes));
        encoded(&SetRequest {
            if_index: self.if_index(),
            tuning,
            persist: self.flag(),
        })
    }
}

fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut bytes = vec![0; M::SIZE];
    // A message that cannot be encoded is left out.
    match message.encode(&mut bytes) {
        Ok(_) => bytes,
        Err(_) => Vec::new(),
    }
}
