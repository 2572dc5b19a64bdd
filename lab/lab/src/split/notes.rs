//! Lines about single packets, on the standard error stream.

use std::collections::BTreeMap;
use std::io::Write;

use indicatif::ProgressBar;

use harness::text;

/// Lines for packets that are refused for the same reason, or wrong; the others are counted.
const MOST: u64 = 20;

/// Lines that share the terminal with a progress bar.
pub(super) struct Notes<'a, W> {
    pub(super) out: &'a mut W,
    pub(super) bar: ProgressBar,
    counts: BTreeMap<&'static str, u64>,
}

impl<'a, W: Write> Notes<'a, W> {
    pub(super) fn new(out: &'a mut W, bar: ProgressBar) -> Self {
        let counts = BTreeMap::new();
        Self { out, bar, counts }
    }

    /// Prints a line, unless there were many of the same `kind`.
    pub(super) fn line(&mut self, kind: &'static str, line: &str) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= MOST {
            let out = &mut *self.out;
            self.bar
                .suspend(|| super::write_text(out, &format!("{line}\n")));
        }
    }

    /// Sums up the notes that were not printed, and removes the bar.
    pub(super) fn finish(&mut self) {
        self.bar.finish_and_clear();
        for (kind, count) in std::mem::take(&mut self.counts) {
            if let Some(more @ 1..) = count.checked_sub(MOST) {
                let more = text::counted(more, "more packet", "more packets");
                super::write_text(self.out, &format!("{kind}: {more}\n"));
            }
        }
    }
}
