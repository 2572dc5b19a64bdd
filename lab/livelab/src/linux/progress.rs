//! The progress display of a transfer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::stream::Amount;

/// A transfer's progress.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that have arrived.
    pub bytes: AtomicU64,
    done: AtomicBool,
}

impl Progress {
    /// Runs `body`, and meanwhile shows on a terminal how far it is.
    pub fn show<T>(&self, what: &str, amount: Amount, body: impl FnOnce(&AtomicU64) -> T) -> T {
        thread::scope(|scope| {
            scope.spawn(|| self.draw(what, amount));
            let result = body(&self.bytes);
            self.done.store(true, Relaxed);
            result
        })
    }

    fn draw(&self, what: &str, amount: Amount) {
        let bar = bar(what, amount);
        let begun = Instant::now();
        while !self.done.load(Relaxed) {
            let bytes = self.bytes.load(Relaxed);
            match amount {
                Amount::Bytes(_) => bar.set_position(bytes),
                Amount::For(_) => bar.set_position(begun.elapsed().as_secs()),
            }
            let rate = bytes as f64 * 8.0 / begun.elapsed().as_secs_f64().max(0.001) / 1e9;
            bar.set_message(format!("{rate:.2} Gbit/s"));
            thread::sleep(Duration::from_millis(50));
        }
        bar.finish_and_clear();
    }
}

fn bar(what: &str, amount: Amount) -> ProgressBar {
    let (length, counted) = match amount {
        Amount::Bytes(bytes) => (bytes, "{bytes} of {total_bytes}"),
        Amount::For(time) => (time.as_secs(), "{pos} s of {len} s"),
    };
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = format!("{what} {{bar:30}} {counted}, {{msg}}");
    // The template is the lab's own; were it wrong, the plain bar would do.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
