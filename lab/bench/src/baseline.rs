//! Earlier instruction counts, to compare the present ones with.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::{RUSTC, report::Report};

/// How much more instructions than the baseline are no regression, in percent.
const TOLERATED: f64 = 5.0;

/// The filter's own instructions for each unit, by case.
#[derive(Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// The compiler that made them.
    rustc: String,
    instructions: BTreeMap<String, f64>,
}

impl Baseline {
    pub(crate) fn of(report: &Report) -> Self {
        let rows = report.cases.iter();
        let instructions = rows.filter_map(|row| {
            let count = row.filter?;
            Some((row.name.to_owned(), (count * 10.0).round() / 10.0))
        });
        Self {
            rustc: RUSTC.to_owned(),
            instructions: instructions.collect(),
        }
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Fails if `now` takes more than is [tolerated](TOLERATED); returns a description of the
    /// comparison otherwise.
    pub(crate) fn check(&self, now: &Self) -> anyhow::Result<String> {
        let mut summary = String::new();
        if self.rustc != now.rustc {
            summary = format!(
                "the baseline was made by {}, this is {}: instructions differ by the compiler, too\n",
                self.rustc, now.rustc
            );
        }
        let mut wrong = Vec::new();
        for (name, is) in &now.instructions {
            match self.instructions.get(name) {
                None => wrong.push(format!("{name}: not in the baseline")),
                Some(was) if *is > was * (1.0 + TOLERATED / 100.0) => wrong.push(format!(
                    "{name}: {is:.1} instructions, {was:.1} in the baseline"
                )),
                Some(_) => {}
            }
        }
        if wrong.is_empty() {
            let count = now.instructions.len();
            summary += &format!("{count} cases within {TOLERATED} % of the baseline\n");
            return Ok(summary);
        }
        bail!(
            "{summary}{}\nIf that is meant, update the baseline: \
             cargo run --profile sys -p mslso-bench -- --write-baseline",
            wrong.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(count: f64) -> Baseline {
        Baseline {
            rustc: RUSTC.to_owned(),
            instructions: BTreeMap::from([("a case".to_owned(), count)]),
        }
    }

    #[test]
    fn a_regression_is_named_with_both_numbers() {
        let error = baseline(100.0).check(&baseline(105.1)).unwrap_err();
        let summary = error.to_string();
        assert!(summary.contains("a case: 105.1 instructions, 100.0 in the baseline"));
        assert!(summary.contains("--write-baseline"));
    }

    #[test]
    fn five_percent_and_improvements_are_tolerated() {
        assert!(baseline(100.0).check(&baseline(105.0)).is_ok());
        assert!(baseline(100.0).check(&baseline(10.0)).is_ok());
    }
}
