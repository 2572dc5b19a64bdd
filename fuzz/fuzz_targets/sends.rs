//! Any packets, with anything said of them, through the filter to any NIC: no rule is broken but
//! by the layer above, and every send completes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    scenarios::fuzz::sends::run(input);
});
