BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

# What a script's own test looks like: a directory that pages, is busy, sends what changed, and forgets its token.
Describe 'A consumer of Microsoft Graph in CI' {
    It 'gets over a busy directory and a token that is too old' {
        function Update-Staff($Uri) { Sync-LockstepTable $Uri -Path TestDrive:/staff.db }

        $graph = 1..5 | ForEach-Object { @{ id = "u$_"; mail = "u$_@a.example"; city = 'Bern' } } |
            Start-LockstepTestServer -Port 0 -Feed ODataDelta -PageSize 2
        (Update-Staff $graph.FeedUri).Added | Should -Be 5
        $null = $graph | Add-LockstepTestFault -Kind Status -Code 429 -RetryAfter 0 -Times 1
        @{ id = 'u2'; mail = 'new@a.example' } | Add-LockstepTestRecord
        @{ id = 'u3' } | Add-LockstepTestRecord -Removed
        Update-Staff $graph.FeedUri | ForEach-Object { $_.Updated, $_.Deleted } | Should -Be 1, 1
        $null = $graph | Add-LockstepTestFault -Kind CursorExpired -Times 1
        (Update-Staff $graph.FeedUri).Unchanged | Should -Be 4
        (Get-LockstepRecord -Path TestDrive:/staff.db -Key u2).city | Should -Be Bern
        ($graph | Get-LockstepTestRequest).Status | Should -Be 200, 200, 200, 429, 200, 410, 200, 200
        $graph | Stop-LockstepTestServer
    }
}

Describe 'Start-LockstepTestServer -Feed <feed>' -ForEach @(
    @{ feed = 'ODataDelta'; table = 'users' }
    @{ feed = 'Kubernetes'; table = 'pods' }
    @{ feed = 'CouchDb'; table = 'db' }
    @{ feed = 'EventStream'; table = 'events' }
    @{ feed = 'Rest'; table = 'items' }
    @{ feed = 'Shape'; table = 'items' }
) {
    AfterEach {
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'is read without being told how, changes and removals included' {
        $server = 1..3 | ForEach-Object { @{ id = "r$_"; port = 80 } } | Start-LockstepTestServer -Port 0 -Feed $feed
        $server.Dialect.Name | Should -Be $feed
        $first = $server | Sync-LockstepTable -Path TestDrive:/$feed.db
        $first.Table, $first.Added | Should -Be $table, 3
        @{ id = 'r1'; port = 443 } | Add-LockstepTestRecord
        @{ id = 'r2' } | Add-LockstepTestRecord -Removed
        $second = $server | Sync-LockstepTable -Path TestDrive:/$feed.db
        $second.Updated, $second.Deleted | Should -Be 1, 1
        (Get-LockstepRecord -Path TestDrive:/$feed.db | Sort-Object id).port | Should -Be 443, 80
    }
}

Describe 'A list in a dialect of your own' {
    AfterEach {
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'is served as the dialect reads it' {
        $dialect = @{ From = 'Rest'; Items = '/data/rows'; Key = 'sku'; Next = 'more' }
        $server = 1..5 | ForEach-Object { @{ sku = "s$_" } } |
            Start-LockstepTestServer -Port 0 -Dialect $dialect -FeedPath /api/articles -PageSize 2
        $server.Feed, $server.RecordCount | Should -Be Rest, 5
        $answer = Invoke-RestMethod $server.FeedUri
        $answer.data.rows.sku | Should -Be s1, s2
        $answer.more | Should -Be "$($server.FeedUri)?after=2"
        ($server | Sync-LockstepTable).Added | Should -Be 5
    }

    It 'is served to any client' {
        $server = 1..3 | ForEach-Object { @{ id = $_ } } | Start-LockstepTestServer -Port 0 -Feed Rest -PageSize 2
        (Invoke-RestMethod $server.FeedUri -FollowRelLink | ForEach-Object { $_ }).id | Should -Be 1, 2, 3
    }
}

Describe 'A list that is refused at each poll' {
    AfterEach {
        Get-Job | Remove-Job -Force
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'is warned of once' {
        $server = 1..3 | ForEach-Object { @{ id = $_ } } | Start-LockstepTestServer -Port 0 -Feed Rest
        $job = $server | Sync-LockstepTable -Table refused -Follow -IntervalSec 0.2 -AsJob
        $null = Wait-LockstepTable refused -UpToDate -TimeoutSec 60
        1..3 | ForEach-Object { @{ id = $_ } } | Add-LockstepTestRecord -Server $server -Removed
        $before = @($server | Get-LockstepTestRequest).Count
        Wait-Until { @($server | Get-LockstepTestRequest).Count -ge $before + 5 }
        $refusals = @($job.Warning | Where-Object Message -Like '*would remove*')
        $refusals | Should -HaveCount 1
        $refusals[0].Message | Should -BeLike '*It is fetched again at *Z. *-Verbose reports each further refusal.*'
    }
}

Describe 'What makes no sense' {
    AfterEach {
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'is refused: <name>' -ForEach @(
        @{ name = 'pages of a feed that has none'; start = { Start-LockstepTestServer -Port 0 -PageSize 5 } }
        @{ name = 'a path of a feed that has its own'; start = { Start-LockstepTestServer -Port 0 -Feed Scripted -FeedPath /x } }
        @{ name = 'a dialect of a feed that has its own'; start = { Start-LockstepTestServer -Port 0 -Feed Shape -Dialect Rest } }
        @{
            name = 'a removal in the scripted feed'
            start = {
                $null = Start-LockstepTestServer -Port 0 -Feed Scripted
                @{ id = 1 } | Add-LockstepTestRecord -Removed -ErrorAction Stop
            }
        }
    ) {
        (Get-ErrorOf $start).FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
    }

    It 'is refused: a record without its key' {
        $null = Start-LockstepTestServer -Port 0 -Feed ODataDelta
        (Get-ErrorOf { @{ name = 'x' } | Add-LockstepTestRecord -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidRecord,*'
    }
}
