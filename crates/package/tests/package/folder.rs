//! The folder as a whole, and the ways in which there is none.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use der::Decode;
use rsa::sha2::{Digest, Sha256};
use x509_cert::Certificate;

use crate::common::{INF, build, build_ill, build_well, hex, inputs, key};

fn files(package: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(package).expect("a folder");
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).expect("a file"))
    };
    entries
        .map(|entry| file(entry.expect("an entry")))
        .collect()
}

#[test]
fn it_has_every_file_and_its_checksum() {
    let files = files(&build_well(&inputs("every"), "out", &["--keep-key", key()]));
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    let wanted = [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.txt",
        "SHA256SUMS",
        "common.psm1",
        "install.ps1",
        "lab.ps1",
        "mslso-test.cer",
        "mslso.cat",
        "mslso.inf",
        "mslso.pdb",
        "mslso.sys",
        "mslsoctl.exe",
    ];
    assert_eq!(names, wanted);
    let sums = String::from_utf8_lossy(&files["SHA256SUMS"]).into_owned();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("a sum and a name");
        assert_eq!(hex(sum), Sha256::digest(&files[name])[..], "{name}");
    }
    assert_eq!(sums.lines().count(), wanted.len() - 1);
}

#[test]
fn the_inf_is_stamped_with_cargos_version() {
    let package = build_well(
        &inputs("stamp"),
        "out",
        &["--date", "2026-01-31", "--keep-key", key()],
    );
    let inf = fs::read_to_string(package.join("mslso.inf")).expect("the INF");
    let stamp = format!("DriverVer = 01/31/2026,{}.0\r\n", env!("CARGO_PKG_VERSION"));
    assert!(inf.contains(&stamp), "{inf}");
    assert!(!inf.contains("9.9.9.9") && inf.contains("NTamd64"), "{inf}");
}

#[test]
fn a_key_is_long_and_not_left_behind() {
    let package = build_well(&inputs("secret"), "out", &["--certificate", "A, B"]);
    for (name, bytes) in files(&package) {
        let private = b"PRIVATE KEY";
        let found = bytes.windows(private.len()).any(|window| window == private);
        assert!(!found, "{name}");
    }
    let certificate = fs::read(package.join("mslso-test.cer")).expect("the certificate");
    let certificate = Certificate::from_der(&certificate).expect("a certificate");
    let certificate = certificate.tbs_certificate;
    assert_eq!(certificate.subject.to_string(), "CN=A\\, B");
    let key = certificate.subject_public_key_info.subject_public_key;
    assert_eq!(key.raw_bytes().len(), 270, "of 2048 bits");
}

#[test]
fn a_kept_key_makes_the_same_package_again() {
    let inputs = inputs("again");
    let more = ["--date", "2026-01-31", "--keep-key", "key.pem"];
    let first = files(&build_well(&inputs, "first", &more));
    let second = files(&build_well(&inputs, "second", &more));
    assert!(first == second);
    let key = fs::read_to_string(inputs.join("key.pem")).expect("the key");
    assert!(key.contains("PRIVATE KEY") && key.contains("BEGIN CERTIFICATE"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(inputs.join("key.pem"))
            .expect("the key")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    fs::write(inputs.join("key.pem"), "nothing").expect("a file");
    build_ill(&inputs, "third", &more, "key.pem has no certificate");
}

#[test]
fn a_package_is_replaced_and_nothing_else_is() {
    let inputs = inputs("replaced");
    let kept = ["--keep-key", key()];
    let package = build_well(&inputs, "out", &kept);
    fs::remove_file(inputs.join("scripts/install.ps1")).expect("a script");
    build_well(&inputs, "out", &kept);
    assert!(!package.join("install.ps1").exists());

    fs::create_dir(inputs.join("mine")).expect("a folder");
    fs::write(inputs.join("mine/letter.txt"), "dear").expect("a file");
    build_ill(&inputs, "mine", &kept, "files that are not a package's");
    assert!(inputs.join("mine/letter.txt").exists());
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let inputs = inputs("wrong");
    let with_inf = |from: &str, to: &str, words: &str| {
        fs::write(inputs.join("mslso.inf"), INF.replace(from, to)).expect("a file");
        build_ill(&inputs, "out", &[], words);
        assert!(!inputs.join("out").exists());
    };
    with_inf(
        "mslso.cat",
        "other.cat",
        "does not say CatalogFile = mslso.cat",
    );
    with_inf("mslso.sys = 1", "other.sys = 1", "does not name mslso.sys");
    with_inf(
        "mslso.sys = 1",
        "mslso.sys = 1\nhelp.txt = 1",
        "names help.txt",
    );
    with_inf("\"us\"", "\"\u{fc}s\"", "a character that is not ASCII");
    fs::write(inputs.join("mslso.inf"), INF).expect("a file");
    build_ill(
        &inputs,
        "out",
        &["--date", "2049-01-01"],
        "not in 1970 to 2039",
    );
    build_ill(
        &inputs,
        "out",
        &["--pdb", "nowhere.pdb"],
        "nowhere.pdb cannot be read",
    );
    build_ill(
        &inputs,
        "out",
        &["--pdb", "mslso.pdb"],
        "two files would be called mslso.pdb",
    );
    build_ill(
        &inputs,
        "out",
        &["--scripts", "lab"],
        "two files would be called lab.ps1",
    );
    fs::write(inputs.join("mslso.dll"), "no image").expect("a file");
    build_ill(&inputs, "out", &[], "no PE32+ image");
}

#[test]
fn the_wdks_programs_are_asked_for_where_they_are_missing() {
    let inputs = inputs("wdk");
    if cfg!(windows) {
        return;
    }
    build_ill(&inputs, "out", &["--tools", "wdk"], "stampinf is not found");
    let more = ["--tools", "wdk", "--keep-key", "key.pem"];
    build_ill(&inputs, "out", &more, "--keep-key is for --tools own");
    assert_eq!(
        build(&inputs, "out", &["--date", "tomorrow"]).status.code(),
        Some(2)
    );
}
