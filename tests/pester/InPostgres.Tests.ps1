BeforeDiscovery {
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
    $obstacle = Get-PostgresObstacle
}

BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
    $PSDefaultParameterValues = @{ '*-LockstepTable:SettleSec' = 0.5 }
}

Describe 'In PostgreSQL' -Skip:([bool] $obstacle) -Tag "$obstacle" {
    BeforeAll {
        $postgres = Start-PostgresServer
        $shared = @{ ConnectionString = $postgres.ConnectionString }
        $store = @{ Store = $postgres.ConnectionString }
        $null = Invoke-Sql $postgres "CREATE ROLE stranger LOGIN PASSWORD 'another'"
        $place = "postgres://127.0.0.1:$($postgres.Port)/postgres"
    }
    AfterAll { Stop-PostgresServer $postgres }

    Context 'a table' {
        BeforeEach {
            $origin = Start-LockstepTestServer -Port 0 -Record @{ id = 1; updated_at = 1; name = 'one' },
                @{ id = 2; updated_at = 2; name = 'two' }
        }
        AfterEach {
            Get-LockstepTestServer | Stop-LockstepTestServer
            Get-LockstepTable @shared | Remove-LockstepTable @shared
        }

        It 'is synced and read as one in a file is' {
            $result = Sync-LockstepTable $origin servers @shared
            $result.Added | Should -Be 2
            $result.Path | Should -Be $place

            Add-LockstepTestRecord @{ id = 1; updated_at = 3; deleted_at = 3 } -Server $origin
            (Sync-LockstepTable $origin servers @shared -PassThru).Kind | Should -Be Deleted

            (Get-LockstepRecord servers @shared).name | Should -Be two
            (Get-LockstepRecord @shared -Property id).id | Should -Be 2
            Get-LockstepRecord servers @shared -Raw | ConvertFrom-Json | ForEach-Object name | Should -Be two
            (Get-LockstepRecord servers @shared -Key 1, 2 -IncludeDeleted).LockstepState.IsDeleted | Should -Be $true, $false
            (Get-LockstepRecord servers @shared -Since 2).LockstepState.Key | Should -Be 1
        }

        It 'is filtered by the same expressions as one in a file' {
            $null = Sync-LockstepTable $origin servers @shared
            (Get-LockstepRecord servers @shared -Filter "name like 't%' and id > :least" -FilterParameter @{ least = 1 }).id | Should -Be 2
            (Get-ErrorOf { Get-LockstepRecord servers @shared -Filter 'port = 1' -ErrorAction Stop }).FullyQualifiedErrorId |
                Should -BeLike 'Filter,*'
        }

        It 'gives each version of a record with -EveryChange' {
            Add-LockstepTestRecord @{ id = 1; updated_at = 3; name = 'uno' }, @{ id = 1; updated_at = 4; name = 'un' } -Server $origin
            (Sync-LockstepTable $origin servers @shared -EveryChange).Record.name | Should -Be one, two, uno, un
            (Get-LockstepRecord servers @shared -Key 1).name | Should -Be un
        }

        It 'is listed, waited for, emptied and removed' {
            $null = Sync-LockstepTable $origin servers @shared
            $null = Sync-LockstepTable $origin others @shared
            $tables = Get-LockstepTable @shared
            $tables.Name | Should -Be others, servers
            $tables.Path | Should -Be $place, $place
            $tables[1].Rows, $tables[1].Cursor, $tables[1].IsSession, $tables[1].Writer | Should -Be 2, '2', $false, $null
            $tables[1].Size | Should -BeGreaterThan 0
            (Get-LockstepTable 's*' @shared).Name | Should -Be servers

            (Wait-LockstepTable servers @shared -Cursor 2 -TimeoutSec 60).Rows | Should -Be 2
            (Get-ErrorOf { Wait-LockstepTable servers @shared -Count 3 -TimeoutSec 0 -ErrorAction Stop }).FullyQualifiedErrorId |
                Should -BeLike 'WaitTimeout,*'

            Clear-LockstepTable servers @shared -WhatIf
            (Get-LockstepTable servers @shared).Rows | Should -Be 2
            Clear-LockstepTable servers @shared
            $empty = Get-LockstepTable servers @shared
            $empty.Rows, $empty.Uri, $empty.Sequence | Should -Be 0, $null, 2

            Get-LockstepTable servers @shared | Remove-LockstepTable @shared
            (Get-LockstepTable @shared).Name | Should -Be others
        }

        It 'goes on from the pipeline and forgets tombstones' {
            $null = Sync-LockstepTable $origin servers @shared
            Add-LockstepTestRecord @{ id = 1; updated_at = 3; deleted_at = 3 }, @{ id = 3; updated_at = 5 } -Server $origin
            (Get-LockstepTable servers @shared | Sync-LockstepTable @shared).Deleted | Should -Be 1
            (Clear-LockstepTombstone servers -Before 4 @shared -PassThru).Tombstones | Should -Be 0
        }

        It 'is watched' {
            $null = Sync-LockstepTable $origin servers @shared
            $seen = Watch-LockstepTable servers @shared -Since 0 | Select-Object -First 2
            $seen.Kind | Should -Be Added, Added
            $seen[1].Record.name | Should -Be two
            Watch-LockstepTable servers @shared -For 0 | Should -BeNullOrEmpty
        }

        It 'is watched across a loss of the connection, with a warning' {
            $null = Sync-LockstepTable $origin servers @shared
            $seen = Watch-LockstepTable servers @shared -Since 0 -WarningVariable told -WarningAction SilentlyContinue | ForEach-Object {
                if ($_.Sequence -eq 2) {
                    $null = Invoke-Sql $postgres (
                        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'lockstep'")
                    $null = '{"id":3,"updated_at":3,"name":"three"}' | Import-LockstepTable -Table servers @shared
                }
                $_
            } | Select-Object -First 3
            $seen.Sequence | Should -Be 1, 2, 3
            $seen[2].Record.name | Should -Be three
            $told | Should -HaveCount 1
            $told | Should -Match 'retries'
        }

        It 'takes what is imported from the pipeline and from files' {
            $result = @{ id = 1; updated_at = 5; name = 'un' }, @{ id = 2; updated_at = 2; name = 'two' } |
                Import-LockstepTable -Table servers @shared
            $result.Added, $result.Path | Should -Be 2, $place
            $file = Join-Path $TestDrive servers.ndjson
            '{"id":1,"updated_at":4,"name":"older"}', '{"id":2,"updated_at":6,"deleted_at":6}',
                '{"id":3,"updated_at":7,"name":"three"}' | Set-Content $file
            $again = Import-LockstepTable $file @shared
            $again.Added, $again.Deleted, $again.Updated | Should -Be 1, 1, 0
            (Get-LockstepRecord servers @shared).name | Should -Be un, three
            Import-LockstepTable -LiteralPath $file -Table others @shared -WhatIf
            (Get-LockstepTable @shared).Name | Should -Be servers
            (Get-ErrorOf { Import-LockstepTable $file @shared -Disk -ErrorAction Stop }).FullyQualifiedErrorId |
                Should -BeLike 'InvalidOption,*'
        }

        It 'is shown and exported' {
            $null = Sync-LockstepTable $origin servers @shared
            Show-LockstepTable servers @shared -Once | Out-String | Should -Match 'two'
            $target = Join-Path $TestDrive servers.csv
            Export-LockstepTable servers $target @shared -Property id, name
            (Import-Csv $target).name | Should -Be one, two
        }

        It 'is compared with its feed and repaired' {
            $null = Sync-LockstepTable $origin servers @shared
            Test-LockstepTable servers @shared -Quiet | Should -BeTrue
            $id = Invoke-Sql $postgres "SELECT id FROM lockstep_tables.lockstep_directory WHERE name = 'servers'"
            $null = Invoke-Sql $postgres "DELETE FROM lockstep_tables.lockstep_rows_$id WHERE seq = 1"
            $difference = Test-LockstepTable servers @shared
            $difference.Kind, $difference.Key | Should -Be Missing, 1
            (Get-LockstepTable servers @shared | Repair-LockstepTable @shared).Added | Should -Be 1
            (Get-LockstepRecord servers @shared).id | Should -Be 1, 2
        }

        It 'keeps what was set aside' {
            $feed = Start-LockstepTestServer -Port 0 -Record '{"id":1,"updated_at":1}', '{"id":2}'
            $null = Sync-LockstepTable $feed servers @shared -MalformedRecord Quarantine
            $aside = Get-LockstepRecord servers @shared -Quarantined
            $aside.Table | Should -Be servers
            $aside.Text | Should -Match '"id":2'
        }

        It 'is one of a job that follows, and busy meanwhile' {
            $null = Sync-LockstepTable $origin servers @shared
            Add-LockstepTestRecord @{ id = 3; updated_at = 3 } -Server $origin
            $job = Sync-LockstepTable $origin servers @shared -Follow -AsJob
            try {
                (Wait-LockstepTable servers @shared -Count 3 -TimeoutSec 60).Writer | Should -Match 'lockstep'
                (Get-LockstepTable servers @shared).State | Should -Not -BeNullOrEmpty
                (Get-ErrorOf { Clear-LockstepTable servers @shared -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'TableBusy,*'
                (Get-ErrorOf { '{"id":9,"updated_at":9}' |
                    Import-LockstepTable -Table servers @shared -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'TableBusy,*'
            }
            finally {
                $job | Stop-Job -PassThru | Remove-Job
            }
        }

        It 'refuses <name>' -ForEach @(
            @{ name = 'a file as well'; script = { Sync-LockstepTable 'http://127.0.0.1:1/x/' @shared -Disk -ErrorAction Stop }
            id = 'InvalidOption' }
            @{ name = 'a backup to a file'; script = {
                $null = Sync-LockstepTable $origin servers @shared; Backup-LockstepTable servers x.db @shared -ErrorAction Stop
            }; id = 'InvalidOption' }
            @{ name = 'to remove all'; script = { Remove-LockstepTable @shared -ErrorAction Stop }; id = 'InvalidOption' }
            @{ name = 'a table that is not there'; script = { Get-LockstepRecord nothing @shared -ErrorAction Stop }; id = 'TableNotFound' }
            @{ name = 'a wrong password'; script = {
                $stranger = "postgres://stranger:s3cret@127.0.0.1:$($postgres.Port)/postgres"
                Sync-LockstepTable $origin servers -ConnectionString $stranger -Follow -ErrorAction Stop
            }; id = 'PostgresAccess' }
            @{ name = 'a database that is not there'
            script = { Get-LockstepTable -ConnectionString 'postgres://me:s3cret@127.0.0.1:1/db' -ErrorAction Stop }
            id = 'TableStoreUnavailable' }
        ) {
            $failure = Get-ErrorOf $script
            $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
            $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
            "$failure $($failure.Exception)" | Should -Not -Match 's3cret'
        }
    }

    Context 'variables' {
        It 'are set, become active, and are watched' {
            $set = Set-LockstepVariable rate 5 -DefaultTick 1s @store
            $set.State, $set.Tick | Should -Be Pending, ([timespan]'0:0:1')
            $seen = Watch-LockstepVariable rate @store | Select-Object -First 1
            $seen.Value | Should -Be 5
            (Get-LockstepVariable rate @store).Value | Should -Be 5
            (Get-LockstepVariable rate @store).ActiveAt | Should -Be $set.ActiveAt
        }

        It 'are scheduled, listed and removed' {
            $null = Set-LockstepVariable later 1 -ActiveAt ([datetime]::Now.AddHours(1)) -Tick 500ms @store
            $null = Set-LockstepVariable later 2 -ActiveAt ([datetime]::Now.AddHours(2)) -Tick 500ms @store
            (Get-LockstepVariableSchedule later @store).Value | Should -Be 1, 2
            Get-LockstepVariableSchedule later @store | Select-Object -First 1 | Remove-LockstepVariable -Confirm:$false
            (Get-LockstepVariableSchedule later @store).Value | Should -Be 2
        }

        It 'tell of a store that is not there without its password' {
            $problem = { Get-LockstepVariable rate -Store 'postgres://me:s3cret@127.0.0.1:1/db' -ErrorAction Stop } |
                Should -Throw -PassThru
            "$problem $($problem.Exception)" | Should -Not -Match 's3cret'
        }
    }
}
