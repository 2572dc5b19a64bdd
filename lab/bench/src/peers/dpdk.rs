//! DPDK's generic segmentation offload, through a few lines of C. It lends the payload, and leaves
//! checksums to the NIC; where there must be some, DPDK's own functions make them.
//!
//! It does not cut at multiples of the MSS: each child has the same number of bytes.
#![expect(unsafe_code, reason = "C functions")]

use std::{
    ffi::{c_int, c_void},
    sync::OnceLock,
};

use anyhow::ensure;

use crate::{
    cases::{Case, MAX_PAYLOAD, Nic, Traffic, Unit},
    packets,
    time::Work,
};

unsafe extern "C" {
    fn mslso_dpdk_start() -> c_int;
    fn mslso_dpdk_packet(
        header: *const u8,
        payload: *mut c_void,
        length: u32,
        buffers: *const u32,
        count: u32,
        segment: u16,
    ) -> c_int;
    fn mslso_dpdk_run(times: u32, checksums: c_int) -> c_int;
}

/// Its result when it was started, once.
static STARTED: OnceLock<c_int> = OnceLock::new();

/// Most bytes that one of its buffers describes.
const MOST_IN_BUFFER: u32 = 32 << 10;

pub(crate) fn prepare(case: &Case) -> anyhow::Result<Option<Work<'static>>> {
    let Traffic::Tcp(mss) = case.traffic else {
        return Ok(None);
    };
    let segment = match case.unit {
        Unit::Child if case.batch == 1 => MAX_PAYLOAD / mss * mss,
        Unit::Packet => mss,
        _ => return Ok(None),
    };
    let header = packets::header(case.traffic);
    let mut payload = vec![0xA5_u8; case.payload as usize];
    let buffers: Vec<u32> = packets::lengths(case)
        .into_iter()
        .flat_map(pieces)
        .collect();
    let checksums = c_int::from(case.nic == Nic::Nothing);
    // SAFETY: the pointers are to that many bytes and numbers, which live until the last run.
    let (started, packet, segments) = unsafe {
        let started = *STARTED.get_or_init(|| mslso_dpdk_start());
        ensure!(started == 0, "DPDK did not start: {started}");
        let packet = mslso_dpdk_packet(
            header.as_ptr(),
            payload.as_mut_ptr().cast(),
            case.payload,
            buffers.as_ptr(),
            buffers.len() as u32,
            segment as u16,
        );
        (started, packet, mslso_dpdk_run(1, checksums))
    };
    let expected = case.payload.div_ceil(segment);
    ensure!(
        (started, packet, segments) == (0, 0, expected as c_int),
        "DPDK made {segments} segments and not {expected}"
    );
    Ok(Some(Work::new(u64::from(expected), move |times| {
        // The packet's buffers point into it.
        let _alive = &payload;
        // SAFETY: the packet is there, and so is its payload.
        unsafe { mslso_dpdk_run(times, checksums) };
    })))
}

/// `length` in parts that DPDK's buffers can be.
fn pieces(length: u32) -> impl Iterator<Item = u32> {
    (0..length.div_ceil(MOST_IN_BUFFER))
        .map(move |part| (length - part * MOST_IN_BUFFER).min(MOST_IN_BUFFER))
}
