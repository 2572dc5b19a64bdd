//! The life of a filter module: attach, restart, pause, detach.

mod field_reports;
mod lifecycle;
mod mtu;
mod pause_race;
