//! The PowerShell scripts, as syntax trees.
//!
//! What this proves: that they parse by a grammar of PowerShell which is not PowerShell's own, and
//! that the checks below find none of the mistakes that they look for; each is shown to find one.
//! What it does not prove: that a script does what it says. None has run on Windows, and no
//! PowerShell has read them.

mod checks;
mod cmdlets;
mod confirmation;
mod syntax;

use std::fs;

use clap::Parser;
use mslsoctl::cli::Cli;
use sha1::{Digest, Sha1};
use syntax::Script;

/// Every script and module, with the folder it is in.
const FILES: [(&str, &str); 8] = [
    ("inf", "Install-Mslso.ps1"),
    ("inf", "Mslso.Common.psm1"),
    ("inf", "Set-TestSigning.ps1"),
    ("inf", "Uninstall-Mslso.ps1"),
    ("tests/vm-lab", "Invoke-Verification.ps1"),
    ("tests/vm-lab", "New-VmLab.ps1"),
    ("tests/vm-lab", "Remove-VmLab.ps1"),
    ("tests/vm-lab", "Set-Verifier.ps1"),
];

fn read(folder: &str, name: &str) -> String {
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All scripts.
fn scripts() -> Vec<Script> {
    let parse = |&(folder, name)| Script::parse(name, read(folder, name));
    FILES.iter().map(parse).collect()
}

#[test]
fn every_check_holds() {
    let scripts = scripts();
    let found = checks::ALL.iter().flat_map(|check| (check.run)(&scripts));
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_script_is_checked() {
    let mut found = Vec::new();
    for folder in ["inf", "tests/vm-lab"] {
        let path = format!("{}/../{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(path).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy().into_owned();
            if name.ends_with(".ps1") || name.ends_with(".psm1") {
                found.push((folder, name));
            }
        }
    }
    found.sort();
    let listed = FILES.map(|(folder, name)| (folder, name.to_owned()));
    assert_eq!(found, listed);
}

const INSTALL: &str = "Install-Mslso.ps1";
const UNINSTALL: &str = "Uninstall-Mslso.ps1";
const SIGNING: &str = "Set-TestSigning.ps1";
const VERIFIER: &str = "Set-Verifier.ps1";
const VERIFY: &str = "Invoke-Verification.ps1";
const LAB: &str = "New-VmLab.ps1";
const NO_LAB: &str = "Remove-VmLab.ps1";
const MODULE: &str = "Mslso.Common.psm1";

/// In which file what is put in place of what, and the check that complains.
const BREAKAGES: &[(&str, &str, &str, &str)] = &[
    (
        INSTALL,
        "Assert-MslsoTrust $PackageFolder\n",
        "if ($driver {\n",
        "it parses",
    ),
    (
        VERIFY,
        "$verdict = 'pass'",
        "$verdict = $failed ? 'fail' : 'pass'",
        "it parses",
    ),
    (
        UNINSTALL,
        "'Nothing of mslso is left.'",
        "'Nothing \u{2013} all is gone.'",
        "it is ASCII, which no version misreads",
    ),
    (
        LAB,
        "Assert-HyperV\n",
        "Assert-HyperV && Get-Date\n",
        "it is for Windows PowerShell 5.1",
    ),
    (
        VERIFY,
        "Join-Path $ReportFolder 'mslso.etl'",
        "Join-Path $ReportFolder 'traces' 'mslso.etl'",
        "it is for Windows PowerShell 5.1",
    ),
    (
        MODULE,
        "$ErrorActionPreference = 'Stop'\n",
        "",
        "it is strict and stops at errors",
    ),
    (
        NO_LAB,
        "SupportsShouldProcess, ",
        "",
        "it takes -WhatIf and -Confirm",
    ),
    (
        SIGNING,
        ".PARAMETER Off",
        ".PARAMETER On",
        "its help has every parameter, and no other",
    ),
    (
        LAB,
        ".PARAMETER DiskGB\n",
        "",
        "its help has every parameter, and no other",
    ),
    (
        VERIFIER,
        ".SYNOPSIS",
        ".ROLE",
        "its help has every parameter, and no other",
    ),
    (
        UNINSTALL,
        "if ($PSCmdlet.ShouldProcess($inf,",
        "if ($PSCmdlet.ShouldContinue($inf,",
        "what changes the system is confirmed",
    ),
    (
        INSTALL,
        "seconds)')) {\n    return\n",
        "seconds)')) {\n    Write-Output 'no'\n",
        "what changes the system is confirmed",
    ),
    (
        VERIFIER,
        "elseif ($PSCmdlet.ShouldProcess('Driver Verifier', 'Turn off'))",
        "elseif (-not $PSCmdlet.ShouldProcess('Driver Verifier', 'Turn off'))",
        "what changes the system is confirmed",
    ),
    (
        LAB,
        "if ($PSCmdlet.ShouldProcess($Folder, 'Make the folder of the lab')) { New-LabFolder }",
        "New-LabFolder",
        "what changes the system is confirmed",
    ),
    (
        VERIFY,
        "if (-not $PSCmdlet.ShouldProcess($Adapter, 'Change the multiple')) { throw $notConfirmed }",
        "",
        "what changes the system is confirmed",
    ),
    (
        VERIFY,
        "if (-not $PSCmdlet.ShouldProcess($Adapter, 'Restart the adapter')) { throw $notConfirmed }",
        "",
        "what changes the system is confirmed",
    ),
    (
        NO_LAB,
        "function Remove-LabDisk($Item)",
        "Remove-LabDisk $null\nfunction Remove-LabDisk($Item)",
        "what changes the system is confirmed",
    ),
    (
        INSTALL,
        "function Undo-Install([string[]]$Keep)",
        "function Undo-Install([Parameter(Mandatory)][string[]]$Keep)",
        "functions ask for the script",
    ),
    (
        SIGNING,
        "Invoke-Native bcdedit.exe '/set', 'testsigning', 'off'",
        "bcdedit.exe /set testsigning off",
        "programs are run where their exit code is checked",
    ),
    (
        SIGNING,
        "Invoke-Native bcdedit.exe '/set', 'testsigning', 'off'",
        "Invoke-Native bcdedti.exe '/set', 'testsigning', 'off'",
        "programs are run where their exit code is checked",
    ),
    (
        VERIFY,
        "Invoke-Native logman.exe 'stop'",
        "& logman 'stop'",
        "programs are run where their exit code is checked",
    ),
    (
        VERIFY,
        "Code = $LASTEXITCODE;",
        "Code = 0;",
        "programs are run where their exit code is checked",
    ),
    (
        LAB,
        "Start-VM -Name",
        "Start-VMs -Name",
        "commands and their parameters exist",
    ),
    (
        LAB,
        "-NetAdapterName",
        "-NetAdaptorName",
        "commands and their parameters exist",
    ),
    (
        LAB,
        "-StateFile $StateFile -Keep",
        "-State $StateFile -Keep",
        "commands and their parameters exist",
    ),
    (
        INSTALL,
        "-Allowed 0, $restartNeeded",
        "-Allow 0, $restartNeeded",
        "commands and their parameters exist",
    ),
    (
        VERIFY,
        "Restart-NetAdapter -Name $Adapter -Confirm:$false -ErrorAction Stop",
        "Restart-NetAdapter -Name $Adapter -Confirm:$false",
        "CDXML cmdlets are told what to do at errors",
    ),
    (
        MODULE,
        "foreach ($row in",
        "foreach ($rwo in",
        "variables that are read are set",
    ),
    (
        VERIFY,
        "$MslsoProvider",
        "$MslsoProvidor",
        "variables that are read are set",
    ),
    (
        LAB,
        "$new = New-VMSwitch",
        "$switch = New-VMSwitch",
        "variables that are set are not PowerShell's",
    ),
    (
        SIGNING,
        "Run Uninstall-Mslso.ps1",
        "Run Remove-Mslso.ps1",
        "scripts that are named exist",
    ),
    (
        VERIFIER,
        "\nAssert-MslsoHost\n",
        "\n",
        "the module is imported",
    ),
];

#[test]
fn each_breakage_is_found() {
    let mut scripts = scripts();
    for (name, from, to, check) in BREAKAGES {
        let place = scripts.iter().position(|script| script.name == *name);
        let place = place.expect("a script of that name");
        let text = scripts[place].text.clone();
        assert!(text.contains(from), "{name} does not have {from:?}");
        scripts[place] = Script::parse(name, text.replacen(from, to, 1));
        let run = checks::ALL.iter().find(|known| known.name == *check);
        let found = (run.expect("a check of that name").run)(&scripts);
        assert!(
            !found.is_empty(),
            "{check:?} does not find {from:?} as {to:?}"
        );
        scripts[place] = Script::parse(name, text);
    }
}

#[test]
fn each_check_has_a_breakage() {
    for check in checks::ALL {
        let breaks = BREAKAGES.iter().any(|(_, _, _, name)| *name == check.name);
        assert!(breaks, "nothing breaks {:?}", check.name);
    }
}

/// The identifier of a trace provider, from its name: a UUID of version 5 with the bytes of the
/// name in UTF-16, upper case, big endian, in the name space that ETW's libraries share.
fn provider(name: &str) -> String {
    let space = 0x482C_2DB2_C390_47C8_87F8_1A15_BFC1_30FB_u128;
    let name = name.to_uppercase();
    let mut hash = Sha1::new();
    hash.update(space.to_be_bytes());
    for unit in name.encode_utf16() {
        hash.update(unit.to_be_bytes());
    }
    let hash = hash.finalize();
    let number = |at: usize, length: usize| {
        let bytes = hash[at..at + length].iter().rev();
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let tail: String = hash[8..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let version = number(6, 2) & 0x0FFF | 0x5000;
    let (start, end) = tail.split_at(4);
    format!(
        "{{{:08x}-{:04x}-{version:04x}-{start}-{end}}}",
        number(0, 4),
        number(4, 2)
    )
}

#[test]
fn the_trace_provider_has_the_identifier_of_its_name() {
    let line = format!("$MslsoProvider = '{}'", provider("Mslso"));
    assert!(read("inf", MODULE).contains(&line), "{line}");
}

#[test]
fn mslsoctl_takes_what_it_is_asked() {
    let text = read("tests/vm-lab", VERIFY);
    for (in_script, words) in [
        ("Invoke-Ctl list", &["list"][..]),
        ("Invoke-Ctl show,", &["show", "17"]),
        ("Invoke-Ctl stats,", &["stats", "17"]),
        (
            "'--multiple', \"$multiple\"",
            &["set", "17", "--multiple", "16"],
        ),
        (
            "'--profile', $shown.tuning.profile",
            &["set", "17", "--profile", "throughput"],
        ),
    ] {
        assert!(text.contains(in_script), "{in_script}");
        let words = ["mslsoctl"].iter().chain(words).chain(&["--json"]);
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    }
}
