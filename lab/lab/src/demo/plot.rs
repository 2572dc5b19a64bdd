//! The story as a chart: sizes over steps.
//!
//! Sizes are on a logarithmic scale, on which a multiple is a distance: the filter's line is above
//! the NIC's by the multiple.

use harness::chart::{Chart, Look, RGBColor, Series};
use harness::text::number;

use super::step::{HostView, Step};

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

/// The chart of `steps`.
pub(super) fn chart(steps: &[Step]) -> Chart<'static> {
    let mut advertised = Vec::new();
    let mut nics = Vec::new();
    let mut guests = Vec::new();
    for at in 0..2 {
        let host = format!("host {}", at + 1);
        let guest = format!("guest {}", at + 1);
        let of_host = |size: fn(&HostView) -> u32| {
            let size = |step: &Step| step.hosts.iter().find(|view| view.name == host).map(size);
            steps.iter().map(size).collect::<Vec<_>>()
        };
        let filter = format!("{host}:\nthe filter advertises");
        let sizes = of_host(|view| view.advertised.ipv4);
        advertised.push(noted(
            line(&filter, Look::Line(10), ADVERTISED[at], &sizes),
            &sizes,
        ));
        let nic = format!("{host}:\nthe NIC accepts");
        let sizes = of_host(|view| view.nic.ipv4);
        nics.push(noted(line(&nic, LOOKS[at](2), NIC, &sizes), &sizes));
        let used = steps.iter().map(|step| {
            let mut guests = step.hosts.iter().flat_map(|host| &host.guests);
            guests
                .find(|view| view.name == guest)
                .map(|view| view.uses.ipv4)
        });
        let (label, sizes) = (format!("{guest} uses"), used.collect::<Vec<_>>());
        guests.push(line(&label, LOOKS[at](3), USED[at], &sizes));
    }
    let name = |step: &Step| {
        (
            (step.step - 1) as f64,
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
        marks: steps.iter().map(name).collect(),
        series: [advertised, nics, guests].into_iter().flatten().collect(),
    }
}

/// A line through the size at each step, where there is one; it goes on to the end of the step.
fn line(label: &str, look: Look, color: RGBColor, sizes: &[Option<u32>]) -> Series {
    let corners = sizes.iter().enumerate().filter_map(|(index, size)| {
        let height = f64::from((*size)?).log2();
        Some([(index as f64, height), (index as f64 + 1.0, height)])
    });
    Series::new(label, look, color, corners.flatten().collect())
}

/// The line with its size in numbers, wherever it is another than before.
fn noted(line: Series, sizes: &[Option<u32>]) -> Series {
    let before = std::iter::once(&None).chain(sizes);
    let changed = sizes.iter().zip(before).enumerate();
    let notes = changed.filter_map(|(index, (size, before))| {
        let size = size.filter(|_| size != before)?;
        Some(((index as f64, f64::from(size).log2()), number(size.into())))
    });
    Series {
        notes: notes.collect(),
        ..line
    }
}
