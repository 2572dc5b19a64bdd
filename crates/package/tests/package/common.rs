//! Shared parts of the tests: an image, an INF, an empty folder, and the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use mslso_package::identity::Identity;
use rsa::rand_core::OsRng;
use time::macros::datetime;

/// Where the optional header of [`image`] is.
pub const OPTIONAL_HEADER: usize = 0x58;

/// The smallest image that is one: 0x200 bytes of headers and 0x200 of code.
pub fn image() -> Vec<u8> {
    let mut image = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3C, &[0x40]);
    put(0x40, b"PE\0\0\x64\x86\x01"); // x64, one section
    put(0x54, &[0xF0, 0, 0x22, 0x20]); // length of the optional header, flags
    put(OPTIONAL_HEADER, &[0x0B, 0x02]);
    put(OPTIONAL_HEADER + 32, &[0, 0x10, 0, 0, 0, 2]); // alignments
    put(OPTIONAL_HEADER + 56, &[0, 0x20, 0, 0, 0, 2]); // lengths of image and headers
    put(OPTIONAL_HEADER + 68, &[1]); // subsystem native
    put(OPTIONAL_HEADER + 108, &[16]); // directories
    put(
        OPTIONAL_HEADER + 0xF0,
        b".text\0\0\0\0\x02\0\0\0\x10\0\0\0\x02\0\0\0\x02",
    );
    put(0x200, &[0xC3; 0x200]);
    image
}

/// Another image: the tool's.
pub fn tool() -> Vec<u8> {
    let mut tool = image();
    tool[0x3FF] = 0;
    tool
}

/// An INF with LF alone.
pub const INF: &str = "[Version]\nSignature = \"$Windows NT$\"\nCatalogFile = mslso.cat\n\
    DriverVer = 01/01/2001,9.9.9.9\n[Manufacturer]\n%Us% = Models,NT$ARCH$.10.0...19041\n\
    [Models.NT$ARCH$.10.0...19041]\n%Us% = Install, mslso_lwf\n\
    [SourceDisksFiles]\nmslso.sys = 1\n[Strings]\nUs = \"us\"\n";

/// A folder for one test, with the inputs of a package.
pub fn inputs(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("scripts")).expect("a folder");
    fs::create_dir_all(folder.join("lab")).expect("a folder");
    for (name, bytes) in [
        ("mslso.dll", image()),
        ("mslso.inf", INF.into()),
        ("ctl.exe", tool()),
        ("mslso.pdb", b"symbols".into()),
        ("scripts/install.ps1", b"# install".into()),
        ("scripts/common.psm1", b"# shared".into()),
        ("scripts/mslso.inf", b"what lies beside the scripts".into()),
        ("lab/lab.ps1", b"# lab".into()),
    ] {
        fs::write(folder.join(name), bytes).expect("a file");
    }
    folder
}

/// Runs the program on those, with more arguments.
pub fn build(inputs: &Path, out: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mslso-package"))
        .current_dir(inputs)
        .env_remove("SOURCE_DATE_EPOCH")
        .args([
            "build",
            "--sys",
            "mslso.dll",
            "--inf",
            "mslso.inf",
            "--ctl",
            "ctl.exe",
        ])
        .args(["--pdb", "mslso.pdb", "--out", out])
        .args(["--scripts", "scripts", "--scripts", "lab"])
        .args(more)
        .output()
        .expect("the program runs")
}

/// A kept key for the tests that need not make one; a short one is made sooner.
pub fn key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("key.pem");
        let identity = Identity::create("test", datetime!(2026-01-31 0:00 UTC), 1024, &mut OsRng);
        let pem = identity.and_then(|identity| identity.to_pem());
        fs::write(&path, pem.expect("a key")).expect("a file");
        path.to_string_lossy().into_owned()
    })
}

/// As [`build`], and it must do.
pub fn build_well(inputs: &Path, out: &str, more: &[&str]) -> PathBuf {
    let output = build(inputs, out, more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    inputs.join(out)
}

/// As [`build`], and it must fail with these words.
pub fn build_ill(inputs: &Path, out: &str, more: &[&str], words: &str) {
    let output = build(inputs, out, more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
}

/// Bytes from hexadecimal digits.
pub fn hex(text: &str) -> Vec<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).expect("a digit") as u8;
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|[a, b]| digit(a) << 4 | digit(b))
        .collect()
}
