//! The program as its users run it.

mod captures;
mod chaos;
mod common;
mod demo;
mod driver;
mod kinds;
mod main_job;
mod split;
mod traffic;
mod unusable;
