//! The driver's Event Tracing for Windows events, as a session decodes them: its life, changes of
//! its configuration, refusals and want of memory, logged with exponential back-off, and none for
//! each packet.

use std::collections::BTreeSet;

use ::control::{
    IoControl, Profile, Select,
    event_log::{ATTACH_FAILED, LOAD_FAILED},
};
use lso::Refusal;
use model::{
    Completion, Config, FILTER_IF_INDEX, Failing, LogEntry, MINIPORT_IF_INDEX,
    MINIPORT_INSTANCE_NAME, Nic, OidCall, OidHeader, SendCall, TracedEvent, TracedValue,
};
use ndis::sys;
use scenarios::{
    Machine,
    adapter::{capped, encoded, persist, profile, set, times},
    assert_clean,
    packets::{MSS, large_v4, large_v6, small},
    refused,
};

const LIFECYCLE: u64 = 1;
const CONFIGURATION: u64 = 2;
const REFUSAL: u64 = 4;
const MEMORY: u64 = 8;
const ERROR: u8 = 2;
const WARNING: u8 = 3;
const INFORMATION: u8 = 4;

const NIC_MAX: u32 = 10 * MSS;

fn machine() -> Machine {
    Machine::with_nic(Nic::new(NIC_MAX, 2).without_uso())
}

fn text(text: &str) -> TracedValue {
    TracedValue::Text(text.into())
}

fn number(value: impl Into<u64>) -> TracedValue {
    TracedValue::Number(value.into())
}

/// The events' names.
fn names(events: &[TracedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// The events of that name.
fn all(events: &[TracedEvent], name: &str) -> Vec<TracedEvent> {
    let named = events.iter().filter(|event| event.name == name);
    named.cloned().collect()
}

/// The values of `field` in the events of that name.
fn values(events: &[TracedEvent], name: &str, field: &str) -> Vec<TracedValue> {
    let named = all(events, name);
    let values = named.iter().map(|event| event.field(field).cloned());
    values.map(|value| value.expect("the field")).collect()
}

/// An event that every module's event is like.
fn event(
    name: &str,
    level: u8,
    keyword: u64,
    fields: impl IntoIterator<Item = (&'static str, TracedValue)>,
) -> TracedEvent {
    let fields = [("IfIndex", number(FILTER_IF_INDEX))]
        .into_iter()
        .chain(fields);
    TracedEvent {
        name: name.into(),
        level,
        keyword,
        fields: fields
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
    }
}

fn advertised(size: u32, nic: u32) -> TracedEvent {
    let (size, nic) = (number(size), number(nic));
    let fields = [
        ("AdvertisedV2IPv4", size.clone()),
        ("AdvertisedV2IPv6", size),
        ("AdvertisedUsoIPv4", number(0_u32)),
        ("AdvertisedUsoIPv6", number(0_u32)),
        ("NicV2IPv4Max", nic.clone()),
        ("NicV2IPv6Max", nic),
    ];
    event("Advertised", INFORMATION, CONFIGURATION, fields)
}

fn tuning(source: &str, multiple: u32, profile: &str, cap: u32) -> TracedEvent {
    let fields = [
        ("Source", text(source)),
        ("Multiple", number(multiple)),
        ("Profile", text(profile)),
        ("CapBytes", number(cap)),
    ];
    event("Tuning", INFORMATION, CONFIGURATION, fields)
}

fn refusal(reason: Refusal, count: u64) -> TracedEvent {
    let fields = [("Reason", text(reason.name())), ("Count", number(count))];
    event("Refused", WARNING, REFUSAL, fields)
}

/// An LSOv1 send over IPv6.
fn bad() -> model::Packet {
    let all = refused::all();
    let bad = all
        .into_iter()
        .find(|bad| bad.reason == Refusal::Lsov1OnIpv6);
    bad.expect("one of them").packet
}

#[test]
fn the_provider_has_its_name_while_the_driver_is_loaded() {
    let machine = machine();
    let known = machine.world.trace_provider().expect("a provider");
    let id = "05247842-e8ea-5b1a-55d4-9ce2493e738d";
    assert_eq!(known, (id.into(), "mslso".into()));
    let profile = include_str!("../../../../inf/mslso.wprp");
    assert!(
        profile.contains(&format!("Name=\"{id}\"")),
        "the recorder's"
    );
    machine.world.pause();
    machine.world.detach();
    machine.world.unload();
    assert_eq!(machine.world.trace_provider(), None);
    assert_clean(&machine.world.finish());
}

#[test]
fn lifecycle_events_come_in_order() {
    let machine = machine();
    machine.world.pause();
    machine.world.restart().expect("a restart");
    machine.world.pre_detach();
    machine.world.pause();
    machine.world.detach();
    machine.world.unload();
    let events = machine.world.events();
    let life = [
        "DriverLoad",
        "Attach",
        "Tuning",
        "Restart",
        "Pause",
        "Restart",
        "PreDetach",
        "Advertised",
        "Pause",
        "Detach",
        "DriverUnload",
    ];
    assert_eq!(names(&events), life);
    for event in &events {
        let keyword = match event.name.as_str() {
            "Tuning" | "Advertised" => CONFIGURATION,
            _ => LIFECYCLE,
        };
        assert_eq!((event.level, event.keyword), (INFORMATION, keyword));
    }
    let load = [
        ("Version".into(), text(env!("CARGO_PKG_VERSION"))),
        ("NdisMajor".into(), number(6_u32)),
        ("NdisMinor".into(), number(85_u32)),
    ];
    assert_eq!(events[0].fields, load);
    assert_eq!(events[3], event("Restart", INFORMATION, LIFECYCLE, []));
    assert_eq!(events[7], advertised(NIC_MAX, NIC_MAX));
    assert_eq!(events[10].fields, []);
    assert_clean(&machine.world.finish());
}

#[test]
fn the_attach_event_has_the_adapter_and_its_limits() {
    let machine = machine();
    let events = machine.world.events();
    let (max, least) = (number(NIC_MAX), number(2_u32));
    let fields = [
        ("BaseIfIndex", number(MINIPORT_IF_INDEX)),
        ("Adapter", text(MINIPORT_INSTANCE_NAME)),
        ("NicV1Max", max.clone()),
        ("NicV1MinSegments", least.clone()),
        ("NicV2IPv4Max", max.clone()),
        ("NicV2IPv4MinSegments", least.clone()),
        ("NicV2IPv6Max", max),
        ("NicV2IPv6MinSegments", least),
        ("NicUsoIPv4Max", number(0_u32)),
        ("NicUsoIPv6Max", number(0_u32)),
        ("AdvertisedV2IPv4", number(8 * NIC_MAX)),
        ("AdvertisedV2IPv6", number(8 * NIC_MAX)),
        ("AdvertisedUsoIPv4", number(0_u32)),
        ("AdvertisedUsoIPv6", number(0_u32)),
    ];
    assert_eq!(events[1], event("Attach", INFORMATION, LIFECYCLE, fields));
    assert_eq!(events[2], tuning("registry", 8, "throughput", 0));
    machine.stop_clean();
}

/// An entry of the System event log, which is there whether a session is enabled or not.
fn logged(code: u32, status: i32, strings: &[&str]) -> LogEntry {
    LogEntry {
        code,
        status,
        strings: strings.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_failed_load_has_an_event_with_its_status() {
    let machine = Machine::without_driver(Config {
        ndis_version: 6 << 16 | 30,
        ..Config::default()
    });
    assert!(machine.load().is_err());
    let events = machine.world.events();
    assert_eq!(names(&events), ["DriverLoad", "DriverLoadFailed"]);
    let status = TracedValue::Status(sys::NDIS_STATUS_BAD_VERSION);
    assert_eq!(events[1].fields, [("Status".into(), status)]);
    assert_eq!((events[1].level, events[1].keyword), (ERROR, LIFECYCLE));
    let logged = logged(LOAD_FAILED, sys::NDIS_STATUS_BAD_VERSION, &["0xC0010004"]);
    assert_eq!(machine.world.error_log(), [logged]);
    assert_clean(&machine.world.finish());
}

#[test]
fn an_adapter_that_is_not_taken_is_named_with_the_reason() {
    let machine = Machine::without_driver(Config {
        medium: sys::NdisMediumIP,
        ..Config::default()
    });
    machine.load().expect("the driver loads");
    assert!(machine.world.attach().is_err());
    let fields = [
        ("BaseIfIndex", number(MINIPORT_IF_INDEX)),
        ("Adapter", text(MINIPORT_INSTANCE_NAME)),
        (
            "Status",
            TracedValue::Status(sys::NDIS_STATUS_UNSUPPORTED_MEDIA),
        ),
    ];
    let failed = event("AttachFailed", ERROR, LIFECYCLE, fields);
    assert_eq!(machine.world.events()[1..], [failed]);
    let status = sys::NDIS_STATUS_UNSUPPORTED_MEDIA;
    let index = MINIPORT_IF_INDEX.to_string();
    let strings = ["0xC0010019", &index, MINIPORT_INSTANCE_NAME];
    assert_eq!(
        machine.world.error_log(),
        [logged(ATTACH_FAILED, status, &strings)]
    );
    machine.world.unload();
    assert_clean(&machine.world.finish());
}

#[test]
fn a_change_of_the_nic_has_an_event_with_the_new_advertised_sizes() {
    let machine = machine();
    let _ = machine.world.take_events();
    let to = |max| {
        machine
            .world
            .nic_changes(|nic| nic.limits = Nic::new(max, 2).limits);
        machine.world.take_events()
    };
    let written = to(5 * MSS);
    assert_eq!(names(&written), ["NicLimits", "Advertised"]);
    assert_eq!(
        values(&written, "NicLimits", "NicV2IPv6Max"),
        [number(5 * MSS)]
    );
    assert_eq!(written[1], advertised(8 * 5 * MSS, 5 * MSS));
    assert_eq!(to(5 * MSS), [], "the same again is no news");
    let written = to(0);
    assert_eq!(names(&written), ["NicLimits", "Advertised"]);
    assert_eq!(written[1], advertised(0, 0));
    machine.stop_clean();
}

#[test]
fn the_tuning_event_has_its_source() {
    let machine = machine();
    let _ = machine.world.take_events();
    set(&machine.world, times(3)).expect("set");
    let written = machine.world.take_events();
    let at_three = advertised(3 * NIC_MAX, NIC_MAX);
    assert_eq!(written, [tuning("control-device", 3, "none", 0), at_three]);
    let capped = capped(profile(Profile::Cpu), 50_000);
    persist(&machine.world, capped).expect("set");
    let written = machine.world.take_events();
    let source = "control-device-persistent";
    let at_cap = advertised(50_000, NIC_MAX);
    assert_eq!(written, [tuning(source, 16, "cpu", 50_000), at_cap]);
    set(&machine.world, capped).expect("set");
    let written = machine.world.take_events();
    assert_eq!(written, [tuning("control-device", 16, "cpu", 50_000)]);
    machine.stop_clean();
}

#[test]
fn events_for_malformed_configurations_back_off() {
    let machine = machine();
    let _ = machine.world.take_events();
    for _ in 0..100 {
        let code = sys::NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG;
        machine.world.indicate(code, vec![0; 8]);
    }
    let written = machine.world.take_events();
    let counts = [1, 2, 4, 8, 16, 32, 64_u64].map(|count| {
        let fields = [("Count", number(count))];
        event("MalformedOffload", WARNING, CONFIGURATION, fields)
    });
    assert_eq!(written, counts);
    let _ = machine.stop();
}

#[test]
fn events_for_requests_without_a_valid_header_back_off() {
    let machine = machine();
    let _ = machine.world.take_events();
    for _ in 0..5 {
        machine.world.oid(OidCall {
            header: OidHeader::Empty,
            ..OidCall::query(sys::OID_GEN_MAXIMUM_FRAME_SIZE, 4)
        });
    }
    let counts = [1, 2, 4_u64].map(|count| {
        let fields = [("Count", number(count))];
        event("InvalidOidHeader", WARNING, CONFIGURATION, fields)
    });
    assert_eq!(machine.world.take_events(), counts);
    machine.stop_clean();
}

#[test]
fn every_refusal_event_has_the_name_of_its_reason() {
    let mut reasons = BTreeSet::new();
    for bad in refused::all() {
        let machine = Machine::start(Config::default());
        let _ = machine.world.take_events();
        machine.send_one(bad.packet);
        let written = machine.world.take_events();
        assert_eq!(written, [refusal(bad.reason, 1)], "{}", bad.what);
        reasons.insert(bad.reason.name());
        machine.stop_clean();
    }
    assert!(reasons.len() > 15, "{reasons:?}");
}

#[test]
fn ten_thousand_refusals_make_fourteen_events() {
    let machine = machine();
    let _ = machine.world.take_events();
    let ten = vec![bad(); 10];
    for _ in 0..1_000 {
        machine.send(ten.clone());
    }
    let written = machine.world.take_events();
    let expected: Vec<_> = (0..14)
        .map(|power| refusal(Refusal::Lsov1OnIpv6, 1 << power))
        .collect();
    assert_eq!(written, expected);
    let counted = machine.statistics().refused_for(Refusal::Lsov1OnIpv6);
    assert_eq!(counted, 10_000, "the counters have the rest");
    machine.stop_clean();
}

#[test]
fn a_processors_event_has_the_count_of_all() {
    let machine = machine();
    let _ = machine.world.take_events();
    let on = |processor| SendCall {
        processor,
        at_dispatch: true,
    };
    machine.world.send(vec![bad(), bad(), bad()], on(0));
    machine.world.send(vec![bad(), bad()], on(1));
    let written = values(&machine.world.take_events(), "Refused", "Count");
    assert_eq!(written, [1, 2, 4, 5_u64].map(number));
    machine.stop_clean();
}

#[test]
fn a_reset_of_the_statistics_starts_the_counts_again() {
    let machine = machine();
    machine.send(vec![bad(), bad(), bad()]);
    let _ = machine.world.take_events();
    let select = encoded(&Select {
        if_index: FILTER_IF_INDEX,
    });
    let code = IoControl::RESET_STATISTICS.code();
    machine.world.ioctl(code, &select, 0).expect("a reset");
    machine.send_one(bad());
    let reset = event("StatisticsReset", INFORMATION, CONFIGURATION, []);
    let expected = [reset, refusal(Refusal::Lsov1OnIpv6, 1)];
    assert_eq!(machine.world.take_events(), expected);
    machine.stop_clean();
}

#[test]
fn events_for_low_memory_back_off() {
    let machine = Machine::with_nic(Nic::new(2 * MSS, 2));
    let _ = machine.world.take_events();
    let asked = machine.world.fail_allocations(Failing::None);
    machine.world.fail_allocations(Failing::From(asked));
    for _ in 0..20 {
        machine.send_one(large_v4(300 * 2 * MSS));
    }
    machine.world.fail_allocations(Failing::None);
    let written = machine.world.take_events();
    let counts = [1, 2, 4, 8, 16_u64]
        .map(|count| event("LowMemory", WARNING, MEMORY, [("Count", number(count))]));
    assert_eq!(written, counts);
    assert_eq!(machine.statistics().low_memory, 20);
    machine.stop_clean();
}

#[test]
fn sends_that_are_split_forwarded_or_paused_make_no_events() {
    let mut nic = Nic::new(2 * MSS, 1);
    nic.failing = vec![(3, sys::NDIS_STATUS_FAILURE)];
    nic.completion = Completion {
        deferred: true,
        ..Completion::default()
    };
    let machine = Machine::with_nic(nic);
    let _ = machine.world.take_events();
    let (v4, v6) = (large_v4(3 * MSS), large_v6(4 * MSS));
    let batch = vec![v4.clone(), v6.clone(), v4, v6, small(), large_v4(2 * MSS)];
    for _ in 0..2_500 {
        machine.send(batch.clone());
        machine.deliver_all();
        let _ = (machine.world.take_children(), machine.world.take_wire());
    }
    assert_eq!(machine.statistics().split, 10_000);
    assert_eq!(machine.world.take_events(), []);
    machine.world.pause();
    let _ = machine.world.take_events();
    for _ in 0..10 {
        machine.send(vec![large_v4(30_000), small()]);
    }
    assert_eq!(machine.world.take_events(), []);
    machine.stop_clean();
}

#[test]
fn a_session_gets_what_it_asked_for() {
    let machine = machine();
    let names_at = |level, keyword| {
        machine.world.enable_tracing(level, keyword);
        let _ = machine.world.take_events();
        machine.world.pause();
        machine.world.restart().expect("a restart");
        set(&machine.world, times(2)).expect("set");
        machine.send_one(bad());
        names(&machine.world.take_events())
            .into_iter()
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(names_at(INFORMATION, LIFECYCLE), ["Pause", "Restart"]);
    assert_eq!(names_at(WARNING, u64::MAX), ["Refused"]);
    assert_eq!(names_at(0, CONFIGURATION), ["Tuning"]);
    assert_eq!(names_at(ERROR, u64::MAX), [""; 0]);
    machine.stop_clean();
}

#[test]
fn without_a_session_nothing_is_written() {
    let machine = Machine::without_driver(Config::default());
    machine.world.disable_tracing();
    machine.try_start().expect("the driver starts");
    machine.assert_split(large_v4(200_000));
    machine.send_one(bad());
    set(&machine.world, times(3)).expect("set");
    assert_eq!(machine.world.events(), []);
    machine.world.enable_tracing(INFORMATION, u64::MAX);
    machine.send_one(bad());
    assert_eq!(machine.world.events(), [refusal(Refusal::Lsov1OnIpv6, 2)]);
    machine.stop_clean();
}

#[test]
fn a_driver_that_etw_does_not_take_runs_without_events() {
    // EtwRegister is the first to ask for memory, EtwSetInformation the second.
    for failing in [0, 1] {
        let machine = Machine::without_driver(Config::default());
        machine.world.fail_allocations(Failing::Nth(failing));
        machine.try_start().expect("the driver starts");
        assert_eq!(machine.world.trace_provider(), None);
        machine.assert_split(large_v4(200_000));
        machine.send_one(bad());
        assert_eq!(machine.world.events(), []);
        machine.stop_clean();
    }
}
