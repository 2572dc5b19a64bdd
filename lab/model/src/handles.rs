//! The handles that NDIS gives to the driver.

use std::ptr;

use ndis::sys;

/// NDIS's handle of the filter module.
pub(crate) const MODULE: usize = 0xF117E4;
/// NDIS's handle of the driver's module on another adapter.
pub(crate) const NEIGHBOR: usize = 0xF117E5;
/// NDIS's handle of the filter driver.
pub(crate) const DRIVER: usize = 0xD41FE4;

/// NDIS's handle of the control device.
pub(crate) const DEVICE: usize = 0xDE71CE;

/// A number as a handle.
pub(crate) fn handle(number: usize) -> sys::NDIS_HANDLE {
    ptr::without_provenance_mut(number)
}
