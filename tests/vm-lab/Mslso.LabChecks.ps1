# What is in the way of a new lab. New-VmLab.ps1 dot-sources this and asks all of it before anything
# changes; each function returns sentences for people, or nothing. It reads that script's parameters,
# $nic, the NIC, and $lab, the lab as far as it exists.

function Test-Made([string]$Kind, $Id) {
    [bool]@($lab.Made | Where-Object { $_.Kind -eq $Kind -and $_.Id -eq "$Id" })
}

function Resolve-Source([string]$Guest, [string]$Vhdx, [string]$Iso) {
    if ($Vhdx -and $Iso) { Stop-Mslso "For the $Guest guest give a disk or an ISO, not both." }
    $given = "$Vhdx$Iso"
    if (-not $given) { return }
    $path = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($given)
    if (-not [IO.File]::Exists($path)) { Stop-Mslso "$path does not exist, or is no file." }
    $name = "$Prefix-$Guest"
    [pscustomobject]@{ Guest = $Guest; IsDisk = [bool]$Vhdx; Path = $path; Name = $name; Disk = Join-Path $Folder "$name.vhdx" }
}

function Test-Nic($Switches) {
    $own = @($Switches | Where-Object { Test-Made switch $_.Id })
    if ($own) {
        if ($own[0].Name -ne $Prefix) {
            "The lab's switch is '$($own[0].Name)'. Give that name as -Prefix, or another -Folder for another lab."
        }
        if ($own[0].NetAdapterInterfaceDescription -ne $nic.InterfaceDescription) {
            "The lab's switch is on '$($own[0].NetAdapterInterfaceDescription)'. Name that NIC, or remove the lab first."
        }
        return
    }
    if (@($Switches | Where-Object { $_.Name -eq $Prefix })) {
        "There is a switch '$Prefix' that this lab did not make. Choose another -Prefix."
    }
    $other = @($Switches | Where-Object { $nic.InterfaceDescription -in @($_.NetAdapterInterfaceDescriptions) })
    if ($other) {
        "The switch '$($other[0].Name)' uses '$($nic.Name)'. Choose another NIC."
    } elseif (@(Get-LabBinding $nic 'vms_pp' | Where-Object { $_.Enabled })) {
        "'$($nic.Name)' is bound to a virtual switch. Choose another NIC."
    }
    $team = @(Get-LabBinding $nic 'ms_implat' | Where-Object { $_.Enabled })
    # Windows of clients has the command, which fails there.
    if (-not $team -and (Get-Command Get-NetLbfoTeamMember -ErrorAction SilentlyContinue)) {
        $team = @(Get-NetLbfoTeamMember -ErrorAction SilentlyContinue | Where-Object { $_.Name -eq $nic.Name })
    }
    if ($team) { "'$($nic.Name)' is a member of a team. Choose a NIC that is in none." }
}

function Test-SourceDisk($Source) {
    if (-not $Source.IsDisk) { return }
    # A guest of generation 2 starts from this format alone, and a differencing disk has that of its parent.
    if ([IO.Path]::GetExtension($Source.Path) -ne '.vhdx') {
        "$($Source.Path) is no .vhdx file. Convert-VHD makes one of a .vhd."
        return
    }
    $users = @(Get-LabDiskUser $Source.Path | Where-Object { $_.IsOwner })
    if ($users) {
        "$($Source.Path) belongs to the VM '$($users[0].VM.Name)', which writes it. Give a copy that no VM uses."
        return
    }
    try {
        if (-not (Test-VHD -Path $Source.Path -ErrorAction Stop)) { Stop-Mslso 'Test-VHD finds it damaged.' }
        $disk = Get-VHD -Path $Source.Path -ErrorAction Stop
    } catch {
        "$($Source.Path) cannot be used as a disk. $_"
        return
    }
    if ($null -ne $disk.DiskNumber) { "$($Source.Path) is mounted on this host. Dismount it: Dismount-VHD" }
}

function Test-Guest($Source, $VMs) {
    if (@($VMs | Where-Object { $_.Name -eq $Source.Name -and -not (Test-Made vm $_.Id) })) {
        "There is a VM '$($Source.Name)' that this lab did not make. Choose another -Prefix."
    }
    $made = @($lab.Made | Where-Object { $_.Kind -eq 'disk' -and $_.Id -eq $Source.Disk })
    if (-not $made) {
        if (Test-LabPath $Source.Disk) {
            "There is a disk $($Source.Disk) that this lab did not make. Choose another -Folder or -Prefix."
        }
        Test-SourceDisk $Source
    } elseif ($made[0].Source -and $made[0].Source -ne $Source.Path) {
        "The guest '$($Source.Name)' was made from $($made[0].Source). Give that, or remove the lab first."
    }
}

function Test-Room($Toward) {
    if (-not $Toward) { return }
    $machine = Get-CimInstance -ClassName Win32_ComputerSystem -ErrorAction Stop
    if (-not $machine.HypervisorPresent) {
        'The hypervisor does not run, so no guest starts. Turn it on and restart: bcdedit /set hypervisorlaunchtype auto'
    }
    $needed = $MemoryGB * 1gb * $Toward.Count
    $free = 1kb * (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).FreePhysicalMemory
    if ($needed -gt $free) {
        'The guests need {0:n1} GiB of memory, and {1:n1} GiB are free. Give less with -MemoryGB, or turn off other VMs.' -f ($needed / 1gb), ($free / 1gb)
    }
    $count = (Get-VMHost -ErrorAction Stop).LogicalProcessorCount
    if ($Processors -gt $count) { "This host has $count processors: give at most that many with -Processors." }
}
