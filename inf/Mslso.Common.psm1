# The code that the cmdlets of the module Mslso share: the driver's answers as objects of the pipeline.
# Mslso.Common.ps1 has what the scripts share; here it is in a module, so that of it the cmdlets see only
# what is exported below.

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'Mslso.Common.ps1')

# The adapters of `mslsoctl list` that are meant. Names are patterns, of the connection or, where
# Windows gives none, of the NIC's description. What is named and not there is an error of the cmdlet.
function Select-MslsoEntry($Cmdlet, [string[]]$Name, [int[]]$InterfaceIndex) {
    try {
        $all = @((Invoke-MslsoCtl list).adapters)
    } catch {
        $Cmdlet.ThrowTerminatingError($_)
    }
    if ($InterfaceIndex) {
        foreach ($index in $InterfaceIndex) {
            $found = @($all | Where-Object { $_.base_if_index -eq $index -or $_.if_index -eq $index })
            if ($found) { $found[0] } else { Write-NotFiltered $Cmdlet "the interface index $index" $index }
        }
        return
    }
    foreach ($one in $Name) {
        $found = @($all | Where-Object { (Get-EntryName $_) -eq $one })
        if (-not $found) { $found = @($all | Where-Object { (Get-EntryName $_) -like $one }) }
        if ($found) { $found } elseif (-not [WildcardPattern]::ContainsWildcardCharacters($one)) { Write-NotFiltered $Cmdlet "the name '$one'" $one }
    }
}

function Get-EntryName($Entry) {
    if ($Entry.connection) { $Entry.connection } else { $Entry.name }
}

function Write-NotFiltered($Cmdlet, [string]$What, $Target) {
    $message = "mslso filters no adapter with $What. Get-MslsoAdapter lists those that it filters; " +
        "Enable-NetAdapterBinding -Name ADAPTER -ComponentID $MslsoComponent binds it to another."
    $failure = [InvalidOperationException]::new($message)
    $Cmdlet.WriteError([Management.Automation.ErrorRecord]::new($failure, 'MslsoAdapterNotFound', 'ObjectNotFound', $Target))
}

# An answer of `show` or `set` as an object of the pipeline: numbers are numbers, sizes are bytes.
function ConvertTo-MslsoAdapter($Shown) {
    [pscustomobject]@{
        PSTypeName = 'Mslso.Adapter'
        Name = Get-EntryName $Shown.adapter
        InterfaceDescription = $Shown.adapter.name
        ifIndex = [int]$Shown.adapter.base_if_index
        FilterIfIndex = [int]$Shown.adapter.if_index
        IsRunning = [bool]$Shown.adapter.running
        Profile = $Shown.tuning.profile
        Multiple = [int]$Shown.tuning.multiple
        CapBytes = $Shown.tuning.cap_bytes
        NicLsoV2IPv4Bytes = [long]$Shown.nic.v2_ipv4.max_payload
        NicLsoV2IPv6Bytes = [long]$Shown.nic.v2_ipv6.max_payload
        AdvertisedLsoV2IPv4Bytes = [long]$Shown.advertised.v2_ipv4
        AdvertisedLsoV2IPv6Bytes = [long]$Shown.advertised.v2_ipv6
        AdvertisedUsoIPv4Bytes = [long]$Shown.advertised.uso_ipv4
        AdvertisedUsoIPv6Bytes = [long]$Shown.advertised.uso_ipv6
        LargestLargeSendBytes = [long]$Shown.largest_large_send
        RaisedSizeInUse = $Shown.raised_size_in_use
        SoftwareSegmentation = $Shown.software_segmentation
        IpIdBits = [int]$Shown.ip_id_bits
        MaxSgElements = [int](Get-Field $Shown 'max_sg_elements')
        MemoryBoundBytes = Get-Field $Shown 'memory_bound_bytes'
        Registry = ConvertTo-MslsoSettings (Get-Field $Shown 'registry')
        RestartPending = Get-Field $Shown 'restart_pending'
        MtuBytes = $Shown.mtu
        SettingsOutOfRange = [int]$Shown.settings_out_of_range
    }
}

# A field that an older mslsoctl.exe, of the PATH, does not print.
function Get-Field($Shown, [string]$Name) {
    if ($Shown.PSObject.Properties[$Name]) { $Shown.$Name }
}

# The settings in the registry; nothing where the driver is too old to report them.
function ConvertTo-MslsoSettings($Shown) {
    if (-not $Shown) { return }
    [pscustomobject]@{
        PSTypeName = 'Mslso.Settings'
        Profile = $Shown.tuning.profile
        Multiple = [int]$Shown.tuning.multiple
        CapBytes = $Shown.tuning.cap_bytes
        SoftwareSegmentation = $Shown.software_segmentation
        IpIdBits = [int]$Shown.ip_id_bits
        MaxSgElements = [int]$Shown.max_sg_elements
        MemoryBoundBytes = [long]$Shown.memory_bound_bytes
    }
}

# The counters have the names that mslsoctl gives them: large_sends is LargeSends.
function ConvertTo-MslsoStatistics($Shown) {
    $made = [ordered]@{ Name = Get-EntryName $Shown.adapter; ifIndex = [int]$Shown.adapter.base_if_index }
    foreach ($counter in $Shown.statistics.PSObject.Properties) {
        $words = $counter.Name -split '_' | ForEach-Object { $_.Substring(0, 1).ToUpperInvariant() + $_.Substring(1) }
        $made[$words -join ''] = if ($counter.Value -is [ValueType]) { [uint64]$counter.Value } else { $counter.Value }
    }
    $object = [pscustomobject]$made
    $object.PSObject.TypeNames.Insert(0, 'Mslso.Statistics')
    $object
}

Export-ModuleMember -Function Select-MslsoEntry, Get-EntryName, ConvertTo-MslsoAdapter, ConvertTo-MslsoStatistics, Invoke-MslsoCtl, Stop-Mslso
