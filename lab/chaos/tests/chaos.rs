//! Chaos is complete: each kind of step occurs and has an effect, each refusal reason is counted,
//! and every possible outcome of a send occurs.

use std::collections::BTreeSet;
use std::path::Path;

use chaos::{
    EPISODE,
    outcome::Summary,
    script::Script,
    step::{Oid, Step},
    worker::{Ended, run},
};
use harness::driver::{Build, Driver};
use lso::Refusal;
use strum::VariantNames;

/// Reasons that no send can have: a send with an MSS of 0 is no large send, and the room for
/// headers is checked earlier. The least bound on memory holds the children of every advertised size.
const NEVER: [Refusal; 4] = [
    Refusal::MssZero,
    Refusal::Lsov1TooLong,
    Refusal::HeaderBufferTooShort,
    Refusal::TooManyChildren,
];

/// Most episodes until everything has occurred.
const MAX_EPISODES: u64 = 60;

/// The build under test: the image that MSLSO_DRIVER names, counted from the workspace's root.
fn driver() -> Driver {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let image = std::env::var_os("MSLSO_DRIVER").map(|path| root.join(path));
    Driver::load(&image.map_or(Build::Native, Build::Image)).unwrap()
}

/// The kinds that have not occurred yet.
fn missing(summary: &Summary) -> BTreeSet<&'static str> {
    let acts = |name: &str| summary.steps.get(name).is_some_and(|[_, acts]| *acts > 0);
    let steps = Step::VARIANTS.iter().copied().filter(|name| !acts(name));
    let reasons = Refusal::ALL.into_iter().filter(|one| !NEVER.contains(one));
    let reasons = reasons.map(Refusal::name);
    let reasons = reasons.filter(|name| !summary.refused.contains_key(*name));
    let statuses = ["0x00000000", "0xc000009a", "0xc023002a", "0xc0000001"];
    let statuses = statuses
        .into_iter()
        .filter(|name| !summary.statuses.contains_key(*name));
    steps.chain(reasons).chain(statuses).collect()
}

#[test]
fn everything_occurs_and_has_an_effect() {
    let driver = driver();
    let mut sum = Summary::default();
    for episode in 0..MAX_EPISODES {
        let script = Script::episode(1, episode, EPISODE);
        let Ended { summary, failure } = run(&driver, &script.machine, script.steps, |_| {});
        assert_eq!(failure, None, "episode {episode}");
        sum.add(&summary);
        if missing(&sum).is_empty() {
            break;
        }
    }
    assert_eq!(missing(&sum), BTreeSet::new());
    for never in NEVER {
        assert!(!sum.refused.contains_key(never.name()), "{never}");
    }
    let [attached, starved] = sum.attached;
    let counts = [sum.split, sum.children - sum.split, sum.checked];
    let counts = [counts[0], counts[1], counts[2], attached, starved];
    assert!(counts.into_iter().all(|count| count > 0), "{sum:?}");
}

#[test]
fn the_names_of_steps_are_those_of_scripts() {
    let mut seen = BTreeSet::new();
    for episode in 0..10 {
        for step in Script::episode(2, episode, EPISODE).steps {
            let value = serde_json::to_value(&step).unwrap();
            let name = match (value.as_str(), value.as_object()) {
                (Some(name), _) => name.to_owned(),
                (None, Some(object)) => object.keys().next().unwrap().clone(),
                (None, None) => panic!("{value}"),
            };
            assert_eq!(name, <&str>::from(&step));
            seen.insert(<&str>::from(&step));
        }
    }
    assert_eq!(seen, Step::VARIANTS.iter().copied().collect());
}

/// A run that ends while the NIC, whose driver was unloaded, has a request to answer.
#[test]
fn requests_on_a_bare_nic_complete() {
    let machine = Script::episode(1, 0, 0).machine;
    let steps = [Step::Answering(2), Step::Unload, Step::Oid(Oid::default())];
    assert_eq!(run(&driver(), &machine, steps, |_| {}).failure, None);
}

#[test]
fn the_same_seed_is_the_same_run_again() {
    let driver = driver();
    let once = || {
        let script = Script::episode(9, 4, 500);
        run(&driver, &script.machine, script.steps, |_| {})
    };
    assert_eq!(once(), once());
}
