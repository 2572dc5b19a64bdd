//! Adapters are selected by index, by their connection's name, or by the description of their NIC.

use mslsoctl::failure::{Failure, exit};

use crate::fake::{Fake, json, run};
use crate::{CX6, Done, E810, two};

/// The description that has "Ethernet 2" in it.
const E25G: &str = "Intel(R) Ethernet 25G 2P E810-XXV Adapter";

/// A description of which Windows has a second.
const TWIN: &str = "Intel(R) Ethernet Controller E810-C for QSFP #2";

fn if_index(fake: &mut Fake, line: &[&str]) -> Result<u64, Failure> {
    let shown = json(fake, line)?;
    Ok(shown["adapter"]["if_index"].as_u64().expect("an index"))
}

fn failure(fake: &mut Fake, line: &[&str]) -> Failure {
    let failure = run(fake, line).expect_err("the command fails");
    assert_eq!(failure.exit_code(), exit::NO_SUCH_ADAPTER, "{failure}");
    failure
}

#[test]
fn by_index_by_connection_and_by_description() -> Done {
    for (asked, expected) in [
        ("7", 7),
        ("109", 9),
        ("Ethernet", 7), // the whole name, though it is part of others
        ("Ethernet 2", 9),
        ("ETHERNET 2", 9),
        (E810, 7),
        ("mellanox connectx-6 dx adapter", 9),
    ] {
        assert_eq!(if_index(&mut two(), &["show", asked])?, expected, "{asked}");
        let set = ["set", asked, "--off"];
        assert_eq!(if_index(&mut two(), &set)?, expected, "{asked}");
    }
    assert_eq!(if_index(&mut Fake::on(&[(7, E810)]), &["show"])?, 7);
    Ok(())
}

#[test]
fn the_filters_own_connection_is_its_adapters() -> Done {
    let mut fake = two();
    fake.host.0.push((9, "Ethernet 2-mslso-0000"));
    assert_eq!(if_index(&mut fake, &["show", "Ethernet 2-mslso-0000"])?, 9);
    Ok(())
}

#[test]
fn a_connection_without_the_filter_is_no_part_of_a_description() {
    let host = [(107, "Ethernet 3"), (104, "Ethernet 2")];
    for line in [
        &["show", "Ethernet 2"][..],
        &["stats", "Ethernet 2", "--reset"],
        &["set", "Ethernet 2", "--off", "--persist"],
    ] {
        let mut fake = Fake::on(&[(7, E25G)]).connected(&host);
        let before = fake.adapters[0].read;
        let failure = failure(&mut fake, line);
        assert!(matches!(failure, Failure::NotAttached(_)), "{failure}");
        let advice = "Enable-NetAdapterBinding -Name \"Ethernet 2\" -ComponentID mslso_lwf";
        assert!(failure.to_string().contains(advice), "{failure}");
        assert_eq!(failure.name(), "not-attached");
        assert_eq!(fake.adapters[0].read, before);
        assert_eq!(fake.adapters[0].statistics.sends, 1000, "no reset");
    }
}

#[test]
fn a_connection_is_preferred_to_the_description_of_another() -> Done {
    // An administrator may give a connection the name that describes another's NIC.
    let named = [(107, "Ethernet"), (109, E810)];
    let mut fake = Fake::on(&[(7, E810), (9, CX6)]).connected(&named);
    assert_eq!(if_index(&mut fake, &["show", E810])?, 9);
    let mut fake = Fake::on(&[(7, E810)]).connected(&named);
    let failure = failure(&mut fake, &["set", E810, "--off"]);
    assert!(matches!(failure, Failure::NotAttached(_)), "{failure}");
    Ok(())
}

#[test]
fn a_part_is_enough_to_look_and_not_to_change() -> Done {
    for (asked, expected) in [("net 2", 9), ("mellanox", 9), ("for qsfp", 7)] {
        assert_eq!(if_index(&mut two(), &["show", asked])?, expected, "{asked}");
        assert_eq!(if_index(&mut two(), &["stats", asked])?, expected);
        let failure = failure(&mut two(), &["set", asked, "--off"]);
        assert!(matches!(failure, Failure::NoSuchAdapter(_)), "{failure}");
    }
    // Without the host's names, "Ethernet 2" is such a part.
    let mut nameless = Fake::on(&[(7, E25G)]);
    assert_eq!(if_index(&mut nameless, &["show", "Ethernet 2"])?, 7);
    failure(&mut nameless, &["set", "Ethernet 2", "--off"]);
    Ok(())
}

#[test]
fn a_whole_description_is_not_the_part_of_another() -> Done {
    let mut fake = Fake::on(&[(7, TWIN), (9, E810)]);
    assert_eq!(if_index(&mut fake, &["set", E810, "--off"])?, 9);
    Ok(())
}

#[test]
fn what_is_not_there() {
    let mut fake = two();
    fake.host.0.push((4, "Wi-Fi"));
    // 2 and 25 are no indices; the number in a name is none either.
    for asked in ["8", "2", "25", "0", "-1", "wireless", ""] {
        let failure = failure(&mut fake, &["stats", "--", asked]);
        assert!(matches!(failure, Failure::NoSuchAdapter(_)), "{failure}");
    }
    let failure = failure(&mut Fake::default(), &["stats"]);
    assert!(failure.to_string().contains("Enable-NetAdapterBinding"));
}

#[test]
fn several_that_may_be_meant_are_listed() {
    let mut fake = Fake::on(&[(7, E810), (9, TWIN), (11, CX6)]);
    fake.host.0.push((107, "Ethernet 2"));
    let named = failure(&mut fake, &["show", "e810-c"]);
    assert_eq!(
        named.to_string(),
        "several adapters match \"e810-c\": 7 (Ethernet 2: Intel(R) Ethernet Controller E810-C \
         for QSFP), 9 (Intel(R) Ethernet Controller E810-C for QSFP #2); name one by its \
         interface index"
    );
    let unnamed = failure(&mut fake, &["stats"]).to_string();
    assert!(
        unnamed.starts_with("there are several adapters: 7 "),
        "{unnamed}"
    );
}
