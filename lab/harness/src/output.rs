//! The output of a command. A failure to write is ignored: a reader that has closed its pipe is no
//! fault of the driver, and the exit code carries the verdict too.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Prints `text` on the standard output.
pub fn print(text: impl Display) {
    let mut out = io::stdout();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a line on the standard error stream.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Tries whether a file can be written, before the work whose result is to be in it. A file that is
/// there stays as it is, and none is made.
pub fn try_to_write(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // A pipe's reader would take the end of the trial for the end of the result.
        Ok(about) if !about.is_file() && !about.is_dir() => Ok(()),
        Ok(_) => File::options().append(true).open(path).map(drop),
        Err(_) => {
            let folder = path.parent().filter(|name| !name.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        }
    }
}
