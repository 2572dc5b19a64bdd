//! Any bytes as an INF: its readers read or refuse it, and write what they read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = scenarios::fuzz::inf::run(input);
});
