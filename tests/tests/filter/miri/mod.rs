//! Scenarios that are small enough for Miri, which runs these and no others of this program:
//! `cargo +nightly miri test -p scenarios --test filter miri::`.

mod module_list;
mod whole_driver;
