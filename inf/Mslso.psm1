# Cmdlets and a DSC resource over mslsoctl.exe, which lies beside this file or on the PATH.

#Requires -Version 5.1
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
# Into this module alone, not into the session.
Import-Module (Join-Path $PSScriptRoot 'Mslso.Common.psm1')

function Get-MslsoAdapter {
    <#
    .SYNOPSIS
    Gets the adapters that mslso filters, with their settings, limits and advertised sizes.
    .DESCRIPTION
    Names are those of Get-NetAdapter, and may be patterns. Sizes are bytes of TCP or UDP payload; the
    largest large send seen is bytes of frame. RaisedSizeInUse is empty if it is not known.
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
    Sets how far mslso raises the large sends of an adapter, and its other settings.
    .DESCRIPTION
    Profile, Multiple and Cap take effect at once, until the adapter restarts; with -Persist for good.
    IpIdBits, SoftwareSegmentation, MaxSgElements and MemoryBound are only written to the registry, so
    they need -Persist. They take effect when the adapter restarts; a warning names the command for
    that. Settings that you do not name stay as they are.
    .PARAMETER Name
    The connection's name, as Get-NetAdapter has it; a pattern matches several.
    .PARAMETER InterfaceIndex
    The interface index of the NIC, ifIndex of Get-NetAdapter.
    .PARAMETER Profile
    off, latency, throughput or cpu: 1, 2, 8 or 16 times the NIC's maximum.
    .PARAMETER Multiple
    1 to 16 times the NIC's maximum, in place of a profile.
    .PARAMETER Cap
    The largest size to advertise, 4096 to 16777216 bytes; 0 for no cap.
    .PARAMETER IpIdBits
    15 or 16: the bits in which the NIC counts the IPv4 identification of its segments.
    .PARAMETER SoftwareSegmentation
    never, with-checksums or always: when to advertise TCP large sends on a NIC that does not support
    them. mslso then cuts them.
    .PARAMETER MaxSgElements
    The maximum number of buffers per packet sent to the NIC, including the header's: 4 to 64.
    .PARAMETER MemoryBound
    The maximum memory for large sends in flight, 4MB to 4GB, in whole MB.
    .PARAMETER Persist
    Writes the change to the registry too. Without it the change lasts until the adapter restarts.
    .PARAMETER PassThru
    Returns the adapter with its new settings.
    .EXAMPLE
    Set-MslsoAdapter 'Ethernet 2' -Profile throughput -Persist
    .EXAMPLE
    Get-NetAdapter 'SLOT*' | Set-MslsoAdapter -Profile throughput -Persist -WhatIf
    .EXAMPLE
    Set-MslsoAdapter 'Ethernet 2' -MemoryBound 128MB -Persist; Restart-NetAdapter 'Ethernet 2'
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
        [ValidateSet(15, 16)]
        [int]$IpIdBits,
        [ValidateSet('never', 'with-checksums', 'always')]
        [string]$SoftwareSegmentation,
        [ValidateRange(4, 64)]
        [int]$MaxSgElements,
        [ValidateScript({ $_ -ge 4MB -and $_ -le 4GB -and $_ % 1MB -eq 0 })]
        [long]$MemoryBound,
        [switch]$Persist,
        [switch]$PassThru
    )
    begin {
        $options = [ordered]@{
            Profile = '--profile'; Multiple = '--multiple'; Cap = '--cap'
            IpIdBits = '--ip-id-bits'; SoftwareSegmentation = '--software-segmentation'; MaxSgElements = '--max-sg-elements'; MemoryBound = '--memory-bound'
        }
        $bound = $PSBoundParameters
        $named = @($options.Keys | Where-Object { $bound.ContainsKey($_) })
        $change = @($named | ForEach-Object { $options[$_]; "$($bound[$_])" })
        $lasting = @($named | Where-Object { $_ -notin 'Profile', 'Multiple', 'Cap' })
        $why = ''
        if (-not $change) { $why = "There is nothing to set: name one of -$($options.Keys -join ', -')." }
        if ($change -contains '--profile' -and $change -contains '--multiple') { $why = 'A profile has its own multiple: name -Profile or -Multiple, not both.' }
        if ($lasting -and -not $Persist) { $why = "-$($lasting -join ', -') can only be written to the registry: add -Persist. It takes effect when the adapter restarts." }
        if ($why) {
            $PSCmdlet.ThrowTerminatingError([Management.Automation.ErrorRecord]::new([ArgumentException]::new($why), 'MslsoChange', 'InvalidArgument', $null))
        }
        if ($Persist) { $change += '--persist' }
    }
    process {
        foreach ($entry in @(Select-MslsoEntry $PSCmdlet $Name $InterfaceIndex)) {
            if (-not $PSCmdlet.ShouldProcess((Get-EntryName $entry), "Set $change")) { continue }
            try {
                $set = ConvertTo-MslsoAdapter (Invoke-MslsoCtl (@('set', "$($entry.if_index)") + $change))
                if ($lasting -and $set.RestartPending) {
                    Write-Warning "The settings of '$($set.Name)' take effect when the adapter restarts: Get-NetAdapter -InterfaceIndex $($set.ifIndex) | Restart-NetAdapter"
                }
                if ($PassThru) { $set }
            } catch {
                $PSCmdlet.WriteError($_)
            }
        }
    }
}

function Get-MslsoStatistics {
    <#
    .SYNOPSIS
    Gets the counters of the adapters that mslso filters, since it was attached or since the last reset.
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

function Reset-MslsoStatistics {
    <#
    .SYNOPSIS
    Resets the counters of an adapter to zero.
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
            if (-not $PSCmdlet.ShouldProcess((Get-EntryName $entry), 'Reset the counters to zero')) { continue }
            try {
                Invoke-MslsoCtl 'stats', "$($entry.if_index)", '--reset' | Out-Null
            } catch {
                $PSCmdlet.WriteError($_)
            }
        }
    }
}

# The DSC resource: an adapter's settings, in effect and in the registry. What is not named is not looked
# at, but for the cap, which is none then.
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

    # 15 or 16; 0 where it is not named, as in the following.
    [DscProperty()]
    [int]$IpIdBits

    # never, with-checksums or always.
    [DscProperty()]
    [string]$SoftwareSegmentation

    # 4 to 64.
    [DscProperty()]
    [int]$MaxSgElements

    # In bytes: 4 MiB to 4 GiB, whole MiB.
    [DscProperty()]
    [long]$MemoryBoundBytes

    # The advertised size of LSOv2 over IPv4.
    [DscProperty(NotConfigurable)]
    [long]$AdvertisedBytes

    # Whether a restart of the adapter changes settings: the resource restarts none.
    [DscProperty(NotConfigurable)]
    [bool]$RestartPending

    [MslsoAdapter] Get() {
        $now = $this.Find()
        # The settings that last, where the driver is new enough to report them.
        $lasting = $now
        if ($now.Registry) { $lasting = $now.Registry }
        $made = [MslsoAdapter]::new()
        $made.Name = $now.Name
        $made.Profile = "$($now.Profile)"
        if (-not $now.Profile) { $made.Multiple = $now.Multiple }
        $made.CapBytes = [long]$now.CapBytes
        $made.IpIdBits = $lasting.IpIdBits
        $made.SoftwareSegmentation = $lasting.SoftwareSegmentation
        $made.MaxSgElements = [int]$lasting.MaxSgElements
        $made.MemoryBoundBytes = [long]$lasting.MemoryBoundBytes
        $made.AdvertisedBytes = $now.AdvertisedLsoV2IPv4Bytes
        $made.RestartPending = [bool]$now.RestartPending
        return $made
    }

    [bool] Test() {
        $this.Check()
        $now = $this.Find()
        if (-not $this.IsTuned($now)) { return $false }
        if ($now.Registry -and -not $this.IsTuned($now.Registry)) { return $false }
        $lasting = $this.Get()
        foreach ($setting in $this.Settings().Keys) {
            if ($lasting.$setting -ne $this.$setting) { return $false }
        }
        return $true
    }

    [void] Set() {
        $this.Check()
        $change = @{ Cap = $this.CapBytes; Persist = $true; Confirm = $false; ErrorAction = 'Stop' }
        if ($this.Multiple) { $change.Multiple = $this.Multiple } elseif ($this.Profile) { $change.Profile = $this.Profile }
        $settings = $this.Settings()
        foreach ($setting in $settings.Keys) { $change[$settings[$setting]] = $this.$setting }
        Set-MslsoAdapter -Name ([WildcardPattern]::Escape($this.Name)) @change
    }

    # The adapter as it is.
    hidden [psobject] Find() {
        $now = Get-MslsoAdapter -Name ([WildcardPattern]::Escape($this.Name)) -ErrorAction Stop
        if (-not $now) { Stop-Mslso "mslso filters no adapter '$($this.Name)'." }
        return $now
    }

    # Whether profile, multiple and cap are these.
    hidden [bool] IsTuned([psobject]$Tuning) {
        if ($this.Multiple) {
            if ($Tuning.Profile -or $Tuning.Multiple -ne $this.Multiple) { return $false }
        } elseif ($this.Profile -and $Tuning.Profile -ne $this.Profile) {
            return $false
        }
        return [long]$Tuning.CapBytes -eq $this.CapBytes
    }

    # The other settings that are named, and the parameters that set them.
    hidden [hashtable] Settings() {
        $made = @{}
        if ($this.IpIdBits) { $made.IpIdBits = 'IpIdBits' }
        if ($this.SoftwareSegmentation) { $made.SoftwareSegmentation = 'SoftwareSegmentation' }
        if ($this.MaxSgElements) { $made.MaxSgElements = 'MaxSgElements' }
        if ($this.MemoryBoundBytes) { $made.MemoryBoundBytes = 'MemoryBound' }
        return $made
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
        if ($text -match '[^\w-]') { $text = "'$([Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($text))'" }
        [Management.Automation.CompletionResult]::new($text, $one.Name, 'ParameterValue', $one.InterfaceDescription)
    }
}
Register-ArgumentCompleter -CommandName Get-MslsoAdapter, Set-MslsoAdapter, Get-MslsoStatistics, Reset-MslsoStatistics -ParameterName Name -ScriptBlock $completer

Export-ModuleMember -Function Get-MslsoAdapter, Set-MslsoAdapter, Get-MslsoStatistics, Reset-MslsoStatistics
