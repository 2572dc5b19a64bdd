# mslsoctl.exe, by its JSON. Mslso.Common.ps1 dot-sources this.

function Invoke-MslsoCtl {
    <#
    .SYNOPSIS
    Runs a command of mslsoctl and returns its answer as an object; stops with its message if it fails.
    #>
    param([Parameter(Mandatory)][string[]]$ArgumentList)
    $program = Join-Path $PSScriptRoot 'mslsoctl.exe'
    if (-not (Test-Path -LiteralPath $program)) { $program = 'mslsoctl.exe' }
    # 0 to 5 are mslsoctl's own, of which each but 0 comes with a message.
    $printed = (Invoke-Native $program ($ArgumentList + '--json') -Allowed (0..5)) -join "`n"
    $code = $LASTEXITCODE
    try {
        $answer = $printed | ConvertFrom-Json
    } catch {
        Stop-Mslso "mslsoctl $ArgumentList answered with no JSON, exit code $code. $printed"
    }
    if ($code -ne 0) {
        $message = $printed
        if ($answer.PSObject.Properties['message']) { $message = $answer.message }
        Stop-Mslso "mslsoctl $ArgumentList failed: $message"
    }
    $answer
}
