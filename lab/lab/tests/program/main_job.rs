//! `mslso-lab` without arguments.

use crate::common::{Run, folder, frames, lab, second_stage};
use testpkt::capture::read;

#[test]
fn it_passes_and_leaves_what_it_names() {
    let folder = folder("main_job");
    let Run {
        code,
        out: text,
        notes,
    } = Run::of(lab().current_dir(&folder));
    assert_eq!((code, notes.as_str()), (0, ""), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("PASS: 38 large sends"));
    assert!(text.contains("are in mslso-lab-out\n"));
    assert!(!text.contains('\x1B'), "color codes in a file");
    assert!(text.lines().all(|line| line.chars().count() <= 120));
    let out = folder.join("mslso-lab-out");
    let children = read(out.join("children.pcapng")).unwrap();
    let wire = read(out.join("wire.pcapng")).unwrap();
    // Cutting the children is cutting their parents.
    assert!(second_stage(&children, 16) == frames(&wire));
    let untouched = text.matches("✓ as is").count();
    assert_eq!((untouched, text.matches("✓ same").count()), (1, 37));
}

#[test]
fn the_table_has_the_main_figures() {
    let folder = folder("main_job_table");
    let text = Run::of(lab().arg("--out").arg(&folder)).out;
    for expected in [
        "1 MiB|IPv4 v2|1,048,576|1,460|17|12×61,320 + 4×62,780 + 61,616|719|✓ same",
        "datagrams|IPv4 USO|262,144|1,472|5|51,520 + 3×52,992 + 51,648|179|✓ same",
        "NVGRE|IPv6 tunnel|524,288|1,386|9|8×58,212 + 58,592|379|✓ same",
        "no LSO|IPv4 v2|524,288|1,460|360|360 packets|360|✓ same",
    ] {
        let (what, _) = expected.split_once('|').unwrap();
        let start = format!(" {what} ");
        let row = text.lines().find(|line| line.starts_with(&start)).unwrap();
        let cells: Vec<_> = row.split('│').map(str::trim).collect();
        assert_eq!(cells.join("|"), expected);
    }
    let children = read(folder.join("children.pcapng")).unwrap();
    let packets = children.iter().filter(|child| child.mss.is_none()).count();
    let message = format!("256 large sends and {packets} single packets ");
    assert!(text.replace(',', "").contains(&message), "{text}");
}

#[test]
fn as_json_it_is_one_object_with_every_large_send() {
    let folder = folder("main_job_json");
    let run = Run::of(lab().args(["--json", "--out"]).arg(&folder));
    assert_eq!(run.code, 0);
    let [json] = &run.objects()[..] else {
        panic!("not one object: {}", run.out);
    };
    assert_eq!(
        (&json["schema"], &json["violations"]),
        (&2.into(), &0.into())
    );
    let sends = json["large_sends"].as_array().unwrap();
    assert_eq!((sends.len(), &json["parents"]), (38, &38.into()));
    for send in sends {
        let children = send["children"].as_array().unwrap();
        let payload: u64 = children.iter().map(|child| child.as_u64().unwrap()).sum();
        assert_eq!(send["payload"], payload, "{send}");
        assert!(["same", "as-is"].contains(&send["verdict"].as_str().unwrap()));
    }
}

#[test]
fn it_writes_the_same_files_each_time() {
    let bytes = |name| {
        let folder = folder(name);
        Run::of(lab().arg("--out").arg(&folder));
        ["children.pcapng", "wire.pcapng"].map(|file| std::fs::read(folder.join(file)).unwrap())
    };
    assert!(bytes("main_job_once") == bytes("main_job_twice"));
}

#[test]
fn a_folder_that_cannot_be_is_one_line_and_code_2() {
    let file = folder("main_job_no_folder").join("file");
    std::fs::write(&file, "").unwrap();
    Run::of(lab().arg("--out").arg(file.join("below"))).assert_unusable("below");
}
