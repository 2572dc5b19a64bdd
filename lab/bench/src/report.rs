//! The results, as a table and as JSON.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::{
    callgrind::Instructions,
    cases::{Budget, Case},
    time::Measured,
    two_processors::Gain,
};

/// All that one run found.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    /// The compiler, on which instructions depend.
    pub(crate) rustc: &'static str,
    pub(crate) cases: Vec<Row>,
    /// How much more two processors do than one, by case.
    pub(crate) two_processors: Vec<TwoProcessors>,
    /// The same work by others.
    pub(crate) peers: Vec<PeerRow>,
    /// Allocations, frees and spin locks in steady state. A run in which there are any fails.
    pub(crate) allocations_after_warm_up: u64,
}

/// A report with the number of its form, which changes when a field is removed, renamed or gets
/// another meaning.
#[derive(Serialize)]
struct Versioned<'a> {
    schema: u32,
    #[serde(flatten)]
    report: &'a Report,
}

impl Report {
    /// Returns the report as `--json` writes it.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Versioned {
            schema: 2,
            report: self,
        })
    }
}

/// One case.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// Units that one call makes.
    pub(crate) units: u64,
    /// Instructions a unit: the filter's, and the null NDIS's.
    pub(crate) filter: Option<f64>,
    pub(crate) ndis: Option<f64>,
    /// Instructions a unit of the floor, with the null NDIS's.
    pub(crate) floor: Option<f64>,
    /// The filter's time, and the floor's in the same rounds.
    pub(crate) nanoseconds: Option<f64>,
    pub(crate) floor_nanoseconds: Option<f64>,
    /// The budget, and whether it is kept.
    pub(crate) budget: Option<String>,
    pub(crate) is_met: Option<bool>,
    #[serde(skip)]
    pub(crate) functions: Vec<(String, f64)>,
}

/// The gain from a second processor.
#[derive(Serialize)]
pub(crate) struct TwoProcessors {
    pub(crate) name: &'static str,
    #[serde(flatten)]
    pub(crate) gain: Gain,
}

/// One peer's work beside ours.
#[derive(Serialize)]
pub(crate) struct PeerRow {
    pub(crate) peer: &'static str,
    pub(crate) work: &'static str,
    pub(crate) nanoseconds: f64,
    /// Ours in the same run.
    pub(crate) ours: f64,
}

/// Instructions and time of one case, as far as they were measured.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) instructions: Option<Instructions>,
    pub(crate) floor: Option<Instructions>,
    pub(crate) time: Option<Measured>,
}

impl Row {
    pub(crate) fn new(case: &Case, units: u64, figures: Figures) -> Self {
        let (instructions, time) = (figures.instructions, figures.time);
        let mut row = Self {
            name: case.name,
            unit: case.unit.name(),
            units,
            filter: instructions.as_ref().map(|count| count.filter),
            ndis: instructions.as_ref().map(|count| count.ndis),
            floor: figures.floor.as_ref().map(Instructions::all),
            nanoseconds: time.as_ref().map(|time| time.filter),
            floor_nanoseconds: time.as_ref().and_then(|time| time.floor),
            budget: None,
            is_met: None,
            functions: instructions.map_or(Vec::new(), |count| count.functions),
        };
        row.compare(&case.budget);
        row
    }

    /// Instructions of filter and null NDIS.
    fn both(&self) -> Option<f64> {
        Some(self.filter? + self.ndis?)
    }

    /// The same as a multiple of the floor's.
    fn of_floor(&self) -> Option<f64> {
        Some(self.both()? / self.floor?)
    }

    fn compare(&mut self, budget: &Budget) {
        let limits = [
            (budget.of_floor, self.of_floor(), " x floor"),
            (budget.instructions, self.both(), ""),
            (budget.nanoseconds, self.nanoseconds, " ns"),
        ];
        let set = || {
            let limits = limits.iter();
            limits.filter_map(|(most, is, unit)| Some(((*most)?, is, unit)))
        };
        let texts: Vec<_> = set()
            .map(|(most, _, unit)| format!("{most}{unit}"))
            .collect();
        self.budget = (!texts.is_empty()).then(|| texts.join(", "));
        // One that is exceeded decides, whether or not the others were measured.
        let kept: Vec<_> = set().map(|(most, is, _)| is.map(|is| is <= most)).collect();
        self.is_met = if kept.contains(&Some(false)) {
            Some(false)
        } else {
            (!kept.is_empty() && !kept.contains(&None)).then_some(true)
        };
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.1}"))
}

impl Report {
    /// All of it; with `functions`, each case's most expensive ones.
    pub(crate) fn text(&self, functions: usize) -> String {
        let mut lines = vec![self.table().to_string(), String::new()];
        for row in self.cases.iter().filter(|_| functions > 0) {
            lines.push(format!("{}: instructions a {}", row.name, row.unit));
            let most = row.functions.iter().take(functions);
            lines.extend(most.map(|(name, own)| format!("{own:9.1}  {name}")));
            lines.push(String::new());
        }
        lines.extend(self.two_processors.iter().map(|two| {
            format!(
                "two processors do {:.2} times the work of one, and {:.2} times with a module each: {}",
                two.gain.shared, two.gain.apart, two.name
            )
        }));
        lines.extend(self.peers.iter().map(|row| {
            format!(
                "{}: {}: {:.1} ns, here {:.1} ns, which is {:.2} times as long",
                row.peer,
                row.work,
                row.nanoseconds,
                row.ours,
                row.ours / row.nanoseconds
            )
        }));
        lines.push(format!(
            "allocations after warm-up: {}",
            self.allocations_after_warm_up
        ));
        lines.join("\n") + "\n"
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "sent", "unit", "filter", "NDIS", "both", "floor", "x floor", "ns", "floor ns",
            "budget", "met",
        ]);
        for row in &self.cases {
            table.add_row([
                row.name.to_owned(),
                row.unit.to_owned(),
                number(row.filter),
                number(row.ndis),
                number(row.both()),
                number(row.floor),
                row.of_floor()
                    .map_or("-".into(), |ratio| format!("{ratio:.2}")),
                number(row.nanoseconds),
                number(row.floor_nanoseconds),
                row.budget.clone().unwrap_or_default(),
                match row.is_met {
                    None => "",
                    Some(true) => "yes",
                    Some(false) => "no",
                }
                .to_owned(),
            ]);
        }
        for column in table.column_iter_mut().skip(2).take(7) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    fn instructions(all: f64) -> Option<Instructions> {
        Some(Instructions {
            filter: all,
            ndis: 0.0,
            functions: Vec::new(),
        })
    }

    #[test]
    fn a_budget_is_met_only_if_every_limit_is() {
        let case = cases::find("1 MiB in 64 KiB x1").expect("a case");
        let row = |all, nanoseconds| {
            let time = |filter| Measured {
                units: 17,
                filter,
                floor: None,
                other: None,
            };
            let figures = Figures {
                instructions: instructions(all),
                floor: instructions(100.0),
                time: Option::map(nanoseconds, time),
            };
            Row::new(case, 17, figures)
        };
        assert_eq!(row(110.0, Some(25.0)).is_met, Some(true));
        assert_eq!(row(111.0, Some(25.0)).is_met, Some(false));
        assert_eq!(row(110.0, Some(25.1)).is_met, Some(false));
        assert_eq!(row(110.0, None).is_met, None);
        assert_eq!(row(111.0, None).is_met, Some(false));
        let budget = row(110.0, None).budget;
        assert_eq!(budget.as_deref(), Some("1.1 x floor, 25 ns"));
    }
}
