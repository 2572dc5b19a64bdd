//! Completions and man pages, by bash, fish, zsh and groff.

use std::process::{Command, Output};

use mslso_package::{folder::Folder, shell};

/// A program, the words typed, and what completes the last of them.
const COMPLETIONS: [(&str, &str, &str); 5] = [
    ("mslsoctl", "mslsoctl sh", "show"),
    ("mslsoctl", "mslsoctl set --pro", "--profile"),
    ("mslsoctl", "mslsoctl set --profile thr", "throughput"),
    ("mslso-lab", "mslso-lab mig", "migrate"),
    ("mslso-lab", "mslso-lab chaos --js", "--json"),
];

/// The contents of a file that the package task makes.
fn file(name: &str) -> String {
    let mut folder = Folder::default();
    shell::add(&mut folder).expect("the files");
    let bytes = folder.get(name).unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn bash(script: &str) -> Output {
    let output = Command::new("bash").args(["--norc", "-c", script]).output();
    output.expect("bash")
}

#[test]
fn bash_completes_commands_and_options() {
    for (program, words, expected) in COMPLETIONS {
        let script = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             $(complete -p {program} | sed 's/.*-F \\([^ ]*\\) .*/\\1/') {program} \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file(&format!("{program}.bash"))
        );
        let output = bash(&script);
        let replies = String::from_utf8_lossy(&output.stdout);
        assert_eq!(replies.trim(), expected, "{words}: {output:?}");
    }
}

#[test]
#[ignore = "needs fish; .ci/run runs it"]
fn fish_completes_commands_and_options() {
    for (program, words, expected) in COMPLETIONS {
        let script = format!(
            "{}\ncomplete --do-complete '{words}'",
            file(&format!("{program}.fish"))
        );
        let mut fish = Command::new("fish");
        let output = fish.args(["--no-config", "-c", &script]).output();
        let output = output.expect("fish");
        let replies = String::from_utf8_lossy(&output.stdout);
        // A description follows.
        let first = replies.split_whitespace().next();
        assert_eq!(first, Some(expected), "{words}: {output:?}");
        assert!(output.stderr.is_empty(), "{words}: {output:?}");
    }
}

/// zsh completes at a terminal only: here it reads the scripts, and finds what they are for.
#[test]
#[ignore = "needs zsh; .ci/run runs it"]
fn zsh_takes_the_scripts() {
    let folder = std::env::temp_dir().join(format!("{}-zsh", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for program in ["mslsoctl", "mslso-lab"] {
        let name = format!("_{program}");
        std::fs::write(folder.join(&name), file(&name)).expect("written");
        let script = format!(
            "fpath=({} $fpath); autoload -U compinit; compinit -u -D; \
             print $_comps[{program}]; autoload +X {name} && functions {name}",
            folder.display()
        );
        let output = Command::new("zsh").args(["-f", "-c", &script]).output();
        let output = output.expect("zsh");
        let seen = String::from_utf8_lossy(&output.stdout);
        assert!(seen.starts_with(&format!("{name}\n")), "{output:?}");
        assert!(seen.contains("_arguments"), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
#[ignore = "needs groff; .ci/run runs it"]
fn groff_warns_of_nothing_in_the_man_pages() {
    for name in ["mslsoctl", "mslsoctl-set", "mslso-lab", "mslso-lab-tune"] {
        let page = std::env::temp_dir().join(format!("{}-{name}.1", std::process::id()));
        std::fs::write(&page, file(&format!("{name}.1"))).expect("written");
        let output = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-rLL=100n", "-P-cbou"])
            .arg(&page)
            .output()
            .expect("groff");
        std::fs::remove_file(&page).expect("removed");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("SYNOPSIS") && text.contains(name), "{text}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    }
}
