//! The commands of the program that README and docs show, run as printed where no root is needed.

use std::fs;
use std::path::Path;

use crate::common::{data, folder, lab};

/// How a document begins a command of the program that needs no root.
const CARGO: &str = "cargo run --release -p mslso-lab";

/// Each line of a document that is a command of the program without root, without its comment.
fn commands() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let mut files: Vec<_> = docs.map(|entry| entry.unwrap().path()).collect();
    files.push(root.join("README.md"));
    files.retain(|path| path.extension().is_some_and(|end| end == "md"));
    let mut commands = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.starts_with("    ")) {
            let command = line.split(" #").next().unwrap().trim();
            if let Some(arguments) = command.strip_prefix(CARGO) {
                let arguments = arguments.trim().trim_start_matches("-- ");
                commands.push((file.display().to_string(), arguments.to_owned()));
            }
        }
    }
    commands
}

/// Random runs take hours as printed: what is shown is that the options are right.
fn shortened(arguments: &str) -> String {
    let mut words: Vec<_> = arguments.split_whitespace().collect();
    for at in 1..words.len() {
        match words[at - 1] {
            "--steps" => words[at] = "1000",
            "--seeds" => words[at] = "2",
            _ => {}
        }
    }
    words.join(" ")
}

#[test]
fn commands_without_root_run_as_printed() {
    let folder = folder("documents");
    // The user's own capture.
    fs::copy(data("bigtcp-ipv4.pcapng"), folder.join("IN.pcapng")).unwrap();
    let commands = commands();
    assert!(commands.len() >= 5, "{commands:?}");
    for (file, arguments) in commands {
        // The image is built by another task.
        if arguments.contains("--driver ") {
            continue;
        }
        let arguments = shortened(&arguments);
        let words = arguments.split_whitespace();
        let output = lab().current_dir(&folder).args(words).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{file}: {arguments}: {output:?}"
        );
        // The outputs that a command names must exist.
        for name in arguments
            .split_whitespace()
            .filter(|word| word.ends_with(".svg") || word.ends_with(".pcapng"))
        {
            assert!(
                folder.join(name).metadata().unwrap().len() > 0,
                "{file}: {name}"
            );
        }
    }
}
