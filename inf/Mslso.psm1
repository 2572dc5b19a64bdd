# Cmdlets and a DSC resource over mslsoctl.exe, which lies beside this file or on the PATH.

#Requires -Version 5.1
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
        MtuBytes = $Shown.mtu
        SettingsOutOfRange = [int]$Shown.settings_out_of_range
    }
}

function Get-MslsoAdapter {
    <#
    .SYNOPSIS
    Gets the adapters that mslso filters, with their settings, limits and advertised sizes.
    .DESCRIPTION
    Names are those of Get-NetAdapter, and may be patterns. Sizes are bytes of TCP or UDP payload; the
    largest large send seen is bytes of frame. RaisedSizeInUse is empty where it is not known.
    .PARAMETER Name
    The connection's name, as Get-NetAdapter has it; a pattern matches several.
    .PARAMETER InterfaceIndex
    The interface index of the NIC, ifIndex of Get-NetAdapter.
    .EXAMPLE
    Get-MslsoAdapter
    .EXAMPLE
    Get-NetAdapter -Physical | Get-MslsoAdapter | Where-Object RaisedSizeInUse -ne $true
    #>
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    [OutputType('Mslso.Adapter')]
    param(
        [Parameter(Position = 0, ParameterSetName = 'Name')]
        [SupportsWildcards()]
        [Alias('ifAlias', 'InterfaceAlias')]
        [string[]]$Name = '*',
        [Parameter(Mandatory, ParameterSetName = 'Index', ValueFromPipelineByPropertyName)]
        [Alias('ifIndex')]
        [int[]]$InterfaceIndex
    )
    process {
        foreach ($entry in @(Select-MslsoEntry $PSCmdlet $Name $InterfaceIndex)) {
            try {
                ConvertTo-MslsoAdapter (Invoke-MslsoCtl 'show', "$($entry.if_index)")
            } catch {
                $PSCmdlet.WriteError($_)
            }
        }
    }
}

function Set-MslsoAdapter {
    <#
    .SYNOPSIS
    Sets how far mslso raises the large sends of an adapter, at once; with -Persist for good.
    .PARAMETER Name
    The connection's name, as Get-NetAdapter has it; a pattern matches several.
    .PARAMETER InterfaceIndex
    The interface index of the NIC, ifIndex of Get-NetAdapter.
    .PARAMETER Profile
    off, latency, throughput or cpu: 1, 2, 8 or 16 times the NIC's maximum.
    .PARAMETER Multiple
    1 to 16 times the NIC's maximum, in place of a profile.
    .PARAMETER Cap
    The most that is advertised, 4096 to 16777216 bytes; 0 for no cap.
    .PARAMETER Persist
    Writes the change to the registry too. Without it the change lasts until the adapter restarts.
    .PARAMETER PassThru
    Returns the adapter as it is then.
    .EXAMPLE
    Set-MslsoAdapter 'Ethernet 2' -Profile throughput -Persist
    .EXAMPLE
    Get-NetAdapter 'SLOT*' | Set-MslsoAdapter -Profile throughput -Persist -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'Medium', DefaultParameterSetName = 'Name')]
    [OutputType('Mslso.Adapter')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')]
        [SupportsWildcards()]
        [Alias('ifAlias', 'InterfaceAlias')]
        [string[]]$Name,
        [Parameter(Mandatory, ParameterSetName = 'Index', ValueFromPipelineByPropertyName)]
        [Alias('ifIndex')]
        [int[]]$InterfaceIndex,
        [ValidateSet('off', 'latency', 'throughput', 'cpu')]
        [string]$Profile,
        [ValidateRange(1, 16)]
        [int]$Multiple,
        [ValidateScript({ $_ -eq 0 -or ($_ -ge 4096 -and $_ -le 16777216) })]
        [long]$Cap,
        [switch]$Persist,
        [switch]$PassThru
    )
    begin {
        $change = @()
        if ($PSBoundParameters.ContainsKey('Profile')) { $change += '--profile', $Profile }
        if ($PSBoundParameters.ContainsKey('Multiple')) { $change += '--multiple', "$Multiple" }
        if ($PSBoundParameters.ContainsKey('Cap')) { $change += '--cap', "$Cap" }
        $why = ''
        if (-not $change) { $why = 'There is nothing to set: name -Profile, -Multiple or -Cap.' }
        if ($change -contains '--profile' -and $change -contains '--multiple') { $why = 'A profile has its own multiple: name -Profile or -Multiple, not both.' }
        if ($why) {
            $PSCmdlet.ThrowTerminatingError([Management.Automation.ErrorRecord]::new([ArgumentException]::new($why), 'MslsoChange', 'InvalidArgument', $null))
        }
        if ($Persist) { $change += '--persist' }
    }
    process {
        foreach ($entry in @(Select-MslsoEntry $PSCmdlet $Name $InterfaceIndex)) {
            if (-not $PSCmdlet.ShouldProcess((Get-EntryName $entry), "Set $change")) { continue }
            try {
                $set = Invoke-MslsoCtl (@('set', "$($entry.if_index)") + $change)
                if ($PassThru) { ConvertTo-MslsoAdapter $set }
            } catch {
                $PSCmdlet.WriteError($_)
            }
        }
    }
}

function Get-MslsoStatistics {
    <#
    .SYNOPSIS
    Gets the counters of the large sends of the adapters that mslso filters, since it attached or the last reset.
    .PARAMETER Name
    The connection's name, as Get-NetAdapter has it; a pattern matches several.
    .PARAMETER InterfaceIndex
    The interface index of the NIC, ifIndex of Get-NetAdapter.
    .EXAMPLE
    Get-MslsoStatistics | Format-List
    #>
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    [OutputType('Mslso.Statistics')]
    param(
        [Parameter(Position = 0, ParameterSetName = 'Name')]
        [SupportsWildcards()]
        [Alias('ifAlias', 'InterfaceAlias')]
        [string[]]$Name = '*',
        [Parameter(Mandatory, ParameterSetName = 'Index', ValueFromPipelineByPropertyName)]
        [Alias('ifIndex')]
        [int[]]$InterfaceIndex
    )
    process {
        foreach ($entry in @(Select-MslsoEntry $PSCmdlet $Name $InterfaceIndex)) {
            try {
                ConvertTo-MslsoStatistics (Invoke-MslsoCtl 'stats', "$($entry.if_index)")
            } catch {
                $PSCmdlet.WriteError($_)
            }
        }
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

function Reset-MslsoStatistics {
    <#
    .SYNOPSIS
    Puts the counters of an adapter back to zero.
    .PARAMETER Name
    The connection's name, as Get-NetAdapter has it; a pattern matches several.
    .PARAMETER InterfaceIndex
    The interface index of the NIC, ifIndex of Get-NetAdapter.
    .EXAMPLE
    Reset-MslsoStatistics 'Ethernet 2'
    #>
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'Medium', DefaultParameterSetName = 'Name')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')]
        [SupportsWildcards()]
        [Alias('ifAlias', 'InterfaceAlias')]
        [string[]]$Name,
        [Parameter(Mandatory, ParameterSetName = 'Index', ValueFromPipelineByPropertyName)]
        [Alias('ifIndex')]
        [int[]]$InterfaceIndex
    )
    process {
        foreach ($entry in @(Select-MslsoEntry $PSCmdlet $Name $InterfaceIndex)) {
            if (-not $PSCmdlet.ShouldProcess((Get-EntryName $entry), 'Put the counters back to zero')) { continue }
            try {
                Invoke-MslsoCtl 'stats', "$($entry.if_index)", '--reset' | Out-Null
            } catch {
                $PSCmdlet.WriteError($_)
            }
        }
    }
}

# The DSC resource: an adapter's profile or multiple and cap, kept in the registry.
[DscResource()]
class MslsoAdapter {
    # The connection's name.
    [DscProperty(Key)]
    [string]$Name

    # off, latency, throughput or cpu. One of Profile and Multiple, or neither.
    [DscProperty()]
    [string]$Profile

    # 1 to 16; 0 where the profile decides.
    [DscProperty()]
    [int]$Multiple

    # The cap in bytes; 0 for none.
    [DscProperty()]
    [long]$CapBytes

    # The advertised size of LSOv2 over IPv4.
    [DscProperty(NotConfigurable)]
    [long]$AdvertisedBytes

    [MslsoAdapter] Get() {
        $now = Get-MslsoAdapter -Name ([WildcardPattern]::Escape($this.Name)) -ErrorAction Stop
        if (-not $now) { Stop-Mslso "mslso filters no adapter '$($this.Name)'." }
        $made = [MslsoAdapter]::new()
        $made.Name = $now.Name
        $made.Profile = "$($now.Profile)"
        if (-not $now.Profile) { $made.Multiple = $now.Multiple }
        $made.CapBytes = [long]$now.CapBytes
        $made.AdvertisedBytes = $now.AdvertisedLsoV2IPv4Bytes
        return $made
    }

    [bool] Test() {
        $this.Check()
        $now = $this.Get()
        if ($this.Multiple) {
            if ($now.Profile -or $now.Multiple -ne $this.Multiple) { return $false }
        } elseif ($this.Profile -and $now.Profile -ne $this.Profile) {
            return $false
        }
        return $now.CapBytes -eq $this.CapBytes
    }

    [void] Set() {
        $this.Check()
        $change = @{ Cap = $this.CapBytes; Persist = $true; Confirm = $false; ErrorAction = 'Stop' }
        if ($this.Multiple) { $change.Multiple = $this.Multiple } elseif ($this.Profile) { $change.Profile = $this.Profile }
        Set-MslsoAdapter -Name ([WildcardPattern]::Escape($this.Name)) @change
    }

    hidden [void] Check() {
        if ($this.Multiple -and $this.Profile) { Stop-Mslso "MslsoAdapter '$($this.Name)': name Profile or Multiple, not both." }
    }
}

# The names of filtered adapters, for the tabulator key; nothing where the driver does not answer.
$completer = {
    param($command, $parameter, $word)
    $start = $word.Trim('''"')
    try { $all = @(Get-MslsoAdapter -ErrorAction Stop) } catch { return }
    foreach ($one in @($all | Where-Object { $_.Name -like "$([WildcardPattern]::Escape($start))*" })) {
        $text = $one.Name
        if ($text -match '[^\w-]') { $text = "'$($text -replace "'", "''")'" }
        [Management.Automation.CompletionResult]::new($text, $one.Name, 'ParameterValue', $one.InterfaceDescription)
    }
}
Register-ArgumentCompleter -CommandName Get-MslsoAdapter, Set-MslsoAdapter, Get-MslsoStatistics, Reset-MslsoStatistics -ParameterName Name -ScriptBlock $completer

Export-ModuleMember -Function Get-MslsoAdapter, Set-MslsoAdapter, Get-MslsoStatistics, Reset-MslsoStatistics
