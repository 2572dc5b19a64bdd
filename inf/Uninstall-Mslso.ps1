<#
.SYNOPSIS
Removes the mslso filter driver and its packages from the driver store.

.DESCRIPTION
Removes the filter with netcfg, then each package of mslso with pnputil, then the copy of the driver
in System32\drivers that Windows leaves before build 25319, and checks that nothing is left. Adapters
lose their connections for some seconds. Nothing restarts the system. Without an installed driver
only packages and copies that are left are removed.

A removal that fails is not undone: run the script again after what the message says is done. Test
signing and Driver Verifier stay as they are; Set-TestSigning.ps1 -Off and Set-Verifier.ps1 -Off
turn them off.

.EXAMPLE
.\Uninstall-Mslso.ps1

.EXAMPLE
.\Uninstall-Mslso.ps1 -Confirm:$false
Removes without asking.
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param()
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

# NETCFG_S_REBOOT of netcfgx.h: done, to be finished by a restart.
$restartNeeded = 0x4A020

Assert-MslsoHost
$restart = $false
$left = $false

if (Get-MslsoDriver) {
    if ($PSCmdlet.ShouldProcess($MslsoComponent, 'Remove the filter driver (adapters lose connections for seconds)')) {
        Invoke-Native netcfg.exe '-v', '-u', $MslsoComponent -Allowed 0, $restartNeeded | Out-Null
        $restart = $LASTEXITCODE -eq $restartNeeded
        $left = [bool](Get-MslsoDriver)
    }
} else {
    Write-Output 'mslso is not installed.'
}

foreach ($inf in @(Get-MslsoStagedInf)) {
    if ($PSCmdlet.ShouldProcess($inf, 'Delete the package from the driver store')) {
        Invoke-Native pnputil.exe '/delete-driver', $inf -Allowed 0, 3010 | Out-Null
        $restart = $restart -or $LASTEXITCODE -eq 3010
        Write-Output "$inf is deleted from the driver store."
    }
}

foreach ($file in @(Get-MslsoCopy)) {
    if ($PSCmdlet.ShouldProcess($file, 'Delete the copy of the driver')) {
        try {
            Remove-Item -LiteralPath $file -Force
        } catch {
            Write-Warning "$file is not deleted. $_"
            $left = $true
        }
    }
}

if ($left -or $restart) {
    Write-Warning 'Restart the system: until then parts of mslso remain.'
} elseif (-not $WhatIfPreference) {
    Write-Output 'Nothing of mslso is left.'
}
