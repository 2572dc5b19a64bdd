//! The packet core: headers are parsed, a cut is planned, children's headers are written.

mod common;
mod headers;
mod plan;
mod template;
