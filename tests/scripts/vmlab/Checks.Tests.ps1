# Mslso.Checks.ps1 and Mslso.Crashes.ps1: a check that could not look never passes, and a run that was
# broken off leaves its report.
BeforeAll {
    $root = Split-Path -Parent (Split-Path -Parent (Split-Path -Parent $PSScriptRoot))
    $folder = Join-Path (Join-Path $root 'tests') 'vm-lab'
    . (Join-Path (Join-Path $root 'inf') 'Mslso.Common.ps1')
    foreach ($name in 'Lab', 'Checks', 'Crashes') { . (Join-Path $folder "Mslso.$name.ps1") }
    function Get-WinEvent { [CmdletBinding()] param([hashtable]$FilterHashtable, [string]$LogName, [switch]$Oldest, [long]$MaxEvents) }
    # As the cmdlet ends where a log has no event of the filter.
    function Stop-Empty {
        throw [Management.Automation.ErrorRecord]::new([Exception]::new('none'), 'NoMatchingEventsFound,Get-WinEvent', 'ObjectNotFound', $null)
    }
    function New-TestEvent([int]$Id, [string]$Provider, [string]$Message = '') {
        [pscustomobject]@{ Id = $Id; ProviderName = $Provider; Message = $Message; TimeCreated = Get-Date }
    }
    $since = (Get-Date).AddDays(-1)
}

Describe 'A report' {
    BeforeEach {
        $checks.Clear()
        $reportFolder = Join-Path $TestDrive ([guid]::NewGuid())
        [IO.Directory]::CreateDirectory($reportFolder) | Out-Null
        $report = [ordered]@{ Verdict = ''; Complete = $false; Started = ''; Ended = ''; System = ''; Adapter = ''; Checks = @() }
        function Read-TestReport { ConvertFrom-Json ([IO.File]::ReadAllText((Join-Path $reportFolder 'report.json'))) }
    }
    It 'is on the disk while a check runs, and says that the run has not ended' {
        Test-Step 'first' { $script:seen = Read-TestReport } 6> $null
        $seen.Verdict | Should -Be 'incomplete'
        $seen.Checks[0].Reason | Should -Match 'broken off'
    }
    It 'passes only once the run has ended' {
        Test-Step 'first' { 'well' } 6> $null
        (Read-TestReport).Verdict | Should -Be 'incomplete'
        Save-Report -Complete
        (Read-TestReport).Verdict | Should -Be 'pass'
    }
    It 'is <verdict> where a check is <row>' -ForEach @(
        @{ row = 'fail'; verdict = 'fail'; body = { throw 'no | good' } }, @{ row = 'not-run'; verdict = 'incomplete'; body = { Skip-Check 'no peer' } }
    ) {
        Test-Step 'first' { } 6> $null
        Test-Step 'second' $body 6> $null
        Save-Report -Complete
        (Read-TestReport).Verdict | Should -Be $verdict
        (Read-TestReport).Checks[1].Verdict | Should -Be $row
        [IO.File]::ReadAllText((Join-Path $reportFolder 'report.md')) | Should -Match "\| second \| $row \| no"
    }
    It 'that is there already is not overwritten' {
        [IO.File]::WriteAllText((Join-Path $reportFolder 'report.md'), 'last week')
        { Assert-ReportFolder $reportFolder } | Should -Throw '*report.md*'
    }
}

Describe 'No bug check' {
    It 'passes where the log has none' {
        Mock Get-WinEvent { Stop-Empty }
        Assert-NoBugCheck $since | Should -Match 'since'
    }
    It 'fails with one' {
        Mock Get-WinEvent { New-TestEvent 1001 'Microsoft-Windows-WER-SystemErrorReporting' '0x000000d1' } -ParameterFilter { $FilterHashtable -and $FilterHashtable.Id -eq 1001 }
        { Assert-NoBugCheck $since } | Should -Throw '*0x000000d1*'
    }
    It 'is not-run after a stop that left no bug check' {
        Mock Get-WinEvent { Stop-Empty }
        Mock Get-WinEvent { New-TestEvent 41 'Microsoft-Windows-Kernel-Power' } -ParameterFilter { $FilterHashtable -and $FilterHashtable.Id -eq 41 }
        { Assert-NoBugCheck $since } | Should -Throw 'not-run: *without a shutdown*'
    }
    It 'is not-run where the log cannot be read' {
        Mock Get-WinEvent { throw 'The log is damaged.' }
        { Assert-NoBugCheck $since } | Should -Throw 'not-run: *damaged*'
        { Assert-NoLogError $since } | Should -Throw 'not-run: *damaged*'
    }
    It 'says where the log begins' {
        Mock Get-WinEvent { Stop-Empty }
        Mock Get-WinEvent { New-TestEvent 6005 'EventLog' } -ParameterFilter { $Oldest }
        Assert-NoBugCheck $since | Should -Match 'where the event log begins'
    }
}

Describe 'No dump' {
    BeforeEach {
        $place = Join-Path $TestDrive ([guid]::NewGuid())
        $target = Join-Path $TestDrive ([guid]::NewGuid())
        foreach ($one in $place, $target) { [IO.Directory]::CreateDirectory($one) | Out-Null }
        Mock Get-DumpPlace { [pscustomobject]@{ Places = @($place); IsOn = $true } }
        function New-TestDump([string]$Name, [long]$Size = 10) {
            $file = [IO.File]::Create((Join-Path $place $Name))
            $file.SetLength($Size)
            $file.Dispose()
        }
    }
    It 'passes where there is none since then' {
        New-TestDump 'old.dmp'
        [IO.File]::SetLastWriteTime((Join-Path $place 'old.dmp'), $since.AddDays(-1))
        { Assert-NoDump $since $target } | Should -Not -Throw
    }
    It 'fails with its name, in a folder of the folder too, and copies it' {
        [IO.Directory]::CreateDirectory((Join-Path $place 'WATCHDOG')) | Out-Null
        New-TestDump (Join-Path 'WATCHDOG' 'w.dmp')
        { Assert-NoDump $since $target } | Should -Throw '*w.dmp*copied*'
        Test-Path (Join-Path $target 'w.dmp') | Should -BeTrue
    }
    It 'fails with the name of a dump that is too large, and does not copy it' {
        New-TestDump 'MEMORY.DMP' 3gb
        { Assert-NoDump $since $target } | Should -Throw '*MEMORY.DMP*too large*'
        @([IO.Directory]::GetFiles($target)).Count | Should -Be 0
    }
    It 'fails with the name of a dump whose copy fails' {
        New-TestDump 'a.dmp'
        Mock Copy-Item { throw 'The disk is full.' }
        { Assert-NoDump $since $target } | Should -Throw '*a.dmp*not copied: The disk is full*'
    }
    It 'keeps both of two dumps with one name' {
        New-TestDump 'a.dmp'
        [IO.File]::WriteAllText((Join-Path $target 'a.dmp'), 'earlier')
        { Assert-NoDump $since $target } | Should -Throw
        Test-Path (Join-Path $target 'a-2.dmp') | Should -BeTrue
    }
    It 'is not-run where <what>' -ForEach @(
        @{ what = 'a place cannot be looked at'; broken = $true; on = $true }, @{ what = 'the system writes no dumps'; broken = $false; on = $false }
    ) {
        Mock Get-DumpPlace { [pscustomobject]@{ Places = @($place); IsOn = $on } }
        if ($broken) { Mock Get-ChildItem { throw 'Access is denied.' } }
        { Assert-NoDump $since $target } | Should -Throw 'not-run: *'
    }
}

Describe 'Driver Verifier as it runs' {
    It 'has its flags whatever the language and the version print: <text>' -ForEach @(
        @{ text = 'Verifier Flags: 0x002209bb'; flags = 0x2209BB }, @{ text = "\u00DCberpr\u00FCfungsflags: 0x00000000"; flags = 0 }, @{ text = 'Level: 000209BB'; flags = 0x209BB }, @{ text = 'None.'; flags = -1 }
    ) {
        Mock Invoke-Native { "Time Stamp: 11/27/2026 02:15:00.000", $text, '    [X] 0x00000001 Special pool.', 'MODULE: mslso.sys (load: 1 / unload: 0)' }
        $found = Get-RunningVerifier
        $found.Flags | Should -Be $flags
        $found.Drivers | Should -Contain 'mslso.sys'
    }
}

Describe 'The text of the scripts' {
    # "$Peer?" reads a variable named "Peer?", and "$Name:" one of a drive.
    It 'reads no variable whose name took a question mark or a colon from the sentence' {
        $files = @(Get-ChildItem -Path (Join-Path (Join-Path $root 'inf') 'Mslso.*'), (Join-Path $root (Join-Path 'inf' '*.ps1')), (Join-Path $folder '*.ps1') | Where-Object { $_.Extension -in '.ps1', '.psm1' })
        $files.Count | Should -BeGreaterThan 8
        $wrong = foreach ($file in $files) {
            $tree = [Management.Automation.Language.Parser]::ParseFile($file.FullName, [ref]$null, [ref]$null)
            $tree.FindAll({ param($node) $node -is [Management.Automation.Language.VariableExpressionAst] }, $true) |
                Where-Object { $_.VariablePath.UserPath -match '\?$' -and $_.VariablePath.UserPath -ne '?' -or
                    $_.VariablePath.IsDriveQualified -and $_.VariablePath.DriveName -notin 'env', 'function' } |
                ForEach-Object { "$($file.Name): $($_.Extent.Text)" }
        }
        $wrong | Should -BeNullOrEmpty
    }
}
