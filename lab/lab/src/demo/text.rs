//! The story for a person.

use std::path::Path;

use harness::driver::Build;
use harness::text::{self, counted, ip_name, number, sizes};
use lso::IpVersion::{V4, V6};
use textwrap::{Options, fill, indent};

use super::step::{HostView, Report, SendRecord, Step};

/// An introduction for readers who see the job for the first time.
const INTRODUCTION: &str = "\
A guest must know the largest large send that it may make. The NIC reports the size that it accepts;
the filter advertises a multiple of that to the virtual switch, which passes it on to its guests. Here
a model of two hosts shows how that size follows when settings, NICs and hosts change, and what
happens to large sends meanwhile. The switch is a model too: as far as public sources show, the switch
of Hyper-V offers guests a constant 62,780 bytes, whatever is advertised to it. Sizes are bytes of TCP
payload.
";

/// Before each line of a step.
const INDENT: &str = "   ";

/// Most characters in a line of running text, indentation included.
const WIDTH: usize = 104;

/// Everything, from the introduction to the verdict.
pub(super) fn whole(report: &Report, build: &Build, plot: Option<&Path>) -> String {
    let mut text = INTRODUCTION.to_owned() + &text::driver_line(build);
    text.extend(report.steps.iter().map(step));
    let [large_sends, split, children] = report.counted;
    text += &format!(
        "\nThe filters received {}; they split {} of them into {}.\n",
        counted(large_sends, "large send", "large sends"),
        number(split),
        counted(children, "child", "children"),
    );
    if let Some(path) = plot {
        text += &format!("The chart is in {}.\n", path.display());
    }
    text + &match report.faults.len() as u64 {
        0 => "PASS: every advertised size is the multiple of the NIC's maximum, every guest follows, every large\n\
              send leaves as if cut in a single stage, byte for byte, and no rule of NDIS was broken.\n"
            .to_owned(),
        faults => {
            let wrong = counted(faults, "fault was", "faults were");
            format!("FAIL: {wrong} found; they are named above.\n")
        }
    }
}

fn step(step: &Step) -> String {
    let options = Options::new(WIDTH)
        .initial_indent(INDENT)
        .subsequent_indent(INDENT);
    let mut text = format!(
        "\n{}. {}\n{}\n\n{}\n",
        step.step,
        step.name,
        fill(&step.what, options),
        indent(&(table(&step.hosts) + "\n"), INDENT)
    );
    if step.sends.is_empty() {
        text += "   Nothing is sent.\n";
    }
    text.extend(step.sends.iter().map(send));
    text
}

/// The sizes by reporter: a line for each host and IP version.
fn table(hosts: &[HostView]) -> String {
    let guests = hosts.iter().flat_map(|host| &host.guests);
    let mut guests: Vec<_> = guests.map(|guest| guest.name.as_str()).collect();
    guests.sort_unstable();
    let heads = ["host", "NIC max", "multiple", "filter advertises"].map(str::to_owned);
    let heads = heads
        .into_iter()
        .chain(guests.iter().map(|name| format!("{name} uses")));
    let columns: Vec<_> = heads.enumerate().map(|(at, head)| (head, at > 0)).collect();
    let rows = hosts.iter().flat_map(|host| [V4, V6].map(|ip| (host, ip)));
    text::lined(
        &columns,
        rows.map(|(host, ip)| {
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
        }),
    )
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
