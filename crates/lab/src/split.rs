//! `mslso-lab split`: the large sends of a capture file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bench::{Bench, End, Outputs, Row, Totals};
use crate::capture::{CaptureFile, Captured};
use crate::cli::SplitArgs;
use crate::driver::{Build, Driver};
use crate::failure::Failure;
use crate::ingest::{Form, Terms, ingest_as};
use crate::judge::Verdict;
use crate::machine::Unsent;
use crate::report;

/// Large sends in the table; a big capture's others are counted.
const ROWS: usize = 40;

/// Splits, and tells on `out` and, of single packets, on `notes`. Returns
/// whether nothing is wrong.
///
/// # Errors
///
/// The driver does not load or start, the input cannot be used, or an output
/// not be written. The outputs are left alone where it is the image or the
/// input.
pub fn run(
    args: &SplitArgs,
    build: &Build,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, Failure> {
    let driver = Driver::load(build)?;
    let input = CaptureFile::open(&args.input)?;
    check_paths(args)?;
    let outputs = Outputs::create(&args.children, &args.wire)?;
    let mut splitter = Splitter {
        bench: Bench::start(&driver, args.setup(), outputs)?,
        terms: Terms {
            lso: args.lso.into(),
            min_segments: args.min_segments,
        },
        form: args.form(),
        mss: args.mss,
        buffer: args.buffer,
        vlan_oob: args.vlan_oob,
        quiet: args.json,
        rows: Vec::new(),
        notes,
    };
    for (index, packet) in input.frames().enumerate() {
        splitter.packet(index + 1, &packet)?;
    }
    let (rows, end) = splitter.finish()?;
    let text = if args.json {
        json(args, &end)
    } else {
        text(args, build, &rows, &end)
    };
    tell(out, &text);
    Ok(end.is_good())
}

/// Who reads may have gone away, which is no fault of the packets.
fn tell(out: &mut impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Takes the packets of a capture, one after the other.
struct Splitter<'a, W> {
    bench: Bench<'a>,
    terms: Terms,
    /// What large sends are sent as.
    form: Form,
    /// The MSS of packets that have none of their own.
    mss: Option<u32>,
    /// Bytes in each buffer of a large send.
    buffer: u32,
    /// Whether VLAN tags go down beside large sends.
    vlan_oob: bool,
    /// Whether refusals are told by number only.
    quiet: bool,
    rows: Vec<Row>,
    notes: &'a mut W,
}

impl<W: Write> Splitter<'_, W> {
    /// Packet `number` of the capture, from 1.
    fn packet(&mut self, number: usize, packet: &Captured) -> Result<(), Failure> {
        let Some(mss) = packet.mss.or(self.mss) else {
            return self.pass(number, packet);
        };
        match ingest_as(&packet.bytes, mss, self.terms, &self.form) {
            Ok(None) => self.pass(number, packet),
            Ok(Some(mut send)) => {
                send.buffer = self.buffer;
                if self.vlan_oob {
                    send = send.with_tag_beside();
                }
                let source = format!("packet {}", report::number(number as u64));
                let row = self.bench.large_send(source, &send, packet.timestamp)?;
                self.note_verdict(number, &row.verdict);
                if self.rows.len() < ROWS {
                    self.rows.push(row);
                }
                Ok(())
            }
            Err(unfit) => {
                let why = Unsent::from(unfit);
                self.bench.refuse(why);
                self.note_unsent(number, why);
                Ok(())
            }
        }
    }

    fn pass(&mut self, number: usize, packet: &Captured) -> Result<(), Failure> {
        let wrong = self.bench.pass(packet)?;
        self.note_wrong(number, &wrong);
        Ok(())
    }

    fn note_verdict(&mut self, number: usize, verdict: &Verdict) {
        match verdict {
            Verdict::Same { .. } => {}
            Verdict::Unsent(why) => self.note_unsent(number, *why),
            Verdict::Wrong(lines) => self.note_wrong(number, lines),
        }
    }

    fn note_unsent(&mut self, number: usize, why: Unsent) {
        if !(self.quiet && why.is_refusal()) {
            let name = why.name();
            tell(self.notes, &format!("packet {number}: {name}: {why}\n"));
        }
    }

    fn note_wrong(&mut self, number: usize, lines: &[String]) {
        for line in lines {
            tell(self.notes, &format!("packet {number}: {line}\n"));
        }
    }

    fn finish(self) -> Result<(Vec<Row>, End), Failure> {
        let end = self.bench.finish()?;
        for line in &end.broken {
            tell(self.notes, &format!("{line}\n"));
        }
        Ok((self.rows, end))
    }
}

/// What `--json` prints: the numbers, and the options they are of.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    totals: &'a Totals,
    form: &'static str,
    vlan_oob: bool,
    nic_lso: bool,
    nic_checksum: bool,
    mtu: u32,
    max_elements: Option<u32>,
    ended_chains: bool,
}

fn json(args: &SplitArgs, end: &End) -> String {
    let setup = args.setup();
    let printed = Printed {
        totals: &end.totals,
        form: args.form().name(),
        vlan_oob: args.vlan_oob,
        nic_lso: setup.nic_lso,
        nic_checksum: setup.nic_checksum,
        mtu: setup.mtu,
        max_elements: setup.max_elements,
        ended_chains: setup.ended_chains,
    };
    crate::json::line(&printed)
}

fn text(args: &SplitArgs, build: &Build, rows: &[Row], end: &End) -> String {
    let mut text = report::driver_line(build) + &report::setup_line(args.setup());
    if !rows.is_empty() {
        text += "\n";
        text += &report::table(rows);
    }
    let large_sends = end.statistics.large_sends as usize;
    if large_sends > rows.len() {
        let more = report::number((large_sends - rows.len()) as u64);
        text +=
            &format!("and {more} more large sends; whatever is wrong with one is named above.\n");
    }
    text += &report::summary(end);
    text += &format!(
        "children: {}\nwire:     {}\n",
        args.children.display(),
        args.wire.display()
    );
    text + &report::verdict_line(end)
}

/// An output may be neither the input nor the other output.
fn check_paths(args: &SplitArgs) -> Result<(), Failure> {
    let paths = [&args.input, &args.children, &args.wire];
    for (index, path) in paths.into_iter().enumerate() {
        let Some(place) = place(path) else { continue };
        if paths[..index]
            .iter()
            .any(|other| self::place(other).as_ref() == Some(&place))
        {
            return Err(Failure::SameFile(path.clone()));
        }
    }
    Ok(())
}

/// Where a file is or will be, however it is named; `None` for what is no
/// file, such as a null device, and for what cannot be found.
fn place(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        Ok(place) => place.is_file().then_some(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = match path.parent()? {
                folder if folder.as_os_str().is_empty() => Path::new("."),
                folder => folder,
            };
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        }
        Err(_) => None,
    }
}
