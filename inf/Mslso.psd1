# The module Mslso: the adapters that the mslso driver filters, as objects, and a DSC resource.
@{
    RootModule = 'Mslso.psm1'
    ModuleVersion = '0.1.0'
    GUID = '5d0b2c4e-93f1-4a57-8e6a-0c1f7d2b9a34'
    Author = 'The mslso authors'
    Description = 'Shows and sets how the mslso filter driver raises the large sends of network adapters.'
    PowerShellVersion = '5.1'
    FunctionsToExport = 'Get-MslsoAdapter', 'Set-MslsoAdapter', 'Get-MslsoStatistics', 'Reset-MslsoStatistics'
    CmdletsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @()
    DscResourcesToExport = 'MslsoAdapter'
    TypesToProcess = 'Mslso.Types.ps1xml'
    FormatsToProcess = 'Mslso.Format.ps1xml'
}
