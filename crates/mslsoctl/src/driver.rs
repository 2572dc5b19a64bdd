//! The protocol, call by call.

use control::{
    AdapterEntry, DriverVersion, Invalid, IoControl, ListReply, ListRequest, Message, ReadReply,
    Select, SetRequest, SetSettingsRequest, SettingsReply, StatisticsReply, VersionRequest,
};

use crate::adapter::Adapter;
use crate::device::{Device, DeviceError};
use crate::failure::Failure;

/// Adapters for which the first request for the list has room.
const ROOM: usize = 16;

/// Adapters beyond which a list is not believed.
const MAX_ADAPTERS: usize = 65_536;

/// The driver behind a device.
pub struct Driver<'a> {
    device: &'a mut dyn Device,
}

impl<'a> Driver<'a> {
    /// The driver behind `device`.
    pub fn new(device: &'a mut dyn Device) -> Self {
        Self { device }
    }

    /// All adapters to which the filter is attached.
    pub fn adapters(&mut self) -> Result<Vec<AdapterEntry>, Failure> {
        let request = encoded(&ListRequest)?;
        let mut room = ROOM;
        while room <= MAX_ADAPTERS {
            let mut output = vec![0; ListReply::size_of(room)];
            match self.device.control(IoControl::LIST, &request, &mut output) {
                Ok(length) => {
                    let list = ListReply::decode(reply(&output, length)?)?;
                    if list.is_whole() {
                        return Ok(list.iter().collect());
                    }
                    // One to spare, in case an adapter arrives meanwhile.
                    let total = usize::try_from(list.total()).unwrap_or(usize::MAX);
                    room = total.saturating_add(1).max(room + 1);
                }
                Err(DeviceError::BufferTooSmall) => room *= 2,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Invalid::Count.into())
    }

    /// The driver's version; `None` for a driver that has no code to ask for it.
    pub fn version(&mut self) -> Result<Option<DriverVersion>, Failure> {
        if_known(self.query(IoControl::DRIVER_VERSION, &VersionRequest))
    }

    /// An adapter's settings and limits.
    pub fn read(&mut self, adapter: &Adapter) -> Result<ReadReply, Failure> {
        self.query(IoControl::READ, &select(adapter))
    }

    /// An adapter's settings, in effect and in the registry; `None` for a driver that has no code to
    /// ask for them.
    pub fn settings(&mut self, adapter: &Adapter) -> Result<Option<SettingsReply>, Failure> {
        if_known(self.query(IoControl::READ_SETTINGS, &select(adapter)))
    }

    /// An adapter's statistics.
    pub fn statistics(&mut self, adapter: &Adapter) -> Result<StatisticsReply, Failure> {
        self.query(IoControl::STATISTICS, &select(adapter))
    }

    /// Puts an adapter's statistics back to zero.
    pub fn reset_statistics(&mut self, adapter: &Adapter) -> Result<(), Failure> {
        self.send(IoControl::RESET_STATISTICS, &select(adapter))
    }

    /// Sets an adapter's tuning.
    pub fn set(&mut self, request: &SetRequest) -> Result<(), Failure> {
        self.send(IoControl::SET, request)
    }

    /// Writes settings of an adapter to the registry.
    pub fn set_settings(&mut self, request: &SetSettingsRequest) -> Result<(), Failure> {
        self.send(IoControl::SET_SETTINGS, request)
    }

    fn query<R: Message>(&mut self, code: IoControl, request: &impl Message) -> Result<R, Failure> {
        let mut output = vec![0; R::SIZE];
        let length = self.device.control(code, &encoded(request)?, &mut output)?;
        Ok(R::decode(reply(&output, length)?)?)
    }

    fn send(&mut self, code: IoControl, request: &impl Message) -> Result<(), Failure> {
        self.device.control(code, &encoded(request)?, &mut [])?;
        Ok(())
    }
}

/// The reply to a code that a driver of before it does not have.
fn if_known<R>(reply: Result<R, Failure>) -> Result<Option<R>, Failure> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(Failure::Device(DeviceError::UnknownCode)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn select(adapter: &Adapter) -> Select {
    Select {
        if_index: adapter.if_index,
    }
}

fn encoded<M: Message>(message: &M) -> Result<Vec<u8>, Invalid> {
    let mut bytes = vec![0; M::SIZE];
    message.encode(&mut bytes)?;
    Ok(bytes)
}

/// The reply's bytes, if the device returned `length` of them.
fn reply(output: &[u8], length: usize) -> Result<&[u8], Invalid> {
    output.get(..length).ok_or(Invalid::Size)
}
