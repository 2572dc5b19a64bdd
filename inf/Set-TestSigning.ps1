<#
.SYNOPSIS
Turns test signing on, or off with -Off, and installs or removes the package's test certificate.

.DESCRIPTION
Windows loads a driver with a test signature only in test mode. Test mode lowers the protection of the
whole system: Windows then loads test-signed drivers, whoever signed them, and trusts everything that
the key of the test certificate has signed. Use it only on machines for tests.

Secure Boot must be off. A change of test mode may make BitLocker ask for its recovery key at the next
start: have the key at hand, or suspend BitLocker for one start. The change takes effect at the next
start; the script does not restart the system. The script asks one question.

Without -Off, the script adds the certificate to the machine's stores Root and TrustedPublisher, and
turns test signing on. If a step fails, it removes the certificates that it added. With -Off, once mslso
is uninstalled, it turns test signing off, and removes the certificate and those of older packages of
mslso, whether the package's file is at hand or not. A step that fails does not stop the others; the
exit code is then 1.

.PARAMETER Off
Turns test signing off and removes the certificates.

.PARAMETER Certificate
The file with the test certificate. By default, mslso-test.cer in the script's folder.

.PARAMETER Force
Suppresses the question. Use it in tasks and with 'powershell -File', to which -Confirm:$false cannot be
passed.

.PARAMETER RestartExitCode
The exit code if all is done and a restart is needed. Deployment tools expect 3010.

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
    [string]$Certificate = (Join-Path $PSScriptRoot 'mslso-test.cer'),
    [switch]$Force,
    [ValidateRange(0, 65535)]
    [int]$RestartExitCode = 0
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

# What the package's tool names each test certificate, and the purpose it has: signing code.
$subject = 'CN=mslso test signing'
$codeSigning = '1.3.6.1.5.5.7.3.3'
$stores = 'Root', 'TrustedPublisher'

function Assert-SecureBootOff {
    $advice = 'Turn it off in the firmware (of a VM: Set-VMFirmware -EnableSecureBoot Off), then run this again.'
    try {
        $isOn = Confirm-SecureBootUEFI
    } catch [PlatformNotSupportedException] {
        # A system without UEFI has no Secure Boot.
        return
    } catch {
        Stop-Mslso "Could not determine whether Secure Boot is on: $_ Nothing is changed. msinfo32 shows it as 'Secure Boot State'; if it is off, repair what the message names, then run this again."
    }
    if ($isOn) { Stop-Mslso "Secure Boot is on, and prevents test signing. $advice" }
}

function Write-BitLockerWarning {
    if (-not (Get-Command Get-BitLockerVolume -ErrorAction SilentlyContinue)) { return }
    try {
        $isOn = "$((Get-BitLockerVolume -MountPoint $env:SystemDrive -ErrorAction Stop).ProtectionStatus)" -eq 'On'
    } catch {
        Write-Warning "Could not determine whether BitLocker protects $env:SystemDrive ($_). Have its recovery key at hand at the next start."
        return
    }
    if ($isOn) {
        Write-Warning ("BitLocker protects $env:SystemDrive and may ask for the recovery key at the next start. " +
            "Suspend it for one start: Suspend-BitLocker -MountPoint $env:SystemDrive -RebootCount 1")
    }
}

# The certificate in a file, and nothing else that Windows would read one out of, such as a signed program.
function Read-Certificate([string]$File) {
    if (-not (Test-Path -LiteralPath $File -PathType Leaf)) {
        Stop-Mslso "There is no certificate $File. Run this from the package folder, or name it with -Certificate."
    }
    $path = (Resolve-Path -LiteralPath $File).ProviderPath
    $refusal = "$path is no certificate for signing code. Name the package's mslso-test.cer with -Certificate."
    $bytes = [IO.File]::ReadAllBytes($path)
    # A SEQUENCE of DER, or the text form.
    $isDer = $bytes.Length -gt 4 -and $bytes[0] -eq 0x30 -and $bytes[1] -ge 0x80
    $isText = [Text.Encoding]::ASCII.GetString($bytes, 0, [Math]::Min($bytes.Length, 64)).StartsWith('-----BEGIN CERTIFICATE-----')
    if (-not $isDer -and -not $isText) { Stop-Mslso $refusal }
    try {
        $read = [Security.Cryptography.X509Certificates.X509Certificate2]::new($path)
    } catch {
        Stop-Mslso $refusal
    }
    $purposes = @($read.Extensions | Where-Object { $_ -is [Security.Cryptography.X509Certificates.X509EnhancedKeyUsageExtension] } |
            ForEach-Object { $_.EnhancedKeyUsages } | ForEach-Object { $_.Value })
    if ($codeSigning -notin $purposes) { Stop-Mslso $refusal }
    [pscustomobject]@{ Path = $path; Thumbprint = $read.Thumbprint; Subject = $read.Subject }
}

function Test-Trust([string]$Store, [string]$Thumbprint) {
    Test-Path -LiteralPath "Cert:\LocalMachine\$Store\$Thumbprint"
}

function Remove-Trust([string]$Store, [string]$Thumbprint) {
    Invoke-Native certutil.exe '-delstore', $Store, $Thumbprint | Out-Null
}

# This package's certificate and those of others, by store.
function Find-Trust($Given) {
    foreach ($store in $stores) {
        foreach ($found in @(Get-ChildItem -LiteralPath "Cert:\LocalMachine\$store")) {
            $isOurs = $found.Subject -eq $subject -and $found.Issuer -eq $found.Subject
            if ($isOurs -or ($Given -and $found.Thumbprint -eq $Given.Thumbprint)) {
                [pscustomobject]@{ Store = $store; Thumbprint = $found.Thumbprint }
            }
        }
    }
}

function Set-On($Given) {
    $added = @()
    try {
        foreach ($store in @($stores | Where-Object { -not (Test-Trust $_ $Given.Thumbprint) })) {
            Invoke-Native certutil.exe '-addstore', $store, $Given.Path | Out-Null
            $added += $store
        }
        Invoke-Native bcdedit.exe '/set', 'testsigning', 'on' | Out-Null
        return
    } catch {
        $failure = "$_"
    }
    $left = @()
    foreach ($store in $added) {
        try { Remove-Trust $store $Given.Thumbprint } catch { $left += "The certificate $($Given.Thumbprint) is still in the store $store. $_" }
    }
    if (-not $left) { $left = @('What was changed has been put back.') }
    Stop-Mslso "Test signing is not turned on. $failure`n$($left -join "`n")"
}

function Set-Off($Given) {
    $failures = @()
    try { Invoke-Native bcdedit.exe '/set', 'testsigning', 'off' | Out-Null } catch { $failures += "The boot configuration is not changed, test signing stays. $_" }
    foreach ($trust in @(Find-Trust $Given)) {
        try { Remove-Trust $trust.Store $trust.Thumbprint } catch { $failures += "The certificate $($trust.Thumbprint) is still in the store $($trust.Store). $_" }
    }
    if ($failures) { Stop-Mslso "Test signing is not all turned off.`n$($failures -join "`n")`nRun this again after it." }
}

Assert-MslsoHost
$given = $null
if (-not $Off) {
    $given = Read-Certificate $Certificate
    Assert-SecureBootOff
    $target = "the boot configuration, and Cert:\LocalMachine\$($stores -join ', ')"
    $action = "Turn test signing on, and trust the certificate $($given.Thumbprint)"
} else {
    if ((Get-MslsoDriver) -or (Get-MslsoComponent)) {
        Stop-Mslso 'mslso is installed, and would no longer load. Run Uninstall-Mslso.ps1 first; if that asks for a restart, restart.'
    }
    # Without the file, the certificates are known by their name.
    if ($PSBoundParameters.ContainsKey('Certificate')) {
        $given = Read-Certificate $Certificate
    } else {
        try { $given = Read-Certificate $Certificate } catch { Write-Verbose "$_" }
    }
    $trusts = @(Find-Trust $given)
    $target = 'the boot configuration'
    $action = 'Turn test signing off'
    if ($trusts) { $action += ", and remove the certificates $(@($trusts | ForEach-Object { "$($_.Store)\$($_.Thumbprint)" }) -join ', ')" }
}
Write-BitLockerWarning
if (-not $Off) {
    Write-Warning 'Test mode lowers the protection of this system: it then loads test-signed drivers, whoever signed them. Use it only on machines for tests.'
}
if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
if (-not (Confirm-Mslso $PSCmdlet $target $action)) {
    if (-not $WhatIfPreference) { Write-Output 'Not confirmed. Nothing is changed.' }
    exit 0
}
$ConfirmPreference = 'None'

$isOn = Test-TestMode
if ($Off) {
    Set-Off $given
    Write-Output 'Test signing is off in the boot configuration, and the certificates are removed.'
    if (-not $isOn) { exit 0 }
    Write-Warning 'The system leaves test mode at its next start. Restart it when it suits.'
} else {
    Set-On $given
    Write-Output "Test signing is on in the boot configuration, and the certificate $($given.Thumbprint) is trusted."
    if ($isOn) { exit 0 }
    Write-Warning 'The system enters test mode at its next start. Restart it, then run Install-Mslso.ps1.'
}
exit $RestartExitCode
