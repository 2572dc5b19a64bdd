# The package folder: its checksums, its processor, its signatures. Mslso.Common.ps1 dot-sources this.

# The driver's files, without which a folder is no package.
$MslsoDriverFiles = @('mslso.sys', 'mslso.inf', 'mslso.cat')

function Read-MslsoChecksum {
    <#
    .SYNOPSIS
    Reads SHA256SUMS as sha256sum and other tools write it; returns objects with Name and Sum.
    #>
    param([Parameter(Mandatory)][string]$File)
    $number = 0
    foreach ($row in @(Get-Content -LiteralPath $File)) {
        $number++
        if (-not "$row".Trim()) { continue }
        # The asterisk marks a file that was read as binary.
        if ($row -notmatch '^([0-9A-Fa-f]{64}) [ *](.+?)\s*$') {
            Stop-Mslso "Line $number of SHA256SUMS is no checksum. Copy the package again, whole."
        }
        $sum, $name = $Matches[1], $Matches[2]
        # A drive, a share, or a way out of the folder.
        if ($name -match '^[\\/]|:' -or ($name -split '[\\/]') -contains '..') {
            Stop-Mslso "SHA256SUMS names $name, which is outside the package. Get the package from its source again."
        }
        [pscustomobject]@{ Name = $name; Sum = $sum }
    }
}

function Assert-MslsoPackage {
    <#
    .SYNOPSIS
    Stops unless a folder holds a whole package: each file as SHA256SUMS has it, and the driver signed.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    $sums = Join-Path $Folder 'SHA256SUMS'
    if (-not (Test-Path -LiteralPath $sums -PathType Leaf)) {
        Stop-Mslso "$Folder is no package: it has no SHA256SUMS. Make one with 'cargo make package', and run its scripts."
    }
    $listed = @(Read-MslsoChecksum $sums)
    foreach ($entry in $listed) {
        $file = Join-Path $Folder $entry.Name
        if (-not (Test-Path -LiteralPath $file -PathType Leaf)) {
            Stop-Mslso "$($entry.Name) is missing from $Folder. Copy the package again, whole."
        }
        if ((Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash -ne $entry.Sum) {
            Stop-Mslso "$($entry.Name) differs from its checksum in SHA256SUMS. Copy the package again, or make a new one."
        }
    }
    foreach ($name in $MslsoDriverFiles) {
        if ($name -notin @($listed | ForEach-Object { $_.Name })) {
            Stop-Mslso "SHA256SUMS does not list $name. Make the package again."
        }
    }
    foreach ($name in 'mslso.sys', 'mslso.cat') {
        $status = "$((Get-MslsoSignature $Folder $name).Status)"
        if ($status -in 'NotSigned', 'HashMismatch', 'NotSupportedFileFormat', 'Incompatible') {
            Stop-Mslso "The signature of $name is not good ($status). Make the package again."
        }
    }
}

function Get-MslsoMachine {
    <#
    .SYNOPSIS
    Returns the processor that an image is for, as PROCESSOR_ARCHITECTURE names it; empty for no image.
    #>
    param([Parameter(Mandatory)][string]$File)
    # "PE Format", MS-DOS stub and COFF file header: the offset at 0x3C, the machine behind "PE\0\0".
    $bytes = [IO.File]::ReadAllBytes((Resolve-Path -LiteralPath $File).ProviderPath)
    if ($bytes.Length -lt 0x40) { return '' }
    $header = [BitConverter]::ToInt32($bytes, 0x3C)
    if ($header -lt 0 -or $header + 6 -gt $bytes.Length) { return '' }
    switch ([BitConverter]::ToUInt16($bytes, $header + 4)) {
        0x8664 { 'AMD64' }
        0xAA64 { 'ARM64' }
        default { '' }
    }
}

function Assert-MslsoMachine {
    <#
    .SYNOPSIS
    Stops unless the package's driver is for this computer's processor.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    # A process that is emulated sees its own processor in the environment, the registry has the computer's.
    $key = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
    $here = "$((Get-ItemProperty -LiteralPath $key).PROCESSOR_ARCHITECTURE)"
    $driver = Get-MslsoMachine (Join-Path $Folder 'mslso.sys')
    if ($driver -ne $here) {
        Stop-Mslso "mslso.sys of this package is for the processor '$driver', this computer has '$here'. Use the package for $here."
    }
}

function Get-MslsoSignature {
    <#
    .SYNOPSIS
    Returns the signature of a file of the package.
    #>
    param([Parameter(Mandatory)][string]$Folder, [Parameter(Mandatory)][string]$Name)
    Get-AuthenticodeSignature -LiteralPath (Join-Path $Folder $Name)
}

function Assert-MslsoTrust {
    <#
    .SYNOPSIS
    Stops unless this system trusts the package's signatures and, for test signatures, runs in test mode.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    foreach ($name in 'mslso.sys', 'mslso.cat') {
        $signature = Get-MslsoSignature $Folder $name
        if ("$($signature.Status)" -ne 'Valid') {
            Stop-Mslso "Windows does not trust the signature of $name ($($signature.Status)). Run Set-TestSigning.ps1 first."
        }
        $signer = $signature.SignerCertificate
        if ($signer.Subject -ne $signer.Issuer) { continue }
        # Without it Windows asks on the desktop, or refuses where there is none.
        if (-not (Test-Path -LiteralPath "Cert:\LocalMachine\TrustedPublisher\$($signer.Thumbprint)")) {
            Stop-Mslso "The certificate that signed $name is not in the machine's store TrustedPublisher. Run Set-TestSigning.ps1 first."
        }
        if (-not (Test-TestMode)) {
            Stop-Mslso "$name has a test signature, and Windows is not in test mode. Run Set-TestSigning.ps1, then restart."
        }
    }
}

function Test-TestMode {
    <#
    .SYNOPSIS
    Returns whether the running system was started with test signing on.
    #>
    $control = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control'
    $control.SystemStartOptions -match '\bTESTSIGNING\b'
}
