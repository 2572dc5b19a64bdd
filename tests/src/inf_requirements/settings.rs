//! Settings of each adapter: those that the driver reads, with its ranges and defaults.

use std::collections::BTreeSet;

use children::MAX_SG_ELEMENTS;
use control::{Cap, Multiple, Profile, SoftwareSegmentation, Tuning, keyword};
use lso::IpIdWidth;

use super::{
    Outcome, SZ,
    target::{Added, added, each, equal, one_value},
};
use mslso_package::inf::Inf;

/// A setting with a range.
struct Range {
    keyword: &'static str,
    kind: &'static str,
    min: u32,
    max: u32,
}

/// The settings with a range. 0 is a multiple, a cap and a bound that are not set. How many bits of
/// the identification the NIC counts is a width.
const RANGES: [Range; 5] = [
    Range {
        keyword: keyword::MULTIPLE,
        kind: "int",
        min: 0,
        max: Multiple::MAX,
    },
    Range {
        keyword: keyword::CAP_BYTES,
        kind: "dword",
        min: 0,
        max: Cap::MAX,
    },
    Range {
        keyword: keyword::IP_ID_BITS,
        kind: "int",
        min: 15,
        max: 16,
    },
    Range {
        keyword: keyword::MAX_SG_ELEMENTS,
        kind: "int",
        min: 0,
        max: MAX_SG_ELEMENTS,
    },
    Range {
        keyword: keyword::MEMORY_BOUND,
        kind: "int",
        min: 4,
        max: 4096,
    },
];

/// Every setting with its default.
fn defaults() -> [(&'static str, u32); 7] {
    let tuning = Tuning::default().parameters();
    let bits = match IpIdWidth::default() {
        IpIdWidth::Bits15 => 15,
        IpIdWidth::Bits16 => 16,
    };
    [
        (keyword::MULTIPLE, tuning.multiple),
        (keyword::PROFILE, tuning.profile),
        (keyword::CAP_BYTES, tuning.cap_bytes),
        (keyword::IP_ID_BITS, bits),
        (
            keyword::SOFTWARE_SEGMENTATION,
            SoftwareSegmentation::default().number(),
        ),
        (keyword::MAX_SG_ELEMENTS, 0),
        (keyword::MEMORY_BOUND, 64),
    ]
}

fn setting(keyword: &str) -> String {
    format!("FilterAdapterParams\\{keyword}")
}

/// The key of the choices of an enum.
fn choices(keyword: &str) -> String {
    format!("{}\\enum", setting(keyword))
}

/// Checks the entries that each target adds below the service's key with `check`.
fn settings(inf: &Inf, check: impl Fn(&[Added]) -> Outcome) -> Outcome {
    each(inf, |at| check(&added(inf, &at.service(inf))))
}

pub(super) fn are_the_drivers(inf: &Inf) -> Outcome {
    let mut expected: BTreeSet<String> = defaults().map(|(keyword, _)| setting(keyword)).into();
    expected.extend([keyword::PROFILE, keyword::SOFTWARE_SEGMENTATION].map(choices));
    settings(inf, |added| {
        let found: BTreeSet<String> = added.iter().map(|value| value.key.clone()).collect();
        equal("the keys", &format!("{found:?}"), &format!("{expected:?}"))
    })
}

pub(super) fn are_described(inf: &Inf) -> Outcome {
    settings(inf, |added| {
        defaults().iter().try_for_each(|(keyword, _)| {
            let is_it = |value: &&Added| value.key == setting(keyword) && value.name == "ParamDesc";
            let described = added
                .iter()
                .find(is_it)
                .is_some_and(|value| !value.data.is_empty());
            described
                .then_some(())
                .ok_or_else(|| format!("{keyword} has no ParamDesc"))
        })
    })
}

pub(super) fn have_ranges(inf: &Inf) -> Outcome {
    settings(inf, |added| {
        for Range {
            keyword,
            kind,
            min,
            max,
        } in RANGES
        {
            let key = setting(keyword);
            one_value(added, &key, "type", SZ, kind)?;
            one_value(added, &key, "min", SZ, &min.to_string())?;
            one_value(added, &key, "max", SZ, &max.to_string())?;
            one_value(added, &key, "step", SZ, "1")?;
        }
        Ok(())
    })
}

pub(super) fn have_defaults(inf: &Inf) -> Outcome {
    settings(inf, |added| {
        defaults().iter().try_for_each(|(keyword, default)| {
            one_value(
                added,
                &setting(keyword),
                "default",
                SZ,
                &default.to_string(),
            )
        })
    })
}

pub(super) fn profiles_are_the_drivers(inf: &Inf) -> Outcome {
    let profiles = Profile::ALL.map(|profile| (profile.number(), profile.name()));
    choices_are(inf, keyword::PROFILE, &profiles)
}

pub(super) fn software_segmentation_is_the_drivers(inf: &Inf) -> Outcome {
    let all = SoftwareSegmentation::ALL.map(|choice| (choice.number(), choice.name()));
    choices_are(inf, keyword::SOFTWARE_SEGMENTATION, &all)
}

/// The setting `keyword` is an enum of these numbers, by these names, and of no others.
fn choices_are(inf: &Inf, keyword: &str, all: &[(u32, &'static str)]) -> Outcome {
    let enumerated = choices(keyword);
    settings(inf, |added| {
        one_value(added, &setting(keyword), "type", SZ, "enum")?;
        let count = added
            .iter()
            .filter(|value| value.key.eq_ignore_ascii_case(&enumerated))
            .count();
        equal(
            "the number of choices",
            &count.to_string(),
            &all.len().to_string(),
        )?;
        all.iter().try_for_each(|(number, name)| {
            one_value(added, &enumerated, &number.to_string(), SZ, name)
        })
    })
}
