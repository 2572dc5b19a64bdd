# Mslso.Restore.ps1: what a verification changes is written down before, and put back by it or by the
# next run.
BeforeAll {
    $root = Split-Path -Parent (Split-Path -Parent (Split-Path -Parent $PSScriptRoot))
    $folder = Join-Path (Join-Path $root 'tests') 'vm-lab'
    . (Join-Path (Join-Path $root 'inf') 'Mslso.Common.ps1')
    . (Join-Path $folder 'Mslso.Lab.ps1')
    . (Join-Path $folder 'Mslso.Restore.ps1')
    function Get-NetAdapter { [CmdletBinding()] param([switch]$IncludeHidden) }
    function Enable-NetAdapterBinding { [CmdletBinding(SupportsShouldProcess)] param($InputObject) }
    function Disable-NetAdapterBinding { [CmdletBinding(SupportsShouldProcess)] param($InputObject) }
    function Get-CimInstance { [CmdletBinding()] param($ClassName) }
    $nic = [pscustomobject]@{ Name = "O'Brien [1]"; ifIndex = 7; InterfaceGuid = '{G}' }
    $tuning = [pscustomobject]@{ profile = $null; multiple = 3; cap_bytes = 131072 }
}

Describe 'What a verification changes' {
    BeforeEach {
        $notes = Join-Path $TestDrive ([guid]::NewGuid())
        Mock Get-LabNotePath { Join-Path $notes "$Name.json" }
        $state = @{ ms_pacer = $true; $MslsoComponent = $true }
        Mock Get-LabBinding { [pscustomobject]@{ Name = $Nic.Name; ComponentID = $Component; Enabled = $state[$Component] } }
        Mock Enable-NetAdapterBinding { $state[$InputObject.ComponentID] = $true }
        Mock Disable-NetAdapterBinding { $state[$InputObject.ComponentID] = $false }
        Mock Get-NetAdapter { $nic }
        Mock Wait-Attached { }
        Mock Invoke-MslsoCtl { }
        Mock Get-CimInstance { [pscustomobject]@{ LastBootUpTime = (Get-Date).AddHours(-1) } }
        $original = Save-Original $nic @('ms_pacer', $MslsoComponent) $tuning
        $note = Get-LabNotePath 'verification'
    }
    It 'is on the disk before it changes' { $note | Should -Exist }
    It 'comes back: bindings, tuning and cap; and the note goes, with its folder' {
        $state.ms_pacer = $state[$MslsoComponent] = $false
        Restore-Original $original
        $state.ms_pacer | Should -BeTrue
        $state[$MslsoComponent] | Should -BeTrue
        Should -Invoke Invoke-MslsoCtl -Times 1 -ParameterFilter { "$ArgumentList" -eq 'set 7 --cap 131072 --multiple 3' }
        Split-Path -Parent $note | Should -Not -Exist
    }
    It 'is turned off again where it was off' {
        $state.ms_pacer = $false
        $original = Save-Original $nic @('ms_pacer') $tuning
        $state.ms_pacer = $true
        Restore-Original $original
        $state.ms_pacer | Should -BeFalse
    }
    It 'that cannot come back is named, with the command, and stays written down' {
        $state.ms_pacer = $false
        Mock Enable-NetAdapterBinding { throw 'A general error occurred.' }
        { Restore-Original $original } | Should -Throw "*ms_pacer is still off*general error*Enable-NetAdapterBinding -Name 'O''Brien*-ComponentID ms_pacer*"
        (Get-Leftover).Adapter | Should -Be $nic.Name
    }
    It 'keeps the tuning of a restart that came between' {
        Mock Get-CimInstance { [pscustomobject]@{ LastBootUpTime = (Get-Date).AddHours(1) } }
        Restore-Original $original
        Should -Not -Invoke Invoke-MslsoCtl
    }
    It 'is left to the next run by a run that ended, in this session or another' {
        (Get-Leftover).Adapter | Should -Be $nic.Name
        $original.Process = '999999999 2026-01-01T00:00:00.0000000Z'
        Write-LabNote 'verification' $original
        (Get-Leftover).Adapter | Should -Be $nic.Name
    }
    It 'is not touched while another run goes on' {
        # Any process that lives beside this one.
        $id = @(Get-Process | Where-Object { $_.Id -ne $PID -and (Get-ProcessMark $_.Id) })[0].Id
        $original.Process = Get-ProcessMark $id
        Write-LabNote 'verification' $original
        { Get-Leftover } | Should -Throw "*process $id*"
    }
}
