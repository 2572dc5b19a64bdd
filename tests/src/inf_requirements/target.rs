//! The systems that an INF installs on, and its additions to their registries.

use std::collections::BTreeSet;

use super::Outcome;
use mslso_package::inf::Inf;

/// The first build with the oldest NDIS that the driver supports, 6.84.
const OLDEST_BUILD: u32 = 19041;
/// The first build at which a network component runs from the driver store.
const FIRST_STORE_BUILD: u32 = 25319;

/// An operating system to install on.
pub(super) struct Target {
    /// Decorated name of its Models section.
    pub(super) models: String,
    /// Section that installs.
    pub(super) install: String,
    pub(super) hardware_id: String,
    /// The first build that is meant.
    pub(super) build: u32,
}

impl Target {
    pub(super) fn section(&self, extension: &str) -> String {
        format!("{}{extension}", self.install)
    }

    /// The section that installs the service.
    pub(super) fn service(&self, inf: &Inf) -> String {
        let add = inf.fields(&self.section(".Services"), "AddService");
        add.and_then(|fields| fields.get(2).cloned())
            .unwrap_or_default()
    }

    /// The section that registers the service as a source of the event log's entries.
    pub(super) fn event_log(&self, inf: &Inf) -> String {
        let add = inf.fields(&self.section(".Services"), "AddService");
        add.and_then(|fields| fields.get(3).cloned())
            .unwrap_or_default()
    }

    /// 13 where the image runs from the driver store, 12 where from System32\drivers.
    pub(super) fn directory(&self) -> &'static str {
        if self.build < FIRST_STORE_BUILD {
            "12"
        } else {
            "13"
        }
    }
}

pub(super) fn targets(inf: &Inf) -> Vec<Target> {
    let mut targets = Vec::new();
    for manufacturer in inf.lines("Manufacturer") {
        let Some((models, versions)) = manufacturer.fields.split_first() else {
            continue;
        };
        for version in versions {
            let models = format!("{models}.{version}");
            for line in inf.lines(&models) {
                targets.push(Target {
                    models: models.clone(),
                    install: line.fields[0].clone(),
                    hardware_id: line.fields.get(1).cloned().unwrap_or_default(),
                    build: version
                        .rsplit('.')
                        .next()
                        .and_then(|build| build.parse().ok())
                        .unwrap_or(0),
                });
            }
        }
    }
    targets
}

/// Checks every target with `check`.
pub(super) fn each(inf: &Inf, check: impl Fn(&Target) -> Outcome) -> Outcome {
    let targets = targets(inf);
    if targets.is_empty() {
        return Err("it installs on nothing".into());
    }
    targets
        .iter()
        .try_for_each(|target| check(target).map_err(|why| format!("[{}]: {why}", target.install)))
}

pub(super) fn equal(what: &str, found: &str, expected: &str) -> Outcome {
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, not {expected:?}"))
}

pub(super) fn all_are_there(inf: &Inf) -> Outcome {
    // Where this breaks, OLDEST_BUILD has to go with it.
    assert_eq!(filter::OLDEST_NDIS, 6 << 16 | 84);
    let found: BTreeSet<String> = targets(inf)
        .into_iter()
        .map(|target| target.models)
        .collect();
    let mut expected = BTreeSet::new();
    for architecture in ["amd64", "arm64"] {
        for build in [OLDEST_BUILD, FIRST_STORE_BUILD] {
            expected.insert(format!("Mslso.NT{architecture}.10.0...{build}"));
        }
    }
    if found == expected {
        return Ok(());
    }
    Err(format!("installed are {found:?}, not {expected:?}"))
}

pub(super) fn component_has_its_name(inf: &Inf) -> Outcome {
    each(inf, |at| equal("hardware id", &at.hardware_id, "mslso_lwf"))
}

/// A registry value that a section adds.
pub(super) struct Added {
    pub(super) root: String,
    pub(super) key: String,
    pub(super) name: String,
    pub(super) flags: String,
    pub(super) data: String,
}

/// The entries that the sections add that `section` names with AddReg.
pub(super) fn added(inf: &Inf, section: &str) -> Vec<Added> {
    let sections = inf.fields(section, "AddReg").unwrap_or_default();
    let lines = sections.iter().flat_map(|section| inf.lines(section));
    lines
        .map(|line| {
            let field = |index: usize| {
                line.fields
                    .get(index)
                    .map_or(String::new(), |field| inf.expand(field))
            };
            Added {
                root: field(0),
                key: field(1),
                name: field(2),
                flags: field(3),
                data: field(4),
            }
        })
        .collect()
}

pub(super) fn one_value(
    added: &[Added],
    key: &str,
    name: &str,
    flags: &str,
    data: &str,
) -> Outcome {
    let same = |value: &&Added| {
        value.key.eq_ignore_ascii_case(key) && value.name.eq_ignore_ascii_case(name)
    };
    let values: Vec<_> = added.iter().filter(same).collect();
    let [value] = values.as_slice() else {
        return Err(format!("{key}\\{name} is added {} times", values.len()));
    };
    equal(&format!("{key}\\{name}"), &value.data, data)?;
    equal(&format!("type of {key}\\{name}"), &value.flags, flags)
}
