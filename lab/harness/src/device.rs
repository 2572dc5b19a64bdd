//! The filter's report of itself, through the control device as an administrator's program reads
//! it. So a finished image answers as well as the filter linked natively.

use std::sync::Arc;

use control::{
    Invalid, IoControl, Message, Parameters, ReadReply, Select, SetRequest, StatisticsReply, Tuning,
};
use model::{FILTER_IF_INDEX, World};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The driver refuses with this status.
    #[error("status {0:#010x}")]
    Status(i32),
    /// The reply breaks the control protocol, as one of another driver version may.
    #[error("{0}")]
    Protocol(Invalid),
}

/// The module's interface index, by which requests name it.
const SELECT: Select = Select {
    if_index: FILTER_IF_INDEX,
};

/// The counters of the filter module on `world`.
pub fn statistics(world: &Arc<World>) -> Result<StatisticsReply, ControlError> {
    ask(world, IoControl::STATISTICS)
}

/// The settings of the filter module on `world`, its NIC's limits, and its advertised sizes.
pub fn read(world: &Arc<World>) -> Result<ReadReply, ControlError> {
    ask(world, IoControl::READ)
}

/// Tunes the filter module on `world`, until its driver is unloaded.
pub fn tune(world: &Arc<World>, tuning: Tuning) -> Result<(), ControlError> {
    let request = SetRequest {
        if_index: FILTER_IF_INDEX,
        tuning,
        persist: false,
    };
    call(world, IoControl::SET, &request, 0).map(|_| ())
}

/// Tunes the filter module on `world` to what these parameters say, whether or not they are in
/// range, and writes them to the registry where they are to `persist`.
pub fn tune_by(
    world: &Arc<World>,
    parameters: Parameters,
    persist: bool,
) -> Result<(), ControlError> {
    let request = SetRequest {
        if_index: FILTER_IF_INDEX,
        tuning: Tuning::default(),
        persist,
    };
    let mut bytes = [0; SetRequest::SIZE];
    request.encode(&mut bytes).map_err(ControlError::Protocol)?;
    let words = [
        parameters.multiple,
        parameters.profile,
        parameters.cap_bytes,
    ];
    for (place, word) in bytes[TUNING..].chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let answer = world.ioctl(IoControl::SET.code(), &bytes, 0);
    answer.map(|_| ()).map_err(ControlError::Status)
}

/// Where a [`SetRequest`] has its tuning.
const TUNING: usize = 12;

fn ask<Reply: Message>(world: &Arc<World>, code: IoControl) -> Result<Reply, ControlError> {
    let reply = call(world, code, &SELECT, Reply::SIZE)?;
    Reply::decode(&reply).map_err(ControlError::Protocol)
}

fn call<Request: Message>(
    world: &Arc<World>,
    code: IoControl,
    request: &Request,
    room: usize,
) -> Result<Vec<u8>, ControlError> {
    let mut bytes = vec![0; Request::SIZE];
    request.encode(&mut bytes).map_err(ControlError::Protocol)?;
    world
        .ioctl(code.code(), &bytes, room)
        .map_err(ControlError::Status)
}
