//! The control protocol between the driver and the administrator's tool.
//!
//! Both sides of the device share this crate and nothing else. It is pure: bytes in, values out,
//! and back.
//!
//! # Steps of a call
//!
//! 1. The tool opens [`WIN32_NAME`], accessible to SYSTEM and administrators only ([`SDDL`]).
//! 2. It [encodes](Message::encode) a request and sends it with its [`IoControl`] code.
//! 3. The driver recognizes the [code](IoControl::from_code), [decodes](Message::decode) the
//!    request, carries it out, and encodes the reply into the same buffer.
//! 4. The tool decodes the reply.
//!
//! | code | request | reply |
//! |---|---|---|
//! | [`IoControl::LIST`] | [`ListRequest`] | [`ListReply`], written with a [`ListWriter`] |
//! | [`IoControl::READ`] | [`Select`] | [`ReadReply`] |
//! | [`IoControl::STATISTICS`] | [`Select`] | [`StatisticsReply`] |
//! | [`IoControl::SET`] | [`SetRequest`] | none |
//! | [`IoControl::RESET_STATISTICS`] | [`Select`] | none |
//! | [`IoControl::DRIVER_VERSION`] | [`VersionRequest`] | [`DriverVersion`] |
//! | [`IoControl::READ_SETTINGS`] | [`Select`] | [`SettingsReply`] |
//! | [`IoControl::SET_SETTINGS`] | [`SetSettingsRequest`] | none |
//!
//! Every message starts with the same eight bytes: version, kind, size. Numbers are little-endian,
//! without padding between them. A message has exactly its size: neither side reads less than the
//! message or ignores unknown parts. A violation of a rule is an [`Invalid`], by name.
//!
//! # Promises
//!
//! Nothing here panics, allocates or loops without bound on any input. Decoded values are in range.
//! No message has room for a pointer.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod device;
pub mod event_log;
mod invalid;
mod list;
mod message;
mod name;
mod read;
mod select;
mod set;
mod settings;
mod software_segmentation;
mod statistics;
mod tuning;
mod version;
mod wire;

pub use device::{DEVICE_NAME, IoControl, SDDL, SYMBOLIC_NAME, WIN32_NAME, utf16};
pub use invalid::Invalid;
pub use list::{AdapterEntry, ListReply, ListRequest, ListWriter};
pub use message::{Message, VERSION};
pub use name::Name;
pub use read::{Limit, NicLimits, ReadReply};
pub use select::Select;
pub use set::SetRequest;
pub use settings::{
    AttachSettings, IpIdBits, MaxSgElements, MemoryBound, SetSettingsRequest, SettingsChange,
    SettingsReply,
};
pub use software_segmentation::SoftwareSegmentation;
pub use statistics::{Refused, StatisticsReply};
pub use tuning::{Cap, Multiple, Parameters, Profile, Raise, Tuning, first_stage_size, keyword};
pub use version::{DriverVersion, VersionRequest};
