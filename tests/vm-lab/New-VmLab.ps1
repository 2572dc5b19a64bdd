<#
.SYNOPSIS
Makes a lab on a Hyper-V host: an external switch on a NIC, a Windows guest and a Linux guest.

.DESCRIPTION
The script makes a switch "PREFIX" on the NIC, and on it the guests "PREFIX-windows" and "PREFIX-linux",
each if you give a disk or an ISO for it. It starts the guests. It never writes to a given disk: the
guest gets a differencing disk on it, so keep the file as long as the lab. It puts a given ISO into the
drive of a guest with an empty disk.

The script first checks the names, the disks, the memory, and what else uses the NIC. It then asks once,
before anything changes. It refuses names that are in use, and a disk that belongs to another VM. It
writes each part to a state file before it makes the part, and Remove-VmLab.ps1 removes exactly these
parts. If a step fails, or after Ctrl-C, the script removes the parts that this run made. If a run was
killed, run the script again: it makes what is missing and finishes incomplete guests.

The NIC loses its connections for some seconds when the switch is made. Hyper-V must be installed; the
script does not install it, since that takes a restart.

.PARAMETER NetAdapter
The name of the NIC that the switch uses, as Get-NetAdapter shows it.

.PARAMETER WindowsVhdx
A disk with Windows installed, for a Windows guest.

.PARAMETER WindowsIso
An ISO that installs Windows, if there is no such disk.

.PARAMETER LinuxVhdx
A disk with Linux installed, for a Linux guest.

.PARAMETER LinuxIso
An ISO that installs Linux, if there is no such disk.

.PARAMETER Folder
The folder for the guests' disks and configuration.

.PARAMETER Prefix
The name of the switch, with which the guests' names begin.

.PARAMETER MemoryGB
Memory of each guest, in GiB.

.PARAMETER Processors
Processors of each guest.

.PARAMETER DiskGB
The maximum size of a guest's empty disk, in GiB.

.PARAMETER StateFile
The state file. By default, mslso-lab.json in Folder.

.PARAMETER Force
Suppresses the question.

.EXAMPLE
.\New-VmLab.ps1 -NetAdapter 'Ethernet 2' -WindowsVhdx D:\base\server.vhdx -LinuxVhdx D:\base\debian.vhdx -Folder D:\lab

.EXAMPLE
.\New-VmLab.ps1 -NetAdapter 'Ethernet 2' -LinuxIso D:\iso\debian.iso -Folder D:\lab -WhatIf
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [Parameter(Mandatory)]
    [ValidateNotNullOrEmpty()]
    [string]$NetAdapter,
    [string]$WindowsVhdx,
    [string]$WindowsIso,
    [string]$LinuxVhdx,
    [string]$LinuxIso,
    [Parameter(Mandatory)]
    [ValidateNotNullOrEmpty()]
    [string]$Folder,
    [ValidatePattern('^[A-Za-z0-9-]{1,32}$')]
    [string]$Prefix = 'mslso-lab',
    [ValidateRange(1, 256)]
    [int]$MemoryGB = 4,
    [ValidateRange(1, 64)]
    [int]$Processors = 2,
    [ValidateRange(8, 2048)]
    [int]$DiskGB = 64,
    [string]$StateFile,
    [switch]$Force
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Lab.ps1')
. (Join-Path $PSScriptRoot 'Mslso.LabChecks.ps1')

# ---- The parts of the lab ----

# Writes a part down before it is made, so that a killed run leaves nothing unknown.
function Add-Item([string]$Kind, [string]$Name, [string]$Id, [string]$Source) {
    $item = New-LabItem $Kind $Name $Id
    $item.Source = $Source
    $lab.Made += $item
    Write-LabState $StateFile $lab
    $item
}

function Complete-Item($Item) {
    $Item.Done = $true
    Write-LabState $StateFile $lab
}

function New-LabFolder {
    $missing = @()
    for ($path = $Folder; $path -and -not (Test-LabPath $path); $path = [IO.Path]::GetDirectoryName($path)) {
        $missing = @($path) + $missing
    }
    [IO.Directory]::CreateDirectory($Folder) | Out-Null
    foreach ($path in $missing) { Complete-Item (Add-Item folder $path $path) }
    # This shows whether it can be written at all.
    Write-LabState $StateFile $lab
}

function New-LabSwitch {
    if (@($lab.Made | Where-Object { $_.Kind -eq 'switch' })) { return }
    $item = Add-Item switch $Prefix
    $new = New-VMSwitch -Name $Prefix -NetAdapterName $nic.Name -AllowManagementOS $true -Notes (Get-LabSwitchNote $lab) -ErrorAction Stop
    $item.Id = "$($new.Id)"
    Complete-Item $item
}

function New-LabDisk($Source) {
    $item = $lab.Made | Where-Object { $_.Kind -eq 'disk' -and $_.Id -eq $Source.Disk } | Select-Object -First 1
    if (-not $item) {
        $item = Add-Item disk $Source.Disk $Source.Disk $Source.Path
        if ($Source.IsDisk) {
            New-VHD -Path $Source.Disk -ParentPath $Source.Path -Differencing -ErrorAction Stop | Out-Null
        } else {
            New-VHD -Path $Source.Disk -SizeBytes ($DiskGB * 1gb) -Dynamic -ErrorAction Stop | Out-Null
        }
    }
    if ($item.Done) { return }
    $item.Mark = "$((Get-VHD -Path $Source.Disk -ErrorAction Stop).DiskIdentifier)"
    Complete-Item $item
}

# Each of these settings may be made twice, so that a half-made guest is finished by all of them.
function Set-LabGuest($VM, $Source) {
    Set-VMProcessor -VM $VM -Count $Processors
    Set-VMMemory -VM $VM -DynamicMemoryEnabled $false
    # Windows of clients takes a checkpoint at each start, which holds the guest's disk.
    Set-VM -VM $VM -AutomaticCheckpointsEnabled $false
    # Under the default, Windows' own, Linux does not start.
    if ($Source.Guest -eq 'linux') {
        Set-VMFirmware -VM $VM -SecureBootTemplate MicrosoftUEFICertificateAuthority
    }
    if (-not $Source.IsDisk) {
        $drive = Get-VMDvdDrive -VM $VM -ErrorAction Stop | Where-Object { $_.Path -eq $Source.Path } | Select-Object -First 1
        if (-not $drive) { $drive = Add-VMDvdDrive -VM $VM -Path $Source.Path -Passthru }
        Set-VMFirmware -VM $VM -FirstBootDevice $drive
    }
}

function New-LabGuest($Source) {
    $item = $lab.Made | Where-Object { $_.Kind -eq 'vm' -and $_.Name -eq $Source.Name } | Select-Object -First 1
    if (-not $item) {
        $place = Join-Path $Folder $Source.Name
        if (-not (Test-LabPath $place)) { Complete-Item (Add-Item folder $place $place) }
        New-LabDisk $Source
        $item = Add-Item vm $Source.Name '' $Folder
        $new = New-VM -Name $Source.Name -Generation 2 -MemoryStartupBytes ($MemoryGB * 1gb) -VHDPath $Source.Disk -SwitchName $Prefix -Path $Folder -ErrorAction Stop
        $item.Id = "$($new.Id)"
        Write-LabState $StateFile $lab
    }
    $vm = Get-VM -ErrorAction Stop | Where-Object { "$($_.Id)" -eq $item.Id } | Select-Object -First 1
    if (-not $item.Done) {
        Set-LabGuest $vm $Source
        Complete-Item $item
    }
    switch ("$($vm.State)") {
        'Running' { }
        'Paused' { Resume-VM -VM $vm -ErrorAction Stop }
        default { Start-VM -VM $vm -ErrorAction Stop }
    }
}

# Removes what this run made; returns what could not be removed, and never stops.
function Undo-Run {
    if (-not [IO.File]::Exists($StateFile) -or ($earlier -and $lab.Made.Count -le $earlier)) { return }
    try {
        & (Join-Path $PSScriptRoot 'Remove-VmLab.ps1') -StateFile $StateFile -Keep $earlier -Force | Out-Null
    } catch {
        "The parts that this run made could not all be removed either. $_ Then remove them: Remove-VmLab.ps1 -StateFile $(Format-Argument $StateFile)"
    }
}

# ---- The run ----

Assert-MslsoHost
Assert-HyperV
$nic = Find-LabNic $NetAdapter -Physical
$Folder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Folder)
Assert-LabFolderPath $Folder
if ($StateFile) {
    $StateFile = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($StateFile)
    $place = [IO.Path]::GetDirectoryName($StateFile)
    if ($place -ne $Folder -and -not [IO.Directory]::Exists($place)) {
        Stop-Mslso "The folder $place for the state file does not exist. Make it, or leave -StateFile out."
    }
} else {
    $StateFile = Join-Path $Folder 'mslso-lab.json'
}
$sources = @(
    Resolve-Source windows $WindowsVhdx $WindowsIso
    Resolve-Source linux $LinuxVhdx $LinuxIso
)
if (-not $sources) {
    Stop-Mslso 'Name a disk or an ISO for at least one guest: -WindowsVhdx, -WindowsIso, -LinuxVhdx, -LinuxIso.'
}
$lab = [pscustomobject]@{ Id = [guid]::NewGuid().ToString(); Made = @() }
if (Test-LabPath $StateFile) { $lab = Read-LabState $StateFile }
$lab.Made = @(Find-LabItem $lab)
$earlier = $lab.Made.Count

$vms = @(Get-VM -ErrorAction Stop)
$running = @($vms | Where-Object { "$($_.State)" -in 'Running', 'Paused' -and (Test-Made vm $_.Id) } | ForEach-Object { $_.Name })
$problems = @(
    Test-Nic @(Get-VMSwitch -ErrorAction Stop)
    foreach ($source in $sources) { Test-Guest $source $vms }
    Test-Room @($sources | Where-Object { $_.Name -notin $running })
)
if ($problems) { Stop-Mslso ($problems -join "`n") }

$plan = @("A switch '$Prefix' on '$($nic.Name)', whose connections pause for some seconds. $(Get-LabNicUse $nic)".Trim())
foreach ($source in $sources) { $plan += "A guest '$($source.Name)' from $($source.Path), which is started." }
if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
if (-not (Confirm-Mslso $PSCmdlet $Folder "Make what is missing of: $($plan -join ' ')")) {
    if (-not $WhatIfPreference) { Write-Warning 'Nothing was made.' }
    return
}
$ConfirmPreference = 'None'

$complete = $false
$failure = $null
$left = $null
try {
    try {
        New-LabFolder
        New-LabSwitch
        foreach ($source in $sources) { New-LabGuest $source }
        $complete = $true
    } catch {
        $failure = $_
    }
} finally {
    # After Ctrl-C nothing but this is reached.
    if (-not $complete) { $left = Undo-Run }
}
if ($failure) { Stop-Mslso "The lab is not complete. $failure`n$left" }
Write-Output "The lab is there; $StateFile says what was made. Remove-VmLab.ps1 -StateFile $(Format-Argument $StateFile) removes it."
