//! The seeds of the fuzz targets, from which they go on. They are checked in, and made here; the
//! targets' code is run here as well, on the seeds and on earlier findings.

mod capture;
mod inf;
mod pe;
mod plan;
mod script;
mod sends;

use std::{collections::BTreeMap, fs, path::PathBuf};

/// The variable with which the tests write the seeds rather than comparing them.
const WRITE: &str = "MSLSO_WRITE_SEEDS";

/// A target's seeds by their names.
type Seeds = BTreeMap<String, Vec<u8>>;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target)
}

/// Checks that the files match `seeds`.
fn assert_are_files(target: &str, seeds: &Seeds) {
    let folder = folder(target);
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&folder).expect("a folder");
        for (name, bytes) in seeds {
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
    for (name, bytes) in seeds {
        let is = fs::read(folder.join(name)).unwrap_or_default();
        assert!(is == *bytes, "{name}: with {WRITE} set this test writes it");
    }
}

/// Runs every file, seeds and findings.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let mut count = 0;
    for entry in fs::read_dir(folder(target)).expect("seeds") {
        let path = entry.expect("a seed").path();
        #[expect(clippy::print_stdout, reason = "names the seed at which it fails")]
        {
            println!("{}", path.display());
        }
        run(&fs::read(&path).expect("a seed"));
        count += 1;
    }
    assert!(count > 0, "no seeds");
}
