BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Watching a table' {
    BeforeEach {
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted -Record @{ id = 1; updated_at = 1; deleted_at = $null }
        $null = $server | Sync-LockstepTable -Table seen -SettleSec 0.2
    }

    AfterEach {
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    Context 'Watch-LockstepTable' {
        It 'puts out what changed after a sequence number, and goes on until it has what is wanted' {
            $change = Watch-LockstepTable seen -Since 0 | Select-Object -First 1
            $change.Kind, $change.Key, $change.Record.id | Should -Be Added, 1, 1
        }

        It 'tells added from updated and deleted' {
            $sequence = (Get-LockstepTable seen).Sequence
            @{ id = 1; updated_at = 2; deleted_at = $null; port = 5 }, @{ id = 2; updated_at = 3; deleted_at = $null },
                @{ id = 3; updated_at = 4; deleted_at = 4 } | Add-LockstepTestRecord
            $null = $server | Sync-LockstepTable -Table seen -SettleSec 0.2
            (Watch-LockstepTable seen -Since $sequence | Select-Object -First 3).Kind | Should -Be Updated, Added, Deleted
        }

        It 'sees what another process commits while it watches' {
            $path = Join-Path TestDrive: 'other.db'
            $file = Join-Path (Get-Item TestDrive:).FullName 'other.db'
            $null = $server | Sync-LockstepTable -Path $path -SettleSec 0.2
            $job = Start-Job { param($module, $uri, $file) Import-Module $module
            Sync-LockstepTable $uri -Path $file -FollowFor 20 } -ArgumentList (Get-Module Lockstep).Path.Replace(
                'Lockstep.PowerShell.dll', 'Lockstep.psd1'), $server.FeedUri, $file
            try {
                $null = Wait-LockstepTable -Path $path -UpToDate -TimeoutSec 60
                $sequence = (Get-LockstepTable -Path $path).Sequence
                @{ id = 9; updated_at = 9; deleted_at = $null } | Add-LockstepTestRecord
                (Watch-LockstepTable -Path $path -Since $sequence -For 30 | Select-Object -First 1).Key | Should -Be 9
            }
            finally { $job | Stop-Job -PassThru | Remove-Job }
        }

        It 'ends when its time is over' {
            Watch-LockstepTable seen -For 0.3 | Should -BeNullOrEmpty
        }
    }

    Context 'Wait-LockstepTable' {
        It 'returns the table at once when it is so already' {
            (Wait-LockstepTable seen -Count 1 -Cursor 1 -TimeoutSec 30).Name | Should -Be seen
        }

        It 'is an error when the time is up' {
            (Get-ErrorOf { Wait-LockstepTable seen -Count 2 -TimeoutSec 0.2 -ErrorAction Stop }).FullyQualifiedErrorId |
                Should -BeLike 'WaitTimeout,*'
        }

        Context 'on a table that a job keeps in step' {
            AfterEach { Get-Job | Remove-Job -Force }

            It 'is up to date at once where the job has caught up and follows the feed' {
                $job = $server | Sync-LockstepTable -Table seen -Follow -SettleSec 0.2 -AsJob
                $null = Wait-LockstepTable seen -UpToDate -TimeoutSec 60
                1..3 | ForEach-Object { (Wait-LockstepTable seen -UpToDate -TimeoutSec 0.5).State | Should -Be Live }
                $job.State | Should -Be Running
            }

            It 'is not up to date while the job has lost its feed' {
                $job = $server | Sync-LockstepTable -Table seen -Follow -SettleSec 0.2 -AsJob
                $null = Wait-LockstepTable seen -UpToDate -TimeoutSec 60
                $server | Stop-LockstepTestServer
                Wait-Until { $job.Sync.State -eq 'BackingOff' }
                (Get-ErrorOf { Wait-LockstepTable seen -UpToDate -TimeoutSec 0.3 -ErrorAction Stop }).FullyQualifiedErrorId |
                    Should -BeLike 'WaitTimeout,*'
            }

            It 'ends with the error of a job that has failed' {
                $server | Stop-LockstepTestServer
                $job = Sync-LockstepTable $server.FeedUri -Table seen -AsJob | Wait-Job -Timeout 60
                $job.State | Should -Be Failed
                $failure = Get-ErrorOf { Wait-LockstepTable seen -UpToDate -TimeoutSec 60 -ErrorAction Stop }
                $failure.FullyQualifiedErrorId | Should -BeLike 'FeedUnreachable,*WaitLockstepTable*'
                $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
            }

            It 'ends with the error of a job that fails meanwhile' {
                $session = New-Session
                try {
                    $waiting = $session.AddScript({
                            param($uri)
                            $null = Sync-LockstepTable $uri -Table seen -Follow -AsJob -MaximumRetryCount 0
                            Wait-LockstepTable seen -Count 99 -TimeoutSec 60
                        }).AddArgument($server.FeedUri).BeginInvoke()
                    Wait-Until { (Get-LockstepTable seen).State -eq 'Live' }
                    $server | Stop-LockstepTestServer
                    $waiting.AsyncWaitHandle.WaitOne(30000) | Should -BeTrue
                    $session.Streams.Error[0].FullyQualifiedErrorId | Should -BeLike '*,*WaitLockstepTable*'
                    $session.Streams.Error[0].FullyQualifiedErrorId | Should -Not -BeLike 'WaitTimeout*'
                }
                finally { $session.Dispose() }
            }

            It 'tells why there is no table where the first sync has failed' {
                $job = Sync-LockstepTable http://127.0.0.1:1/nobody/ -AsJob | Wait-Job -Timeout 60
                $job.State | Should -Be Failed
                (Get-ErrorOf { Wait-LockstepTable nobody -UpToDate -ErrorAction Stop }).FullyQualifiedErrorId |
                    Should -BeLike 'FeedUnreachable,*'
            }

            It 'does not hold a failed job against a table that was synced since' {
                $null = Sync-LockstepTable http://127.0.0.1:1/nobody/ -Table other -AsJob | Wait-Job -Timeout 60
                $null = $server | Sync-LockstepTable -Table other -SettleSec 0.2
                (Get-ErrorOf { Wait-LockstepTable other -Count 99 -TimeoutSec 0.5 -ErrorAction Stop }).FullyQualifiedErrorId |
                    Should -BeLike 'WaitTimeout,*'
            }
        }

        It 'wants to know what for' {
            (Get-ErrorOf { Wait-LockstepTable seen -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        }
    }
}
