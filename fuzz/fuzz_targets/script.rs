//! Any bytes as a machine and what happens to it: nothing goes wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = scenarios::fuzz::script::run(input);
});
