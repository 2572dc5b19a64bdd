//! Children.
#![no_std]
#![expect(
    unsafe_code,
    reason = "children are NBLs, MDLs and memory of NDIS's pools, all of them raw pointers"
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap
)]

mod chains;
mod child;
mod child_pool;
mod child_run;

pub use chains::{Chains, MOST_ELEMENTS};
pub use child::{BACKFILL, Child, Children, HEADER_CAPACITY};
pub use child_pool::{ChildPool, MOST_CHILDREN};
pub use child_run::{Siblings, WaitingParent};
