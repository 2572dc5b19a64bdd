<#
.SYNOPSIS
Installs the mslso filter driver from the package that this script lies in.

.DESCRIPTION
Checks the host, the package's checksums and signatures, and that Windows would load the driver;
then installs it with netcfg and checks that it is this package's and runs. Where a step fails, what
was installed is removed again.

Adapters lose their connections for some seconds while the filter is put in, the one that a remote
session uses too. Nothing restarts the system. With the same driver installed, nothing is done.

.PARAMETER PackageFolder
The folder of the package. By default the one that this script lies in.

.EXAMPLE
.\Install-Mslso.ps1

.EXAMPLE
.\Install-Mslso.ps1 -WhatIf
Checks host and package, and says what would be done.
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [ValidateNotNullOrEmpty()]
    [string]$PackageFolder = $PSScriptRoot
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

# NETCFG_S_REBOOT of netcfgx.h: done, to be finished by a restart.
$restartNeeded = 0x4A020

function Undo-Install([string[]]$Keep) {
    if (-not $PSCmdlet.ShouldProcess($MslsoComponent, 'Remove what was installed')) { return }
    $why = @()
    try {
        Invoke-Native netcfg.exe '-u', $MslsoComponent -Allowed 0, $restartNeeded | Out-Null
    } catch {
        # It fails as well where the installation did not get as far as a component.
        $why += "$_"
    }
    foreach ($inf in @(Get-MslsoStagedInf | Where-Object { $_ -notin $Keep })) {
        try {
            Invoke-Native pnputil.exe '/delete-driver', $inf -Allowed 0, 3010 | Out-Null
        } catch {
            $why += "$_"
        }
    }
    foreach ($file in @(Get-MslsoCopy)) {
        try { Remove-Item -LiteralPath $file -Force } catch { $why += "$_" }
    }
    $staged = @(Get-MslsoStagedInf | Where-Object { $_ -notin $Keep })
    if ($staged -or (Get-MslsoCopy) -or (Get-MslsoDriver)) {
        Write-Warning "It could not be removed again; run Uninstall-Mslso.ps1. $($why -join "`n")"
    } else {
        Write-Warning 'What was installed has been removed again.'
    }
}

Assert-MslsoHost
$PackageFolder = (Resolve-Path -LiteralPath $PackageFolder).ProviderPath
Assert-MslsoPackage $PackageFolder

$wanted = (Get-FileHash -LiteralPath (Join-Path $PackageFolder 'mslso.sys') -Algorithm SHA256).Hash
$driver = Get-MslsoDriver
if ($driver) {
    if ($driver.Hash -ne $wanted) {
        throw 'Another build of mslso is installed. Run Uninstall-Mslso.ps1 first, then this again.'
    }
    Write-Output "This driver is installed already ($($driver.File), $($driver.State))."
    return
}
Assert-MslsoTrust $PackageFolder

$inf = Join-Path $PackageFolder 'mslso.inf'
if (-not $PSCmdlet.ShouldProcess($inf, 'Install the filter driver (adapters lose connections for seconds)')) {
    return
}
$before = Get-MslsoStagedInf
$said = @()
$restart = $false
try {
    $said = Invoke-Native netcfg.exe '-v', '-l', $inf, '-c', 's', '-i', $MslsoComponent -Allowed 0, $restartNeeded
    $restart = $LASTEXITCODE -eq $restartNeeded
    $driver = Get-MslsoDriver
    if (-not $driver) {
        throw 'netcfg reports success, but there is no service mslso.'
    }
    # Of several packages in the driver store Windows takes the one that it ranks highest.
    if ($driver.Hash -ne $wanted) {
        throw "$($driver.File) is not this package's mslso.sys. Another package of mslso may be in the driver store: $($before -join ', '). Uninstall-Mslso.ps1 deletes all."
    }
} catch {
    $failure = $_
    Undo-Install $before
    throw "mslso is not installed. $failure`nThe log is $env:SystemRoot\INF\setupapi.dev.log."
}
Write-Output "mslso is installed ($($driver.File), $($driver.State))."

if ($restart -or $driver.State -ne 'Running') {
    Write-Warning "Restart the system: until then the driver may not run.`n$($said -join "`n")"
    return
}
$bound = @(Get-MslsoBinding | Where-Object { $_.Enabled } | ForEach-Object { $_.Name })
if ($bound) {
    Write-Output "It filters: $($bound -join ', '). See '.\mslsoctl.exe list'."
} else {
    Write-Warning "It is bound to no adapter. Bind it: Enable-NetAdapterBinding -Name ADAPTER -ComponentID $MslsoComponent"
}
