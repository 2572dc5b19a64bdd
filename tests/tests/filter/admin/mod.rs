//! The administrator's view: the control device, the commands, the counters, the events.

mod commands;
mod device;
mod events;
mod statistics;
pub mod trace_logging;
