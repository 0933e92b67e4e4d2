BeforeDiscovery {
    $obstacle = if (-not (Get-Command redis-server -CommandType Application -ErrorAction Ignore) -and
        $env:LOCKSTEP_REQUIRE_REDIS -ne '1') { 'There is no redis-server on the search path.' }
}

BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Variables in Redis' -Skip:([bool] $obstacle) -Tag "$obstacle" {
    BeforeAll {
        $folder = New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory
        function Start-Redis {
            $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
            $listener.Start()
            $script:port = $listener.LocalEndpoint.Port
            $listener.Stop()
            $options = "--port $port --bind 127.0.0.1 --requirepass s3cret --save `"`" --dir $($folder.FullName)"
            $script:redis =
                Start-Process redis-server $options -PassThru -RedirectStandardOutput (Join-Path $folder.FullName log)
        }
        function Stop-Redis { if ($redis -and -not $redis.HasExited) { $redis.Kill(); $redis.WaitForExit() } }
        # Whatever happens in between, including the end of the test run, no server is left.
        $ready = $false
        try {
            for ($attempt = 1; -not $ready; $attempt++) {
                if ($attempt -gt 3) { throw 'redis-server does not start.' }
                Stop-Redis
                Start-Redis
                $store = @{ Store = "redis://:s3cret@127.0.0.1:$port/0?prefix=flags" }
                $limit = [datetime]::UtcNow.AddSeconds(30)
                do { try { $null = Set-LockstepVariable first 0 -DefaultTick 1s @store -ErrorAction Stop; $ready = $true } catch {
                    $ready = $false
                } } until ($ready -or $redis.HasExited -or [datetime]::UtcNow -gt $limit)
            }
        }
        finally { if (-not $ready) { Stop-Redis } }
    }
    AfterAll { Stop-Redis }

    It 'are set, become active, and are watched' {
        $set = Set-LockstepVariable rate 5 @store
        $set.State, $set.Tick | Should -Be Pending, ([timespan]'0:0:1')
        "$($set.Store)" | Should -Be "redis://127.0.0.1:$port/0?prefix=flags"
        $seen = Watch-LockstepVariable rate @store -IncludeCurrent | Select-Object -First 1
        $seen.Value, $seen.ActiveAt | Should -Be 5, $set.ActiveAt
        (Get-LockstepVariable rate @store).Value | Should -Be 5
    }

    It 'are scheduled, listed and removed' {
        $null = Set-LockstepVariable -Group @{ a = 1; b = 2 } -ActiveAt 2090-01-01 @store
        (Get-LockstepVariableSchedule a, b @store).Value | Should -Be 1, 2
        (Get-LockstepVariableSchedule a @store).SetBy | Should -Be "$([environment]::UserName)@$([environment]::MachineName)"
        Get-LockstepVariableSchedule a @store | Remove-LockstepVariable -Confirm:$false
        (Get-LockstepVariable @store).Name | Should -Be b, first, rate
        Clear-LockstepVariableSchedule -Keep 0 @store
        Update-LockstepVariableSchedule @store | Should -BeNullOrEmpty
    }

    It 'say what is wrong without the password' {
        $failure = Get-ErrorOf { Get-LockstepVariable -Store "redis://:wr0ng@127.0.0.1:$port/0?prefix=flags" -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'TickStoreUnavailable,*'
        "$failure" | Should -Match 'WRONGPASS|NOAUTH'
        "$failure $($failure.Exception)" | Should -Not -Match 'wr0ng'
    }
}
