BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Show-LockstepTable' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $null = '{"id":1,"updated_at":1,"name":"one","tags":["x"]}', '{"id":2,"updated_at":2,"name":"t\u001b[31mwo","more":null}' |
            Import-LockstepTable -Table things -Disk
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

    It 'shows a change while it is looked at, and gives the terminal back on Ctrl+C' {
        if (-not (Get-Command script -CommandType Application -ErrorAction Ignore)) {
            Set-ItResult -Skipped -Because 'there is no program script, which makes a terminal'; return
        }
        $manifest = Join-Path (Split-Path (Get-Module Lockstep).Path) Lockstep.psd1
        Set-Content show.ps1 @"
Import-Module '$manifest'
`$null = Start-ThreadJob {
    Import-Module '$manifest'
    for (`$n = 4; ; `$n++) {
        `$record = @{ id = 3; updated_at = `$n; name = "round `$n" }
        `$null = `$record | Import-LockstepTable -Destination '$((Get-Location).ProviderPath)/things.db' -Wait
        Start-Sleep -Milliseconds 100
    }
}
Show-LockstepTable -Path things.db
"@
        # A terminal of its own for that process; the test reads its screen and presses its keys.
        $start = [System.Diagnostics.ProcessStartInfo]::new('script',
            [string[]]('-qec', "$(Get-PowerShell) -NoProfile -NonInteractive -File show.ps1", '/dev/null'))
        $start.WorkingDirectory = (Get-Location).ProviderPath
        $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
        $process = [System.Diagnostics.Process]::Start($start)
        $limit = [System.Threading.CancellationTokenSource]::new([timespan]::FromMinutes(3))
        try {
            $seen = [System.Text.StringBuilder]::new()
            $buffer = [char[]]::new(4096)
            $interrupted = $false
            while (($read = $process.StandardOutput.ReadAsync($buffer, $limit.Token).AsTask().GetAwaiter().GetResult()) -gt 0) {
                $null = $seen.Append($buffer, 0, $read)
                if (-not $interrupted -and $seen.ToString() -match '[+~] 3 +\d+ +round \d+') {
                    $interrupted = $true
                    $process.StandardInput.Write([char]3)
                    $process.StandardInput.Flush()
                }
            }
        }
        finally {
            if (-not $process.HasExited) { $process.Kill($true) }
            $process.Dispose()
            $limit.Dispose()
        }
        $interrupted | Should -BeTrue -Because "this was on the screen: $seen"
        "$seen".IndexOf("`e[?1049h") | Should -BeGreaterOrEqual 0
        "$seen".LastIndexOf("`e[?1049l") | Should -BeGreaterThan "$seen".LastIndexOf("`e[H") -Because 'the first screen is back'
    }
}
