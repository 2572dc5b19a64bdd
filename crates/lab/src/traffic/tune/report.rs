//! A sweep as text and as a chart.

use super::super::chart::{COLORS, Chart, Look, Series, SeriesLabelPosition};
use super::ratio::Ratio;
use super::{Point, Sweep};
use crate::report::{lined, number};

/// A ratio with how far it may be off.
pub(super) fn shown(ratio: Ratio) -> String {
    let noise = if ratio.is_noise() && ratio.off_by > 0.0 {
        " (noise)"
    } else {
        ""
    };
    format!("{:.2} ±{:.2}{noise}", ratio.mean, ratio.off_by)
}

/// As a person reads it.
pub(super) fn text(sweep: &Sweep) -> String {
    let columns = [
        ("multiple", true),
        ("told", true),
        ("largest\nlarge send", true),
        ("processor time\nfor a byte", false),
        ("throughput", false),
        ("latency, nine of ten\nbeside bulk", false),
    ];
    let columns = columns.map(|(head, number)| (head.to_owned(), number));
    let rows = sweep.multiples.iter().map(|point| {
        [
            point.multiple.to_string(),
            number(point.told.into()),
            number(point.largest_large_send),
            shown(point.cpu),
            shown(point.throughput),
            shown(point.latency),
        ]
    });
    let mut text = lined(&columns, rows);
    text += &format!(
        "\n\nRatios to multiple 1, mean of {} rounds and 95 % interval; \"noise\" where that holds 1. \
         The model's work is part of all.\n\n",
        sweep.rounds
    );
    for one in &sweep.recommended {
        text += &format!(
            "profile {}: multiple {}, {}\n",
            one.profile, one.multiple, one.why
        );
    }
    text
}

/// The ratios by multiple.
pub(super) fn chart(sweep: &Sweep) -> Chart<'static> {
    type Of = fn(&Point) -> Ratio;
    let all: [(&str, Of); 3] = [
        ("processor time for a byte", |point| point.cpu),
        ("throughput", |point| point.throughput),
        ("latency of requests beside it, nine of ten", |point| {
            point.latency
        }),
    ];
    let place = |point: &Point| f64::from(point.multiple);
    let series: Vec<_> = all
        .iter()
        .zip(COLORS)
        .enumerate()
        .map(|(number, ((label, of), color))| {
            // A little apart, so that no interval hides another.
            let aside = (number as f64 - 1.0) * 0.04;
            let points = sweep.multiples.iter();
            Series {
                label: (*label).to_owned(),
                look: Look::Line(3),
                color,
                points: points
                    .clone()
                    .map(|one| (place(one) + aside, of(one).mean))
                    .collect(),
                spread: points.map(|one| of(one).off_by).collect(),
            }
        })
        .collect();
    let points = sweep.multiples.iter();
    let means = points.flat_map(|point| all.map(|(_, of)| of(point).mean));
    // Room for the names of the series; an interval may leave the chart.
    let top = means.fold(1.5, f64::max) * 1.4;
    let right = sweep.multiples.last().map_or(1.0, place);
    Chart {
        title: "Multiples of what the NIC takes, against multiple 1, with 95 % intervals",
        x: ("multiple", 0.8..right + 0.2),
        y: ("ratio to multiple 1", 0.0..top),
        y_text: &|ratio| format!("{ratio:.1}"),
        x_text: &|multiple| format!("{multiple:.0}"),
        marks: Vec::new(),
        legend: SeriesLabelPosition::UpperRight,
        series,
    }
}
