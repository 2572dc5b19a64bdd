<#
.SYNOPSIS
Makes a lab on a Hyper-V host: an external switch on a NIC, a Windows guest and a Linux guest.

.DESCRIPTION
Makes, where they are given files, a switch "PREFIX" on the NIC and guests "PREFIX-windows" and
"PREFIX-linux" on it, and starts the guests. A given disk is never written: the guest gets a
differencing disk on it, so keep the file as long as the lab. A given ISO is put in the drive of a
guest with an empty disk.

What is made is written to a state file as it is made, and Remove-VmLab.ps1 removes exactly that.
Where a step fails, what this run made is removed again. Run again, the script makes what is missing.
It refuses names that are taken by what it did not make.

The NIC loses its connections for some seconds when it becomes the switch's. Hyper-V has to be
there; the script does not add it, as that takes a restart.

.PARAMETER NetAdapter
The name of the NIC that the switch uses, as Get-NetAdapter shows it.

.PARAMETER WindowsVhdx
A disk with Windows installed, for a Windows guest.

.PARAMETER WindowsIso
An ISO that installs Windows, where there is no such disk.

.PARAMETER LinuxVhdx
A disk with Linux installed, for a Linux guest.

.PARAMETER LinuxIso
An ISO that installs Linux, where there is no such disk.

.PARAMETER Folder
The folder for the guests' disks and configuration.

.PARAMETER Prefix
The switch's name, and what the guests' names begin with.

.PARAMETER MemoryGB
Memory of each guest, in GiB.

.PARAMETER Processors
Processors of each guest.

.PARAMETER DiskGB
The most that a guest's empty disk grows to, in GiB.

.PARAMETER StateFile
Where what was made is written. By default mslso-lab.json in Folder.

.EXAMPLE
.\New-VmLab.ps1 -NetAdapter 'Ethernet 2' -WindowsVhdx D:\base\server.vhdx -LinuxVhdx D:\base\debian.vhdx -Folder D:\lab

.EXAMPLE
.\New-VmLab.ps1 -NetAdapter 'Ethernet 2' -LinuxIso D:\iso\debian.iso -Folder D:\lab -WhatIf
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'Medium')]
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
    [string]$StateFile
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

function Assert-HyperV {
    if (-not (Get-Command New-VM -ErrorAction SilentlyContinue) -or
        -not (Get-Service vmms -ErrorAction SilentlyContinue)) {
        throw ("Hyper-V or its PowerShell module is missing. Add it, then restart. Server: " +
            "Install-WindowsFeature Hyper-V -IncludeManagementTools. Client: " +
            "Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All")
    }
    if ("$((Get-Service vmms).Status)" -ne 'Running') {
        throw "Hyper-V's service vmms does not run. Restart the system, or start it: Start-Service vmms"
    }
}

function Resolve-Source([string]$Guest, [string]$Vhdx, [string]$Iso) {
    if ($Vhdx -and $Iso) { throw "For the $Guest guest give a disk or an ISO, not both." }
    $given = "$Vhdx$Iso"
    if (-not $given) { return }
    if (-not (Test-Path -LiteralPath $given -PathType Leaf)) { throw "$given is not there." }
    [pscustomobject]@{
        Guest = $Guest
        IsDisk = [bool]$Vhdx
        Path = (Resolve-Path -LiteralPath $given).ProviderPath
    }
}

# What was made, in order: Kind is folder, switch, disk or vm. Id is a path or Hyper-V's identifier.
$made = @()

function Add-Made([string]$Kind, [string]$Name, [string]$Id) {
    $script:made += [pscustomobject]@{ Kind = $Kind; Name = $Name; Id = $Id }
    ConvertTo-Json @{ Version = 1; Made = @($script:made) } -Depth 4 |
        Set-Content -LiteralPath $StateFile -Encoding UTF8
}

function Test-Made([string]$Kind, [string]$Name) {
    [bool]@($made | Where-Object { $_.Kind -eq $Kind -and $_.Name -eq $Name })
}

function New-LabFolder {
    if (Test-Path -LiteralPath $Folder) { return }
    New-Item -ItemType Directory -Path $Folder | Out-Null
    Add-Made folder $Folder $Folder
}

function New-LabSwitch {
    if (Get-VMSwitch -Name $Prefix -ErrorAction SilentlyContinue) {
        if (Test-Made switch $Prefix) { return }
        throw "There is a switch '$Prefix' that this lab did not make. Choose another -Prefix."
    }
    $new = New-VMSwitch -Name $Prefix -NetAdapterName $NetAdapter -AllowManagementOS $true
    Add-Made switch $Prefix $new.Id
}

function New-LabGuest($Source) {
    $name = "$Prefix-$($Source.Guest)"
    if (Get-VM -Name $name -ErrorAction SilentlyContinue) {
        if (Test-Made vm $name) { return }
        throw "There is a VM '$name' that this lab did not make. Choose another -Prefix."
    }
    $disk = Join-Path $Folder "$name.vhdx"
    if (-not (Test-Path -LiteralPath $disk)) {
        if ($Source.IsDisk) {
            New-VHD -Path $disk -ParentPath $Source.Path -Differencing | Out-Null
        } else {
            New-VHD -Path $disk -SizeBytes ($DiskGB * 1gb) -Dynamic | Out-Null
        }
        Add-Made disk $disk $disk
    } elseif (-not (Test-Made disk $disk)) {
        throw "There is a disk $disk that this lab did not make. Choose another -Folder or -Prefix."
    }
    $vm = New-VM -Name $name -Generation 2 -MemoryStartupBytes ($MemoryGB * 1gb) -VHDPath $disk -SwitchName $Prefix -Path $Folder
    Add-Made vm $name $vm.Id
    Set-VMProcessor -VM $vm -Count $Processors
    Set-VMMemory -VM $vm -DynamicMemoryEnabled $false
    # Under the default, Windows' own, Linux does not start.
    if ($Source.Guest -eq 'linux') {
        Set-VMFirmware -VM $vm -SecureBootTemplate MicrosoftUEFICertificateAuthority
    }
    if (-not $Source.IsDisk) {
        $drive = Add-VMDvdDrive -VM $vm -Path $Source.Path -Passthru
        Set-VMFirmware -VM $vm -FirstBootDevice $drive
    }
}

Assert-MslsoHost
Assert-HyperV
$adapter = @(Get-NetAdapter -Name $NetAdapter -Physical -ErrorAction SilentlyContinue)
if ($adapter.Count -ne 1) {
    $names = @(Get-NetAdapter -Physical -ErrorAction Stop | ForEach-Object { $_.Name }) -join ', '
    throw "There is no single NIC '$NetAdapter'. There are: $names."
}
$sources = @(
    Resolve-Source windows $WindowsVhdx $WindowsIso
    Resolve-Source linux $LinuxVhdx $LinuxIso
)
if (-not $sources) {
    throw 'Name a disk or an ISO for at least one guest: -WindowsVhdx, -WindowsIso, -LinuxVhdx, -LinuxIso.'
}
$Folder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Folder)
if (-not $StateFile) { $StateFile = Join-Path $Folder 'mslso-lab.json' }
if (Test-Path -LiteralPath $StateFile) {
    $state = Get-Content -LiteralPath $StateFile -Raw -Encoding UTF8 | ConvertFrom-Json
    if ($state.Version -ne 1) { throw "$StateFile is of another version of this script." }
    $made = @($state.Made)
}

$earlier = $made.Count
try {
    if ($PSCmdlet.ShouldProcess($Folder, 'Make the folder of the lab')) { New-LabFolder }
    if ($PSCmdlet.ShouldProcess($Prefix, "Make an external switch on '$NetAdapter' (connections pause for seconds)")) {
        New-LabSwitch
    }
    foreach ($source in $sources) {
        $name = "$Prefix-$($source.Guest)"
        if ($PSCmdlet.ShouldProcess($name, "Make and start a guest from $($source.Path)")) {
            New-LabGuest $source
            if ("$((Get-VM -Name $name).State)" -ne 'Running') { Start-VM -Name $name }
        }
    }
} catch {
    $failure = $_
    if ($made.Count -gt $earlier) {
        & (Join-Path $PSScriptRoot 'Remove-VmLab.ps1') -StateFile $StateFile -Keep $earlier -Confirm:$false
    }
    throw "The lab is not complete. $failure"
}
if (-not $WhatIfPreference) {
    Write-Output "The lab is there; $StateFile says what was made. Remove-VmLab.ps1 -StateFile '$StateFile' removes it."
}
