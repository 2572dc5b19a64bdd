# The code that the package's scripts share, and the module Mslso with them: names, errors, questions
# and programs here; the package, the driver, the network configuration and the settings in the files
# below.
#
# A script dot-sources this file: then everything in it is the script's own, and neither a module nor
# a variable nor a function stays in the session of its caller. Functions that change the system
# leave the question to the script, which asks once.

# What follows needs .NET, which App Control (or AppLocker) takes from scripts that it does not allow.
if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Error "PowerShell runs this script in $($ExecutionContext.SessionState.LanguageMode) mode, in which it cannot work. Nothing is changed. A policy, such as App Control, has to allow the package's scripts; or use another session." -ErrorAction Stop
}
# What the caller set for parameters of all commands, such as an ErrorAction, would pass over failed checks.
$PSDefaultParameterValues = @{}

$MslsoService = 'mslso'
# The component's identifier, as mslso.inf has it.
$MslsoComponent = 'mslso_lwf'
$MslsoCertificate = 'mslso-test.cer'
# The trace provider's identifier, which follows from its name, "Mslso".
$MslsoProvider = '{05247842-e8ea-5b1a-55d4-9ce2493e738d}'
# Windows 10 2004: see mslso.inf.
$MslsoOldestBuild = 19041

. (Join-Path $PSScriptRoot 'Mslso.Package.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Driver.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Netcfg.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Settings.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Control.ps1')

function Stop-Mslso {
    <#
    .SYNOPSIS
    Ends the script with an error that has a message and nothing else.
    .DESCRIPTION
    Windows PowerShell 5.1 prints the text of `throw 'text'` three times: as the message, as the
    source line and as the error's identifier.
    #>
    param([Parameter(Mandatory)][string]$Message)
    $failure = [InvalidOperationException]::new($Message)
    throw [Management.Automation.ErrorRecord]::new($failure, 'Mslso', 'InvalidOperation', $null)
}

function Confirm-Mslso {
    <#
    .SYNOPSIS
    Asks the question of a script: true if it may go on. Stops if nobody can answer.
    #>
    param(
        [Parameter(Mandatory)]$Cmdlet,
        [Parameter(Mandatory)][string]$Target,
        [Parameter(Mandatory)][string]$Action
    )
    try {
        return $Cmdlet.ShouldProcess($Target, $Action)
    } catch {
        $why = $_.Exception.GetBaseException().Message
    }
    # The host asks on a console, which a task or a remote command lacks; or its input has ended.
    Stop-Mslso ("Nothing is changed: the question could not be answered ($why). " +
        "To run without a question, add -Force, or in a session -Confirm:`$false.")
}

function Assert-MslsoHost {
    <#
    .SYNOPSIS
    Stops with advice unless this is an elevated 64-bit PowerShell on a Windows that the driver supports.
    #>
    if ([Environment]::OSVersion.Platform -ne [PlatformID]::Win32NT) {
        Stop-Mslso 'This is not Windows. Run the script on the Windows host, from the package folder.'
    }
    $build = [Environment]::OSVersion.Version.Build
    if ($build -lt $MslsoOldestBuild) {
        Stop-Mslso "This is Windows build $build; mslso needs $MslsoOldestBuild (Windows 10 2004, Server 2022) or later."
    }
    if (-not [Environment]::Is64BitProcess) {
        Stop-Mslso 'This is a 32-bit PowerShell. Run the script in a 64-bit one.'
    }
    $user = [Security.Principal.WindowsPrincipal]::new([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        Stop-Mslso 'This needs an administrator. Open PowerShell with "Run as administrator" and run the script there.'
    }
}

function Format-ExitCode {
    <#
    .SYNOPSIS
    Returns an exit code as people search for it: an HRESULT in hexadecimal, a small number as it is.
    #>
    param([Parameter(Mandatory)][int]$Code)
    if ($Code -lt 0 -or $Code -gt 0xFFFF) { '0x{0:X8}' -f $Code } else { "$Code" }
}

function Invoke-Native {
    <#
    .SYNOPSIS
    Runs a program and returns the lines it printed; stops with them unless its exit code is allowed, or any is.
    #>
    param(
        [Parameter(Mandatory)][string]$FilePath,
        [string[]]$ArgumentList = @(),
        [int[]]$Allowed = @(0),
        [switch]$AnyExitCode
    )
    if (-not (Get-Command $FilePath -CommandType Application -ErrorAction SilentlyContinue)) {
        Stop-Mslso "$FilePath is not found. It comes with Windows or the package, or belongs on the PATH."
    }
    # Windows PowerShell would take a line on the error stream for an error of the script.
    $ErrorActionPreference = 'Continue'
    $printed = @(& $FilePath @ArgumentList 2>&1 | ForEach-Object { "$_" })
    if (-not $AnyExitCode -and $LASTEXITCODE -notin $Allowed) {
        $said = ($printed | Where-Object { $_.Trim() } | Select-Object -Last 8) -join "`n"
        $name = Split-Path -Leaf $FilePath
        Stop-Mslso "'$name $ArgumentList' failed with exit code $(Format-ExitCode $LASTEXITCODE).`n$said"
    }
    $printed
}

function Format-Argument {
    <#
    .SYNOPSIS
    Returns a name as an argument of a command to type: in quotes, and with -Pattern for a parameter that takes wildcards.
    #>
    param([Parameter(Mandatory)][string]$Text, [switch]$Pattern)
    if ($Pattern) { $Text = [WildcardPattern]::Escape($Text) }
    "'$([Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($Text))'"
}

function Get-VerifierSetting {
    <#
    .SYNOPSIS
    Returns the drivers that Driver Verifier is set to verify after the next start, or with -Running those it verifies now.
    #>
    param([switch]$Running)
    $question = '/querysettings'
    if ($Running) { $question = '/query' }
    # The labels are in the system's language; names of drivers are not.
    $printed = (Invoke-Native verifier.exe $question -Allowed 0, 2) -join "`n"
    @([regex]::Matches($printed, '[\w.-]+\.sys\b') | ForEach-Object { $_.Value.ToLowerInvariant() } | Select-Object -Unique)
}
