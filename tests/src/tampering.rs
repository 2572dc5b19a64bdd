//! Reading and changing the chains that the filter hands to NDIS.

use std::{iter, ptr};

use ndis::sys;

/// The NBLs of a chain that is on its way.
#[must_use]
pub fn nbls(chain: *mut sys::NET_BUFFER_LIST) -> Vec<*mut sys::NET_BUFFER_LIST> {
    // SAFETY: a tamper function runs while NDIS owns the chain, and has exclusive access to it.
    iter::successors(ptr::NonNull::new(chain), |nbl| unsafe {
        ptr::NonNull::new((*nbl.as_ptr()).Next)
    })
    .map(ptr::NonNull::as_ptr)
    .collect()
}
