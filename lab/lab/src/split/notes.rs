//! Lines about single packets, on the standard error stream.

use std::collections::BTreeMap;

use indicatif::ProgressBar;

use harness::output::note;
use harness::text;

/// Lines for packets that are refused for the same reason, or wrong; the others are counted.
const MOST: u64 = 20;

/// Lines that share the terminal with a progress bar.
pub(super) struct Notes {
    pub(super) bar: ProgressBar,
    counts: BTreeMap<&'static str, u64>,
}

impl Notes {
    pub(super) fn new(bar: ProgressBar) -> Self {
        let counts = BTreeMap::new();
        Self { bar, counts }
    }

    /// Prints a line, unless there were many of the same `kind`.
    pub(super) fn line(&mut self, kind: &'static str, line: &str) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= MOST {
            self.bar.suspend(|| note(line));
        }
    }

    /// Sums up the notes that were not printed, and removes the bar.
    pub(super) fn finish(&mut self) {
        self.bar.finish_and_clear();
        for (kind, count) in std::mem::take(&mut self.counts) {
            if let Some(more @ 1..) = count.checked_sub(MOST) {
                let more = text::counted(more, "more packet", "more packets");
                note(format_args!("{kind}: {more}"));
            }
        }
    }
}
