//! The driver in every order of its threads' steps. All state is a thread's own, so that the tests can
//! share a process: see `interleave::explore`.

mod advertiser;
mod atomics;
mod children;
mod completion;
mod events;
mod limits;
mod pause;
mod statistics;
