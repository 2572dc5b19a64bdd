//! The NBLs of children from the parent's send to its completion.

mod completion;
mod out_of_band;
mod processors;
mod wfp;
