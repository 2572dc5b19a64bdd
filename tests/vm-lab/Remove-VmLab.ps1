<#
.SYNOPSIS
Removes what New-VmLab.ps1 made, as its state file lists it, and nothing else.

.DESCRIPTION
Turns off and removes the guests, removes their disks, the switch and the folder, the last made
first, and takes each out of the state file once it is gone. Hyper-V's objects are found by their
identifiers, so what has taken a name since is safe. A folder with other files in it stays. Where a
step fails, run the script again: it goes on from there.

Data in the guests is lost. The NIC loses its connections for some seconds when the switch goes.

.PARAMETER StateFile
The state file that New-VmLab.ps1 wrote.

.PARAMETER Keep
How many things, of those made first, stay. New-VmLab.ps1 undoes a failed run with it.

.EXAMPLE
.\Remove-VmLab.ps1 -StateFile D:\lab\mslso-lab.json
#>
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [Parameter(Mandatory)]
    [ValidateNotNullOrEmpty()]
    [string]$StateFile,
    [ValidateRange(0, 1000)]
    [int]$Keep = 0
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

function Remove-LabGuest($Item) {
    $vm = Get-VM -Id $Item.Id -ErrorAction SilentlyContinue
    if (-not $vm) { return }
    if ("$($vm.State)" -ne 'Off') { Stop-VM -VM $vm -TurnOff -Force }
    Remove-VM -VM $vm -Force
}

function Remove-LabSwitch($Item) {
    $found = Get-VMSwitch -Id $Item.Id -ErrorAction SilentlyContinue
    if ($found) { Remove-VMSwitch -VMSwitch $found -Force }
}

function Remove-LabDisk($Item) {
    if (Test-Path -LiteralPath $Item.Id) { Remove-Item -LiteralPath $Item.Id }
}

function Remove-LabFolder($Item) {
    if (-not (Test-Path -LiteralPath $Item.Id)) { return }
    # Hyper-V leaves empty folders behind a guest. The state file goes last.
    $files = @(Get-ChildItem -LiteralPath $Item.Id -Recurse -Force -File |
            Where-Object { $_.FullName -ne $StateFile })
    if ($files) {
        Write-Warning "$($Item.Id) stays: it has files that the lab did not make, such as $($files[0].Name)."
        return
    }
    $script:emptied = $Item.Id
}

Assert-MslsoHost
if (-not (Test-Path -LiteralPath $StateFile -PathType Leaf)) {
    throw "There is no state file $StateFile. New-VmLab.ps1 says where it wrote it."
}
$StateFile = (Resolve-Path -LiteralPath $StateFile).ProviderPath
$state = Get-Content -LiteralPath $StateFile -Raw -Encoding UTF8 | ConvertFrom-Json
if ($state.Version -ne 1) { throw "$StateFile is of another version of this script." }

$emptied = $null
$left = @($state.Made)
$declined = 0
$listed = $left
for ($place = $listed.Count - 1; $place -ge $Keep; $place--) {
    $item = $listed[$place]
    if (-not $PSCmdlet.ShouldProcess("$($item.Kind) '$($item.Name)'", 'Remove')) {
        $declined++
        continue
    }
    switch ($item.Kind) {
        'vm' { Remove-LabGuest $item }
        'disk' { Remove-LabDisk $item }
        'switch' { Remove-LabSwitch $item }
        'folder' { Remove-LabFolder $item }
        default { throw "$StateFile lists '$($item.Kind)', which this script does not know." }
    }
    $left = @($left | Where-Object { $_.Id -ne $item.Id })
    ConvertTo-Json @{ Version = 1; Made = $left } -Depth 4 | Set-Content -LiteralPath $StateFile -Encoding UTF8
}
if ($declined) {
    Write-Warning "Not removed: $declined. The state file stays."
} elseif ($left) {
    Write-Output "Kept: $($left.Count). The state file stays."
} elseif ($PSCmdlet.ShouldProcess($StateFile, 'Delete the state file')) {
    Remove-Item -LiteralPath $StateFile
    if ($emptied) { Remove-Item -LiteralPath $emptied -Recurse }
    Write-Output 'The lab is removed.'
}
