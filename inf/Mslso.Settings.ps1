# What an installation keeps: the bindings and the settings of the adapters, with a copy outside the
# service's key, which an uninstall deletes and a feature update of Windows may. The callers have
# asked. Mslso.Common.ps1 dot-sources this.

$MslsoNoteKey = 'HKLM:\SOFTWARE\mslso'
# What the INF describes for the adapters' property pages.
$MslsoDescriptionKey = "$MslsoServiceKey\FilterAdapterParams"
# Keys below the service's that are not the administrator's: the INF's, and Windows' own.
$MslsoForeignKeys = 'FilterAdapterParams', 'Enum', 'Security'

function Copy-RegistryTree {
    <#
    .SYNOPSIS
    Copies the values of a registry key and of all keys below it.
    #>
    param([Parameter(Mandatory)][string]$From, [Parameter(Mandatory)][string]$To)
    # With -Force New-Item would empty a key that is there.
    if (-not (Test-Path -LiteralPath $To)) { New-Item -Path $To -Force | Out-Null }
    $values = Get-ItemProperty -LiteralPath $From
    foreach ($name in @((Get-Item -LiteralPath $From).Property)) {
        if ($name -and (Get-RegistryValue $To $name) -ne $values.$name) {
            Set-ItemProperty -LiteralPath $To -Name $name -Value $values.$name
        }
    }
    foreach ($child in @(Get-ChildItem -LiteralPath $From)) {
        Copy-RegistryTree (Join-Path $From $child.PSChildName) (Join-Path $To $child.PSChildName)
    }
}

function Get-RegistryText {
    <#
    .SYNOPSIS
    Returns a line for each value of a registry key and of all keys below it, to compare.
    #>
    param([Parameter(Mandatory)][string]$Key, [string]$Name = '')
    $values = Get-ItemProperty -LiteralPath $Key
    foreach ($value in @((Get-Item -LiteralPath $Key).Property)) {
        if ($value) { "$Name\$value=$($values.$value)" }
    }
    foreach ($child in @(Get-ChildItem -LiteralPath $Key)) {
        Get-RegistryText (Join-Path $Key $child.PSChildName) "$Name\$($child.PSChildName)"
    }
}

function Get-MslsoSettingsKey {
    <#
    .SYNOPSIS
    Returns the names of the keys below the service's that hold settings. mslsoctl set --persist writes them; NDIS chooses where.
    #>
    param([string]$Below = $MslsoServiceKey)
    if (-not (Test-Path -LiteralPath $Below)) { return }
    @(Get-ChildItem -LiteralPath $Below | ForEach-Object { $_.PSChildName } | Where-Object { $_ -notin $MslsoForeignKeys })
}

function Test-MslsoSettingsLost {
    <#
    .SYNOPSIS
    Returns whether there is a copy of settings, and none below the service's key.
    #>
    [bool]@(Get-MslsoSettingsKey "$MslsoNoteKey\Settings") -and -not @(Get-MslsoSettingsKey)
}

function Get-MslsoAdapterState {
    <#
    .SYNOPSIS
    Returns each adapter that mslso can be bound to: Name, Guid, IsBound and the Binding itself.
    #>
    $bindings = @(Get-MslsoBinding)
    if (-not $bindings) { return }
    $adapters = @(Get-NetAdapter -IncludeHidden -ErrorAction Stop)
    foreach ($binding in $bindings) {
        $adapter = @($adapters | Where-Object { $_.Name -eq $binding.Name })
        $guid = ''
        if ($adapter) { $guid = "$($adapter[0].InterfaceGuid)" }
        [pscustomobject]@{ Name = $binding.Name; Guid = $guid; IsBound = [bool]$binding.Enabled; Binding = $binding }
    }
}

function Set-MslsoBinding {
    <#
    .SYNOPSIS
    Binds mslso to an adapter, or takes it off; warns if that fails.
    #>
    param([Parameter(Mandatory)]$Adapter, [Parameter(Mandatory)][bool]$Bound)
    # By the object: a name may hold brackets, which -Name takes for a pattern.
    try {
        if ($Bound) {
            Enable-NetAdapterBinding -InputObject $Adapter.Binding -Confirm:$false -ErrorAction Stop
        } else {
            Disable-NetAdapterBinding -InputObject $Adapter.Binding -Confirm:$false -ErrorAction Stop
        }
        return
    } catch {
        $why = "$_"
    }
    $verb = 'Disable'
    if ($Bound) { $verb = 'Enable' }
    Write-Warning "The binding of mslso to '$($Adapter.Name)' could not be changed: $why Try: $verb-NetAdapterBinding -Name $(Format-Argument $Adapter.Name -Pattern) -ComponentID $MslsoComponent"
}

function Get-MslsoNote {
    <#
    .SYNOPSIS
    Returns the identifiers of the adapters that mslso was bound to, as the last installation noted them, or with -Unbound the others.
    #>
    param([switch]$Unbound)
    $name = 'Bound'
    if ($Unbound) { $name = 'Unbound' }
    @("$(Get-RegistryValue $MslsoNoteKey $name)" -split ';' | Where-Object { $_ })
}

function Save-MslsoNote {
    <#
    .SYNOPSIS
    Notes the bindings, and copies the settings, as they are now; writes only what differs. With -Waiting, noted bindings stay, for the run after a restart.
    #>
    param([switch]$Waiting)
    if (-not (Test-Path -LiteralPath $MslsoNoteKey)) {
        New-Item -Path $MslsoNoteKey -Force | Out-Null
    } elseif ($Waiting) {
        Set-ItemProperty -LiteralPath $MslsoNoteKey -Name Waiting -Value 1
    }
    $isWaiting = Get-RegistryValue $MslsoNoteKey 'Waiting'
    $all = @(Get-MslsoAdapterState | Where-Object { $_.Guid } | Sort-Object Guid)
    # None at all are no bindings, but a component that is gone: the note is what is left of them.
    foreach ($name in @('Bound', 'Unbound' | Where-Object { $all -and -not $isWaiting })) {
        $text = @($all | Where-Object { $_.IsBound -eq ($name -eq 'Bound') } | ForEach-Object { $_.Guid }) -join ';'
        if ("$(Get-RegistryValue $MslsoNoteKey $name)" -ne $text) {
            Set-ItemProperty -LiteralPath $MslsoNoteKey -Name $name -Value $text
        }
    }
    $copy = "$MslsoNoteKey\Settings"
    $names = @(Get-MslsoSettingsKey)
    $now = @($names | ForEach-Object { Get-RegistryText "$MslsoServiceKey\$_" $_ })
    $then = @(Get-MslsoSettingsKey $copy | ForEach-Object { Get-RegistryText "$copy\$_" $_ })
    # Settings that are gone altogether were lost, and the copy is what is left of them.
    if (-not $now -or -not (Compare-Object $now $then)) { return }
    # What is no more there must not come back.
    if (Test-Path -LiteralPath $copy) { Remove-Item -LiteralPath $copy -Recurse -Force }
    foreach ($name in $names) { Copy-RegistryTree "$MslsoServiceKey\$name" "$copy\$name" }
}

function Remove-MslsoNote {
    <#
    .SYNOPSIS
    Deletes the note and the copy of the settings.
    #>
    if (Test-Path -LiteralPath $MslsoNoteKey) { Remove-Item -LiteralPath $MslsoNoteKey -Recurse -Force }
}

function Restore-MslsoSettings {
    <#
    .SYNOPSIS
    Puts the copied settings back below the service's key. The driver reads them when it attaches, so the bound adapters that have some are bound anew.
    #>
    $copy = "$MslsoNoteKey\Settings"
    $names = @(Get-MslsoSettingsKey $copy)
    if (-not $names) { return }
    foreach ($name in $names) { Copy-RegistryTree "$copy\$name" "$MslsoServiceKey\$name" }
    # NDIS names a key of an adapter by its identifier.
    $keys = @(Get-ChildItem -LiteralPath $copy -Recurse | ForEach-Object { "$($_.Name)" })
    $found = @(Get-MslsoAdapterState | Where-Object { $_.IsBound -and $_.Guid } | Where-Object {
            $guid = $_.Guid
            @($keys | Where-Object { $_ -like "*$guid*" }) })
    foreach ($adapter in $found) {
        Set-MslsoBinding $adapter $false
        Set-MslsoBinding $adapter $true
    }
    if (-not $found) { Write-Warning 'The settings of adapters are put back, and take effect when the adapters restart: Restart-NetAdapter -Name ADAPTER' }
}

function Restore-MslsoBinding {
    <#
    .SYNOPSIS
    Gives the adapters the bindings of the note; returns the names of those that changed. Adapters that the note does not have stay as they are.
    #>
    $bound, $unbound = @(Get-MslsoNote), @(Get-MslsoNote -Unbound)
    foreach ($adapter in @(Get-MslsoAdapterState)) {
        if (-not $adapter.IsBound -and $adapter.Guid -in $bound) {
            Set-MslsoBinding $adapter $true
            $adapter.Name
        } elseif ($adapter.IsBound -and $adapter.Guid -in $unbound) {
            Set-MslsoBinding $adapter $false
            $adapter.Name
        }
    }
    if (Get-RegistryValue $MslsoNoteKey 'Waiting') { Remove-ItemProperty -LiteralPath $MslsoNoteKey -Name Waiting }
}

function Read-MslsoInf {
    <#
    .SYNOPSIS
    Returns the lines of a section of mslso.inf, without comments.
    #>
    param([Parameter(Mandatory)][string]$File, [Parameter(Mandatory)][string]$Section)
    $here = ''
    foreach ($row in @(Get-Content -LiteralPath $File)) {
        if ($row -match '^\s*\[([^\]]+)\]') { $here = $Matches[1]; continue }
        if ($here -eq $Section -and $row -match '^\s*[^;\s]') { $row.Trim() }
    }
}

function Restore-MslsoDescription {
    <#
    .SYNOPSIS
    Writes what mslso.inf describes of the settings, as its section Settings adds it to the service's key.
    #>
    param([Parameter(Mandatory)][string]$File)
    $texts = @{}
    foreach ($row in Read-MslsoInf $File 'Strings') {
        if ($row -match '^(\w+)\s*=\s*"(.*)"$') { $texts[$Matches[1]] = $Matches[2] }
    }
    foreach ($row in Read-MslsoInf $File 'Settings') {
        # HKR, KEY, NAME,, VALUE: all of them are strings.
        if ($row -notmatch '^HKR,\s*([^,]+),\s*"?([^",]+)"?,\s*,\s*(?:"([^"]*)"|%(\w+)%)') { continue }
        $key = "$MslsoServiceKey\$($Matches[1])"
        $name = $Matches[2]
        $value = if ($Matches[4]) { $texts[$Matches[4]] } else { $Matches[3] }
        if (-not (Test-Path -LiteralPath $key)) { New-Item -Path $key -Force | Out-Null }
        Set-ItemProperty -LiteralPath $key -Name $name -Value "$value"
    }
}
