//! The routines that clang's `-fsanitize=thread` has an instrumented driver call, by their names
//! (LLVM, `ThreadSanitizer.cpp`). They take the place of the sanitizer's runtime, with the calling
//! convention of the driver.
#![expect(unsafe_code, reason = "entry points for instrumented code")]

use crate::race::{access, begin};

/// A routine for accesses of one size: it finds the instruction behind the call on the stack.
macro_rules! accesses {
    ($($name:ident $body:ident $length:literal $writes:literal;)*) => {$(
        extern "efiapi" fn $body(address: usize, instruction: usize) {
            access(address, $length, instruction, $writes);
        }

        #[unsafe(naked)]
        unsafe extern "efiapi" fn $name(_address: usize) {
            core::arch::naked_asm!("mov rdx, [rsp]", "jmp {}", sym $body)
        }
    )*
        /// These routines by their names.
        static PLAIN: &[(&str, super::Export)] =
            &[$((stringify!($name), super::Export($name as *const ()))),*];
    };
}

accesses! {
    read1 read1_at 1 false;
    read2 read2_at 2 false;
    read4 read4_at 4 false;
    read8 read8_at 8 false;
    read16 read16_at 16 false;
    write1 write1_at 1 true;
    write2 write2_at 2 true;
    write4 write4_at 4 true;
    write8 write8_at 8 true;
    write16 write16_at 16 true;
}

extern "efiapi" fn range_read(address: usize, length: usize, instruction: usize) {
    access(address, length, instruction, false);
}

extern "efiapi" fn range_written(address: usize, length: usize, instruction: usize) {
    access(address, length, instruction, true);
}

#[unsafe(naked)]
unsafe extern "efiapi" fn read_range(_address: usize, _length: usize) {
    core::arch::naked_asm!("mov r8, [rsp]", "jmp {}", sym range_read)
}

#[unsafe(naked)]
unsafe extern "efiapi" fn write_range(_address: usize, _length: usize) {
    core::arch::naked_asm!("mov r8, [rsp]", "jmp {}", sym range_written)
}

/// Entry to and exit from a function, and the image's initialization: nothing to record.
extern "efiapi" fn nothing() {}

/// The atomic operations on a variable and a value.
macro_rules! operations {
    ($value:ty: $($name:ident -> $result:ty = $method:ident;)*) => {$(
        pub(super) unsafe extern "efiapi" fn $name(
            at: *mut $value,
            value: $value,
            _order: i32,
        ) -> $result {
            // SAFETY: as the driver vouches.
            unsafe { ordered(at, |atomic| atomic.$method(value, SeqCst)) }
        }
    )*};
}

/// The atomic operations of one size. Each orders: what precedes it on one thread happened before
/// what follows a later one on another.
macro_rules! atomics {
    ($module:ident $atomic:ident $value:ty) => {
        mod $module {
            use std::sync::atomic::{Ordering::SeqCst, $atomic};

            use crate::race::{acquire, release};

            unsafe fn ordered<T>(at: *mut $value, body: impl FnOnce(&$atomic) -> T) -> T {
                acquire(at.addr());
                // SAFETY: the driver passes the address of an atomic variable.
                let result = body(unsafe { $atomic::from_ptr(at) });
                release(at.addr());
                result
            }

            pub(super) unsafe extern "efiapi" fn load(at: *mut $value, _order: i32) -> $value {
                // SAFETY: as the driver vouches.
                unsafe { ordered(at, |atomic| atomic.load(SeqCst)) }
            }

            operations! { $value:
                store -> () = store;
                exchange -> $value = swap;
                fetch_add -> $value = fetch_add;
                fetch_sub -> $value = fetch_sub;
                fetch_and -> $value = fetch_and;
                fetch_or -> $value = fetch_or;
                fetch_xor -> $value = fetch_xor;
            }

            /// Compares and exchanges, and returns the value from before.
            pub(super) unsafe extern "efiapi" fn compare_exchange_val(
                at: *mut $value,
                expected: $value,
                value: $value,
                _success: i32,
                _failure: i32,
            ) -> $value {
                let exchange =
                    |atomic: &$atomic| atomic.compare_exchange(expected, value, SeqCst, SeqCst);
                // SAFETY: as the driver vouches.
                let (Ok(before) | Err(before)) = (unsafe { ordered(at, exchange) });
                before
            }
        }
    };
}

atomics!(atomic8 AtomicU8 u8);
atomics!(atomic16 AtomicU16 u16);
atomics!(atomic32 AtomicU32 u32);
atomics!(atomic64 AtomicU64 u64);

/// The address of the routine of that name. A driver that asks for one is instrumented.
pub(crate) fn find(name: &str) -> Option<*const ()> {
    let operation = name.strip_prefix("__tsan_")?;
    let found = routine(operation)?;
    begin();
    Some(found)
}

fn routine(operation: &str) -> Option<*const ()> {
    let plain = operation
        .trim_start_matches("unaligned_")
        .trim_start_matches("volatile_");
    Some(match plain {
        "init"
        | "func_entry"
        | "func_exit"
        | "vptr_update"
        | "atomic_thread_fence"
        | "atomic_signal_fence" => nothing as *const (),
        "read_range" => read_range as *const (),
        "write_range" => write_range as *const (),
        "memcpy" | "memmove" | "memset" => return super::find("ntoskrnl.exe", plain),
        // A compound access reads and writes: as a write it races with both.
        other => {
            let name = other
                .strip_prefix("read_")
                .filter(|name| name.starts_with("write"));
            let name = name.unwrap_or(other);
            let plain = PLAIN.iter().find(|(known, _)| *known == name);
            return plain
                .map(|(_, address)| address.0)
                .or_else(|| atomic_routine(other));
        }
    })
}

fn atomic_routine(operation: &str) -> Option<*const ()> {
    let (size, operation) = operation.strip_prefix("atomic")?.split_once('_')?;
    macro_rules! of {
        ($module:ident: $($name:ident)*) => {
            Some(match operation {
                $(stringify!($name) => $module::$name as *const (),)*
                _ => return None,
            })
        };
        ($module:ident) => {
            of!($module: load store exchange fetch_add fetch_sub fetch_and fetch_or fetch_xor
                compare_exchange_val)
        };
    }
    match size {
        "8" => of!(atomic8),
        "16" => of!(atomic16),
        "32" => of!(atomic32),
        "64" => of!(atomic64),
        _ => None,
    }
}
