//! Charts of sizes and ratios, as SVG.

use std::ops::Range;
use std::path::Path;

use plotters::element::DashedPathElement;
pub use plotters::prelude::RGBColor;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Error;
use crate::output::try_to_write;

/// Pixels.
const SIZE: (u32, u32) = (1100, 560);
/// Pixels of the line above the plot that has the title.
const TITLE: u32 = 40;
/// Pixels of the column beside the plot that has the names of the series.
const LEGEND: u32 = 260;
/// Pixels of the line below it that has the source.
const SOURCE: u32 = 28;
const FONT: &str = "sans-serif";
const DARK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GREY: RGBColor = RGBColor(0x88, 0x88, 0x88);
const GRID: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);
/// The colors of series, in order.
pub const COLORS: [RGBColor; 4] = [
    RGBColor(0x1F, 0x5F, 0xBF),
    RGBColor(0xE0, 0x8A, 0x1E),
    RGBColor(0x2E, 0x8B, 0x57),
    RGBColor(0xB8, 0x2E, 0x2E),
];

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A line of so many pixels.
    Line(u32),
    /// A dashed line of so many pixels.
    Dashed(u32),
    /// A dot for each point.
    Dots,
    /// A large dot for each point, of a few.
    Marks,
}

/// Points that belong together.
pub struct Series {
    /// Their name, in lines.
    pub label: String,
    /// How they are drawn.
    pub look: Look,
    /// In which color.
    pub color: RGBColor,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
    /// For each point, the interval it may be in; none where that is not known.
    pub spread: Vec<(f64, f64)>,
    /// Texts at points, such as their values.
    pub notes: Vec<((f64, f64), String)>,
}

impl Series {
    /// A series of points, and no more.
    pub fn new(label: &str, look: Look, color: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self {
            label: label.to_owned(),
            look,
            color,
            points,
            spread: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// A chart.
pub struct Chart<'a> {
    /// The title.
    pub title: &'a str,
    /// The horizontal axis.
    pub x: (&'a str, Range<f64>),
    /// The vertical axis.
    pub y: (&'a str, Range<f64>),
    /// How a number on the vertical axis is written.
    pub y_text: &'a dyn Fn(f64) -> String,
    /// The same for the horizontal axis.
    pub x_text: &'a dyn Fn(f64) -> String,
    /// Moments with a name.
    pub marks: Vec<(f64, String)>,
    /// The series of the chart.
    pub series: Vec<Series>,
    /// How it was measured, when and where; written below the plot.
    pub source: String,
}

/// Tries whether a chart can be written to `path`, before it is drawn.
pub fn try_path(path: &Path) -> Result<(), Error> {
    try_to_write(path).map_err(|why| Error::Chart(path.to_owned(), why.to_string()))
}

impl Chart<'_> {
    /// Writes it to `path` as SVG.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        self.svg()
            .and_then(|svg| Ok(std::fs::write(path, svg)?))
            .map_err(|error| Error::Chart(path.to_owned(), error.to_string()))
    }

    fn svg(&self) -> Result<String, Box<dyn std::error::Error>> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            area.fill(&WHITE)?;
            let title = (FONT, 20).into_font().color(&BLACK);
            area.draw(&Text::new(self.title.to_owned(), (16, 14), title))?;
            let (plot, below) = area
                .margin(TITLE as i32, 0, 0, 0)
                .split_vertically(SIZE.1 - TITLE - SOURCE);
            let (plot, beside) = plot.split_horizontally(SIZE.0 - LEGEND);
            below.draw(&Text::new(
                self.source.clone(),
                (16, 4),
                (FONT, 13).into_font().color(&GREY),
            ))?;
            self.legend(&beside)?;
            let mut chart = ChartBuilder::on(&plot)
                .margin(14)
                .x_label_area_size(46)
                .y_label_area_size(84)
                .build_cartesian_2d(self.x.1.clone(), self.y.1.clone())?;
            chart
                .configure_mesh()
                .x_desc(self.x.0)
                .y_desc(self.y.0)
                .x_label_formatter(&|x| (self.x_text)(*x))
                .y_label_formatter(&|y| (self.y_text)(*y))
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .label_style((FONT, 14))
                .axis_desc_style((FONT, 16))
                .draw()?;
            let top = self.y.1.end;
            for (at, name) in &self.marks {
                let line = [(*at, self.y.1.start), (*at, top)];
                chart.draw_series(LineSeries::new(line, GREY.stroke_width(1)))?;
                let text = Text::new(name.clone(), (4, 2), (FONT, 12).into_font().color(&GREY));
                chart.draw_series(std::iter::once(EmptyElement::at((*at, top)) + text))?;
            }
            for series in &self.series {
                let color = series.color;
                let errors = series.points.iter().zip(&series.spread);
                chart.draw_series(errors.map(|((x, _), (low, high))| {
                    PathElement::new([(*x, *low), (*x, *high)], color.stroke_width(2))
                }))?;
                match series.look {
                    Look::Line(width) => {
                        let points = series.points.iter().copied();
                        chart.draw_series(LineSeries::new(points, color.stroke_width(width)))?
                    }
                    Look::Dashed(width) => {
                        let points = series.points.iter().copied();
                        let style = color.stroke_width(width);
                        chart.draw_series(DashedLineSeries::new(points, 8, 8, style))?
                    }
                    Look::Marks => {
                        let dot = |point: &(f64, f64)| Circle::new(*point, 5, color.filled());
                        chart.draw_series(series.points.iter().map(dot))?
                    }
                    Look::Dots => {
                        let dot = |point: &(f64, f64)| Circle::new(*point, 2, color.filled());
                        chart.draw_series(series.points.iter().map(dot))?
                    }
                };
                let above = (FONT, 14).into_font().color(&DARK);
                let above = above.pos(Pos::new(HPos::Left, VPos::Bottom));
                chart.draw_series(series.notes.iter().map(|(point, note)| {
                    EmptyElement::at(*point) + Text::new(note.clone(), (8, -7), above.clone())
                }))?;
            }
            area.present()?;
        }
        Ok(svg)
    }

    /// The names of the series beside the plot, each with its mark.
    fn legend(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn {
        let text = (FONT, 14).into_font().color(&BLACK);
        let text = text.pos(Pos::new(HPos::Left, VPos::Center));
        let mut y = 60;
        for series in &self.series {
            let color = series.color;
            match series.look {
                Look::Line(width) => {
                    area.draw(&PathElement::new(
                        [(4, y), (28, y)],
                        color.stroke_width(width),
                    ))?;
                }
                Look::Dashed(width) => {
                    let ends = [(4, y), (28, y)];
                    area.draw(&DashedPathElement::new(
                        ends,
                        7,
                        5,
                        color.stroke_width(width),
                    ))?;
                }
                Look::Marks => area.draw(&Circle::new((16, y), 5, color.filled()))?,
                Look::Dots => area.draw(&Circle::new((16, y), 2, color.filled()))?,
            }
            for line in series.label.lines() {
                area.draw(&Text::new(line.to_owned(), (38, y), text.clone()))?;
                y += 20;
            }
            y += 12;
        }
        Ok(())
    }
}
