# Traces that a crash or an error leaves: bug checks and errors in the event log, dumps, and whether
# Driver Verifier watches. A place that cannot be read ends a check as not-run. Invoke-Verification.ps1
# dot-sources this after Mslso.Checks.ps1.

# Larger dumps stay where they are, and are named.
$largestCopy = 1gb

function Get-LogEvent {
    <#
    .SYNOPSIS
    Returns the events of a filter; none is an answer only if the log could be read.
    #>
    param([Parameter(Mandatory)][hashtable]$Filter)
    try {
        @(Get-WinEvent -FilterHashtable $Filter -ErrorAction Stop)
    } catch {
        if ("$($_.FullyQualifiedErrorId)" -notlike 'NoMatchingEventsFound*') {
            Skip-Check "the event log cannot be read: $_"
        }
    }
}

function Assert-NoBugCheck {
    <#
    .SYNOPSIS
    Stops if the system crashed since a time; returns from when on the log can tell.
    #>
    param([Parameter(Mandatory)][datetime]$Since)
    $found = @(Get-LogEvent @{ LogName = 'System'; Id = 1001; StartTime = $Since } |
            Where-Object { $_.ProviderName -in 'Microsoft-Windows-WER-SystemErrorReporting', 'BugCheck' })
    if ($found) { throw "$($found.Count) since $Since. The last: $($found[0].Message)" }
    # Written at the start after a stop without a shutdown. A bug check that could not be saved leaves no more.
    $stops = @(Get-LogEvent @{ LogName = 'System'; Id = 41; StartTime = $Since } |
            Where-Object { $_.ProviderName -eq 'Microsoft-Windows-Kernel-Power' })
    if ($stops) {
        Skip-Check "the system stopped without a shutdown before $($stops[0].TimeCreated), and no bug check was saved; find out why"
    }
    $oldest = $null
    try {
        $oldest = @(Get-WinEvent -LogName System -Oldest -MaxEvents 1 -ErrorAction Stop)[0].TimeCreated
    } catch {
        if ("$($_.FullyQualifiedErrorId)" -notlike 'NoMatchingEventsFound*') { Skip-Check "the event log cannot be read: $_" }
    }
    if ($oldest -and $oldest -gt $Since) { "since $oldest, where the event log begins" } else { "since $Since" }
}

function Assert-NoLogError {
    <#
    .SYNOPSIS
    Stops if the event log has warnings or errors of NDIS or of the driver since a time.
    #>
    param([Parameter(Mandatory)][datetime]$Since)
    $found = @(Get-LogEvent @{ LogName = 'System'; Level = 1, 2, 3; StartTime = $Since } |
            Where-Object { $_.ProviderName -match 'NDIS|mslso' -or $_.Message -match 'mslso' })
    if ($found) { throw "$($found.Count), such as: $($found[0].ProviderName) $($found[0].Id) $($found[0].Message)" }
}

function Get-DumpPlace {
    <#
    .SYNOPSIS
    Returns the files and folders to which this system writes dumps, and IsOn.
    #>
    # https://learn.microsoft.com/troubleshoot/windows-server/performance/memory-dump-file-options
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Control\CrashControl'
    try {
        $mode = Get-RegistryValue $key 'CrashDumpEnabled'
        $places = @(
            Get-RegistryValue $key 'DumpFile'
            Get-RegistryValue $key 'MinidumpDir'
            Get-RegistryValue (Join-Path $key 'LiveKernelReports') 'LiveKernelReportsPath'
            foreach ($name in 'MEMORY.DMP', 'Minidump', 'LiveKernelReports') { Join-Path $env:SystemRoot $name }
        )
    } catch {
        Skip-Check "the settings of the system's dumps cannot be read: $_"
    }
    $places = @($places | Where-Object { $_ } | ForEach-Object { [Environment]::ExpandEnvironmentVariables($_) -replace '^\\\?\?\\', '' } | Select-Object -Unique)
    [pscustomobject]@{ Places = $places; IsOn = "$mode" -ne '0' }
}

function Get-Dump {
    <#
    .SYNOPSIS
    Returns the dump files in a place, which is a file or a folder, that were written since a time.
    #>
    param([Parameter(Mandatory)][string]$Place, [Parameter(Mandatory)][datetime]$Since)
    try {
        if (-not (Test-LabPath $Place)) { return }
        @(Get-ChildItem -LiteralPath $Place -Recurse -Force -ErrorAction Stop | Where-Object {
                -not $_.PSIsContainer -and $_.LastWriteTime -gt $Since -and ($_.Extension -eq '.dmp' -or $_.FullName -eq $Place)
            })
    } catch {
        Skip-Check "$Place, to which the system writes dumps, cannot be looked at: $_"
    }
}

function Copy-Dump {
    <#
    .SYNOPSIS
    Copies a dump to a folder unless it is too large; returns its place, and whether it was copied.
    #>
    param([Parameter(Mandatory)]$File, [string]$Folder)
    $size = '{0:n1} MiB' -f ($File.Length / 1mb)
    if (-not $Folder) { return "$($File.FullName) ($size)" }
    if ($File.Length -gt $largestCopy) { return "$($File.FullName) ($size, too large to be copied)" }
    $target = Join-Path $Folder $File.Name
    for ($number = 2; Test-LabPath $target; $number++) { $target = Join-Path $Folder "$($File.BaseName)-$number$($File.Extension)" }
    try {
        Copy-Item -LiteralPath $File.FullName -Destination $target -ErrorAction Stop
        "$($File.FullName) ($size, copied)"
    } catch {
        "$($File.FullName) ($size, not copied: $_)"
    }
}

function Assert-NoDump {
    <#
    .SYNOPSIS
    Stops with the dumps written since a time, after copying them to a folder, if one is given.
    #>
    param([Parameter(Mandatory)][datetime]$Since, [string]$Folder)
    $set = Get-DumpPlace
    $dumps = @()
    $unseen = @()
    foreach ($place in $set.Places) {
        # Dumps that can be seen are named although another place cannot be looked at.
        try { $dumps += @(Get-Dump $place $Since) } catch { $unseen += "$_" -replace '^not-run: ', '' }
    }
    $dumps = @($dumps | Sort-Object FullName -Unique)
    if ($dumps) {
        $named = @($dumps | ForEach-Object { Copy-Dump $_ $Folder })
        throw "$($named -join ', '). Open them with the package's symbols."
    }
    if ($unseen) { Skip-Check ($unseen -join ' ') }
    if (-not $set.IsOn) { Skip-Check 'the system is set to write no dump (CrashDumpEnabled is 0)' }
}

function Get-RunningVerifier {
    <#
    .SYNOPSIS
    Returns Flags and Drivers of Driver Verifier as it runs now; Flags is -1 if they are not shown.
    #>
    $printed = (Invoke-Native verifier.exe '/query' -Allowed 0, 2) -join "`n"
    # Labels are in the system's language; numbers and names of drivers are not.
    $flags = [long]-1
    if ($printed -match '(?m):\s*(?:0x)?([0-9a-fA-F]{8})\s*$') { $flags = [Convert]::ToInt64($Matches[1], 16) }
    [pscustomobject]@{ Flags = $flags; Drivers = @(Get-VerifierSetting -Running) }
}
