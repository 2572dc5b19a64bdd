<#
.SYNOPSIS
Verifies an installed mslso on a host: traffic, retunes, pauses, detaches, logs and dumps, in one report.

.DESCRIPTION
Run the script on the host, from the package folder. Each check ends as pass, fail or not-run with the
reason. The report folder has all results, as report.md and report.json, the output of the tools, a
trace and the dumps. The script writes the report after each check, so that a crash leaves it as well.
The exit code is 0 if all checks pass, 1 if one fails, 2 if none fails but some did not run.

Traffic must leave through the NIC to pass the filter, so it goes to a peer, which is another machine on
the wire. The same tool must listen there: iperf3 -s, or ctsTraffic -listen:* -transfer:268435456, which
is the length that is sent. Traffic between two guests, or a guest and its host, stays in the switch and
tests nothing.

The script asks once, before it starts. It removes and restores bindings, and restarts the NIC, whose
connections break. At the end, and after Ctrl-C, it restores the bindings and the tuning of mslso,
including the cap; it makes nothing persistent. It saves them before it changes them: after a crash of
the system, run the script again. It then restores what was left changed, and finds the bug check and
the dump.

.PARAMETER Adapter
The name of the NIC, as Get-NetAdapter shows it.

.PARAMETER Peer
Name or address of the machine that receives the traffic. Without it, no traffic is sent.

.PARAMETER Tool
The tools that send. If you start the script by 'powershell -File' or a task, name only one.

.PARAMETER WindowsGuest
The name of a Windows VM that also sends, controlled by PowerShell Direct.

.PARAMETER Credential
An administrator in that VM.

.PARAMETER LinuxGuest
A Linux guest that also sends, as user@address, controlled by ssh with a key.

.PARAMETER Seconds
The time for which each tool sends. ctsTraffic sends 2 GiB, however long that takes.

.PARAMETER OtherFilter
The component of another lightweight filter. The script toggles it to pause and restart the stack.

.PARAMETER Since
The time from which on bug checks and dumps count. By default, a day ago.

.PARAMETER ReportFolder
The folder for the report, which must not contain a report yet. By default, a new folder in the current one.

.PARAMETER Provider
The identifier of the trace provider, if not mslso's.

.PARAMETER Force
Suppresses the question.

.EXAMPLE
.\Invoke-Verification.ps1 -Adapter 'Ethernet 2' -Peer 192.0.2.10

.EXAMPLE
.\Invoke-Verification.ps1 -Adapter 'Ethernet 2' -Peer 192.0.2.10 -Tool iperf3 -WindowsGuest mslso-lab-windows -Credential (Get-Credential) -LinuxGuest root@192.0.2.21
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [Parameter(Mandatory)]
    [ValidateNotNullOrEmpty()]
    [string]$Adapter,
    [ValidatePattern('^[A-Za-z0-9.:-]+$')]
    [string]$Peer,
    [ValidateSet('iperf3', 'ctsTraffic')]
    [string[]]$Tool = @('iperf3', 'ctsTraffic'),
    [string]$WindowsGuest,
    [pscredential]$Credential = [pscredential]::Empty,
    [ValidatePattern('^[A-Za-z0-9._-]+@[A-Za-z0-9.:-]+$')]
    [string]$LinuxGuest,
    [ValidateRange(5, 3600)]
    [int]$Seconds = 30,
    [ValidateNotNullOrEmpty()]
    [string]$OtherFilter = 'ms_pacer',
    [datetime]$Since = (Get-Date).AddDays(-1),
    [string]$ReportFolder,
    [string]$Provider,
    [switch]$Force
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Lab.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Checks.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Crashes.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Restore.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Traffic.ps1')

$session = 'mslso-verification'
$started = Get-Date

# ---- What a check needs ----

function Assert-Confirmed {
    if (-not $confirmed) { Skip-Check 'it was not confirmed' }
}

# For a check that changes the NIC: it was confirmed, the filter answers, and its state is written down.
function Assert-Restorable {
    Assert-Confirmed
    Assert-Reached
    if (-not $works) { Skip-Check 'no traffic passed, so there is none to do it under' }
    if (-not $script:original) {
        $script:original = Save-Original $nic @($OtherFilter, $MslsoComponent) $report.Settings.tuning
    }
}

function Assert-Reached {
    if (-not (Test-Passed 'mslsoctl reaches the driver')) { Skip-Check 'mslsoctl does not reach the driver' }
}

# Turns a component off and on again five times under traffic, and leaves it as it was.
function Switch-Binding([string]$Component, [bool]$Before, [scriptblock]$After) {
    $job = Start-Background $works
    try {
        for ($try = 0; $try -lt 5; $try++) {
            Set-Binding $nic $Component $false
            & $After $false
            Set-Binding $nic $Component $true
            & $After $true
        }
    } finally {
        try { Restore-Binding $nic $Component $Before } finally { Stop-Background $job }
    }
    Wait-Attached $nic $true
    Wait-Traffic $works
}

function Stop-Trace {
    Invoke-Native logman.exe 'stop', $session, '-ets' | Out-Null
}

# ---- Before anything is changed ----

Assert-MslsoHost
$nic = Find-LabNic $Adapter
if (-not $Provider) { $Provider = $MslsoProvider }
$Provider = ([guid]$Provider).ToString('B')
if (-not $ReportFolder) {
    $ReportFolder = 'mslso-verification-{0:yyyyMMdd-HHmmss}' -f $started
}
# Programs have another current folder than PowerShell.
$ReportFolder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($ReportFolder)
Assert-ReportFolder $ReportFolder
$leftover = Get-Leftover

$plan = "Send traffic, change the tuning, take $OtherFilter and $MslsoComponent off and put them back, and restart the NIC: its connections break."
if (-not $Peer) { $plan = 'Read, and trace; without -Peer nothing is sent and the NIC is not touched.' }
$plan = "$plan $(Get-LabNicUse $nic) The report is written to $ReportFolder."
if ($leftover) { $plan = "$(Format-Leftover $leftover) Put that back. $plan" }
if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
$confirmed = Confirm-Mslso $PSCmdlet "$($nic.Name) ($($nic.InterfaceDescription))" $plan
if (-not $confirmed -and -not $WhatIfPreference) {
    Write-Warning 'Nothing was done.'
    exit 2
}
$ConfirmPreference = 'None'

$report = [ordered]@{
    Version = 2
    Verdict = 'incomplete'
    Complete = $false
    Started = $started.ToString('o')
    Ended = ''
    System = ''
    Adapter = "$Adapter ($($nic.InterfaceDescription))"
    Peer = $Peer
    Settings = $null
    Before = $null
    After = $null
    Checks = @()
}
# Save-Report writes nothing while this is empty.
$writeTo, $ReportFolder = $ReportFolder, ''
if ($confirmed) {
    [IO.Directory]::CreateDirectory($writeTo) | Out-Null
    $ReportFolder = $writeTo
    Save-Report
    # Of this run or another one, nothing stays changed.
    if ($leftover) {
        try {
            Restore-Original $leftover
        } catch {
            Stop-Mslso "A verification was broken off on $($leftover.Written) and left changes. $_ Put them back, then run this again."
        }
        Write-Warning "$(Format-Leftover $leftover) It is put back."
    }
}

# ---- The run ----

$sources = @('host')
if ($WindowsGuest) { $sources += 'windows' }
if ($LinuxGuest) { $sources += 'linux' }
$works = $null
$original = $null
$tracing = $false
try {
    try {
        $system = Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop
        $report.System = "$($system.Caption) $($system.Version)"
    } catch {
        $report.System = "unknown system ($_)"
    }
    Test-Step 'the package is whole and its signatures are trusted' {
        Assert-MslsoPackage $PSScriptRoot
        Assert-Signature $PSScriptRoot
    }
    Test-Step 'the driver of this package is loaded' {
        $driver = Get-MslsoDriver
        if (-not $driver) { throw 'mslso is not installed. Run Install-Mslso.ps1.' }
        if ($driver.State -ne 'Running') { throw "mslso is $($driver.State). Restart, or see the event log." }
        $wanted = (Get-FileHash -LiteralPath (Join-Path $PSScriptRoot 'mslso.sys') -Algorithm SHA256).Hash
        if ($driver.Hash -ne $wanted) { throw 'Another build is loaded. Uninstall it, install this package.' }
        $driver.File
    }
    Test-Step 'the driver is bound to the adapter' {
        if (-not @(Get-LabBinding $nic $MslsoComponent | Where-Object { $_.Enabled })) {
            throw "Bind it: Enable-NetAdapterBinding -Name $(Format-Argument $Adapter -Pattern) -ComponentID $MslsoComponent"
        }
    }
    Test-Step 'Driver Verifier is active' {
        $verifier = Get-RunningVerifier
        if ('mslso.sys' -notin $verifier.Drivers) { Skip-Check 'it is off; run Set-Verifier.ps1, then restart' }
        if ($verifier.Flags -eq -1) { Skip-Check 'verifier /query shows no flags' }
        if (-not $verifier.Flags) { Skip-Check 'it lists mslso.sys, and no check is on; run Set-Verifier.ps1, then restart' }
        'of {0}, flags 0x{1:X}' -f ($verifier.Drivers -join ', '), $verifier.Flags
    }
    Test-Step 'mslsoctl reaches the driver' {
        if (-not (Test-Attached $nic)) { throw "mslso does not run on '$Adapter'." }
        $report.Settings = Invoke-MslsoCtl show, "$($nic.ifIndex)"
        $report.Before = Get-FilterCounter
    }
    Test-Step 'a trace is started' {
        Assert-Confirmed
        # One that a run left behind; where there is none, logman fails.
        try { Stop-Trace } catch { $null = $_ }
        $file = Join-Path $ReportFolder 'mslso.etl'
        Invoke-Native logman.exe 'create', 'trace', $session, '-p', $Provider, '0xffffffffffffffff', '0xff', '-o', $file, '-ets' | Out-Null
        $script:tracing = $true
    }

    foreach ($source in $sources) {
        foreach ($program in $Tool) {
            if ($source -eq 'linux' -and $program -eq 'ctsTraffic') { continue }
            Test-Step "traffic: $program from $source" {
                Assert-Confirmed
                Assert-Source $source $program
                $text = Invoke-Traffic $source $program $Seconds
                Write-LabFile (Join-Path $ReportFolder "traffic-$source-$program.txt") $text
                if (-not $script:works) {
                    $script:works = [pscustomobject]@{ Source = $source; Tool = $program }
                }
            }
        }
    }

    Test-Step 'large sends above the maximum of the NIC were split' {
        Assert-Reached
        if (-not $works) { Skip-Check 'no traffic passed' }
        $before = $report.Before
        $report.After = $after = Get-FilterCounter
        if ($after.sends -lt $before.sends) { Skip-Check 'the filter attached anew, and its counters began again' }
        if ($report.Settings.tuning.multiple -le 1) {
            Skip-Check "the filter raises nothing on this NIC; turn it on: mslsoctl set $($nic.ifIndex) --profile throughput"
        }
        if ($after.split -le $before.split) {
            Skip-Check "none came; the largest large send has $($after.largest_large_send) bytes. See mslsoctl show."
        }
        "$($after.split - $before.split) into $($after.children - $before.children) children; the largest has $($after.largest_large_send) bytes"
    }
    Test-Step 'every split send was completed, and none failed' {
        if (-not (Test-Passed 'large sends above the maximum of the NIC were split')) { Skip-Check 'no split send was seen' }
        $before = $report.Before
        # What is in flight as the counters are read is not completed yet.
        for ($try = 0; $try -lt 20; $try++) {
            $report.After = $after = Get-FilterCounter
            if ($after.completed -ge $after.split) { break }
            Start-Sleep -Milliseconds 500
        }
        if ($after.completed -lt $after.split) { throw "$($after.split - $after.completed) are missing." }
        if ($after.failed -gt $before.failed) { throw "The NIC failed $($after.failed - $before.failed). See its counters." }
        "refused: $($after.refused_in_all - $before.refused_in_all), out of memory: $($after.low_memory - $before.low_memory)"
    }

    Test-Step 'the size is retuned under traffic' {
        Assert-Restorable
        $job = Start-Background $works
        try {
            foreach ($multiple in 1, 16, 2, 8, 4) {
                $set = Invoke-MslsoCtl set, "$($nic.ifIndex)", '--multiple', "$multiple"
                if ($set.tuning.multiple -ne $multiple) { throw "The multiple is $($set.tuning.multiple), not $multiple." }
                Start-Sleep -Seconds 2
            }
            Complete-Traffic $job $works.Source $works.Tool | Out-Null
        } finally {
            Stop-Background $job
        }
    }
    Test-Step 'the stack pauses and restarts under traffic' {
        $other = @(Get-LabBinding $nic $OtherFilter)
        if (-not $other) { Skip-Check "$OtherFilter is not on '$Adapter'; name another filter with -OtherFilter" }
        Assert-Restorable
        Switch-Binding $OtherFilter ([bool]$other[0].Enabled) { }
    }
    Test-Step 'the filter detaches and attaches under traffic' {
        Assert-Restorable
        Switch-Binding $MslsoComponent $true { param($attached) Wait-Attached $nic $attached }
    }
    Test-Step 'the adapter restarts under traffic' {
        Assert-Restorable
        $job = Start-Background $works
        try {
            Restart-NetAdapter -InputObject $nic -Confirm:$false -ErrorAction Stop
        } finally {
            Stop-Background $job
        }
        Wait-Attached $nic $true
        Wait-Traffic $works
    }
} finally {
    # After Ctrl-C this is reached, and no check after it.
    Test-Step 'bindings and tuning are put back' {
        if (-not $original) { Skip-Check 'they were not changed' }
        Restore-Original $original
    }
    Test-Step 'the trace has events' {
        if (-not $tracing) { Skip-Check 'there is no trace' }
        Stop-Trace
        $file = @(Get-ChildItem -LiteralPath $ReportFolder -Filter 'mslso*.etl')
        if (-not $file) { throw 'logman wrote no file.' }
        $path = [WildcardPattern]::Escape($file[0].FullName)
        try {
            $events = @(Get-WinEvent -Path $path -Oldest -ErrorAction Stop | Where-Object { $_.ProviderId -eq [guid]$Provider })
        } catch {
            if ("$($_.FullyQualifiedErrorId)" -notlike 'NoMatchingEventsFound*') { throw "$($file[0].Name) cannot be read: $_" }
            $events = @()
        }
        if (-not $events) { Skip-Check "no event of $Provider is in it; has this build tracing?" }
        "$($events.Count) in $($file[0].Name)"
    }
}

Test-Step 'no bug check' { Assert-NoBugCheck $Since }
Test-Step 'no error of NDIS or of the driver in the event log' { Assert-NoLogError $started }
Test-Step 'no dump' { Assert-NoDump $Since $ReportFolder }

Save-Report -Complete
$failed = Measure-Check 'fail'
$notRun = Measure-Check 'not-run'
if ($ReportFolder) { Write-Output "The report is in $ReportFolder." }
Write-Output "Verdict: $($report.Verdict) ($($checks.Count) checks, $failed failed, $notRun not run)."
if ($failed) { exit 1 }
if ($notRun) { exit 2 }
exit 0
