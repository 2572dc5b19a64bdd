//! The main job: large sends of every kind, a table and a verdict.

mod cases;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::cli::MainArgs;
use crate::error::Error;
use crate::report;
use crate::session::{End, Outputs, Row, Session, Totals};
use harness::driver::{Build, Driver};
use harness::judge::Verdict;
use harness::machine::Setup;
use harness::output::{note, print};
use harness::text;

/// The sizes of Hyper-V's virtual NIC: 43 × 1,460 bytes.
const NIC: Setup = Setup::new(62_780, 2);

/// A NIC without LSO: the filter makes every packet of the wire.
const NO_LSO: Setup = Setup {
    nic_lso: false,
    ..NIC
};

/// A NIC that computes no checksums either.
const NO_OFFLOAD: Setup = Setup {
    nic_checksum: false,
    ..NO_LSO
};

/// An introduction for readers who see the job for the first time.
const INTRODUCTION: &str = "\
mslso lets a TCP stack make large sends of up to 1 MiB, far above the maximum of the NIC.
Here the driver's own filter code splits them for a NIC that accepts 62,780 bytes and at least 2 segments.
The NIC then cuts each child into packets. In the last rows the NIC has no LSO, so the filter cuts the packets.
The packets on the wire must be those of segmentation in a single stage, byte for byte.
Large sends named \"captured\" come from a Linux TCP stack; the others are synthetic. Sizes are bytes of payload.
";

/// Between two large sends in the files that are written.
const STEP: Duration = Duration::from_millis(1);

/// Sends every case, and reports. Returns whether there is no fault.
///
/// # Errors
///
/// The driver does not load or start, or the outputs cannot be written.
pub fn run(args: &MainArgs, build: &Build) -> Result<bool, Error> {
    let driver = Driver::load(build)?;
    let folder = args.folder();
    std::fs::create_dir_all(folder).map_err(|e| Error::Folder(folder.to_owned(), e))?;
    let (children, wire) = (folder.join("children.pcapng"), folder.join("wire.pcapng"));
    let outputs = Outputs::create(&children, &wire)?;
    let mut session = Session::start(&driver, NIC, outputs)?.strict();
    let mut rows = Vec::new();
    for (index, case) in cases::all().into_iter().enumerate() {
        session.change_nic(case.nic);
        let row = session.large_send(case.what.to_owned(), &case.send, STEP * index as u32)?;
        note_faults(&row);
        rows.push(row);
    }
    let end = session.finish()?;
    end.broken.iter().for_each(note);
    let text = if args.json {
        json(&rows, &end, build, [&children, &wire])
    } else {
        text(&rows, &end, build, folder)
    };
    print(text);
    Ok(end.is_good())
}

/// Reports the fault of a large send. All of them should be sent.
fn note_faults(row: &Row) {
    let lines = match &row.verdict {
        Verdict::Same { .. } => Vec::new(),
        Verdict::NotSent(why) => vec![format!("{}: {why}", why.name())],
        Verdict::Wrong(lines) => lines.clone(),
    };
    for line in lines {
        note(format_args!("{}: {line}", row.source));
    }
}

/// The JSON output of `--json`.
#[derive(Serialize)]
struct Printed<'a> {
    driver: String,
    large_sends: Vec<Large<'a>>,
    #[serde(flatten)]
    totals: &'a Totals,
    children_file: &'a Path,
    wire_file: &'a Path,
}

/// A large send, and its outcome. Sizes are bytes of payload.
#[derive(Serialize)]
struct Large<'a> {
    what: &'a str,
    ip: &'static str,
    kind: &'static str,
    payload: u32,
    mss: u32,
    children: &'a [usize],
    /// The last of the children, which the NIC does not cut.
    packets: usize,
    wire_packets: usize,
    verdict: &'static str,
}

fn json(rows: &[Row], end: &End, build: &Build, [children, wire]: [&Path; 2]) -> String {
    fn large(row: &Row) -> Large<'_> {
        Large {
            what: &row.source,
            ip: text::ip_name(row.ip),
            kind: report::kind_name(row.kind, row.lso),
            payload: row.payload,
            mss: row.mss,
            children: &row.children,
            packets: row.packets,
            wire_packets: row.wire,
            verdict: match row.verdict {
                Verdict::Same { untouched: false } => "same",
                Verdict::Same { untouched: true } => "as-is",
                Verdict::NotSent(why) => why.name(),
                Verdict::Wrong(_) => "wrong",
            },
        }
    }
    harness::json::line(&Printed {
        driver: build.to_string(),
        large_sends: rows.iter().map(large).collect(),
        totals: &end.totals,
        children_file: children,
        wire_file: wire,
    })
}

fn text(rows: &[Row], end: &End, build: &Build, folder: &Path) -> String {
    let files = format!(
        "children.pcapng (what the NIC received) and wire.pcapng are in {}\n",
        folder.display()
    );
    [
        INTRODUCTION,
        &text::driver_line(build),
        "\n",
        &report::table(rows),
        &report::summary(end),
        &files,
        &report::verdict_line(end),
    ]
    .concat()
}
