# The steps of Install-Mslso.ps1, which has asked before it calls one that changes something.

function Resolve-MslsoAdapter {
    <#
    .SYNOPSIS
    Returns the adapters of these names; stops if there is none of a name, and lists those there are.
    #>
    param([string[]]$Name = @())
    if (-not $Name) { return }
    # All, and compared: -Name would take a name with brackets for a pattern.
    $all = @(Get-NetAdapter -ErrorAction Stop)
    # With 'powershell -File' a list arrives as one text.
    $names = foreach ($one in $Name) {
        if (@($all | Where-Object { $_.Name -eq $one })) { $one } else { $one -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ } }
    }
    foreach ($one in @($names | Select-Object -Unique)) {
        $found = @($all | Where-Object { $_.Name -eq $one })
        if ($found.Count -ne 1) {
            Stop-Mslso "There is no adapter '$one'. There are: $(@($all | ForEach-Object { "'$($_.Name)'" }) -join ', ')."
        }
        $found[0]
    }
}

function Assert-MslsoPolicy {
    <#
    .SYNOPSIS
    Stops if a policy keeps drivers of the INF's class from being installed; warns if a restart is pending.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    # DeviceInstallation policy: "Prevent installation of devices using drivers that match these
    # device setup classes".
    $key = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions'
    $class = @(Read-MslsoInf (Join-Path $Folder 'mslso.inf') 'Version' | Where-Object { $_ -match '^ClassGuid\s*=\s*(\{[^}]+\})' } | ForEach-Object { $Matches[1] })[0]
    $list = "$key\DenyDeviceClasses"
    if ((Get-RegistryValue $key 'DenyDeviceClasses') -eq 1 -and (Test-Path -LiteralPath $list)) {
        foreach ($name in @((Get-Item -LiteralPath $list).Property)) {
            if ("$(Get-RegistryValue $list $name)".Trim() -eq $class) {
                Stop-Mslso "A policy prevents the installation of drivers of the class $class (network services): $list, value $name. Ask whoever administers the policy."
            }
        }
    }
    $pending = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending',
        'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    foreach ($sign in $pending) {
        if (Test-Path -LiteralPath $sign) {
            Write-Warning "Windows waits for a restart ($sign). Restart first; otherwise netcfg may demand it."
            return
        }
    }
}

function Write-MslsoOutageWarning {
    <#
    .SYNOPSIS
    Says what a change of the network stack breaks, before the question.
    #>
    Write-Warning ('Windows tears down and rebuilds the network stack: all adapters lose their connections for some seconds. ' +
        'VPN clients drop, a port with 802.1X asks again, and a remote session may end: have a console at hand.')
}

function Get-MslsoDamage {
    <#
    .SYNOPSIS
    Returns what is missing of an installation of this build, in words.
    #>
    param([Parameter(Mandatory)]$Driver)
    if ($Driver.Start -ne 1) { "the service's start type (it is $($Driver.Start) instead of 1, system start)" }
    if (-not (Test-Path -LiteralPath $MslsoDescriptionKey)) { 'the descriptions of settings (FilterAdapterParams)' }
    if (Test-MslsoSettingsLost) { 'the settings of adapters' }
    $noted = @(Get-MslsoNote)
    if (Get-RegistryValue $MslsoNoteKey 'Waiting') { 'the bindings to adapters'; $noted = @() }
    # One that is off among others that are on was taken off by the administrator.
    if ($noted) {
        $adapters = @(Get-MslsoAdapterState)
        if (@($adapters | Where-Object { $_.Guid -in $noted }) -and -not @($adapters | Where-Object { $_.IsBound })) { 'the bindings to adapters' }
    }
    if ($Driver.State -ne 'Running') { "the driver's start (it is $($Driver.State))" }
}

function Repair-Mslso {
    <#
    .SYNOPSIS
    Puts back what Get-MslsoDamage found, and says so.
    #>
    param([Parameter(Mandatory)][string[]]$Damage, [Parameter(Mandatory)][string]$Inf)
    if ($Damage -like "*start type*") {
        # The service manager has a copy of the value, so it is told, not the registry alone.
        Invoke-Native sc.exe 'config', $MslsoService, 'start=', 'system' | Out-Null
    }
    if ($Damage -like '*FilterAdapterParams*') { Restore-MslsoDescription $Inf }
    if ($Damage -like "*driver's start*") {
        $code = Start-MslsoDriver
        if ($code) {
            Stop-Mslso "mslso is installed, and its driver does not run. $(Get-MslsoStartAdvice $code)`nUninstall-Mslso.ps1 removes it."
        }
    }
    if ($Damage -like '*bindings*') { Restore-MslsoBinding | Out-Null }
    if ($Damage -like '*settings of adapters*') { Restore-MslsoSettings | Out-Null }
    Write-Output "Put back: $($Damage -join ', ')."
}

function Start-MslsoDriver {
    <#
    .SYNOPSIS
    Waits for the driver to run, and starts it if it does not. Returns 0, or the error that it does not start with.
    #>
    for ($try = 0; $try -lt 20; $try++) {
        if ("$((Get-Service -Name $MslsoService -ErrorAction Stop).Status)" -eq 'Running') { return 0 }
        Start-Sleep -Milliseconds 500
    }
    # Windows may have tried before and kept no reason; this try has one: sc.exe ends with the error.
    Invoke-Native sc.exe 'start', $MslsoService -AnyExitCode | Out-Null
    # ERROR_SERVICE_ALREADY_RUNNING.
    if ($LASTEXITCODE -notin 0, 1056) { return $LASTEXITCODE }
    if ("$((Get-Service -Name $MslsoService -ErrorAction Stop).Status)" -eq 'Running') { return 0 }
    # ERROR_SERVICE_NOT_ACTIVE: started, and not running.
    1062
}

function Get-MslsoStartAdvice {
    <#
    .SYNOPSIS
    Returns what an error of the driver's start means, and what to do.
    #>
    param([Parameter(Mandatory)][int]$Code)
    $integrity = "the log 'Microsoft-Windows-CodeIntegrity/Operational' names the file and the reason"
    $meaning = switch ($Code) {
        2 { 'its file is missing' }
        31 { 'a device is not functioning, which is what DriverEntry failing looks like: NDIS is too old, or there was no memory; see the System log' }
        193 { 'the file is for another processor' }
        577 { "Windows cannot verify its digital signature: test mode is off, or memory integrity rejects the file; $integrity" }
        1058 { 'the service is disabled' }
        1072 { 'it is marked for deletion; restart the system' }
        1275 { "a policy has blocked it from loading, such as App Control or the list of vulnerable drivers; $integrity" }
        default { 'see the System log, source Service Control Manager' }
    }
    "The driver did not start: error $Code (0x$('{0:X}' -f $Code)), $meaning."
}

function Install-MslsoPackage {
    <#
    .SYNOPSIS
    Installs a package with netcfg, and checks that its driver is the one installed, and runs. Returns true if a restart is needed.
    #>
    param([Parameter(Mandatory)][string]$Folder, [Parameter(Mandatory)][string]$Hash, [Parameter(Mandatory)][int]$TimeoutSeconds)
    $inf = Join-Path $Folder 'mslso.inf'
    $restart = Invoke-Netcfg "-v -l `"$inf`" -c s -i $MslsoComponent" $TimeoutSeconds
    $driver = Get-MslsoDriver
    if (-not $driver) { Stop-Mslso 'netcfg reports success, but there is no service mslso.' }
    # Of several packages in the driver store Windows takes the one that it ranks highest.
    if ($driver.Hash -ne $Hash) {
        Stop-Mslso "Windows took another package of mslso from the driver store: $($driver.File) is not this package's mslso.sys. In the store are: $((Get-MslsoStagedInf) -join ', '). Uninstall-Mslso.ps1 deletes all."
    }
    if (-not $restart) {
        $code = Start-MslsoDriver
        if ($code) { Stop-Mslso (Get-MslsoStartAdvice $code) }
    }
    $restart
}

function Undo-MslsoInstall {
    <#
    .SYNOPSIS
    Removes what an installation left. Returns what is still there, in words.
    #>
    param([string[]]$Keep = @(), [Parameter(Mandatory)][int]$TimeoutSeconds)
    $why = @()
    if (Get-MslsoComponent) {
        try { Invoke-Netcfg "-v -u $MslsoComponent" $TimeoutSeconds | Out-Null } catch { $why += "$_" }
    }
    foreach ($inf in @(Get-MslsoStagedInf | Where-Object { $_ -notin $Keep })) {
        try { Remove-MslsoPackage $inf | Out-Null } catch { $why += "$_" }
    }
    foreach ($file in @(Get-MslsoCopy)) {
        try { Remove-Item -LiteralPath $file -Force } catch { $why += "$_" }
    }
    $left = @()
    if (Get-MslsoComponent) { $left += "the component $MslsoComponent" }
    if (Get-MslsoDriver) { $left += "the service $MslsoService" }
    $left += @(Get-MslsoStagedInf | Where-Object { $_ -notin $Keep } | ForEach-Object { "the package $_" })
    $left += @(Get-MslsoCopy)
    if ($left) { "$($left -join ', ')$(if ($why) { " ($($why -join ' '))" })" }
}

function Remove-OldPackage {
    <#
    .SYNOPSIS
    Deletes packages of mslso from the driver store, which Windows might rank above the new one.
    #>
    param([string[]]$Inf = @())
    foreach ($one in $Inf) {
        try {
            Remove-MslsoPackage $one | Out-Null
        } catch {
            Write-Warning "The old package $one is still in the driver store. $_"
        }
    }
}

function Add-Mslso {
    <#
    .SYNOPSIS
    Installs the package if nothing is installed; undoes it if that fails. Returns true if a restart is needed.
    #>
    param([string]$Folder, [string]$Hash, [int]$TimeoutSeconds)
    $same = (Get-FileHash -LiteralPath (Join-Path $Folder 'mslso.inf') -Algorithm SHA256).Hash
    $old = @(Get-MslsoStagedInf | Where-Object {
            (Get-FileHash -LiteralPath (Join-Path (Join-Path $env:SystemRoot 'INF') $_) -Algorithm SHA256).Hash -ne $same })
    Remove-OldPackage $old
    $before = @(Get-MslsoStagedInf)
    try {
        $restart = Install-MslsoPackage $Folder $Hash $TimeoutSeconds
        # Of an installation that was removed with -KeepSettings, or that Windows lost.
        if (-not $restart -and (Test-Path -LiteralPath $MslsoNoteKey)) { Restore-KeptState }
        return $restart
    } catch {
        # netcfg still runs: nothing is undone behind its back.
        if ($_.Exception -is [TimeoutException]) { throw }
        $failure = "$_"
    }
    # This netcfg has changed nothing, and what is there by now is another one's.
    if ($failure -like '*0x8004A024*') { Stop-Mslso "mslso is not installed. $failure" }
    $left = Undo-MslsoInstall $before $TimeoutSeconds
    $end = 'What was installed has been removed again.'
    if ($left) { $end = "It could not all be removed again: $left is left. Run Uninstall-Mslso.ps1." }
    Stop-Mslso "mslso is not installed. $failure`n$end`nThe log is $(Get-SetupLog)."
}

function Update-Mslso {
    <#
    .SYNOPSIS
    Replaces the installed build, and puts settings and bindings back; restores the old build if the new one fails. Returns true if a restart is needed.
    #>
    param([string]$Folder, [string]$Hash, $Driver, $Component, [int]$TimeoutSeconds)
    $old = @(Get-MslsoStagedInf)
    $saved = $null
    try {
        try {
            $saved = Save-OldPackage $Component
            Save-MslsoNote
        } catch {
            Stop-Mslso "The old build stays as it is: what has to be kept of it, its package, bindings and settings, could not be saved. $_"
        }
        if ($Component) {
            $restart = Remove-OldBuild $TimeoutSeconds
            $now = Get-MslsoDriver
            if ($restart -or ($now -and $now.IsLeaving)) {
                Stop-Mslso 'The old build is removed, and leaves with the next restart; the new one is not installed. Restart the system, then run this again. Settings and bindings are kept until then.'
            }
        }
        Remove-OldPackage $old
        $restart = $false
        try {
            $restart = Install-MslsoPackage $Folder $Hash $TimeoutSeconds
        } catch {
            if ($_.Exception -is [TimeoutException]) { throw }
            Restore-OldPackage "$_" $saved $Driver $TimeoutSeconds
        }
        if (-not $restart) { Restore-KeptState }
        $restart
    } finally {
        if ($saved -and (Test-Path -LiteralPath $saved)) { Remove-Item -LiteralPath $saved -Recurse -Force }
    }
}

function Remove-OldBuild {
    <#
    .SYNOPSIS
    Removes the installed component; if that fails, says that it stays. Returns true if a restart is needed.
    #>
    param([int]$TimeoutSeconds)
    try {
        return Invoke-Netcfg "-v -u $MslsoComponent" $TimeoutSeconds
    } catch {
        if ($_.Exception -is [TimeoutException]) { throw }
        $failure = "$_"
    }
    Stop-Mslso "The new build is not installed, and the old one stays as it is. $failure"
}

function Save-OldPackage {
    <#
    .SYNOPSIS
    Copies the installed package out of the driver store; returns the folder, or nothing if it is not found.
    #>
    param($Component)
    if (-not $Component -or -not $Component.InfPath) { return }
    $source = Get-MslsoStoreFolder $Component.InfPath
    if (-not $source) { return }
    $folder = Join-Path ([IO.Path]::GetTempPath()) "mslso-$([guid]::NewGuid().ToString('n'))"
    New-Item -ItemType Directory -Path $folder | Out-Null
    foreach ($name in $MslsoDriverFiles) { Copy-Item -LiteralPath (Join-Path $source $name) -Destination $folder }
    $folder
}

function Restore-OldPackage {
    <#
    .SYNOPSIS
    Puts the old build back after the new one failed, and stops with the cause and with what is installed now.
    #>
    param([string]$Failure, [string]$Saved, $Driver, [int]$TimeoutSeconds)
    $left = Undo-MslsoInstall @() $TimeoutSeconds
    $why = 'its package was not found in the driver store'
    if ($left) {
        $why = "of the new one is left: $left"
    } elseif ($Saved -and $Driver -and $Driver.Hash) {
        $why = ''
        try {
            Install-MslsoPackage $Saved $Driver.Hash $TimeoutSeconds | Out-Null
        } catch {
            if ($_.Exception -is [TimeoutException]) { throw }
            $why = "$_"
        }
        if (Get-MslsoComponent) { Restore-KeptState }
    }
    $end = 'Settings and bindings are kept for the next installation.'
    if (-not $why) {
        $end = 'The old build is put back, with its settings and bindings.'
    } elseif (Get-MslsoComponent) {
        $end = "The old build is put back, with its settings and bindings, but does not run. $why"
    } else {
        $end = "mslso is not installed: the old build could not be put back. $why`nRun Uninstall-Mslso.ps1 -KeepSettings, then this again. $end"
    }
    Stop-Mslso "The new build is not installed. $Failure`n$end`nThe log is $(Get-SetupLog)."
}

function Restore-KeptState {
    <#
    .SYNOPSIS
    Gives a new installation the bindings and settings of the former one.
    #>
    Restore-MslsoBinding | Out-Null
    Restore-MslsoSettings | Out-Null
}

function Enable-MslsoNic {
    <#
    .SYNOPSIS
    Turns an adapter on with a profile, for good; stops if that fails.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)][string]$ProfileName)
    foreach ($state in @(Get-MslsoAdapterState | Where-Object { $_.Name -eq $Nic.Name -and -not $_.IsBound })) {
        Set-MslsoBinding $state $true
    }
    # The filter attaches some moments after netcfg has ended.
    for ($try = 0; $try -lt 20; $try++) {
        if (@((Invoke-MslsoCtl list).adapters | Where-Object { $_.base_if_index -eq $Nic.ifIndex })) { break }
        Start-Sleep -Milliseconds 500
    }
    try {
        Invoke-MslsoCtl 'set', "$($Nic.ifIndex)", '--profile', $ProfileName, '--persist' | Out-Null
    } catch {
        Stop-Mslso "mslso is installed, but '$($Nic.Name)' is not set to the profile $ProfileName. $_"
    }
    Write-Output "'$($Nic.Name)' has the profile $ProfileName, which stays over restarts."
}

function Write-MslsoBindings {
    <#
    .SYNOPSIS
    Says which adapters are filtered, and how to raise the size on one if none was raised.
    #>
    param([object[]]$Nics = @())
    try {
        $bound = @(Get-MslsoAdapterState | Where-Object { $_.IsBound } | ForEach-Object { $_.Name })
    } catch {
        Write-Warning "Could not determine which adapters it is bound to: $_"
        return
    }
    if ($bound) {
        Write-Output "It is bound to: $($bound -join ', '). See '.\mslsoctl.exe list'."
    } else {
        Write-Warning "It is bound to no adapter. Bind it: Enable-NetAdapterBinding -Name ADAPTER -ComponentID $MslsoComponent"
    }
    if (-not $Nics) {
        Write-Output "No setting is changed: a newly bound adapter keeps the NIC's own sizes. Turn one on: .\Install-Mslso.ps1 -Adapter ADAPTER -Profile throughput"
    }
}
