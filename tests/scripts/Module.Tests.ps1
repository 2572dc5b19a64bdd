# The module Mslso over a fake mslsoctl, which answers as the real one does (crates/mslsoctl/tests).
Describe 'Mslso' {
    BeforeAll {
        $inf = Join-Path (Split-Path -Parent (Split-Path -Parent $PSScriptRoot)) 'inf'
        Import-Module (Join-Path $inf 'Mslso.psd1') -Force
        $global:mslsoFake = @{ Calls = @(); Fails = $null; Old = $false; Tuning = @{}; Registry = @{} }

        function New-Entry([int]$Index, $Connection, [string]$Name) {
            @{ if_index = $Index; base_if_index = $Index + 100; connection = $Connection; name = $Name; running = $true }
        }
        $global:mslsoFake.Adapters = @(
            New-Entry 7 'SLOT 3 Port 1' 'Intel(R) E810'
            New-Entry 8 'Office [B]' 'Intel(R) E810 #2'
            New-Entry 9 $null 'No connection'
        )

        # As mslsoctl: one object, the exit code, and errors as an object too.
        Mock -ModuleName Mslso.Common Invoke-Native {
            $fake = $global:mslsoFake
            $words = @($ArgumentList | Where-Object { $_ -ne '--json' })
            $fake.Calls += $words -join ' '
            $global:LASTEXITCODE = 0
            if ($fake.Fails) {
                $global:LASTEXITCODE = $fake.Fails.exit_code
                return ConvertTo-Json $fake.Fails -Compress
            }
            if ($words[0] -eq 'list') { return ConvertTo-Json @{ schema = 1; adapters = $fake.Adapters } -Depth 5 -Compress }
            $entry = $fake.Adapters | Where-Object { "$($_.if_index)" -eq $words[1] }
            if ($words[0] -eq 'stats') {
                $statistics = @{ sends = 5000000000; large_sends = 700; split = 600; children = 4800; bytes = 300000000; failed = 0; refused_in_all = 3; refused = @{} }
                return ConvertTo-Json @{ schema = 1; adapter = $entry; statistics = $statistics } -Depth 5 -Compress
            }
            $tuning = $fake.Tuning[$words[1]]
            if (-not $tuning) { $tuning = @{ profile = 'off'; multiple = 1; cap_bytes = $null } }
            $settings = @{ software_segmentation = 'with-checksums'; ip_id_bits = 16; max_sg_elements = 64; memory_bound_bytes = 64MB }
            $registry = $fake.Registry[$words[1]]
            if (-not $registry) { $registry = $settings.Clone(); $registry.tuning = @{ profile = 'off'; multiple = 1; cap_bytes = $null } }
            for ($at = 2; $at -lt $words.Count; $at++) {
                switch ($words[$at]) {
                    '--profile' { $tuning.profile = $words[$at + 1]; $tuning.multiple = @{ off = 1; latency = 2; throughput = 8; cpu = 16 }[$words[$at + 1]] }
                    '--multiple' { $tuning.profile = $null; $tuning.multiple = [int]$words[$at + 1] }
                    '--cap' { $tuning.cap_bytes = if ($words[$at + 1] -eq '0') { $null } else { [int]$words[$at + 1] } }
                    '--ip-id-bits' { $registry.ip_id_bits = [int]$words[$at + 1] }
                    '--software-segmentation' { $registry.software_segmentation = $words[$at + 1] }
                    '--max-sg-elements' { $registry.max_sg_elements = [int]$words[$at + 1] }
                    '--memory-bound' { $registry.memory_bound_bytes = [long]$words[$at + 1] }
                    '--persist' { $registry.tuning = $tuning.Clone() }
                }
            }
            $fake.Tuning[$words[1]] = $tuning
            $fake.Registry[$words[1]] = $registry
            $pending = [bool]@($settings.Keys | Where-Object { $settings[$_] -ne $registry[$_] })
            if ($fake.Old) { $settings.memory_bound_bytes = $registry = $pending = $null }
            $limit = @{ max_payload = 62780; min_segments = 2 }
            $size = 62780 * $tuning.multiple
            ConvertTo-Json @{ schema = 1; adapter = $entry; tuning = $tuning; mtu = 1500
                software_segmentation = $settings.software_segmentation; ip_id_bits = $settings.ip_id_bits; max_sg_elements = $settings.max_sg_elements
                memory_bound_bytes = $settings.memory_bound_bytes; registry = $registry; restart_pending = $pending
                nic = @{ v2_ipv4 = $limit; v2_ipv6 = $limit }; advertised = @{ v2_ipv4 = $size; v2_ipv6 = $size; uso_ipv4 = $size; uso_ipv6 = $size }
                largest_large_send = 0; raised_size_in_use = $null; settings_out_of_range = 0 } -Depth 5 -Compress
        }
        function Get-Change { @($global:mslsoFake.Calls | Where-Object { $_ -match '^set|--reset' }) }
    }
    BeforeEach { $global:mslsoFake.Calls = @(); $global:mslsoFake.Fails = $null; $global:mslsoFake.Old = $false; $global:mslsoFake.Tuning = @{}; $global:mslsoFake.Registry = @{} }
    AfterAll {
        Remove-Module Mslso -Force -ErrorAction SilentlyContinue
        Remove-Variable mslsoFake -Scope Global
    }

    Describe 'The module' {
        It 'has the four cmdlets and nothing else' {
            @((Get-Command -Module Mslso).Name | Sort-Object) -join ' ' | Should -Be 'Get-MslsoAdapter Get-MslsoStatistics Reset-MslsoStatistics Set-MslsoAdapter'
        }

        It 'has help with an example for <_>' -ForEach 'Get-MslsoAdapter', 'Set-MslsoAdapter', 'Get-MslsoStatistics', 'Reset-MslsoStatistics' {
            $help = Get-Help $_ -Full
            $help.Synopsis | Should -Not -Match "^\s*$_"
            @($help.examples.example).Count | Should -BeGreaterThan 0
            $common = [Management.Automation.PSCmdlet]::CommonParameters + [Management.Automation.PSCmdlet]::OptionalCommonParameters
            foreach ($parameter in (Get-Command $_).Parameters.Keys | Where-Object { $_ -notin $common }) {
                "$(@($help.parameters.parameter | Where-Object { $_.name -eq $parameter }).description.Text)" | Should -Not -BeNullOrEmpty -Because $parameter
            }
        }

        It 'leaves no more than itself in the session' {
            @(Get-Module Mslso*).Name | Should -Be 'Mslso'
            Get-Command Invoke-MslsoCtl, Stop-Mslso, Select-MslsoEntry -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        }

        It 'is gone altogether after Remove-Module, and works without its manifest' {
            $session = [powershell]::Create()
            $said = $session.AddScript("
                Import-Module '$inf/Mslso.psd1'; Import-Module '$inf/Mslso.psd1' -Force; Remove-Module Mslso
                'left: ' + @(Get-Module Mslso* -All).Count
                Import-Module '$inf/Mslso.psm1'
                try { Set-MslsoAdapter x -Profile cpu -Multiple 2 } catch { `$_.FullyQualifiedErrorId }
                try { Get-MslsoAdapter -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId }").Invoke()
            $session.Dispose()
            $said -join '|' | Should -Match '^left: 0\|MslsoChange,Set-MslsoAdapter\|Mslso,'
        }

        It 'has the version of the workspace' {
            $cargo = [IO.File]::ReadAllText((Join-Path (Split-Path -Parent $inf) 'Cargo.toml'))
            "$((Get-Module Mslso).Version)" | Should -Be ([regex]::Match($cargo, '(?m)^version = "([^"]+)"').Groups[1].Value)
        }
    }

    Describe 'Get-MslsoAdapter' {
        It 'gives all, with numbers as numbers' {
            $all = @(Get-MslsoAdapter)
            $all.Count | Should -Be 3
            $all[0].PSObject.TypeNames[0] | Should -Be 'Mslso.Adapter'
            $all[0].Name | Should -Be 'SLOT 3 Port 1'
            $all[0].ifIndex | Should -Be 107
            $all[0].AdvertisedLsoV2IPv4Bytes | Should -BeOfType [long]
            $all[0].AdvertisedLsoV2IPv4Bytes | Should -Be 62780
            $all[2].Name | Should -Be 'No connection'
            $all[0].RaisedSizeInUse | Should -BeNullOrEmpty
        }

        It 'takes names, patterns, and names that look like patterns' {
            (Get-MslsoAdapter 'SLOT*').ifIndex | Should -Be 107
            (Get-MslsoAdapter 'Office [B]').ifIndex | Should -Be 108
            (Get-MslsoAdapter 'slot 3 port 1', 'No*').Count | Should -Be 2
            Get-MslsoAdapter 'Nothing*' | Should -BeNullOrEmpty
        }

        It 'takes what Get-NetAdapter gives' {
            # Both properties, as there.
            $nics = [pscustomobject]@{ Name = 'Office [B]'; ifIndex = [uint32]108 }, [pscustomobject]@{ Name = 'SLOT 3 Port 1'; ifIndex = [uint32]107 }
            @($nics | Get-MslsoAdapter).ifIndex | Should -Be @(108, 107)
        }

        It 'reports what is not there as an error that does not stop, and gives the others' {
            $found = @(Get-MslsoAdapter 'SLOT 9', 'SLOT 3 Port 1' -ErrorAction SilentlyContinue -ErrorVariable failed)
            $found.Count | Should -Be 1
            $failed[0].CategoryInfo.Category | Should -Be 'ObjectNotFound'
            "$($failed[0])" | Should -Match 'SLOT 9'
        }

        It 'passes on what mslsoctl says' {
            $global:mslsoFake.Fails = @{ error = 'not-installed'; message = 'the driver mslso is not installed or not loaded'; exit_code = 3 }
            { Get-MslsoAdapter -ErrorAction Stop } | Should -Throw -ExpectedMessage '*not installed or not loaded*'
        }

        It 'gives every setting, in effect and in the registry' {
            $one = Get-MslsoAdapter 'SLOT 3 Port 1'
            "$($one.SoftwareSegmentation) $($one.IpIdBits) $($one.MaxSgElements) $($one.MemoryBoundBytes)" | Should -Be 'with-checksums 16 64 67108864'
            $one.RestartPending | Should -BeFalse
            Set-MslsoAdapter 'SLOT 3 Port 1' -Profile cpu
            $one = Get-MslsoAdapter 'SLOT 3 Port 1'
            "$($one.Profile) $($one.Registry.Profile)" | Should -Be 'cpu off'
            $one.Registry.MemoryBoundBytes | Should -BeOfType [long]
        }

        It 'leaves empty what an older driver does not report' {
            $global:mslsoFake.Old = $true
            $one = Get-MslsoAdapter 'SLOT 3 Port 1'
            @($one.MemoryBoundBytes, $one.Registry, $one.RestartPending) | Where-Object { $null -ne $_ } | Should -BeNullOrEmpty
        }

        It 'shows a table' {
            $text = Get-MslsoAdapter | Format-Table | Out-String -Width 200
            $text | Should -Match 'NicBytes\s+Advertised'
            $text | Should -Match 'SLOT 3 Port 1\s+107\s+True\s+off\s+1\s+62780\s+62780'
        }
    }

    Describe 'Set-MslsoAdapter' {
        It 'sets <what>' -ForEach @(
            @{ what = 'a profile'; with = @{ Profile = 'cpu' }; call = 'set 7 --profile cpu' }
            @{ what = 'a multiple, for good'; with = @{ Multiple = 4; Persist = $true }; call = 'set 7 --multiple 4 --persist' }
            @{ what = 'a cap'; with = @{ Cap = 524288 }; call = 'set 7 --cap 524288' }
            @{ what = 'no cap'; with = @{ Cap = 0 }; call = 'set 7 --cap 0' }
            @{ what = 'the width of the identification'; with = @{ IpIdBits = 15; Persist = $true }; call = 'set 7 --ip-id-bits 15 --persist' }
            @{ what = 'software segmentation'; with = @{ SoftwareSegmentation = 'never'; Persist = $true }; call = 'set 7 --software-segmentation never --persist' }
            @{ what = 'the bound on buffers'; with = @{ MaxSgElements = 4; Persist = $true }; call = 'set 7 --max-sg-elements 4 --persist' }
            @{ what = 'the bound on memory'; with = @{ MemoryBound = 4GB; Persist = $true }; call = 'set 7 --memory-bound 4294967296 --persist' }
            @{ what = 'several'; with = @{ Profile = 'cpu'; MemoryBound = 128MB; IpIdBits = 15; Persist = $true }; call = 'set 7 --profile cpu --ip-id-bits 15 --memory-bound 134217728 --persist' }
        ) {
            Set-MslsoAdapter 'SLOT 3 Port 1' @with -WarningAction SilentlyContinue | Should -BeNullOrEmpty
            Get-Change | Should -Be $call
        }

        It 'warns that a setting takes effect at a restart, and only then' {
            $set = Set-MslsoAdapter 'SLOT 3 Port 1' -MaxSgElements 16 -Persist -PassThru -WarningVariable warned -WarningAction SilentlyContinue
            "$warned" | Should -Match "'SLOT 3 Port 1'.*InterfaceIndex 107 \| Restart-NetAdapter"
            "$($set.MaxSgElements) $($set.Registry.MaxSgElements) $($set.RestartPending)" | Should -Be '64 16 True'
            Set-MslsoAdapter 'SLOT 3 Port 1' -Profile cpu -WarningVariable warned
            $warned | Should -BeNullOrEmpty
            Set-MslsoAdapter 'SLOT 3 Port 1' -MaxSgElements 64 -Persist -WarningVariable warned
            $warned | Should -BeNullOrEmpty
        }

        It 'takes adapters by the pipeline, and gives them with -PassThru' {
            $set = @(Get-MslsoAdapter | Set-MslsoAdapter -Profile latency -PassThru)
            $set.Count | Should -Be 3
            $set.Multiple | Should -Be @(2, 2, 2)
        }

        It 'changes nothing with -WhatIf' {
            Get-MslsoAdapter | Set-MslsoAdapter -Profile cpu -WhatIf
            Get-Change | Should -BeNullOrEmpty
        }

        It 'refuses <what>' -ForEach @(
            @{ what = 'nothing to set'; with = @{ Persist = $true } }
            @{ what = 'profile and multiple'; with = @{ Profile = 'cpu'; Multiple = 2 } }
            @{ what = 'an unknown profile'; with = @{ Profile = 'fast' } }
            @{ what = 'a multiple out of range'; with = @{ Multiple = 17 } }
            @{ what = 'a cap in KiB'; with = @{ Cap = 512 } }
            @{ what = 'another width'; with = @{ IpIdBits = 14; Persist = $true } }
            @{ what = 'another choice'; with = @{ SoftwareSegmentation = 'sometimes'; Persist = $true } }
            @{ what = 'three buffers'; with = @{ MaxSgElements = 3; Persist = $true } }
            @{ what = 'a bound in MiB'; with = @{ MemoryBound = 64; Persist = $true } }
            @{ what = 'a bound that is no whole MiB'; with = @{ MemoryBound = 4MB + 1; Persist = $true } }
            @{ what = 'a setting of the registry for a while'; with = @{ Profile = 'cpu'; MemoryBound = 64MB } }
        ) {
            { Set-MslsoAdapter 'SLOT 3 Port 1' @with -ErrorAction Stop } | Should -Throw
            Get-Change | Should -BeNullOrEmpty
        }
    }

    Describe 'Statistics' {
        It 'are numbers by name, beyond 32 bits' {
            $one = Get-MslsoStatistics 'SLOT 3 Port 1'
            $one.Sends | Should -BeOfType [uint64]
            $one.Sends | Should -Be 5000000000
            $one.RefusedInAll | Should -Be 3
            $one | Out-String -Width 200 | Should -Match 'LargeSends\s+Split'
        }

        It 'are recorded as observe.md shows' {
            $page = [IO.File]::ReadAllText((Join-Path (Split-Path -Parent $inf) (Join-Path 'docs' 'observe.md')))
            $recipe = [regex]::Match($page, 'Get-MslsoStatistics \| Select-Object [^\n]+\|\s+Export-Csv [^\n]+').Value
            Push-Location $TestDrive
            try {
                1..2 | ForEach-Object { & ([scriptblock]::Create($recipe)) }
                $rows = @(Import-Csv 'mslso.csv')
            } finally {
                Pop-Location
            }
            $rows.Count | Should -Be 6
            $rows[5].Name | Should -Be 'No connection'
            $rows[5].Sends | Should -Be '5000000000'
            [datetime]$rows[5].Time | Should -BeGreaterThan ([datetime]::Now.AddMinutes(-5))
            $rows[5].PSObject.Properties.Name | Should -Not -Contain 'Refused'
        }

        It 'are reset to zero' {
            Reset-MslsoStatistics 'SLOT 3 Port 1' -WhatIf
            Get-Change | Should -BeNullOrEmpty
            Reset-MslsoStatistics 'SLOT 3 Port 1'
            Get-Change | Should -Be 'stats 7 --reset'
        }
    }

    Describe 'Completion' {
        It 'offers <offered> for <line>' -ForEach @(
            @{ line = 'Get-MslsoAdapter -Name SL'; offered = "'SLOT 3 Port 1'" }
            @{ line = "Set-MslsoAdapter 'Of"; offered = "'Office [B]'" }
            @{ line = 'Set-MslsoAdapter A -Profile th'; offered = 'throughput' }
        ) {
            @([Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches | ForEach-Object { $_.CompletionText }) | Should -Contain $offered
        }

        It 'quotes both apostrophes, which PowerShell takes for one another' {
            $all = $global:mslsoFake.Adapters
            $global:mslsoFake.Adapters = @(New-Entry 7 "Bob's$([char]0x2019)" 'Intel(R) E810')
            $line = 'Get-MslsoAdapter -Name Bo'
            $offered = [Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches[0].CompletionText
            $global:mslsoFake.Adapters = $all
            Invoke-Expression $offered | Should -Be "Bob's$([char]0x2019)"
        }
    }

    Describe 'The DSC resource MslsoAdapter' {
        BeforeAll {
            # As DSC makes one: in the module, by its properties.
            function New-Resource([hashtable]$With) {
                $made = & (Get-Module Mslso) { [MslsoAdapter]::new() }
                foreach ($key in $With.Keys) { $made.$key = $With[$key] }
                $made
            }
        }

        It 'is exported' { (Get-Module Mslso).ExportedDscResources | Should -Contain 'MslsoAdapter' }

        It 'gets what is set' {
            Set-MslsoAdapter 'Office [B]' -Profile throughput
            $got = (New-Resource @{ Name = 'Office [B]' }).Get()
            $got.Profile | Should -Be 'throughput'
            $got.AdvertisedBytes | Should -Be 502240
        }

        It 'is in the desired state after Set, and not before (<what>)' -ForEach @(
            @{ what = 'profile'; with = @{ Profile = 'throughput' } }
            @{ what = 'multiple'; with = @{ Multiple = 4 } }
            @{ what = 'profile and cap'; with = @{ Profile = 'cpu'; CapBytes = 524288 } }
            @{ what = 'the width'; with = @{ IpIdBits = 15 } }
            @{ what = 'all settings'; with = @{ Profile = 'cpu'; IpIdBits = 15; SoftwareSegmentation = 'always'; MaxSgElements = 16; MemoryBoundBytes = 128MB } }
        ) {
            $one = New-Resource (@{ Name = 'SLOT 3 Port 1' } + $with)
            $one.Test() | Should -BeFalse
            $one.Set()
            $one.Test() | Should -BeTrue
            Get-Change | Should -Match '--persist$'
            Get-Change | Should -Match '^set 7 '
        }

        It 'sees a cap that somebody set beside it' {
            $one = New-Resource @{ Name = 'SLOT 3 Port 1'; Profile = 'cpu' }
            $one.Set()
            Set-MslsoAdapter 'SLOT 3 Port 1' -Cap 4096
            $one.Test() | Should -BeFalse
        }

        It 'wants what lasts, and not only what is in effect' {
            Set-MslsoAdapter 'SLOT 3 Port 1' -Profile cpu
            $one = New-Resource @{ Name = 'SLOT 3 Port 1'; Profile = 'cpu' }
            $one.Test() | Should -BeFalse
            $one.Set()
            $one.Test() | Should -BeTrue
            $global:mslsoFake.Old = $true
            $one.Test() | Should -BeTrue -Because 'an older driver reports what is in effect alone'
        }

        It 'leaves settings that are not named alone, and tells a pending restart' {
            Set-MslsoAdapter 'SLOT 3 Port 1' -MemoryBound 128MB -Persist -WarningAction SilentlyContinue
            $one = New-Resource @{ Name = 'SLOT 3 Port 1'; Profile = 'off' }
            $one.Test() | Should -BeTrue
            $one.Get().MemoryBoundBytes | Should -Be 128MB
            $one.Get().RestartPending | Should -BeTrue
        }

        It 'fails for an adapter that is not filtered, and for profile with multiple' {
            { (New-Resource @{ Name = 'SLOT 9'; Profile = 'cpu' }).Test() } | Should -Throw
            { (New-Resource @{ Name = 'SLOT 3 Port 1'; Profile = 'cpu'; Multiple = 2 }).Set() } | Should -Throw
            Get-Change | Should -BeNullOrEmpty
        }
    }
}
