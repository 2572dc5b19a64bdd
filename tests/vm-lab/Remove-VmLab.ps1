<#
.SYNOPSIS
Removes what New-VmLab.ps1 made, as its state file lists it, and nothing else.

.DESCRIPTION
The script turns off and removes the guests, and removes their disks, the switch and the folders, in the
reverse order of their creation. It deletes each part from the state file once it is gone. If a step
fails, the script does the others all the same; run it again to finish.

The script finds guests and switches by their identifiers, and compares a disk with the one that was
made, so that it removes nothing else that has the same name or path by now. A disk that another VM
needs stays, and so does a folder with other files in it. The script names other VMs on the lab's switch
before it removes the switch. It removes nothing while Hyper-V does not answer, because it is then
unknown what exists.

Data in the guests is lost. The NIC loses its connections for some seconds when the switch goes.

.PARAMETER StateFile
The state file that New-VmLab.ps1 wrote.

.PARAMETER Keep
The number of parts that stay, counted from the first that was made. New-VmLab.ps1 uses this to undo a
failed run.

.PARAMETER Force
Suppresses the question.

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
    [int]$Keep = 0,
    [switch]$Force
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')
. (Join-Path $PSScriptRoot 'Mslso.Lab.ps1')

# How long Hyper-V may take to merge a checkpoint or to finish what a guest is doing.
$patience = 60

# Runs a block again while it fails, until the time is over.
function Wait-Success([string]$What, [scriptblock]$Body) {
    for ($waited = 0; ; $waited += 2) {
        try { return & $Body } catch {
            if ($waited -ge $patience) { throw }
            if (-not $waited) { Write-Warning "Waiting up to $patience seconds for ${What}: $_" }
        }
        Start-Sleep -Seconds 2
    }
}

function Remove-LabGuest($Item) {
    $vm = @(Get-VM -ErrorAction Stop | Where-Object { "$($_.Id)" -eq $Item.Id })
    if (-not $vm) { return }
    Wait-Success "guest '$($Item.Name)'" {
        # Hyper-V refuses to turn off what is saved, and removes it as it is.
        if ("$($vm[0].State)" -notmatch '^(Off|Saved|FastSaved)(Critical)?$') {
            Stop-VM -VM $vm[0] -TurnOff -Force -ErrorAction Stop
        }
        Remove-VM -VM $vm[0] -Force -ErrorAction Stop
    }
}

function Get-SwitchUser($Item) {
    $own = @($lab.Made | Where-Object { $_.Kind -eq 'vm' } | ForEach-Object { $_.Id })
    foreach ($vm in @(Get-VM -ErrorAction Stop | Where-Object { "$($_.Id)" -notin $own })) {
        $nics = @(Get-VMNetworkAdapter -VM $vm -ErrorAction Stop | Where-Object { "$($_.SwitchId)" -eq $Item.Id })
        if ($nics) { $vm.Name }
    }
}

function Remove-LabSwitch($Item) {
    $found = @(Get-VMSwitch -ErrorAction Stop | Where-Object { "$($_.Id)" -eq $Item.Id })
    if ($found) { Remove-VMSwitch -VMSwitch $found[0] -Force -ErrorAction Stop }
}

function Remove-LabDisk($Item) {
    $users = @(Get-LabDiskUser $Item.Id)
    if ($users) { Stop-Mslso "the VM '$($users[0].VM.Name)' uses it" }
    Wait-Success "disk $($Item.Id)" {
        $disk = Get-VHD -Path $Item.Id -ErrorAction Stop
        if ($Item.Mark -and "$($disk.DiskIdentifier)" -ne $Item.Mark) {
            Write-Warning "$($Item.Id) stays: it is another disk than the one that the lab made."
        } else {
            Remove-Item -LiteralPath $Item.Id -ErrorAction Stop
        }
    }
}

# The files in a folder that are not the lab's; Hyper-V leaves empty folders behind a guest.
function Get-ForeignFile([string]$Folder) {
    @(Get-ChildItem -LiteralPath $Folder -Recurse -Force -ErrorAction Stop | Where-Object {
            (-not $_.PSIsContainer -or $_.Attributes -band [IO.FileAttributes]::ReparsePoint) -and
            $_.FullName -notin $StateFile, "$StateFile.new"
        })
}

# Whether parts of the lab in a folder are still there: they failed, or the answer was no.
function Test-Occupied($Item) {
    $left = @($lab.Made | Where-Object { $_ -ne $Item -and $_ -notin $emptied })
    foreach ($other in $left) {
        $path = $other.Id
        if ($other.Kind -eq 'vm' -and $other.Source) { $path = Join-Path $other.Source $other.Name }
        if ($other.Kind -ne 'switch' -and (Test-LabBelow $path $Item.Id)) { return $true }
    }
    $false
}

function Remove-LabFolder($Item) {
    $files = Get-ForeignFile $Item.Id
    if ($files) {
        Write-Warning "$($Item.Id) stays: it has files that the lab did not make, such as $($files[0].Name)."
    } elseif (Test-LabBelow $StateFile $Item.Id) {
        # The state file goes last, and the folders that it is in after it.
        $script:emptied += $Item
    } else {
        Remove-Item -LiteralPath $Item.Id -Recurse -ErrorAction Stop
    }
}

function Remove-LabItem($Item) {
    # The script has asked; the cmdlets need not.
    $ConfirmPreference = 'None'
    # A disk or folder that went with what was removed before it is done.
    if ($Item.Kind -notin 'disk', 'folder' -or (Test-LabPath $Item.Id)) {
        switch ($Item.Kind) {
            'vm' { Remove-LabGuest $Item }
            'disk' { Remove-LabDisk $Item }
            'switch' { Remove-LabSwitch $Item }
            'folder' { Remove-LabFolder $Item }
        }
    }
    $lab.Made = @($lab.Made | Where-Object { $_ -ne $Item -or $_ -in $emptied })
    Write-LabState $StateFile $lab
}

# Whether a disk belongs to a guest that stays because the answer was no.
function Test-Declined($Item) {
    $kept = @($declined | Where-Object { $_.Kind -eq 'vm' } | ForEach-Object { $_.Id })
    if ($WhatIfPreference -or -not $kept -or $Item.Kind -ne 'disk') { return $false }
    [bool]@(Get-LabDiskUser $Item.Id | Where-Object { "$($_.VM.Id)" -in $kept })
}

Assert-MslsoHost
$StateFile = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($StateFile)
if (-not [IO.File]::Exists($StateFile)) {
    Stop-Mslso "There is no state file $StateFile. New-VmLab.ps1 says where it wrote it."
}
Assert-HyperV
$lab = Read-LabState $StateFile
# Parts that are gone need no question, and those of a killed run their identifiers.
$lab.Made = @(Find-LabItem $lab)

if ($Force -and -not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
$emptied = @()
$failures = @()
$declined = @()
$listed = @($lab.Made)
for ($place = $listed.Count - 1; $place -ge $Keep; $place--) {
    $item = $listed[$place]
    $what = "$($item.Kind) '$($item.Name)'"
    if ($item.Kind -eq 'switch') {
        $users = @(Get-SwitchUser $item)
        if ($users) { Write-Warning "The switch '$($item.Name)' is also used by $($users -join ', '), whose connection ends with it." }
    }
    if ((Test-Declined $item) -or ($item.Kind -eq 'folder' -and -not $WhatIfPreference -and (Test-Occupied $item))) {
        $declined += $item
    } elseif (Confirm-Mslso $PSCmdlet $what 'Remove') {
        try {
            Remove-LabItem $item
        } catch {
            $failures += "${what}: $_"
            Write-Warning "Not removed: $what. $_"
        }
    } else {
        $declined += $item
    }
}
if ($failures) {
    Stop-Mslso ("The lab is not removed. $($failures -join '; '). Mend that and run the script again: " +
        "$StateFile lists what is left.")
}
if ($declined) {
    Write-Warning "Not removed: $($declined.Count). The state file stays."
} elseif ($lab.Made.Count -gt $emptied.Count) {
    Write-Output "Kept: $($lab.Made.Count). The state file stays."
} elseif (Confirm-Mslso $PSCmdlet $StateFile 'Delete the state file') {
    Remove-Item -LiteralPath $StateFile
    [IO.File]::Delete("$StateFile.new")
    foreach ($folder in $emptied) { Remove-Item -LiteralPath $folder.Id -Recurse }
    Write-Output 'The lab is removed.'
}
