//! The seeds of `inf`: the driver's own, and odd features of INF files.

use scenarios::{
    fuzz::inf::{Read, run},
    inf_requirements,
};

use super::Seeds;

const TARGET: &str = "inf";

fn seeds() -> Seeds {
    let seeds = [
        ("mslso", include_str!("../../../../inf/mslso.inf")),
        (
            "quotes",
            "[Version]\nSignature=\"$Windows NT$\"\nA = \"a \"\"b\"\"; c\", ,\"=,\" ; d\n\n\"k=\" = v\n",
        ),
        (
            "tokens",
            "[version]\r\nDriverVer=%a%%%b%,%13%\r\n[ Strings ]\r\na = %b%\r\nb = \"x%\"\r\n[VERSION]\n,\n",
        ),
        (
            "models",
            "[Version]\nCatalogFile = a.cat\n[Manufacturer]\n%M% = M, NTamd64, NT$ARCH$.10\n\
             [M.NTamd64]\n\"D\" = I, a\\b, C\n[SourceDisksFiles.x]\nA.SYS = 1,,\n",
        ),
        ("open", "[Version\nA = \"b\n"),
        ("continued", "[Version]\nA = b, \\\n c\n"),
    ];
    seeds
        .into_iter()
        .map(|(name, text)| (name.into(), text.into()))
        .collect()
}

#[test]
fn the_files_match_the_code_that_makes_them() {
    super::assert_are_files(TARGET, &seeds());
}

#[test]
fn each_seed_is_read_as_intended() {
    for (name, bytes) in seeds() {
        let Read {
            sections,
            met,
            packaged,
        } = run(&bytes);
        match name.as_str() {
            "mslso" => {
                assert_eq!(met, inf_requirements::ALL.len());
                assert!(sections > Some(10) && packaged);
            }
            "quotes" => assert_eq!((sections, packaged), (Some(1), true)),
            "tokens" => assert_eq!((sections, packaged), (Some(2), true)),
            "models" => assert_eq!((sections, packaged), (Some(4), true)),
            _ => assert_eq!(sections, None, "{name}"),
        }
    }
}

#[test]
fn no_seed_and_no_input_that_was_found_is_misread() {
    super::replay(TARGET, |bytes| {
        let _ = run(bytes);
    });
}
