# Mslso.Lab.ps1: files that a crash leaves whole, the state file of a lab, the users of a disk.
BeforeAll {
    $root = Split-Path -Parent (Split-Path -Parent (Split-Path -Parent $PSScriptRoot))
    $lab = Join-Path (Join-Path $root 'tests') 'vm-lab'
    . (Join-Path (Join-Path $root 'inf') 'Mslso.Common.ps1')
    . (Join-Path $lab 'Mslso.Lab.ps1')
    # Cmdlets of Windows alone, which the tests mock.
    function Get-VM { [CmdletBinding()] param() }
    function Get-VMSwitch { [CmdletBinding()] param() }
    function Get-VMHardDiskDrive { [CmdletBinding()] param($VM) }
    function Get-VHD { [CmdletBinding()] param($Path) }
    function Get-NetAdapter { [CmdletBinding()] param([switch]$Physical) }
    function New-TestPath([string]$Name) { Join-Path (Join-Path $TestDrive ([guid]::NewGuid())) $Name }
    function New-TestFile([string]$Name, [string]$Text = '') {
        $path = New-TestPath $Name
        [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path)) | Out-Null
        [IO.File]::WriteAllText($path, $Text)
        $path
    }
}

Describe 'A file that is replaced' {
    It 'has the new text, and no other file stays beside it' {
        $file = New-TestFile 'a [1].json' 'old'
        Write-LabFile $file 'new'
        [IO.File]::ReadAllText($file) | Should -Be 'new'
        @([IO.Directory]::GetFiles([IO.Path]::GetDirectoryName($file))).Count | Should -Be 1
    }
    It 'keeps the old text where the new one cannot be written' {
        $file = New-TestFile 'state.json' 'old'
        [IO.Directory]::CreateDirectory("$file.new") | Out-Null
        { Write-LabFile $file 'new' } | Should -Throw
        [IO.File]::ReadAllText($file) | Should -Be 'old'
    }
    It 'names itself where it holds <what>' -ForEach @(
        @{ what = 'nothing'; text = '' }, @{ what = 'zeros, as after a power cut'; text = "`0`0`0" }, @{ what = 'half an object'; text = '{"Version":' }
    ) {
        $file = New-TestFile 'state.json' $text
        { Read-LabFile $file } | Should -Throw '*state.json*'
    }
}

Describe 'A path' {
    It 'is there or not, whatever letters it has' {
        $file = New-TestFile 'a [1].txt'
        Test-LabPath $file | Should -BeTrue
        Test-LabPath "$file.x" | Should -BeFalse
        Test-LabPath (Join-Path $file 'below') | Should -BeFalse
    }
    It 'below a file cannot become a folder' {
        $file = New-TestFile 'plain'
        { Assert-LabFolderPath (Join-Path $file 'rep') } | Should -Throw '*plain*'
        { Assert-LabFolderPath (New-TestPath 'rep') } | Should -Not -Throw
    }
    It 'is below a folder only with a whole name' {
        $slash = [IO.Path]::DirectorySeparatorChar
        Test-LabBelow "${slash}lab${slash}a" "${slash}LAB" | Should -BeTrue
        Test-LabBelow "${slash}lab" "${slash}lab" | Should -BeTrue
        Test-LabBelow "${slash}lab2" "${slash}lab" | Should -BeFalse
    }
}

Describe 'A state file' {
    It 'is read as it was written' {
        $file = New-TestPath 'lab.json'
        [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($file)) | Out-Null
        $item = New-LabItem disk 'd' 'D:\d.vhdx'
        $item.Mark = 'M'
        Write-LabState $file ([pscustomobject]@{ Id = 'one'; Made = @($item) })
        $read = Read-LabState $file
        $read.Id | Should -Be 'one'
        $read.Made.Count | Should -Be 1
        "$($read.Made[0].Kind) $($read.Made[0].Id) $($read.Made[0].Mark) $($read.Made[0].Done)" | Should -Be 'disk D:\d.vhdx M False'
    }
    It 'of the first version lists parts that are done' {
        $read = Read-LabState (New-TestFile 'lab.json' '{"Version":1,"Made":[{"Kind":"vm","Name":"n","Id":"i"}]}')
        $read.Made[0].Done | Should -BeTrue
        $read.Made[0].Mark | Should -Be ''
    }
    It 'is refused by name where it has <what>' -ForEach @(
        @{ what = 'another version'; text = '{"Version":9,"Made":[]}' }, @{ what = 'no version'; text = '{"a":1}' }, @{ what = 'an unknown part'; text = '{"Version":2,"Made":[{"Kind":"cat"}]}' }
    ) {
        $file = New-TestFile 'lab.json' $text
        { Read-LabState $file } | Should -Throw '*lab.json*'
    }
}

Describe 'Parts of a lab' {
    BeforeEach {
        $made = [pscustomobject]@{ Id = 'L'; Made = @((New-LabItem switch 's' ''), (New-LabItem vm 'g' '')) }
        $made.Made[1].Source = Join-Path $TestDrive 'lab'
    }
    It 'that a killed run had just made are found by note and folder' {
        Mock Get-VMSwitch { [pscustomobject]@{ Id = 'S1'; Name = 's'; Notes = 'mslso lab L' } }
        Mock Get-VM { [pscustomobject]@{ Id = 'V1'; Name = 'g'; Path = Join-Path (Join-Path $TestDrive 'lab') 'g' } }
        @(Find-LabItem $made | ForEach-Object { $_.Id }) -join ' ' | Should -Be 'S1 V1'
    }
    It 'are not those of others with the same names' {
        Mock Get-VMSwitch { [pscustomobject]@{ Id = 'S1'; Name = 's'; Notes = 'mslso lab other' } }
        Mock Get-VM { [pscustomobject]@{ Id = 'V1'; Name = 'g'; Path = Join-Path $TestDrive 'g' } }
        Find-LabItem $made | Should -BeNullOrEmpty
    }
    It 'are unknown while Hyper-V does not answer' {
        Mock Get-VMSwitch { }
        Mock Get-VM { throw 'no answer' }
        { Find-LabItem $made } | Should -Throw '*no answer*'
    }
}

Describe 'The users of a disk' {
    BeforeEach {
        $base = New-TestFile 'base.vhdx'
        $folder = [IO.Path]::GetDirectoryName($base)
        Mock Get-VM { [pscustomobject]@{ Name = 'prod'; Id = 'P' } }
    }
    It 'are <what>' -ForEach @(
        @{ what = 'a VM that has it attached, its owner'; attached = 'base.vhdx'; owner = $true }
        @{ what = 'a VM whose checkpoint lies on it, its owner'; attached = 'base_1.avhdx'; owner = $true }
        @{ what = 'a VM with a differencing disk, which only reads it'; attached = 'child.vhdx'; owner = $false }
    ) {
        $used = Join-Path $folder $attached
        if ($used -ne $base) { [IO.File]::WriteAllText($used, '') }
        Mock Get-VMHardDiskDrive { [pscustomobject]@{ Path = $used; DiskNumber = $null } }
        Mock Get-VHD { [pscustomobject]@{ ParentPath = $(if ($Path -ne $base) { $base }) } }
        $users = @(Get-LabDiskUser $base)
        $users.Count | Should -Be 1
        $users[0].IsOwner | Should -Be $owner
    }
    It 'are none where VMs have other disks, a physical disk, or a missing file' {
        $other = New-TestFile 'other.vhdx'
        Mock Get-VMHardDiskDrive { @(
                [pscustomobject]@{ Path = $other; DiskNumber = $null }
                [pscustomobject]@{ Path = 'Disk 3 20 GB'; DiskNumber = 3 }
                [pscustomobject]@{ Path = Join-Path $folder 'gone.vhdx'; DiskNumber = $null }) }
        Mock Get-VHD { [pscustomobject]@{ ParentPath = $null } }
        Get-LabDiskUser $base | Should -BeNullOrEmpty
    }
    It 'are unknown where a chain cannot be read' {
        $child = New-TestFile 'child.vhdx'
        Mock Get-VMHardDiskDrive { [pscustomobject]@{ Path = $child; DiskNumber = $null } }
        Mock Get-VHD { throw 'damaged' }
        { Get-LabDiskUser $base } | Should -Throw '*damaged*'
    }
}

Describe 'An adapter' {
    It 'is found by its name, which is no pattern' {
        Mock Get-NetAdapter { [pscustomobject]@{ Name = 'Port [A] 1' }, [pscustomobject]@{ Name = 'Port A 1' } }
        (Find-LabNic 'Port [A] 1').Name | Should -Be 'Port [A] 1'
        { Find-LabNic 'Port*' } | Should -Throw "*Port A 1*"
    }
}
