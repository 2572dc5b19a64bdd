//! Any bytes as an image: it is loaded and signed, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = scenarios::fuzz::pe::run(input);
});
