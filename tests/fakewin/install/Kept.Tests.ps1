# What an installation keeps and turns on, and how it ends where programs hang, on the fake Windows:
# tests/scripts/run adds it to the tests that the fake Windows comes with.
BeforeAll {
    Import-Module "$PSScriptRoot/Harness.psm1" -Force
    $service = 'HKLM\SYSTEM\CurrentControlSet\Services\mslso'
    # NDIS names the keys of a filter module by the adapter's identifier.
    $guid = '{00000000-0000-0000-0000-000000000007}'
    $setting = "$service\Parameters\Adapters\$guid\{8f3a1c52-6d7e-4b09-9a41-2f5c7be0d613}-0000"
    function Start-Installed([hashtable]$With = @{}) {
        $fake = New-FakeHost -Trusted -TestMode @With
        $package = New-FakePackage $fake
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        $fake, $package
    }
    function Set-Bound($Fake, [string]$Name, [bool]$On) { Set-HostState $Fake { param($s) $s.bindings[$Name] = $On }.GetNewClosure() }
    function Bound($Fake, [string]$Name) { (Get-HostState $Fake).bindings.$Name }
    function Installed($Fake) { $s = Get-HostState $Fake; if ($s.service) { Get-Sha $s.service.file } }
}
AfterAll { Remove-Module Harness -ErrorAction SilentlyContinue }

Describe 'Kept: turned on by name' {
    It 'turns on what is named and nothing else (<name>)' -ForEach @(
        @{ name = 'by -File, one text'; arguments = @('-Adapter', 'SLOT 3 Port 1,SLOT 3 Port 2', '-Profile', 'latency', '-Force') }
        @{ name = 'one'; arguments = @('-Adapter', 'SLOT 3 Port 1', '-Force') }
    ) {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments $arguments
        $r.ExitCode | Should -Be 0 -Because $r.Text
        $calls = @(Get-Calls $fake change mslsoctl.exe)
        $calls.Count | Should -Be $(if ($name -eq 'one') { 1 } else { 2 })
        $calls[0] | Should -Match 'set 7 --profile (latency|throughput) --persist'
        $calls | Should -Not -Match 'set 4'
        $r.Text | Should -Match "'SLOT 3 Port 1' has the profile"
    }

    It 'turns on an adapter of an installed driver, without netcfg' {
        $fake, $package = Start-Installed
        $before = @(Get-Calls $fake change netcfg.exe).Count
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Adapter', 'Management', '-Profile', 'cpu', '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        @(Get-Calls $fake change netcfg.exe).Count | Should -Be $before
        (Get-HostState $fake).tuning.Management.profile | Should -Be 'cpu'
    }

    It 'turns on the others, and notes the bindings, where one cannot be turned on' {
        $fake, $package = Start-Installed @{ Adapters = @((New-Adapter 'Port [A]' 4 NIC), (New-Adapter "Bob's" 5 NIC), (New-Adapter 'Other' 6 NIC)) }
        Set-Bound $fake 'Port [A]' $false
        Set-Bound $fake "Bob's" $false
        Set-HostState $fake { param($s) $s.faults.binding_change = @('Port [A]', "Bob's") }
        $r = Invoke-Text $fake $package ".\Install-Mslso.ps1 -Adapter 'Port [A]', 'Bob''s', Other -Force"
        $r.ExitCode | Should -Be 1
        $r.Text | Should -Match "'Port \[A\]' is not set to the profile"
        $r.Text | Should -Match "'Other' has the profile"
        (Get-Registry $fake 'HKLM\SOFTWARE\mslso').Unbound | Should -Match '0004.*0005'
        # As one would have to type them.
        $r.Text | Should -Match ([regex]::Escape("-Name 'Port ``[A``]' -ComponentID"))
        $r.Text | Should -Match ([regex]::Escape("-Name 'Bob''s' -ComponentID"))
    }

    It 'names the command for after a restart as one has to type it' {
        $fake = New-FakeHost -Trusted -TestMode -Adapters @(New-Adapter "Bob's [A]" 4 NIC) -Faults @{ netcfg_install = @{ reboot = $true } }
        $package = New-FakePackage $fake
        $r = Invoke-Text $fake $package ".\Install-Mslso.ps1 -Adapter 'Bob''s [A]' -Force"
        $r.ExitCode | Should -Be 0 -Because $r.Text
        $r.Text | Should -Match ([regex]::Escape("-Adapter 'Bob''s [A]' -Profile"))
    }

    It 'is complete though the pipeline stops at the first output' {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        $r = Invoke-Text $fake $package ".\Install-Mslso.ps1 -Adapter Management -Profile cpu -Force | Select-Object -First 1"
        $r.Text | Should -Match 'mslso is installed'
        (Get-HostState $fake).tuning.Management.profile | Should -Be 'cpu'
        (Get-Registry $fake 'HKLM\SOFTWARE\mslso').Bound | Should -Match '0004'
    }

    It 'refuses <what>' -ForEach @(
        @{ what = '-Profile without -Adapter'; arguments = @('-Profile', 'cpu', '-Force') }
        @{ what = 'an empty name'; arguments = @('-Adapter', '', '-Force') }
    ) {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments $arguments
        $r.ExitCode | Should -Be 1
        $r.Text | Should -Match '-Adapter'
        Get-Calls $fake change | Should -BeNullOrEmpty
    }
}

Describe 'Kept: settings and bindings' {
    It 'stay over an upgrade' {
        $fake, $old = Start-Installed
        Set-Registry $fake $setting @{ Multiple = 0; Profile = 2; CapBytes = 300000 }
        Set-Bound $fake Management $false
        $package = New-FakePackage $fake -Name new -Content 'build 2' -DriverVer '11/21/2026,0.1.1.0'
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        Installed $fake | Should -Be (Get-Sha "$package/mslso.sys")
        (Get-Registry $fake $setting).CapBytes | Should -Be 300000
        Bound $fake Management | Should -BeFalse
        Bound $fake 'SLOT 3 Port 1' | Should -BeTrue
    }

    It 'come back with the old build where no build starts' {
        $fake, $old = Start-Installed
        Set-Registry $fake $setting @{ Profile = 1 }
        Set-Bound $fake Management $false
        $package = New-FakePackage $fake -Name new -Content 'build 2' -DriverVer '11/21/2026,0.1.1.0'
        # The fault is of the system: it strikes the old build too.
        Set-HostState $fake { param($s) $s.faults.start = 577 }
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match '577'
        $r.Text | Should -Match 'put back, with its settings and bindings, but does not run'
        Installed $fake | Should -Be (Get-Sha "$old/mslso.sys")
        (Get-Registry $fake $setting).Profile | Should -Be 1
        Bound $fake Management | Should -BeFalse
    }

    It 'stay where the old build cannot be removed, and the message says so' {
        $fake, $old = Start-Installed
        Set-HostState $fake { param($s) $s.faults.netcfg_uninstall = @{ exit = 0x8004A026 } }
        $package = New-FakePackage $fake -Name new -Content 'build 2' -DriverVer '11/21/2026,0.1.1.0'
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match 'the old one stays as it is'
        $r.Text | Should -Match '0x8004A026'
        Installed $fake | Should -Be (Get-Sha "$old/mslso.sys")
        @((Get-HostState $fake).store).Count | Should -Be 1
    }

    It 'come back after -KeepSettings, and are gone without it' {
        $fake, $package = Start-Installed
        Set-Registry $fake $setting @{ Profile = 3 }
        Set-Bound $fake 'vEthernet (Production)' $false
        $r = Invoke-Script $fake $package Uninstall-Mslso.ps1 -Arguments '-KeepSettings', '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        Get-Registry $fake $setting | Should -BeNullOrEmpty
        (Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force').ExitCode | Should -Be 0
        (Get-Registry $fake $setting).Profile | Should -Be 3
        Bound $fake 'vEthernet (Production)' | Should -BeFalse
        (Invoke-Script $fake $package Uninstall-Mslso.ps1 -Arguments '-Force').ExitCode | Should -Be 0
        Test-Path "$($fake.State)/reg/HKLM/SOFTWARE/mslso" | Should -BeFalse
    }

    It 'come back after -KeepSettings and after an upgrade where the component was lost (<how>)' -ForEach @(@{ how = 'KeepSettings' }, @{ how = 'upgrade' }) {
        $fake, $package = Start-Installed
        Set-Bound $fake Management $false
        (Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force').ExitCode | Should -Be 0
        Set-Registry $fake $setting @{ Profile = 3 }
        Set-HostState $fake { param($s) $s.component = $null; $s.bindings = @{} }
        Set-Registry $fake 'HKLM\SYSTEM\CurrentControlSet\Control\Network\{4d36e974-e325-11ce-bfc1-08002be10318}\{8f3a1c52-6d7e-4b09-9a41-2f5c7be0d613}' $null
        if ($how -eq 'KeepSettings') {
            $r = Invoke-Script $fake $package Uninstall-Mslso.ps1 -Arguments '-KeepSettings', '-Force'
            $r.ExitCode | Should -Be 0 -Because $r.Text
        } else {
            $package = New-FakePackage $fake -Name new -Content 'build 2' -DriverVer '11/21/2026,0.1.1.0'
        }
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        (Get-Registry $fake $setting).Profile | Should -Be 3
        Bound $fake Management | Should -BeFalse
        Bound $fake 'SLOT 3 Port 1' | Should -BeTrue
    }

    It 'come back after a restart that the installation needs' {
        $fake, $package = Start-Installed
        Set-Bound $fake Management $false
        (Invoke-Script $fake $package Uninstall-Mslso.ps1 -Arguments '-KeepSettings', '-Force').ExitCode | Should -Be 0
        Set-HostState $fake { param($s) $s.faults.netcfg_install = @{ reboot = $true } }
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.Text | Should -Match 'run this again, which puts back what was kept'
        Restart-FakeHost $fake
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        Bound $fake Management | Should -BeFalse
        Bound $fake 'SLOT 3 Port 1' | Should -BeTrue
        (Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force').Text | Should -Match 'Nothing is changed'
        (Get-Registry $fake 'HKLM\SOFTWARE\mslso').Unbound | Should -Match '0004'
    }

    It 'are not said to be kept where there are none' {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        Add-StagedPackage $fake $package
        $r = Invoke-Script $fake $package Uninstall-Mslso.ps1 -Arguments '-KeepSettings', '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        $r.Text | Should -Match 'Nothing of mslso is left\.'
    }

    It 'that cannot be saved leave the old build as it is, and no copy of it behind' {
        $fake, $old = Start-Installed
        Set-HostState $fake { param($s) $s.faults.bindings_query = $true }
        $package = New-FakePackage $fake -Name new -Content 'build 2' -DriverVer '11/21/2026,0.1.1.0'
        $r = Invoke-Text $fake $package "`$env:TMPDIR = '$($fake.Root)/home'; .\Install-Mslso.ps1 -Force"
        $r.ExitCode | Should -Be 1
        $r.Text | Should -Match 'The old build stays as it is'
        Installed $fake | Should -Be (Get-Sha "$old/mslso.sys")
        Get-ChildItem "$($fake.Root)/home" -Filter 'mslso-*' | Should -BeNullOrEmpty
    }

    It 'leave off what the administrator took off, where the others are on' {
        $fake, $package = Start-Installed
        Set-Bound $fake Management $false
        $r = Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        Bound $fake Management | Should -BeFalse
    }
}

Describe 'Kept: a netcfg that does not end' {
    It 'is left alone within -TimeoutSeconds, told, and nothing is undone behind its back (<script>)' -ForEach @(
        @{ script = 'Install-Mslso.ps1'; fault = @{ netcfg_install = @{ at = 'component'; hang = 60 } } }
        @{ script = 'Uninstall-Mslso.ps1'; fault = @{ netcfg_uninstall = @{ at = 'start'; hang = 60 } } }
    ) {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        if ($script -match '^Un') { Install-FakeDriver $fake $package }
        Set-HostState $fake { param($s) foreach ($key in $fault.Keys) { $s.faults[$key] = $fault[$key] } }.GetNewClosure()
        $r = Invoke-Script $fake $package $script -Arguments '-Force', '-TimeoutSeconds', '5' -Seconds 50
        $r.TimedOut | Should -BeFalse
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.StillRuns | Should -Contain 'netcfg'
        $r.Text | Should -Match 'still runs'
        $r.Text | Should -Match 'Committing changes to the network graph'
        Get-Calls $fake overlap | Should -BeNullOrEmpty
    }
}

Describe 'Kept: Ctrl-C' {
    It 'says that netcfg still runs' {
        $fake = New-FakeHost -Trusted -TestMode -Faults @{ netcfg_install = @{ at = 'component'; hang = 60 } }
        $package = New-FakePackage $fake
        $r = Invoke-Text $fake $package @"
& /bin/sh -c "(until grep -q hangs '`$env:FAKEWIN_STATE/calls.log'; do sleep 1; done; sleep 1; kill -INT `$PID) >/dev/null 2>&1 &"
.\Install-Mslso.ps1 -Force
"@
        $r.StillRuns | Should -Contain 'netcfg'
        $r.Text | Should -Match 'netcfg\.exe still runs \(process \d+\).*Nothing is checked or undone'
        @(Get-Calls $fake change).Count | Should -Be 1
    }
}

Describe 'Kept: a netcfg of another run' {
    It 'keeps a script from changing anything (<script>)' -ForEach @(
        @{ script = 'Install-Mslso.ps1' }, @{ script = 'Uninstall-Mslso.ps1' }
    ) {
        $fake = New-FakeHost -Trusted -TestMode -Faults @{ netcfg_install = @{ at = 'staged'; hang = 60 } }
        $package = New-FakePackage $fake
        # A process of the fake has the path of its interpreter.
        $r = Invoke-Text $fake $package @"
try { .\Install-Mslso.ps1 -Force -TimeoutSeconds 5 } catch { 'first: ' + `$_ }
function Get-Process { [CmdletBinding()] param(`$Name) [pscustomobject]@{ Id = 4711; Path = (Get-Command netcfg.exe -CommandType Application).Path } }
.\$script -Force -TimeoutSeconds 5
"@
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match 'netcfg\.exe still runs \(process 4711\).*Nothing is changed'
        Get-Calls $fake overlap | Should -BeNullOrEmpty
    }

    It 'is not undone by one that the network configuration was held against' {
        $fake = New-FakeHost -Trusted -TestMode -Faults @{ netcfg_locked = 8 }
        $package = New-FakePackage $fake
        # Another run installs it while this one tries for the last time.
        $r = Invoke-Text $fake $package @"
`$global:naps = 0
function Start-Sleep {
    `$global:naps++
    if (`$global:naps -ne 7) { return }
    `$key = 'HKLM:\SYSTEM\CurrentControlSet\Control\Network\{4d36e974-e325-11ce-bfc1-08002be10318}\{8f3a1c52-6d7e-4b09-9a41-2f5c7be0d613}'
    New-Item -Path `$key -Force | Out-Null
    Set-ItemProperty -LiteralPath `$key -Name ComponentId -Value mslso_lwf
}
.\Install-Mslso.ps1 -Force
"@
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match '0x8004A024'
        @(Get-Calls $fake change netcfg.exe) -match ' -u ' | Should -BeNullOrEmpty
        $r.Text | Should -Not -Match 'removed again'
    }
}

Describe 'Kept: a caller''s session' {
    It 'does not pass over a failed check or step by a default of its own (<script>)' -ForEach @(
        @{ script = 'Install-Mslso.ps1'; with = @{} }
        @{ script = 'Uninstall-Mslso.ps1'; with = @{ Trusted = $true; TestMode = $true } }
    ) {
        $fake = New-FakeHost @with
        $package = New-FakePackage $fake
        if ($script -match '^Un') { Install-FakeDriver $fake $package }
        Set-HostState $fake { param($s) $s.faults.netcfg_uninstall = @{ exit = 0x8004A026 } }
        $r = Invoke-Text $fake $package "`$PSDefaultParameterValues = @{ '*:ErrorAction' = 'SilentlyContinue' }; .\$script -Force"
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match $(if ($script -match '^Un') { '0x8004A026' } else { 'does not trust' })
        if ($script -notmatch '^Un') { Get-Calls $fake change | Should -BeNullOrEmpty }
    }

    It 'reads files as they are, whatever its defaults' {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        $r = Invoke-Text $fake $package "`$PSDefaultParameterValues = @{ 'Get-Content:Raw' = `$true; 'Select-Object:First' = 1 }; .\Install-Mslso.ps1 -Force"
        $r.ExitCode | Should -Be 0 -Because $r.Text
    }

    It 'is asked nothing with -Force, though it asks before every change' {
        $fake, $package = Start-Installed
        Set-Bound $fake Management $false
        $r = Invoke-Text $fake $package "`$ConfirmPreference = 'Low'; .\Install-Mslso.ps1 -Force"
        $r.ExitCode | Should -Be 0 -Because $r.Text
        (Get-Registry $fake 'HKLM\SOFTWARE\mslso').Unbound | Should -Match '0004'
    }

    It 'of a constrained language is told so, and nothing is changed (<script>)' -ForEach @(
        @{ script = 'Install-Mslso.ps1' }, @{ script = 'Uninstall-Mslso.ps1' }, @{ script = 'Set-TestSigning.ps1' }
    ) {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        $r = Invoke-Text $fake $package "`$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; .\$script -Force"
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match 'ConstrainedLanguage mode.*Nothing is changed'
        Get-Calls $fake change | Should -BeNullOrEmpty
    }
}

Describe 'Kept: how it ends' {
    It 'ends with the exit code that is asked for where a restart is due' {
        $fake = New-FakeHost -Trusted -TestMode -Faults @{ netcfg_install = @{ reboot = $true } }
        $package = New-FakePackage $fake
        # Linux keeps 8 bits.
        (Invoke-Script $fake $package Install-Mslso.ps1 -Arguments '-Force', '-RestartExitCode', '99').ExitCode | Should -Be 99
    }

    It 'says that the question was not answered at the end of the input, and changes nothing (<script>)' -ForEach @(
        @{ script = 'Install-Mslso.ps1' }, @{ script = 'Uninstall-Mslso.ps1' }, @{ script = 'Set-TestSigning.ps1' }
    ) {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        if ($script -match '^Un') { Install-FakeDriver $fake $package }
        $r = Invoke-Script $fake $package $script -Arguments @() -Interactive -Stdin ''
        $r.ExitCode | Should -Be 1 -Because $r.Text
        $r.Text | Should -Match 'Nothing is changed'
        $r.Text | Should -Match '-Force'
        Get-Calls $fake change | Should -BeNullOrEmpty
    }

    It 'does not take a failed question for "Secure Boot is off"' {
        $fake = New-FakeHost -SecureBoot denied
        $package = New-FakePackage $fake
        $r = Invoke-Script $fake $package Set-TestSigning.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 1
        $r.Text | Should -Match 'Access was denied'
        Get-Calls $fake change | Should -BeNullOrEmpty
    }

    It 'removes a service that lost its component' {
        $fake = New-FakeHost -Trusted -TestMode
        $package = New-FakePackage $fake
        Install-FakeDriver $fake $package
        Set-HostState $fake { param($s) $s.component = $null }
        Set-Registry $fake 'HKLM\SYSTEM\CurrentControlSet\Control\Network\{4d36e974-e325-11ce-bfc1-08002be10318}\{8f3a1c52-6d7e-4b09-9a41-2f5c7be0d613}' $null
        $r = Invoke-Script $fake $package Uninstall-Mslso.ps1 -Arguments '-Force'
        $r.ExitCode | Should -Be 0 -Because $r.Text
        (Get-HostState $fake).service | Should -BeNullOrEmpty
        @((Get-HostState $fake).store).Count | Should -Be 0
    }
}
