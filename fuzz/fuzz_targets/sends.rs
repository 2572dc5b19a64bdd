//! Any packets, with anything said of them, through the filter to any NIC: no rule is broken but
//! by the layer above, and every send completes.
#![no_main]

#[path = "../sends/mod.rs"]
mod sends;

use libfuzzer_sys::fuzz_target;
use model::World;

fuzz_target!(|input: &[u8]| {
    let _ = sends::run(input, |config| {
        let world = World::new(config);
        // SAFETY: the filter's own entry point.
        unsafe { world.start(filter::driver_entry) }.expect("the driver starts");
        world
    });
});
