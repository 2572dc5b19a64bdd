# What holds of the text of every script, by PowerShell's own parser: it is for Windows PowerShell 5.1
# and 7, its help is whole, it asks before it changes anything, and it parses no words of a language.
BeforeDiscovery {
    $root = Split-Path -Parent (Split-Path -Parent $PSScriptRoot)
    $folders = @((Join-Path $root 'inf'), (Join-Path (Join-Path $root 'tests') 'vm-lab'))
    $files = @(Get-ChildItem -LiteralPath $folders -File | Where-Object { $_.Extension -in '.ps1', '.psm1', '.psd1' } |
            ForEach-Object { @{ name = $_.Name; file = $_.FullName } })
    $scripts = @($files | Where-Object { $_.name -match '^[A-Z][a-z]+-\w+\.ps1$' })
}

BeforeAll {
    function Get-Tree([string]$File) {
        $tokens = $errors = $null
        $tree = [Management.Automation.Language.Parser]::ParseFile($File, [ref]$tokens, [ref]$errors)
        [pscustomobject]@{ Tree = $tree; Tokens = $tokens; Errors = $errors }
    }

    # What Windows PowerShell 5.1 cannot parse, though 7 can.
    function Get-Newer($Parsed) {
        $kinds = 'TernaryExpressionAst', 'PipelineChainAst'
        $Parsed.Tree.FindAll({ param($node) $node.GetType().Name -in $kinds }, $true) | ForEach-Object { $_.Extent.Text }
        $words = 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'AndAnd', 'OrOr'
        $Parsed.Tokens | Where-Object { "$($_.Kind)" -in $words } | ForEach-Object { $_.Text }
    }

    # Parameters and cmdlets that 5.1 lacks.
    function Get-NewerCall($Parsed) {
        foreach ($call in $Parsed.Tree.FindAll({ param($node) $node -is [Management.Automation.Language.CommandAst] }, $true)) {
            $parameters = @($call.CommandElements | Where-Object { $_ -is [Management.Automation.Language.CommandParameterAst] } | ForEach-Object { $_.ParameterName })
            $words = @($call.CommandElements | Where-Object { $_ -isnot [Management.Automation.Language.CommandParameterAst] })
            switch ("$($call.GetCommandName())") {
                'Join-Path' { if ($words.Count -gt 3) { $call.Extent.Text } }
                'ConvertFrom-Json' { if ($parameters -match '^(AsHashtable|Depth|NoEnumerate)$') { $call.Extent.Text } }
                'ForEach-Object' { if ($parameters -contains 'Parallel') { $call.Extent.Text } }
                'Get-Content' { if ($parameters -contains 'AsByteStream') { $call.Extent.Text } }
                'Split-Path' { if ($parameters -contains 'LeafBase') { $call.Extent.Text } }
                { $_ -in 'Test-Json', 'Get-Error', 'Remove-Service', 'Start-ThreadJob' } { $call.Extent.Text }
            }
        }
    }
}

Describe 'The text of <name>' -ForEach $files {
    BeforeAll { $parsed = Get-Tree $file }

    It 'parses' { $parsed.Errors | ForEach-Object { "$_" } | Should -BeNullOrEmpty }

    It 'is ASCII, which no version misreads' {
        [IO.File]::ReadAllText($file) -split "`n" | Where-Object { $_ -match '[^\x00-\x7F]' } | Should -BeNullOrEmpty
    }

    It 'uses nothing that Windows PowerShell 5.1 lacks' {
        @(Get-Newer $parsed) + @(Get-NewerCall $parsed) | Should -BeNullOrEmpty
    }

    # `throw 'text'` prints the text three times in 5.1; what a check throws to itself has a prefix.
    It 'ends with errors that are printed once' {
        if ($file -notmatch 'vm-lab') {
            $parsed.Tree.FindAll({ param($node)
                    $node -is [Management.Automation.Language.ThrowStatementAst] -and $node.Pipeline -and
                    $node.Pipeline.Extent.Text -match '^[''"(]' }, $true) | ForEach-Object { $_.Extent.Text } | Should -BeNullOrEmpty
        }
    }

    # An apostrophe would end the text, and brackets are a pattern: see Format-Argument.
    It 'puts no name as it is into a command that it suggests' {
        [regex]::Matches($parsed.Tree.Extent.Text, "-[A-Z]\w+ '\`$") | ForEach-Object { $_.Value } | Should -BeNullOrEmpty
    }

    # Of one console Windows sends Ctrl-C to all programs, and netcfg must not end halfway.
    It 'starts programs in a console of their own' {
        if ($parsed.Tree.Extent.Text -match 'ProcessStartInfo') { $parsed.Tree.Extent.Text | Should -Match 'CreateNoWindow = \$true' }
    }

    It 'reads no words of a language from what a program prints' {
        # Assigned from a program, then matched against words: names of drivers and numbers are the same everywhere.
        $text = [IO.File]::ReadAllText($file)
        [regex]::Matches($text, "-(match|like|eq)\s+'[^']*\b(STATE|RUNNING|STOPPED|Yes|Published Name|Original Name|successfully)\b[^']*'") |
            ForEach-Object { $_.Value } | Should -BeNullOrEmpty
    }

    It 'sets no variable that is PowerShell''s' {
        $reserved = 'args', 'error', 'event', 'foreach', 'home', 'host', 'input', 'matches', 'myinvocation', 'pid', 'profile', 'pscmdlet', 'pwd', 'sender', 'switch', 'this'
        $parsed.Tree.FindAll({ param($node) $node -is [Management.Automation.Language.AssignmentStatementAst] -and
                $node.Left -is [Management.Automation.Language.VariableExpressionAst] -and $node.Left.VariablePath.UserPath -in $reserved }, $true) |
            ForEach-Object { $_.Extent.Text } | Should -BeNullOrEmpty
    }
}

Describe 'The script <name>' -ForEach $scripts {
    BeforeAll {
        $parsed = Get-Tree $file
        $help = $parsed.Tree.GetHelpContent()
        $parameters = @(if ($parsed.Tree.ParamBlock) { $parsed.Tree.ParamBlock.Parameters | ForEach-Object { $_.Name.VariablePath.UserPath } })
    }

    It 'documents every parameter, and no other' {
        $help.Synopsis | Should -Not -BeNullOrEmpty
        $help.Description | Should -Not -BeNullOrEmpty
        $help.Examples.Count | Should -BeGreaterThan 0
        @($help.Parameters.Keys | Sort-Object) -join ' ' | Should -Be (@($parameters | ForEach-Object { $_.ToUpperInvariant() } | Sort-Object) -join ' ')
    }

    It 'takes -WhatIf, and can be run where nobody answers' {
        $attribute = $parsed.Tree.ParamBlock.Attributes | Where-Object { $_.TypeName.Name -eq 'CmdletBinding' }
        $attribute.NamedArguments.ArgumentName | Should -Contain 'SupportsShouldProcess'
    }

    It 'asks Assert-MslsoHost, is strict and stops at errors' {
        $calls = @($parsed.Tree.FindAll({ param($node) $node -is [Management.Automation.Language.CommandAst] }, $true) | ForEach-Object { $_.GetCommandName() })
        $calls | Should -Contain 'Assert-MslsoHost'
        $calls | Should -Contain 'Set-StrictMode'
        $parsed.Tree.Extent.Text | Should -Match "(?m)^\`$ErrorActionPreference = 'Stop'"
    }

    It 'names scripts that exist' {
        $known = @(Get-ChildItem -LiteralPath (Split-Path -Parent $file) -Filter *.ps1) +
            @(Get-ChildItem -Path (Join-Path (Join-Path (Split-Path -Parent (Split-Path -Parent $PSScriptRoot)) '*') '*.ps1')) +
            @(Get-ChildItem -Path (Join-Path (Split-Path -Parent $PSScriptRoot) (Join-Path 'vm-lab' '*.ps1'))) | ForEach-Object { $_.Name }
        [regex]::Matches($parsed.Tree.Extent.Text, '[A-Z][\w.]*-?\w*\.ps1\b') | ForEach-Object { $_.Value } | Where-Object { $_ -notin $known } | Should -BeNullOrEmpty
    }
}

Describe 'The checks of texts' {
    It 'find <what>' -ForEach @(
        @{ what = 'a conditional expression'; text = '$a = $b ? 1 : 2' }
        @{ what = 'a chain'; text = 'Get-Date && Get-Date' }
        @{ what = 'a null coalescing'; text = '$a = $b ?? 1' }
        @{ what = 'a join of three'; text = 'Join-Path a b c' }
        @{ what = 'a hashtable from JSON'; text = '$a | ConvertFrom-Json -AsHashtable' }
    ) {
        $made = Join-Path $TestDrive 'made.ps1'
        [IO.File]::WriteAllText($made, $text)
        $parsed = Get-Tree $made
        # 5.1 itself refuses the text at once.
        @($parsed.Errors) + @(Get-Newer $parsed) + @(Get-NewerCall $parsed) | Should -Not -BeNullOrEmpty
    }
}
