//! The lab: where large sends come from, and who judges what became of them.
//!
//! Nothing here touches NDIS. The lab brings packets to the filter and takes
//! what the filter and the NIC made of them:
//!
//! 1. [`capture`] reads large sends from capture files (or [`synth`] builds
//!    them), each with its MSS beside it, as the OOB of an NBL would carry it;
//! 2. the program splits them with the filter's code;
//! 3. [`mod@reference`] says, on its own, what the wire must then carry: the same
//!    large send cut in one stage straight to MSS. Both must agree byte for
//!    byte.
//!
//! [`mod@reference`] must never depend on the crate `lso`: an error the two shared
//! would be invisible.

pub mod capture;
pub mod reference;
pub mod synth;
