//! Status indications from the miniport and the filter to the overlying driver.
#![expect(unsafe_code, reason = "indications are C structures")]

use std::{ptr, thread::ThreadId};

use ndis::sys;

use crate::{
    handles::handle,
    memory::Block,
    offload::{self, MayAdd},
    rules::{Finding, Level, Rule},
    state::State,
};

/// The miniport's handle, which is the SourceHandle of its indications.
pub(crate) const MINIPORT: usize = 0x3141_9027;

/// A status indication, as the miniport makes it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Indication {
    /// StatusCode.
    pub code: i32,
    /// The status buffer.
    pub bytes: Vec<u8>,
    /// PortNumber.
    pub port: u32,
    /// DestinationHandle.
    pub destination: usize,
    /// RequestId.
    pub request_id: usize,
    /// Guid, as the number that its bytes are in memory.
    pub guid: u128,
    /// Flags.
    pub flags: u32,
    /// Whether the miniport indicates it at DISPATCH_LEVEL.
    pub at_dispatch: bool,
}

impl Indication {
    /// An indication of `code` with `bytes`, and nothing else in it.
    #[must_use]
    pub fn new(code: i32, bytes: Vec<u8>) -> Self {
        Self {
            code,
            bytes,
            ..Self::default()
        }
    }
}

/// The source named in a status indication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusSource {
    /// The miniport.
    Miniport,
    /// The filter module.
    Filter,
    /// Another handle.
    Other(usize),
}

/// A status indication, as the overlying driver received it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenStatus {
    /// SourceHandle.
    pub source: StatusSource,
    /// All else, but for the IRQL.
    pub indication: Indication,
}

/// A status indication on its way from the miniport through the filter.
pub(crate) struct Incoming {
    thread: ThreadId,
    indication: Indication,
    forwarded: u32,
}

/// An indication in memory.
pub(crate) struct InMemory {
    pub(crate) block: Block,
    buffer: Option<Block>,
}

impl InMemory {
    pub(crate) fn new(indication: &Indication) -> Self {
        let block = Block::new(size_of::<sys::NDIS_STATUS_INDICATION>(), 16);
        let buffer = (!indication.bytes.is_empty()).then(|| Block::of(&indication.bytes));
        let raw = block.start().cast::<sys::NDIS_STATUS_INDICATION>();
        // SAFETY: the block is new and as long as the structure, and a GUID is 16 plain bytes.
        unsafe {
            (*raw).Header = sys::NDIS_OBJECT_HEADER {
                Type: sys::NDIS_OBJECT_TYPE_STATUS_INDICATION,
                Revision: sys::NDIS_STATUS_INDICATION_REVISION_1,
                Size: sys::NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
            };
            (*raw).SourceHandle = handle(MINIPORT);
            (*raw).PortNumber = indication.port;
            (*raw).StatusCode = indication.code;
            (*raw).Flags = indication.flags;
            (*raw).DestinationHandle = handle(indication.destination);
            (*raw).RequestId = handle(indication.request_id);
            (*raw).StatusBuffer = buffer
                .as_ref()
                .map_or(ptr::null_mut(), |buffer| buffer.start().cast());
            (*raw).StatusBufferSize = indication.bytes.len() as u32;
            (&raw mut (*raw).Guid)
                .cast::<u128>()
                .write_unaligned(indication.guid);
        }
        Self { block, buffer }
    }

    /// All its bytes, to detect writes.
    pub(crate) fn look(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        (self.block.bytes(), self.buffer.as_ref().map(Block::bytes))
    }
}

/// Most bytes of a status buffer that are looked at.
const MOST: u32 = 1 << 16;

/// Reads an indication that the filter makes for `module`.
///
/// # Errors
/// A description of the fault in it.
///
/// # Safety
/// `raw` points to an indication with a buffer of StatusBufferSize bytes.
pub(crate) unsafe fn read(
    raw: *const sys::NDIS_STATUS_INDICATION,
    module: sys::NDIS_HANDLE,
) -> Result<SeenStatus, String> {
    // SAFETY: as the caller vouches.
    unsafe {
        let header = (*raw).Header;
        if header.Type != sys::NDIS_OBJECT_TYPE_STATUS_INDICATION
            || header.Revision != sys::NDIS_STATUS_INDICATION_REVISION_1
            || header.Size != sys::NDIS_SIZEOF_STATUS_INDICATION_REVISION_1
        {
            return Err("its header is not that of a status indication".into());
        }
        let (buffer, size) = ((*raw).StatusBuffer, (*raw).StatusBufferSize);
        if buffer.is_null() && size != 0 || size > MOST {
            return Err(format!("{size} bytes in a buffer at {buffer:p}"));
        }
        let bytes = if size == 0 {
            Vec::new()
        } else {
            std::slice::from_raw_parts(buffer.cast::<u8>(), size as usize).to_vec()
        };
        Ok(SeenStatus {
            source: match (*raw).SourceHandle.addr() {
                MINIPORT => StatusSource::Miniport,
                source if source == module.addr() => StatusSource::Filter,
                other => StatusSource::Other(other),
            },
            indication: Indication {
                code: (*raw).StatusCode,
                bytes,
                port: (*raw).PortNumber,
                destination: (*raw).DestinationHandle.addr(),
                request_id: (*raw).RequestId.addr(),
                guid: (&raw const (*raw).Guid).cast::<u128>().read_unaligned(),
                flags: (*raw).Flags,
                at_dispatch: false,
            },
        })
    }
}

/// Whether the status buffer of `code` is an NDIS_OFFLOAD.
pub(crate) fn is_offload(code: i32) -> bool {
    matches!(
        code,
        sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG
            | sys::NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES
    )
}

/// The name for all indications of `code` in messages.
pub(crate) fn subject(code: i32) -> String {
    format!("status {code:#x}")
}

impl State {
    /// The miniport's indication reaches FilterStatus on this thread.
    pub(crate) fn status_enters(&mut self, indication: &Indication) {
        self.indications.incoming.push(Incoming {
            thread: std::thread::current().id(),
            indication: indication.clone(),
            forwarded: 0,
        });
    }

    /// FilterStatus has returned: the number of times the indication was forwarded.
    pub(crate) fn status_leaves(&mut self) -> u32 {
        let thread = std::thread::current().id();
        let own = self
            .indications
            .incoming
            .iter()
            .rposition(|one| one.thread == thread);
        own.map_or(0, |place| self.indications.incoming.remove(place).forwarded)
    }

    /// Judges an indication that the filter makes, forwarded or its own. `own` is the NIC's true
    /// configuration of that code, to which the filter `may` add.
    pub(crate) fn check_status(&mut self, seen: &SeenStatus, own: &[u8], may: MayAdd) {
        let thread = std::thread::current().id();
        let code = seen.indication.code;
        let incoming = self
            .indications
            .incoming
            .iter_mut()
            .rfind(|one| one.thread == thread && one.indication.code == code)
            .filter(|one| one.forwarded == 0 || seen.source != StatusSource::Filter);
        let wrong = match incoming {
            Some(incoming) => {
                incoming.forwarded += 1;
                wrong_forward(&incoming.indication, seen, may)
            }
            None => wrong_origin(seen, own, may),
        };
        if let Some((level, found)) = wrong {
            self.finding(subject(code), Finding::at(level, Rule::Status, found));
        }
    }
}

/// Describes the difference if `seen` is not the miniport's `incoming` forwarded unchanged.
fn wrong_forward(incoming: &Indication, seen: &SeenStatus, may: MayAdd) -> Option<(Level, String)> {
    let rewritten = is_offload(incoming.code);
    let own_source = rewritten && seen.source == StatusSource::Filter;
    if seen.source != StatusSource::Miniport && !own_source {
        // A filter may indicate a status of its own in place of another driver's.
        let level = match seen.source {
            StatusSource::Filter => Level::Product,
            _ => Level::Contract,
        };
        return Some((
            level,
            format!("passed on with SourceHandle {:?}", seen.source),
        ));
    }
    let mut expected = Indication {
        at_dispatch: false,
        ..incoming.clone()
    };
    if rewritten && let Some(size) = offload::valid_size(&incoming.bytes) {
        if let Some(found) = offload::wrong_rewrite(&incoming.bytes, &seen.indication.bytes, may) {
            return Some((Level::Contract, found));
        }
        // The bytes after the NDIS_OFFLOAD may be forwarded with it or left out.
        let now = &seen.indication.bytes;
        if now.len() == size || now.get(size..) == incoming.bytes.get(size..) {
            expected.bytes.clone_from(now);
        }
    }
    let now = &seen.indication;
    if expected == *now {
        return None;
    }
    // A filter may change what a status says, but not whose it is or where it goes.
    let address = |one: &Indication| (one.port, one.destination, one.request_id);
    let level = if address(&expected) == address(now) {
        Level::Product
    } else {
        Level::Contract
    };
    Some((
        level,
        format!("was {expected:x?}, was passed on as {now:x?}"),
    ))
}

/// Describes the fault if `seen` is not a valid indication of the filter's own.
fn wrong_origin(seen: &SeenStatus, own: &[u8], may: MayAdd) -> Option<(Level, String)> {
    wrong_own(seen, own, may).map(|found| (Level::Contract, found))
}

fn wrong_own(seen: &SeenStatus, own: &[u8], may: MayAdd) -> Option<String> {
    if seen.source != StatusSource::Filter {
        return Some(format!("originated with SourceHandle {:?}", seen.source));
    }
    if !is_offload(seen.indication.code) {
        return None;
    }
    let bytes = &seen.indication.bytes;
    let size = offload::valid_size(bytes);
    if size != Some(bytes.len()) {
        let found = format!("StatusBufferSize {}, Header.Size {size:?}", bytes.len());
        return Some(found);
    }
    if seen.indication.port != 0 {
        return Some(format!("originated for port {}", seen.indication.port));
    }
    offload::wrong_rewrite(own, bytes, may)
}
