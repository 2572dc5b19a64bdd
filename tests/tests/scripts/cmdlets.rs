//! The cmdlets that the scripts may use, with their parameters.

use std::collections::BTreeMap;
use std::sync::LazyLock;

static KNOWN: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("../../data/cmdlets.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.collect()))
        })
        .collect()
});

/// Parameters that every cmdlet has.
const COMMON: [&str; 5] = [
    "Debug",
    "ErrorAction",
    "ErrorVariable",
    "Verbose",
    "WarningAction",
];

pub fn is_known(name: &str) -> bool {
    KNOWN.contains_key(name)
}

/// Whether a cmdlet has this parameter, common ones not counted.
pub fn has(name: &str, parameter: &str) -> bool {
    KNOWN.get(name).is_some_and(|all| all.contains(&parameter))
}

pub fn takes(name: &str, parameter: &str) -> bool {
    COMMON.contains(&parameter) || has(name, parameter)
}

/// Whether a cmdlet is of a module made from CDXML; those have these three. Such a module does not
/// see the $ErrorActionPreference of the script that calls it.
pub fn is_cdxml(name: &str) -> bool {
    ["AsJob", "CimSession", "ThrottleLimit"]
        .iter()
        .all(|parameter| has(name, parameter))
}
