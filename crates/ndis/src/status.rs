//! NDIS_STATUS as a type, and the step from a status to a `Result`.

use crate::sys;

/// The status of an NDIS or kernel routine. Zero and positive values are successes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Status(pub sys::NDIS_STATUS);

impl Status {
    /// The operation is done.
    pub const SUCCESS: Self = Self(sys::NDIS_STATUS_SUCCESS);
    /// The operation is pending and its completion routine will be called.
    pub const PENDING: Self = Self(sys::NDIS_STATUS_PENDING);
    /// Memory or another bounded resource ran out; trying again later may work.
    pub const RESOURCES: Self = Self(sys::NDIS_STATUS_RESOURCES);
    /// The filter module is paused and accepts no sends.
    pub const PAUSED: Self = Self(sys::NDIS_STATUS_PAUSED);
    /// The packet breaks a rule that the sender has to keep.
    pub const INVALID_PACKET: Self = Self(sys::NDIS_STATUS_INVALID_PACKET);
    /// The NDIS on this machine is older than the driver needs.
    pub const BAD_VERSION: Self = Self(sys::NDIS_STATUS_BAD_VERSION);
    /// The driver does not support the medium.
    pub const UNSUPPORTED_MEDIA: Self = Self(sys::NDIS_STATUS_UNSUPPORTED_MEDIA);

    /// A request that is not understood.
    pub const INVALID_PARAMETER: Self = Self(sys::STATUS_INVALID_PARAMETER);
    /// A request that the device does not have.
    pub const INVALID_DEVICE_REQUEST: Self = Self(sys::STATUS_INVALID_DEVICE_REQUEST);
    /// The buffer has no room for the reply.
    pub const BUFFER_TOO_SMALL: Self = Self(sys::STATUS_BUFFER_TOO_SMALL);
    /// A request in another version of the protocol.
    pub const REVISION_MISMATCH: Self = Self(sys::STATUS_REVISION_MISMATCH);
    /// The device has nothing of that name.
    pub const OBJECT_NAME_NOT_FOUND: Self = Self(sys::STATUS_OBJECT_NAME_NOT_FOUND);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(sys::STATUS_NOT_FOUND);

    /// Whether the operation succeeded, as in the WDK's `NT_SUCCESS`.
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// `Ok` for a success, the status itself otherwise.
    pub const fn ok(self) -> Result<(), Self> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}
