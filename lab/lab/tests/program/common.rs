//! Helpers of the program's tests: they run the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use reference::{Kind, cut, layers, segment};
use serde_json::Value;
use testpkt::capture::{CaptureWriter, Captured, read, strip_jumbo_hop_by_hop};

/// The program.
pub fn lab() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mslso-lab"))
}

/// An empty folder for one test.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A capture of the repository.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(name)
}

/// A packet with an MSS beside it.
pub fn packet(bytes: Vec<u8>, mss: Option<u32>) -> Captured {
    Captured {
        bytes,
        mss,
        timestamp: Duration::from_millis(5),
    }
}

/// Writes `packets` to `in.pcapng` in `folder`.
pub fn capture(folder: &Path, packets: &[Captured]) -> PathBuf {
    let path = folder.join("in.pcapng");
    let mut writer = CaptureWriter::create(&path).unwrap();
    for packet in packets {
        let comment = packet.mss.map(|mss| format!("mss={mss}"));
        writer
            .packet(&packet.bytes, packet.timestamp, comment.as_deref())
            .unwrap();
    }
    writer.finish().unwrap();
    path
}

/// What came of running the program.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub notes: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    /// The objects that it printed, one a line.
    pub fn objects(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Code 2, nothing on stdout, and one line that has `message` in it.
    #[track_caller]
    pub fn assert_unusable(&self, message: &str) {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{}", self.notes);
        assert_eq!(self.notes.lines().count(), 1, "{}", self.notes);
        assert!(self.notes.contains(message), "{message}: {}", self.notes);
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            notes: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The result of running `split` on a capture.
pub struct Split {
    pub code: i32,
    pub out: String,
    pub notes: String,
    pub children: Vec<Captured>,
    pub wire: Vec<Captured>,
}

impl Split {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs `split` on `input`; its outputs must be readable.
pub fn split(folder: &Path, input: &Path, options: &[&str]) -> Split {
    let (children, wire) = (folder.join("c.pcapng"), folder.join("w.pcapng"));
    let Run { code, out, notes } = run(input, &children, &wire, options);
    Split {
        code,
        out,
        notes,
        children: read(children).unwrap(),
        wire: read(wire).unwrap(),
    }
}

pub fn run(input: &Path, children: &Path, wire: &Path, options: &[&str]) -> Run {
    let mut command = lab();
    command.arg("split").arg(input).args(options);
    command.arg("--children").arg(children);
    Run::of(command.arg("--wire").arg(wire))
}

/// The packets of a single segmentation stage, made without the program.
pub fn one_stage(packets: &[Captured], id_bits: u32) -> Vec<Vec<u8>> {
    let cut = |packet: &Captured| {
        let frame = strip_jumbo_hop_by_hop(packet.bytes.clone());
        segment(&frame, packet.mss.unwrap(), id_bits).unwrap()
    };
    packets.iter().flat_map(cut).collect()
}

/// The packets that a NIC would put on the wire for the sends that it got, of any kind. A send
/// without an MSS is one packet, whose checksum may still be to do.
pub fn second_stage(given: &[Captured], id_bits: u32) -> Vec<Vec<u8>> {
    let kind_of = |frame: &[u8]| {
        [Kind::Encapsulated, Kind::Udp, Kind::Tcp]
            .into_iter()
            .find(|kind| layers(frame, *kind).is_ok())
    };
    let cut = |packet: &Captured| {
        let mss = packet.mss.unwrap_or(u32::MAX);
        let kind = kind_of(&packet.bytes).unwrap();
        cut(&packet.bytes, kind, mss, id_bits).unwrap()
    };
    given.iter().flat_map(cut).collect()
}

pub fn frames(packets: &[Captured]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| packet.bytes.clone()).collect()
}
