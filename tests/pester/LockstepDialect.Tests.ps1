BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force

    # A list that changes with each request, on a plain listener: two records, then one of them and a new one.
    # It cannot ask for any free port, so that it tries until it has one.
    $listener = $null
    for ($tries = 1; -not $listener; $tries++) {
        $port = Get-Random -Minimum 20000 -Maximum 32000
        $candidate = [System.Net.HttpListener]::new()
        $candidate.Prefixes.Add("http://127.0.0.1:$port/")
        try {
            $candidate.Start()
            $listener = $candidate
        }
        catch [System.Net.HttpListenerException] { if ($tries -eq 20) { throw } }
    }

    $uri = "http://127.0.0.1:$port/incident"
    $answering = Start-ThreadJob -ScriptBlock {
        $listener = $using:listener
        $count = 0
        try {
            while ($listener.IsListening) {
                $context = $listener.GetContext()
                $count++
                $records = $count -le 2 ? '{"sys_id":"a","n":1.50},{"sys_id":"b"}' : '{"sys_id":"a","n":1.50},{"sys_id":"c"},{"sys_id":"d"}'
                $bytes = [Text.Encoding]::UTF8.GetBytes('{"result":[' + $records + ']}')
                $context.Response.ContentType = 'application/json'
                $context.Response.OutputStream.Write($bytes)
                $context.Response.Close()
            }
        }
        catch [System.Net.HttpListenerException] { Write-Verbose 'Stopped.' }
    }
}

AfterAll {
    $listener.Stop()
    $answering | Wait-Job -Timeout 10 | Remove-Job -Force
}

Describe 'Get-LockstepDialect' {
    It 'lists the dialects, by name and wildcard' {
        (Get-LockstepDialect).Name | Should -Contain 'Kubernetes'
        (Get-LockstepDialect O*).Name | Should -Be ODataDelta
        (Get-LockstepDialect Rest).Json | ConvertFrom-Json | ForEach-Object Key | Should -Be id
    }
}

Describe 'A hashtable as a dialect' {
    It 'shows what it reads, reads it, and is kept in the table' {
        $dialect = @{ From = 'Rest'; Items = 'result'; Key = 'sys_id' }
        $step = Test-LockstepDialect $uri $dialect
        $step.Items, $step.Place, $step.FirstKey, $step.FirstRecord | Should -Be 2, result, a, '{"sys_id":"a","n":1.50}'

        $first = Sync-LockstepTable $uri -Path TestDrive:/incident.db -Dialect $dialect
        $second = Sync-LockstepTable $uri -Path TestDrive:/incident.db
        $first.Added, $second.Added, $second.Deleted | Should -Be 2, 2, 1
        (Get-LockstepTable -Path TestDrive:/incident.db).Dialect | Should -Be (Get-LockstepTable -Path TestDrive:/incident.db).DialectName
        (Get-LockstepRecord -Path TestDrive:/incident.db | Sort-Object sys_id).sys_id | Should -Be a, c, d
    }

    It 'says which key is none' {
        { Sync-LockstepTable $uri -Path TestDrive:/other.db -Dialect @{ From = 'Rest'; Itmes = 'x' } -ErrorAction Stop } |
            Should -Throw -ErrorId 'DialectFormat*'
    }
}

Describe 'Test-LockstepDialect' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'shows request by request the key, the cursor and the signs' {
        $server = 1..3 | ForEach-Object { @{ id = "u$_"; n = 1.50 } } | Start-LockstepTestServer -Port 0 -Feed ODataDelta -PageSize 2
        $steps = Test-LockstepDialect $server

        $steps.Purpose | Should -Be Snapshot, Snapshot
        $steps.Status | Should -Be 200, 200
        $steps.Items | Should -Be 2, 1
        $steps.Place | Should -Be value, value
        $steps.FirstKey | Should -Be u1, u3
        $steps[0].FirstRecord | ConvertFrom-Json | ForEach-Object n | Should -Be 1.5
        $steps[0].Next, $steps[1].Next | Should -Not -Be $null, $null
        $steps[0].Cursor | Should -BeNullOrEmpty
        $steps[1].Cursor | Should -BeLike 'http*'
        $steps.IsUpToDate | Should -Be $false, $true
        $steps[0].FirstOrder | Should -BeNullOrEmpty
        Get-LockstepTable | Where-Object Feed -eq $server.FeedUri | Should -BeNullOrEmpty
    }

    It 'shows the order, and the largest value as the cursor' {
        $dialect = @{ From = 'Rest'; Key = 'sku'; OrderBy = '/at/v'; Cursor = 'max:/at/v'; CursorType = 'Number'; Next = $null }
        $server = 7, 9, 5 | ForEach-Object { @{ id = $_; sku = "s$_"; at = @{ v = $_ } } } | Start-LockstepTestServer -Port 0 -Feed Rest
        $step = Test-LockstepDialect $server -Dialect $dialect

        $step.FirstKey, $step.FirstOrder, $step.Cursor, $step.IsUpToDate | Should -Be s7, '7', '9', $true
    }

    It 'shows what arrives of a stream' {
        $server = 1..2 | ForEach-Object { @{ id = "e$_"; meta = @{ id = "m$_" } } } | Start-LockstepTestServer -Port 0 -Feed EventStream
        $steps = @(Test-LockstepDialect $server -KeyProperty /meta/id)

        ($steps | Measure-Object Items -Sum).Sum | Should -BeGreaterOrEqual 2
        $steps[0].FirstKey, $steps[0].Purpose, $steps[0].Status | Should -Be m1, Snapshot, 200
        $steps[-1].Cursor | Should -Not -BeNullOrEmpty
    }

    It 'shows no more requests than wanted' {
        $server = 1..9 | ForEach-Object { @{ id = "u$_" } } | Start-LockstepTestServer -Port 0 -Feed ODataDelta -PageSize 1
        Test-LockstepDialect $server -MaximumRequestCount 2 | Should -HaveCount 2
    }

    It 'refuses a secret in a dialect and says where it goes' {
        $said = { Test-LockstepDialect $uri @{ From = 'Rest'; Query = @{ api_key = '0123456789abcdef' } } -ErrorAction Stop }
        $said | Should -Throw -ErrorId 'DialectFormat*' -ExpectedMessage "*'api_key' looks like a secret*"
        try { & $said } catch { $_.ErrorDetails.RecommendedAction | Should -BeLike '*-Query, -Token or -TokenProvider*' }
    }
}

Describe 'A key within the record' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'is one of events too, and a property to read by' {
        $server = 1..2 | ForEach-Object { @{ id = "e$_"; meta = @{ id = "m$_"; n = $_ } } } |
            Start-LockstepTestServer -Port 0 -Feed EventStream
        ($server | Sync-LockstepTable -Path TestDrive:/events.db -KeyProperty /meta/id).Added | Should -Be 2
        (Get-LockstepRecord -Path TestDrive:/events.db -Key m2).id | Should -Be e2
        $record = Get-LockstepRecord -Path TestDrive:/events.db -Filter "`"/meta/id`" = 'm1'" -Property /meta/n, id
        $record.n, $record.id | Should -Be 1, e1
    }
}
