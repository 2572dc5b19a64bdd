//! The routines that a driver imports, under their own names. Linked into the process they take
//! the place of `ndis.sys` and `ntoskrnl.exe`.
#![expect(unsafe_code, reason = "C entry points under fixed names")]
#![expect(
    clippy::missing_safety_doc,
    missing_docs,
    reason = "contracts and documentation are those of ndis::sys's declarations"
)]

pub mod kernel;
pub mod ndis;
