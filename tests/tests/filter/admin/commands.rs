//! The administrator's commands against the driver itself.

use children::MAX_SG_ELEMENTS;
use clap::Parser;
use control::IoControl;
use model::{Config, Failing, MINIPORT_INSTANCE_NAME, Nic, RegistryValue};
use mslsoctl::{
    cli::Cli,
    connections::Unnamed,
    device::{Answer, Device},
    failure::{Failure, exit},
};
use scenarios::{
    Machine,
    adapter::{assert_last_indication, capped, profile, read, times},
    control::ModelDevice,
    packets::{large_v4, small},
    refused,
};
use serde_json::{Value, json};

/// Runs a command, given without the program's name, and returns its output.
fn run(machine: &Machine, line: &str) -> Result<String, Failure> {
    let mut device = ModelDevice {
        world: &machine.world,
    };
    let mut out = Vec::new();
    mslsoctl::run(
        &parsed(line).expect("a command"),
        &mut device,
        &Unnamed,
        &mut out,
    )?;
    Ok(String::from_utf8(out).expect("the output is UTF-8"))
}

/// Parses a command; single quotes hold words together.
fn parsed(line: &str) -> Result<Cli, clap::Error> {
    let words = line.split('\'').enumerate().flat_map(|(place, part)| {
        if place % 2 == 1 {
            vec![part]
        } else {
            part.split_whitespace().collect()
        }
    });
    Cli::try_parse_from(["mslsoctl"].into_iter().chain(words))
}

/// The same with `--json`, parsed back.
fn run_json(machine: &Machine, line: &str) -> Value {
    let text = run(machine, &format!("{line} --json")).expect("it is done");
    assert_eq!(text.lines().count(), 1, "one object in one line");
    serde_json::from_str(&text).expect("the output is JSON")
}

/// The exit code and the name with which a command fails.
fn fails(machine: &Machine, line: &str) -> (u8, String) {
    let failure = run(machine, line).expect_err(line);
    let object = failure.to_json();
    assert_eq!(object["exit_code"], failure.exit_code());
    (failure.exit_code(), failure.name().into())
}

fn integer(machine: &Machine, name: &str) -> Option<u32> {
    match machine.world.registry().get(name) {
        Some(RegistryValue::Integer(value)) => Some(*value),
        _ => None,
    }
}

#[test]
fn list_has_the_adapter_and_whether_the_filter_runs() {
    let machine = Machine::start(Config::default());
    let expected = |running| {
        json!({ "schema": 1, "driver_version": env!("CARGO_PKG_VERSION"), "adapters": [{
            "if_index": 7,
            "base_if_index": 5,
            "connection": null,
            "name": MINIPORT_INSTANCE_NAME,
            "running": running,
        }] })
    };
    assert_eq!(run_json(&machine, "list"), expected(true));
    let text = run(&machine, "list").expect("a list");
    assert!(text.contains(MINIPORT_INSTANCE_NAME) && text.contains("running"));
    machine.world.pause();
    assert_eq!(run_json(&machine, "list"), expected(false));
    assert!(run(&machine, "list").expect("a list").contains("paused"));
    machine.stop_clean();
}

#[test]
fn show_has_the_nics_limits_the_advertised_sizes_and_the_largest_send() {
    let machine = Machine::start(Config::default().counting_ip_id_in(15));
    let limit = json!({ "max_payload": 62_780, "min_segments": 2 });
    let mut expected = json!({
        "schema": 1,
        "driver_version": env!("CARGO_PKG_VERSION"),
        "adapter": {
            "if_index": 7,
            "base_if_index": 5,
            "connection": null,
            "name": MINIPORT_INSTANCE_NAME,
            "running": true,
        },
        "tuning": { "profile": "throughput", "multiple": 8, "cap_bytes": null },
        "software_segmentation": "with-checksums",
        "ip_id_bits": 15,
        "max_sg_elements": MAX_SG_ELEMENTS,
        "memory_bound_bytes": 64 << 20,
        "registry": {
            "tuning": { "profile": "throughput", "multiple": 8, "cap_bytes": null },
            "software_segmentation": "with-checksums",
            "ip_id_bits": 15,
            "max_sg_elements": MAX_SG_ELEMENTS,
            "memory_bound_bytes": 64 << 20,
        },
        "restart_pending": false,
        "mtu": 1500,
        "nic": {
            "v1": limit,
            "v2_ipv4": limit,
            "v2_ipv6": limit,
            "uso_ipv4": limit,
            "uso_ipv6": limit,
            "tcp_checksum_ipv4": true,
            "tcp_checksum_ipv6": true,
        },
        "advertised": {
            "v2_ipv4": 502_240,
            "v2_ipv6": 502_240,
            "uso_ipv4": 502_240,
            "uso_ipv6": 502_240,
        },
        "largest_large_send": 0,
        "raised_size_in_use": null,
        "settings_out_of_range": 0,
        "malformed_offloads": 0,
        "invalid_oid_headers": 0,
    });
    assert_eq!(run_json(&machine, "show"), expected);
    machine.send_one(large_v4(50_000));
    expected["largest_large_send"] = json!(50_066);
    expected["raised_size_in_use"] = json!(false);
    assert_eq!(run_json(&machine, "show 7"), expected);
    machine.send_one(large_v4(502_240));
    expected["largest_large_send"] = json!(502_306);
    expected["raised_size_in_use"] = json!(true);
    for adapter in ["", "5", "ethernet", "'Model Ethernet Adapter'"] {
        assert_eq!(run_json(&machine, &format!("show {adapter}")), expected);
    }
    let text = run(&machine, "show").expect("a text");
    assert!(text.contains("The raised size is in use"), "{text}");
    machine.stop_clean();
}

fn parameters(parameters: &[(&str, u32)]) -> Vec<(String, u32)> {
    let owned = |(name, value): &(&str, u32)| ((*name).to_owned(), *value);
    parameters.iter().map(owned).collect()
}

#[test]
fn show_has_the_settings_in_effect() {
    for (set, software, most) in [
        (&[("SoftwareSegmentation", 0)][..], "never", MAX_SG_ELEMENTS),
        (&[("SoftwareSegmentation", 2)], "always", MAX_SG_ELEMENTS),
        (&[("MaxSgElements", 33)], "with-checksums", 33),
        (&[("MaxSgElements", 4)], "with-checksums", 4),
        (
            &[("SoftwareSegmentation", 3)],
            "with-checksums",
            MAX_SG_ELEMENTS,
        ),
    ] {
        let machine = Machine::start(Config {
            parameters: parameters(set),
            ..Config::default()
        });
        let shown = run_json(&machine, "show");
        assert_eq!(shown["software_segmentation"], software, "{set:?}");
        assert_eq!(shown["max_sg_elements"], most, "{set:?}");
        let wrong = u32::from(set == [("SoftwareSegmentation", 3)]);
        assert_eq!(shown["settings_out_of_range"], wrong, "{set:?}");
        machine.stop_clean();
    }
}

#[test]
fn show_names_the_software_segmentation_where_the_nic_has_no_lso() {
    let nic = || Nic::default().without_lso();
    let machine = Machine::with_nic(nic());
    let shown = run_json(&machine, "show");
    assert_eq!(shown["nic"]["v2_ipv4"]["max_payload"], 0);
    assert_eq!(shown["advertised"]["v2_ipv4"], 502_240);
    let text = run(&machine, "show").expect("a text");
    assert!(text.contains("none, cut by the filter"), "{text}");

    machine.send_one(large_v4(200_000));
    assert_eq!(run_json(&machine, "show")["raised_size_in_use"], true);
    let counted = run_json(&machine, "stats")["statistics"].clone();
    assert_eq!(counted["children"], 200_000_u32.div_ceil(1448));
    assert_eq!(counted["packets"], counted["children"]);
    machine.stop_clean();

    let machine = Machine::start(Config {
        parameters: parameters(&[("SoftwareSegmentation", 0)]),
        ..Config::with_nic(nic())
    });
    let shown = run_json(&machine, "show");
    assert_eq!(shown["advertised"]["v2_ipv4"], 0);
    assert_eq!(shown["advertised"]["uso_ipv4"], 502_240);
    let text = run(&machine, "show").expect("a text");
    assert!(!text.contains("cut by the filter"), "{text}");
    assert!(text.contains("the NIC accepts no LSOv2"), "{text}");
    machine.stop_clean();
}

#[test]
fn show_has_a_nic_without_uso_checksums_or_mtu() {
    let nic = Nic::default().without_uso().without_checksum_offload();
    let machine = Machine::start(Config {
        mtu: None,
        ..Config::with_nic(nic)
    });
    let shown = run_json(&machine, "show");
    assert_eq!(shown["nic"]["uso_ipv6"]["max_payload"], 0);
    assert_eq!(shown["advertised"]["uso_ipv6"], 0);
    assert_eq!(shown["nic"]["tcp_checksum_ipv4"], false);
    assert_eq!(shown["mtu"], Value::Null);
    let text = run(&machine, "show").expect("a text");
    assert!(text.contains("the NIC computes no TCP checksums"), "{text}");
    machine.stop_clean();
}

#[test]
fn show_has_the_faults_of_the_nic_and_the_registry() {
    let machine = Machine::start(Config {
        parameters: vec![("Multiple".into(), 40), ("CapBytes".into(), 7)],
        ..Config::default()
    });
    let code = ndis::sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
    machine.world.indicate(code, vec![0; 8]);
    let shown = run_json(&machine, "show");
    assert_eq!(shown["settings_out_of_range"], 2);
    assert_eq!(shown["malformed_offloads"], 1);
    machine
        .world
        .nic_changes(|nic| nic.limits = Nic::new(0, 0).limits);
    let text = run(&machine, "show").expect("a text");
    assert!(text.contains("Enable-NetAdapterLso"), "{text}");
    assert!(text.contains("out of range"), "{text}");
    machine.stop_clean();
}

#[test]
fn set_is_in_effect_at_once_and_shown() {
    let machine = Machine::start(Config::default());
    let before = machine.world.registry();
    for (line, tuning, advertised) in [
        ("--multiple 16", times(16), 1_004_480),
        ("--cap 700000", capped(times(16), 700_000), 700_000),
        (
            "--profile cpu --cap 800000",
            capped(profile(control::Profile::Cpu), 800_000),
            800_000,
        ),
        ("--cap 0", profile(control::Profile::Cpu), 1_004_480),
        ("--off", profile(control::Profile::Off), 62_780),
        (
            "--profile latency",
            profile(control::Profile::Latency),
            125_560,
        ),
    ] {
        let set = run_json(&machine, &format!("set 7 {line}"));
        assert_eq!(set["advertised"]["v2_ipv4"], advertised, "{line}");
        assert_eq!(set["tuning"]["multiple"], tuning.multiple());
        assert_eq!(set["persisted"], false);
        assert_eq!(read(&machine.world).tuning, tuning);
        assert_last_indication(&machine.world);
        assert_eq!(run_json(&machine, "show")["advertised"], set["advertised"]);
        machine.assert_split(large_v4(1_004_480));
    }
    assert_eq!(machine.world.registry(), before);
    machine.stop_clean();
}

#[test]
fn set_persist_outlasts_a_detach() {
    let machine = Machine::start(Config::default());
    let set = run_json(
        &machine,
        "set 'Model Ethernet Adapter' --multiple 5 --cap 250000 --persist",
    );
    assert_eq!(set["persisted"], true);
    assert_eq!(integer(&machine, "Multiple"), Some(5));
    assert_eq!(integer(&machine, "CapBytes"), Some(250_000));
    run(&machine, "set 7 --off").expect("it is set");
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    machine.world.attach().expect("an attach");
    let shown = run_json(&machine, "show");
    let tuning = json!({ "profile": null, "multiple": 5, "cap_bytes": 250_000 });
    assert_eq!(shown["tuning"], tuning);
    assert_eq!(shown["advertised"]["v2_ipv6"], 250_000);
    machine.stop_clean();
}

#[test]
fn settings_by_name_are_in_effect_from_the_next_attach() {
    let machine = Machine::start(Config::default());
    let set = run_json(
        &machine,
        "set 7 --ip-id-bits 15 --software-segmentation always --max-sg-elements 33 \
         --memory-bound 128M --persist",
    );
    for (name, value) in [
        ("IpIdBits", 15),
        ("SoftwareSegmentation", 2),
        ("MaxSgElements", 33),
        ("MemoryBound", 128),
    ] {
        assert_eq!(integer(&machine, name), Some(value), "{name}");
    }
    assert_eq!(integer(&machine, "Multiple"), None, "it is not named");
    assert_eq!(set["restart_pending"], true);
    assert_eq!(set["ip_id_bits"], 16);
    let shown = run_json(&machine, "show");
    for (name, before, after) in [
        ("ip_id_bits", json!(16), json!(15)),
        (
            "software_segmentation",
            json!("with-checksums"),
            json!("always"),
        ),
        ("max_sg_elements", json!(MAX_SG_ELEMENTS), json!(33)),
        ("memory_bound_bytes", json!(64 << 20), json!(128 << 20)),
    ] {
        assert_eq!(shown[name], before, "{name}");
        assert_eq!(shown["registry"][name], after, "{name}");
    }
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    machine.world.attach().expect("an attach");
    let shown = run_json(&machine, "show");
    assert_eq!(shown["restart_pending"], false);
    for name in [
        "ip_id_bits",
        "software_segmentation",
        "max_sg_elements",
        "memory_bound_bytes",
    ] {
        assert_eq!(shown[name], set["registry"][name], "{name}");
    }
    machine.stop_clean();
}

#[test]
fn set_clears_the_note_of_settings_out_of_range_once_it_persists() {
    let machine = Machine::start(Config {
        parameters: vec![("Profile".into(), 77)],
        ..Config::default()
    });
    let count = |line: &str| run_json(&machine, line)["settings_out_of_range"].clone();
    assert_eq!(count("show"), 1);
    assert_eq!(count("set 7 --multiple 4"), 1);
    assert_eq!(count("set 7 --multiple 4 --persist"), 0);
    assert_eq!(count("show"), 0);
    machine.stop_clean();
}

#[test]
fn stats_count_each_send() {
    let machine = Machine::start(Config::default());
    machine.send(vec![small(), large_v4(200_000), large_v4(30_000)]);
    let stats = run_json(&machine, "stats 7");
    let counted = &stats["statistics"];
    for (counter, value) in [
        ("sends", 3),
        ("large_sends", 2),
        ("split", 1),
        ("children", 4),
        ("packets", 0),
        ("bytes", 200_000),
        ("largest_large_send", 200_066),
        ("completed", 1),
        ("failed", 0),
        ("low_memory", 0),
        ("paused", 0),
        ("refused_in_all", 0),
    ] {
        assert_eq!(counted[counter], value, "{counter}");
    }
    assert_eq!(stats["reset"], false);
    for bad in refused::all() {
        machine.send_one(bad.packet);
        let counted = run_json(&machine, "stats");
        let refused = &counted["statistics"]["refused"];
        let count = refused[bad.reason.name()].as_u64();
        assert!(count > Some(0), "{}", bad.what);
    }
    let in_all = run_json(&machine, "stats")["statistics"]["refused_in_all"].clone();
    assert_eq!(in_all, refused::all().len());
    machine.stop_clean();
}

#[test]
fn stats_reset_shows_the_counters_and_puts_them_back() {
    let machine = Machine::start(Config::default());
    machine.send_one(large_v4(200_000));
    let reset = run_json(&machine, "stats --reset");
    assert_eq!(reset["reset"], true);
    assert_eq!(reset["statistics"]["split"], 1);
    let after = run_json(&machine, "stats");
    assert_eq!(after["statistics"]["split"], 0);
    assert_eq!(after["statistics"]["largest_large_send"], 0);
    assert_eq!(
        after["statistics"]["children_allocated"],
        reset["statistics"]["children_allocated"]
    );
    assert_eq!(
        run_json(&machine, "show")["raised_size_in_use"],
        Value::Null
    );
    machine.stop_clean();
}

#[test]
fn an_adapter_that_is_not_there_is_named_so() {
    let machine = Machine::start(Config::default());
    for command in [
        "show 8",
        "show wifi",
        "stats 6",
        "set 9 --off",
        "set wifi --off",
    ] {
        let expected = (exit::NO_SUCH_ADAPTER, "no-such-adapter".into());
        assert_eq!(fails(&machine, command), expected, "{command}");
    }
    machine.world.pause();
    machine.world.detach();
    for command in ["show", "show 7", "stats", "set 7 --off"] {
        assert_eq!(fails(&machine, command).0, exit::NO_SUCH_ADAPTER);
    }
    assert_eq!(run_json(&machine, "list")["adapters"], json!([]));
    machine.world.unload();
    scenarios::assert_clean(&machine.world.finish());
}

/// A device whose adapter is detached as soon as it was listed.
struct Vanishing<'a>(&'a Machine);

impl Device for Vanishing<'_> {
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        let world = &self.0.world;
        let answer = ModelDevice { world }.control(code, input, output);
        if code == IoControl::LIST {
            world.pause();
            world.detach();
        }
        answer
    }
}

#[test]
fn an_adapter_that_goes_away_meanwhile_is_reported_as_gone() {
    let machine = Machine::start(Config::default());
    for command in ["show", "stats --reset", "set 7 --off"] {
        let command = parsed(command).expect("a command");
        let done = mslsoctl::run(
            &command,
            &mut Vanishing(&machine),
            &Unnamed,
            &mut Vec::new(),
        );
        let failure = done.expect_err("it is gone");
        assert_eq!(failure.exit_code(), exit::NO_SUCH_ADAPTER);
        assert_eq!(failure.name(), "no-such-adapter");
        machine.world.attach().expect("an attach");
        machine.world.restart().expect("a restart");
    }
    machine.stop_clean();
}

#[test]
fn a_value_out_of_range_never_reaches_the_driver() {
    let machine = Machine::start(Config::default());
    let before = read(&machine.world);
    for line in [
        "--multiple 0",
        "--multiple 17",
        "--cap 4095",
        "--cap 16777217",
        "--profile fast",
        "--multiple 2 --off",
        "",
    ] {
        let error = parsed(&format!("set 7 {line}")).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{line}");
    }
    assert_eq!(read(&machine.world), before);
    machine.stop_clean();
}

#[test]
fn a_driver_that_is_not_loaded_has_an_exit_code_of_its_own() {
    let machine = Machine::without_driver(Config::default());
    for command in ["list", "show", "stats 7", "set 7 --off"] {
        let expected = (exit::NO_DRIVER, "driver-not-installed".into());
        assert_eq!(fails(&machine, command), expected, "{command}");
    }
    machine.try_start().expect("the driver starts");
    run(&machine, "show").expect("it is there");
    machine.stop_clean();
}

#[test]
fn a_registry_without_memory_is_reported_and_nothing_is_set() {
    let machine = Machine::start(Config::default());
    let asked = machine.world.fail_allocations(Failing::None);
    machine.world.fail_allocations(Failing::From(asked));
    let failed = fails(&machine, "set 7 --multiple 2 --persist");
    machine.world.fail_allocations(Failing::None);
    assert_eq!(failed, (exit::OTHER, "no-memory".into()));
    assert_eq!(run_json(&machine, "show")["tuning"]["multiple"], 8);
    assert_last_indication(&machine.world);
    machine.stop_clean();
}
