//! What Windows and the driver require of `mslso.inf`.
//!
//! Windows' part is on these pages of its driver documentation: "Installation Requirements for
//! Network Filter Drivers", "Configuring an INF File for a Modifying Filter Driver", "Specifying
//! Filter Driver Binding Relationships", "Manufacturer Section in a Network INF File", "Run From
//! Driver Store" and "INF Validation Errors and Warnings". Numbers in brackets are InfVerif's.

use std::collections::BTreeSet;

use control::{Cap, Multiple, Profile, Tuning, keyword};
use lso::IpIdWidth;

use crate::inf::Inf;

/// Source of what the driver tells NDIS about itself.
const DRIVER: &str = include_str!("../../crates/filter/src/driver.rs");
const SERVICE: &str = "mslso";
const IMAGE: &str = "mslso.sys";
const HARDWARE_ID: &str = "ms_mslso";
/// The first build with the oldest NDIS that the driver takes, 6.83.
const OLDEST_BUILD: u32 = 19041;
/// The first build at which a network component runs from the driver store.
const FIRST_STORE_BUILD: u32 = 25319;

/// Flags of an AddReg line: a string, a list of strings, a number.
const SZ: &str = "";
const MULTI_SZ: &str = "0x00010000";
const DWORD: &str = "0x00010001";

type Outcome = Result<(), String>;

/// A requirement.
pub struct Requirement {
    /// What is required.
    pub name: &'static str,
    check: fn(&Inf) -> Outcome,
}

impl Requirement {
    /// Holds `inf` against it.
    ///
    /// # Errors
    /// What is otherwise.
    pub fn check(&self, inf: &Inf) -> Outcome {
        (self.check)(inf)
    }
}

macro_rules! requirements {
    ($($name:literal => $check:expr,)*) => {
        &[$(Requirement { name: $name, check: $check }),*]
    };
}

/// Every requirement.
pub static ALL: &[Requirement] = requirements! {
    "sections that are named are there (1203)" => sections_are_there,
    "sections that are there are named (2083)" => sections_are_named,
    "strings that are named are defined (1235)" => strings_are_defined,
    "strings that are defined are named" => strings_are_named,
    "the class is NetService" => class_is_net_service,
    "the signature is that of Windows NT" => |inf| version(inf, "Signature", "$Windows NT$"),
    "the provider is not Microsoft (1204)" => provider_is_not_microsoft,
    "a catalogue is named (1233)" => |inf| version(inf, "CatalogFile", "mslso.cat"),
    "installed files are locked (1324)" => |inf| version(inf, "PnpLockdown", "1"),
    "the version is the driver's" => version_is_the_drivers,
    "amd64 and arm64, from the driver's oldest build on" => targets_are_complete,
    "the component is ms_mslso" => |inf| each(inf, |at| equal("hardware id", &at.hardware_id, HARDWARE_ID)),
    "it is a lightweight filter" => |inf| install_value(inf, "Characteristics", "0x40000"),
    "its identifier is the driver's UNIQUE_NAME" => |inf| install_value(inf, "NetCfgInstanceId", driver_text("UNIQUE_NAME")),
    "its service is the driver's SERVICE_NAME" => |inf| ndi(inf, "Ndi", "Service", SZ, driver_text("SERVICE_NAME")),
    "its service is among its services" => |inf| ndi(inf, "Ndi", "CoServices", MULTI_SZ, driver_text("SERVICE_NAME")),
    "its class is custom" => |inf| ndi(inf, "Ndi", "FilterClass", SZ, "custom"),
    "it modifies" => |inf| ndi(inf, "Ndi", "FilterType", DWORD, "2"),
    "it is optional" => |inf| ndi(inf, "Ndi", "FilterRunType", DWORD, "2"),
    "protocols unbind when it attaches" => |inf| ndi(inf, "Ndi", "UnbindOnAttach", DWORD, "1"),
    "protocols unbind when it detaches" => |inf| ndi(inf, "Ndi", "UnbindOnDetach", DWORD, "1"),
    "nothing binds above" => |inf| ndi(inf, "Ndi\\Interfaces", "UpperRange", SZ, "noupper"),
    "it binds to nothing below" => |inf| ndi(inf, "Ndi\\Interfaces", "LowerRange", SZ, "nolower"),
    "its medium is Ethernet" => |inf| ndi(inf, "Ndi\\Interfaces", "FilterMediaTypes", SZ, "ethernet"),
    "registry keys are relative (1304)" => keys_are_relative,
    "the service installed is the filter's" => service_is_the_filters,
    "the service has the driver's FRIENDLY_NAME" => |inf| service_value(inf, "DisplayName", driver_text("FRIENDLY_NAME")),
    "the service is a kernel driver" => |inf| service_value(inf, "ServiceType", "1"),
    "the service starts with the system" => |inf| service_value(inf, "StartType", "1"),
    "the service's errors do not stop the system" => |inf| service_value(inf, "ErrorControl", "1"),
    "the service loads with NDIS" => |inf| service_value(inf, "LoadOrderGroup", "NDIS"),
    "the image goes to the store where it can, else to drivers (1100)" => image_goes_where_it_should,
    "the service runs the image that was copied" => service_runs_the_image,
    "the image is in the package (1230)" => image_is_in_the_package,
    "the service is stopped and deleted at removal" => service_is_removed,
    "the settings are the driver's" => settings_are_the_drivers,
    "settings are described" => settings_are_described,
    "settings have the driver's ranges" => settings_have_ranges,
    "settings have the driver's defaults" => settings_have_defaults,
    "the profiles are the driver's" => profiles_are_the_drivers,
};

/// An operating system to install on.
struct Target {
    /// Decorated name of its Models section.
    models: String,
    /// Section that installs.
    install: String,
    hardware_id: String,
    /// The first build that is meant.
    build: u32,
}

impl Target {
    fn section(&self, extension: &str) -> String {
        format!("{}{extension}", self.install)
    }

    /// The section that installs the service.
    fn service(&self, inf: &Inf) -> String {
        let add = inf.fields(&self.section(".Services"), "AddService");
        add.and_then(|fields| fields.get(2).cloned())
            .unwrap_or_default()
    }

    /// 13 where the image runs from the driver store, 12 where from System32\drivers.
    fn directory(&self) -> &'static str {
        if self.build < FIRST_STORE_BUILD {
            "12"
        } else {
            "13"
        }
    }
}

fn targets(inf: &Inf) -> Vec<Target> {
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

/// Holds every target against `check`.
fn each(inf: &Inf, check: impl Fn(&Target) -> Outcome) -> Outcome {
    let targets = targets(inf);
    if targets.is_empty() {
        return Err("it installs on nothing".into());
    }
    targets
        .iter()
        .try_for_each(|target| check(target).map_err(|why| format!("[{}]: {why}", target.install)))
}

fn equal(what: &str, found: &str, expected: &str) -> Outcome {
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, not {expected:?}"))
}

/// A text that the driver tells NDIS: the string in `static NAME: … = utf16("…");`.
fn driver_text(name: &str) -> &'static str {
    let (_, rest) = DRIVER
        .split_once(&format!("static {name}:"))
        .expect("the driver's text");
    rest.split('"').nth(1).expect("a quoted text")
}

/// Every section that others name, with those whose names Windows knows.
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
        for (section, directive) in [
            (&target.install, "AddReg"),
            (&target.install, "CopyFiles"),
            (&service, "AddReg"),
        ] {
            named.extend(inf.fields(section, directive).unwrap_or_default());
        }
        named.extend([target.models, service]);
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

fn sections_are_there(inf: &Inf) -> Outcome {
    let named = named_sections(inf).into_iter();
    none(
        "no section",
        named.filter(|name| inf.section(name).is_none()),
    )
}

fn sections_are_named(inf: &Inf) -> Outcome {
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

fn strings_are_defined(inf: &Inf) -> Outcome {
    none("no string", inf.tokens().difference(&strings(inf)).cloned())
}

fn strings_are_named(inf: &Inf) -> Outcome {
    none(
        "nothing names string",
        strings(inf).difference(&inf.tokens()).cloned(),
    )
}

fn version(inf: &Inf, key: &str, expected: &str) -> Outcome {
    equal(key, &inf.value("Version", key), expected)
}

fn class_is_net_service(inf: &Inf) -> Outcome {
    version(inf, "Class", "NetService")?;
    version(inf, "ClassGuid", "{4D36E974-E325-11CE-BFC1-08002BE10318}")
}

fn provider_is_not_microsoft(inf: &Inf) -> Outcome {
    let provider = inf.value("Version", "Provider").to_ascii_lowercase();
    if provider.is_empty() || provider.contains("microsoft") {
        return Err(format!("the provider is {provider:?}"));
    }
    Ok(())
}

/// "INF DriverVer Directive": mm/dd/yyyy and four numbers.
fn version_is_the_drivers(inf: &Inf) -> Outcome {
    let fields = inf.fields("Version", "DriverVer").unwrap_or_default();
    let [date, version] = fields.as_slice() else {
        return Err(format!("DriverVer is {fields:?}"));
    };
    equal(
        "the version",
        version,
        concat!(env!("CARGO_PKG_VERSION"), ".0"),
    )?;
    let numbers: Vec<Option<u32>> = date.split('/').map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [Some(1..=12), Some(1..=31), Some(2026..)] if date.len() == 10 => Ok(()),
        _ => Err(format!("the date is {date:?}, not mm/dd/yyyy")),
    }
}

fn targets_are_complete(inf: &Inf) -> Outcome {
    // Where this breaks, OLDEST_BUILD has to go with it.
    assert_eq!(filter::OLDEST_NDIS, 6 << 16 | 83);
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

fn install_value(inf: &Inf, key: &str, expected: &str) -> Outcome {
    each(inf, |at| equal(key, &inf.value(&at.install, key), expected))
}

fn service_value(inf: &Inf, key: &str, expected: &str) -> Outcome {
    each(inf, |at| {
        equal(key, &inf.value(&at.service(inf), key), expected)
    })
}

/// A registry value that a section adds.
struct Added {
    root: String,
    key: String,
    name: String,
    flags: String,
    data: String,
}

/// What the sections that `section` names with AddReg add.
fn added(inf: &Inf, section: &str) -> Vec<Added> {
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

fn one_value(added: &[Added], key: &str, name: &str, flags: &str, data: &str) -> Outcome {
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

fn ndi(inf: &Inf, key: &str, name: &str, flags: &str, data: &str) -> Outcome {
    each(inf, |at| {
        one_value(&added(inf, &at.install), key, name, flags, data)
    })
}

fn keys_are_relative(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let all = [added(inf, &at.install), added(inf, &at.service(inf))];
        all.iter()
            .flatten()
            .try_for_each(|value| equal("root", &value.root, "HKR"))
    })
}

fn service_is_the_filters(inf: &Inf) -> Outcome {
    each(inf, |at| {
        equal(
            "the service",
            &inf.value(&at.section(".Services"), "AddService"),
            SERVICE,
        )
    })
}

/// Files copied must keep their name and subfolder where they run from the store.
fn image_goes_where_it_should(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let files = inf.value(&at.install, "CopyFiles");
        equal(
            "files copied",
            &format!(
                "{:?}",
                inf.lines(&files)
                    .iter()
                    .map(|line| &line.fields)
                    .collect::<Vec<_>>()
            ),
            &format!("[[{IMAGE:?}]]"),
        )?;
        let to = inf.fields("DestinationDirs", &files).unwrap_or_default();
        equal("their directory", &to.join(","), at.directory())
    })
}

fn service_runs_the_image(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let binary = format!("%{}%\\{IMAGE}", at.directory());
        equal(
            "the binary",
            &inf.value(&at.service(inf), "ServiceBinary"),
            &binary,
        )
    })
}

fn image_is_in_the_package(inf: &Inf) -> Outcome {
    let source = inf.fields("SourceDisksFiles", IMAGE).unwrap_or_default();
    equal("its disk", &source.join(","), "1")?;
    if inf.value("SourceDisksNames", "1").is_empty() {
        return Err("disk 1 has no name".into());
    }
    Ok(())
}

fn service_is_removed(inf: &Inf) -> Outcome {
    each(inf, |at| {
        let delete = inf.fields(&at.section(".Remove.Services"), "DelService");
        // SPSVCINST_STOPSERVICE.
        equal(
            "DelService",
            &delete.unwrap_or_default().join(","),
            &format!("{SERVICE},0x200"),
        )
    })
}

/// A setting with a range.
struct Range {
    keyword: &'static str,
    kind: &'static str,
    min: u32,
    max: u32,
}

/// The settings with a range. 0 is a multiple and a cap that are not set. How many bits of the
/// identification the NIC counts is a width.
const RANGES: [Range; 3] = [
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
];

/// Every setting with its default.
fn defaults() -> [(&'static str, u32); 4] {
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
    ]
}

fn setting(keyword: &str) -> String {
    format!("FilterAdapterParams\\{keyword}")
}

/// Holds what each target adds below the service's key against `check`.
fn settings(inf: &Inf, check: impl Fn(&[Added]) -> Outcome) -> Outcome {
    each(inf, |at| check(&added(inf, &at.service(inf))))
}

fn settings_are_the_drivers(inf: &Inf) -> Outcome {
    let profiles = format!("{}\\enum", setting(keyword::PROFILE));
    let mut expected: BTreeSet<String> = defaults().map(|(keyword, _)| setting(keyword)).into();
    expected.insert(profiles);
    settings(inf, |added| {
        let found: BTreeSet<String> = added.iter().map(|value| value.key.clone()).collect();
        equal("the keys", &format!("{found:?}"), &format!("{expected:?}"))
    })
}

fn settings_are_described(inf: &Inf) -> Outcome {
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

fn settings_have_ranges(inf: &Inf) -> Outcome {
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

fn settings_have_defaults(inf: &Inf) -> Outcome {
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

fn profiles_are_the_drivers(inf: &Inf) -> Outcome {
    let key = setting(keyword::PROFILE);
    let choices = format!("{key}\\enum");
    settings(inf, |added| {
        one_value(added, &key, "type", SZ, "enum")?;
        let count = added
            .iter()
            .filter(|value| value.key.eq_ignore_ascii_case(&choices))
            .count();
        equal(
            "the number of profiles",
            &count.to_string(),
            &Profile::ALL.len().to_string(),
        )?;
        Profile::ALL.iter().try_for_each(|profile| {
            one_value(
                added,
                &choices,
                &profile.number().to_string(),
                SZ,
                profile.name(),
            )
        })
    })
}
