BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

# What Ctrl+C does to a sync in each state. Stop-Job is in SyncJob.Tests.ps1.
Describe 'I10: Ctrl+C' {
    BeforeAll {
        # The pipeline that Ctrl+C would stop, running a command in its own session.
        function Start-Pipeline([string] $Command, [hashtable] $Parameters) {
            $session = New-Session
            $session.Commands.Clear()
            @{ Session = $session; Running = $session.AddCommand($Command).AddParameters($Parameters).BeginInvoke()
            Path = $Parameters.Path }
        }

        # As Ctrl+C does it; returns when the pipeline has ended.
        function Stop-Pipeline([hashtable] $Pipeline) {
            $Pipeline.Session.Stop()
            $Pipeline.Running.AsyncWaitHandle.WaitOne(60000) | Should -BeTrue
            $Pipeline.Session.InvocationStateInfo.State | Should -Be Stopped
            $Pipeline.Session.Dispose()
        }

        function New-Path { Join-Path (Get-Location).ProviderPath "$([guid]::NewGuid()).db" }
    }

    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    Context 'in a session' {
        It 'ends a sync within a second while it is <_>, and lets go of the file' -ForEach Connecting, Snapshot, Live, BackingOff {
            $state = $_
            Test-StopsWithinASecond {
                $script:path = New-Path
                $pipeline = Start-Pipeline Sync-LockstepTable (New-SyncIn $state $path)
                Wait-Until { (Test-Path -LiteralPath $path) -and
                    (Get-LockstepTable -LiteralPath $path -ErrorAction Ignore).State -eq $state }
                $pipeline
            } { param($pipeline) Stop-Pipeline $pipeline } | Should -BeTrue
            # A file that was created for nothing is gone; any other has no writer.
            if (Test-Path -LiteralPath $path) { (Get-LockstepTable -LiteralPath $path).Writer | Should -BeNullOrEmpty }
        }

        It 'ends a sync within a second while it waits for another writer' {
            $path = New-Path
            $holder = Start-Pipeline Sync-LockstepTable (New-SyncIn Live $path)
            Wait-Until { (Test-Path -LiteralPath $path) -and (Get-LockstepTable -LiteralPath $path -ErrorAction Ignore).State -eq 'Live' }
            $uri = (Get-LockstepTestServer).FeedUri
            Test-StopsWithinASecond { Start-Pipeline Sync-LockstepTable @{ Uri = $uri; Path = $path; Wait = $true } } {
                param($pipeline) Stop-Pipeline $pipeline
            } | Should -BeTrue
            (Get-LockstepTable -LiteralPath $path).State | Should -Be Live
            Stop-Pipeline $holder
        }

        It 'ends a sync within a second whose consumer takes nothing' {
            $server = Start-LockstepTestServer -Port 0
            Test-StopsWithinASecond {
                $session = New-Session
                $session.Runspace.SessionStateProxy.SetVariable('sync',
                    @{ Uri = $server.FeedUri; Path = New-Path; Follow = $true; EveryChange = $true })
                $reached = [System.Threading.ManualResetEventSlim]::new()
                $session.Runspace.SessionStateProxy.SetVariable('reached', $reached)
                $session.Commands.Clear()
                $running = $session.AddScript('Sync-LockstepTable @sync | ForEach-Object { $reached.Set(); Start-Sleep 600 }').BeginInvoke()
                $reached.Wait(60000) | Should -BeTrue
                @{ Session = $session; Running = $running }
            } { param($pipeline) Stop-Pipeline $pipeline } | Should -BeTrue
        }

        It 'ends <command> within a second' -ForEach @(
            @{ command = 'Watch-LockstepTable'; more = @{} }
            @{ command = 'Wait-LockstepTable'; more = @{ Count = 1000000 } }
            @{ command = 'Test-LockstepTable'; more = @{ Uri = 'silent' } }
            @{ command = 'Test-LockstepFeed'; more = @{ Uri = 'silent' } }
        ) {
            $path = New-Path
            $null = '{"id":1,"updated_at":1}' | Import-LockstepTable -Destination $path
            if ($more.Uri) { $more.Uri = (New-SyncIn Connecting $path).Uri }
            if ($command -ne 'Test-LockstepFeed') { $more.Path = $path }
            Test-StopsWithinASecond {
                $pipeline = Start-Pipeline $command $more
                # A command that ended by itself would prove nothing.
                $pipeline.Running.AsyncWaitHandle.WaitOne(200) | Should -BeFalse
                $pipeline
            } { param($pipeline) Stop-Pipeline $pipeline } | Should -BeTrue
        }
    }

    Context 'of what reads a table' {
        It 'ends <command> within a second in the middle of a filter that has no end' -ForEach @(
            @{ command = 'Get-LockstepRecord'; more = @{} }
            @{ command = 'Get-LockstepRecord'; more = @{ IncludeTotalCount = $true } }
            @{ command = 'Export-LockstepTable'; more = @{ Destination = 'out.json' } }
        ) {
            $path = New-Path
            $null = 1..300 | ForEach-Object { [pscustomobject]@{ id = $_; updated_at = $_ } } | Import-LockstepTable -Destination $path
            if ($more.Destination) { $more.Destination = Join-Path (Get-Location).ProviderPath $more.Destination }
            $filter = '(SELECT count(*) FROM lockstep_row a, lockstep_row b, lockstep_row c, lockstep_row d, lockstep_row e) > 0'
            Test-StopsWithinASecond {
                $pipeline = Start-Pipeline $command (@{ Path = $path; Filter = $filter } + $more)
                # A command that ended by itself would prove nothing.
                $pipeline.Running.AsyncWaitHandle.WaitOne(300) | Should -BeFalse
                $pipeline
            } { param($pipeline) Stop-Pipeline $pipeline } | Should -BeTrue
        }

        It 'ends <_> within a second at a file that another program holds' -ForEach Get-LockstepTable, Get-LockstepRecord {
            if (-not $IsLinux) { Set-ItResult -Skipped -Because 'the lock of SQLite is taken by hand as Linux has it'; return }
            $command = $_
            $path = New-Path
            $null = '{"id":1,"updated_at":1}' | Import-LockstepTable -Destination $path
            # SQLite's own bytes, locked by a process that is not this one.
            $start = New-PowerShellStart '-Command', (
                "`$f = [IO.File]::Open('$path', 'Open', 'ReadWrite', 'ReadWrite'); `$f.Lock(0x40000000, 512); " +
                "'held'; [Console]::In.ReadLine()")
            $start.RedirectStandardOutput = $start.RedirectStandardInput = $true
            $holder = [System.Diagnostics.Process]::Start($start)
            try {
                $holder.StandardOutput.ReadLine() | Should -Be held
                Test-StopsWithinASecond {
                    $pipeline = Start-Pipeline $command @{ Path = $path }
                    $pipeline.Running.AsyncWaitHandle.WaitOne(300) | Should -BeFalse
                    $pipeline
                } { param($pipeline) Stop-Pipeline $pipeline } | Should -BeTrue
            }
            finally {
                $holder.Kill()
                $holder.Dispose()
            }
        }
    }

    It 'ends a PowerShell that syncs, by SIGINT, while it is <_>' -ForEach Connecting, Live, BackingOff {
        if ($IsWindows) { Set-ItResult -Skipped -Because 'Windows has no signals'; return }
        $state = $_
        $path = Join-Path (Get-Location).ProviderPath $state
        $sync = New-SyncIn $state "$path.db"
        $module = Join-Path (Split-Path (Get-Module Lockstep).Path) Lockstep.psd1
        # What comes after Ctrl+C does not run; what is in finally does.
        $script = "Import-Module '$module'; try { Set-Content '$path.begun' 1; " +
            "Sync-LockstepTable '$($sync.Uri)' -Path '$path.db' -Follow -RetryIntervalSec 600; " +
            "Set-Content '$path.after' 1 } finally { Set-Content '$path.finally' 1 }"
        $start = New-PowerShellStart '-Command', $script
        # A script that runs the tests in the background makes them ignore SIGINT, and so would what they start.
        if ($IsLinux) {
            $start.ArgumentList.Insert(0, $start.FileName)
            $start.ArgumentList.Insert(0, '--default-signal=INT')
            $start.FileName = 'env'
        }
        $start.RedirectStandardOutput = $start.RedirectStandardError = $start.RedirectStandardInput = $true
        $process = [System.Diagnostics.Process]::Start($start)
        try {
            # Connecting and backing off leave no other trace outside than the lock file beside the table.
            Wait-Until { $process.HasExited -or (Test-Path "$path.db") -and
                (Get-LockstepTable -LiteralPath "$path.db" -ErrorAction Ignore).Writer }
            if ($state -eq 'Live') { Wait-Until { (Get-LockstepTable -LiteralPath "$path.db").Rows -eq 1 } }
            $process.HasExited | Should -BeFalse
            sh -c "kill -INT $($process.Id)"
            $process.WaitForExit(60000) | Should -BeTrue
            Test-Path "$path.finally" | Should -BeTrue
            Test-Path "$path.after" | Should -BeFalse
            if (Test-Path "$path.db") { (Get-LockstepTable -LiteralPath "$path.db").Writer | Should -BeNullOrEmpty }
        }
        finally {
            if (-not $process.HasExited) { $process.Kill() }
            $process.Dispose()
        }
    }
}
