//! The seeds of `script`: episodes, each decided on by so many bytes.

use harness::random::Random;
use scenarios::fuzz::script::run;

use super::Seeds;

const TARGET: &str = "script";

fn seeds() -> Seeds {
    let episode = |seed, length| {
        let mut bytes = vec![0; length];
        Random::new(seed).fill(&mut bytes);
        bytes
    };
    [("short", 1, 60), ("middle", 2, 600), ("long", 3, 3000)]
        .map(|(name, seed, length)| (name.to_owned(), episode(seed, length)))
        .into()
}

#[test]
fn the_files_match_the_code_that_makes_them() {
    super::assert_are_files(TARGET, &seeds());
}

#[test]
fn the_seeds_reach_the_nic() {
    let summary = run(&seeds()["long"]);
    assert!(summary.split > 0 && summary.wire > 0, "{summary:?}");
}

#[test]
fn no_seed_and_no_input_that_was_found_breaks_a_rule() {
    super::replay(TARGET, |bytes| {
        let _ = run(bytes);
    });
}
