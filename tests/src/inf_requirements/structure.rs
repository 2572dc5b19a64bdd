//! Sections, strings and registry keys name each other.

use std::collections::BTreeSet;

use super::{
    Outcome,
    target::{added, each, equal, targets},
};
use mslso_package::inf::Inf;

/// Every section that others name, with those whose names Windows defines.
fn named_sections(inf: &Inf) -> BTreeSet<String> {
    let known = [
        "Version",
        "Manufacturer",
        "SourceDisksNames",
        "SourceDisksFiles",
        "DestinationDirs",
        "Strings",
    ];
    let mut named: BTreeSet<String> = known.map(str::to_owned).into();
    for target in targets(inf) {
        for extension in ["", ".Services", ".Remove.Services"] {
            named.insert(target.section(extension));
        }
        let service = target.service(inf);
        let event_log = target.event_log(inf);
        for (section, directive) in [
            (&target.install, "AddReg"),
            (&target.install, "CopyFiles"),
            (&service, "AddReg"),
            (&event_log, "AddReg"),
        ] {
            named.extend(inf.fields(section, directive).unwrap_or_default());
        }
        named.extend([target.models, service, event_log]);
    }
    for line in inf.lines("Manufacturer") {
        named.extend(
            line.fields[1..]
                .iter()
                .map(|version| format!("{}.{version}", line.fields[0])),
        );
    }
    named.extend(
        inf.lines("DestinationDirs")
            .iter()
            .map(|line| inf.key(line)),
    );
    named
}

fn none(what: &str, mut names: impl Iterator<Item = String>) -> Outcome {
    names
        .next()
        .map_or(Ok(()), |name| Err(format!("{what} {name:?}")))
}

pub(super) fn sections_are_there(inf: &Inf) -> Outcome {
    let named = named_sections(inf).into_iter();
    none(
        "no section",
        named.filter(|name| inf.section(name).is_none()),
    )
}

pub(super) fn sections_are_named(inf: &Inf) -> Outcome {
    let named = named_sections(inf);
    let is_named = |name: &&str| named.iter().any(|named| named.eq_ignore_ascii_case(name));
    let unnamed = inf.section_names().filter(|name| !is_named(name));
    none("nothing names section", unnamed.map(str::to_owned))
}

fn strings(inf: &Inf) -> BTreeSet<String> {
    let lines = inf.lines("Strings").iter();
    lines
        .filter_map(|line| line.key.as_deref())
        .map(str::to_ascii_lowercase)
        .collect()
}

pub(super) fn strings_are_defined(inf: &Inf) -> Outcome {
    none("no string", inf.tokens().difference(&strings(inf)).cloned())
}

pub(super) fn strings_are_named(inf: &Inf) -> Outcome {
    none(
        "nothing names string",
        strings(inf).difference(&inf.tokens()).cloned(),
    )
}

pub(super) fn keys_are_relative(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let all = [
            added(inf, &at.install),
            added(inf, &at.service(inf)),
            added(inf, &at.event_log(inf)),
        ];
        all.iter()
            .flatten()
            .try_for_each(|value| equal("root", &value.root, "HKR"))
    })
}
