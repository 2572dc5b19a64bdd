<#
.SYNOPSIS
Verifies an installed mslso on a host: traffic, retunes, pauses, detaches, logs and dumps, in one report.

.DESCRIPTION
Runs on the host, from the package folder. Each check ends as pass, fail or not-run with the reason,
and the report has them all, as report.md and report.json, beside what the tools printed, a trace
and the dumps. The exit code is 0 if all checks pass, 1 if one fails, 2 if none fails but some
did not run.

Traffic has to leave by the NIC to pass the filter, so it goes to a peer: another machine on the
wire, on which the same tool listens: iperf3 -s; ctsTraffic -listen:* -transfer:268435456, which has
to be as long as what is sent. What two guests or a guest and its host exchange stays in the switch
and is no test.

Bindings are taken off and put back, and the NIC restarts: its connections break. The tuning of mslso
is put back at the end, cap included, and nothing is made persistent. After a crash of the system run
the script again: it finds the bug check and the dump.

.PARAMETER Adapter
The name of the NIC, as Get-NetAdapter shows it.

.PARAMETER Peer
Name or address of the machine that takes the traffic. Without one no traffic is sent.

.PARAMETER Tool
The tools to send with. Where this is started by 'powershell -File' or a task, name one only.

.PARAMETER WindowsGuest
The name of a VM with Windows that sends too, by PowerShell Direct.

.PARAMETER Credential
An administrator in that VM.

.PARAMETER LinuxGuest
A Linux guest that sends too, by ssh with a key, as user@address.

.PARAMETER Seconds
How long each tool sends. ctsTraffic sends 2 GiB, however long that takes.

.PARAMETER OtherFilter
The component that is toggled to pause and restart the stack: another lightweight filter.

.PARAMETER Since
From when on bug checks and dumps count. By default a day ago.

.PARAMETER ReportFolder
The folder for the report. By default a new one in the current folder.

.PARAMETER Provider
The identifier of the trace provider, if not mslso's.

.EXAMPLE
.\Invoke-Verification.ps1 -Adapter 'Ethernet 2' -Peer 192.0.2.10

.EXAMPLE
.\Invoke-Verification.ps1 -Adapter 'Ethernet 2' -Peer 192.0.2.10 -Tool iperf3 -WindowsGuest mslso-lab-windows -Credential (Get-Credential) -LinuxGuest root@192.0.2.21
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'Medium')]
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
    [string]$Provider
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

$session = 'mslso-verification'
$notConfirmed = 'not-run: it was not confirmed'
$checks = @()
$started = Get-Date

# ---- Checks and their verdicts ----

# Runs one check. What it returns is the reason of a pass; 'not-run: ...' thrown is that verdict.
function Test-Step([string]$Name, [scriptblock]$Body) {
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
    $script:checks += [pscustomobject]@{ Name = $Name; Verdict = $verdict; Reason = $reason }
    Write-Host ('{0,-8} {1}{2}' -f $verdict, $Name, $(if ($reason) { ": $reason" }))
}

function Test-Passed([string]$Name) {
    [bool]@($checks | Where-Object { $_.Name -eq $Name -and $_.Verdict -eq 'pass' })
}

# ---- The driver ----

function Invoke-Ctl([string[]]$Arguments) {
    $printed = Invoke-Native (Join-Path $PSScriptRoot 'mslsoctl.exe') ($Arguments + '--json')
    ($printed -join "`n") | ConvertFrom-Json
}

function Get-Attached {
    @((Invoke-Ctl list).adapters | Where-Object { $_.base_if_index -eq $nic.ifIndex })
}

function Get-Counters {
    (Invoke-Ctl stats, "$($nic.ifIndex)").statistics
}

# The filter reads the registry when it attaches: what was set for the time being is lost then.
function Restore-Tuning {
    $back = @('--multiple', "$($shown.tuning.multiple)")
    if ($shown.tuning.profile) { $back = @('--profile', $shown.tuning.profile) }
    $cap = [int]$shown.tuning.cap_bytes
    Invoke-Ctl (@('set', "$($nic.ifIndex)", '--cap', "$cap") + $back) | Out-Null
}

function Wait-Attached([bool]$Wanted) {
    for ($try = 0; $try -lt 60; $try++) {
        $running = [bool]@(Get-Attached | Where-Object { $_.running })
        if ($running -eq $Wanted) { return }
        Start-Sleep -Milliseconds 500
    }
    throw "After 30 seconds mslso's state on '$Adapter' is not as expected (running: $Wanted). See mslsoctl list."
}

function Assert-Attached {
    if (-not (Test-Passed 'mslsoctl reaches the driver')) { throw 'not-run: mslsoctl does not reach the driver' }
}

# ---- Traffic ----

# What runs where the traffic comes from.
$send = {
    param([string]$Program, [string[]]$Arguments)
    $ErrorActionPreference = 'Continue'
    if (-not (Get-Command $Program -CommandType Application -ErrorAction SilentlyContinue)) {
        return [pscustomobject]@{ Missing = $true; Code = -1; Text = '' }
    }
    $text = (& $Program @Arguments 2>&1 | ForEach-Object { "$_" }) -join "`n"
    [pscustomobject]@{ Missing = $false; Code = $LASTEXITCODE; Text = $text }
}

function Get-TrafficArguments([string]$Program, [int]$Duration) {
    switch ($Program) {
        'iperf3' { '-c', $Peer, '-t', "$Duration", '-P', '4' }
        'ctsTraffic' {
            "-target:$Peer", '-consoleverbosity:1', '-connections:8', '-iterations:1', '-transfer:268435456'
        }
    }
}

function Start-Traffic([string]$Source, [string]$Program, [int]$Duration) {
    $arguments = @(Get-TrafficArguments $Program $Duration)
    switch ($Source) {
        'host' { Start-Job -ScriptBlock $send -ArgumentList $Program, $arguments }
        'windows' {
            Invoke-Command -VMName $WindowsGuest -Credential $Credential -ScriptBlock $send -ArgumentList $Program, $arguments -AsJob
        }
        'linux' {
            $remote = @('-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', $LinuxGuest, "$Program $arguments")
            Start-Job -ScriptBlock $send -ArgumentList 'ssh', $remote
        }
    }
}

# Waits for traffic to end, and gives what it printed; stops if it failed.
function Complete-Traffic($Job, [string]$Source, [string]$Program) {
    $ended = Wait-Job -Job $Job -Timeout ($Seconds + 300)
    if (-not $ended) { Stop-Job -Job $Job }
    $result = @(Receive-Job -Job $Job -ErrorAction SilentlyContinue | Where-Object { $_ -and $_.PSObject.Properties['Missing'] }) | Select-Object -Last 1
    $why = ''
    if ($Job.ChildJobs[0].JobStateInfo.Reason) { $why = $Job.ChildJobs[0].JobStateInfo.Reason.Message }
    Remove-Job -Job $Job -Force
    if (-not $ended) { throw "$Program did not end. Look at the peer, and at mslsoctl stats." }
    if (-not $result) { throw "not-run: the $Source guest cannot be reached. $why" }
    if ($result.Missing -and $Source -eq 'linux') { throw 'not-run: ssh is missing on this host' }
    if ($result.Missing -or ($Source -eq 'linux' -and $result.Code -eq 127)) {
        throw "not-run: $Program is missing on the $Source side; put it on the PATH there"
    }
    if ($Source -eq 'linux' -and $result.Code -eq 255) {
        throw "not-run: ssh cannot reach $LinuxGuest. $($result.Text)"
    }
    if ($result.Code -ne 0) {
        throw "$Program ended with $($result.Code). Does it listen on $Peer? $($result.Text.Trim() -split "`n" | Select-Object -Last 3)"
    }
    $result.Text
}

function Invoke-Traffic([string]$Source, [string]$Program, [int]$Duration) {
    Complete-Traffic (Start-Traffic $Source $Program $Duration) $Source $Program
}

# Does something while traffic that is known to work runs; gives the job, once its packets come.
function Start-Background {
    Assert-Attached
    if (-not $works) { throw 'not-run: no traffic passed, so there is none to do it under' }
    $sends = (Get-Counters).sends
    # No longer: the peer's iperf3 awaits the end of a test whose connections died.
    $job = Start-Traffic $works.Source $works.Tool ([Math]::Min([Math]::Max($Seconds, 30), 60))
    for ($try = 0; $try -lt 40 -and "$($job.State)" -in 'NotStarted', 'Running'; $try++) {
        if ((Get-Counters).sends -gt $sends + 100) { return $job }
        Start-Sleep -Milliseconds 500
    }
    $why = "no packets of it came; it is $($job.State)"
    if ("$($job.State)" -notin 'NotStarted', 'Running') {
        try { Complete-Traffic $job $works.Source $works.Tool | Out-Null } catch { $why = "$_" }
    }
    Stop-Background $job
    throw "not-run: the traffic to do it under did not start: $($why -replace '^not-run: ', '')"
}

function Stop-Background($Job) {
    Stop-Job -Job $Job -ErrorAction SilentlyContinue
    Remove-Job -Job $Job -Force -ErrorAction SilentlyContinue
}

# After what breaks connections: the filter runs and traffic passes again. The link, an address by
# DHCP, and a peer that still awaits the end of the test before need their time.
function Assert-Recovered {
    Wait-Attached $true
    $since = Get-Date
    do {
        try {
            Invoke-Traffic $works.Source $works.Tool 5 | Out-Null
            return 'traffic passes again, {0:n0} s later' -f ((Get-Date) - $since).TotalSeconds
        } catch {
            $why = "$_" -replace '^not-run: ', ''
            Start-Sleep -Seconds 5
        }
    } while (((Get-Date) - $since).TotalSeconds -lt 180)
    throw "No traffic passes for 180 seconds. $why"
}

# ---- The run ----

Assert-MslsoHost
$found = @(Get-NetAdapter -Name $Adapter -ErrorAction SilentlyContinue)
if ($found.Count -ne 1) {
    throw "There is no single adapter '$Adapter'. Get-NetAdapter shows their names."
}
$nic = $found[0]
if (-not $Provider) { $Provider = $MslsoProvider }
$Provider = ([guid]$Provider).ToString('B')
if (-not $ReportFolder) {
    $ReportFolder = 'mslso-verification-{0:yyyyMMdd-HHmmss}' -f $started
}
# Programs have another current folder than PowerShell.
$ReportFolder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($ReportFolder)
$writes = $PSCmdlet.ShouldProcess($ReportFolder, 'Write the report')
if ($writes) { New-Item -ItemType Directory -Path $ReportFolder -Force | Out-Null }

Test-Step 'the package is whole and its signatures are trusted' {
    Assert-MslsoPackage $PSScriptRoot
    Assert-MslsoTrust $PSScriptRoot
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
    $binding = @(Get-MslsoBinding | Where-Object { $_.Name -eq $Adapter })
    if (-not $binding -or -not $binding[0].Enabled) {
        throw "Bind it: Enable-NetAdapterBinding -Name '$Adapter' -ComponentID $MslsoComponent"
    }
}
Test-Step 'Driver Verifier is active' {
    $verified = @(Get-VerifierSetting -Running)
    if ('mslso.sys' -notin $verified) { throw 'not-run: it is off; run Set-Verifier.ps1, then restart' }
    "of $($verified -join ', ')"
}
Test-Step 'mslsoctl reaches the driver' {
    if (-not @(Get-Attached | Where-Object { $_.running })) { throw "mslso does not run on '$Adapter'." }
}
Test-Step 'a trace is started' {
    if (-not $PSCmdlet.ShouldProcess($session, 'Start a trace')) { throw $notConfirmed }
    $file = Join-Path $ReportFolder 'mslso.etl'
    Invoke-Native logman.exe 'create', 'trace', $session, '-p', $Provider, '0xffffffffffffffff', '0xff', '-o', $file, '-ets' | Out-Null
}

$sources = @('host')
if ($WindowsGuest) { $sources += 'windows' }
if ($LinuxGuest) { $sources += 'linux' }
$works = $null
$before = $null
$after = $null
$shown = $null
try {
    if (Test-Passed 'mslsoctl reaches the driver') {
        $shown = Invoke-Ctl show, "$($nic.ifIndex)"
        $before = Get-Counters
    }
    foreach ($source in $sources) {
        foreach ($program in $Tool) {
            if ($source -eq 'linux' -and $program -eq 'ctsTraffic') { continue }
            Test-Step "traffic: $program from $source" {
                if (-not $Peer) { throw 'not-run: there is no peer; name one with -Peer' }
                if ($source -eq 'windows' -and $Credential -eq [pscredential]::Empty) {
                    throw 'not-run: name an administrator of the guest with -Credential'
                }
                if (-not $PSCmdlet.ShouldProcess($Peer, "Send with $program from $source")) { throw $notConfirmed }
                $text = Invoke-Traffic $source $program $Seconds
                if ($writes) {
                    Set-Content -LiteralPath (Join-Path $ReportFolder "traffic-$source-$program.txt") -Value $text -Encoding UTF8
                }
                if (-not $script:works) {
                    $script:works = [pscustomobject]@{ Source = $source; Tool = $program }
                }
            }
        }
    }

    Test-Step 'large sends bigger than the NIC takes were split' {
        Assert-Attached
        if (-not $works) { throw 'not-run: no traffic passed' }
        $script:after = Get-Counters
        if ($after.split -le $before.split) {
            throw "not-run: none came; the largest large send has $($after.largest_large_send) bytes. See mslsoctl show."
        }
        "$($after.split - $before.split) into $($after.children - $before.children) children; the largest has $($after.largest_large_send) bytes"
    }
    Test-Step 'every split send was completed, and none failed' {
        if (-not $after) { throw 'not-run: there are no counters' }
        # What is in flight as the counters are read is not completed yet.
        for ($try = 0; $try -lt 20 -and $after.completed -lt $after.split; $try++) {
            Start-Sleep -Milliseconds 500
            $script:after = Get-Counters
        }
        if ($after.completed -lt $after.split) { throw "$($after.split - $after.completed) are missing." }
        if ($after.failed -gt $before.failed) { throw "The NIC failed $($after.failed - $before.failed). See its counters." }
        "refused: $($after.refused_in_all - $before.refused_in_all), out of memory: $($after.low_memory - $before.low_memory)"
    }

    Test-Step 'the size is retuned under traffic' {
        if (-not $PSCmdlet.ShouldProcess($Adapter, 'Change the multiple')) { throw $notConfirmed }
        $job = Start-Background
        try {
            foreach ($multiple in 1, 16, 2, 8, 4) {
                $set = Invoke-Ctl set, "$($nic.ifIndex)", '--multiple', "$multiple"
                if ($set.tuning.multiple -ne $multiple) { throw "The multiple is $($set.tuning.multiple), not $multiple." }
                Start-Sleep -Seconds 2
            }
            Complete-Traffic $job $works.Source $works.Tool | Out-Null
        } finally {
            Stop-Background $job
            Restore-Tuning
        }
    }
    Test-Step 'the stack pauses and restarts under traffic' {
        $other = @(Get-NetAdapterBinding -Name $Adapter -ComponentID $OtherFilter -ErrorAction SilentlyContinue)
        if (-not $other) { throw "not-run: $OtherFilter is not on '$Adapter'; name another filter with -OtherFilter" }
        if (-not $PSCmdlet.ShouldProcess($Adapter, "Toggle $OtherFilter five times")) { throw $notConfirmed }
        $job = Start-Background
        try {
            for ($try = 0; $try -lt 5; $try++) {
                Disable-NetAdapterBinding -Name $Adapter -ComponentID $OtherFilter -ErrorAction Stop
                Enable-NetAdapterBinding -Name $Adapter -ComponentID $OtherFilter -ErrorAction Stop
            }
        } finally {
            if (-not $other[0].Enabled) {
                Disable-NetAdapterBinding -Name $Adapter -ComponentID $OtherFilter -ErrorAction Stop
            } else {
                Enable-NetAdapterBinding -Name $Adapter -ComponentID $OtherFilter -ErrorAction Stop
            }
            Stop-Background $job
        }
        Assert-Recovered
    }
    Test-Step 'the filter detaches and attaches under traffic' {
        if (-not $PSCmdlet.ShouldProcess($Adapter, "Unbind and bind $MslsoComponent five times")) { throw $notConfirmed }
        $job = Start-Background
        try {
            for ($try = 0; $try -lt 5; $try++) {
                Disable-NetAdapterBinding -Name $Adapter -ComponentID $MslsoComponent -ErrorAction Stop
                Wait-Attached $false
                Enable-NetAdapterBinding -Name $Adapter -ComponentID $MslsoComponent -ErrorAction Stop
                Wait-Attached $true
            }
        } finally {
            Enable-NetAdapterBinding -Name $Adapter -ComponentID $MslsoComponent -ErrorAction Stop
            Stop-Background $job
        }
        Assert-Recovered
    }
    Test-Step 'the adapter restarts under traffic' {
        if (-not $PSCmdlet.ShouldProcess($Adapter, 'Restart the adapter')) { throw $notConfirmed }
        $job = Start-Background
        try {
            Restart-NetAdapter -Name $Adapter -Confirm:$false -ErrorAction Stop
        } finally {
            Stop-Background $job
        }
        Assert-Recovered
    }
} finally {
    Test-Step 'the tuning is put back' {
        if (-not $shown) { throw 'not-run: it is not known' }
        if (-not $PSCmdlet.ShouldProcess($Adapter, 'Put the tuning back')) { throw $notConfirmed }
        Restore-Tuning
    }
    Test-Step 'the trace has events' {
        if (-not (Test-Passed 'a trace is started')) { throw 'not-run: there is no trace' }
        if (-not $PSCmdlet.ShouldProcess($session, 'Stop the trace')) { throw $notConfirmed }
        Invoke-Native logman.exe 'stop', $session, '-ets' | Out-Null
        $file = @(Get-ChildItem -Path (Join-Path $ReportFolder 'mslso*.etl'))
        if (-not $file) { throw 'logman wrote no file.' }
        $events = @(Get-WinEvent -Path $file[0].FullName -Oldest -ErrorAction SilentlyContinue |
                Where-Object { $_.ProviderId -eq [guid]$Provider })
        if (-not $events) { throw "not-run: no event of $Provider is in it; has this build tracing?" }
        "$($events.Count) in $($file[0].Name)"
    }
}

Test-Step 'no bug check' {
    $filter = @{ LogName = 'System'; Id = 1001; StartTime = $Since }
    $found = @(Get-WinEvent -FilterHashtable $filter -ErrorAction SilentlyContinue |
            Where-Object { $_.ProviderName -eq 'Microsoft-Windows-WER-SystemErrorReporting' })
    if ($found) { throw "$($found.Count) since $Since. The last: $($found[0].Message)" }
    "since $Since"
}
Test-Step 'no error of NDIS or of the driver in the event log' {
    $filter = @{ LogName = 'System'; Level = 1, 2, 3; StartTime = $started }
    $found = @(Get-WinEvent -FilterHashtable $filter -ErrorAction SilentlyContinue |
            Where-Object { $_.ProviderName -match 'NDIS' -or $_.Message -match 'mslso' })
    if ($found) { throw "$($found.Count), such as: $($found[0].ProviderName) $($found[0].Id) $($found[0].Message)" }
}
Test-Step 'no dump' {
    $places = (Join-Path $env:SystemRoot 'Minidump\*.dmp'), (Join-Path $env:SystemRoot 'MEMORY.DMP')
    $dumps = @(Get-ChildItem -Path $places -ErrorAction SilentlyContinue | Where-Object { $_.LastWriteTime -gt $Since })
    if (-not $dumps) { return }
    $names = @($dumps | ForEach-Object { $_.Name }) -join ', '
    if ($PSCmdlet.ShouldProcess($names, "Copy to $ReportFolder")) {
        $dumps | ForEach-Object { Copy-Item -LiteralPath $_.FullName -Destination $ReportFolder }
    }
    throw "$names; collected where confirmed. Open them with the package's symbols."
}

# ---- The report ----

$failed = @($checks | Where-Object { $_.Verdict -eq 'fail' }).Count
$notRun = @($checks | Where-Object { $_.Verdict -eq 'not-run' }).Count
$verdict = 'pass'
if ($notRun) { $verdict = 'incomplete' }
if ($failed) { $verdict = 'fail' }
$system = Get-CimInstance -ClassName Win32_OperatingSystem
$report = [ordered]@{
    Version = 1
    Verdict = $verdict
    Started = $started.ToString('o')
    Ended = (Get-Date).ToString('o')
    System = "$($system.Caption) $($system.Version)"
    Adapter = "$Adapter ($($nic.InterfaceDescription))"
    Peer = $Peer
    Settings = $shown
    Before = $before
    After = $after
    Checks = $checks
}
$rows = @($checks | ForEach-Object {
        $reason = ($_.Reason -replace '\s+', ' ') -replace '\|', '\|'
        "| $($_.Name) | $($_.Verdict) | $reason |"
    })
$markdown = @(
    "# mslso verification: $verdict"
    ''
    "$($report.System), $($report.Adapter), $($report.Started) to $($report.Ended)"
    ''
    '| check | verdict | reason |'
    '|---|---|---|'
) + $rows
if ($writes) {
    ConvertTo-Json $report -Depth 8 | Set-Content -LiteralPath (Join-Path $ReportFolder 'report.json') -Encoding UTF8
    Set-Content -LiteralPath (Join-Path $ReportFolder 'report.md') -Value $markdown -Encoding UTF8
    Write-Output "The report is in $ReportFolder."
}
Write-Output "Verdict: $verdict ($($checks.Count) checks, $failed failed, $notRun not run)."
if ($failed) { exit 1 }
if ($notRun) { exit 2 }
exit 0
