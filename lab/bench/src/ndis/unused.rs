//! Routines that the benchmark never reaches. Each ends the process.

use std::ffi::c_void;

use ::ndis::sys::NDIS_HANDLE;

nullndis::unused! {
    fn NdisFCancelOidRequest(NDIS_HANDLE, *mut c_void);
}
