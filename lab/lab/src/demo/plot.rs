//! The story as a chart: sizes over steps.
//!
//! Sizes are on a logarithmic scale, on which a multiple is a distance: the filter's line is above
//! the NIC's by the multiple.

use harness::chart::{Chart, Look, RGBColor, Series};
use harness::text::number;

use super::step::Step;

/// The least and the most size on the chart, as powers of two.
const SIZES: std::ops::Range<f64> = 14.0..21.0;

/// The sizes that filters advertise: broad and pale, so that the guests' sizes show on top.
const ADVERTISED: [RGBColor; 2] = [RGBColor(0xF2, 0xC1, 0x66), RGBColor(0x9C, 0xD3, 0xA8)];
/// A NIC's own sizes: the same on each host but for the dashes.
const NIC: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// The sizes that guests use. The second is dashed: they mostly use the same.
const USED: [RGBColor; 2] = [RGBColor(0x1F, 0x5F, 0xBF), RGBColor(0xB8, 0x2E, 0x2E)];

/// How the first and the second of a kind are drawn.
const LOOKS: [fn(u32) -> Look; 2] = [Look::Line, Look::Dashed];

pub(super) fn chart(steps: &[Step]) -> Chart<'static> {
    let advertised = [0, 1].map(|at| {
        let label = format!("host {}: the filter advertises", at + 1);
        let size = |step: &Step| Some(step.hosts.get(at)?.advertised.ipv4);
        noted(&label, Look::Line(10), ADVERTISED[at], steps, size)
    });
    let nics = [0, 1].map(|at| {
        let label = format!("host {}: the NIC accepts", at + 1);
        let size = |step: &Step| Some(step.hosts.get(at)?.nic.ipv4);
        noted(&label, LOOKS[at](2), NIC, steps, size)
    });
    let used = [0, 1].map(|at| {
        let name = format!("guest {}", at + 1);
        let size = |step: &Step| {
            let mut guests = step.hosts.iter().flat_map(|host| &host.guests);
            Some(guests.find(|view| view.name == name)?.uses.ipv4)
        };
        Series {
            notes: Vec::new(),
            ..noted(&format!("{name} uses"), LOOKS[at](3), USED[at], steps, size)
        }
    });
    let mark = |step: &Step| {
        (
            step.step as f64 - 1.0,
            format!("{}. {}", step.step, step.name),
        )
    };
    Chart {
        title: "Largest large send: what NICs accept, filters advertise, guests use",
        x: ("steps of the demo", 0.0..steps.len() as f64),
        y: ("bytes of TCP payload over IPv4 (logarithmic)", SIZES),
        y_text: &|power| format!("{} KiB", number(power.exp2() as u64 / 1024)),
        x_text: &|_| String::new(),
        source: "mslso-lab demo: the filter between model switches and model NICs".into(),
        marks: steps.iter().map(mark).collect(),
        series: [advertised, nics, used].into_iter().flatten().collect(),
    }
}

/// A line through the size at each step, where there is one, to the end of the step; with the size
/// in numbers wherever it is another than before.
fn noted(
    label: &str,
    look: Look,
    color: RGBColor,
    steps: &[Step],
    size: impl Fn(&Step) -> Option<u32>,
) -> Series {
    let mut line = Series::new(label, look, color, Vec::new());
    let mut before = None;
    for (index, step) in steps.iter().enumerate() {
        let (now, at) = (size(step), index as f64);
        if let Some(size) = now {
            let height = f64::from(size).log2();
            line.points.extend([(at, height), (at + 1.0, height)]);
            if now != before {
                line.notes.push(((at, height), number(size.into())));
            }
        }
        before = now;
    }
    line
}
