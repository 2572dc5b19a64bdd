//! Inputs and command lines that cannot be used: one line, code 2, and no
//! output touched.

use std::path::Path;

use crate::common::{Run, capture, data, folder, lab, packet, run, split};
use serde_json::json;
use testpkt::synth::Synth;

fn assert_unusable(folder: &Path, input: &Path, message: &str) {
    let (children, wire) = (folder.join("none-c.pcapng"), folder.join("none-w.pcapng"));
    for options in [&[][..], &["--json"]] {
        let run = run(input, &children, &wire, options);
        run.assert_unusable(message);
        assert_eq!(
            run.notes.starts_with('{'),
            options == ["--json"],
            "{}",
            run.notes
        );
        assert!(!children.exists() && !wire.exists());
    }
}

#[test]
fn inputs() {
    let folder = folder("unusable_inputs");
    let file = |bytes: &[u8]| {
        let path = folder.join("bad.pcapng");
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let good = std::fs::read(data("bigtcp-ipv4.pcapng")).unwrap();
    let mut wifi = good.clone();
    wifi[36] = 105;
    let link_type_at = good.windows(4).position(|w| w == [1, 0, 0, 0]).unwrap();
    assert!(link_type_at < 40, "an interface description comes first");
    assert_unusable(&folder, &folder.join("absent.pcapng"), "cannot be read");
    assert_unusable(&folder, &folder.join("two\nlines.pcapng"), "cannot be read");
    assert_unusable(&folder, &folder, "cannot be read");
    assert_unusable(&folder, &file(b""), "is no capture file");
    assert_unusable(&folder, &file(b"hello, world"), "is no capture file");
    for length in [good.len() - 1, 100_000] {
        assert_unusable(&folder, &file(&good[..length]), "ends within the block");
    }
    assert_unusable(&folder, &file(&wifi), "not Ethernet");
}

/// A device that gives bytes for ever is no input of any kind.
#[cfg(unix)]
#[test]
fn inputs_without_an_end() {
    for line in [
        "split /dev/zero --children c --wire w",
        "demo --driver /dev/zero",
        "exercise /dev/zero",
        "chaos --replay /dev/zero",
    ] {
        Run::of(lab().args(line.split(' '))).assert_unusable("/dev/zero: ");
    }
}

#[test]
fn an_output_over_another_file() {
    let folder = folder("unusable_outputs");
    let send = packet(Synth::v4(100_000, 1448).frame(false), Some(1448));
    let input = capture(&folder, &[send]);
    let before = std::fs::read(&input).unwrap();
    let other = folder.join("other.pcapng");
    let roundabout = folder.join("..").join("unusable_outputs").join("in.pcapng");
    for (children, wire, message) in [
        (&input, &other, "is named twice"),
        (&other, &input, "is named twice"),
        (&other, &roundabout, "is named twice"),
        (&other, &other, "is named twice"),
        (&other, &folder, "cannot be written"),
    ] {
        run(&input, children, wire, &[]).assert_unusable(message);
        assert!(std::fs::read(&input).unwrap() == before);
    }
}

#[test]
fn options_that_contradict_each_other() {
    let folder = folder("contradictions");
    for options in [
        &["--uso", "--encap", "vxlan"][..],
        &["--uso", "--lso", "v1"],
        &["--encap", "nvgre", "--lso", "v2"],
        &["--encap", "geneve"],
        &["--max-sg-elements", "3"],
        &["--max-sg-elements", "65"],
        &["--mtu", "67"],
        &["--nic-lso", "maybe"],
    ] {
        let (children, wire) = (folder.join("c.pcapng"), folder.join("w.pcapng"));
        let Run { code, out, .. } = run(&data("bigtcp-ipv4.pcapng"), &children, &wire, options);
        assert_eq!((code, out.as_str()), (2, ""), "{options:?}");
        assert!(!children.exists() && !wire.exists());
    }
}

#[test]
fn command_lines() {
    for line in [
        "split",
        "split in.pcapng --children c",
        "split in --children c --wire w --mss 0",
        "split in --children c --wire w --ipid-bits 14",
        "split in --children c --wire w --lso v3",
        "splat",
        "chaos --steps 0",
        "chaos --seeds 0",
        "--wire w",
    ] {
        let Run { code, out, notes } = Run::of(lab().args(line.split(' ')));
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(!notes.is_empty(), "{line}");
    }
}

#[test]
fn errors_are_objects_where_json_is_asked_for() {
    for (line, error) in [
        ("split absent --children c --wire w --json", "capture"),
        ("chaos --replay absent --json", "script"),
        ("demo --driver absent --json", "image"),
        ("--json --driver absent", "image"),
        ("splat --json", "usage"),
        ("--json demo", "usage"),
        ("traffic --nic-max 9G --json", "usage"),
    ] {
        let Run { code, out, notes } = Run::of(lab().args(line.split(' ')));
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        let json: serde_json::Value = serde_json::from_str(&notes).unwrap();
        assert_eq!(json["error"], error, "{json}");
        assert_eq!(
            (&json["schema"], &json["exit_code"]),
            (&2.into(), &2.into())
        );
        let message = json["message"].as_str().unwrap();
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn an_empty_capture_is_usable() {
    let folder = folder("usable_empty");
    let run = split(&folder, &capture(&folder, &[]), &["--json"]);
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    assert_eq!(run.json()["wire_packets"], json!(0));
    assert!(run.children.is_empty() && run.wire.is_empty());
}
