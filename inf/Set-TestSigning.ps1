<#
.SYNOPSIS
Turns test signing on, or off with -Off, and installs or removes the package's test certificate.

.DESCRIPTION
Windows loads a driver with a test signature only in test mode. That lowers the protection of the
whole system: every driver that anybody has signed is then loaded, and what the test certificate has
signed is trusted. Use it on machines for tests only.

It needs Secure Boot off. A change of test mode may make BitLocker ask for its recovery key at the
next start: have the key at hand, or suspend BitLocker for one start. The change takes effect with
the next start; nothing restarts the system.

On: the certificate goes into the machine's stores Root and TrustedPublisher, and test signing is
set. Where setting it fails, certificates that were added are removed again. Off: the reverse, once
mslso is uninstalled.

.PARAMETER Off
Turns test signing off and removes the certificate.

.PARAMETER Certificate
The file with the test certificate. By default mslso-test.cer beside this script.

.EXAMPLE
.\Set-TestSigning.ps1

.EXAMPLE
.\Set-TestSigning.ps1 -Off
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [switch]$Off,
    [ValidateNotNullOrEmpty()]
    [string]$Certificate = (Join-Path $PSScriptRoot 'mslso-test.cer')
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

function Test-SecureBoot {
    # On a machine without UEFI the question itself is an error.
    try { [bool](Confirm-SecureBootUEFI) } catch { $false }
}

function Write-BitLockerWarning {
    if (-not (Get-Command Get-BitLockerVolume -ErrorAction SilentlyContinue)) { return }
    $volume = Get-BitLockerVolume -MountPoint $env:SystemDrive -ErrorAction SilentlyContinue
    if ($volume -and "$($volume.ProtectionStatus)" -eq 'On') {
        Write-Warning ("BitLocker protects $env:SystemDrive and may ask for the recovery key at the next start. " +
            "Suspend it for one start: Suspend-BitLocker -MountPoint $env:SystemDrive -RebootCount 1")
    }
}

function Add-Trust([string]$Store, [string]$Thumbprint) {
    if (Test-Path -LiteralPath "Cert:\LocalMachine\$Store\$Thumbprint") { return }
    if ($PSCmdlet.ShouldProcess("Cert:\LocalMachine\$Store", "Add the test certificate $Thumbprint")) {
        Invoke-Native certutil.exe '-addstore', $Store, $Certificate | Out-Null
        $Store
    }
}

function Remove-Trust([string]$Store, [string]$Thumbprint) {
    if (-not (Test-Path -LiteralPath "Cert:\LocalMachine\$Store\$Thumbprint")) { return }
    if ($PSCmdlet.ShouldProcess("Cert:\LocalMachine\$Store", "Remove the test certificate $Thumbprint")) {
        Invoke-Native certutil.exe '-delstore', $Store, $Thumbprint | Out-Null
    }
}

Assert-MslsoHost
if (-not (Test-Path -LiteralPath $Certificate)) {
    throw "There is no certificate $Certificate. Run this from the package folder, or name it with -Certificate."
}
$Certificate = (Resolve-Path -LiteralPath $Certificate).ProviderPath
$thumbprint = (New-Object Security.Cryptography.X509Certificates.X509Certificate2 $Certificate).Thumbprint

if ($Off) {
    if (Get-MslsoDriver) {
        throw 'mslso is installed, and would not load any more. Run Uninstall-Mslso.ps1 first.'
    }
    Write-BitLockerWarning
    if ($PSCmdlet.ShouldProcess('the boot configuration', 'Turn test signing off')) {
        Invoke-Native bcdedit.exe '/set', 'testsigning', 'off' | Out-Null
    }
    Remove-Trust TrustedPublisher $thumbprint
    Remove-Trust Root $thumbprint
    if (Test-TestMode) { Write-Warning 'The system leaves test mode at its next start. Restart it when it suits.' }
    return
}

if (Test-SecureBoot) {
    throw 'Secure Boot is on, and keeps test signing off. Turn it off in the firmware (of a VM: Set-VMFirmware -EnableSecureBoot Off), then run this again.'
}
Write-BitLockerWarning
Write-Warning 'Test mode lowers the protection of this system: it then loads drivers that anybody has signed. Tests only.'
$added = @()
try {
    $added += @(Add-Trust Root $thumbprint)
    $added += @(Add-Trust TrustedPublisher $thumbprint)
    if ($PSCmdlet.ShouldProcess('the boot configuration', 'Turn test signing on')) {
        Invoke-Native bcdedit.exe '/set', 'testsigning', 'on' | Out-Null
    }
} catch {
    $failure = $_
    foreach ($store in $added) { Remove-Trust $store $thumbprint }
    throw "Test signing is not on. $failure"
}
if (-not (Test-TestMode)) {
    Write-Warning 'The system enters test mode at its next start. Restart it, then run Install-Mslso.ps1.'
}
