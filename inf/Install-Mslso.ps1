<#
.SYNOPSIS
Installs, upgrades or repairs the mslso filter driver, from the package in the script's folder.

.DESCRIPTION
Before it changes anything, the script checks the host, the package's checksums and signatures, and that
Windows would load the driver. It then asks one question, installs the driver with netcfg, and checks
that the driver of this package runs. If a step fails, the script removes what it installed, and its
exit code is 1. The filter is bound to every Ethernet adapter, but raises no size until you choose a
profile for an adapter, with -Adapter, with Set-MslsoAdapter or with 'mslsoctl set'.

If another build is installed, this one replaces it, and settings and bindings stay. If the new build
fails, the script restores the old one. If the same build is installed, the script only restores what a
feature update of Windows removed: the start type, the descriptions and copied settings of the service,
and the bindings, if all are gone.

Adapters lose their connections for some seconds, including the adapter of a remote session. The script
does not restart the system.

.PARAMETER PackageFolder
The folder of the package. By default, the script's own folder.

.PARAMETER Adapter
The connection names of the NICs that get the profile, as Get-NetAdapter shows them. Other adapters stay
as they are.

.PARAMETER Profile
The profile for these adapters: latency, throughput, cpu or off. See tune.md in the documentation.

.PARAMETER Force
Suppresses the question. Use it in tasks and with 'powershell -File', to which -Confirm:$false cannot be
passed.

.PARAMETER TimeoutSeconds
The time that netcfg may take. The script does not end a netcfg that runs longer, but reports it.

.PARAMETER RestartExitCode
The exit code if all is done and a restart is needed. Deployment tools expect 3010.

.EXAMPLE
.\Install-Mslso.ps1
Installs the driver, and raises no size.

.EXAMPLE
.\Install-Mslso.ps1 -Adapter 'SLOT 3 Port 1', 'SLOT 3 Port 2' -Profile throughput

.EXAMPLE
.\Install-Mslso.ps1 -WhatIf
Checks the host and the package, and shows what the script would do.

.EXAMPLE
powershell.exe -ExecutionPolicy Bypass -File Install-Mslso.ps1 -Force -RestartExitCode 3010
Installs without a question.
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [ValidateNotNullOrEmpty()]
    [string]$PackageFolder = $PSScriptRoot,
    [string[]]$Adapter = @(),
    [ValidateSet('off', 'latency', 'throughput', 'cpu')]
    [string]$Profile = 'throughput',
    [switch]$Force,
    [ValidateRange(5, 3600)]
    [int]$TimeoutSeconds = 300,
    [ValidateRange(0, 65535)]
    [int]$RestartExitCode = 0
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Install.ps1')

Assert-MslsoHost
Assert-NoNetcfg
$PackageFolder = (Resolve-Path -LiteralPath $PackageFolder).ProviderPath
Assert-MslsoPackage $PackageFolder
Assert-MslsoMachine $PackageFolder
$nics = @(Resolve-MslsoAdapter $Adapter)
if (-not $nics -and ($PSBoundParameters.ContainsKey('Adapter') -or $PSBoundParameters.ContainsKey('Profile'))) {
    Stop-Mslso '-Adapter names no adapter: name those that get the profile, or give neither -Adapter nor -Profile.'
}

$wanted = (Get-FileHash -LiteralPath (Join-Path $PackageFolder 'mslso.sys') -Algorithm SHA256).Hash
$driver = Get-MslsoDriver
$component = Get-MslsoComponent
if ($driver -and $driver.IsLeaving) {
    Stop-Mslso "mslso was removed and leaves with the next restart (its service is $($driver.State)). Restart the system, then run this again."
}
$isThere = $driver -and $component
$isCurrent = $isThere -and $driver.Hash -eq $wanted
$damage = @()
if ($isCurrent) { $damage = @(Get-MslsoDamage $driver) }
$plan = 'Install the filter driver (adapters lose connections for seconds)'
if ($isCurrent) {
    if (-not $damage -and -not $nics) {
        # No question of the script: what it kept is brought up to date.
        $ConfirmPreference = 'None'
        if (Get-MslsoNote) { Save-MslsoNote }
        Write-Output "This driver is installed already ($($driver.File), $($driver.State)). Nothing is changed."
        exit 0
    }
    $plan = "Put back: $($damage -join ', ')"
    if (-not $damage) { $plan = 'Turn on adapters of the installed driver' }
} else {
    Assert-MslsoPolicy $PackageFolder
    Assert-MslsoTrust $PackageFolder
    if ($driver -or $component) { $plan = 'Replace the installed driver, with its settings and bindings kept (adapters lose connections for seconds)' }
}
if ($nics) { $plan += "; set $(@($nics | ForEach-Object { "'$($_.Name)'" }) -join ', ') to the profile $Profile" }

if (-not $isCurrent -or $damage) { Write-MslsoOutageWarning }
if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
if (-not (Confirm-Mslso $PSCmdlet $PackageFolder $plan)) {
    if (-not $WhatIfPreference) { Write-Output 'Not confirmed. Nothing is changed.' }
    exit 0
}
# One question a run: what is done now is no question of the cmdlets that do it.
$ConfirmPreference = 'None'

$restart = $false
# Said at the end, since a pipeline may stop a script at what it says.
$said = @()
if ($isCurrent) {
    if ($damage) { $said += Repair-Mslso $damage (Join-Path $PackageFolder 'mslso.inf') }
} elseif ($driver -or $component) {
    $restart = Update-Mslso $PackageFolder $wanted $driver $component $TimeoutSeconds
} else {
    $restart = Add-Mslso $PackageFolder $wanted $TimeoutSeconds
}
$driver = Get-MslsoDriver
$said += "mslso is installed ($($driver.File), $($driver.State))."
$failures = @()
if (-not $restart) {
    foreach ($nic in $nics) {
        try { $said += Enable-MslsoNic $nic $Profile } catch { $failures += "$_" }
    }
    $said += Write-MslsoBindings $nics
}
# What the next run, or one after a feature update of Windows, compares with.
try { Save-MslsoNote -Waiting:$restart } catch { Write-Warning "Bindings and settings could not be noted for a later repair. $_" }
Write-Output $said
if ($restart) {
    Write-Warning 'Restart the system to finish the installation: until then the driver may not run. Then run this again, which puts back what was kept.'
    if ($nics) { Write-Warning "No adapter is turned on yet. After the restart: .\Install-Mslso.ps1 -Adapter $(@($nics | ForEach-Object { Format-Argument $_.Name }) -join ', ') -Profile $Profile" }
    exit $RestartExitCode
}
if ($failures) { Stop-Mslso ($failures -join "`n") }
exit 0
