# What of mslso is on this system: service, component, packages, copy, bindings. Nothing here changes
# it, and no answer is never taken for "not there". Mslso.Common.ps1 dot-sources this.

$MslsoServiceKey = "HKLM:\SYSTEM\CurrentControlSet\Services\$MslsoService"
# Network services, as the INF's ClassGuid; below it each component has a key.
$MslsoClass = '{4d36e974-e325-11ce-bfc1-08002be10318}'
$MslsoClassKey = "HKLM:\SYSTEM\CurrentControlSet\Control\Network\$MslsoClass"

function Get-RegistryValue {
    <#
    .SYNOPSIS
    Returns a value of the registry; nothing if the key or the value is missing.
    #>
    param([Parameter(Mandatory)][string]$Key, [Parameter(Mandatory)][string]$Name)
    if (-not (Test-Path -LiteralPath $Key)) { return }
    $found = (Get-ItemProperty -LiteralPath $Key).PSObject.Properties[$Name]
    if ($found) { $found.Value }
}

function Get-MslsoDriver {
    <#
    .SYNOPSIS
    Returns the service of the driver: State, Start, IsLeaving, File and the file's Hash; nothing if there is none.
    #>
    # The service manager answers even where WMI is broken. It returns a driver by its full name.
    try {
        $service = Get-Service -Name $MslsoService -ErrorAction Stop
    } catch {
        if ("$($_.FullyQualifiedErrorId)" -like 'NoServiceFoundForGivenName*') { return }
        throw
    }
    $image = "$(Get-RegistryValue $MslsoServiceKey 'ImagePath')"
    if (-not $image) {
        # The key may have lost it; the service manager keeps what it read at the start.
        $image = "$((Get-CimInstance -ClassName Win32_SystemDriver -Filter "Name='$MslsoService'").PathName)"
    }
    $file = Resolve-MslsoImage $image
    $hash = $null
    if ($file -and (Test-Path -LiteralPath $file -PathType Leaf)) {
        $hash = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash
    }
    $state = "$($service.Status)"
    [pscustomobject]@{
        State = $state
        Start = Get-RegistryValue $MslsoServiceKey 'Start'
        # Removed, and gone only after a restart.
        IsLeaving = $state -eq 'StopPending' -or [bool](Get-RegistryValue $MslsoServiceKey 'DeleteFlag')
        File = $file
        Hash = $hash
    }
}

function Resolve-MslsoImage {
    <#
    .SYNOPSIS
    Returns the path of a driver's file for its ImagePath, of which Windows has four forms.
    #>
    param([string]$Image)
    $path = $Image.Trim().Trim('"')
    if ($path.StartsWith('\??\')) { $path = $path.Substring(4) }
    if ($path -match '^\\SystemRoot\\(.+)$' -or $path -match '^(System32\\.+)$') {
        $path = Join-Path $env:SystemRoot $Matches[1]
    }
    $path
}

function Get-MslsoComponent {
    <#
    .SYNOPSIS
    Returns the network component: the InfPath it was installed from, such as oem7.inf; nothing if there is none.
    #>
    if (-not (Test-Path -LiteralPath $MslsoClassKey)) { return }
    foreach ($key in @(Get-ChildItem -LiteralPath $MslsoClassKey)) {
        $path = Join-Path $MslsoClassKey $key.PSChildName
        if ("$(Get-RegistryValue $path 'ComponentId')" -eq $MslsoComponent) {
            return [pscustomobject]@{ InfPath = "$(Get-RegistryValue $path 'InfPath')" }
        }
    }
}

function Get-MslsoCopy {
    <#
    .SYNOPSIS
    Returns the path of the driver's file in System32\drivers, once no service is there that would load it.
    #>
    # Before build 25319 the INF copies it there, and neither netcfg nor pnputil deletes it.
    $file = Join-Path (Join-Path (Join-Path $env:SystemRoot 'System32') 'drivers') 'mslso.sys'
    if ((Test-Path -LiteralPath $file -PathType Leaf) -and -not (Get-MslsoDriver)) { $file }
}

function Get-MslsoStagedInf {
    <#
    .SYNOPSIS
    Returns the names, such as oem7.inf, under which mslso's packages are in the driver store.
    #>
    # What pnputil lists is in the system's language; the INF files are not.
    $places = Join-Path (Join-Path $env:SystemRoot 'INF') 'oem*.inf'
    @(Get-ChildItem -Path $places | Where-Object {
            Select-String -LiteralPath $_.FullName -Pattern '^\s*CatalogFile\s*=\s*mslso\.cat\s*(;|$)' -Quiet
        } | ForEach-Object { $_.Name })
}

function Get-MslsoBinding {
    <#
    .SYNOPSIS
    Returns the adapters that mslso can be bound to, with Name and Enabled; stops if the question fails.
    #>
    # A function of a CDXML module does not see a script's preferences.
    try {
        @(Get-NetAdapterBinding -ComponentID $MslsoComponent -ErrorAction Stop)
    } catch {
        if ("$($_.CategoryInfo.Category)" -ne 'ObjectNotFound') { throw }
    }
}
