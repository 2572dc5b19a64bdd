//! The bytes that the driver and mslsoctl exchange, and the settings in them.

mod any_bytes;
mod list;
mod messages;
mod settings;
mod tuning;
