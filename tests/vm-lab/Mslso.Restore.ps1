# The state of a NIC in a verification. What the run changes is written to a note before it is changed, and put back from it: at the
# run's end, or, after a crash, by the next run. Invoke-Verification.ps1 dot-sources this.

$restoreNote = 'verification'

function Get-FilterCounter {
    <#
    .SYNOPSIS
    Returns the counters of the filter on the NIC that is verified.
    #>
    (Invoke-MslsoCtl stats, "$($nic.ifIndex)").statistics
}

function Test-Attached {
    <#
    .SYNOPSIS
    Returns whether the filter runs on a NIC.
    #>
    param([Parameter(Mandatory)]$Nic)
    [bool]@((Invoke-MslsoCtl list).adapters | Where-Object { $_.base_if_index -eq $Nic.ifIndex -and $_.running })
}

function Wait-Attached {
    <#
    .SYNOPSIS
    Waits until the filter runs on a NIC, or until it no longer does.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)][bool]$Wanted)
    for ($try = 0; $try -lt 60; $try++) {
        if ((Test-Attached $Nic) -eq $Wanted) { return }
        Start-Sleep -Milliseconds 500
    }
    throw "After 30 seconds mslso's state on '$($Nic.Name)' is not as expected (running: $Wanted). See mslsoctl list."
}

function Get-ProcessMark {
    <#
    .SYNOPSIS
    Returns a text that only this process has, or the one of a number; nothing if it has ended.
    #>
    param([int]$Id = $PID)
    # Of some processes of the system Windows does not tell the start; this one is none of them.
    try { "$Id $((Get-Process -Id $Id -ErrorAction Stop).StartTime.ToUniversalTime().ToString('o'))" } catch { '' }
}

function Save-Original {
    <#
    .SYNOPSIS
    Writes down the bindings and the tuning of a NIC, and returns what was written.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)][string[]]$Components, $Tuning)
    $bindings = foreach ($component in $Components) {
        foreach ($binding in @(Get-LabBinding $Nic $component)) { @{ Component = $component; Enabled = [bool]$binding.Enabled } }
    }
    $original = [ordered]@{
        Version = 1
        Process = Get-ProcessMark
        Written = (Get-Date).ToString('o')
        Adapter = $Nic.Name
        InterfaceGuid = "$($Nic.InterfaceGuid)"
        Bindings = @($bindings)
        Tuning = $Tuning
    }
    Write-LabNote $restoreNote $original
    Read-LabNote $restoreNote
}

function Get-Leftover {
    <#
    .SYNOPSIS
    Returns what a run that was broken off has left to put back, or nothing; stops if that run goes on.
    #>
    $original = Read-LabNote $restoreNote
    if (-not $original) { return }
    $mark = "$($original.Process)"
    # A session in which a run was broken off may live on; it runs this one now.
    if ($mark -and $mark -ne (Get-ProcessMark)) {
        $id = [int]($mark -split ' ')[0]
        if ($mark -eq (Get-ProcessMark $id)) {
            Stop-Mslso "Another verification runs, on '$($original.Adapter)', in process $id. Wait for its end."
        }
    }
    $original
}

function Format-Leftover {
    <#
    .SYNOPSIS
    Returns a sentence on what a run that was broken off has left changed.
    #>
    param([Parameter(Mandatory)]$Original)
    $names = @($Original.Bindings | Where-Object { $_ } | ForEach-Object { "$($_.Component) $(if ($_.Enabled) { 'on' } else { 'off' })" })
    "A verification of '$($Original.Adapter)' was broken off. It had begun with $($names -join ' and '), which may be otherwise now."
}

function Set-Binding {
    <#
    .SYNOPSIS
    Turns a component on a NIC on or off, unless it is so.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)][string]$Component, [Parameter(Mandatory)][bool]$Enabled)
    $binding = @(Get-LabBinding $Nic $Component)
    if (-not $binding) { throw "$Component is not on '$($Nic.Name)'." }
    if ([bool]$binding[0].Enabled -eq $Enabled) { return }
    if ($Enabled) {
        Enable-NetAdapterBinding -InputObject $binding[0] -Confirm:$false -ErrorAction Stop
    } else {
        Disable-NetAdapterBinding -InputObject $binding[0] -Confirm:$false -ErrorAction Stop
    }
}

function Restore-Binding {
    <#
    .SYNOPSIS
    Puts a binding back; stops with its name and the command that does it by hand.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)][string]$Component, [Parameter(Mandatory)][bool]$Enabled)
    try {
        Set-Binding $Nic $Component $Enabled
    } catch {
        $verb, $state = 'Disable', 'on'
        if ($Enabled) { $verb, $state = 'Enable', 'off' }
        throw ("$Component is still $state on '$($Nic.Name)'. $_ By hand: " +
            "$verb-NetAdapterBinding -Name $(Format-Argument $Nic.Name -Pattern) -ComponentID $Component")
    }
}

function Restore-Tuning {
    <#
    .SYNOPSIS
    Puts the tuning of a NIC back, cap included.
    .DESCRIPTION
    The filter reads the registry when it attaches, so settings that were made for the time being are lost then.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)]$Tuning)
    $back = @('--multiple', "$($Tuning.multiple)")
    if ($Tuning.profile) { $back = @('--profile', $Tuning.profile) }
    $cap = [int]$Tuning.cap_bytes
    Invoke-MslsoCtl (@('set', "$($Nic.ifIndex)", '--cap', "$cap") + $back) | Out-Null
}

function Restore-Original {
    <#
    .SYNOPSIS
    Puts back all that was written down, and deletes the note; stops with what could not be put back.
    #>
    param([Parameter(Mandatory)]$Original)
    $nic = @(Get-NetAdapter -IncludeHidden -ErrorAction Stop | Where-Object { "$($_.InterfaceGuid)" -eq $Original.InterfaceGuid })
    if (-not $nic) { throw "The NIC '$($Original.Adapter)' is not there, so its bindings cannot be put back." }
    $failures = @()
    $bound = $false
    foreach ($binding in @($Original.Bindings | Where-Object { $_ })) {
        if ($binding.Component -eq $MslsoComponent) { $bound = $binding.Enabled }
        # A component that was uninstalled since has no binding to put back.
        if (-not @(Get-LabBinding $nic[0] $binding.Component)) { continue }
        try { Restore-Binding $nic[0] $binding.Component $binding.Enabled } catch { $failures += "$_" }
    }
    # A restart has put back the tuning that lasts; any other was to be lost with it.
    $isSameStart = (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime -lt [datetime]$Original.Written
    if ($Original.Tuning -and $bound -and $isSameStart -and -not $failures) {
        try {
            Wait-Attached $nic[0] $true
            Restore-Tuning $nic[0] $Original.Tuning
        } catch {
            $failures += "The tuning is not put back. $_"
        }
    }
    if ($failures) {
        # The next run tries again, whether or not this session has ended by then.
        $Original.Process = ''
        Write-LabNote $restoreNote $Original
        throw ($failures -join ' ')
    }
    Clear-LabNote $restoreNote
}
