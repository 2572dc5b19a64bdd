# netcfg.exe with a time limit, tries again, and words for its exit codes; pnputil.exe. The callers
# have asked. Mslso.Common.ps1 dot-sources this.

# netcfgx.h. Done, to be finished by a restart; removed from here, but another component refers to it.
$MslsoNeedsRestart = 0x4A020
$MslsoStillReferenced = 0x4A023

# netcfg ends with the HRESULT of INetCfg, and prints little. netcfgx.h, setupapi.h, winerror.h.
$MslsoNetcfgCodes = @{
    '0x0004A023' = 'NETCFG_S_STILL_REFERENCED: another network component still refers to it. Remove that one first.'
    '0x8004A022' = 'NETCFG_E_IN_USE: another program is using the network configuration. Close it, then run this again.'
    '0x8004A024' = 'NETCFG_E_NO_WRITE_LOCK: another program holds the network configuration: an open properties window of an adapter (of another user who is logged on, too), another installer, or a netcfg that still runs. Close it, then run this again.'
    '0x8004A025' = 'NETCFG_E_NEED_REBOOT: Windows has to restart first. Restart the system, then run this again.'
    '0x8004A026' = 'NETCFG_E_ACTIVE_RAS_CONNECTIONS: dial-up or VPN connections are active. Disconnect them, then run this again.'
    '0x8004A028' = 'NETCFG_E_COMPONENT_REMOVED_PENDING_REBOOT: an earlier removal waits for a restart. Restart the system, then run this again.'
    '0x8004A029' = 'NETCFG_E_MAX_FILTER_LIMIT: too many network filters are installed. Remove one, or raise MaxNumFilters under HKLM\SYSTEM\CurrentControlSet\Control\Network.'
    '0x8004A02A' = 'NETCFG_E_VMSWITCH_ACTIVE_OVER_ADAPTER: a virtual switch is active over an adapter and forbids the change. Move the VMs, remove the switch for the time of the change.'
    '0x80070005' = 'access denied, though this is an administrator: security software (anti-virus, endpoint protection) or a policy forbids it. Ask whoever administers it.'
    '0x80070430' = 'ERROR_SERVICE_MARKED_FOR_DELETE: an earlier removal waits for a restart. Restart the system, then run this again.'
    '0x80070006' = 'an invalid handle, for no known reason. Run this again; if it stays, restart the system and run this again.'
    '0x80070490' = 'ERROR_NOT_FOUND, for no known reason. Run this again; if it stays, restart the system and run this again.'
    '0x8000FFFF' = 'E_UNEXPECTED, for no known reason. Run this again; if it stays, restart the system and run this again.'
    '0x800F0203' = 'no driver selected: a broken or older package of the component is in the driver store. Uninstall-Mslso.ps1 deletes all of them; then run this again.'
    '0x800F0248' = 'a policy prevents the installation of devices of this class (DeviceInstall\Restrictions). Ask whoever administers the policy.'
    '0x800F024B' = 'a file is not in the catalog: the package is not whole. Copy it again.'
    '0x800B0100' = 'the catalog has no signature. Copy the package again.'
    '0x800B0109' = 'the certificate is not in the store Root. Run Set-TestSigning.ps1 first.'
    '0xE0000242' = 'the certificate is not in the store TrustedPublisher. Run Set-TestSigning.ps1 first.'
}

function Get-SetupLog {
    <#
    .SYNOPSIS
    Returns the path of the log that the installation of drivers writes, or its last lines with -Last.
    #>
    param([int]$Last = 0)
    $file = Join-Path (Join-Path $env:SystemRoot 'INF') 'setupapi.dev.log'
    if (-not $Last) { return $file }
    if (Test-Path -LiteralPath $file) { (Get-Content -LiteralPath $file -Tail $Last) -join "`n" }
}

function Assert-NoNetcfg {
    <#
    .SYNOPSIS
    Waits for a netcfg.exe that runs, as of another run of a script or of one before; stops if it does not end.
    #>
    $program = @(Get-Command netcfg.exe -CommandType Application -ErrorAction SilentlyContinue | ForEach-Object { $_.Path })
    for ($try = 1; ; $try++) {
        $running = @(Get-Process -Name netcfg -ErrorAction SilentlyContinue | Where-Object { $_.Path -in $program })
        if (-not $running) { return }
        if ($try -ge 8) { break }
        if ($try -eq 1) { Write-Warning "netcfg.exe runs already (process $($running[0].Id)); waiting for some 40 seconds." }
        Start-Sleep -Seconds 5
    }
    Stop-Mslso ("netcfg.exe still runs (process $($running[0].Id)), started by another run or another installer. Nothing is changed. " +
        "Wait until 'Get-Process -Id $($running[0].Id)' finds it no more, then run this again; if it does not end, restart the system first.")
}

function Start-Netcfg {
    <#
    .SYNOPSIS
    Runs netcfg.exe until it ends, or for a time; returns its process and what it printed.
    #>
    param([string]$Arguments, [int]$TimeoutSeconds)
    $program = @(Get-Command netcfg.exe -CommandType Application -ErrorAction SilentlyContinue)
    if (-not $program) { Stop-Mslso 'netcfg.exe is not found. It comes with Windows, in System32.' }
    $start = [Diagnostics.ProcessStartInfo]::new()
    $start.FileName = $program[0].Path
    $start.Arguments = $Arguments
    $start.UseShellExecute = $false
    # A console of its own: Ctrl-C in this one must not end it halfway.
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    $printed = $process.StandardOutput.ReadToEndAsync(), $process.StandardError.ReadToEndAsync()
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $seconds = 0
    try {
        while (-not $process.WaitForExit(500)) {
            $seconds = [int]$clock.Elapsed.TotalSeconds
            if ($seconds -ge $TimeoutSeconds) { return [pscustomobject]@{ Process = $process; Lines = @() } }
            if ($seconds -ge 5) {
                Write-Progress -Activity "netcfg.exe $Arguments" -Status "$seconds of at most $TimeoutSeconds seconds"
            }
        }
    } finally {
        # After Ctrl-C nothing but this is reached, and nothing but the host is heard.
        if ($seconds -lt $TimeoutSeconds -and -not $process.HasExited) {
            $Host.UI.WriteWarningLine("netcfg.exe still runs (process $($process.Id)), and ends by itself. Nothing is checked or undone. Run this again after it.")
        }
    }
    Write-Progress -Activity "netcfg.exe $Arguments" -Completed
    $lines = @(foreach ($task in $printed) { $task.Result -split '\r?\n' | Where-Object { $_.Trim() } })
    [pscustomobject]@{ Process = $process; Lines = $lines }
}

function Stop-ForRunningNetcfg {
    <#
    .SYNOPSIS
    Ends the script while netcfg still runs, and says what is known. The error is a TimeoutException.
    #>
    param($Process, [string]$Arguments, [int]$TimeoutSeconds)
    $component = 'is not there'
    if (Get-MslsoComponent) { $component = 'is there' }
    $driver = Get-MslsoDriver
    $service = 'is not there'
    if ($driver) { $service = "is there ($($driver.State))" }
    $message = "netcfg.exe $Arguments has not ended within $TimeoutSeconds seconds, and still runs (process $($Process.Id)). " +
        "It is left alone, and nothing is undone: ended halfway, it would leave the network configuration locked. " +
        "Now the component $MslsoComponent $component, and the service $MslsoService $service.`n" +
        "Wait until 'Get-Process -Id $($Process.Id)' finds it no more, then run this again. If it does not end: move the VMs away, " +
        "restart the system, and run this or Uninstall-Mslso.ps1 again.`n" +
        "The log $(Get-SetupLog) ends with:`n$(Get-SetupLog -Last 5)"
    $failure = [TimeoutException]::new($message)
    throw [Management.Automation.ErrorRecord]::new($failure, 'MslsoTimeout', 'OperationTimeout', $null)
}

function Invoke-Netcfg {
    <#
    .SYNOPSIS
    Runs netcfg.exe; tries again while somebody holds the network configuration. Returns true if a restart is needed.
    #>
    param([Parameter(Mandatory)][string]$Arguments, [Parameter(Mandatory)][int]$TimeoutSeconds)
    for ($try = 1; ; $try++) {
        $run = Start-Netcfg $Arguments $TimeoutSeconds
        if (-not $run.Process.HasExited) { Stop-ForRunningNetcfg $run.Process $Arguments $TimeoutSeconds }
        $code = $run.Process.ExitCode
        if ('0x{0:X8}' -f $code -ne '0x8004A024' -or $try -ge 8) { break }
        if ($try -eq 1) { Write-Warning 'Another program holds the network configuration; trying again for some 40 seconds. Close windows with properties of adapters.' }
        Start-Sleep -Seconds 5
    }
    if ($code -eq 0) { return $false }
    if ($code -eq $MslsoNeedsRestart) { return $true }
    $hexadecimal = '0x{0:X8}' -f $code
    $meaning = $MslsoNetcfgCodes[$hexadecimal]
    if (-not $meaning) { $meaning = 'for a reason that is not known here. The log may say more.' }
    Stop-Mslso ("netcfg.exe $Arguments ended with $hexadecimal, $meaning`n" +
        "The log is $(Get-SetupLog). netcfg printed: $(@($run.Lines | Select-Object -Last 4) -join ' ')")
}

function Remove-MslsoPackage {
    <#
    .SYNOPSIS
    Deletes a package, such as oem7.inf, from the driver store. Returns true if a restart is needed.
    #>
    param([Parameter(Mandatory)][string]$Inf)
    # pnputil ends with ERROR_SUCCESS_REBOOT_REQUIRED, 3010, where the driver is loaded.
    Invoke-Native pnputil.exe '/delete-driver', $Inf -Allowed 0, 3010 | Out-Null
    $LASTEXITCODE -eq 3010
}

function Get-MslsoStoreFolder {
    <#
    .SYNOPSIS
    Returns the folder of the driver store that holds the package of an INF, such as oem7.inf.
    #>
    param([Parameter(Mandatory)][string]$Inf)
    $published = Join-Path (Join-Path $env:SystemRoot 'INF') $Inf
    $store = Join-Path (Join-Path (Join-Path $env:SystemRoot 'System32') 'DriverStore') 'FileRepository'
    if (-not (Test-Path -LiteralPath $published) -or -not (Test-Path -LiteralPath $store)) { return }
    $wanted = (Get-FileHash -LiteralPath $published -Algorithm SHA256).Hash
    foreach ($folder in @(Get-ChildItem -LiteralPath $store -Filter 'mslso.inf_*')) {
        $inf = Join-Path $folder.FullName 'mslso.inf'
        if ((Test-Path -LiteralPath $inf) -and (Get-FileHash -LiteralPath $inf -Algorithm SHA256).Hash -eq $wanted) {
            return $folder.FullName
        }
    }
}
