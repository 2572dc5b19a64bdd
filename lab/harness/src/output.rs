//! The output of a command. A failure to write is ignored: a reader that has closed its pipe is no
//! fault of the driver, and the exit code carries the verdict too.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints `text` on the standard output.
pub fn print(text: impl Display) {
    let mut out = io::stdout();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a line on the standard error stream.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
