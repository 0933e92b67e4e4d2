# What the module says of its own accord: warnings, what to type next, and what fits on a screen of 80 columns.

BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force

    # A server of plain text, which answers the same each time.
    function Start-Text([string] $Body, [string] $Type = 'application/json', [switch] $NoLength) {
        $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
        $listener.Start()
        $job = Start-ThreadJob -ArgumentList $listener, $Body, $Type, $NoLength {
            param($listener, $body, $type, $noLength)
            while ($true) {
                try { $client = $listener.AcceptTcpClient() } catch { return }
                try {
                    $stream = $client.GetStream()
                    $head = ''
                    $one = [byte[]]::new(1)
                    while (-not $head.EndsWith("`r`n`r`n") -and $stream.Read($one, 0, 1) -gt 0) { $head += [char] $one[0] }
                    $bytes = [System.Text.Encoding]::UTF8.GetBytes($body)
                    $length = $noLength ? '' : "Content-Length: $($bytes.Length)`r`n"
                    $answer = [System.Text.Encoding]::ASCII.GetBytes(
                        "HTTP/1.1 200 OK`r`nConnection: close`r`nContent-Type: $type`r`n$length`r`n")
                    $stream.Write($answer, 0, $answer.Length)
                    $stream.Write($bytes, 0, $bytes.Length)
                    $client.Client.Shutdown('Send')
                }
                catch { $null = $_ }
                finally { $client.Dispose() }
            }
        }
        [pscustomobject]@{ Uri = "http://127.0.0.1:$($listener.LocalEndpoint.Port)/servers/"; Listener = $listener; Job = $job }
    }

    function Stop-Text($Server) {
        $Server.Listener.Stop()
        $Server.Job | Wait-Job | Remove-Job
    }

    function Show-Narrow($Object) { $Object | Out-String -Width 80 }
}

Describe 'What a user is told' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'says what to type for the members of groups, and a table keeps how it is read' {
        function Get-Members([string] $Filter) { (Get-LockstepRecord groups.members -Filter $Filter).id }
        $server = @{ id = 'g1'; displayName = 'Ops'; 'members@delta' = @{ id = 'u1' }, @{ id = 'u2' }, @{ id = 'u3' } },
            @{ id = 'g2'; 'members@delta' = @(@{ id = 'u1' }) } |
            Start-LockstepTestServer -Port 0 -Feed ODataDelta -FeedPath /v1.0/groups/delta -PageSize 2
        $null = Sync-LockstepTable $server.FeedUri -Disk -WarningVariable told -WarningAction SilentlyContinue
        "$told" | Should -BeLike "*with -Table 'groups.members' -Dialect ODataDelta:members@delta too."

        $seen = Test-LockstepDialect $server.FeedUri ODataDelta:members@delta
        $seen[0].FirstRecord | Should -Be '{"parentId":"g1","id":"u1"}'
        # The name may be left out: what the groups are in is another table.
        $members = @{ From = 'ODataDelta'; Children = 'members@delta' }
        $first = Sync-LockstepTable $server.FeedUri -Dialect $members -Disk -WarningVariable told
        $first.Table, $first.Added, "$told" | Should -Be groups.members, 4, ''
        Get-Members "parentId = 'g1'" | Should -Be u1, u2, u3
        (Get-LockstepRecord groups.members -Key @(, @('g2', 'u1')) -Property parentId, id).parentId | Should -Be g2

        @{ id = 'g1'; 'members@delta' = @{ id = 'u4' }, @{ id = 'u1'; '@removed' = @{ reason = 'deleted' } } } | Add-LockstepTestRecord
        @{ id = 'g2' } | Add-LockstepTestRecord -Removed
        $changes = Sync-LockstepTable -Table groups.members -PassThru
        $changes.ForEach{ "$($_.Kind) $($_.Key -join '/')" } | Should -Be 'Added g1/u4', 'Deleted g1/u1', 'Deleted g2/u1'
        $null = $server | Add-LockstepTestFault -Kind CursorExpired -Times 1
        (Sync-LockstepTable -Table groups.members).Unchanged | Should -Be 3
        Get-Members "parentId like 'g%'" | Should -Be u2, u3, u4
        (Get-LockstepTable 'groups*').Count | Should -Be 2
        $wrong = Get-ErrorOf { Sync-LockstepTable $server.FeedUri -Table groups -Disk -Dialect ODataDelta:members@delta }
        $wrong.Exception.Message | Should -BeLike "The key of the table 'groups' in * is 'id', not 'parentId, id'."
        Export-LockstepTable groups.members members.csv
        (Import-Csv members.csv).id | Should -Be u2, u3, u4
        (Get-LockstepTable groups.members | Sync-LockstepTable).Outcome | Should -Be Complete
        (Get-LockstepTable groups.members | Sync-LockstepTable -Dialect ODataDelta:members@delta).Outcome | Should -Be Complete
        $key = (Get-LockstepTable groups.members).KeyProperty
        (Sync-LockstepTable -Table groups.members -KeyProperty $key).Outcome | Should -Be Complete
    }

    It 'warns once for each table of what looks like a mark of deletion' {
        $server = Start-Text '[{"id":1,"deleted_at":"2026-01-01"}]'
        try {
            $null = Sync-LockstepTable $server.Uri -Dialect Rest -Disk -WarningVariable first -WarningAction SilentlyContinue
            $null = Sync-LockstepTable -Table servers -WarningVariable second -WarningAction SilentlyContinue
            $null = Test-LockstepTable servers -WarningVariable third -WarningAction SilentlyContinue
            "$first" | Should -BeLike "*'deleted_at'*"
            "$second$third" | Should -Not -BeLike "*'deleted_at'*"
        }
        finally { Stop-Text $server }
    }

    It 'warns of an incomplete result' {
        $server = Start-Text "{`"id`":1,`"updated_at`":1,`"deleted_at`":null}`n" -NoLength
        try {
            $result = Sync-LockstepTable $server.Uri -WarningVariable warned -WarningAction SilentlyContinue
            $result.Outcome | Should -Be Incomplete
            "$warned" | Should -BeLike '*may have more*'
        }
        finally { Stop-Text $server }
    }

    It 'says that a first load was cut off, wherever the table is shown or copied' {
        $server = Start-Text "{`"id`":1,`"updated_at`":1,`"deleted_at`":null}`nnonsense`n"
        try {
            $null = Sync-LockstepTable $server.Uri -Disk -ErrorAction SilentlyContinue
            (Get-LockstepTable).IsLoadUnfinished | Should -BeTrue
            Show-Narrow (Get-LockstepTable) | Should -BeLike '*Unfinished*'
            foreach ($script in { Get-LockstepRecord servers }, { Export-LockstepTable servers -Destination t.csv },
                { Backup-LockstepTable servers -Destination copy.db }) {
                "$(& $script 3>&1 2>$null | Where-Object { $_ -is [System.Management.Automation.WarningRecord] })" |
                    Should -BeLike "*first load of 'servers' has not ended*"
                Remove-Item t.csv, copy.db -ErrorAction Ignore
            }
        }
        finally { Stop-Text $server }
    }

    It 'shows the outcome of a sync on 80 columns' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        $result = $server | Sync-LockstepTable
        foreach ($width in 79, 80) {
            foreach ($shown in ($result | Out-String -Width $width), ($result | Format-Table | Out-String -Width $width)) {
                @($shown.Trim() -split '\r?\n').Count | Should -Be 3 -Because "no header wraps at $width columns"
                $shown | Should -Match " Duration *\r?\n"
                $shown | Should -Match ' \d\d:\d\d:\d\d\.\d{3} *\r?\n'
            }
        }

        $shown = Show-Narrow $result
        $shown | Should -BeLike '*Outcome*Complete*'
        # No column is squeezed: the last one is there in full, and the others are left out.
        $shown | Should -Match ' Duration *\r?\n'
        $shown | Should -Match ' \d\d:\d\d:\d\d\.\d{3} *\r?\n'
        $result | Out-String -Width 120 | Should -Match " 00:\S+ +\d+ +0 $($result.Cursor) *\r?\n"
    }

    It 'syncs a table from the pipeline as the table knows its feed, in whatever dialect' {
        $server = Start-Text '[{"key":"a"},{"key":"b"}]'
        try {
            $null = Sync-LockstepTable $server.Uri -Dialect @{ From = 'Rest'; Key = 'key' } -Disk
            $null = Sync-LockstepTable $server.Uri -Dialect @{ From = 'Rest'; Key = 'key' } -Table mine
            (Get-LockstepTable servers).Dialect | Should -Be custom
            @(Get-LockstepTable | Sync-LockstepTable).Unchanged | Should -Be 2, 2
            $wrong = Get-ErrorOf { Get-LockstepTable servers | Sync-LockstepTable -KeyProperty other -ErrorAction Stop }
            $wrong.Exception.Message | Should -BeLike "*is 'key', not 'other'*"
            # What anything else brings still counts.
            $other = [pscustomobject]@{ Uri = $server.Uri; Table = 'servers'; Disk = $true; KeyProperty = 'other' }
            (Get-ErrorOf { $other | Sync-LockstepTable -ErrorAction Stop }).Exception.Message | Should -BeLike "*not 'other'*"
        }
        finally { Stop-Text $server }
    }

    It 'syncs a table without a URI with the feed that it belongs to, and says which' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        $null = $server | Sync-LockstepTable -Disk
        $null = $server | Sync-LockstepTable -Table other
        foreach ($own in @{ Table = 'servers' }, @{ Path = './servers.db' }, @{ LiteralPath = './servers.db' },
            @{ Table = 'other' }, @{ Table = 'servers'; Disk = $true }) {
            $result = Sync-LockstepTable @own
            $result.Uri | Should -Be $server.FeedUri
            $result.Table | Should -Be ($own.Table ?? 'servers')
        }

        @(Get-LockstepTable | Sync-LockstepTable).Table | Should -Be other, servers
        Test-Path other.db | Should -BeFalse
        $told = Sync-LockstepTable -Table servers -WhatIf 6>&1 | Out-String
        $told | Should -BeNullOrEmpty
    }

    It 'says what to type when a table to sync has no feed, is not there, or is given for one' {
        @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table own | Out-Null
        $without = Get-ErrorOf { Sync-LockstepTable -Table own -ErrorAction Stop }
        $missing = Get-ErrorOf { Sync-LockstepTable -Table nosuch -ErrorAction Stop }
        $nothing = Get-ErrorOf { Sync-LockstepTable -ErrorAction Stop }
        $unset = Get-ErrorOf { Sync-LockstepTable -Uri $null -Table own -ErrorAction Stop }
        "$unset" | Should -Be '-Uri is empty.'
        $asUri = Get-ErrorOf { Sync-LockstepTable own -ErrorAction Stop }
        $without.ErrorDetails.RecommendedAction | Should -BeLike '*Sync-LockstepTable -Uri <URI> -Table own*'
        $missing.FullyQualifiedErrorId | Should -BeLike 'TableNotFound,*'
        $missing.ErrorDetails.RecommendedAction | Should -BeLike '*-Uri*'
        $nothing.ErrorDetails.RecommendedAction | Should -BeLike '*-Uri*-Table*'
        $asUri.ErrorDetails.RecommendedAction | Should -BeLike '*-Table own*'
    }

    It 'warns of the unknown field that a JSON Pointer begins with' {
        @{ id = 1; updated_at = 1; inner = @{ a = 2 } } | Import-LockstepTable -Table own | Out-Null
        $null = Get-LockstepRecord own -Property id, /inner/a -WarningVariable known -WarningAction SilentlyContinue
        $null = Get-LockstepRecord own -Property id, /a/b -WarningVariable unknown -WarningAction SilentlyContinue
        $known | Should -BeNullOrEmpty
        "$unknown" | Should -BeLike "*'/a/b'*The fields are*id*"
    }

    It 'keeps the names of parameters in the code to itself' {
        $null = Start-LockstepTestServer -Port 0
        foreach ($script in { Add-LockstepTestFault -Kind Cutt }, { Add-LockstepTestFault -Kind Stall -Duration -5 },
            { Add-LockstepTestFault -Kind Drip -Bytes 0 }, { Set-LockstepVariable '' 1 }, { Set-LockstepVariable ('x' * 9999) 1 },
            { Set-LockstepVariable a 1 -Tick 0.0001 }, { Start-LockstepTestServer -Port 99999 },
            { Start-LockstepServer -Port 0 -AllowedHost 'a b' },
            { Get-LockstepTestRequest -Server nosuch }, { New-LockstepModel -Name 'a' -Id "`u{d800}" },
            { Invoke-LockstepTestScenario @{ fault = @{ kind = 'Cutt' } } }) {
            "$(Get-ErrorOf { & $script -ErrorAction Stop })" | Should -Not -BeLike '*(Parameter *'
        }
    }

    It 'says in words of its own what a parameter takes' {
        $said = foreach ($script in { Start-LockstepTestServer -Feed Grph }, { Sync-LockstepTable http://localhost/ -Token abc },
            { Sync-LockstepTable http://localhost/ -MalformedRecord Quarntine }, { New-LockstepModel -Kind Modl },
            { Export-LockstepTable x y -Format Exel }, { Sync-LockstepTable http://localhost/ -CursorStyle Pth }) {
            "$(Get-ErrorOf { & $script -ErrorAction Stop })"
        }
        $said | Should -Not -Match 'Lockstep\.|System\.|enumerator|identifier'
        $said[0] | Should -BeLike "*'Grph' is none of Reference,*"
        $said[1] | Should -BeLike '*SecureString*Read-Host*'
        $said[2] | Should -BeLike "*Did you mean 'Quarantine'*"
    }

    It 'names the folder of a model that does not exist' {
        $failure = Get-ErrorOf { New-LockstepModel -Path ./no/m.db -ErrorAction Stop }
        $failure | Should -BeLike "The folder '*no' does not exist."
    }

    It 'says that the first value of a variable waits for the default tick' {
        $first = Set-LockstepVariable banner 'blue' -Store ./flags.db -Tick 1s -WarningVariable warned -WarningAction SilentlyContinue
        "$warned" | Should -BeLike "*'banner' is new*00:00:10*00:00:01*"
        $null = Set-LockstepVariable banner 'red' -Store ./flags.db -Tick 1s -ActiveAt $first.ActiveAt.AddMinutes(1) -WarningVariable again
        $again | Should -BeNullOrEmpty
    }

    It 'gives the commands that show and remove a value that is in the way' {
        $pending = Set-LockstepVariable banner 'blue' -Store ./flags.db -ActiveAt (Get-Date).AddDays(1)
        $wrong = Get-ErrorOf { Set-LockstepVariable banner 'red' -Store ./flags.db -ActiveAt $pending.ActiveAt -ErrorAction Stop }
        $action = $wrong.ErrorDetails.RecommendedAction
        $action | Should -BeLike '*Get-LockstepVariableSchedule banner shows it*'
        $action -match "Remove-LockstepVariable banner -ActiveAt '([^']+)'" | Should -BeTrue
        Remove-LockstepVariable banner -ActiveAt $Matches[1] -Store ./flags.db
        { Set-LockstepVariable banner 'red' -Store ./flags.db -ErrorAction Stop } | Should -Not -Throw
    }

    It 'shows texts of variables without quotes' {
        $null = Set-LockstepVariable banner 'blue' -Store ./flags.db
        foreach ($shown in (Get-LockstepVariable -Store ./flags.db), (Get-LockstepVariableSchedule -Store ./flags.db)) {
            Show-Narrow $shown | Should -BeLike '*blue*'
            Show-Narrow $shown | Should -Not -BeLike '*"*'
        }
    }

    It 'warns that a part of a table is beside its file while a reader holds it' {
        $records = 1..3000 | ForEach-Object { @{ id = $_; updated_at = $_; deleted_at = $null } }
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted -Record $records
        $null = $server | Sync-LockstepTable -Path t.db -WarningVariable first -WarningAction SilentlyContinue
        $reading, $enough = [Threading.ManualResetEventSlim]::new(), [Threading.ManualResetEventSlim]::new()
        $reader = Start-ThreadJob -ArgumentList (Get-Module Lockstep).Path, "$PWD/t.db", $reading, $enough {
            param($module, $path, $reading, $enough)
            Import-Module $module
            Get-LockstepRecord -Path $path | ForEach-Object { $reading.Set(); $enough.Wait() }
        }
        try {
            $reading.Wait([timespan]::FromMinutes(1)) | Should -BeTrue
            @{ id = 1; updated_at = 9000; deleted_at = $null; more = 'x' } | Add-LockstepTestRecord -Server $server
            $null = $server | Sync-LockstepTable -Path t.db -WarningVariable second -WarningAction SilentlyContinue
            "$first" | Should -Not -BeLike '*wal*'
            "$second" | Should -BeLike '*A part of the table is in t.db-wal*'
        }
        finally {
            $enough.Set()
            $reader | Wait-Job | Remove-Job
        }
    }
}
