//! The memory of `split` is bounded whatever the capture's size. A process of its own: it asks for
//! the most that any of its children has held.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use testpkt::capture::CaptureWriter;
use testpkt::synth::Synth;

/// Runs `split` on a capture of `count` times `send`. Returns the most MiB that a child has held.
fn peak(folder: &Path, send: &Synth, count: usize) -> i64 {
    let input = folder.join("memory.pcapng");
    let mut writer = CaptureWriter::create(&input).unwrap();
    let (frame, comment) = (send.frame(false), format!("mss={}", send.mss));
    for _ in 0..count {
        writer
            .packet(&frame, Duration::ZERO, Some(&comment))
            .unwrap();
    }
    writer.finish().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mslso-lab"));
    command.arg("split").arg(&input);
    command.args(["--children", "/dev/null", "--wire", "/dev/null"]);
    let output = command.output().unwrap();
    assert!(output.status.success());
    let _ = std::fs::remove_file(&input);
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024
}

#[test]
fn memory_is_bounded() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    // 128 MiB of capture, in large sends of 128 KiB.
    let held = peak(&folder, &Synth::v4(128 << 10, 1448), 1024);
    assert!(held < 64, "{held} MiB for 128 MiB of capture");
    // A million packets of one large send.
    let held = peak(&folder, &Synth::v4(1 << 20, 1), 1);
    assert!(
        held < 150,
        "{held} MiB for a large send of a million packets"
    );
}
