# The checks of a verification, and its report. Invoke-Verification.ps1 dot-sources this, and sets
# $report, the facts by name, and $reportFolder, which is empty where no report is written.

$checks = New-Object Collections.ArrayList

function Skip-Check {
    <#
    .SYNOPSIS
    Ends a check as not-run, with the reason.
    #>
    param([Parameter(Mandatory)][string]$Why)
    throw "not-run: $Why"
}

function Test-Step {
    <#
    .SYNOPSIS
    Runs one check. The text that the block returns is the reason of a pass; an error is that of a failure.
    #>
    param([Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)][scriptblock]$Body)
    # The row is in the report before the check runs: a crash or Ctrl-C in it leaves this.
    $row = [pscustomobject]@{ Name = $Name; Verdict = 'not-run'; Reason = 'the run was broken off here' }
    $checks.Add($row) | Out-Null
    Save-Report
    $verdict = 'pass'
    try {
        $reason = "$(@(& $Body) -join ' ')"
    } catch {
        $reason = "$_"
        $verdict = 'fail'
        if ($reason.StartsWith('not-run: ')) {
            $verdict = 'not-run'
            $reason = $reason.Substring(9)
        }
    }
    $row.Verdict = $verdict
    $row.Reason = $reason
    Save-Report
    Write-Host ('{0,-8} {1}{2}' -f $verdict, $Name, $(if ($reason) { ": $reason" }))
}

function Test-Passed {
    <#
    .SYNOPSIS
    Returns whether a check has passed.
    #>
    param([Parameter(Mandatory)][string]$Name)
    [bool]@($checks | Where-Object { $_.Name -eq $Name -and $_.Verdict -eq 'pass' })
}

function Measure-Check {
    <#
    .SYNOPSIS
    Returns how many checks ended with a verdict.
    #>
    param([Parameter(Mandatory)][string]$Verdict)
    @($checks | Where-Object { $_.Verdict -eq $Verdict }).Count
}

function Assert-Signature {
    <#
    .SYNOPSIS
    Stops unless this system accepts the signatures of the package, now that the driver is installed.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    foreach ($name in 'mslso.sys', 'mslso.cat') {
        $signature = Get-MslsoSignature $Folder $name
        if ("$($signature.Status)" -ne 'Valid') { throw "Windows does not trust the signature of $name ($($signature.Status))." }
        $signer = $signature.SignerCertificate
        if ($signer.Subject -eq $signer.Issuer -and -not (Test-TestMode)) {
            throw "$name has a test signature, and Windows is not in test mode. Run Set-TestSigning.ps1, then restart."
        }
    }
}

function Assert-ReportFolder {
    <#
    .SYNOPSIS
    Stops if a report cannot be written to a folder, or has been: an earlier report is not overwritten.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    Assert-LabFolderPath $Folder
    foreach ($name in 'report.json', 'report.md', 'mslso.etl') {
        if (Test-LabPath (Join-Path $Folder $name)) {
            Stop-Mslso "$Folder has a report already ($name). Name another folder with -ReportFolder."
        }
    }
}

function Save-Report {
    <#
    .SYNOPSIS
    Writes the report as far as it is known. The verdict is never pass before the run has ended.
    #>
    param([switch]$Complete)
    if (-not $reportFolder) { return }
    $report.Complete = [bool]$Complete
    $report.Verdict = 'pass'
    if (-not $Complete -or (Measure-Check 'not-run')) { $report.Verdict = 'incomplete' }
    if (Measure-Check 'fail') { $report.Verdict = 'fail' }
    $report.Ended = (Get-Date).ToString('o')
    $report.Checks = @($checks)
    Write-LabFile (Join-Path $reportFolder 'report.json') (ConvertTo-Json $report -Depth 8)
    Write-LabFile (Join-Path $reportFolder 'report.md') ((Format-Report) -join "`r`n")
}

function Format-Report {
    <#
    .SYNOPSIS
    Returns the lines of the report for people.
    #>
    "# mslso verification: $($report.Verdict)"
    ''
    if (-not $report.Complete) {
        'The run has not ended: it is still going on, or was broken off at the last check below.'
        ''
    }
    "$($report.System), $($report.Adapter), $($report.Started) to $($report.Ended)"
    ''
    '| check | verdict | reason |'
    '|---|---|---|'
    foreach ($row in $checks) {
        "| $($row.Name) | $($row.Verdict) | $(($row.Reason -replace '\s+', ' ') -replace '\|', '\|') |"
    }
    ''
}
