//! Makes the folder that an administrator installs mslso from: the driver, its INF and catalog,
//! the tool, symbols, a test certificate, licenses and checksums.
//!
//! # The way of a package
//!
//! 1. [`cli`] reads the command line, and [`date`] decides the date that everything carries.
//! 2. [`folder`] copies the files in, and [`inf`] gives the INF its `DriverVer`.
//! 3. [`identity`] makes a key and a certificate for test signatures. The key stays in memory
//!    unless it is to be kept.
//! 4. [`image`] hashes `mslso.sys` as Authenticode does and takes the signature in; [`catalog`]
//!    writes `mslso.cat` over the driver and the INF; both are signed by [`signed_data`].
//! 5. [`folder`] writes the files that describe the folder, and the checksums last.
//!
//! Steps 3 and 4 need no Windows. With `--tools wdk`, on Windows, [`wdk`] runs Microsoft's programs
//! for them and for step 2's stamp instead.
//!
//! With the same inputs, the same date and a kept key the folder is the same, byte for byte.

pub mod build;
pub mod catalog;
pub mod cli;
pub mod date;
pub mod failure;
pub mod folder;
pub mod identity;
pub mod image;
pub mod inf;
pub mod names;
pub mod oids;
pub mod shell;
pub mod signed_data;
pub mod spc;
pub mod wdk;
