//! The routines that replace the driver's atomic operations when it is compiled for this: a
//! scheduling point, the operation, and, for an operation that changes a value and orders the
//! accesses around it, another point: a later access may have been needed before it, or come too
//! late.
//!
//! Names and signatures are those of LLVM's ThreadSanitizer.cpp and compiler-rt's
//! tsan_interface_atomic.h. Every operation is sequentially consistent, whatever ordering was
//! requested: in one thread of the system there is nothing else.

use std::{
    ffi::{c_int, c_void},
    sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst},
};

use crate::points::point;

/// memory_order_relaxed.
const RELAXED: c_int = 0;

fn changing<T>(order: c_int, operation: impl FnOnce() -> T) -> T {
    point();
    let result = operation();
    if order != RELAXED {
        point();
    }
    result
}

macro_rules! atomics {
    ($($number:ty, $atomic:ty: $load:ident $store:ident $compare_exchange:ident $(
        $method:ident $name:ident
    )*;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $load(place: *mut $number, _order: c_int) -> $number {
            point();
            // SAFETY: the place of an atomic operation of the driver's.
            unsafe { <$atomic>::from_ptr(place) }.load(SeqCst)
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $store(place: *mut $number, value: $number, order: c_int) {
            // SAFETY: as above.
            changing(order, || unsafe { <$atomic>::from_ptr(place) }.store(value, SeqCst));
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $compare_exchange(
            place: *mut $number,
            expected: $number,
            value: $number,
            order: c_int,
            _failure: c_int,
        ) -> $number {
            // SAFETY: as above.
            let place = unsafe { <$atomic>::from_ptr(place) };
            changing(order, || match place.compare_exchange(expected, value, SeqCst, SeqCst) {
                Ok(before) | Err(before) => before,
            })
        }

        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(
                place: *mut $number,
                value: $number,
                order: c_int,
            ) -> $number {
                // SAFETY: as above.
                changing(order, || unsafe { <$atomic>::from_ptr(place) }.$method(value, SeqCst))
            }
        )*
    )*};
}

atomics! {
    u8, AtomicU8: __tsan_atomic8_load __tsan_atomic8_store __tsan_atomic8_compare_exchange_val
        swap __tsan_atomic8_exchange;
    u16, AtomicU16: __tsan_atomic16_load __tsan_atomic16_store __tsan_atomic16_compare_exchange_val
        swap __tsan_atomic16_exchange;
    u32, AtomicU32: __tsan_atomic32_load __tsan_atomic32_store __tsan_atomic32_compare_exchange_val
        swap __tsan_atomic32_exchange
        fetch_add __tsan_atomic32_fetch_add
        fetch_sub __tsan_atomic32_fetch_sub
        fetch_or __tsan_atomic32_fetch_or
        fetch_and __tsan_atomic32_fetch_and;
    u64, AtomicU64: __tsan_atomic64_load __tsan_atomic64_store __tsan_atomic64_compare_exchange_val
        swap __tsan_atomic64_exchange
        fetch_add __tsan_atomic64_fetch_add
        fetch_sub __tsan_atomic64_fetch_sub
        fetch_or __tsan_atomic64_fetch_or
        fetch_and __tsan_atomic64_fetch_and;
}

#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_thread_fence(_order: c_int) {}

#[unsafe(no_mangle)]
extern "C" fn __tsan_atomic_signal_fence(_order: c_int) {}

/// The compiler pass reports the functions that contain atomic operations.
#[unsafe(no_mangle)]
extern "C" fn __tsan_func_entry(_caller: *const c_void) {}

#[unsafe(no_mangle)]
extern "C" fn __tsan_func_exit() {}
