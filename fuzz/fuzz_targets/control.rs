//! Any bytes to any control code of the device, through the model, which checks every rule.
#![no_main]

use control::IoControl;
use libfuzzer_sys::fuzz_target;
use model::{Config, World};

fuzz_target!(|calls: Vec<(u8, u32, u16, Vec<u8>)>| {
    let world = World::new(Config {
        processors: 1,
        ..Config::default()
    });
    // SAFETY: the filter's own entry point.
    unsafe { world.start(filter::driver_entry) }.expect("the driver starts");
    for (known, code, room, input) in calls.iter().take(16) {
        let code = match IoControl::ALL.get(usize::from(known % 10)) {
            Some(known) => known.code(),
            None => *code,
        };
        let room = usize::from(room % 2048);
        if let Ok(output) = world.ioctl(code, input, room) {
            assert!(output.len() <= room);
        }
    }
    let broken = world.stop();
    assert!(broken.is_empty(), "{broken:?}");
});
