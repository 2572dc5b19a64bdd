//! `ntoskrnl.exe` and `ndis.sys`: the time.
//!
//! All times are those of the model's clock.

use std::time::Duration;

use ::ndis::sys;

use crate::{
    shared_page::{START, TICK, units},
    thread,
    world::Waited,
};

/// The frequency of the performance counter.
const FREQUENCY: i64 = 10_000_000;

fn now() -> i64 {
    units(thread::world().clock.now())
}

/// How long it is until `due`: a time from now on, where it is negative, or one of the system.
pub(super) fn until(due: i64, now: Duration) -> Duration {
    let units = match due {
        ..0 => due.unsigned_abs(),
        _ => (due - START - units(now)).max(0) as u64,
    };
    Duration::from_nanos(units.saturating_mul(100))
}

unsafe extern "efiapi" fn KeQueryPerformanceCounter(frequency: *mut i64) -> i64 {
    if !frequency.is_null() {
        // SAFETY: the caller passes a place or null.
        unsafe { *frequency = FREQUENCY };
    }
    now()
}

/// Writes the system's time.
///
/// # Safety
/// `place` is a place for it.
unsafe fn system_time(place: *mut i64) {
    // SAFETY: as the caller vouches.
    unsafe { *place = START + now() };
}

unsafe extern "efiapi" fn KeQuerySystemTimePrecise(place: *mut i64) {
    // SAFETY: the caller passes a place.
    unsafe { system_time(place) };
}

unsafe extern "efiapi" fn NdisGetCurrentSystemTime(place: *mut i64) {
    // SAFETY: the caller passes a place.
    unsafe { system_time(place) };
}

unsafe extern "efiapi" fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
    // SAFETY: the caller passes a place.
    unsafe { *counter = now() as u64 };
    now() as u64
}

unsafe extern "efiapi" fn KeQueryUnbiasedInterruptTime() -> u64 {
    now() as u64
}

unsafe extern "efiapi" fn KeQueryTimeIncrement() -> u32 {
    TICK
}

unsafe extern "efiapi" fn NdisGetSystemUpTimeEx(place: *mut i64) {
    // SAFETY: the caller passes a place.
    unsafe { *place = now() / 10_000 };
}

unsafe extern "efiapi" fn NdisGetSystemUpTime(place: *mut u32) {
    // SAFETY: the caller passes a place.
    unsafe { *place = (now() / 10_000) as u32 };
}

/// There are no time zones here.
unsafe extern "efiapi" fn ExSystemTimeToLocalTime(from: *const i64, to: *mut i64) {
    // SAFETY: the caller passes a time and a place.
    unsafe { *to = *from };
}

unsafe extern "efiapi" fn KeDelayExecutionThread(
    _mode: i8,
    _alertable: u8,
    interval: *const i64,
) -> i32 {
    let routine = "KeDelayExecutionThread";
    thread::require_irql_at_most(sys::APC_LEVEL, routine);
    let world = thread::world();
    // SAFETY: the caller passes an interval.
    let length = until(unsafe { *interval }, world.clock.now());
    let _: Waited = world.wait(routine, Some(length), || false);
    sys::STATUS_SUCCESS
}

/// TIME_FIELDS.
#[repr(C)]
pub struct TIME_FIELDS([i16; 8]);

unsafe extern "efiapi" fn RtlTimeToTimeFields(time: *const i64, fields: *mut TIME_FIELDS) {
    const DAY: i64 = 86_400;
    // SAFETY: the caller passes a time and a place.
    let units = unsafe { *time };
    let (seconds, days) = (units / FREQUENCY % DAY, units / FREQUENCY / DAY);
    // Days since March of the year 0, by which leap days come last in a year.
    let since = days + 584_694;
    let era = since.div_euclid(146_097);
    let day_of_era = since.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let all = [
        year,
        month,
        day,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        units / 10_000 % 1000,
        (days + 1) % 7,
    ];
    // SAFETY: as above.
    unsafe { *fields = TIME_FIELDS(all.map(|field| field as i16)) };
}

unsafe extern "efiapi" fn RtlRandomEx(seed: *mut u32) -> u32 {
    // SAFETY: the caller passes a seed.
    unsafe {
        *seed = (*seed).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *seed >> 1
    }
}
use RtlRandomEx as RtlRandom;

super::exports! {
    KeQueryPerformanceCounter
    KeQuerySystemTimePrecise
    NdisGetCurrentSystemTime
    KeQueryInterruptTimePrecise
    KeQueryUnbiasedInterruptTime
    KeQueryTimeIncrement
    NdisGetSystemUpTimeEx
    NdisGetSystemUpTime
    ExSystemTimeToLocalTime
    KeDelayExecutionThread
    RtlTimeToTimeFields
    RtlRandomEx
    RtlRandom
}
