# The shared code of the scripts, function by function: what reads files and numbers, and what counts
# tries. The whole scripts run on a fake Windows: see tests/scripts/run.
BeforeAll {
    $inf = Join-Path (Split-Path -Parent (Split-Path -Parent $PSScriptRoot)) 'inf'
    . (Join-Path $inf 'Mslso.Common.ps1')
    . (Join-Path $inf 'Mslso.Install.ps1')
    if (-not $env:SystemRoot) { $env:SystemRoot = '/Windows'; $made = $true }
    # Windows' own, which is not everywhere.
    if (-not (Get-Command Get-NetAdapter -ErrorAction SilentlyContinue)) { function Get-NetAdapter { [CmdletBinding()] param([string[]]$Name) } }
}
AfterAll { if (Test-Path variable:made) { $env:SystemRoot = $null } }

Describe 'Read-MslsoChecksum' {
    BeforeAll {
        $sum = 'a1' * 32
        function Read([string]$Text) {
            $file = Join-Path $TestDrive 'SHA256SUMS'
            [IO.File]::WriteAllText($file, $Text)
            @(Read-MslsoChecksum $file)
        }
    }

    It 'reads <what>' -ForEach @(
        @{ what = 'text marks'; text = "SUM  mslso.sys`n" }
        @{ what = 'binary marks'; text = "SUM *mslso.sys`n" }
        @{ what = 'CRLF'; text = "SUM  mslso.sys`r`n" }
        @{ what = 'empty lines'; text = "`n  `nSUM  mslso.sys`n`n" }
        @{ what = 'no end of line'; text = 'SUM  mslso.sys' }
    ) {
        $read = Read $text.Replace('SUM', $sum)
        $read.Count | Should -Be 1
        $read[0].Name | Should -Be 'mslso.sys'
        $read[0].Sum | Should -Be $sum
    }

    It 'refuses <what>, and says so' -ForEach @(
        @{ what = 'a way up'; text = 'SUM  ../outside'; said = 'outside the package' }
        @{ what = 'a way up inside'; text = 'SUM  a\..\..\outside'; said = 'outside the package' }
        @{ what = 'a root'; text = 'SUM  /etc/passwd'; said = 'outside the package' }
        @{ what = 'a share'; text = 'SUM  \\server\share\file'; said = 'outside the package' }
        @{ what = 'a drive'; text = 'SUM  C:\file'; said = 'outside the package' }
        @{ what = 'a short sum'; text = 'abcd  mslso.sys'; said = 'Line 1 .* no checksum' }
        @{ what = 'a page of a web server'; text = "`n<html>"; said = 'Line 2 .* no checksum' }
    ) {
        { Read $text.Replace('SUM', $sum) } | Should -Throw -ExpectedMessage '*SHA256SUMS*'
        try { Read $text.Replace('SUM', $sum) } catch { "$_" | Should -Match $said }
    }
}

Describe 'Get-MslsoMachine' {
    It 'gives "<expected>" for <what>' -ForEach @(
        @{ what = 'x64'; machine = 0x8664; expected = 'AMD64' }
        @{ what = 'Arm64'; machine = 0xAA64; expected = 'ARM64' }
        @{ what = 'x86'; machine = 0x14C; expected = '' }
    ) {
        $bytes = [byte[]]::new(0x200)
        $bytes[0x3C] = 0x80
        [BitConverter]::GetBytes([uint16]$machine).CopyTo($bytes, 0x84)
        $file = Join-Path $TestDrive 'image'
        [IO.File]::WriteAllBytes($file, $bytes)
        "$(Get-MslsoMachine $file)" | Should -Be $expected
    }

    It 'gives nothing for <length> bytes that are no image' -ForEach @(@{ length = 0 }, @{ length = 63 }, @{ length = 64 }, @{ length = 200 }) {
        $bytes = [byte[]]::new($length)
        for ($at = 0; $at -lt $length; $at++) { $bytes[$at] = 0xFF }
        $file = Join-Path $TestDrive 'none'
        [IO.File]::WriteAllBytes($file, $bytes)
        "$(Get-MslsoMachine $file)" | Should -Be ''
    }
}

Describe 'Resolve-MslsoImage' {
    It 'finds the file of <image>' -ForEach @(
        @{ image = '\SystemRoot\System32\drivers\mslso.sys' }
        @{ image = 'System32\drivers\mslso.sys' }
        @{ image = 'system32\drivers\mslso.sys' }
    ) {
        (Resolve-MslsoImage $image) -replace '/', '\' | Should -Be ((Join-Path $env:SystemRoot 'System32\drivers\mslso.sys') -replace '/', '\')
    }

    It 'takes a full path as it is' {
        Resolve-MslsoImage '\??\D:\Windows\mslso.sys' | Should -Be 'D:\Windows\mslso.sys'
        Resolve-MslsoImage '"D:\a b\mslso.sys"' | Should -Be 'D:\a b\mslso.sys'
    }
}

Describe 'Format-Argument' {
    It 'gives <text> such that it comes back, as it is and as a pattern of itself' -ForEach @(
        @{ text = 'SLOT 3 Port 1' }, @{ text = "Bob's" }, @{ text = "Bob$([char]0x2019)s" }, @{ text = 'Port [A] *?' }, @{ text = 'a`b $x' }
    ) {
        (Invoke-Expression (Format-Argument $text)) -ceq $text | Should -BeTrue
        $text -clike (Invoke-Expression (Format-Argument $text -Pattern)) | Should -BeTrue
    }
}

Describe 'Format-ExitCode' {
    It 'shows <code> as <text>' -ForEach @(
        @{ code = 5; text = '5' }, @{ code = 3010; text = '3010' }, @{ code = -2147024891; text = '0x80070005' }, @{ code = 0x4A020; text = '0x0004A020' }
    ) { Format-ExitCode $code | Should -Be $text }
}

Describe 'Invoke-Netcfg' {
    BeforeAll {
        function New-Run([int]$Code) { [pscustomobject]@{ Process = [pscustomobject]@{ HasExited = $true; ExitCode = $Code }; Lines = @('done.') } }
        Mock Start-Sleep { }
        Mock Write-Warning { }
    }

    It 'returns whether a restart is due' {
        Mock Start-Netcfg { New-Run 0 }
        Invoke-Netcfg '-u mslso_lwf' 60 | Should -BeFalse
        Mock Start-Netcfg { New-Run 0x4A020 }
        Invoke-Netcfg '-u mslso_lwf' 60 | Should -BeTrue
    }

    It 'tries again while somebody holds the lock, eight times' {
        Mock Start-Netcfg { New-Run 0x8004A024 }
        { Invoke-Netcfg '-u mslso_lwf' 60 } | Should -Throw -ExpectedMessage '*0x8004A024*'
        Should -Invoke Start-Netcfg -Times 8 -Exactly
    }

    It 'does not try again after any other code, and tells one that it does not know' {
        Mock Start-Netcfg { New-Run 0x80004005 }
        { Invoke-Netcfg '-u mslso_lwf' 60 } | Should -Throw -ExpectedMessage '*0x80004005*setupapi.dev.log*'
        Should -Invoke Start-Netcfg -Times 1 -Exactly
    }

    It 'has words that help for every code' {
        foreach ($code in $MslsoNetcfgCodes.Keys) {
            $code | Should -Match '^0x[0-9A-F]{8}$'
            $MslsoNetcfgCodes[$code] | Should -Match '\. ?[A-Z].*\.$'
        }
    }
}

Describe 'Read-MslsoInf' {
    It 'reads the class and the settings of the INF' {
        $file = Join-Path $inf 'mslso.inf'
        (Read-MslsoInf $file 'Version') -match '^ClassGuid' | Should -Match '4D36E974'
        @(Read-MslsoInf $file 'Settings').Count | Should -BeGreaterThan 30
        Read-MslsoInf $file 'Settings' | Should -Not -Match '^;'
    }
}

Describe 'Resolve-MslsoAdapter' {
    BeforeAll { Mock Get-NetAdapter { 'A', 'B, C', 'D [1]' | ForEach-Object { [pscustomobject]@{ Name = $_; ifIndex = 1 } } } }

    It 'finds <asked>' -ForEach @(
        @{ asked = @('A'); found = @('A') }
        @{ asked = @('D [1]'); found = @('D [1]') }
        @{ asked = @('B, C'); found = @('B, C') }
        @{ asked = @('A,D [1]'); found = @('A', 'D [1]') }
        @{ asked = @('A', 'a'); found = @('A') }
    ) { @(Resolve-MslsoAdapter $asked | ForEach-Object { $_.Name } | Select-Object -Unique) | Should -Be $found }

    It 'refuses a pattern, and lists the names' {
        { Resolve-MslsoAdapter 'D*' } | Should -Throw -ExpectedMessage "*'A', 'B, C', 'D ``[1``]'*"
    }
}
