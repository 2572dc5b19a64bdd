//! Mistakes made on purpose, each of which a check finds.

use crate::checks;
use crate::scripts;
use crate::syntax::Script;

const INSTALL: &str = "Install-Mslso.ps1";
const UNINSTALL: &str = "Uninstall-Mslso.ps1";
const SIGNING: &str = "Set-TestSigning.ps1";
const VERIFIER: &str = "Set-Verifier.ps1";
const VERIFY: &str = "Invoke-Verification.ps1";
const LAB: &str = "New-VmLab.ps1";
const NO_LAB: &str = "Remove-VmLab.ps1";
const MODULE: &str = "Mslso.Common.psm1";

/// A file, a text in it, its replacement, and the check that must complain.
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
        UNINSTALL,
        "if ($PSCmdlet.ShouldProcess($file,",
        "if ($PSCmdlet.ShouldContinue($file,",
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
        "if (-not $PSCmdlet.ShouldProcess($Adapter, 'Put the tuning back')) { throw $notConfirmed }",
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
