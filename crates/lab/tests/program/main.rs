//! The program as its users run it.

mod common;
mod main_job;
mod split;
mod unusable;
