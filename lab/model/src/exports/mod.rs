//! The routines that a driver imports, under their own names. Linked into the process they take
//! the place of `ndis.sys` and `ntoskrnl.exe`.
#![expect(unsafe_code, reason = "C entry points under fixed names")]
#![expect(
    non_snake_case,
    clippy::upper_case_acronyms,
    reason = "the names of the routines and of their structures"
)]
#![expect(
    clippy::missing_safety_doc,
    missing_docs,
    reason = "contracts and documentation are those of the declarations in ndis-sys"
)]

mod c_string;
mod cancel;
pub mod configuration;
pub mod deferred;
mod derived_nbl;
pub mod device;
pub mod error_log;
pub mod etw;
pub mod event;
mod interlocked_list;
pub mod kernel;
mod kernel_deferred;
mod kernel_device;
pub mod kernel_event;
pub mod kernel_pool;
pub mod mdl;
pub mod memory;
mod mutex;
pub mod ndis;
pub mod net_buffer;
mod net_buffer_data;
pub mod oid;
pub mod pool;
mod processor;
pub mod receive;
mod registry_key;
mod rundown;
mod rw_lock;
pub mod spin_lock;
pub mod status;
pub mod switch;
mod system;
mod system_thread;
pub mod text;
#[cfg(target_arch = "x86_64")]
mod thread_sanitizer;
mod time;
mod unicode_string;
mod wfp;

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
    let home = match name.as_bytes() {
        [b'N', b'd', b'i', b's', ..] => "ndis.sys",
        [b'F', b'w', b'p', ..] => "fwpkclnt.sys",
        _ => "ntoskrnl.exe",
    };
    // The kernel's routines were in two modules once.
    let module = module.to_ascii_lowercase();
    if module != home && (module.as_str(), home) != ("hal.dll", "ntoskrnl.exe") {
        return None;
    }
    let tables: &[&[(&str, Export)]] = &[
        c_string::EXPORTS,
        cancel::EXPORTS,
        configuration::EXPORTS,
        deferred::EXPORTS,
        derived_nbl::EXPORTS,
        device::EXPORTS,
        error_log::EXPORTS,
        etw::EXPORTS,
        event::EXPORTS,
        interlocked_list::EXPORTS,
        kernel::EXPORTS,
        kernel_deferred::EXPORTS,
        kernel_device::EXPORTS,
        kernel_event::EXPORTS,
        kernel_pool::EXPORTS,
        mdl::EXPORTS,
        memory::EXPORTS,
        mutex::EXPORTS,
        ndis::EXPORTS,
        net_buffer::EXPORTS,
        net_buffer_data::EXPORTS,
        oid::EXPORTS,
        pool::EXPORTS,
        processor::EXPORTS,
        receive::EXPORTS,
        registry_key::EXPORTS,
        rundown::EXPORTS,
        rw_lock::EXPORTS,
        spin_lock::EXPORTS,
        status::EXPORTS,
        switch::EXPORTS,
        system::DATA,
        system::EXPORTS,
        system_thread::EXPORTS,
        text::EXPORTS,
        time::EXPORTS,
        unicode_string::EXPORTS,
        wfp::EXPORTS,
    ];
    let mut all = tables.iter().copied().flatten();
    let found = all.find(|(export, _)| *export == name);
    #[cfg(target_arch = "x86_64")]
    if found.is_none() {
        return thread_sanitizer::find(name);
    }
    found.map(|(_, address)| address.0)
}
