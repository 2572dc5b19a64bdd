//! `mslso-lab split`: the large sends of a capture file.

mod frame;
mod notes;
mod segments;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use same_file::Handle;
use serde::Serialize;

use crate::cli::SplitArgs;
use crate::error::Error;
use crate::report;
use crate::session::{End, Outputs, Row, Session, Totals};
use harness::driver::{Build, Driver};
use harness::ingest::{Form, Terms, Unfit, ingest_as};
use harness::judge::Verdict;
use harness::machine::SendError;
use harness::output::{note, print};
use harness::text;
use lso::Refusal;
use notes::Notes;
use segments::{Connections, Mss};
use testpkt::capture::{CaptureError, CaptureFile, Captured, Fault};

/// Large sends in the table; a big capture's others are counted.
const ROWS: usize = 40;

/// Splits a capture, and reports; on the standard error stream about single packets. Returns whether
/// nothing is wrong.
///
/// # Errors
///
/// The driver does not load or start, the input cannot be used, or an output
/// not be written; [`Error::Uncut`] where packets longer than a segment were not cut.
/// The outputs are left alone where it is the image or the input.
pub fn run(args: &SplitArgs, build: &Build) -> Result<bool, Error> {
    let driver = Driver::load(build)?;
    let input = CaptureFile::open(&args.input)?;
    let setup = args.setup();
    let in_tunnels = matches!(args.form(), Form::Tunnel(_));
    let mut connections = Connections::new(setup.mtu, in_tunnels);
    let bar = progress("reading", input.length());
    for packet in input.frames(&bar)? {
        if let Some(packet) = whole(packet)? {
            connections.see(&frame::Captured::of(&packet.bytes));
        }
    }
    bar.finish_and_clear();
    check_paths(args)?;
    let outputs = Outputs::create(&args.children, &args.wire)?;
    let mut splitter = Splitter {
        session: Session::start(&driver, setup, outputs)?,
        terms: Terms {
            lso: args.lso,
            min_segments: args.min_segments,
        },
        form: args.form(),
        mss: args.mss,
        connections,
        mtu: setup.mtu as usize,
        buffer: args.buffer,
        vlan_oob: args.vlan_oob,
        quiet: args.json,
        rows: Vec::new(),
        tally: Tally::default(),
        notes: Notes::new(progress("splitting", input.length())),
    };
    let bar = splitter.notes.bar.clone();
    for (index, packet) in input.frames(&bar)?.enumerate() {
        match whole(packet)? {
            Some(packet) => splitter.packet(index + 1, &packet)?,
            None => splitter.refuse(index + 1, SendError::NotWhole),
        }
    }
    let (rows, tally, end) = splitter.finish()?;
    let text = if args.json {
        json(args, &tally, &end)
    } else {
        text(args, build, &rows, &tally, &end)
    };
    print(text);
    if end.is_good() && tally.uncut_in_all() > 0 {
        return Err(Error::Uncut(tally.uncut_in_all()));
    }
    Ok(end.is_good())
}

/// A packet of the input; `None` where a snap length cut it.
fn whole(packet: Result<Captured, CaptureError>) -> Result<Option<Captured>, CaptureError> {
    match packet {
        Err(CaptureError {
            fault: Fault::Snapped { .. },
            ..
        }) => Ok(None),
        other => other.map(Some),
    }
}

/// A bar on a terminal, and nothing elsewhere.
fn progress(what: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = format!("{what} {{bar:30}} {{bytes}} of {{total_bytes}}, {{eta}}");
    // The template is the lab's own; were it wrong, the plain bar would do.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// The sources of the MSS, and the packets that had none.
#[derive(Clone, Debug, Default, Serialize)]
struct Tally {
    /// Large sends, by where their MSS came from.
    mss_from: BTreeMap<&'static str, u64>,
    /// Packets longer than a segment that passed uncut, by reason.
    uncut: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn uncut_in_all(&self) -> u64 {
        self.uncut.values().sum()
    }
}

/// Takes the packets of a capture, one after the other.
struct Splitter<'a> {
    session: Session<'a>,
    terms: Terms,
    /// The form in which large sends are sent.
    form: Form,
    /// The MSS of packets that have none of their own.
    mss: Option<u32>,
    /// The MSS of each connection.
    connections: Connections,
    /// Bytes of IP in the longest packet that is surely no large send.
    mtu: usize,
    /// Bytes in each buffer of a large send.
    buffer: u32,
    /// Whether VLAN tags go down beside large sends.
    vlan_oob: bool,
    /// Whether refusals are only counted.
    quiet: bool,
    rows: Vec<Row>,
    tally: Tally,
    notes: Notes,
}

impl Splitter<'_> {
    /// Packet `number` of the capture, from 1.
    fn packet(&mut self, number: usize, packet: &Captured) -> Result<(), Error> {
        let frame = frame::Captured::of(&packet.bytes);
        let long = frame.ip.is_some_and(|length| length > self.mtu);
        let (mss, from) = match (packet.mss, self.mss, self.connections.mss(&frame)) {
            (Some(mss), _, _) => (mss, "comment"),
            (None, Some(mss), _) => (mss, "option"),
            (None, None, Some(Mss::OfSyn(mss))) => (mss, "syn"),
            (None, None, Some(Mss::OfLongest(mss))) if long => (mss, "longest"),
            (None, None, known) => {
                if long {
                    let why = if known.is_some() || is_tcp(&frame.bytes) {
                        "no-mss"
                    } else {
                        "not-tcp"
                    };
                    *self.tally.uncut.entry(why).or_default() += 1;
                }
                return self.pass(number, packet);
            }
        };
        if frame.bytes.len() <= mss as usize {
            return self.pass(number, packet);
        }
        match ingest_as(&frame.bytes, mss, self.terms, &self.form) {
            Ok(None) => self.pass(number, packet),
            Ok(Some(_)) if frame.cut_short => {
                self.refuse(number, SendError::NotWhole);
                Ok(())
            }
            Ok(Some(mut send)) => {
                *self.tally.mss_from.entry(from).or_default() += 1;
                send.buffer = self.buffer;
                if self.vlan_oob {
                    send = send.with_tag_beside();
                }
                let source = format!("packet {}", text::number(number as u64));
                let row = self.session.large_send(source, &send, packet.timestamp)?;
                self.note_verdict(number, &row.verdict);
                if self.rows.len() < ROWS {
                    self.rows.push(row);
                }
                Ok(())
            }
            // No large send of TCP, and no MSS of its own that makes it one.
            Err(why) if from != "comment" && !long && is_other(why) => self.pass(number, packet),
            Err(unfit) => {
                self.refuse(number, unfit.into());
                Ok(())
            }
        }
    }

    fn refuse(&mut self, number: usize, why: SendError) {
        self.session.refuse(why);
        self.note_error(number, why);
    }

    fn pass(&mut self, number: usize, packet: &Captured) -> Result<(), Error> {
        let wrong = self.session.pass(packet)?;
        self.note_wrong(number, &wrong);
        Ok(())
    }

    fn note_verdict(&mut self, number: usize, verdict: &Verdict) {
        match verdict {
            Verdict::Same { .. } => {}
            Verdict::NotSent(why) => self.note_error(number, *why),
            Verdict::Wrong(lines) => self.note_wrong(number, lines),
        }
    }

    fn note_error(&mut self, number: usize, why: SendError) {
        if !(self.quiet && why.is_refusal()) {
            let name = why.name();
            let line = format!("packet {number}: {name}: {why}");
            self.notes.line(name, &line);
        }
    }

    fn note_wrong(&mut self, number: usize, lines: &[String]) {
        for line in lines {
            self.notes
                .line("wrong", &format!("packet {number}: {line}"));
        }
    }

    fn finish(mut self) -> Result<(Vec<Row>, Tally, End), Error> {
        self.notes.finish();
        let end = self.session.finish()?;
        for line in &end.broken {
            note(line);
        }
        Ok((self.rows, self.tally, end))
    }
}

/// Whether a packet of any length may be so: it is no TCP that could be cut, as far as can be seen.
fn is_other(why: Unfit) -> bool {
    matches!(
        why,
        Unfit::Refused(
            Refusal::NotIp
                | Refusal::MalformedIpv4
                | Refusal::MalformedIpv6
                | Refusal::Jumbogram
                | Refusal::NotTcp
                | Refusal::Fragment
                | Refusal::HeaderNotContiguous
                | Refusal::HeaderTooLong
                | Refusal::TooManyVlanTags
                | Refusal::Ipsec
        )
    )
}

fn is_tcp(frame: &[u8]) -> bool {
    lso::Headers::parse(frame).is_ok()
}

/// The JSON output of `--json`: the numbers, and the options that made them.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    totals: &'a Totals,
    #[serde(flatten)]
    tally: &'a Tally,
    form: &'static str,
    vlan_oob: bool,
    nic_lso: bool,
    nic_checksum: bool,
    mtu: u32,
    max_sg_elements: Option<u32>,
}

fn json(args: &SplitArgs, tally: &Tally, end: &End) -> String {
    let setup = args.setup();
    let printed = Printed {
        totals: &end.totals,
        tally,
        form: args.form().name(),
        vlan_oob: args.vlan_oob,
        nic_lso: setup.nic_lso,
        nic_checksum: setup.nic_checksum,
        mtu: setup.mtu,
        max_sg_elements: setup.max_sg_elements,
    };
    // Numbers and names cannot fail to be written.
    harness::json::line(&printed)
}

fn text(args: &SplitArgs, build: &Build, rows: &[Row], tally: &Tally, end: &End) -> String {
    let mut text = text::driver_line(build) + &report::setup_line(args.setup());
    if !rows.is_empty() {
        text += "\n";
        text += &report::table(rows);
    }
    let large_sends = end.statistics.large_sends as usize;
    if large_sends > rows.len() {
        let more = text::number((large_sends - rows.len()) as u64);
        text +=
            &format!("and {more} more large sends; whatever is wrong with one is named above.\n");
    }
    text += &report::summary(end);
    text += &sources(tally);
    text += &format!(
        "children: {}\nwire:     {}\n",
        args.children.display(),
        args.wire.display()
    );
    text + &verdict(tally, end)
}

/// Where the MSS came from, where not from comments or the command line.
fn sources(tally: &Tally) -> String {
    let of = |from| tally.mss_from.get(from).copied().unwrap_or(0);
    let line = |count: u64, whence: &str| match count {
        0 => String::new(),
        _ => {
            let sends = text::counted(count, "large send", "large sends");
            format!("The MSS of {sends} is {whence}.\n")
        }
    };
    line(of("syn"), "that of the connection's SYN")
        + &line(
            of("longest"),
            "the longest segment seen; --mss states another",
        )
}

/// The last line: never a pass if a packet that should have been split was not.
fn verdict(tally: &Tally, end: &End) -> String {
    if end.is_good() && tally.uncut_in_all() > 0 {
        let uncut = text::counted(tally.uncut_in_all(), "packet", "packets");
        let reasons: Vec<_> = tally
            .uncut
            .iter()
            .map(|(why, count)| format!("{why} {}", text::number(*count)))
            .collect();
        return format!(
            "INCOMPLETE: {uncut} longer than a segment passed uncut: {}.\n",
            reasons.join(", ")
        );
    }
    report::verdict_line(end)
}

/// An output may be neither the input nor the other output, however it is named. Null devices and
/// pipes are no files that could be overwritten.
fn check_paths(args: &SplitArgs) -> Result<(), Error> {
    let files = [&args.input, &args.children, &args.wire];
    let there = |path: &&PathBuf| path.metadata().map_or(true, |about| about.is_file());
    for (index, path) in files
        .into_iter()
        .enumerate()
        .filter(|(_, path)| there(path))
    {
        for other in files[..index].iter().filter(|other| there(other)) {
            if is_same(path, other) {
                return Err(Error::SameFile(path.clone()));
            }
        }
    }
    Ok(())
}

/// Whether two paths lead to the same file, or to the same place for one.
fn is_same(path: &Path, other: &Path) -> bool {
    match (Handle::from_path(path), Handle::from_path(other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), Err(_)) => place(path).is_some_and(|one| place(other) == Some(one)),
        _ => false,
    }
}

/// Where a file will be.
fn place(path: &Path) -> Option<PathBuf> {
    let folder = match path.parent()? {
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}
