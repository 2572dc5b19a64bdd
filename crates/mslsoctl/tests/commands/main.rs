//! Every command against a driver without a kernel.

mod adapters;
mod all;
mod failures;
mod fake;
mod handles;
mod settings;
#[cfg(target_os = "linux")]
mod unheard;

use control::{
    Cap, DriverVersion, IoControl, Multiple, NicLimits, Profile, Raise, SoftwareSegmentation,
    Tuning,
};
use mslsoctl::failure::Failure;
use serde_json::{Value, json as value};

use fake::{Fake, UNKNOWN_REASON, json, run, throughput};

type Done = Result<(), Failure>;

const E810: &str = "Intel(R) Ethernet Controller E810-C for QSFP";
const CX6: &str = "Mellanox ConnectX-6 Dx Adapter";

fn two() -> Fake {
    Fake::on(&[(7, E810), (9, CX6)]).connected(&[(107, "Ethernet"), (109, "Ethernet 2")])
}

fn tuning(raise: Raise, cap: u32) -> Tuning {
    let cap = Cap::new(cap).ok();
    Tuning { raise, cap }
}

fn multiple(n: u32) -> Raise {
    Raise::Multiple(Multiple::new(n).expect("it is in range"))
}

#[test]
fn list_shows_every_adapter() -> Done {
    let expected = [
        " connection   adapter                                        interface   NIC    filter",
        "------------ ---------------------------------------------- ----------- ----- ---------",
        " Ethernet     Intel(R) Ethernet Controller E810-C for QSFP           7   107   running",
        " Ethernet 2   Mellanox ConnectX-6 Dx Adapter                         9   109   running",
        "",
        "driver 0.1.0, the same as mslsoctl",
    ];
    let text = run(&mut two(), &["list"])?;
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let listed = json(&mut two(), &["list"])?;
    let first = value!({
        "if_index": 7, "base_if_index": 107, "connection": "Ethernet", "name": E810,
        "running": true
    });
    assert_eq!(listed["adapters"][0], first);
    assert_eq!(listed["adapters"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn list_asks_again_for_more_adapters_than_it_had_room_for() -> Done {
    let adapters: Vec<_> = (1..=50).map(|index| (index, "vNIC")).collect();
    let mut fake = Fake::on(&adapters);
    let listed = json(&mut fake, &["list"])?;
    assert_eq!(listed["adapters"].as_array().map(Vec::len), Some(50));
    let lists = fake.calls.iter().filter(|code| **code == IoControl::LIST);
    assert_eq!(lists.count(), 2);
    Ok(())
}

#[test]
fn list_and_show_tell_the_drivers_version() -> Done {
    let other = DriverVersion {
        major: 2,
        minor: 0,
        patch: 11,
    };
    for (driver, words, json_is) in [
        (Some(other), "2.0.11; mslsoctl is 0.1.0", value!("2.0.11")),
        (
            None,
            "older than mslsoctl, and does not report its version",
            Value::Null,
        ),
    ] {
        let mut fake = two();
        fake.driver = driver;
        for line in [&["list"][..], &["show", "7"], &["set", "7", "--off"]] {
            let text = run(&mut fake, line)?;
            assert!(text.contains(words), "{line:?}: {text}");
            assert_eq!(json(&mut fake, line)?["driver_version"], json_is);
        }
    }
    Ok(())
}

#[test]
fn list_without_adapters_is_no_failure() -> Done {
    assert!(run(&mut Fake::default(), &["list"])?.contains("attached to no adapter"));
    let listed = json(&mut Fake::default(), &["list"])?;
    assert_eq!(
        listed,
        value!({ "schema": 1, "driver_version": null, "adapters": [] })
    );
    Ok(())
}

#[test]
fn names_are_shown_without_control_characters() -> Done {
    let name = "\u{1b}[31mred\r\nrow";
    let shown = "\u{FFFD}[31mred\u{FFFD}\u{FFFD}row";
    let text = run(&mut Fake::on(&[(7, name)]), &["list"])?;
    assert!(text.contains(shown), "{text}");
    let mut fake = Fake::on(&[(7, E810)]).connected(&[(107, name)]);
    let text = run(&mut fake, &["list"])?;
    assert!(text.contains(shown), "{text}");
    Ok(())
}

#[test]
fn show_says_what_is_in_effect() -> Done {
    let expected = [
        "Ethernet: Intel(R) Ethernet Controller E810-C for QSFP (interface 7, NIC 107)",
        "",
        " large sends   NIC accepts   min. segments   advertised   raised",
        "------------- ------------- --------------- ------------ --------",
        " LSOv2, IPv4        62,780               2      502,240      8 x",
        " LSOv2, IPv6          none               -            -        -",
        " USO, IPv4          60,000               2      480,000      8 x",
        " USO, IPv6            none               -            -        -",
        " LSOv1, IPv4          none               -            -        -",
        "",
        " tuning     profile throughput, 8 x, no cap",
        " software   with-checksums: LSOv2 is advertised too if the NIC lacks it but computes TCP checksums",
        " checksums  the NIC computes TCP checksums over IPv4, not over IPv6",
        " IP ID      the NIC counts in 16 bits",
        " chains     at most 64 buffers per packet sent to the NIC",
        " memory     at most 67,108,864 bytes (64.0 MiB) for large sends in flight",
        " MTU        1,500 bytes per IP packet",
        " filter     running",
        " driver     0.1.0, the same as mslsoctl",
        " largest    502,294 bytes (490.5 KiB) of frame: the largest large send seen",
        "",
        "The raised size is in use: large sends above the NIC's maximum were seen.",
    ];
    let text = run(&mut two(), &["show", "7"])?;
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let expected = value!({
        "schema": 1,
        "driver_version": "0.1.0",
        "adapter": {
            "if_index": 7, "base_if_index": 107, "connection": "Ethernet", "name": E810,
            "running": true,
        },
        "tuning": { "profile": "throughput", "multiple": 8, "cap_bytes": null },
        "software_segmentation": "with-checksums",
        "ip_id_bits": 16,
        "max_sg_elements": 64,
        "memory_bound_bytes": 67_108_864,
        "registry": {
            "tuning": { "profile": "throughput", "multiple": 8, "cap_bytes": null },
            "software_segmentation": "with-checksums",
            "ip_id_bits": 16,
            "max_sg_elements": 64,
            "memory_bound_bytes": 67_108_864,
        },
        "restart_pending": false,
        "mtu": 1500,
        "nic": {
            "v1": { "max_payload": 0, "min_segments": 0 },
            "v2_ipv4": { "max_payload": 62_780, "min_segments": 2 },
            "v2_ipv6": { "max_payload": 0, "min_segments": 0 },
            "uso_ipv4": { "max_payload": 60_000, "min_segments": 2 },
            "uso_ipv6": { "max_payload": 0, "min_segments": 0 },
            "tcp_checksum_ipv4": true,
            "tcp_checksum_ipv6": false,
        },
        "advertised": { "v2_ipv4": 502_240, "v2_ipv6": 0, "uso_ipv4": 480_000, "uso_ipv6": 0 },
        "largest_large_send": 502_294,
        "raised_size_in_use": true,
        "settings_out_of_range": 0,
        "malformed_offloads": 0,
        "invalid_oid_headers": 0,
    });
    assert_eq!(json(&mut two(), &["show", "7"])?, expected);
    Ok(())
}

#[test]
fn show_tells_of_large_sends_that_the_filter_cuts() -> Done {
    let mut fake = two();
    let read = &mut fake.adapters[0].read;
    read.advertised_v2_ipv6 = 502_240;
    read.nic.tcp_checksum_ipv6 = true;
    read.max_sg_elements = 33;
    read.mtu = 0;
    let text = run(&mut fake, &["show", "7"])?;
    for part in [
        " LSOv2, IPv6   none, cut by the filter               -      502,240        -\n",
        " checksums  the NIC computes TCP checksums over IPv4 and IPv6\n",
        " chains     at most 33 buffers per packet sent to the NIC\n",
        " MTU        not known\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let shown = json(&mut fake, &["show", "7"])?;
    assert_eq!(shown["max_sg_elements"], 33);
    assert_eq!(shown["mtu"], Value::Null);
    Ok(())
}

#[test]
fn show_says_what_each_choice_of_software_segmentation_means() -> Done {
    let mut fake = two();
    for (choice, words) in [
        (
            SoftwareSegmentation::Never,
            "never: LSOv2 is advertised only",
        ),
        (
            SoftwareSegmentation::WithChecksums,
            "with-checksums: LSOv2 is advertised too if the NIC lacks it but",
        ),
        (
            SoftwareSegmentation::Always,
            "always: LSOv2 is advertised even if the NIC lacks it\n",
        ),
    ] {
        fake.adapters[0].read.software = choice;
        assert!(run(&mut fake, &["show", "7"])?.contains(words), "{words}");
        let shown = json(&mut fake, &["show", "7"])?;
        assert_eq!(shown["software_segmentation"], choice.name());
    }
    Ok(())
}

#[test]
fn show_takes_any_large_send_for_raised_where_the_nic_takes_none() -> Done {
    let mut fake = two();
    let adapter = &mut fake.adapters[0];
    adapter.read.nic = NicLimits::default();
    adapter.read.advertised_uso_ipv4 = 0;
    adapter.statistics.largest_large_send = 9000;
    assert_eq!(json(&mut fake, &["show", "7"])?["raised_size_in_use"], true);
    Ok(())
}

#[test]
fn show_tells_a_raised_size_that_is_not_in_use() -> Done {
    // The NIC's maximum with a header is within the NIC's limit.
    for (largest, in_use, words) in [
        (0, Value::Null, "No large send was seen yet"),
        (62_834, value!(false), "The raised size is not in use"),
        (63_037, value!(true), "The raised size is in use"),
    ] {
        let mut fake = two();
        fake.adapters[0].statistics.largest_large_send = largest;
        assert_eq!(
            json(&mut fake, &["show", "7"])?["raised_size_in_use"],
            in_use
        );
        assert!(run(&mut fake, &["show", "7"])?.contains(words), "{largest}");
    }
    Ok(())
}

#[test]
fn show_notes_what_is_wrong() -> Done {
    let mut fake = two();
    fake.adapters[0].read.settings_out_of_range = 2;
    fake.adapters[0].read.malformed_offloads = 3;
    let text = run(&mut fake, &["show", "7"])?;
    assert!(text.contains("Note: 2 of the adapter's settings"), "{text}");
    assert!(
        text.contains("Note: 3 malformed offload configurations"),
        "{text}"
    );

    fake.adapters[0].read.nic = NicLimits::default();
    fake.adapters[0].read.advertised_v2_ipv4 = 0;
    fake.adapters[0].read.advertised_uso_ipv4 = 0;
    let text = run(&mut fake, &["show", "7"])?;
    assert!(text.contains("Nothing is raised"), "{text}");
    assert!(text.contains("Enable-NetAdapterLso"), "{text}");
    Ok(())
}

#[test]
fn set_changes_what_is_named_and_nothing_else() -> Done {
    let mut fake = two();
    for (line, expected) in [
        (&["--multiple", "4"][..], tuning(multiple(4), 0)),
        (&["--cap", "128K"], tuning(multiple(4), 131_072)),
        (&["--cap", "131072"], tuning(multiple(4), 131_072)),
        (
            &["--profile", "cpu"],
            tuning(Raise::Profile(Profile::Cpu), 131_072),
        ),
        (&["--off"], tuning(Raise::Profile(Profile::Off), 131_072)),
        (&["--multiple", "16", "--cap", "0"], tuning(multiple(16), 0)),
    ] {
        let line = [&["set", "9"], line].concat();
        run(&mut fake, &line)?;
        assert_eq!(fake.adapters[1].read.tuning, expected, "{line:?}");
    }
    assert_eq!(
        fake.adapters[1].lasting,
        throughput(),
        "nothing was to last"
    );
    assert_eq!(
        fake.adapters[0].read.tuning,
        throughput(),
        "another adapter"
    );
    Ok(())
}

#[test]
fn set_shows_the_result_and_whether_it_lasts() -> Done {
    let mut fake = two();
    let text = run(&mut fake, &["set", "9", "--multiple", "2"])?;
    assert!(
        text.contains("125,560") && text.contains("until the adapter restarts"),
        "{text}"
    );
    let set = json(&mut fake, &["set", "9", "--multiple", "3", "--persist"])?;
    assert_eq!(set["persisted"], true);
    assert_eq!(
        set["tuning"],
        value!({ "profile": null, "multiple": 3, "cap_bytes": null })
    );
    assert_eq!(set["advertised"]["v2_ipv4"], 188_340);
    assert_eq!(fake.adapters[1].lasting, tuning(multiple(3), 0));
    let text = run(&mut fake, &["set", "9", "--off"])?;
    assert!(text.contains("Nothing is raised"), "{text}");
    Ok(())
}

#[test]
fn stats_names_refusals_and_what_to_do() -> Done {
    let text = run(&mut two(), &["stats", "7"])?;
    let unknown = format!("refused 1 x reason-{}: the driver is newer", UNKNOWN_REASON);
    for part in [
        "300,000,000 bytes (286.1 MiB)",
        " of which single packets                                80\n",
        " single packets among the children\n   -> the filter cut them",
        "refused 5 x segment-above-mtu: the MSS makes segments longer",
        "-> the sender's MTU is larger than the adapter's",
        &unknown,
        " failed by the NIC\n",
        "low on memory\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let stats = json(&mut two(), &["stats", "7"])?;
    let statistics = &stats["statistics"];
    assert_eq!(stats["adapter"]["connection"], "Ethernet");
    assert_eq!(statistics["largest_large_send"], 502_294);
    assert_eq!(statistics["packets"], 80);
    assert_eq!(statistics["refused"]["segment-above-mtu"], 5);
    assert_eq!(statistics["refused"]["mss-zero"], 0);
    assert_eq!(statistics["refused_in_all"], 6);
    assert_eq!(statistics.as_object().map(serde_json::Map::len), Some(14));
    Ok(())
}

#[test]
fn stats_can_start_again() -> Done {
    let mut fake = two();
    let text = run(&mut fake, &["stats", "7", "--reset"])?;
    assert!(
        text.contains("1,000") && text.contains("reset to zero"),
        "{text}"
    );
    assert_eq!(fake.adapters[0].statistics.children, 0);
    assert_eq!(fake.adapters[1].statistics.children, 4800);
    assert_eq!(json(&mut fake, &["stats", "7", "--reset"])?["reset"], true);
    Ok(())
}

#[test]
fn watch_counts_each_interval() -> Done {
    let line = ["stats", "7", "--watch", "0.1", "--count", "2"];
    let text = run(&mut two(), &line)?;
    assert_eq!(
        text.lines().count(),
        5,
        "title, empty, heads, two samples:\n{text}"
    );
    assert!(text.contains("children/s  packets/s"), "{text}");

    let text = run(&mut two(), &[&line[..], &["--json"]].concat())?;
    let samples: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let sends: Vec<_> = samples.iter().map(|s| &s["interval"]["sends"]).collect();
    assert_eq!(sends, [1000, 2000], "each reading doubles the counter");
    assert_eq!(samples[0]["interval"]["split"], 0);
    assert!(samples.iter().all(|s| s["seconds"].as_f64() >= Some(0.1)));
    Ok(())
}

/// Windows PowerShell 5.1 would read UTF-8 in the OEM code page.
#[test]
fn json_is_ascii_whatever_the_names_are() -> Done {
    const NIC: &str = "Gr\u{f6}\u{df}e \u{1f980} \"\u{7f51}\u{5361}\"";
    const CONNECTION: &str = "\u{42d}\u{442}\u{435}\u{440}\u{43d}\u{435}\u{442}";
    let mut fake = Fake::on(&[(7, NIC)]).connected(&[(107, CONNECTION)]);
    let text = run(&mut fake, &["list", "--json"])?;
    assert!(text.is_ascii() && text.contains("\\ud83e\\udd80"), "{text}");
    let list: Value = serde_json::from_str(&text).expect("the output is JSON");
    assert_eq!(list["adapters"][0]["name"], NIC);
    assert_eq!(list["adapters"][0]["connection"], CONNECTION);

    let failure = run(&mut fake, &["show", "\u{1f980}\u{df}"]).expect_err("no such adapter");
    let mut text = Vec::new();
    mslsoctl::json::write(&mut text, &failure.to_json()).expect("memory");
    assert!(text.is_ascii());
    let error: Value = serde_json::from_slice(&text).expect("the error is JSON");
    let message = error["message"].as_str().expect("a text");
    assert_eq!(message, failure.to_string());
    assert!(message.contains('\u{df}'), "{message}");
    Ok(())
}
