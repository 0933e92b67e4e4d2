BeforeDiscovery {
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
    $obstacle = Get-PostgresObstacle
}

BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
}

Describe 'Variables in PostgreSQL' -Skip:([bool] $obstacle) {
    BeforeAll {
        $postgres = Start-PostgresServer
        $store = @{ Store = $postgres.ConnectionString }
    }
    AfterAll { Stop-PostgresServer $postgres }

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
        $problem = { Get-LockstepVariable rate -Store 'postgres://me:s3cret@127.0.0.1:1/db' -ErrorAction Stop } | Should -Throw -PassThru
        "$problem $($problem.Exception)" | Should -Not -Match 's3cret'
    }
}
