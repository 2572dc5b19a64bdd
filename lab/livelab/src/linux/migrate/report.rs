//! The result of a migration, as text and as a chart.

use std::collections::BTreeSet;

use super::super::provenance;
use super::{Migration, Phase, Sizes};
use harness::chart::{COLORS, Chart, Look, Series};
use harness::text::number;

/// As a person reads it.
pub(super) fn text(migration: &Migration) -> String {
    let columns = [
        ("event", false),
        ("at, s", true),
        ("host", false),
        ("NIC accepts", true),
        ("advertised", true),
        ("follows\nafter, ms", true),
        ("largest\nlarge send", true),
    ];
    let rows = migration.phases.iter().map(|phase| {
        [
            phase.event.clone(),
            format!("{:.2}", phase.at),
            phase.host.clone(),
            number(phase.nic.into()),
            number(phase.advertised.into()),
            format!("{:.0}", phase.followed_after),
            number(phase.largest_large_send),
        ]
    });
    let table = harness::text::lined(&columns, rows);
    format!("{table}\n\n{}", migration.summary.text())
}

/// Sizes over time.
pub(super) fn chart(migration: &Migration, sizes: &Sizes) -> Chart<'static> {
    let end = sizes.last().map_or(1.0, |(at, _)| *at);
    let steps = |size: &dyn Fn(&Phase) -> u32| {
        let starts = migration.phases.iter().map(|phase| phase.at);
        let ends = starts.clone().skip(1).chain([end]);
        let spans = migration.phases.iter().zip(starts.zip(ends));
        spans
            .flat_map(|(phase, (from, to))| {
                let height = kib(u64::from(size(phase)));
                [(from, height), (to, height)]
            })
            .collect()
    };
    let marks = migration.phases.iter();
    let nics: BTreeSet<u32> = migration.phases.iter().map(|phase| phase.nic).collect();
    Chart {
        title: "A guest's large sends while it is retuned and migrated under a running transfer",
        x: ("seconds", 0.0..end),
        y: ("bytes of TCP payload (logarithmic)", 4.0..10.5),
        y_text: &|power| format!("{} KiB", power.exp2().round()),
        x_text: &|seconds| format!("{seconds:.1}"),
        source: format!(
            "mslso-lab migrate, {}, Linux {}: one guest's transfer between hosts with NICs of {} bytes",
            provenance::today(),
            provenance::kernel(),
            nics.into_iter()
                .map(|nic| number(nic.into()))
                .collect::<Vec<_>>()
                .join(" and "),
        ),
        marks: marks.map(|phase| (phase.at, phase.event.clone())).collect(),
        series: vec![
            Series::new(
                "advertised to the guest",
                Look::Line(6),
                COLORS[1],
                steps(&|phase| phase.advertised),
            ),
            Series::new(
                "the NIC accepts",
                Look::Line(3),
                COLORS[2],
                steps(&|phase| phase.nic),
            ),
            Series::new(
                "largest large send\nof each moment",
                Look::Dots,
                COLORS[0],
                moments(sizes, end),
            ),
        ],
    }
}

/// One point for as many sizes as a dot is wide, the largest of them.
fn moments(sizes: &Sizes, end: f64) -> Vec<(f64, f64)> {
    let moment = |at: f64| (at / end * DOTS).floor();
    let runs = sizes.chunk_by(|(a, _), (b, _)| moment(*a) == moment(*b));
    let largest = runs.filter_map(|run| run.iter().max_by_key(|(_, size)| *size));
    largest.map(|(at, size)| (*at, kib(*size))).collect()
}

/// Dots that have place beside each other.
const DOTS: f64 = 250.0;

/// A size on the chart's axis: the logarithm of its KiB.
fn kib(bytes: u64) -> f64 {
    (bytes.max(1) as f64 / 1024.0).log2().max(4.0)
}
