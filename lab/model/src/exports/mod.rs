//! The routines that a driver imports, under their own names. Linked into the process they take
//! the place of `ndis.sys` and `ntoskrnl.exe`.
#![expect(unsafe_code, reason = "C entry points under fixed names")]
#![expect(
    clippy::missing_safety_doc,
    missing_docs,
    reason = "contracts and documentation are those of the declarations in ndis-sys"
)]

pub mod configuration;
pub mod deferred;
pub mod device;
pub mod error_log;
pub mod etw;
pub mod event;
pub mod kernel;
pub mod kernel_event;
pub mod memory;
pub mod ndis;
pub mod net_buffer;
pub mod oid;
pub mod pool;
pub mod receive;
pub mod spin_lock;
pub mod status;
pub mod switch;
pub mod text;
#[cfg(target_arch = "x86_64")]
mod thread_sanitizer;

/// The address of a routine.
struct Export(*const ());

// SAFETY: the address of code, which every thread may call.
unsafe impl Sync for Export {}

/// Lists a module's routines under their names.
macro_rules! exports {
    ($($name:ident)*) => {
        pub(super) static EXPORTS: &[(&str, super::Export)] =
            &[$((stringify!($name), super::Export($name as *const ()))),*];
    };
}
use exports;

/// The address of routine `name` of `module`, as an image's import table names them; `None` where
/// the model has no such routine.
#[must_use]
pub fn find(module: &str, name: &str) -> Option<*const ()> {
    let tables: &[&[(&str, Export)]] = match module.to_ascii_lowercase().as_str() {
        "ndis.sys" => &[
            ndis::EXPORTS,
            net_buffer::EXPORTS,
            configuration::EXPORTS,
            deferred::EXPORTS,
            device::EXPORTS,
            event::EXPORTS,
            oid::EXPORTS,
            pool::EXPORTS,
            receive::EXPORTS,
            status::EXPORTS,
            switch::EXPORTS,
        ],
        "ntoskrnl.exe" => &[
            error_log::EXPORTS,
            etw::EXPORTS,
            kernel::EXPORTS,
            kernel_event::EXPORTS,
            memory::EXPORTS,
            spin_lock::EXPORTS,
            text::EXPORTS,
        ],
        _ => return None,
    };
    let mut all = tables.iter().copied().flatten();
    let found = all.find(|(export, _)| *export == name);
    #[cfg(target_arch = "x86_64")]
    if found.is_none() {
        return thread_sanitizer::find(name);
    }
    found.map(|(_, address)| address.0)
}
