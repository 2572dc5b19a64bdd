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

use interleave::Nic;

const NIC: Nic = Nic {
    max: 3000,
    min_segments: 1,
};
/// A large send of this payload is two children.
const TWO: u32 = 6000;
