# The code that the scripts for test machines share: files that survive a crash, a lab's state file,
# Hyper-V's answers, NICs. A script dot-sources it after Mslso.Common.ps1. Nothing here changes the
# system but its own files.

# ---- Files ----

function Test-LabPath {
    <#
    .SYNOPSIS
    Returns whether a file or folder exists; stops if that cannot be known, as on a missing drive.
    #>
    param([Parameter(Mandatory)][string]$Path)
    $root = [IO.Path]::GetPathRoot($Path)
    if ($root -and -not [IO.Directory]::Exists($root)) { Stop-Mslso "$root cannot be reached, so $Path cannot be looked at." }
    # Test-Path also answers "no" to a path that it may not read.
    try {
        [IO.File]::GetAttributes($Path) | Out-Null
        $true
    } catch [IO.FileNotFoundException], [IO.DirectoryNotFoundException] {
        $false
    }
}

function Assert-LabFolderPath {
    <#
    .SYNOPSIS
    Stops if a folder cannot be made because it, or what it would lie in, is a file.
    #>
    param([Parameter(Mandatory)][string]$Path)
    $place = $Path
    while ($place -and -not (Test-LabPath $place)) { $place = [IO.Path]::GetDirectoryName($place) }
    if ($place -and -not [IO.Directory]::Exists($place)) {
        Stop-Mslso "The folder $Path cannot be made: $place is a file. Name another folder."
    }
}

function Write-LabFile {
    <#
    .SYNOPSIS
    Replaces the text of a file in one step: a crash leaves the old text or the new one, never half.
    #>
    param([Parameter(Mandatory)][string]$Path, [Parameter(Mandatory)][AllowEmptyString()][string]$Text)
    $bytes = (New-Object Text.UTF8Encoding $false).GetBytes($Text)
    $new = "$Path.new"
    $stream = [IO.File]::Create($new)
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        $stream.Flush($true)
    } finally {
        $stream.Dispose()
    }
    if ([IO.File]::Exists($Path)) {
        [IO.File]::Replace($new, $Path, [NullString]::Value)
    } else {
        [IO.File]::Move($new, $Path)
    }
}

function Read-LabFile {
    <#
    .SYNOPSIS
    Returns the object that a JSON file holds; stops if the file is empty or broken.
    #>
    param([Parameter(Mandatory)][string]$Path)
    $text = [IO.File]::ReadAllText($Path)
    if (-not $text.Trim([char[]]"`0 `r`n`t")) { Stop-Mslso "$Path is empty." }
    try { ConvertFrom-Json $text } catch { Stop-Mslso "$Path is broken: $_" }
}

# ---- Notes: what a later run has to know, even after a crash ----

function Get-LabNotePath {
    <#
    .SYNOPSIS
    Returns the path of a note, in a folder that only administrators write to.
    #>
    param([Parameter(Mandatory)][string]$Name)
    $folder = Join-Path (Join-Path $env:SystemRoot 'Logs') 'mslso'
    Join-Path $folder "$Name.json"
}

function Read-LabNote {
    <#
    .SYNOPSIS
    Returns a note, or nothing if there is none.
    #>
    param([Parameter(Mandatory)][string]$Name)
    $path = Get-LabNotePath $Name
    if (-not (Test-LabPath $path)) { return }
    try { Read-LabFile $path } catch { Stop-Mslso "$_ Look at what it was for, '$Name', and delete it." }
}

function Write-LabNote {
    <#
    .SYNOPSIS
    Writes a note, before the change that it is about.
    #>
    param([Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)]$Value)
    $path = Get-LabNotePath $Name
    [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path)) | Out-Null
    Write-LabFile $path (ConvertTo-Json $Value -Depth 6)
}

function Clear-LabNote {
    <#
    .SYNOPSIS
    Deletes a note, and the folder of the notes with the last one.
    #>
    param([Parameter(Mandatory)][string]$Name)
    $path = Get-LabNotePath $Name
    $folder = [IO.Path]::GetDirectoryName($path)
    if (-not [IO.Directory]::Exists($folder)) { return }
    [IO.File]::Delete($path)
    [IO.File]::Delete("$path.new")
    if (-not [IO.Directory]::GetFileSystemEntries($folder)) { [IO.Directory]::Delete($folder) }
}

# ---- The state file of a lab ----

function Read-LabState {
    <#
    .SYNOPSIS
    Returns a lab as its state file has it: Id, and Made, the parts in the order in which they were made.
    #>
    param([Parameter(Mandatory)][string]$StateFile)
    try {
        $read = Read-LabFile $StateFile
    } catch {
        Stop-Mslso ("The state file cannot be used. $_ It listed what the lab consists of. Look for the lab's VMs, " +
            "switch and disks yourself (Get-VM, Get-VMSwitch), remove them, and delete $StateFile.")
    }
    $names = @($read.PSObject.Properties | ForEach-Object { $_.Name })
    if ('Version' -notin $names -or 'Made' -notin $names -or $read.Version -notin 1, 2) {
        Stop-Mslso "$StateFile is no state file, or one of another version of New-VmLab.ps1. Use the scripts that wrote it."
    }
    $lab = [pscustomobject]@{ Id = [guid]::NewGuid().ToString(); Made = @() }
    if ('Lab' -in $names) { $lab.Id = $read.Lab }
    foreach ($one in @($read.Made | Where-Object { $_ })) {
        $item = New-LabItem '' '' ''
        $item.Done = $true
        foreach ($property in $one.PSObject.Properties) {
            if ($item.PSObject.Properties[$property.Name]) { $item.$($property.Name) = $property.Value }
        }
        if ($item.Kind -notin 'folder', 'switch', 'disk', 'vm') { Stop-Mslso "$StateFile lists '$($item.Kind)', which this script does not know." }
        $lab.Made += $item
    }
    $lab
}

function Write-LabState {
    <#
    .SYNOPSIS
    Writes the state file of a lab.
    #>
    param([Parameter(Mandatory)][string]$StateFile, [Parameter(Mandatory)]$Lab)
    $text = ConvertTo-Json ([ordered]@{ Version = 2; Lab = $Lab.Id; Made = @($Lab.Made) }) -Depth 4
    Write-LabFile $StateFile $text
}

function New-LabItem {
    <#
    .SYNOPSIS
    Returns a part of a lab that is about to be made. Id is a path or Hyper-V's identifier.
    #>
    param([string]$Kind, [string]$Name, [string]$Id)
    # Mark tells a disk from another one of its path; Source is what it was made from.
    [pscustomobject]@{ Kind = $Kind; Name = $Name; Id = $Id; Mark = ''; Source = ''; Done = $false }
}

function Get-LabSwitchNote {
    <#
    .SYNOPSIS
    Returns the note by which the switch of a lab is known, before its identifier is written down.
    #>
    param([Parameter(Mandatory)]$Lab)
    "mslso lab $($Lab.Id)"
}

function Find-LabItem {
    <#
    .SYNOPSIS
    Returns the parts of a lab that exist. Those that were being made when a run was killed get their identifiers.
    #>
    param([Parameter(Mandatory)]$Lab)
    $vms = @(Get-VM -ErrorAction Stop)
    $switches = @(Get-VMSwitch -ErrorAction Stop)
    foreach ($item in $Lab.Made) {
        $found = $null
        switch ($item.Kind) {
            'vm' {
                $found = @($vms | Where-Object { $item.Id -and "$($_.Id)" -eq $item.Id })
                if (-not $item.Id) {
                    $found = @($vms | Where-Object { $_.Name -eq $item.Name -and (Test-LabBelow $_.Path $item.Source) })
                }
            }
            'switch' {
                $note = Get-LabSwitchNote $Lab
                $found = @($switches | Where-Object { $item.Id -and "$($_.Id)" -eq $item.Id })
                if (-not $item.Id) { $found = @($switches | Where-Object { $_.Notes -eq $note }) }
            }
            default { if (Test-LabPath $item.Id) { $item } }
        }
        if (-not $found) { continue }
        $item.Id = "$($found[0].Id)"
        $item
    }
}

function Test-LabBelow {
    <#
    .SYNOPSIS
    Returns whether a path is a folder or lies below it.
    #>
    param([string]$Path, [Parameter(Mandatory)][string]$Folder)
    $end = [IO.Path]::DirectorySeparatorChar
    "$Path$end".StartsWith($Folder.TrimEnd($end) + $end, [StringComparison]::OrdinalIgnoreCase)
}

# ---- Hyper-V ----

function Assert-HyperV {
    <#
    .SYNOPSIS
    Stops with advice unless Hyper-V answers.
    #>
    if (-not (Get-Command New-VM -ErrorAction SilentlyContinue) -or
        -not (Get-Service vmms -ErrorAction SilentlyContinue)) {
        Stop-Mslso ("Hyper-V or its PowerShell module is missing. Add it, then restart. Server: " +
            "Install-WindowsFeature Hyper-V -IncludeManagementTools. Client: " +
            "Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All")
    }
    if ("$((Get-Service vmms).Status)" -ne 'Running') {
        Stop-Mslso "Hyper-V's service vmms does not run, so nothing is known of VMs and switches. Start it: Start-Service vmms"
    }
}

function Get-LabDiskUser {
    <#
    .SYNOPSIS
    Returns the VMs that have a disk attached, or one whose chain of parents has it: VM, Path, and IsOwner.
    .DESCRIPTION
    IsOwner is true of a VM that writes the disk, now or once its checkpoints are merged. A differencing
    disk only reads its parent, whose further use by others harms nobody.
    #>
    param([Parameter(Mandatory)][string]$Path)
    foreach ($vm in @(Get-VM -ErrorAction Stop)) {
        foreach ($drive in @(Get-VMHardDiskDrive -VM $vm -ErrorAction Stop)) {
            # A drive that passes a physical disk through has no file.
            if (-not $drive.Path -or $null -ne $drive.DiskNumber) { continue }
            $place = $drive.Path
            $owner = $true
            while ($place -and $place -ne $Path -and (Test-LabPath $place)) {
                if ([IO.Path]::GetExtension($place) -notin '.avhd', '.avhdx') { $owner = $false }
                $place = (Get-VHD -Path $place -ErrorAction Stop).ParentPath
            }
            if ($place -and $place -eq $Path) { [pscustomobject]@{ VM = $vm; Path = $drive.Path; IsOwner = $owner } }
        }
    }
}

# ---- NICs ----

function Find-LabNic {
    <#
    .SYNOPSIS
    Returns the adapter of a name, which is no pattern; stops with the names that there are.
    #>
    param([Parameter(Mandatory)][string]$Name, [switch]$Physical)
    $all = @(Get-NetAdapter -Physical:$Physical -ErrorAction Stop)
    $found = @($all | Where-Object { $_.Name -eq $Name })
    if ($found.Count -eq 1) { return $found[0] }
    Stop-Mslso "There is no adapter '$Name'. There are: $(@($all | ForEach-Object { $_.Name }) -join ', ')."
}

function Get-LabNicUse {
    <#
    .SYNOPSIS
    Returns a sentence on what of this host is cut off when a NIC goes down, or nothing.
    #>
    param([Parameter(Mandatory)]$Nic)
    $addresses = @(Get-NetIPAddress -ErrorAction Stop |
            Where-Object { $_.InterfaceIndex -eq $Nic.ifIndex -and $_.IPAddress -notlike 'fe80:*' -and $_.IPAddress -notlike '169.254.*' } |
            ForEach-Object { $_.IPAddress })
    $routes = @(Get-NetRoute -ErrorAction Stop |
            Where-Object { $_.InterfaceIndex -eq $Nic.ifIndex -and $_.DestinationPrefix -in '0.0.0.0/0', '::/0' })
    $switched = @(Get-LabBinding $Nic 'vms_pp' | Where-Object { $_.Enabled })
    if ($routes) {
        "It carries this host's default route and own address $($addresses -join ', '): a remote session over it is cut off."
    } elseif ($addresses) {
        "It carries this host's own address $($addresses -join ', '): a remote session to that is cut off."
    } elseif ($switched) {
        'It belongs to a virtual switch: its guests, and this host if it uses the switch, are cut off.'
    }
}

function Get-LabBinding {
    <#
    .SYNOPSIS
    Returns the binding of a component to a NIC, or nothing if the component is not on it.
    #>
    param([Parameter(Mandatory)]$Nic, [Parameter(Mandatory)][string]$Component)
    # Not by name, which the cmdlet reads as a pattern; without one it lists all and reports none missing.
    @(Get-NetAdapterBinding -AllBindings -ErrorAction Stop |
            Where-Object { $_.Name -eq $Nic.Name -and $_.ComponentID -eq $Component })
}
