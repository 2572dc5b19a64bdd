//! Files that are not compiled into the driver, held against the code: documents, scripts, man pages,
//! seeds of the fuzz targets, and the structure of the source itself.

mod docs;
mod fuzz_seeds;
mod scripts;
mod shell;
mod structure;
