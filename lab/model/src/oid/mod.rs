//! OID requests: those of the overlying driver, the filter's clones of them, and the model's record
//! of each.
#![expect(unsafe_code, reason = "requests are C structures")]

mod ledger;
pub(crate) mod raw;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use ndis::sys;

use crate::{
    guard,
    memory::Block,
    offload::{self, MayAdd},
    rules::{Finding, Level, Rule},
};
use raw::{counts, fill, without_counts};

/// The type of request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OidKind {
    /// NdisRequestQueryInformation.
    Query,
    /// NdisRequestQueryStatistics.
    Statistics,
    /// NdisRequestSetInformation.
    Set,
    /// NdisRequestMethod, with its MethodId.
    Method(u32),
}

/// The header of a request, as the overlying driver fills it in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OidHeader {
    /// The header of revision 2.
    #[default]
    Valid,
    /// All zero, as are RequestId and RequestHandle: so the PPPoE protocol driver of Windows sends
    /// them.
    Empty,
    /// Revision 0.
    NoRevision,
    /// A Size of one byte less than revision 1 has.
    Short,
    /// The type of another object.
    OtherType,
}

impl OidHeader {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Valid,
        Self::Empty,
        Self::NoRevision,
        Self::Short,
        Self::OtherType,
    ];

    fn raw(self) -> sys::NDIS_OBJECT_HEADER {
        let valid = sys::NDIS_OBJECT_HEADER {
            Type: sys::NDIS_OBJECT_TYPE_OID_REQUEST,
            Revision: sys::NDIS_OID_REQUEST_REVISION_2,
            Size: sys::NDIS_SIZEOF_OID_REQUEST_REVISION_2,
        };
        let (kind, revision, size) = match self {
            Self::Valid => return valid,
            Self::Empty => (0, 0, 0),
            Self::NoRevision => (valid.Type, 0, valid.Size),
            Self::Short => (
                valid.Type,
                sys::NDIS_OID_REQUEST_REVISION_1,
                sys::NDIS_SIZEOF_OID_REQUEST_REVISION_1 - 1,
            ),
            Self::OtherType => (sys::NDIS_OBJECT_TYPE_DEFAULT, 1, valid.Size),
        };
        sys::NDIS_OBJECT_HEADER {
            Type: kind,
            Revision: revision,
            Size: size,
        }
    }
}

/// A request, as the overlying driver makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OidCall {
    /// The type of request.
    pub kind: OidKind,
    /// The object identifier.
    pub oid: u32,
    /// The contents of the information buffer on the way down.
    pub input: Vec<u8>,
    /// Bytes of the information buffer that an answer may fill.
    pub room: u32,
    /// PortNumber.
    pub port: u32,
    /// Whether it is made at DISPATCH_LEVEL.
    pub at_dispatch: bool,
    /// Its header.
    pub header: OidHeader,
}

impl OidCall {
    /// A query whose answer may have `room` bytes.
    #[must_use]
    pub fn query(oid: u32, room: u32) -> Self {
        Self {
            kind: OidKind::Query,
            oid,
            input: Vec::new(),
            room,
            port: 0,
            at_dispatch: false,
            header: OidHeader::Valid,
        }
    }

    /// A setting.
    #[must_use]
    pub fn set(oid: u32, input: Vec<u8>) -> Self {
        Self {
            kind: OidKind::Set,
            input,
            ..Self::query(oid, 0)
        }
    }

    /// A setting whose answer may have `room` bytes.
    #[must_use]
    pub fn method(oid: u32, method: u32, input: Vec<u8>, room: u32) -> Self {
        Self {
            kind: OidKind::Method(method),
            input,
            ..Self::query(oid, room)
        }
    }
}

/// The outcome of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OidResult {
    /// Its status; NDIS_STATUS_PENDING while it is under way.
    pub status: i32,
    /// The answer: as much of the information buffer as was written.
    pub bytes: Vec<u8>,
    /// BytesWritten.
    pub written: u32,
    /// BytesRead.
    pub read: u32,
    /// BytesNeeded.
    pub needed: u32,
}

/// A request of the overlying driver.
pub(crate) struct Asked {
    pub(crate) call: OidCall,
    pub(crate) request: Block,
    pub(crate) buffer: Block,
    /// The request's bytes as it went down, without its byte counts.
    before: Vec<u8>,
    /// The request's and the buffer's bytes when it was completed.
    after: Option<(Vec<u8>, Vec<u8>)>,
    /// The miniport's answer to it, or to a clone of it.
    pub(crate) answer: Option<OidResult>,
    pub(crate) result: Option<OidResult>,
}

/// A clone of a request that the filter made.
pub(crate) struct CloneOf {
    pub(crate) request: Block,
    /// Number of the original.
    pub(crate) of: u64,
}

/// A request that the miniport has.
pub(crate) struct Below {
    pub(crate) address: usize,
    pub(crate) request_id: usize,
    /// Number of the overlying driver's request that it is or was cloned from; none for the
    /// filter's own.
    pub(crate) of: Option<u64>,
    /// Its bytes, to detect writes while it is in progress; none for the filter's own.
    pub(crate) look: Vec<u8>,
    /// Whether it is the original, which the filter never saw.
    pub(crate) direct: bool,
    /// Whether a thread is completing it.
    pub(crate) completing: bool,
    /// When the miniport got it, by the model's clock.
    pub(crate) since: Duration,
}

/// A direct request that the miniport has.
pub(crate) struct DirectBelow {
    /// Its RequestId.
    pub(crate) id: usize,
    /// Its bytes, of a clone.
    pub(crate) look: Option<Vec<u8>>,
}

/// All requests.
#[derive(Default)]
pub(crate) struct Oids {
    pub(crate) asked: BTreeMap<u64, Asked>,
    pub(crate) clones: BTreeMap<usize, CloneOf>,
    /// The requests that wait for their turn.
    pub(crate) queue: VecDeque<u64>,
    /// The request that is in progress.
    pub(crate) current: Option<u64>,
    /// When the filter got that one, by the model's clock; later by the time for which the miniport
    /// has had it.
    pub(crate) entered: Duration,
    pub(crate) below: Option<Below>,
    /// The direct requests of the overlying driver that are under way.
    pub(crate) direct: BTreeSet<u64>,
    /// The direct requests that the miniport has, by address.
    pub(crate) direct_below: BTreeMap<usize, DirectBelow>,
    /// Addresses of the filter's own requests that wait for the miniport to be free.
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) next: u64,
}

/// The RequestId of the overlying driver's request `number`.
pub(crate) fn request_id(number: u64) -> usize {
    0x01D0_0000 + number as usize
}

impl Asked {
    /// The request of `call`, as the overlying driver and NDIS make it.
    pub(crate) fn new(call: OidCall, number: u64) -> Self {
        let mut bytes = call.input.clone();
        bytes.resize(bytes.len().max(call.room as usize), 0xA7);
        let buffer = Block::of(&bytes);
        let request = Block::new(size_of::<sys::NDIS_OID_REQUEST>(), 16);
        // SAFETY: the block is new and as long as the structure.
        unsafe { fill(request.start().cast(), &call, number, &buffer) };
        let before = without_counts(&request, call.kind);
        Self {
            call,
            request,
            buffer,
            before,
            after: None,
            answer: None,
            result: None,
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::NDIS_OID_REQUEST {
        self.request.start().cast()
    }

    /// The RequestId that a clone of it has to carry.
    pub(crate) fn request_id(&self) -> usize {
        // SAFETY: the request lives as long as `self`.
        unsafe { (*self.raw()).RequestId.addr() }
    }

    /// Whether a completed request was written to.
    fn touched(&self) -> bool {
        for block in [&self.request, &self.buffer] {
            guard::open(block.start());
        }
        let now = || (self.request.bytes(), self.buffer.bytes());
        self.after.as_ref().is_some_and(|after| *after != now())
    }

    /// The request's answer as it stands in memory.
    pub(crate) fn read_result(&self, status: i32) -> OidResult {
        // SAFETY: the request lives as long as `self`.
        let (written, read, needed) = unsafe { counts(self.raw()) };
        let mut bytes = self.buffer.bytes();
        bytes.truncate(written as usize);
        OidResult {
            status,
            bytes,
            written,
            read,
            needed,
        }
    }

    /// Checks a completed request, and remembers its bytes.
    pub(crate) fn came_back(&mut self, status: i32, may: MayAdd, broken: &mut Vec<Finding>) {
        let mut add = |level, found: String| broken.push(Finding::at(level, Rule::Oid, found));
        if without_counts(&self.request, self.call.kind) != self.before {
            let found = "came back with more than its byte counts changed";
            add(Level::Contract, found.into());
        }
        if status == sys::NDIS_STATUS_PENDING {
            let found = "completed with NDIS_STATUS_PENDING, which is no final status";
            add(Level::Contract, found.into());
        }
        let result = self.read_result(status);
        if let Some(found) = self.wrong_counts(&result) {
            add(Level::Contract, found);
        }
        if let Some(answer) = &self.answer {
            if answer.status != status {
                let found = format!("status {status:#x}, the miniport has {:#x}", answer.status);
                // A failure of the miniport is one for the overlying driver too; a filter that
                // fails what succeeded is within its rights.
                let level = if answer.status < 0 && status >= 0 {
                    Level::Contract
                } else {
                    Level::Product
                };
                add(level, found);
            }
            let same = (result.written, result.read, result.needed)
                == (answer.written, answer.read, answer.needed);
            if !same {
                let found = format!(
                    "{}, {} and {} bytes written, read and needed, the miniport has {}, {} and {}",
                    result.written,
                    result.read,
                    result.needed,
                    answer.written,
                    answer.read,
                    answer.needed
                );
                // An answer that the filter changed has other counts, a lost one has none.
                let lost = status >= 0 && result.written == 0 && answer.written > 0;
                let lost = lost || status >= 0 && result.read == 0 && answer.read > 0;
                // Never written at all.
                let stale = |count: u32, of: u32| count == raw::STALE && of != raw::STALE;
                let lost = lost
                    || stale(result.written, answer.written)
                    || stale(result.read, answer.read)
                    || stale(result.needed, answer.needed);
                add(
                    if lost {
                        Level::Contract
                    } else {
                        Level::Product
                    },
                    found,
                );
            }
            if let Some(found) = self.wrong_answer(answer, &result, may) {
                add(Level::Product, found);
            }
            // SAFETY: the request lives as long as `self`.
            if self.call.header == OidHeader::Valid && !unsafe { raw::has_revision(self.raw()) } {
                // The documentation asks for it of set requests.
                let level = if self.call.kind == OidKind::Set && status == sys::NDIS_STATUS_SUCCESS
                {
                    Level::Contract
                } else {
                    Level::Product
                };
                add(level, "without the miniport's SupportedRevision".into());
            }
        } else if self.is_set_with_revision()
            && status == sys::NDIS_STATUS_SUCCESS
            // SAFETY: the request lives as long as `self`.
            && unsafe { (*self.raw()).SupportedRevision } == 0
        {
            let found = "a set that the filter answers itself, without SupportedRevision";
            let page = "ddi/oidrequest/ns-oidrequest-ndis_oid_request";
            broken.push(Finding::new(Rule::Oid, found).on(page));
        } else if status == sys::NDIS_STATUS_RESOURCES
            && (result.written, result.read, result.needed) != (0, 0, 0)
        {
            let found = "never went down, and says how many bytes were done";
            add(Level::Product, found.into());
        }
        self.after = Some((self.request.bytes(), self.buffer.bytes()));
        self.result = Some(result);
        for block in [&self.request, &self.buffer] {
            guard::close(block.start(), "of an OID request that was completed");
        }
    }

    /// Whether it sets a structure that has a revision.
    fn is_set_with_revision(&self) -> bool {
        self.call.kind == OidKind::Set && self.call.oid == sys::OID_TCP_OFFLOAD_PARAMETERS
    }

    /// Describes byte counts of a successful request that cannot be true: more than there is.
    fn wrong_counts(&self, result: &OidResult) -> Option<String> {
        let succeeded = result.status == sys::NDIS_STATUS_SUCCESS;
        if succeeded && result.written > self.call.room {
            let (written, room) = (result.written, self.call.room);
            return Some(format!("{written} bytes written in room for {room}"));
        }
        if succeeded && result.read as usize > self.call.input.len() {
            let (read, all) = (result.read, self.call.input.len());
            return Some(format!("{read} bytes read of {all}"));
        }
        None
    }

    /// Describes a change to the answer that the filter may not make.
    fn wrong_answer(&self, answer: &OidResult, result: &OidResult, may: MayAdd) -> Option<String> {
        let offload = matches!(
            self.call.oid,
            sys::OID_TCP_OFFLOAD_CURRENT_CONFIG | sys::OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES
        );
        if offload && answer.status == sys::NDIS_STATUS_SUCCESS {
            return offload::wrong_rewrite(&answer.bytes, &result.bytes, may);
        }
        (answer.bytes != result.bytes).then(|| "the answer changed on its way".into())
    }
}
