//! Why no package is made.

use std::io;
use std::path::{Path, PathBuf};

/// The reason why no package is made. Its text is one line and states what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Read(PathBuf, io::Error),
    /// A file or folder cannot be written.
    #[error("{} cannot be written: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
    /// The output folder has files that are of no package.
    #[error("{} has files that are not a package's; name an empty folder or a new one", .0.display())]
    NotAPackage(PathBuf),
    /// Two files of the package would have one name.
    #[error("two files would be called {0}")]
    SameName(String),
    /// The date is not one, or too early or late for a certificate.
    #[error("the package's date: {0}")]
    Date(String),
    /// The image cannot be signed.
    #[error("the driver's image {0}")]
    Image(&'static str),
    /// The tool cannot be signed.
    #[error("the tool's image {0}")]
    CtlImage(&'static str),
    /// The INF cannot be stamped or cataloged.
    #[error("the INF {0}")]
    Inf(String),
    /// The kept key cannot be used.
    #[error("{} {}; delete it to have a new one made", .0.display(), .1)]
    Key(PathBuf, &'static str),
    /// Key generation or a signature failed.
    #[error("the key: {0}")]
    Rsa(#[from] rsa::Error),
    /// Something does not fit its ASN.1 type.
    #[error("the signature cannot be encoded: {0}")]
    Asn1(#[from] der::Error),
    /// The certificate cannot be made.
    #[error("the certificate: {0}")]
    Certificate(#[from] x509_cert::builder::Error),
    /// A key cannot be kept: Windows' own store has it.
    #[error("--keep-key is for --tools own; signtool takes keys from the store of Windows")]
    KeyInStore,
    /// A program of the WDK is not found: its name.
    #[error(
        "{0} is not found; on Windows, install the Windows Driver Kit (with SDKs of several versions, \
         set Version_Number to that of the kit); elsewhere, use --tools own"
    )]
    NoTool(&'static str),
    /// A program of the WDK fails: its name and its output.
    #[error("{0} failed: {1}")]
    Tool(&'static str, String),
}

impl Failure {
    /// For `map_err` where `path` is read.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Read(path, error)
    }

    /// For `map_err` where `path` is written.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Write(path, error)
    }
}
