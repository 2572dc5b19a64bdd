//! A sweep as text and as a chart.

use super::ratio::Ratio;
use super::{Point, Recommendation, Sweep};
use harness::chart::{COLORS, Chart, Look, Series};
use harness::text::{lined, number};

/// A ratio with its interval.
pub(super) fn shown(ratio: Ratio) -> String {
    let noise = if ratio.is_noise() && ratio.low < ratio.high {
        ", noise"
    } else {
        ""
    };
    let Ratio {
        mean, low, high, ..
    } = ratio;
    format!("{mean:.2} ({low:.2} to {high:.2}{noise})")
}

/// The line with the subject and date of the measurement.
fn measured(sweep: &Sweep) -> String {
    format!(
        "Measured {} on Linux {}: {} rounds of {} bytes by {}, a NIC of {} bytes. Ratios to multiple 1, \
         paired by round: geometric mean, and Student's t intervals that all hold at once in 95 of 100 \
         sweeps; an interval that contains 1 is marked \"noise\".",
        sweep.date,
        sweep.kernel,
        sweep.rounds,
        number(sweep.bytes),
        sweep.ip,
        number(sweep.nic_max.into()),
    )
}

fn recommended(sweep: &Sweep) -> Vec<String> {
    let line = |one: &Recommendation| match one.multiple {
        Some(multiple) => format!("profile {}: multiple {multiple}, {}", one.profile, one.why),
        None => format!("profile {}: no recommendation, {}", one.profile, one.why),
    };
    sweep.recommended.iter().map(line).collect()
}

const BEGIN: &str = "<!-- tune: begin -->";
const END: &str = "<!-- tune: end -->";

/// The parts of the Markdown `document` before and after its two marks.
pub(super) fn around_marks(document: &str) -> Result<(&str, &str), String> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    parts.ok_or_else(|| {
        format!("lacks the lines {BEGIN} and {END}; add them where the results are to be")
    })
}

/// The Markdown `document` with the measurements between its two marks.
pub(super) fn into_document(document: &str, sweep: &Sweep) -> Result<String, String> {
    let (before, after) = around_marks(document)?;
    let mut text = format!("{}\n\n", measured(sweep));
    text += "| multiple | advertised | largest large send | sender's processor time for a byte, less is \
             better | throughput, more is better | p90 latency beside bulk, less is better |\n\
             |---|---|---|---|---|---|\n";
    for point in &sweep.multiples {
        text += &format!("| {} |\n", cells(point).join(" | "));
    }
    let lines = recommended(sweep).join("\n- ");
    Ok(format!("{before}{BEGIN}\n{text}\n- {lines}\n{END}{after}"))
}

fn cells(point: &Point) -> [String; 6] {
    [
        point.multiple.to_string(),
        number(point.advertised.into()),
        number(point.largest_large_send),
        shown(point.cpu),
        shown(point.throughput),
        shown(point.latency),
    ]
}

/// As a person reads it.
pub(super) fn text(sweep: &Sweep) -> String {
    let columns = [
        ("multiple", true),
        ("advertised", true),
        ("largest\nlarge send", true),
        ("sender's processor time\nfor a byte, less is better", false),
        ("throughput,\nmore is better", false),
        ("p90 latency beside bulk,\nless is better", false),
    ];
    let rows = sweep.multiples.iter().map(cells);
    let lines = recommended(sweep).join("\n");
    format!(
        "{}\n\n{}\n\n{lines}\n",
        lined(&columns, rows),
        measured(sweep)
    )
}

/// The ratios by multiple.
pub(super) fn chart(sweep: &Sweep) -> Chart<'static> {
    type Of = fn(&Point) -> Ratio;
    let all: [(&str, Of); 3] = [
        (
            "sender's processor time for a byte:\nless is better",
            |point| point.cpu,
        ),
        ("throughput: more is better", |point| point.throughput),
        (
            "p90 latency of requests beside it:\nless is better",
            |point| point.latency,
        ),
    ];
    let place = |point: &Point| f64::from(point.multiple);
    let series: Vec<_> = all
        .iter()
        .zip(COLORS)
        .enumerate()
        .map(|(number, ((label, of), color))| {
            // A little apart, so that no interval hides another.
            let aside = (number as f64 - 1.0) * 0.12;
            let points = sweep.multiples.iter();
            let means = points.clone().map(|one| (place(one) + aside, of(one).mean));
            Series {
                spread: points.map(|one| (of(one).low, of(one).high)).collect(),
                ..Series::new(label, Look::Marks, color, means.collect())
            }
        })
        .collect();
    // All of each interval is shown.
    let points = sweep.multiples.iter();
    let ends = points.flat_map(|point| all.map(|(_, of)| of(point).high));
    let top = ends.filter(|end| end.is_finite()).fold(1.2, f64::max) * 1.05;
    let right = sweep.multiples.last().map_or(1.0, place);
    Chart {
        title: "Large sends of several times the NIC's maximum, compared with multiple 1",
        x: ("multiple", 0.5..right + 0.5),
        y: ("ratio to multiple 1", 0.0..top),
        y_text: &|ratio| format!("{ratio:.1}"),
        x_text: &|multiple| format!("{multiple:.0}"),
        marks: Vec::new(),
        source: format!(
            "mslso-lab tune, {}, Linux {}: {} rounds of {} bytes by {}, a NIC of {} bytes; mean and 95 % interval",
            sweep.date,
            sweep.kernel,
            sweep.rounds,
            number(sweep.bytes),
            sweep.ip,
            number(sweep.nic_max.into()),
        ),
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_the_figures_between_its_marks_and_the_rest_stays() {
        let sweep = Sweep {
            nic_max: 62_780,
            date: "2026-01-31".into(),
            kernel: "6.12.0".into(),
            rounds: 6,
            bytes: 1 << 29,
            ip: "IPv4",
            multiples: Vec::new(),
            recommended: Vec::new(),
            violations: Vec::new(),
        };
        let old = format!("# Tune\n{BEGIN}\nformer figures\n{END}\nrest\n");
        let new = into_document(&old, &sweep).unwrap();
        assert!(new.starts_with("# Tune\n") && new.ends_with(&format!("{END}\nrest\n")));
        assert!(new.contains("2026-01-31 on Linux 6.12.0: 6 rounds") && !new.contains("former"));
        assert_eq!(into_document(&new, &sweep).unwrap(), new);
        assert!(into_document("no marks", &sweep).is_err());
    }
}
