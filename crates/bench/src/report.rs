//! The results, as a table and as JSON.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::{
    callgrind::Instructions,
    cases::{Budget, Case},
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
            schema: 1,
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
    pub(crate) nanoseconds: Option<f64>,
    /// The design's budget, and whether it is kept.
    pub(crate) budget: Option<String>,
    pub(crate) is_met: Option<bool>,
    #[serde(skip)]
    pub(crate) functions: Vec<(String, f64)>,
}

/// The gain from a second processor.
#[derive(Serialize)]
pub(crate) struct TwoProcessors {
    pub(crate) name: &'static str,
    pub(crate) ratio: f64,
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

impl Row {
    pub(crate) fn new(
        case: &Case,
        units: u64,
        instructions: Option<Instructions>,
        nanoseconds: Option<f64>,
    ) -> Self {
        let all = instructions.as_ref().map(Instructions::all);
        let (budget, is_met) = match case.budget {
            None => (None, None),
            Some(Budget::Instructions(most)) => {
                (Some(format!("{most}")), all.map(|all| all <= most))
            }
            Some(Budget::Nanoseconds(most)) => {
                (Some(format!("{most} ns")), nanoseconds.map(|ns| ns <= most))
            }
        };
        Self {
            name: case.name,
            unit: case.unit.name(),
            units,
            filter: instructions.as_ref().map(|count| count.filter),
            ndis: instructions.as_ref().map(|count| count.ndis),
            nanoseconds,
            budget,
            is_met,
            functions: instructions.map_or(Vec::new(), |count| count.functions),
        }
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
                "two processors do {:.2} times the work of one: {}",
                two.ratio, two.name
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
            "sent", "unit", "filter", "NDIS", "both", "ns", "budget", "met",
        ]);
        for row in &self.cases {
            let both = row.filter.zip(row.ndis).map(|(filter, ndis)| filter + ndis);
            table.add_row([
                row.name.to_owned(),
                row.unit.to_owned(),
                number(row.filter),
                number(row.ndis),
                number(both),
                number(row.nanoseconds),
                row.budget.clone().unwrap_or_default(),
                match row.is_met {
                    None => "",
                    Some(true) => "yes",
                    Some(false) => "no",
                }
                .to_owned(),
            ]);
        }
        for column in table.column_iter_mut().skip(2).take(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
