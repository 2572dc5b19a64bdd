<#
.SYNOPSIS
Has Driver Verifier verify mslso from the next start on, or no more with -Off.

.DESCRIPTION
On: the standard checks and those for NDIS, of mslso.sys and ndis.sys; ndis.sys because what it
allocates for the filter is checked too. With -Faults: the standard checks of mslso.sys, some of
whose allocations fail from one minute after the start on.

A violation stops the system with a bug check and leaves a dump: use it on machines for tests only.
The change takes effect with the next start; nothing restarts the system. If the system no longer
starts, start it in safe mode and run 'verifier /reset'.

Driver Verifier has one list of drivers. If that has others than these, nothing is changed, on or
off, for what somebody else set would be lost.

.PARAMETER Off
Turns off what this script turned on.

.PARAMETER Faults
Makes allocations fail, about 6 of 100.

.EXAMPLE
.\Set-Verifier.ps1

.EXAMPLE
.\Set-Verifier.ps1 -Faults

.EXAMPLE
.\Set-Verifier.ps1 -Off
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'On')]
param(
    [Parameter(Mandatory, ParameterSetName = 'Off')]
    [switch]$Off,
    [Parameter(ParameterSetName = 'On')]
    [switch]$Faults
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

# What verifier.exe ends with: done, and done from the next start on.
$done = 0, 2
# 0x209BB is the standard, 0x200000 NDIS/WIFI verification.
$flags = '0x2209BB'

Assert-MslsoHost
$others = @(Get-VerifierSetting | Where-Object { $_ -notin 'mslso.sys', 'ndis.sys' })
if ($others) {
    throw "Driver Verifier is set for other drivers ($($others -join ', ')). Turn that off first, if nobody needs it: verifier /reset"
}

if ($Off) {
    if (-not (Get-VerifierSetting)) {
        Write-Output 'Driver Verifier is set for no driver.'
    } elseif ($PSCmdlet.ShouldProcess('Driver Verifier', 'Turn off')) {
        Invoke-Native verifier.exe '/reset' -Allowed $done | Out-Null
    }
    if (Get-VerifierSetting -Running) { Write-Warning 'It still verifies, until the system restarts.' }
    return
}

if ($Faults) {
    if ($PSCmdlet.ShouldProcess('Driver Verifier', 'Verify mslso.sys and fail allocations')) {
        # PowerShell's versions differ in how they pass empty arguments, and cmd passes these as they are.
        $line = 'verifier.exe /standard /faults 599 "" "" 1 /driver mslso.sys'
        Invoke-Native cmd.exe '/d', '/c', $line -Allowed $done | Out-Null
    }
} elseif ($PSCmdlet.ShouldProcess('Driver Verifier', "Verify mslso.sys and ndis.sys with $flags")) {
    Invoke-Native verifier.exe '/flags', $flags, '/driver', 'mslso.sys', 'ndis.sys' -Allowed $done | Out-Null
}
if (-not $WhatIfPreference) {
    Write-Warning "Set for: $((Get-VerifierSetting) -join ', '). It begins with the next start. Restart the system when it suits."
}
