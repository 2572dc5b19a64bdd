//! Tests of drivers that touch memory which they must not.

use std::{any, env, process::Command};

use model::guard;

/// Set in the process that ends at the fault.
const FAULTS: &str = "SCENARIO_FAULTS";

/// Runs `body`, the whole of a test in which a driver touches memory that it must not: once in a
/// process of its own with guard pages, which has to end at the fault and describe it, and once here
/// without them, where the model finds it afterwards. With an image under test there is the second run
/// alone.
///
/// # Panics
/// If the process ends otherwise.
pub fn in_both_ways<Body: FnOnce()>(body: Body) {
    if env::var_os(FAULTS).is_some() {
        return body();
    }
    // Where the driver is an image, only that image's accesses are the driver's; the test's are not.
    if env::var_os(crate::driver::VARIABLE).is_some() {
        return body();
    }
    // The closure's name has the crate in front and itself at the end.
    let name = any::type_name::<Body>();
    let test = name.split_once("::").map_or(name, |(_, rest)| rest);
    let test = test.strip_suffix("::{{closure}}").unwrap_or(test);
    let ended = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(FAULTS, "1")
        .env("MODEL_GUARD", "1")
        .output()
        .expect("the test runs again");
    let described = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(guard::EXIT), "{described}");
    assert!(described.contains("a block of"), "{described}");
    if env::var_os("MODEL_GUARD").is_none() {
        body();
    }
}
