BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    $quick = @{ SettleSec = 0.2 }

    function Start-Feed([object[]] $Record) { Start-LockstepTestServer -Port 0 -Feed Scripted -Record $Record }
    function New-Record($Id, $At) { [pscustomobject]@{ id = $Id; updated_at = $At; deleted_at = $null } }
}

Describe 'Sync-LockstepTable -AsJob' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Get-Job | Remove-Job -Force
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    Context 'has made its table' {
        It 'by the time that it is there, and can be waited for when it has caught up' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            foreach ($n in 1..5) {
                $job = $server | Sync-LockstepTable -Path "t$n.db" -Table "t$n" -Follow -AsJob
                (Get-LockstepTable "t$n").Name | Should -Be "t$n"
                (Wait-LockstepTable "t$n" -UpToDate -TimeoutSec 60).Rows | Should -Be 1
                # Between two polls as well.
                (Wait-LockstepTable "t$n" -UpToDate -TimeoutSec 60).Rows | Should -Be 1
                $job | Stop-Job -PassThru | Remove-Job
            }
        }
    }

    Context 'is a job like any other' {
        It 'whose output is the result' {
            $job = Start-Feed (New-Record 1 10), (New-Record 2 20) | Sync-LockstepTable -Disk @quick -AsJob -JobName mirror
            $job | Should -BeOfType System.Management.Automation.Job
            Get-Job -Name mirror | Should -Be $job
            Get-Job -Id $job.Id | Should -Be $job
            $job | Out-String | Should -BeLike '*Id*Name*State*Table*Status*mirror*'
            (Wait-Job $job -Timeout 60).State | Should -Be Completed
            $job.HasMoreData | Should -BeTrue
            $result = Receive-Job $job
            $result | Should -BeOfType Lockstep.SyncResult
            $result.Added, $result.EndReason, $result.State | Should -Be 2, Settled, Ended
            $job.HasMoreData | Should -BeFalse
            $job.Error | Should -BeNullOrEmpty
            Remove-Job $job
            Get-Job | Should -BeNullOrEmpty
            (Get-LockstepRecord).id | Should -Be 1, 2
        }

        It 'with a name of its own when none is given, one for each feed' {
            $jobs = (Start-Feed (New-Record 1 10)), (Start-Feed (New-Record 2 20)) |
                ForEach-Object { Sync-LockstepTable $_ -Table "at$($_.Port)" @quick -AsJob }
            $jobs | Should -HaveCount 2
            $jobs[0].Name | Should -Not -Be $jobs[1].Name
            ($jobs | Wait-Job -Timeout 60 | Receive-Job).Added | Should -Be 1, 1
        }

        It 'for Receive-Job -Wait -AutoRemoveJob' {
            (Start-Feed (New-Record 1 10) | Sync-LockstepTable @quick -AsJob | Receive-Job -Wait -AutoRemoveJob).Added | Should -Be 1
            Get-Job | Should -BeNullOrEmpty
        }

        It 'that fails with the error of the sync' {
            $job = Sync-LockstepTable http://127.0.0.1:1/nobody/ -Disk -AsJob
            (Wait-Job $job -Timeout 60).State | Should -Be Failed
            $null = Receive-Job $job -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures | Should -HaveCount 1
            $failures[0].FullyQualifiedErrorId | Should -BeLike 'FeedUnreachable*'
            $failures[0].CategoryInfo.Category | Should -Be ConnectionError
            $job.Sync.EndReason, $job.Sync.State | Should -Be Failed, Failed
        }

        It 'whose state goes from Running by Stopping to Stopped' {
            $job = Start-Feed (New-Record 1 10) | Sync-LockstepTable -Disk -Follow -AsJob
            $job.State | Should -Be Running
            # With its record committed: a file that a sync brought nothing to goes away with it.
            Wait-Until { $job.Sync.State -eq 'Live' -and $job.Sync.Added -eq 1 }
            $null = Register-ObjectEvent $job StateChanged -SourceIdentifier states
            try {
                Stop-Job $job
                Wait-Until { @(Get-Event states).Count -ge 2 }
                (Get-Event states).SourceArgs.ForEach({
                    if ($_ -is [System.Management.Automation.JobStateEventArgs]) { $_.JobStateInfo.State }
                }) | Should -Be Stopping, Stopped
            }
            finally { Unregister-Event states; Get-Event | Remove-Event }
            $job.State | Should -Be Stopped
            $job.Sync.EndReason | Should -Be Stopped
            $job.Error | Should -BeNullOrEmpty
            (Get-LockstepTable).Writer | Should -BeNullOrEmpty
            { Stop-Job $job } | Should -Not -Throw
        }

        It 'that Remove-Job -Force stops' {
            $server = Start-Feed (New-Record 1 10)
            $job = $server | Sync-LockstepTable -Disk -Follow -AsJob
            Wait-Until { (Get-LockstepTable).State -eq 'Live' }
            Remove-Job $job -Force
            Get-Job | Should -BeNullOrEmpty
            (Get-LockstepTable).Writer | Should -BeNullOrEmpty
            (Get-LockstepTable).State | Should -BeNullOrEmpty
        }
    }

    It 'I10: stops within a second while it is <_>' -ForEach Connecting, Snapshot, Live, BackingOff {
        $state = $_
        Test-StopsWithinASecond {
            $path = Join-Path (Get-Location).ProviderPath "$([guid]::NewGuid()).db"
            $sync = New-SyncIn $state $path
            $job = Sync-LockstepTable @sync -AsJob
            # The job is connecting from the start; the file shows it once it is open.
            Wait-Until { $job.Sync.State -eq $state -and (Test-Path -LiteralPath $path) -and
                (Get-LockstepTable -LiteralPath $path -ErrorAction Ignore).State -eq $state }
            $job
        } { param($job) Stop-Job $job; $job.State | Should -Be Stopped } | Should -BeTrue
    }

    It 'I10: stops within a second while it waits for another writer' {
        $path = Join-Path (Get-Location).ProviderPath held.db
        $server = Start-Feed (New-Record 1 10)
        $holder = $server | Sync-LockstepTable -Path $path -Follow -AsJob
        Wait-Until { $holder.Sync.State -eq 'Live' }
        Test-StopsWithinASecond { $server | Sync-LockstepTable -Path $path -Wait -AsJob } {
            param($job) Stop-Job $job; $job.State | Should -Be Stopped
        } | Should -BeTrue
        $holder.State | Should -Be Running
    }

    Context 'while it follows' {
        It 'puts out the changes with -PassThru, as they come' {
            $server = Start-Feed (New-Record 1 10)
            $job = $server | Sync-LockstepTable -Disk -Follow -PassThru -AsJob
            Wait-Until { $job.Output.Count -eq 1 }
            $first = Receive-Job $job
            $first | Should -BeOfType Lockstep.Change
            $first.Kind, $first.Key, $first.Record.updated_at | Should -Be Added, 1, 10
            New-Record 1 20 | Add-LockstepTestRecord -Server $server
            Wait-Until { $job.Output.Count -eq 1 }
            (Receive-Job $job).Kind | Should -Be Updated
            Stop-Job $job
            Receive-Job $job | Should -BeNullOrEmpty
        }

        It 'tells of the connection on the information stream, tagged Lockstep, and reconnects' {
            $server = Start-Feed (New-Record 1 10)
            $null = Add-LockstepTestFault Cut -AtRecord 1 -Times 1 -Server $server
            $job = $server | Sync-LockstepTable -Disk -Follow -RetryIntervalSec 0.05 -AsJob
            Wait-Until { $job.Sync.State -eq 'Live' -and $server.RequestCount -eq 2 }
            Stop-Job $job
            $null = Receive-Job $job -InformationVariable events
            $events.Tags | Select-Object -Unique | Should -Be Lockstep
            $events.MessageData | Should -BeOfType Lockstep.FeedEvent
            $events.MessageData.Kind | Where-Object { $_ -ne 'Retry' } | Select-Object -First 3 | Should -Be Connect, Close, Connect
        }

        It 'shows state, lag and counts, in the job and in Get-LockstepTable' {
            $now = [DateTimeOffset]::UtcNow.ToUnixTimeMilliseconds()
            $job = Start-Feed (New-Record 1 ($now - 3600000)) | Sync-LockstepTable -Disk -Follow -AsJob
            Wait-Until { $job.Sync.Added -eq 1 -and (Get-LockstepTable).Cursor -ne 0 }
            $table = Get-LockstepTable
            $table.State, $table.Sync.State, $job.Sync.State | Should -Be Live, Live, Live
            $table.Sync.Received, $table.Sync.Added, $job.Sync.Added | Should -Be 1, 1, 1
            $table.SinceLastByte | Should -BeGreaterOrEqual ([timespan]::Zero)
            $table.Lag.TotalMinutes | Should -BeGreaterOrEqual 59.9
            $table.Lag.TotalMinutes | Should -BeLessThan 70
            $job.Sync.Lag | Should -BeGreaterOrEqual $table.Lag
            $job.StatusMessage | Should -BeLike 'Live: 1 records*'
            $table | Out-String | Should -BeLike '*State*Lag*Live*0.01:0*'
            Stop-Job $job
            (Get-LockstepTable).State | Should -BeNullOrEmpty
            (Get-LockstepTable).Sync | Should -BeNullOrEmpty
            (Get-LockstepTable).Lag.TotalMinutes | Should -BeGreaterOrEqual 59.9
        }

        It 'shows how often it has tried in vain' {
            $job = Sync-LockstepTable http://127.0.0.1:1/nobody/ -Disk -Follow -RetryIntervalSec 0.01 -AsJob
            Wait-Until { $job.Sync.Attempt -ge 3 }
            (Get-LockstepTable).Sync.Attempt | Should -BeGreaterOrEqual 3
            Stop-Job $job
            Get-LockstepTable | Should -BeNullOrEmpty
        }
    }

    Context 'I8: that nobody reads' {
        It 'keeps the newest 10,000 changes, counts what it drops and says so once' {
            $server = Start-LockstepTestServer -Port 0 -Record (1..10050 |
                ForEach-Object { "{`"id`":$_,`"updated_at`":$_,`"deleted_at`":null}" })
            $job = $server | Sync-LockstepTable -Disk -PassThru -Follow -AsJob
            Wait-Until { $job.Sync.Added -eq 10050 -and $job.Dropped -eq 50 }
            '{"id":1,"updated_at":99999,"deleted_at":null}' | Add-LockstepTestRecord -Server $server
            Wait-Until { $job.Dropped -eq 51 }
            Stop-Job $job
            $changes = Receive-Job $job -WarningVariable warnings -WarningAction SilentlyContinue
            $changes | Should -HaveCount 10000
            $changes[-1].Key, $changes[-1].Kind | Should -Be 1, Updated
            $changes[0].Sequence | Should -Be ($changes[-1].Sequence - 9999)
            $warnings | Should -HaveCount 1
            $warnings[0] | Should -BeLike '*10000*Get-LockstepRecord -Since*'
            (Get-LockstepTable).Rows | Should -Be 10050
        }

        It 'keeps the newest 1,000 events' {
            $job = Start-LockstepTestServer -Port 0 -Feed Finite | Sync-LockstepTable -Disk -Follow -RetryIntervalSec 0 -AsJob
            Wait-Until { $job.Information.Count -eq 1000 }
            $first = $job.Information[0].TimeGenerated
            Wait-Until { $job.Information[0].TimeGenerated -gt $first }
            $job.Information.Count | Should -BeLessOrEqual 1000
            Stop-Job $job
        }
    }

    Context '-TokenProvider' {
        It 'runs in a runspace of its own, at the start and when the feed refuses, with what $using: names' {
            $server = Start-Feed (New-Record 1 10)
            $null = Add-LockstepTestFault Unauthorized -Token one -Server $server -Id first
            Set-Content token one
            $file = Join-Path (Get-Location).ProviderPath token
            $outer = 'not seen'
            $script = { if ($outer) { throw 'This is the runspace that the job was started in.' }; Get-Content -LiteralPath $using:file }
            $job = $server | Sync-LockstepTable -Disk -Follow -RetryIntervalSec 0.05 -TokenProvider $script -AsJob
            Wait-Until { $job.Sync.Added -eq 1 }
            Set-Content token two
            Remove-LockstepTestFault first -Server $server
            $null = Add-LockstepTestFault Unauthorized -Token two -Server $server
            $null = Add-LockstepTestFault Cut -AtByte 1 -Times 1 -Server $server
            Invoke-LockstepTestScenario @{ close = 'Fin' } -Server $server
            New-Record 2 20 | Add-LockstepTestRecord -Server $server
            Wait-Until { $job.Sync.Added -eq 2 }
            (Get-LockstepTestRequest -Server $server).Status | Should -Contain 401
            $job.State | Should -Be Running
            Stop-Job $job
        }

        It 'that throws fails the job with a clear error' {
            $job = Start-Feed (New-Record 1 10) | Sync-LockstepTable -Disk -AsJob -TokenProvider { throw 'no token today' }
            (Wait-Job $job -Timeout 60).State | Should -Be Failed
            $null = Receive-Job $job -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures[0].FullyQualifiedErrorId | Should -BeLike 'TokenProvider*'
            $failures[0] | Should -BeLike '*no token today*'
        }

        It 'I10: stops within a second also while the script waits' {
            $server = Start-Feed (New-Record 1 10)
            Test-StopsWithinASecond {
                $started = Join-Path (Get-Location).ProviderPath "$([guid]::NewGuid())"
                $job = $server | Sync-LockstepTable -Path "$started.db" -AsJob -TokenProvider {
                    Set-Content -LiteralPath $using:started 1; Start-Sleep 600
                }
                Wait-Until { Test-Path -LiteralPath $started }
                $job
            } { param($job) Stop-Job $job; $job.State | Should -Be Stopped } | Should -BeTrue
        }
    }

    Context 'and its session' {
        BeforeEach {
            $server = Start-Feed (New-Record 1 10)
            $session = New-Session
            $session.Runspace.SessionStateProxy.SetVariable('sync',
                @{ Uri = $server.FeedUri; Path = (Join-Path (Get-Location).ProviderPath s.db); Follow = $true })
            $job = Invoke-Session $session { Sync-LockstepTable @sync -AsJob } | ForEach-Object { $_ }
            # With its record committed: a file that a sync brought nothing to goes away with it.
            Wait-Until { $job.Sync.State -eq 'Live' -and $job.Sync.Added -eq 1 }
        }

        AfterEach { $session.Dispose() }

        It 'is seen in that session only' {
            Get-Job | Should -BeNullOrEmpty
            (Invoke-Session $session { Get-Job }).Id | Should -Be $job.Id
        }

        It 'ends when the module is removed there' {
            Invoke-Session $session { Remove-Module Lockstep }
            Wait-Until { $job.State -eq 'Stopped' }
            Wait-Until { -not (Get-LockstepTable -Path s.db).Writer }
            (Invoke-Session $session { Get-Job | Remove-Job; Get-Job }) | Should -BeNullOrEmpty
        }

        It 'ends when the session closes' {
            $session.Runspace.Close()
            Wait-Until { $job.State -eq 'Stopped' }
        }
    }

    It 'I9: shows no password' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        $job = Sync-LockstepTable ($server.FeedUri -replace '//', '//user:hunter2@') -Disk -AsJob -Headers @{
            Cookie = 'hunter2'
        } -Query @{ } | Wait-Job -Timeout 60
        $said = $job | Format-List * | Out-String
        $said += $job.Sync, $job.Command, $job.StatusMessage, $job.Verbose, $job.Information, $job.Progress | Format-List * | Out-String
        $said | Should -Not -Match hunter2
    }

    Context 'tells how it gets on with its feed' {
        It 'which a wait that times out repeats' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $job = $server | Sync-LockstepTable -Path told.db -Table told -Follow -AsJob
            $null = Wait-LockstepTable told -UpToDate -TimeoutSec 60
            $server | Stop-LockstepTestServer
            while (-not $job.LastError) { Start-Sleep -Milliseconds 50 }
            $failure = Get-ErrorOf { Wait-LockstepTable told -Count 99 -TimeoutSec 0.1 -ErrorAction Stop }
            "$failure" | Should -Match 'did not get that far within 0.1 s. Its sync is in state \w+. Last error: .*127.0.0.1'
        }

        It 'and why it backs off, with one warning for each kind of failure' {
            $job = Sync-LockstepTable http://127.0.0.1:1/nobody/ -Disk -Follow -RetryIntervalSec 0.05 -AsJob
            Wait-Until { $job.Sync.Attempt -ge 4 }
            $job.LastError | Should -Match '127\.0\.0\.1:1'
            $job.LastContact | Should -BeNullOrEmpty
            $job.LastChange | Should -BeNullOrEmpty
            $job.Warning | Should -HaveCount 1
            "$($job.Warning[0])" | Should -BeLike "$($job.LastError)*next attempt*"
            (Get-LockstepTable nobody).LastError | Should -Be $job.LastError
            $job | Stop-Job
            $job.Error | Should -BeNullOrEmpty
        }

        It 'and what the server answers: <Status>' -ForEach @{ Status = 500 }, @{ Status = 503 } {
            $server = Start-Feed (New-Record 1 10)
            $null = Add-LockstepTestFault Status -Code $Status -Server $server
            $job = $server | Sync-LockstepTable -Disk -Follow -RetryIntervalSec 0.05 -AsJob
            Wait-Until { $job.Sync.Attempt -ge 3 }
            $job.LastError | Should -Match $Status
            $job.LastContact | Should -BeGreaterThan ([datetime]::Now.AddMinutes(-5))
            $job.LastChange | Should -BeNullOrEmpty
            $job.Warning | Should -HaveCount 1
            Get-LockstepTestFault -Server $server | Remove-LockstepTestFault
            Wait-Until { $job.Sync.Added -eq 1 }
            $job.LastError | Should -Match $Status
            $job.Warning | Should -HaveCount 1
        }

        It 'when it last heard of it, and when the table last changed' {
            $job = Start-Feed (New-Record 1 10) | Sync-LockstepTable -Disk -Follow -AsJob
            Wait-Until { $job.LastChange }
            $table = Get-LockstepTable
            $job.LastError | Should -BeNullOrEmpty
            $table.LastError | Should -BeNullOrEmpty
            $table.LastChange | Should -Be $job.LastChange
            ([datetime]::Now - $table.LastContact).TotalMinutes | Should -BeLessThan 5
            ([datetime]::Now - $table.LastChange).TotalMinutes | Should -BeLessThan 5
        }

        It 'and its error where it has failed' {
            $job = Sync-LockstepTable http://127.0.0.1:1/nobody/ -Disk -AsJob | Wait-Job -Timeout 60
            $job.LastError | Should -Match '127\.0\.0\.1:1'
            $job.Warning | Should -BeNullOrEmpty
        }
    }

    It 'returns its result when it was stopped' {
        $job = Start-Feed (New-Record 1 10) | Sync-LockstepTable -Disk -Follow -AsJob
        Wait-Until { $job.LastChange }
        Stop-Job $job
        $result = Receive-Job $job
        $result.Added, $result.Outcome | Should -Be 1, Stopped
    }

    It 'refuses what a job cannot do: <name>' -ForEach @(
        @{ name = '-Callback'; more = @{ AsJob = $true; Callback = { } } }
        @{ name = '-Transform'; more = @{ AsJob = $true; Transform = { $_ } } }
        @{ name = '-ResultVariable'; more = @{ AsJob = $true; ResultVariable = 'x' } }
        @{ name = '-ThrottleLimit'; more = @{ AsJob = $true; ThrottleLimit = 2 } }
        @{ name = '-JobName without -AsJob'; more = @{ JobName = 'x' } }
    ) {
        $server = Start-Feed (New-Record 1 10)
        $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk @more -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        Get-Job | Should -BeNullOrEmpty
        $server.RequestCount | Should -Be 0
    }

    It 'starts nothing with -WhatIf' {
        Start-Feed (New-Record 1 10) | Sync-LockstepTable -Disk -AsJob -WhatIf
        Get-Job | Should -BeNullOrEmpty
    }
}
