# The completions for PowerShell that the package task makes, by PowerShell itself.

BeforeDiscovery {
    $cases = @(
        @{ Line = 'mslsoctl sh'; Expected = 'show' }
        @{ Line = 'mslsoctl set --pro'; Expected = '--profile' }
        @{ Line = 'mslso-lab mig'; Expected = 'migrate' }
        @{ Line = 'mslso-lab chaos --js'; Expected = '--json' }
    )
}

Describe 'Completions' {
    BeforeAll {
        Push-Location (Join-Path $PSScriptRoot '../..')
        try {
            & cargo run --quiet -p mslso-package -- shell --out $TestDrive
            if ($LASTEXITCODE) { throw "cargo ended with $LASTEXITCODE" }
        } finally {
            Pop-Location
        }
    }

    It '<Line>' -ForEach $cases {
        $program = ($Line -split ' ')[0]
        . (Join-Path $TestDrive "$program-completion.ps1")
        (TabExpansion2 -inputScript $Line -cursorColumn $Line.Length).CompletionMatches.CompletionText |
            Should -Be $Expected
    }
}
