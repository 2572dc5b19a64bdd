//! Why no package is made.

use std::io;
use std::path::{Path, PathBuf};

/// The reason why no package is made. Its text is one line and states what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum Failure {
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Read(PathBuf, io::Error),
    #[error("{} cannot be written: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
    #[error("{} has files that are not a package's; name an empty folder or a new one", .0.display())]
    NotAPackage(PathBuf),
    #[error("two files would be called {0}")]
    SameName(String),
    #[error("the package's date: {0}")]
    Date(String),
    #[error("the driver's image {0}")]
    Image(&'static str),
    #[error("the tool's image {0}")]
    CtlImage(&'static str),
    #[error("the INF {0}")]
    Inf(String),
    #[error("{} {}; delete it to have a new one made", .0.display(), .1)]
    Key(PathBuf, &'static str),
    #[error("the key: {0}")]
    Rsa(#[from] rsa::Error),
    #[error("the signature cannot be encoded: {0}")]
    Asn1(#[from] der::Error),
    #[error("the certificate: {0}")]
    Certificate(#[from] x509_cert::builder::Error),
    #[error("--keep-key is for --tools own; signtool takes keys from the store of Windows")]
    KeyInStore,
    #[error(
        "{0} is not found; on Windows, install the Windows Driver Kit (with SDKs of several versions, \
         set Version_Number to that of the kit); elsewhere, use --tools own"
    )]
    NoTool(&'static str),
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
