//! The story for a person.

use std::path::Path;

use harness::driver::Build;
use harness::text::{self, counted, ip_name, number, sizes};
use lso::IpVersion::{self, V4, V6};

use super::step::{HostView, Report, SendRecord, Step};

/// An introduction for readers who see the job for the first time.
const INTRODUCTION: &str = "\
A guest must know the largest large send that it may make. The NIC reports the size that it accepts;
the filter advertises a multiple of that to the virtual switch, which passes it on to its guests. Here
a model of two hosts shows how that size follows when settings, NICs and hosts change, and what
becomes of large sends meanwhile. The switch is a model too: as far as public sources show, that of
Hyper-V offers guests a constant 62,780 bytes, whatever is advertised to it. Sizes are bytes of TCP
payload.
";

/// Characters in a line of running text.
const WIDTH: usize = 100;

/// Everything, from the introduction to the verdict.
pub(super) fn whole(report: &Report, build: &Build, plot: Option<&Path>) -> String {
    let mut text = INTRODUCTION.to_owned() + &text::driver_line(build);
    text.extend(report.steps.iter().map(step));
    text += &summary(report.counted);
    if let Some(path) = plot {
        text += &format!("The chart is in {}.\n", path.display());
    }
    text + &verdict(report)
}

fn step(step: &Step) -> String {
    let mut text = format!("\n{}. {}\n", step.step, step.name);
    text += &wrapped(&step.what);
    text += &format!("\n{}\n\n", table(&step.hosts));
    if step.sends.is_empty() {
        text += "   Nothing is sent.\n";
    }
    text.extend(step.sends.iter().map(send));
    text
}

/// Running text in lines, indented.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the start");
        if line.chars().count() + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else if line.is_empty() {
            *line += word;
        } else {
            *line += &format!(" {word}");
        }
    }
    lines.iter().map(|line| format!("   {line}\n")).collect()
}

/// The sizes by reporter: a line for each host and IP version.
fn table(hosts: &[HostView]) -> String {
    let guests = guests(hosts);
    let mut columns = vec![("host".to_owned(), false)];
    let heads = ["NIC max", "multiple", "filter advertises"];
    columns.extend(heads.map(|head| (head.to_owned(), true)));
    columns.extend(guests.iter().map(|name| (format!("{name} uses"), true)));
    let rows = hosts
        .iter()
        .flat_map(|host| [V4, V6].map(|ip| row(host, ip, &guests)));
    text::lined(&columns, rows)
        .lines()
        .map(|line| format!("   {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The names of all guests, in order.
fn guests(hosts: &[HostView]) -> Vec<&str> {
    let guests = hosts.iter().flat_map(|host| &host.guests);
    let mut names: Vec<_> = guests.map(|guest| guest.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn row(host: &HostView, ip: IpVersion, guests: &[&str]) -> Vec<String> {
    let mut cells = vec![
        format!("{} {}", host.name, ip_name(ip)),
        number(host.nic.over(ip).into()),
        format!("× {}", host.multiple),
        number(host.advertised.over(ip).into()),
    ];
    cells.extend(guests.iter().map(|name| {
        let here = host.guests.iter().find(|guest| guest.name == *name);
        here.map_or(String::new(), |guest| number(guest.uses.over(ip).into()))
    }));
    cells
}

fn send(send: &SendRecord) -> String {
    let packets = counted(send.wire_packets as u64, "packet", "packets");
    let outcome = match send.verdict {
        "whole" => "✓ received whole".to_owned(),
        "as-is" => format!("the NIC accepts it as it is, {packets} on the wire, ✓ same"),
        verdict => {
            let mark = if verdict == "same" { "✓" } else { "✗" };
            let children = counted(send.children.len() as u64, "child", "children");
            let sizes = sizes(&send.children);
            format!("{children}, {packets} on the wire, {mark} {verdict}\n      children: {sizes}")
        }
    };
    let SendRecord { from, to, ip, .. } = send;
    let payload = number(send.payload.into());
    format!("   {from} → {to}, {ip}, {payload} bytes: {outcome}\n")
}

fn summary([large_sends, split, children]: [u64; 3]) -> String {
    format!(
        "\nThe filters were given {}; they split {} of them into {}.\n",
        counted(large_sends, "large send", "large sends"),
        number(split),
        counted(children, "child", "children"),
    )
}

fn verdict(report: &Report) -> String {
    match report.faults() as u64 {
        0 => "PASS: every size advertised is the multiple of the NIC's, every guest follows, every large send\n\
              arrives byte for byte as if cut in a single stage, and no rule of NDIS was broken.\n"
            .to_owned(),
        faults => {
            let wrong = counted(faults, "fault was", "faults were");
            format!("FAIL: {wrong} found; they are named above.\n")
        }
    }
}
