<#
.SYNOPSIS
Removes the mslso filter driver and its packages from the driver store.

.DESCRIPTION
The script looks for the network component, the service, the packages in the driver store, and the copy
of the driver that Windows before build 25319 leaves in System32\drivers. It asks one question, removes
what it found, and looks again. A step that fails does not stop the others, but if a component stays,
its package stays too. The script names what is left; the exit code is then 1.

Adapters lose their connections for some seconds. The script does not restart the system. Test signing
and Driver Verifier stay as they are; Set-TestSigning.ps1 -Off and Set-Verifier.ps1 -Off turn them off.

.PARAMETER KeepSettings
Keeps a copy of the adapters' settings and bindings, which the next installation puts back.

.PARAMETER Force
Suppresses the question. Use it in tasks and with 'powershell -File', to which -Confirm:$false cannot be
passed.

.PARAMETER TimeoutSeconds
The time that netcfg may take. The script does not end a netcfg that runs longer, but reports it.

.PARAMETER RestartExitCode
The exit code if all is done and a restart is needed. Deployment tools expect 3010.

.EXAMPLE
.\Uninstall-Mslso.ps1

.EXAMPLE
.\Uninstall-Mslso.ps1 -KeepSettings -Confirm:$false
Removes the driver without a question; the next installation has the settings of this one.
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [switch]$KeepSettings,
    [switch]$Force,
    [ValidateRange(5, 3600)]
    [int]$TimeoutSeconds = 300,
    [ValidateRange(0, 65535)]
    [int]$RestartExitCode = 0
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

# What is there of mslso, in words.
function Get-Remains {
    $component = Get-MslsoComponent
    $driver = Get-MslsoDriver
    if ($component) { "the component $MslsoComponent" }
    if ($driver) { "the service $MslsoService ($($driver.State))" }
    Get-MslsoStagedInf | ForEach-Object { "the package $_" }
    Get-MslsoCopy
    if (-not $KeepSettings -and (Test-Path -LiteralPath $MslsoNoteKey)) { 'the copy of the settings' }
}

# Runs a step; keeps its failure, so that the others follow. Returns what the step returns.
function Invoke-Step([scriptblock]$Body) {
    try {
        & $Body
    } catch {
        # netcfg still runs: nothing else is changed meanwhile.
        if ($_.Exception -is [TimeoutException]) { throw }
        $script:failures += "$_"
    }
}

function Remove-Component {
    if (-not (Get-MslsoComponent)) { return }
    Invoke-Netcfg "-v -u $MslsoComponent" $TimeoutSeconds
    if (Get-MslsoComponent) { Stop-Mslso "netcfg reports success, but the component $MslsoComponent is still there." }
}

# A service without its component, which netcfg does not find.
function Remove-OrphanService {
    $driver = Get-MslsoDriver
    if (-not $driver -or $driver.IsLeaving -or (Get-MslsoComponent)) { return }
    # 1062: it does not run; 1072: it leaves already.
    Invoke-Native sc.exe 'stop', $MslsoService -Allowed 0, 1062 | Out-Null
    Invoke-Native sc.exe 'delete', $MslsoService -Allowed 0, 1072 | Out-Null
}

function Remove-Packages {
    $component = Get-MslsoComponent
    if ($component -and -not $component.InfPath) { return }
    foreach ($inf in @(Get-MslsoStagedInf)) {
        if ($component -and $component.InfPath -eq $inf) { continue }
        Invoke-Step {
            Remove-MslsoPackage $inf
            Write-Information "$inf is deleted from the driver store." -InformationAction Continue
        }
    }
}

function Remove-Copies {
    foreach ($file in @(Get-MslsoCopy)) {
        Invoke-Step {
            try {
                Remove-Item -LiteralPath $file -Force
            } catch {
                Stop-Mslso "$file could not be deleted: $_"
            }
        }
    }
}

Assert-MslsoHost
Assert-NoNetcfg
$failures = @()
$remains = @(Get-Remains)
$driver = Get-MslsoDriver
if (-not $remains) {
    Write-Output 'mslso is not installed. Nothing of mslso is left.'
    exit 0
}
if ($driver -and $driver.IsLeaving -and $remains.Count -eq 1) {
    Write-Warning "Restart the system: mslso is removed, and $($remains -join ', ') leaves with the next start."
    exit $RestartExitCode
}
if (Get-MslsoComponent) {
    Write-Warning ('Windows tears down and rebuilds the network stack: all adapters lose their connections for some seconds. ' +
        'VPN clients drop, a port with 802.1X asks again, and a remote session may end: have a console at hand.')
}
if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
if (-not (Confirm-Mslso $PSCmdlet ($remains -join ', ') 'Remove the filter driver mslso (adapters lose connections for seconds)')) {
    if (-not $WhatIfPreference) { Write-Output 'Not confirmed. Nothing is removed.' }
    exit 0
}
$ConfirmPreference = 'None'

if ($KeepSettings -and ($driver -or (Get-MslsoComponent))) { Save-MslsoNote }
$wishes = @(
    Invoke-Step { Remove-Component }
    Invoke-Step { Remove-OrphanService }
    Remove-Packages
    Remove-Copies
)
if (-not $KeepSettings -and -not (Get-MslsoComponent)) { Invoke-Step { Remove-MslsoNote } }

$remains = @(Get-Remains)
$driver = Get-MslsoDriver
$isLeaving = $driver -and $driver.IsLeaving
# What a restart takes away is no failure.
$stays = @($remains | Where-Object { -not ($isLeaving -and $_ -like 'the service *') })
if ($failures -or $stays) {
    Stop-Mslso ("mslso was not completely removed. Remaining: $(if ($stays) { $stays -join ', ' } else { 'nothing that was found' }).`n" +
        "$($failures -join "`n")`nRun this again after it. The log is $(Get-SetupLog).")
}
if ($isLeaving -or $wishes -contains $true) {
    Write-Warning "Restart the system: until then $(if ($remains) { $remains -join ', ' } else { 'files of the driver' }) remain."
    exit $RestartExitCode
}
if ($KeepSettings -and (Test-Path -LiteralPath $MslsoNoteKey)) {
    Write-Output 'Nothing of mslso is left but a copy of its settings, which the next installation puts back.'
} else {
    Write-Output 'Nothing of mslso is left.'
}
exit 0
