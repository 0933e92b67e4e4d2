BeforeDiscovery {
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
    $obstacle = Get-PostgresObstacle
}

BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
}

Describe 'A table in PostgreSQL' -Skip:([bool] $obstacle) {
    BeforeAll {
        $postgres = Start-PostgresServer
        $shared = @{ ConnectionString = $postgres.ConnectionString }
    }
    AfterAll { Stop-PostgresServer $postgres }
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'is synced and read as one in a file is' {
        $origin = Start-LockstepTestServer -Port 0 -Record @{ id = 1; updated_at = 1; name = 'one' }, @{ id = 2; updated_at = 2; name = 'two' }
        $result = Sync-LockstepTable $origin servers @shared
        $result.Added | Should -Be 2
        $result.Path | Should -Be "postgres://127.0.0.1:$($postgres.Port)/postgres"

        Add-LockstepTestRecord @{ id = 1; updated_at = 3; deleted_at = 3 } -Server $origin
        (Sync-LockstepTable $origin servers @shared -PassThru).Kind | Should -Be Deleted

        (Get-LockstepRecord servers @shared).name | Should -Be two
        (Get-LockstepRecord @shared -Property id).id | Should -Be 2
        Get-LockstepRecord servers @shared -Raw | ConvertFrom-Json | ForEach-Object name | Should -Be two
        (Get-LockstepRecord servers @shared -Key 1, 2 -IncludeDeleted).LockstepState.IsDeleted | Should -Be $true, $false
        (Get-LockstepRecord servers @shared -Since 2).LockstepState.Key | Should -Be 1
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a file as well'; script = { Sync-LockstepTable 'http://127.0.0.1:1/x/' @shared -Disk -ErrorAction Stop }; id = 'InvalidOption' }
        @{ name = 'each version'; script = { Sync-LockstepTable 'http://127.0.0.1:1/x/' @shared -EveryChange -ErrorAction Stop }; id = 'InvalidOption' }
        @{ name = 'a filter'; script = { Get-LockstepRecord servers @shared -Filter 'id = 1' -ErrorAction Stop }; id = 'Filter' }
        @{ name = 'a table that is not there'; script = { Get-LockstepRecord nothing @shared -ErrorAction Stop }; id = 'TableNotFound' }
        @{ name = 'a database that is not there'; script = { Get-LockstepRecord x -ConnectionString 'postgres://me:s3cret@127.0.0.1:1/db' -ErrorAction Stop }; id = 'TableStoreUnavailable' }
    ) {
        $failure = Get-ErrorOf $script
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        "$failure $($failure.Exception)" | Should -Not -Match 's3cret'
    }
}
