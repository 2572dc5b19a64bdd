# Mslso.LabChecks.ps1: what is in the way of a new lab is found before anything changes.
BeforeAll {
    $root = Split-Path -Parent (Split-Path -Parent (Split-Path -Parent $PSScriptRoot))
    $folder = Join-Path (Join-Path $root 'tests') 'vm-lab'
    . (Join-Path (Join-Path $root 'inf') 'Mslso.Common.ps1')
    . (Join-Path $folder 'Mslso.Lab.ps1')
    . (Join-Path $folder 'Mslso.LabChecks.ps1')
    function Get-VHD { [CmdletBinding()] param($Path) }
    function Test-VHD { [CmdletBinding()] param($Path) }
    function Get-VMHost { [CmdletBinding()] param() }
    function Get-CimInstance { [CmdletBinding()] param($ClassName) }
    function Get-NetLbfoTeamMember { [CmdletBinding()] param() }
    $Prefix = 'mslso-lab'
    $Folder = $TestDrive
    $MemoryGB = 4
    $Processors = 2
    $nic = [pscustomobject]@{ Name = 'NIC'; InterfaceDescription = 'Card'; ifIndex = 7 }
    function New-TestSwitch([string]$Name, [string]$Id = 'other', [string]$Card = '') {
        [pscustomobject]@{ Name = $Name; Id = $Id; NetAdapterInterfaceDescription = $Card; NetAdapterInterfaceDescriptions = @($Card) }
    }
}

Describe 'The NIC of a new lab' {
    BeforeEach {
        $lab = [pscustomobject]@{ Id = 'L'; Made = @() }
        Mock Get-LabBinding { }
        Mock Get-NetLbfoTeamMember { }
    }
    It 'is free' { Test-Nic @() | Should -BeNullOrEmpty }
    It 'belongs to another switch, which is named' { Test-Nic @(New-TestSwitch 'prod' 'x' 'Card') | Should -Match 'prod' }
    It 'may not be used where the switch''s name is taken' { Test-Nic @(New-TestSwitch 'mslso-lab') | Should -Match '-Prefix' }
    It 'is a member of a team, by <by>' -ForEach @(@{ by = 'its binding' }, @{ by = 'the list of members' }) {
        if ($by -eq 'its binding') {
            Mock Get-LabBinding { [pscustomobject]@{ Enabled = $true } } -ParameterFilter { $Component -eq 'ms_implat' }
        } else {
            Mock Get-NetLbfoTeamMember { [pscustomobject]@{ Name = 'NIC' } }
        }
        Test-Nic @() | Should -Match 'team'
    }
    It 'is that of the lab''s own switch, or the other one is named' {
        $item = New-LabItem switch 'mslso-lab' 'own'
        $lab.Made = @($item)
        Test-Nic @(New-TestSwitch 'mslso-lab' 'own' 'Card') | Should -BeNullOrEmpty
        Test-Nic @(New-TestSwitch 'mslso-lab' 'own' 'Other card') | Should -Match 'Other card'
        Test-Nic @(New-TestSwitch 'second-lab' 'own' 'Card') | Should -Match 'second-lab'
    }
}

Describe 'The disk of a guest' {
    BeforeEach {
        $source = [pscustomobject]@{ IsDisk = $true; Path = 'D:\base\linux.vhdx'; Name = 'mslso-lab-linux'; Disk = Join-Path $TestDrive 'mslso-lab-linux.vhdx' }
        $lab = [pscustomobject]@{ Id = 'L'; Made = @() }
        Mock Get-LabDiskUser { }
        Mock Test-VHD { $true }
        Mock Get-VHD { [pscustomobject]@{ DiskNumber = $null } }
    }
    It 'is good' { Test-Guest $source @() | Should -BeNullOrEmpty }
    It 'belongs to another VM, which is named' {
        Mock Get-LabDiskUser { [pscustomobject]@{ VM = [pscustomobject]@{ Name = 'prod' }; IsOwner = $true } }
        Test-Guest $source @() | Should -Match 'prod'
    }
    It 'may be the parent of other VMs'' disks' {
        Mock Get-LabDiskUser { [pscustomobject]@{ VM = [pscustomobject]@{ Name = 'prod' }; IsOwner = $false } }
        Test-Guest $source @() | Should -BeNullOrEmpty
    }
    It 'is damaged' {
        Mock Test-VHD { throw 'The chain is broken.' }
        Test-Guest $source @() | Should -Match 'chain is broken'
    }
    It 'is mounted on the host' {
        Mock Get-VHD { [pscustomobject]@{ DiskNumber = 3 } }
        Test-Guest $source @() | Should -Match 'mounted'
    }
    It 'is of another format' {
        $source.Path = 'D:\base\linux.vhd'
        Test-Guest $source @() | Should -Match 'Convert-VHD'
    }
    It 'would take the place of a file that the lab did not make' {
        [IO.File]::WriteAllText($source.Disk, 'mine')
        try { Test-Guest $source @() | Should -Match '-Folder' } finally { [IO.File]::Delete($source.Disk) }
    }
    It 'is not that of a VM with the guest''s name' {
        Test-Guest $source @([pscustomobject]@{ Name = 'mslso-lab-linux'; Id = 'x' }) | Should -Match '-Prefix'
    }
}

Describe 'The room for guests' {
    BeforeEach {
        Mock Get-VMHost { [pscustomobject]@{ LogicalProcessorCount = 8 } }
        Mock Get-CimInstance { [pscustomobject]@{ HypervisorPresent = $true; FreePhysicalMemory = 9mb } }
    }
    It 'suffices' { Test-Room @(1, 2) | Should -BeNullOrEmpty }
    It 'does not suffice in memory' { Test-Room @(1, 2, 3) | Should -Match 'GiB of memory' }
    It 'does not suffice in processors' {
        $Processors = 9
        Test-Room @(1) | Should -Match '8 processors'
    }
    It 'needs the hypervisor' {
        Mock Get-CimInstance { [pscustomobject]@{ HypervisorPresent = $false; FreePhysicalMemory = 9mb } }
        Test-Room @(1) | Should -Match 'bcdedit'
    }
    It 'is not asked for guests that run' { Test-Room @() | Should -BeNullOrEmpty }
}
