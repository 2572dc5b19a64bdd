//! The story as a chart: sizes over steps.
//!
//! Sizes are on a logarithmic scale, on which a multiple is a distance: the filter's line is above
//! the NIC's by the multiple.

use std::path::Path;

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::step::{GuestView, HostView, Step};
use crate::error::Error;
use harness::text::number;

/// Pixels.
const SIZE: (u32, u32) = (1180, 660);
/// The least and the most size on the chart, as powers of two.
const SIZES: std::ops::Range<f64> = 15.0..20.4;

const FONT: &str = "sans-serif";
const DARK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GREY: RGBColor = RGBColor(0x88, 0x88, 0x88);
const GRID: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);

/// How a line is drawn.
#[derive(Clone, Copy)]
struct Look {
    color: RGBColor,
    width: u32,
    dashed: bool,
    numbers: Numbers,
}

/// Where a line has its sizes in numbers.
#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    Nowhere,
    Above,
    Below,
}

/// A NIC's own sizes: the same on each host but for the dashes.
const NIC: Look = Look {
    color: DARK,
    width: 2,
    dashed: false,
    numbers: Numbers::Below,
};
/// The sizes that filters advertise: broad and pale, so that the guests' sizes show on top.
const ADVERTISED: [RGBColor; 2] = [RGBColor(0xF2, 0xC1, 0x66), RGBColor(0x9C, 0xD3, 0xA8)];
const FILTER: Look = Look {
    color: ADVERTISED[0],
    width: 10,
    dashed: false,
    numbers: Numbers::Above,
};
/// The sizes that guests use. The second is dashed: they mostly use the same.
const USED: [RGBColor; 2] = [RGBColor(0x1F, 0x5F, 0xBF), RGBColor(0xB8, 0x2E, 0x2E)];

/// One line of the chart.
struct Line {
    label: String,
    look: Look,
    /// Its size at each step, where it has one.
    sizes: Vec<Option<u32>>,
}

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// Writes the chart of `steps` to `path`.
///
/// # Errors
///
/// [`Error::Plot`].
pub(super) fn write(steps: &[Step], path: &Path) -> Result<(), Error> {
    svg(steps)
        .and_then(|svg| Ok(std::fs::write(path, svg)?))
        .map_err(|error| Error::Plot(path.to_owned(), error.to_string()))
}

fn svg(steps: &[Step]) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(
                "Largest large send: what NICs say, filters advertise, guests use",
                (FONT, 24),
            )
            .margin(16)
            .x_label_area_size(64)
            .y_label_area_size(84)
            .build_cartesian_2d(0.0..steps.len() as f64, SIZES)?;
        grid(&mut chart, steps)?;
        for line in lines(steps) {
            draw(&mut chart, &line)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::Coordinate(24, 168))
            .background_style(WHITE.mix(0.9))
            .border_style(GREY)
            .legend_area_size(44)
            .margin(10)
            .label_font((FONT, 15))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

/// Axes with their labels; the steps' names stand in the middle of the steps.
fn grid(chart: &mut Chart<'_, '_>, steps: &[Step]) -> Drawn {
    chart
        .configure_mesh()
        .x_labels(steps.len() + 1)
        .x_label_formatter(&|_| String::new())
        .y_labels(6)
        .y_label_formatter(&|power| format!("{} KiB", number(power.exp2() as u64 / 1024)))
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 17))
        .x_desc("steps of the demo")
        .y_desc("bytes of TCP payload over IPv4 (logarithmic)")
        .draw()?;
    let style = (FONT, 15)
        .into_font()
        .color(&DARK)
        .pos(Pos::new(HPos::Center, VPos::Top));
    for (index, step) in steps.iter().enumerate() {
        let name = format!("{}. {}", step.step, step.name);
        let place = (index as f64 + 0.5, SIZES.start);
        let text = EmptyElement::at(place) + Text::new(name, (0, 10), style.clone());
        chart.draw_series(std::iter::once(text))?;
    }
    Ok(())
}

/// The lines, from the back to the front.
fn lines(steps: &[Step]) -> Vec<Line> {
    let (mut hosts, mut guests) = (Vec::new(), Vec::new());
    for host in steps.iter().flat_map(|step| &step.hosts) {
        if !hosts.contains(&host.name) {
            hosts.push(host.name.clone());
        }
        for guest in &host.guests {
            if !guests.contains(&guest.name) {
                guests.push(guest.name.clone());
            }
        }
    }
    let mut lines = Vec::new();
    for (name, color) in hosts.iter().zip(ADVERTISED.into_iter().cycle()) {
        let look = Look { color, ..FILTER };
        let label = format!("{name}: the filter advertises");
        lines.push(Line::of_host(label, look, steps, name, |host| {
            host.advertised.ipv4
        }));
    }
    for (index, name) in hosts.iter().enumerate() {
        let dashed = index % 2 == 1;
        let label = format!("{name}: the NIC accepts");
        lines.push(Line::of_host(
            label,
            Look { dashed, ..NIC },
            steps,
            name,
            |host| host.nic.ipv4,
        ));
    }
    for (index, name) in guests.iter().enumerate() {
        let look = Look {
            color: USED[index % USED.len()],
            width: 3,
            dashed: index % 2 == 1,
            numbers: Numbers::Nowhere,
        };
        lines.push(Line::of_guest(format!("{name} uses"), look, steps, name));
    }
    lines
}

impl Line {
    fn of_host(
        label: String,
        look: Look,
        steps: &[Step],
        name: &str,
        size: impl Fn(&HostView) -> u32,
    ) -> Self {
        let at = |step: &Step| step.hosts.iter().find(|host| host.name == name).map(&size);
        let sizes = steps.iter().map(at).collect();
        Self { label, look, sizes }
    }

    fn of_guest(label: String, look: Look, steps: &[Step], name: &str) -> Self {
        let at = |step: &Step| {
            let mut guests = step.hosts.iter().flat_map(|host| &host.guests);
            let guest: Option<&GuestView> = guests.find(|guest| guest.name == name);
            guest.map(|guest| guest.uses.ipv4)
        };
        let sizes = steps.iter().map(at).collect();
        Self { label, look, sizes }
    }

    /// The line's corners; each of the story's lines goes on to its end.
    fn corners(&self) -> Vec<(f64, f64)> {
        let at = |(index, size): (usize, &Option<u32>)| {
            let height = f64::from((*size)?).log2();
            Some([(index as f64, height), (index as f64 + 1.0, height)])
        };
        let sizes = self.sizes.iter().enumerate();
        sizes.filter_map(at).flatten().collect()
    }

    /// Where the size is another than before, and which.
    fn changes(&self) -> impl Iterator<Item = (usize, u32)> {
        let before = std::iter::once(&None).chain(&self.sizes);
        let changed = self.sizes.iter().zip(before).enumerate();
        changed.filter_map(|(index, (size, before))| {
            size.filter(|_| size != before).map(|size| (index, size))
        })
    }
}

fn draw(chart: &mut Chart<'_, '_>, line: &Line) -> Drawn {
    let Look {
        color,
        width,
        dashed,
        numbers,
    } = line.look;
    let style = color.stroke_width(width);
    let (dash, gap) = if dashed { (8, 8) } else { (1000, 0) };
    let legend = move |(x, y): (i32, i32)| {
        let ends = [(x, y), (x + 38, y)];
        DashedPathElement::new(ends, dash, gap, style)
    };
    let drawn = if dashed {
        chart.draw_series(DashedLineSeries::new(line.corners(), dash, gap, style))?
    } else {
        chart.draw_series(LineSeries::new(line.corners(), style))?
    };
    drawn.label(&line.label).legend(legend);
    let (vertical, away) = match numbers {
        Numbers::Nowhere => return Ok(()),
        Numbers::Above => (VPos::Bottom, -9),
        Numbers::Below => (VPos::Top, 6),
    };
    let style = (FONT, 14)
        .into_font()
        .color(&DARK)
        .pos(Pos::new(HPos::Left, vertical));
    chart.draw_series(line.changes().map(|(index, size)| {
        let place = (index as f64, f64::from(size).log2());
        EmptyElement::at(place) + Text::new(number(size.into()), (8, away), style.clone())
    }))?;
    Ok(())
}
