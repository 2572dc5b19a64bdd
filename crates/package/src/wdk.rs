//! The WDK's programs, which stamp, catalog and sign on Windows.
//!
//! They are looked for in the folders of the installed WDK or of the EWDK, which wdk-build finds,
//! and then on the PATH. None of this has run on Windows yet; the tests compare the command lines
//! with the programs' documentation.

use std::process::Command;
use std::{env, fs, io, path::Path, process};

use time::OffsetDateTime;

use crate::cli::BuildArgs;
use crate::date;
use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::inf::Inf;
use crate::names::{CAT, CERTIFICATE, CTL, INF, Platform, SYS, VERSION};

/// A program and its arguments, to be run in the folder with the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    program: &'static str,
    arguments: Vec<String>,
}

fn call(program: &'static str, arguments: &[&str]) -> Call {
    Call {
        program,
        arguments: arguments.iter().map(ToString::to_string).collect(),
    }
}

/// Stamps the INF's version and verifies the INF.
pub fn stamp(date: &str, platform: Platform) -> [Call; 2] {
    let stamp = ["-f", INF, "-d", date, "-v", VERSION, "-a", platform.inf];
    [call("stampinf", &stamp), call("infverif", &["/v", INF])]
}

/// Makes a certificate with a key in the user's store, writes the certificate to a file, and prints
/// its thumbprint.
pub fn create_certificate(name: &str) -> Call {
    let name = name.replace('\'', "''").replace('"', "\"\"");
    let script = format!(
        "$c = New-SelfSignedCertificate -Type CodeSigningCert -Subject 'CN=\"{name}\"' \
         -KeyAlgorithm RSA -KeyLength 2048 -HashAlgorithm SHA256 \
         -NotAfter (Get-Date).AddYears(10) -CertStoreLocation Cert:\\CurrentUser\\My; \
         Export-Certificate -Cert $c -FilePath '{CERTIFICATE}' | Out-Null; $c.Thumbprint"
    );
    powershell(&script)
}

/// Removes that certificate and its key.
pub fn remove_certificate(thumbprint: &str) -> Call {
    let script = format!("Remove-Item 'Cert:\\CurrentUser\\My\\{thumbprint}' -DeleteKey");
    powershell(&script)
}

fn powershell(script: &str) -> Call {
    let script = format!("$ErrorActionPreference = 'Stop'; {script}");
    call(
        "powershell",
        &["-NoProfile", "-NonInteractive", "-Command", &script],
    )
}

/// Signs the driver and the tool, catalogs the driver, and signs the catalog.
pub fn sign_and_catalog(thumbprint: &str, platform: Platform) -> [Call; 4] {
    let sign = |name| {
        let arguments = [
            "sign", "/v", "/fd", "sha256", "/s", "My", "/sha1", thumbprint, name,
        ];
        call("signtool", &arguments)
    };
    let systems = format!("/os:{}", platform.inf2cat);
    [
        sign(SYS),
        sign(CTL),
        call("inf2cat", &["/driver:.", &systems, "/verbose"]),
        sign(CAT),
    ]
}

/// Runs the WDK's programs to make the driver, INF, catalog and certificate of the package.
pub fn sign(
    args: &BuildArgs,
    date: OffsetDateTime,
    platform: Platform,
    inf: &Inf,
    folder: &mut Folder,
) -> Result<(), Failure> {
    if args.keep_key.is_some() {
        return Err(Failure::KeyInStore);
    }
    // Without a kit that wdk-build finds, the PATH may still have the programs; where it has not, the
    // failure names the one that is missing.
    #[cfg(windows)]
    let _ = wdk_build::cargo_make::setup_path();
    let place = env::temp_dir().join(format!("mslso-package-{}", process::id()));
    fs::create_dir_all(&place).map_err(Failure::write(&place))?;
    let result = sign_in(&place, args, date, platform, inf, folder);
    let removed = fs::remove_dir_all(&place).map_err(Failure::write(&place));
    result.and(removed)
}

fn sign_in(
    place: &Path,
    args: &BuildArgs,
    date: OffsetDateTime,
    platform: Platform,
    inf: &Inf,
    folder: &mut Folder,
) -> Result<(), Failure> {
    for name in inf.files() {
        if let Some(bytes) = folder.get(&name) {
            folder::write(&place.join(&name), bytes)?;
        }
    }
    folder::write(&place.join(SYS), &folder::read(&args.sys)?)?;
    folder::write(&place.join(CTL), &folder::read(&args.ctl)?)?;
    folder::write(&place.join(INF), &inf.to_bytes())?;
    for call in stamp(&date::for_inf(date), platform) {
        run(&call, place)?;
    }
    let said = run(&create_certificate(&args.certificate), place)?;
    let thumbprint = said.trim();
    let signed = sign_and_catalog(thumbprint, platform)
        .iter()
        .try_for_each(|call| run(call, place).map(drop));
    let removed = run(&remove_certificate(thumbprint), place);
    signed.and(removed)?;
    for name in [SYS, CTL, INF, CAT, CERTIFICATE] {
        folder.copy(&place.join(name))?;
    }
    Ok(())
}

/// Runs a program in a folder, and returns its output.
fn run(call: &Call, place: &Path) -> Result<String, Failure> {
    let output = Command::new(call.program)
        .args(&call.arguments)
        .current_dir(place)
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::NoTool(call.program),
            _ => Failure::Tool(call.program, error.to_string()),
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = text + &String::from_utf8_lossy(&output.stderr);
    Err(Failure::Tool(call.program, said.trim().into()))
}

#[cfg(test)]
mod tests {
    use super::{Call, create_certificate, sign_and_catalog, stamp};
    use crate::names::{VERSION, X64};

    fn line(call: &Call) -> String {
        format!("{} {}", call.program, call.arguments.join(" "))
    }

    #[test]
    fn the_inf_is_stamped_then_verified() {
        let [stamp, verify] = stamp("01/31/2026", X64);
        let wanted = format!("stampinf -f mslso.inf -d 01/31/2026 -v {VERSION} -a amd64");
        assert_eq!(line(&stamp), wanted);
        assert_eq!(line(&verify), "infverif /v mslso.inf");
    }

    #[test]
    fn the_driver_is_signed_before_it_is_cataloged() {
        let calls = sign_and_catalog("AB12", X64);
        assert_eq!(
            calls.each_ref().map(line),
            [
                "signtool sign /v /fd sha256 /s My /sha1 AB12 mslso.sys",
                "signtool sign /v /fd sha256 /s My /sha1 AB12 mslsoctl.exe",
                "inf2cat /driver:. /os:10_X64,Server10_X64 /verbose",
                "signtool sign /v /fd sha256 /s My /sha1 AB12 mslso.cat",
            ]
        );
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let script = line(&create_certificate("it's \"x\""));
        assert!(
            script.contains("-Subject 'CN=\"it''s \"\"x\"\"\"'"),
            "{script}"
        );
    }
}
