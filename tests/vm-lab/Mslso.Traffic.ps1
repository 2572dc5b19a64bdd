# Traffic of a verification: from the host, a Windows guest and a Linux guest to the peer.
# Invoke-Verification.ps1 dot-sources this; it reads that script's -Peer, -Seconds, -WindowsGuest,
# -Credential and -LinuxGuest.

# This runs at the source of the traffic.
$send = {
    param([string]$Program, [string[]]$Arguments)
    $ErrorActionPreference = 'Continue'
    if (-not (Get-Command $Program -CommandType Application -ErrorAction SilentlyContinue)) {
        return [pscustomobject]@{ Missing = $true; Code = -1; Text = '' }
    }
    $text = (& $Program @Arguments 2>&1 | ForEach-Object { "$_" }) -join "`n"
    [pscustomobject]@{ Missing = $false; Code = $LASTEXITCODE; Text = $text }
}

function Get-TrafficArgument {
    <#
    .SYNOPSIS
    Returns the arguments with which a tool sends to the peer.
    #>
    param([Parameter(Mandatory)][string]$Program, [Parameter(Mandatory)][int]$Duration)
    switch ($Program) {
        'iperf3' { '-c', $Peer, '-t', "$Duration", '-P', '4' }
        'ctsTraffic' {
            "-target:$Peer", '-consoleverbosity:1', '-connections:8', '-iterations:1', '-transfer:268435456'
        }
    }
}

function Get-TrafficGuest {
    <#
    .SYNOPSIS
    Returns the Windows guest; ends the check as not-run unless it is known and runs.
    #>
    if (-not (Get-Command Get-VM -ErrorAction SilentlyContinue)) {
        Skip-Check "Hyper-V is not on this host, so there is no guest '$WindowsGuest'"
    }
    try { $all = @(Get-VM -ErrorAction Stop) } catch { Skip-Check "Hyper-V does not answer: $_" }
    # Names of VMs are not unique, and Get-VM takes a name for a pattern.
    $found = @($all | Where-Object { $_.Name -eq $WindowsGuest })
    if ($found.Count -ne 1) { Skip-Check "there are $($found.Count) VMs with the name '$WindowsGuest', not one" }
    $state = "$($found[0].State)"
    if ($state -ne 'Running') { Skip-Check "the state of the guest '$WindowsGuest' is $state; start it, and wait until Windows runs" }
    $found[0]
}

function Start-Remote {
    <#
    .SYNOPSIS
    Starts a program at a source, as a job.
    #>
    param([Parameter(Mandatory)][string]$Source, [Parameter(Mandatory)][string]$Program, [string[]]$Arguments = @())
    switch ($Source) {
        'host' { Start-Job -ScriptBlock $send -ArgumentList $Program, $Arguments }
        'windows' {
            $guest = Get-TrafficGuest
            Invoke-Command -VMId $guest.Id -Credential $Credential -ScriptBlock $send -ArgumentList $Program, $Arguments -AsJob
        }
        'linux' {
            $remote = @('-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', $LinuxGuest, "$Program $Arguments")
            Start-Job -ScriptBlock $send -ArgumentList 'ssh', $remote
        }
    }
}

function Receive-Remote {
    <#
    .SYNOPSIS
    Waits for a job of Start-Remote; returns HasEnded, Result, which is empty if none came, and Why.
    #>
    param([Parameter(Mandatory)]$Job, [Parameter(Mandatory)][int]$Limit)
    $ended = Wait-Job -Job $Job -Timeout $Limit
    if (-not $ended) { Stop-Job -Job $Job }
    $result = @(Receive-Job -Job $Job -ErrorAction SilentlyContinue | Where-Object { $_ -and $_.PSObject.Properties['Missing'] }) | Select-Object -Last 1
    $why = ''
    if ($Job.ChildJobs[0].JobStateInfo.Reason) { $why = $Job.ChildJobs[0].JobStateInfo.Reason.Message }
    Remove-Job -Job $Job -Force
    [pscustomobject]@{ HasEnded = [bool]$ended; Result = $result; Why = $why }
}

function Assert-Source {
    <#
    .SYNOPSIS
    Ends the check as not-run unless a source can be reached and has the tool.
    #>
    param([Parameter(Mandatory)][string]$Source, [Parameter(Mandatory)][string]$Program)
    if (-not $Peer) { Skip-Check 'there is no peer; name one with -Peer' }
    if ($Source -eq 'host') { return }
    if ($Source -eq 'windows' -and $Credential -eq [pscredential]::Empty) {
        Skip-Check 'name an administrator of the guest with -Credential'
    }
    # Asked before anything is sent: a source that is lost later is a failure.
    $asked = Receive-Remote (Start-Remote $Source $Program @('--version')) 120
    if (-not $asked.Result) { Skip-Check "the $Source guest cannot be reached. $($asked.Why)" }
    if ($Source -eq 'linux') {
        if ($asked.Result.Missing) { Skip-Check 'ssh is missing on this host' }
        if ($asked.Result.Code -eq 255) { Skip-Check "ssh cannot reach $LinuxGuest. $($asked.Result.Text)" }
    }
}

function Complete-Traffic {
    <#
    .SYNOPSIS
    Waits for traffic to end, and returns the text that the tool printed; stops if it failed.
    #>
    param([Parameter(Mandatory)]$Job, [Parameter(Mandatory)][string]$Source, [Parameter(Mandatory)][string]$Program)
    $got = Receive-Remote $Job ($Seconds + 300)
    $result = $got.Result
    if (-not $got.HasEnded) { throw "$Program did not end. Look at the peer, and at mslsoctl stats." }
    if (-not $result) { throw "The connection to the $Source guest broke off while it sent. $($got.Why)" }
    if ($result.Missing -or ($Source -eq 'linux' -and $result.Code -eq 127)) {
        Skip-Check "$Program is missing on the $Source side; put it on the PATH there"
    }
    if ($result.Code -ne 0) {
        $last = @($result.Text.Trim() -split "`n" | Select-Object -Last 3) -join ' '
        throw "$Program from $Source ended with $($result.Code). Does it listen on ${Peer}? $last"
    }
    $result.Text
}

function Invoke-Traffic {
    <#
    .SYNOPSIS
    Sends for a time, and returns the text that the tool printed; stops if it failed.
    #>
    param([Parameter(Mandatory)][string]$Source, [Parameter(Mandatory)][string]$Program, [Parameter(Mandatory)][int]$Duration)
    $job = Start-Remote $Source $Program (Get-TrafficArgument $Program $Duration)
    try {
        Complete-Traffic $job $Source $Program
    } finally {
        # Removed already, unless Ctrl-C came.
        Stop-Background $job
    }
}

function Start-Background {
    <#
    .SYNOPSIS
    Starts traffic that is known to pass, and returns its job once packets of it have arrived.
    #>
    param([Parameter(Mandatory)]$Works)
    $sends = (Get-FilterCounter).sends
    # Not longer: the peer's iperf3 waits for the end of a test whose connections broke.
    $duration = [Math]::Min([Math]::Max($Seconds, 30), 60)
    $job = Start-Remote $Works.Source $Works.Tool (Get-TrafficArgument $Works.Tool $duration)
    $why = 'no packets of it came'
    $handedOver = $false
    try {
        for ($try = 0; $try -lt 40 -and "$($job.State)" -in 'NotStarted', 'Running'; $try++) {
            if ((Get-FilterCounter).sends -gt $sends + 100) {
                $handedOver = $true
                return $job
            }
            Start-Sleep -Milliseconds 500
        }
        if ("$($job.State)" -notin 'NotStarted', 'Running') {
            try { Complete-Traffic $job $Works.Source $Works.Tool | Out-Null } catch { $why = "$_" }
        }
    } finally {
        if (-not $handedOver) { Stop-Background $job }
    }
    Skip-Check "the traffic to do it under did not start: $($why -replace '^not-run: ', '')"
}

function Stop-Background {
    <#
    .SYNOPSIS
    Ends a job that may have ended already.
    #>
    param([Parameter(Mandatory)]$Job)
    Stop-Job -Job $Job -ErrorAction SilentlyContinue
    Remove-Job -Job $Job -Force -ErrorAction SilentlyContinue
}

function Wait-Traffic {
    <#
    .SYNOPSIS
    Waits until traffic passes again, and returns how long it took.
    .DESCRIPTION
    The link, an address by DHCP, and a peer that still waits for the end of the test before need time.
    #>
    param([Parameter(Mandatory)]$Works)
    $since = Get-Date
    do {
        try {
            Invoke-Traffic $Works.Source $Works.Tool 5 | Out-Null
            return 'traffic passes again, {0:n0} s later' -f ((Get-Date) - $since).TotalSeconds
        } catch {
            $why = "$_" -replace '^not-run: ', ''
            Start-Sleep -Seconds 5
        }
    } while (((Get-Date) - $since).TotalSeconds -lt 180)
    throw "No traffic passes for 180 seconds. $why"
}
