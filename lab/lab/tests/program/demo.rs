//! `mslso-lab demo`: the story, for a person, a program and the eye.

use crate::common::{Run, folder, lab};
use serde_json::Value;

fn steps() -> Vec<Value> {
    let run = Run::of(lab().args(["demo", "--json"]));
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    run.objects()
}

fn step<'a>(steps: &'a [Value], name: &str) -> &'a Value {
    let mut steps = steps.iter();
    steps
        .find(|step| step["name"] == name)
        .unwrap_or_else(|| panic!("no step {name}"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

fn size(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn payloads(step: &Value) -> Vec<u64> {
    let sends = list(step, "sends").iter();
    sends.map(|send| size(&send["payload"])).collect()
}

/// The sizes that each host shows over IPv4: NIC, multiple, advertised.
fn sizes(step: &Value) -> Vec<[u64; 3]> {
    let hosts = list(step, "hosts").iter();
    let sizes = hosts.map(|host| {
        [
            &host["nic"]["ipv4"],
            &host["multiple"],
            &host["advertised"]["ipv4"],
        ]
    });
    sizes.map(|three| three.map(size)).collect()
}

#[test]
fn at_each_step_the_multiple_is_advertised_and_guests_follow() {
    let steps = steps();
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(step["step"], index + 1);
        assert!(list(step, "violations").is_empty());
        let guests = list(step, "hosts")
            .iter()
            .flat_map(|host| list(host, "guests"));
        assert_eq!(guests.count(), 2);
        for host in list(step, "hosts") {
            for ip in ["ipv4", "ipv6"] {
                let advertised = size(&host["advertised"][ip]);
                assert_eq!(advertised, size(&host["nic"][ip]) * size(&host["multiple"]));
                for guest in list(host, "guests") {
                    assert_eq!(size(&guest[ip]), advertised);
                }
            }
        }
    }
}

#[test]
fn the_story() {
    let steps = steps();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    let expected = [
        "start",
        "guest to guest",
        "to the outside",
        "latency",
        "cpu",
        "NIC shrinks",
        "migration",
        "pre-detach",
    ];
    assert_eq!(names, expected);
    let at = |name| sizes(step(&steps, name));
    assert_eq!(at("start"), [[62_780, 8, 502_240]]);
    assert_eq!(at("latency"), [[62_780, 2, 125_560]]);
    assert_eq!(at("cpu"), [[62_780, 16, 1_004_480]]);
    assert_eq!(at("NIC shrinks"), [[40_880, 16, 654_080]]);
    let other = [128_000, 4, 512_000];
    assert_eq!(at("migration"), [[40_880, 16, 654_080], other]);
    assert_eq!(at("pre-detach"), [[40_880, 1, 40_880], other]);
}

#[test]
fn every_large_send_arrives() {
    let steps = steps();
    for send in steps.iter().flat_map(|step| list(step, "sends")) {
        let children = list(send, "children").iter().map(size);
        let (count, payload) = (children.len(), children.sum::<u64>());
        let verdict = send["verdict"].as_str().unwrap();
        match verdict {
            "whole" => assert_eq!((count, size(&send["wire_packets"])), (0, 0)),
            "as-is" => assert_eq!((count, payload), (1, size(&send["payload"]))),
            _ => {
                assert_eq!((verdict, payload), ("same", size(&send["payload"])));
                assert!(count > 1);
            }
        }
    }
    let whole = &list(step(&steps, "guest to guest"), "sends")[0];
    assert_eq!(whole["verdict"], "whole");
    // Three of the size before the NIC shrank, of which one went by the limits before.
    let shrink = step(&steps, "NIC shrinks");
    assert_eq!(payloads(shrink), [1_004_480; 3]);
    let counts = list(shrink, "sends")
        .iter()
        .map(|send| list(send, "children").len());
    assert_eq!(counts.collect::<Vec<_>>(), [17, 25, 26]);
    assert_eq!(
        payloads(step(&steps, "migration")),
        [654_080, 512_000, 500_000]
    );
    let last = list(step(&steps, "pre-detach"), "sends");
    assert_eq!(
        (&last[0]["verdict"], &last[1]["verdict"]),
        (&"same".into(), &"as-is".into())
    );
}

#[test]
fn a_person_can_read_it() {
    let run = Run::of(lab().arg("demo"));
    assert_eq!((run.code, run.notes.as_str()), (0, ""));
    let text = run.out;
    assert!(text.lines().all(|line| line.chars().count() <= 120));
    assert!(!text.contains('\x1B'), "color codes in a file");
    for words in [
        "\n5. cpu\n",
        "host 1 IPv4 │  62,780 │     × 16 │         1,004,480 │",
        "guest 1 → guest 2, IPv4, 500,000 bytes: ✓ received whole\n",
        "✓ same\n",
        "\nPASS: ",
    ] {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn the_chart_is_labeled() {
    let folder = folder("demo_chart");
    let run = |path: &str| {
        let mut command = lab();
        Run::of(command.current_dir(&folder).args(["demo", "--plot", path]))
    };
    let Run { code, out, .. } = run("chart.svg");
    assert!(code == 0 && out.contains("The chart is in chart.svg.\n"));
    let svg = std::fs::read_to_string(folder.join("chart.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for label in [
        "bytes of TCP payload",
        "steps of the demo",
        "host 1: the NIC accepts",
        "host 1: the filter advertises",
        "host 2: the NIC accepts",
        "host 2: the filter advertises",
        "guest 1 uses",
        "guest 2 uses",
        "8. pre-detach",
        "1,004,480",
        "512 KiB",
    ] {
        // Each label is an element's own text.
        assert!(svg.contains(&format!("\n{label}")), "{label}");
    }
    run("no/such/folder.svg").assert_unusable("folder.svg");
}
