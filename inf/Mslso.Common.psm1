# What the scripts of mslso share: checks of the host and of the package, and the running of
# programs. Nothing here changes the system but Invoke-Native, whose callers ask ShouldProcess: a
# module does not see the -WhatIf of the script that calls it.

#Requires -Version 5.1
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$MslsoService = 'mslso'
$MslsoComponent = 'ms_mslso'
$MslsoCertificate = 'mslso-test.cer'
# The trace provider's identifier, which follows from its name, "Mslso".
$MslsoProvider = '{05247842-e8ea-5b1a-55d4-9ce2493e738d}'

# The driver's files, which a package cannot lack.
$DriverFiles = @('mslso.sys', 'mslso.inf', 'mslso.cat')
# Windows 10 2004: see mslso.inf.
$OldestBuild = 19041

function Assert-MslsoHost {
    <#
    .SYNOPSIS
    Stops with advice unless this is an elevated 64-bit PowerShell on a Windows that the driver takes.
    #>
    if ([Environment]::OSVersion.Platform -ne [PlatformID]::Win32NT) {
        throw 'This is not Windows. Run the script on the Windows host, from the package folder.'
    }
    $build = [Environment]::OSVersion.Version.Build
    if ($build -lt $OldestBuild) {
        throw "This is Windows build $build; mslso needs $OldestBuild (Windows 10 2004, Server 2022) or later."
    }
    if (-not [Environment]::Is64BitProcess) {
        throw 'This PowerShell is a 32-bit one. Run the script in a 64-bit one.'
    }
    $user = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'This needs an administrator. Open PowerShell with "Run as administrator" and run the script there.'
    }
}

function Invoke-Native {
    <#
    .SYNOPSIS
    Runs a program and gives the lines it printed; stops with them unless its exit code is allowed.
    #>
    param(
        [Parameter(Mandatory)][string]$FilePath,
        [string[]]$ArgumentList = @(),
        [int[]]$Allowed = @(0)
    )
    if (-not (Get-Command $FilePath -CommandType Application -ErrorAction SilentlyContinue)) {
        throw "$FilePath is not found. It comes with Windows, or belongs on the PATH."
    }
    # Windows PowerShell would take a line on stderr for an error of the script.
    $ErrorActionPreference = 'Continue'
    $printed = @(& $FilePath @ArgumentList 2>&1 | ForEach-Object { "$_" })
    if ($LASTEXITCODE -notin $Allowed) {
        $said = ($printed | Where-Object { $_.Trim() } | Select-Object -Last 8) -join "`n"
        throw "'$FilePath $ArgumentList' failed with exit code $LASTEXITCODE.`n$said"
    }
    $printed
}

function Assert-MslsoPackage {
    <#
    .SYNOPSIS
    Stops unless a folder holds a whole package: each file as SHA256SUMS has it, and the driver signed.
    #>
    param([Parameter(Mandatory)][string]$Folder)
    $sums = Join-Path $Folder 'SHA256SUMS'
    if (-not (Test-Path -LiteralPath $sums)) {
        throw "$Folder is no package: it has no SHA256SUMS. Make one with 'cargo make package', and run its scripts."
    }
    $listed = @()
    foreach ($row in @(Get-Content -LiteralPath $sums)) {
        $sum, $name = $row -split '  ', 2
        $listed += $name
        $file = Join-Path $Folder $name
        if (-not (Test-Path -LiteralPath $file)) {
            throw "$name is missing from $Folder. Copy the package again, whole."
        }
        if ((Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash -ne $sum) {
            throw "$name differs from its checksum in SHA256SUMS. Copy the package again, or make a new one."
        }
    }
    foreach ($name in $DriverFiles) {
        if ($name -notin $listed) {
            throw "SHA256SUMS does not list $name. Make the package again."
        }
    }
    foreach ($name in 'mslso.sys', 'mslso.cat') {
        $status = "$((Get-MslsoSignature $Folder $name).Status)"
        if ($status -in 'NotSigned', 'HashMismatch', 'NotSupportedFileFormat', 'Incompatible') {
            throw "The signature of $name is not good ($status). Make the package again."
        }
    }
}

function Get-MslsoSignature {
    <#
    .SYNOPSIS
    The signature of a file of the package.
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
            throw "Windows does not trust the signature of $name ($($signature.Status)). Run Set-TestSigning.ps1 first."
        }
        $signer = $signature.SignerCertificate
        if ($signer.Subject -eq $signer.Issuer -and -not (Test-TestMode)) {
            throw "$name has a test signature, and Windows is not in test mode. Run Set-TestSigning.ps1, then restart."
        }
    }
}

function Test-TestMode {
    <#
    .SYNOPSIS
    Whether the running system was started with test signing on.
    #>
    $control = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control'
    $control.SystemStartOptions -match '\bTESTSIGNING\b'
}

function Get-MslsoDriver {
    <#
    .SYNOPSIS
    The installed driver: State, File and the file's Hash; nothing where there is none.
    #>
    $found = Get-CimInstance -ClassName Win32_SystemDriver -Filter "Name='$MslsoService'"
    if (-not $found) { return }
    $file = "$($found.PathName)" -replace '^\\\?\?\\', '' -replace '^(\\SystemRoot\\)?(?=System32\\)', "$env:SystemRoot\"
    $hash = $null
    if ($file -and (Test-Path -LiteralPath $file)) {
        $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash
    }
    [pscustomobject]@{ State = $found.State; File = $file; Hash = $hash }
}

function Get-MslsoCopy {
    <#
    .SYNOPSIS
    The driver's file in System32\drivers, once no service is there that would load it.
    #>
    # Before build 25319 the INF copies it there, and neither netcfg nor pnputil takes it away.
    $file = Join-Path $env:SystemRoot 'System32\drivers\mslso.sys'
    if ((Test-Path -LiteralPath $file) -and -not (Get-MslsoDriver)) { $file }
}

function Get-MslsoStagedInf {
    <#
    .SYNOPSIS
    The names, such as oem7.inf, under which mslso's packages are in the driver store.
    #>
    # What pnputil lists is in the system's language; the INF files are not.
    $places = Join-Path $env:SystemRoot 'INF\oem*.inf'
    @(Get-ChildItem -Path $places | Where-Object {
            Select-String -LiteralPath $_.FullName -Pattern $MslsoComponent -SimpleMatch -Quiet
        } | ForEach-Object { $_.Name })
}

function Get-MslsoBinding {
    <#
    .SYNOPSIS
    The adapters that mslso can be bound to, with Name and Enabled.
    #>
    @(Get-NetAdapterBinding -ComponentID $MslsoComponent -ErrorAction SilentlyContinue)
}

function Get-VerifierSetting {
    <#
    .SYNOPSIS
    The drivers that Driver Verifier is set to verify after the next start, or with -Running those it verifies now.
    #>
    param([switch]$Running)
    $question = '/querysettings'
    if ($Running) { $question = '/query' }
    # The labels are in the system's language; names of drivers are not.
    $printed = (Invoke-Native verifier.exe $question -Allowed 0, 2) -join "`n"
    @([regex]::Matches($printed, '[\w.-]+\.sys\b') | ForEach-Object { $_.Value.ToLowerInvariant() } | Select-Object -Unique)
}

Export-ModuleMember -Function * -Variable MslsoService, MslsoComponent, MslsoCertificate, MslsoProvider
