//! `--driver`: what cannot be loaded, and what comes of what can.

use std::path::{Path, PathBuf};

use crate::common::{Run, data, folder, lab};

/// The finished image, where the environment names one; a relative path counts from the
/// workspace's root.
fn image() -> Option<PathBuf> {
    let path = std::env::var_os("MSLSO_DRIVER")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Some(root.join(path))
}

/// The program's output with `driver`, except the line that names it, and its exit code.
fn printed(driver: &Path, line: &[&str], folder: &Path) -> (String, i32) {
    let mut command = lab();
    command.current_dir(folder).arg("--driver").arg(driver);
    let Run {
        code, out: text, ..
    } = Run::of(command.args(line));
    let named = text.lines().filter(|line| line.starts_with("Driver: "));
    let is_json = line.contains(&"--json");
    assert_eq!(named.count(), usize::from(!is_json), "{text}");
    let rest = text.lines().filter(|line| !line.starts_with("Driver: "));
    (rest.collect::<Vec<_>>().join("\n"), code)
}

#[test]
fn an_image_that_does_not_load_ends_with_one_line_and_code_2() {
    let folder = folder("driver_unusable");
    let text = folder.join("text.sys");
    std::fs::write(&text, "not a driver\n").unwrap();
    let in_file = data("bigtcp-ipv4.pcapng");
    let capture = in_file.to_str().unwrap();
    let jobs = [
        &[][..],
        &["demo"],
        &["split", capture, "--children", "c", "--wire", "w"],
    ];
    for (image, message) in [
        (folder.join("absent.sys"), "absent.sys: cannot be read"),
        (text.clone(), "text.sys: is not a whole x64 image"),
        (folder.clone(), "driver_unusable: cannot be read"),
    ] {
        for job in jobs {
            let mut command = lab();
            command.current_dir(&folder).args(job).arg("--driver");
            let is_certain = cfg!(target_arch = "x86_64") || message.ends_with("read");
            let message = if is_certain { message } else { "" };
            Run::of(command.arg(&image)).assert_unusable(message);
        }
    }
    // No other file was made.
    let left = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 1);
}

#[test]
fn native_is_the_default() {
    let folder = folder("driver_native");
    let run = |line: &[&str]| Run::of(lab().current_dir(&folder).args(line)).out;
    let text = run(&[]);
    assert_eq!(text, run(&["--driver", "native"]));
    assert!(text.contains("\nDriver: the filter's code, linked into this program.\n"));
}

#[test]
fn the_image_does_what_the_filter_does() {
    let Some(image) = image() else {
        println!("no image under test; name one with MSLSO_DRIVER");
        return;
    };
    let folder = folder("driver_image");
    let input = data("bigtcp-ipv6.pcapng");
    let split = [
        "split",
        input.to_str().unwrap(),
        "--children",
        "c",
        "--wire",
        "w",
    ];
    let split_json = [&split[..], &["--json"]].concat();
    // Refused by the filter: its counters name the reason.
    let refused = [&split[..], &["--nic-lso", "off", "--mtu", "1000"]].concat();
    let packets = [&split[..], &["--nic-lso", "off", "--max-sg-elements", "4"]].concat();
    let tunnel = [&split[..], &["--encap", "vxlan"]].concat();
    let datagrams = [&split[..], &["--uso", "--nic-checksum", "off"]].concat();
    let jobs: [&[&str]; 9] = [
        &[],
        &split,
        &split_json,
        &refused,
        &packets,
        &tunnel,
        &datagrams,
        &["demo"],
        &["demo", "--json"],
    ];
    for job in jobs {
        let (native, code) = printed(Path::new("native"), job, &folder);
        assert_eq!((native, code), printed(&image, job, &folder), "{job:?}");
        assert_eq!(code, 0);
    }
}
