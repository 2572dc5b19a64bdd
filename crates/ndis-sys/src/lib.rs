//! The raw ABI between ndis.sys, ntoskrnl.exe and a filter, bit for bit.
//!
//! Written by hand for the part of NDIS 6.x that a splitting filter uses. The rules:
//!
//! - every item is public, names are the WDK's own, so that its documentation applies;
//! - a pointer is a raw pointer, never a reference, and an enumeration is an integer type with
//!   constants, because the other side may send a value that is not declared here;
//! - an anonymous union is flattened into the member a filter uses; a run of bit-fields is one raw
//!   word, read and written with [`BitField`];
//! - every structure and each of its fields is in a `layout!` table: sizes and alignments are
//!   asserted at compile time; with the offset and width of each field they are collected in
//!   [`LAYOUTS`], and compared by this crate's tests with the WDK's values for x64 and Arm64;
//! - every number that has a name in the WDK is in a `constants!` table, collected in
//!   [`CONSTANTS`], and compared in the same way.
//!
//! This crate has no behavior. Ownership, lifetimes and IRQL are the business of the crate `ndis`,
//! whose types wrap these.
//!
//! The routines are declared without a library to link with. In the driver they are imports of
//! `ndis.sys` and `ntoskrnl.exe`; in tests the model defines them. A build script that needs the
//! tables alone can depend on this crate, because nothing in it calls a routine.
#![no_std]
#![expect(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "the names are the WDK's own and documented there"
)]
#![expect(
    unsafe_code,
    reason = "routines of the kernel are declared, and widths of fields are taken from raw places"
)]

#[macro_use]
mod layout;

mod config;
mod etw;
mod filter;
mod irp;
mod kernel;
mod mdl;
mod nbl;
mod offload;
mod oid;
mod oob;
mod routines;
mod status;
mod types;

pub use self::{
    config::*,
    etw::*,
    filter::*,
    irp::*,
    kernel::*,
    layout::{Field, Layout},
    mdl::*,
    nbl::*,
    offload::*,
    oid::*,
    oob::*,
    routines::*,
    status::*,
    types::*,
};

const LAYOUT_GROUPS: &[&[Layout]] = &[
    config::LAYOUTS,
    etw::LAYOUTS,
    filter::LAYOUTS,
    irp::LAYOUTS,
    kernel::LAYOUTS,
    mdl::LAYOUTS,
    nbl::LAYOUTS,
    offload::LAYOUTS,
    oid::LAYOUTS,
    types::LAYOUTS,
];

const CONSTANT_GROUPS: &[&[(&str, i64)]] = &[
    config::CONSTANTS,
    etw::CONSTANTS,
    filter::CONSTANTS,
    irp::CONSTANTS,
    kernel::CONSTANTS,
    mdl::CONSTANTS,
    nbl::CONSTANTS,
    offload::CONSTANTS,
    oid::CONSTANTS,
    oob::CONSTANTS,
    status::CONSTANTS,
    types::CONSTANTS,
];

/// The layout of every structure of this crate, for comparison with another source.
pub const LAYOUTS: &[Layout] = &layout::join::<_, { layout::total(LAYOUT_GROUPS) }>(LAYOUT_GROUPS);

/// Name and value of every constant of this crate that the WDK names.
///
/// Status codes are negative where the WDK's are: they are signed 32-bit numbers.
pub const CONSTANTS: &[(&str, i64)] =
    &layout::join::<_, { layout::total(CONSTANT_GROUPS) }>(CONSTANT_GROUPS);
