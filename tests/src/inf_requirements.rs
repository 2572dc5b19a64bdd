//! The requirements of Windows and of the driver on `mslso.inf`.
//!
//! Windows' part is on these pages of its driver documentation: "Installation Requirements for
//! Network Filter Drivers", "Configuring an INF File for a Modifying Filter Driver", "Specifying
//! Filter Driver Binding Relationships", "Manufacturer Section in a Network INF File", "Run From
//! Driver Store" and "INF Validation Errors and Warnings". Numbers in brackets are InfVerif's.

use mslso_package::inf::Inf;

mod files;
mod settings;
mod structure;
mod target;

use Check::{Install, Ndi, Other, Service, Version};
use target::{added, each, equal, one_value};

/// Source of the names that the driver registers with NDIS.
const DRIVER: &str = include_str!("../../crates/filter/src/characteristics.rs");
const SERVICE: &str = "mslso";
const IMAGE: &str = "mslso.sys";

/// Flags of an AddReg line: a string, a list of strings, a number.
const SZ: &str = "";
const MULTI_SZ: &str = "0x00010000";
const DWORD: &str = "0x00010001";

type Outcome = Result<(), String>;

/// A requirement.
pub struct Requirement {
    /// The requirement.
    pub name: &'static str,
    check: Check,
}

enum Check {
    /// An entry of `[Version]` and its value.
    Version(&'static str, &'static str),
    /// An entry of each install section.
    Install(&'static str, &'static str),
    /// An entry of each section that installs the service.
    Service(&'static str, &'static str),
    /// A value below the key Ndi, or Ndi\\Interfaces: its path, flags and data.
    Ndi(&'static str, &'static str, &'static str),
    Other(fn(&Inf) -> Outcome),
}

impl Requirement {
    /// Checks `inf` against it. A value like `UNIQUE_NAME` is the driver's of that name.
    ///
    /// # Errors
    /// The difference from the requirement.
    pub fn check(&self, inf: &Inf) -> Outcome {
        match self.check {
            Version(key, value) => equal(key, &inf.value("Version", key), value),
            Install(key, value) => each(inf, |at| {
                equal(key, &inf.value(&at.install, key), driver_text(value))
            }),
            Service(key, value) => each(inf, |at| {
                equal(key, &inf.value(&at.service(inf), key), driver_text(value))
            }),
            Ndi(path, flags, data) => {
                let (key, name) = path.rsplit_once('\\').expect("a key and a name");
                each(inf, |at| {
                    let added = added(inf, &at.install);
                    one_value(&added, key, name, flags, driver_text(data))
                })
            }
            Other(check) => check(inf),
        }
    }
}

const fn require(name: &'static str, check: Check) -> Requirement {
    Requirement { name, check }
}

/// Every requirement.
pub static ALL: &[Requirement] = &[
    require(
        "sections that are named are there (1203)",
        Other(structure::sections_are_there),
    ),
    require(
        "sections that are there are named (2083)",
        Other(structure::sections_are_named),
    ),
    require(
        "strings that are named are defined (1235)",
        Other(structure::strings_are_defined),
    ),
    require(
        "strings that are defined are named",
        Other(structure::strings_are_named),
    ),
    require(
        "registry keys are relative (1304)",
        Other(structure::keys_are_relative),
    ),
    require(
        "the signature is that of Windows NT",
        Version("Signature", "$Windows NT$"),
    ),
    require("the class is NetService", Version("Class", "NetService")),
    require(
        "the class has its GUID",
        Version("ClassGuid", "{4D36E974-E325-11CE-BFC1-08002BE10318}"),
    ),
    require(
        "a catalog is named (1233)",
        Version("CatalogFile", "mslso.cat"),
    ),
    require(
        "installed files are locked (1324)",
        Version("PnpLockdown", "1"),
    ),
    require(
        "the provider is not Microsoft (1204)",
        Other(files::provider_is_not_microsoft),
    ),
    require(
        "the version is the driver's",
        Other(files::version_is_the_drivers),
    ),
    require(
        "it is for amd64 and arm64, from the oldest build on",
        Other(target::all_are_there),
    ),
    require(
        "the component is mslso_lwf",
        Other(target::component_has_its_name),
    ),
    require(
        "it is a lightweight filter",
        Install("Characteristics", "0x40000"),
    ),
    require(
        "its identifier is the driver's",
        Install("NetCfgInstanceId", "UNIQUE_NAME"),
    ),
    require(
        "its service is the driver's",
        Ndi("Ndi\\Service", SZ, "SERVICE_NAME"),
    ),
    require(
        "its service is among its services",
        Ndi("Ndi\\CoServices", MULTI_SZ, "SERVICE_NAME"),
    ),
    require("its class is custom", Ndi("Ndi\\FilterClass", SZ, "custom")),
    require("it modifies", Ndi("Ndi\\FilterType", DWORD, "2")),
    require("it is optional", Ndi("Ndi\\FilterRunType", DWORD, "2")),
    require(
        "protocols unbind when it attaches",
        Ndi("Ndi\\UnbindOnAttach", DWORD, "1"),
    ),
    require(
        "protocols unbind when it detaches",
        Ndi("Ndi\\UnbindOnDetach", DWORD, "1"),
    ),
    require(
        "nothing binds above",
        Ndi("Ndi\\Interfaces\\UpperRange", SZ, "noupper"),
    ),
    require(
        "it binds to nothing below",
        Ndi("Ndi\\Interfaces\\LowerRange", SZ, "nolower"),
    ),
    require(
        "its medium is Ethernet",
        Ndi("Ndi\\Interfaces\\FilterMediaTypes", SZ, "ethernet"),
    ),
    require(
        "the service installed is the filter's",
        Other(files::service_is_the_filters),
    ),
    require(
        "the service has the driver's name",
        Service("DisplayName", "FRIENDLY_NAME"),
    ),
    require(
        "the service is a kernel driver",
        Service("ServiceType", "1"),
    ),
    require(
        "the service starts with the system",
        Service("StartType", "1"),
    ),
    require(
        "the service's errors do not stop the system",
        Service("ErrorControl", "1"),
    ),
    require(
        "the service loads with NDIS",
        Service("LoadOrderGroup", "NDIS"),
    ),
    require(
        "the image goes to the store where it can (1100)",
        Other(files::image_goes_where_it_should),
    ),
    require(
        "the service runs the image that was copied",
        Other(files::service_runs_the_image),
    ),
    require(
        "the image is in the package (1230)",
        Other(files::image_is_in_the_package),
    ),
    require(
        "the event log has its texts from the image",
        Other(files::messages_are_the_images),
    ),
    require(
        "the service is stopped and deleted at removal",
        Other(files::service_is_removed),
    ),
    require(
        "the settings are the driver's",
        Other(settings::are_the_drivers),
    ),
    require("settings are described", Other(settings::are_described)),
    require(
        "settings have the driver's ranges",
        Other(settings::have_ranges),
    ),
    require(
        "settings have the driver's defaults",
        Other(settings::have_defaults),
    ),
    require(
        "the profiles are the driver's",
        Other(settings::profiles_are_the_drivers),
    ),
    require(
        "the choices of software segmentation are the driver's",
        Other(settings::software_segmentation_is_the_drivers),
    ),
];

/// A text that the driver registers with NDIS, for its name: the string in `static NAME: … =
/// utf16("…");`. Any other text is itself.
fn driver_text(text: &'static str) -> &'static str {
    let rest = DRIVER.split_once(&format!("static {text}:"));
    rest.map_or(text, |(_, rest)| {
        rest.split('"').nth(1).expect("a quoted text")
    })
}
