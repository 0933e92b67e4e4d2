BeforeDiscovery { $terminal = Get-Command script -CommandType Application -ErrorAction Ignore }

Describe 'Show-LockstepTable' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $null = '{"id":1,"updated_at":1,"name":"one","tags":["x"]}', '{"id":2,"updated_at":2,"name":"t\u001b[31mwo","more":null}' | Import-LockstepTable -Table things -Disk
    }
    AfterEach { Pop-Location }

    It 'draws once where there is no terminal, and nothing that steers one' {
        $lines = Show-LockstepTable things -Once
        $lines[0] | Should -Match '^  id +updated_at +name +tags +more$'
        $lines[2] | Should -Match '^  1 +1 +one +\["x"\]$'
        $lines[3] | Should -Match '^  2 +2 +t·\[31mwo$'
        $lines[-1] | Should -BeLike '*things: 2 records, cursor *'
    }

    It 'shows what is asked for' {
        $lines = Show-LockstepTable things -Once -Property name, id -Filter 'id = $id' -FilterParameter @{ id = 1 }
        $lines | Select-Object -First 3 | Should -Be '  name  id', '  ----  --', '  one   1'
        (Show-LockstepTable things -Once -Filter 'id > 5')[0] | Should -Be '  (no records)'
    }

    It 'shows a change while it is looked at, and gives the terminal back' -Skip:(-not $terminal) {
        # Enough changes that one comes after the first drawing, however slow the machine; the last one ends the looking.
        $manifest = Join-Path (Split-Path (Get-Module Lockstep).Path) Lockstep.psd1
        Set-Content show.ps1 @"
Import-Module '$manifest'
`$job = Start-ThreadJob {
    Import-Module '$manifest'
    Set-Location '$((Get-Location).ProviderPath)'
    1..100 | ForEach-Object { `$null = @{ id = 3; updated_at = 3 + `$_; name = "round `$_" } | Import-LockstepTable -Destination things.db -Wait; Start-Sleep -Milliseconds 100 }
}
Show-LockstepTable -Path things.db -For 8
`$job | Stop-Job
"given back"
"@
        $seen = script -qec "pwsh -NoProfile -NonInteractive -File show.ps1" /dev/null | Out-String
        $seen | Should -Match ([regex]::Escape("`e[?1049h"))
        $seen | Should -Match '[+~] 3 +\d+ +round \d+'
        $seen.LastIndexOf("`e[?1049l") | Should -BeLessThan $seen.LastIndexOf('given back')
        $seen.LastIndexOf("`e[?1049l") | Should -BeGreaterThan 0
    }
}
