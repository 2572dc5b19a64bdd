//! The control device as a program sees it, over a model machine.

use std::sync::Arc;

use ::control::{IoControl, Message, Select, StatisticsReply};
use lso::Refusal;
use model::World;
use mslsoctl::device::{Answer, Device, DeviceError};

/// The interface index of the filter module in the model.
pub const IF_INDEX: u32 = 7;

/// The device of `world`, as mslsoctl talks to it.
pub struct ModelDevice<'a> {
    /// The machine.
    pub world: &'a Arc<World>,
}

impl Device for ModelDevice<'_> {
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        let answer = self
            .world
            .ioctl(code.code(), input, output.len())
            .map_err(DeviceError::from_status)?;
        output[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

/// The counters of a filter module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statistics(pub StatisticsReply);

impl std::ops::Deref for Statistics {
    type Target = StatisticsReply;

    fn deref(&self) -> &StatisticsReply {
        &self.0
    }
}

/// The request that names the module and nothing else.
fn the_module() -> [u8; Select::SIZE] {
    let mut request = [0; Select::SIZE];
    let select = Select { if_index: IF_INDEX };
    select.encode(&mut request).expect("room");
    request
}

impl Statistics {
    /// Asks the driver on `world`.
    ///
    /// # Panics
    /// If it does not answer.
    #[must_use]
    pub fn of(world: &Arc<World>) -> Self {
        let code = IoControl::STATISTICS.code();
        let answer = world.ioctl(code, &the_module(), StatisticsReply::SIZE);
        let answer = answer.expect("a module is attached");
        Self(StatisticsReply::decode(&answer).expect("the protocol"))
    }

    /// Resets the counters of the driver on `world`.
    ///
    /// # Panics
    /// If it does not.
    pub fn reset(world: &Arc<World>) {
        let code = IoControl::RESET_STATISTICS.code();
        let answer = world.ioctl(code, &the_module(), 0);
        answer.expect("a module is attached");
    }

    /// Large sends refused for `reason`.
    #[must_use]
    pub fn refused_for(&self, reason: Refusal) -> u64 {
        self.refused.counters()[reason.index()]
    }

    /// Large sends refused for any reason.
    #[must_use]
    pub fn refused_in_all(&self) -> u64 {
        self.refused.in_all()
    }
}
