//! The progress display of a run.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on a terminal, and nothing elsewhere.
pub struct Progress(ProgressBar);

impl Progress {
    /// The progress of a seed with so many steps.
    pub fn new(seed: u64, steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let template =
            format!("seed {seed} {{bar:30}} {{pos}} of {{len}} steps, {{per_sec}}, {{eta}}");
        // The template is the lab's own; were it wrong, the plain bar would do.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many steps were taken.
    pub fn at(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
