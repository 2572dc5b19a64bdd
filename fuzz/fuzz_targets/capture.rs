//! Any bytes as a capture file: it is read or refused, and what is a large send in it can be sent.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = scenarios::fuzz::capture::run(input);
});
