//! The reason for which a send fails, and its status.

use lso::Refusal;
use ndis::{BufferError, Nbl, Status};

/// The reason for which a send fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SendError {
    /// The packet cannot be split because of its contents.
    Refused(Refusal),
    /// Allocating children, a mapping, or a copy failed.
    LowMemory,
    /// The module is paused.
    Paused,
}

impl SendError {
    /// The status for the overlying driver.
    fn status(self) -> Status {
        match self {
            Self::Refused(_) => Status::INVALID_PACKET,
            Self::LowMemory => Status::RESOURCES,
            Self::Paused => Status::PAUSED,
        }
    }

    /// Prepares `nbl` for completion: sets a status, and, for a TCP large send, the report that
    /// nothing was sent.
    pub(crate) fn fail(self, mut nbl: Nbl) -> Nbl {
        let info = nbl.large_send();
        if info.mss() != 0 {
            nbl.set_large_send(info.transmit_complete(0));
        }
        nbl.set_status(self.status());
        nbl
    }
}

impl From<Refusal> for SendError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BufferError> for SendError {
    fn from(error: BufferError) -> Self {
        match error {
            BufferError::Malformed => Self::Refused(Refusal::MalformedLargeSend),
            BufferError::NotMapped | BufferError::NoMemory => Self::LowMemory,
        }
    }
}
