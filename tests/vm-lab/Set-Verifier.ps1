<#
.SYNOPSIS
Sets Driver Verifier to verify mslso from the next start on, or with -Off to stop.

.DESCRIPTION
Without -Off, the script turns on the standard checks and those for NDIS, for mslso.sys and ndis.sys.
ndis.sys is included so that the memory that it allocates for the filter is checked too. With -Faults,
the script turns on the standard checks for mslso.sys, and from one minute after the start some of its
allocations fail.

A violation stops the system with a bug check and leaves a dump: use Driver Verifier only on machines
for tests. The change takes effect at the next start; the script does not restart the system. If the
system no longer starts, start it in safe mode and run 'verifier /reset'.

Driver Verifier has only one set of settings. The script reads it from the registry, which is the same
in every language. If the settings are not this script's own, such as other drivers, all drivers, rule
classes or other flags, the script changes nothing, with or without -Off, because the settings of
somebody else would be lost.

.PARAMETER Off
Turns off what this script turned on.

.PARAMETER Faults
Makes about 6 of 100 allocations fail.

.PARAMETER Force
Suppresses the question.

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
    [switch]$Faults,
    [switch]$Force
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Lab.ps1')

# The exit codes of verifier.exe: done, and done from the next start on.
$done = 0, 2
# https://learn.microsoft.com/windows-hardware/drivers/devtest/verifier-command-line names the flags.
$standard = 0x209BB
$lowResources = 0x4
$ndis = 0x200000

$memoryKey = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management'
# How the verifier starts, not what it verifies; the kernel leaves it behind when it clears the rest.
$bootMode = 'VerifierOptions'

# The settings from the next start on, by name: those of the registry that hold something.
function Get-Setting {
    $found = [ordered]@{}
    foreach ($property in @((Get-ItemProperty -LiteralPath $memoryKey).PSObject.Properties | Sort-Object Name)) {
        if ($property.Name -match '^(Verif|Xdv|Vrf|Dif)' -and "$($property.Value)".Trim() -notin '', '0') {
            $found[$property.Name] = "$($property.Value)".Trim()
        }
    }
    $found
}

function Format-Setting($Setting) {
    @($Setting.Keys | ForEach-Object { "$_=$($Setting[$_])" }) -join ', '
}

# What of the settings says which drivers are verified, and how.
function Get-Checked($Setting) {
    $rest = [ordered]@{}
    foreach ($name in @($Setting.Keys | Where-Object { $_ -notin $bootMode, 'VerifierTriageContext' })) { $rest[$name] = $Setting[$name] }
    $rest
}

function Test-Level($Setting, [int]$Level, [string[]]$Drivers) {
    $names = @("$($Setting['VerifyDrivers'])".ToLowerInvariant() -split '\s+' | Where-Object { $_ } | Sort-Object)
    "$($Setting['VerifyDriverLevel'])" -eq "$Level" -and ($names -join ' ') -eq (@($Drivers | Sort-Object) -join ' ')
}

# Whether this script made the settings: they are those that it wrote down, or nothing but flags and
# drivers that it sets.
function Test-Own($Setting) {
    $checked = Get-Checked $Setting
    $note = Read-LabNote verifier
    if ($note -and $note.Checked -eq (Format-Setting $checked)) { return $true }
    if (@($checked.Keys | Where-Object { $_ -notin 'VerifyDrivers', 'VerifyDriverLevel' })) { return $false }
    (Test-Level $checked ($standard -bor $ndis) 'mslso.sys', 'ndis.sys') -or (Test-Level $checked $standard 'mslso.sys')
}

function Assert-Own($Setting) {
    $checked = Get-Checked $Setting
    if (-not $checked.Count -or (Test-Own $Setting)) { return }
    Stop-Mslso ("Driver Verifier has settings that this script did not make: $(Format-Setting $checked). " +
        'They would be lost, so nothing is changed. If nobody needs them, clear them: verifier /reset')
}

function Disable-Verifier($Before) {
    $note = Read-LabNote verifier
    Invoke-Native verifier.exe '/reset' -Allowed $done | Out-Null
    $left = Get-Checked (Get-Setting)
    if ($left.Count) { Stop-Mslso "verifier /reset reports success, but left: $(Format-Setting $left)." }
    # The boot mode from before is no setting of this script.
    $mode = $Before[$bootMode]
    if ($note -and $note.BootMode) { $mode = $note.BootMode }
    if ($mode -and (Get-Setting)[$bootMode] -ne $mode) {
        Set-ItemProperty -LiteralPath $memoryKey -Name $bootMode -Value ([int]$mode) -Type DWord
    }
    Clear-LabNote verifier
}

function Enable-Verifier($Before) {
    $expected = $standard -bor $ndis
    $drivers = 'mslso.sys', 'ndis.sys'
    if ($Faults) {
        $expected = $standard -bor $lowResources
        $drivers = @('mslso.sys')
        # PowerShell's versions differ in how they pass empty arguments, and cmd passes these as they are.
        $line = 'verifier.exe /standard /faults 599 "" "" 1 /driver mslso.sys'
        Invoke-Native cmd.exe '/d', '/c', $line -Allowed $done | Out-Null
    } else {
        Invoke-Native verifier.exe (@('/flags', ('0x{0:X}' -f $expected), '/driver') + $drivers) -Allowed $done | Out-Null
    }
    $after = Get-Checked (Get-Setting)
    Write-LabNote verifier ([ordered]@{ Version = 1; Checked = Format-Setting $after; BootMode = "$($Before[$bootMode])" })
    if (-not (Test-Level $after $expected $drivers)) {
        Stop-Mslso "verifier.exe reports success, but the registry has: $(Format-Setting $after). Look at verifier /querysettings."
    }
    Write-Warning "Set for: $($drivers -join ', '). It begins with the next start. Restart the system when it suits."
}

Assert-MslsoHost
$setting = Get-Setting
if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
if (-not $Off) {
    Assert-Own $setting
    $action = "Verify mslso.sys and ndis.sys with flags 0x$('{0:X}' -f ($standard -bor $ndis))"
    if ($Faults) { $action = 'Verify mslso.sys and fail allocations' }
    if (Confirm-Mslso $PSCmdlet 'Driver Verifier, from the next start on' $action) { Enable-Verifier $setting }
    return
}
if (-not (Get-Checked $setting).Count) {
    Write-Output 'Driver Verifier is set for no driver.'
    Clear-LabNote verifier
} else {
    Assert-Own $setting
    if (Confirm-Mslso $PSCmdlet 'Driver Verifier, from the next start on' 'Turn off') { Disable-Verifier $setting }
}
try {
    if (Get-VerifierSetting -Running) { Write-Warning 'It still verifies, until the system restarts.' }
} catch {
    Write-Warning "Whether it still verifies until the system restarts is unknown. $_"
}
