//! Why no package is made.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// The reason why no package is made. Its text is one line and states what to do.
#[derive(Debug)]
pub enum Failure {
    /// A file or folder cannot be read.
    Read(PathBuf, io::Error),
    /// A file or folder cannot be written.
    Write(PathBuf, io::Error),
    /// The output folder has files that are of no package.
    NotAPackage(PathBuf),
    /// Two files of the package would have one name.
    SameName(String),
    /// The date is not one, or too early or late for a certificate.
    Date(String),
    /// The image cannot be signed.
    Image(&'static str),
    /// The tool cannot be signed.
    CtlImage(&'static str),
    /// The INF cannot be stamped or cataloged.
    Inf(String),
    /// The kept key cannot be used.
    Key(PathBuf, &'static str),
    /// Key generation or a signature failed.
    Rsa(rsa::Error),
    /// Something does not fit its ASN.1 type.
    Asn1(der::Error),
    /// The certificate cannot be made.
    Certificate(x509_cert::builder::Error),
    /// A key cannot be kept: Windows' own store has it.
    KeyInStore,
    /// A program of the WDK is not found: its name.
    NoTool(&'static str),
    /// A program of the WDK fails: its name and its output.
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Write(path, error) => write!(f, "{} cannot be written: {error}", path.display()),
            Self::NotAPackage(path) => write!(
                f,
                "{} has files that are not a package's; name an empty folder or a new one",
                path.display()
            ),
            Self::SameName(name) => write!(f, "two files would be called {name}"),
            Self::Date(why) => write!(f, "the package's date: {why}"),
            Self::Image(why) => write!(f, "the driver's image {why}"),
            Self::CtlImage(why) => write!(f, "the tool's image {why}"),
            Self::Inf(why) => write!(f, "the INF {why}"),
            Self::Key(path, why) => write!(
                f,
                "{} {why}; delete it to have a new one made",
                path.display()
            ),
            Self::Rsa(error) => write!(f, "the key: {error}"),
            Self::Asn1(error) => write!(f, "the signature cannot be encoded: {error}"),
            Self::Certificate(error) => write!(f, "the certificate: {error}"),
            Self::KeyInStore => f.write_str(
                "--keep-key is for --tools own; signtool takes keys from the store of Windows",
            ),
            Self::NoTool(name) => write!(
                f,
                "{name} is not found; on Windows, install the Windows Driver Kit (with SDKs of \
                 several versions, set Version_Number to that of the kit); elsewhere, use \
                 --tools own"
            ),
            Self::Tool(name, said) => write!(f, "{name} failed: {said}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<der::Error> for Failure {
    fn from(error: der::Error) -> Self {
        Self::Asn1(error)
    }
}

impl From<rsa::Error> for Failure {
    fn from(error: rsa::Error) -> Self {
        Self::Rsa(error)
    }
}

impl From<x509_cert::builder::Error> for Failure {
    fn from(error: x509_cert::builder::Error) -> Self {
        Self::Certificate(error)
    }
}
