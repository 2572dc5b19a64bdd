//! A capture file that is read twice: once to find it good, once to use it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;

use super::read::{Frames, frames, is_begun};
use super::{CaptureError, Captured, Fault};

const GZIP: [u8; 2] = [0x1F, 0x8B];

/// A capture file, on disk: nothing of it is held but the packet that is read.
pub struct CaptureFile {
    path: PathBuf,
    file: File,
    gzip: bool,
}

impl CaptureFile {
    /// Opens a file. `-`, and a pipe, are written to a temporary file first. gzip is read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let open = || -> io::Result<(File, bool)> {
            let mut file = if path == Path::new("-") {
                on_disk(io::stdin())?
            } else {
                let file = File::open(path)?;
                match file.metadata()? {
                    about if about.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
                    about if about.is_file() => file,
                    _ => on_disk(file)?,
                }
            };
            let mut magic = Vec::new();
            (&mut file).take(2).read_to_end(&mut magic)?;
            Ok((file, magic == GZIP))
        };
        let (file, gzip) = open().map_err(|e| CaptureError::new(path, Fault::Open(e)))?;
        let path = path.to_owned();
        Ok(Self { path, file, gzip })
    }

    /// Bytes of the file, compressed or not.
    pub fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |about| about.len())
    }

    /// All frames, from the file's beginning; `bar` shows the bytes read.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or does not begin as a capture does; each frame is an error as
    /// with [`read`](super::read()) for the first thing that is wrong.
    pub fn frames<'a>(
        &'a self,
        bar: &ProgressBar,
    ) -> Result<impl Iterator<Item = Result<Captured, CaptureError>> + use<'a>, CaptureError> {
        let wrong = |fault| CaptureError::new(&self.path, fault);
        let begun = (&self.file).rewind();
        begun.map_err(|e| wrong(Fault::Open(e)))?;
        let reader = BufReader::with_capacity(256 << 10, bar.wrap_read(&self.file));
        let reader: Box<dyn Read + 'a> = match self.gzip {
            true => Box::new(BufReader::new(MultiGzDecoder::new(reader))),
            false => Box::new(reader),
        };
        let frames: Frames<Box<dyn Read + 'a>> = frames(reader).map_err(wrong)?;
        Ok(frames.map(move |frame| frame.map_err(wrong)))
    }
}

/// A temporary file with all that `source` gives, which has no name and goes with its handle. Of
/// what is no capture only the first bytes: it may have no end.
fn on_disk(mut source: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let mut magic = Vec::new();
    (&mut source).take(4).read_to_end(&mut magic)?;
    file.write_all(&magic)?;
    if magic.starts_with(&GZIP) || is_begun(&magic) {
        io::copy(&mut source, &mut file)?;
    }
    file.rewind()?;
    Ok(file)
}
