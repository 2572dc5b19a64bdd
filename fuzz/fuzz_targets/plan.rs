//! Any bytes as the front of a large send, with anything stated about it, for any NIC: the packet
//! core cuts it as promised, to the packets that the reference makes of it in one stage.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = scenarios::fuzz::plan::run(input);
});
