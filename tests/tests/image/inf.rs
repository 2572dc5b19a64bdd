//! `mslso.inf` meets the requirements of Windows and of the driver, and a change that breaks a
//! requirement is detected.

use mslso_package::inf::{Inf, Line, SyntaxError};
use scenarios::inf_requirements::ALL;

const MSLSO: &str = include_str!("../../../inf/mslso.inf");

/// Names of the requirements that a file breaks.
fn broken(text: &str) -> Vec<&'static str> {
    let inf = Inf::parse(text).expect("an INF");
    let broken = ALL.iter().filter(|required| required.check(&inf).is_err());
    broken.map(|required| required.name).collect()
}

#[test]
fn every_requirement_holds() {
    let inf = Inf::parse(MSLSO).unwrap_or_else(|error| panic!("{error}"));
    for required in ALL {
        let outcome = required.check(&inf);
        assert_eq!(outcome, Ok(()), "{}", required.name);
    }
}

#[test]
fn line_ends_and_case_do_not_matter() {
    assert!(broken(&MSLSO.replace('\n', "\r\n")).is_empty());
    assert!(
        broken(
            &MSLSO
                .replace("AddReg ", "addreg ")
                .replace("[Settings]", "[SETTINGS]")
        )
        .is_empty()
    );
}

/// A text, its replacement, and the requirement that the replacement breaks.
const BREAKAGES: &[(&str, &str, &str)] = &[
    (
        "[Filter]",
        "[Filtre]",
        "sections that are named are there (1203)",
    ),
    (
        "AddReg         = Settings",
        "AddReg = Setings",
        "sections that are named are there (1203)",
    ),
    (
        "InStore.Files   = 13",
        "InStor.Files = 13",
        "sections that are named are there (1203)",
    ),
    (
        "[Mslso.NTarm64.10.0...25319]",
        "[Mslso.NTarm64.10.0...25320]",
        "sections that are named are there (1203)",
    ),
    (
        "[Strings]",
        "[Left.Over]\nkey = 1\n[Strings]",
        "sections that are there are named (2083)",
    ),
    (
        "ParamDesc,, %Multiple%",
        "ParamDesc,, %Multipel%",
        "strings that are named are defined (1235)",
    ),
    (
        "Help                 =",
        "Halp =",
        "strings that are named are defined (1235)",
    ),
    (
        "[Strings]",
        "[Strings]\nLeftOver = \"x\"",
        "strings that are defined are named",
    ),
    ("= NetService", "= Net", "the class is NetService"),
    ("{4D36E974", "{4D36E972", "the class has its GUID"),
    (
        "$Windows NT$",
        "$Windows$",
        "the signature is that of Windows NT",
    ),
    (
        "The mslso authors",
        "Microsoft",
        "the provider is not Microsoft (1204)",
    ),
    (
        "CatalogFile =",
        "; CatalogFile =",
        "a catalog is named (1233)",
    ),
    ("PnpLockdown = 1", "", "installed files are locked (1324)"),
    (
        "/2026,0.1.0.0",
        "/2026,0.0.9.0",
        "the version is the driver's",
    ),
    ("11/01/2026", "2026-11-01", "the version is the driver's"),
    ("11/01/2026", "13/01/2026", "the version is the driver's"),
    (
        ", NTarm64.10.0...19041, NTarm64.10.0...25319",
        "",
        "it is for amd64 and arm64, from the oldest build on",
    ),
    (
        "NTamd64.10.0...19041",
        "NTamd64.10.0...17763",
        "it is for amd64 and arm64, from the oldest build on",
    ),
    (
        "InStore, mslso_lwf",
        "InStore, mslso",
        "the component is mslso_lwf",
    ),
    ("0x40000", "0x40400", "it is a lightweight filter"),
    ("{8f3a1c52", "{8f3a1c53", "its identifier is the driver's"),
    (
        "Ndi, Service,, \"mslso\"",
        "Ndi, Service,, \"mslso2\"",
        "its service is the driver's",
    ),
    (
        "HKR, Ndi, CoServices",
        "; HKR, Ndi, CoServices",
        "its service is among its services",
    ),
    (
        "CoServices, 0x00010000",
        "CoServices,",
        "its service is among its services",
    ),
    ("\"custom\"", "\"compression\"", "its class is custom"),
    (
        "FilterType, 0x00010001, 2",
        "FilterType, 0x00010001, 1",
        "it modifies",
    ),
    (
        "FilterRunType, 0x00010001, 2",
        "FilterRunType, 0x00010001, 1",
        "it is optional",
    ),
    (
        "FilterRunType, 0x00010001, 2",
        "FilterRunType,, \"2\"",
        "it is optional",
    ),
    (
        "UnbindOnAttach, 0x00010001, 1",
        "UnbindOnAttach, 0x00010001, 0",
        "protocols unbind when it attaches",
    ),
    (
        "HKR, Ndi, UnbindOnDetach",
        "; HKR",
        "protocols unbind when it detaches",
    ),
    ("\"noupper\"", "\"ndis5\"", "nothing binds above"),
    ("\"nolower\"", "\"ethernet\"", "it binds to nothing below"),
    (
        "FilterMediaTypes,, \"ethernet\"",
        "FilterMediaTypes,, \"ethernet, wan\"",
        "its medium is Ethernet",
    ),
    (
        "HKR, Ndi, HelpText",
        "HKLM, Ndi, HelpText",
        "registry keys are relative (1304)",
    ),
    (
        "HKR, FilterAdapterParams\\Multiple, min",
        "HKLM, FilterAdapterParams\\Multiple, min",
        "registry keys are relative (1304)",
    ),
    (
        "AddService = mslso,",
        "AddService = mslso2,",
        "the service installed is the filter's",
    ),
    (
        "Large Send Offload Filter\"",
        "LSO\"",
        "the service has the driver's name",
    ),
    (
        "ServiceType    = 1",
        "ServiceType = 2",
        "the service is a kernel driver",
    ),
    (
        "StartType      = 1",
        "StartType = 3",
        "the service starts with the system",
    ),
    (
        "ErrorControl   = 1",
        "ErrorControl = 3",
        "the service's errors do not stop the system",
    ),
    ("LoadOrderGroup = NDIS", "", "the service loads with NDIS"),
    (
        "InStore.Files   = 13",
        "InStore.Files = 12",
        "the image goes to the store where it can (1100)",
    ),
    (
        "InDrivers.Files = 12",
        "InDrivers.Files = 13",
        "the image goes to the store where it can (1100)",
    ),
    (
        "InStore.Files   = 13",
        "InStore.Files = 13, amd64",
        "the image goes to the store where it can (1100)",
    ),
    (
        "[InStore.Files]\nmslso.sys",
        "[InStore.Files]\nmslso.sys, mslso64.sys",
        "the image goes to the store where it can (1100)",
    ),
    (
        "= InStore, mslso_lwf",
        "= InDrivers, mslso_lwf",
        "the image goes to the store where it can (1100)",
    ),
    (
        "%13%\\mslso.sys",
        "%12%\\mslso.sys",
        "the service runs the image that was copied",
    ),
    (
        "%12%\\mslso.sys",
        "%12%\\mslso2.sys",
        "the service runs the image that was copied",
    ),
    (
        "mslso.sys = 1",
        "mslso.sys = 2",
        "the image is in the package (1230)",
    ),
    ("1 = %Name%", "", "the image is in the package (1230)"),
    (
        "DelService = mslso, 0x204",
        "DelService = mslso",
        "the service is stopped and deleted at removal",
    ),
    (
        "AddService = mslso,, InStore.Service, InStore.EventLog",
        "AddService = mslso,, InStore.Service",
        "the event log has its texts from the image",
    ),
    (
        "HKR,, EventMessageFile, 0x00020000, \"%12%\\mslso.sys\"",
        "HKR,, EventMessageFile, 0x00020000, \"%13%\\mslso.sys\"",
        "the event log has its texts from the image",
    ),
    (
        "HKR,, TypesSupported, 0x00010001, 7",
        "HKR,, TypesSupported, 0x00010001, 0",
        "the event log has its texts from the image",
    ),
    (
        "FilterAdapterParams\\CapBytes",
        "FilterAdapterParams\\Cap",
        "the settings are the driver's",
    ),
    (
        "FilterAdapterParams\\Multiple",
        "FilterDriverParams\\Multiple",
        "the settings are the driver's",
    ),
    (
        "FilterAdapterParams\\Multiple",
        "Ndi\\params\\Multiple",
        "the settings are the driver's",
    ),
    (
        "ParamDesc,, %IpIdBits%",
        "ParamDesc,,",
        "settings are described",
    ),
    (
        "max,, \"16\"",
        "max,, \"32\"",
        "settings have the driver's ranges",
    ),
    (
        "max,, \"16777216\"",
        "max,, \"16777215\"",
        "settings have the driver's ranges",
    ),
    (
        "min,, \"15\"",
        "min,, \"0\"",
        "settings have the driver's ranges",
    ),
    (
        "CapBytes, type,, \"dword\"",
        "CapBytes, type,, \"edit\"",
        "settings have the driver's ranges",
    ),
    (
        "MaxSgElements, max,, \"64\"",
        "MaxSgElements, max,, \"65\"",
        "settings have the driver's ranges",
    ),
    (
        "MemoryBound, min,, \"4\"",
        "MemoryBound, min,, \"3\"",
        "settings have the driver's ranges",
    ),
    (
        "MemoryBound, default,, \"64\"",
        "MemoryBound, default,, \"65\"",
        "settings have the driver's defaults",
    ),
    (
        "Multiple, step,, \"1\"",
        "Multiple, step,, \"2\"",
        "settings have the driver's ranges",
    ),
    (
        "Profile, default,, \"0\"",
        "Profile, default,, \"3\"",
        "settings have the driver's defaults",
    ),
    (
        "IpIdBits, default,, \"16\"",
        "IpIdBits, default,, \"15\"",
        "settings have the driver's defaults",
    ),
    (
        "Profile, type,, \"enum\"",
        "Profile, type,, \"int\"",
        "the profiles are the driver's",
    ),
    (
        "Profile\\enum, \"3\"",
        "Profile\\enum, \"4\"",
        "the profiles are the driver's",
    ),
    (
        "\"1\",, %Latency%",
        "\"1\",, %Cpu%",
        "the profiles are the driver's",
    ),
    (
        "SoftwareSegmentation, default,, \"1\"",
        "SoftwareSegmentation, default,, \"2\"",
        "settings have the driver's defaults",
    ),
    (
        "HKR, FilterAdapterParams\\SoftwareSegmentation\\enum, \"2\"",
        "; HKR",
        "the choices of software segmentation are the driver's",
    ),
    (
        "\"0\",, %Never%",
        "\"0\",, %Always%",
        "the choices of software segmentation are the driver's",
    ),
];

#[test]
fn each_breakage_breaks_its_requirement() {
    for (from, to, name) in BREAKAGES {
        assert!(MSLSO.contains(from), "{from:?} is not in the file");
        let broken = broken(&MSLSO.replace(from, to));
        assert!(
            broken.contains(name),
            "{from:?} as {to:?} breaks {broken:?}, not {name:?}"
        );
    }
}

#[test]
fn each_requirement_has_a_breakage() {
    for required in ALL {
        let breaks = BREAKAGES.iter().any(|(_, _, name)| *name == required.name);
        assert!(breaks, "nothing breaks {:?}", required.name);
    }
}

#[test]
fn a_line_that_is_no_inf_is_named() {
    let error = |text| Inf::parse(text).err();
    let at = |line, what| Some(SyntaxError { line, what });
    assert_eq!(error("a = 1\n"), at(1, "a line before the first section"));
    assert_eq!(error("[a]\n[b\n"), at(2, "a header that is open"));
    assert_eq!(
        error("[a]\nb = \"c ; d\n"),
        at(2, "a quotation that is open")
    );
    assert_eq!(
        error("[a]\nb = c \\\n,d\n"),
        at(2, "a line that is continued")
    );
    assert_eq!(
        error("[a]\n; \u{e9}\n"),
        at(2, "a character that is not ASCII")
    );
}

#[test]
fn quotations_tokens_and_comments_are_read() {
    let inf = "[A]\n%k% = \"a, ; b\" , %13%\\c%%d ; e\n[B]\n\"\"\"x\"\"\",,y\n[a]\nz\n[strings]\nK = key\n";
    let inf = Inf::parse(inf).expect("an INF");
    let fields = inf.fields("a", "KEY").expect("one such line");
    assert_eq!(fields, ["a, ; b", "%13%\\c%d"]);
    let quotation = ["\"x\"", "", "y"].map(str::to_owned).to_vec();
    assert_eq!(
        inf.lines("b"),
        [Line {
            key: None,
            fields: quotation
        }]
    );
    assert_eq!(inf.lines("A").len(), 2, "sections of one name are one");
    assert!(inf.tokens().contains("k") && inf.tokens().len() == 1);
}
