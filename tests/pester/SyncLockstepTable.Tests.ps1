BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    $quick = @{ SettleSec = 0.2 }

    function Start-Feed([object[]] $Record) { Start-LockstepTestServer -Port 0 -Feed Scripted -Record $Record }
    function New-Record($Id, $At, [hashtable] $More = @{}) {
        [pscustomobject]([ordered]@{ id = $Id; updated_at = $At; deleted_at = $null } + $More)
    }
}

Describe 'Sync-LockstepTable' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'brings a table file in sync with the reference feed, and goes on from its cursor' {
        $server = Start-LockstepTestServer -Port 0
        $first = Sync-LockstepTable -Uri $server.FeedUri -Disk
        $first | Should -BeOfType Lockstep.SyncResult
        $first.Table, $first.Cursor, $first.Added, $first.EndReason | Should -Be servers, 1004, 5, Settled
        $first.Path | Should -Be (Join-Path (Get-Location).ProviderPath servers.db)
        $first.Received | Should -Be ($first.Added + $first.Unchanged)
        (Get-LockstepRecord).id | Should -Be 123, 124, 125, 126, 127
        (Get-LockstepRecord | Where-Object port -GT 1234).port | Should -Be 1235, 1236, 1237, 1238

        $second = $server | Sync-LockstepTable -Disk
        $second.Path | Should -Be $first.Path
        $second.Added + $second.Updated + $second.Deleted | Should -Be 0
    }

    It 'ends with a finite feed, and keeps a tombstone' {
        $result = Start-LockstepTestServer -Port 0 -Feed Finite | Sync-LockstepTable -Disk
        $result.EndReason, $result.Added, $result.Deleted | Should -Be EndOfFeed, 1, 1
        (Get-LockstepRecord).id | Should -Be 123
        (Get-LockstepTable).Tombstones | Should -Be 1
    }

    It 'tells with -Debug what the engine logs, and nothing of it twice' {
        $server = Start-Feed (New-Record 1 10)
        $session = New-Session
        try {
            $session.Runspace.SessionStateProxy.SetVariable('server', $server)
            Invoke-Session $session { $DebugPreference = $VerbosePreference = 'Continue'
            $null = Sync-LockstepTable $server.FeedUri -Table t -SettleSec 0.2 }
            $debug = @($session.Streams.Debug.Message)
            $debug | Where-Object { $_ -like 'The table t in * begins to sync from * at cursor 0.' } | Should -HaveCount 1
            $debug | Where-Object { $_ -like 'Committed up to cursor 10: 1 added*' } | Should -Not -BeNullOrEmpty
            @($session.Streams.Verbose.Message) -like 'Connected to*' | Should -HaveCount 1
            $debug -like 'Connected to*' | Should -BeNullOrEmpty
        }
        finally { $session.Dispose() }
    }

    Context 'where the table is kept' {
        BeforeEach { $server = Start-Feed (New-Record 1 10) }

        It 'is the session, without -Disk: seen in the whole process, and in no file here' {
            $result = $server | Sync-LockstepTable @quick
            Get-ChildItem | Should -BeNullOrEmpty
            (Get-LockstepTable).IsSession | Should -BeTrue
            $session = New-Session
            try { Invoke-Session $session { (Get-LockstepRecord -Table servers).id } | Should -Be 1 } finally { $session.Dispose() }
            $result.Path | Should -Exist
        }

        It 'is a file with -Path, relative to the current location' {
            $null = New-Item sub -ItemType Directory
            ($server | Sync-LockstepTable -Path sub/x.db @quick).Path | Should -Be (Join-Path (Get-Location).ProviderPath sub x.db)
            (Get-LockstepTable -Path sub/x.db).Name | Should -Be servers
        }

        It 'may have brackets in its name' {
            $null = $server | Sync-LockstepTable -LiteralPath 'a[1].db' @quick
            (Get-LockstepTable -LiteralPath 'a[1].db').Rows | Should -Be 1
            (Get-LockstepTable -LiteralPath 'a[1].db' | Get-LockstepRecord).id | Should -Be 1
            (Get-LockstepTable -LiteralPath 'a[1].db' | Sync-LockstepTable @quick).Added | Should -Be 0
        }

        It 'is named by -Table' {
            ($server | Sync-LockstepTable -Table mine -Disk @quick).Path | Should -BeLike '*mine.db'
            (Get-LockstepTable).Name | Should -Be mine
        }

        It 'is called lockstep where the URI names nothing' {
            $reference = Start-LockstepTestServer -Port 0
            (Sync-LockstepTable $reference.Uri @quick).Table | Should -Be lockstep
        }
    }

    Context 'key and order' {
        It 'takes id as the key where there is one, without a word' {
            $null = Start-Feed ([pscustomobject]@{ name = 'x'; id = 7; updated_at = 1 }) |
                Sync-LockstepTable -Disk @quick -WarningVariable warnings
            (Get-LockstepTable).KeyProperty | Should -Be id
            $warnings | Should -BeNullOrEmpty
        }

        It 'takes the first field else, and warns once' {
            $null = Start-Feed ([pscustomobject]@{ name = 'x'; updated_at = 1 }), ([pscustomobject]@{ name = 'y'; updated_at = 2 }) |
                Sync-LockstepTable -Disk @quick -WarningVariable warnings -WarningAction SilentlyContinue
            (Get-LockstepTable).KeyProperty | Should -Be name
            $warnings | Should -HaveCount 1
            $warnings[0] | Should -BeLike "*'name'*"
        }

        It 'takes several fields as the key, and another order field' {
            $null = Start-Feed '{"a":1,"b":"x","v":5}', '{"a":1,"b":"y","v":6}' |
                Sync-LockstepTable -KeyProperty a, b -OrderBy v -Disk @quick
            $table = Get-LockstepTable
            $table.KeyProperty | Should -Be a, b
            $table.OrderBy | Should -Be v
            $table.Cursor | Should -Be 6
            (Get-LockstepRecord -Key (, (1, 'y'))).v | Should -Be 6
        }

        It 'reads the transaction dialect' {
            $null = Start-Feed '{"txid":10,"current_xmin":12,"since":10,"deleted":false,"data":{"name":"a","n":1}}',
                '{"txid":11,"current_xmin":12,"since":11,"deleted":true,"data":{"name":"b","n":2}}' |
                Sync-LockstepTable -KeyProperty name -Disk @quick
            (Get-LockstepTable).Dialect | Should -Be Transaction
            Get-LockstepRecord -Raw | Should -Be '{"name":"a","n":1}'
        }
    }

    Context 'script blocks' {
        BeforeEach { $server = Start-Feed (New-Record 1 10), (New-Record 2 20), '{"id":1,"updated_at":30,"deleted_at":30}' }

        It 'shows each record to -Callback when it is committed, and discards its output' {
            $seen = [System.Collections.Generic.List[object]]::new()
            $result = $server | Sync-LockstepTable -Disk @quick -Callback {
                $seen.Add([pscustomobject]@{ Id = $_.id; At = $_.updated_at; Type = $_.pstypenames[0] }); 'noise'
            }
            $result | Should -BeOfType Lockstep.SyncResult
            $seen.Id | Should -Be 1, 2, 1
            $seen.At | Should -Be 10, 20, 30
            $seen[0].Type | Should -Be 'Lockstep.Record#servers'
        }

        It 'ends with an error that -Callback throws; what was committed stays' {
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk @quick -Callback { throw 'no more' } -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'Callback,*'
            $failure.Exception.Message | Should -BeLike '*record 1*no more*'
            (Get-LockstepTable).Rows | Should -BeGreaterThan 0
        }

        It 'stores what -Transform puts out; tombstones bypass it' {
            $script:called = 0
            $null = $server | Sync-LockstepTable -Disk @quick -Transform { $script:called++; $_ | Add-Member Extra "x$($_.id)"; $_ }
            $called | Should -Be 2
            Get-LockstepRecord -Raw | Should -Be '{"id":2,"updated_at":20,"deleted_at":null,"Extra":"x2"}'
            (Get-LockstepTable).Fields | Should -Contain Extra
        }

        It 'leaves a tombstone where -Transform puts out nothing' {
            $null = $server | Sync-LockstepTable -Disk @quick -Transform { if ($_.id -eq 1) { $_ } }
            Get-LockstepRecord | Should -BeNullOrEmpty
            (Get-LockstepTable).Tombstones | Should -Be 2
        }

        It 'gives fields that had to be renamed their names back' {
            $null = Start-Feed '{"id":1,"updated_at":1,"A":1,"a":2}' |
                Sync-LockstepTable -Table other -Disk @quick -WarningAction SilentlyContinue -Transform { $_.a_2 = 3; $_ }
            Get-LockstepRecord other -Raw | Should -BeExactly '{"id":1,"updated_at":1,"A":1,"a":3}'
        }

        It 'refuses a -Transform that <name>' -ForEach @(
            @{ name = 'puts out two objects'; script = { $_; $_ }; message = '*2 objects*' }
            @{ name = 'puts out null'; script = { , $null }; message = '*nothing*' }
            @{ name = 'puts out a text'; script = { 'x' }; message = '*a string*' }
            @{ name = 'changes the key'; script = { $_.id = 99; $_ }; message = '*another key*' }
            @{ name = 'throws'; script = { throw 'broken' }; message = '*broken*' }
        ) {
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk @quick -Transform $script -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'Transform,*'
            $failure.Exception.Message | Should -BeLike $message
            # Nothing was committed, so there is no table.
            Get-LockstepTable | Should -BeNullOrEmpty
        }
    }

    Context 'changes' {
        It 'puts out changes with -PassThru, and the result into -ResultVariable' {
            $changes = Start-Feed (New-Record 1 10), (New-Record 2 20) | Sync-LockstepTable -Disk @quick -PassThru -ResultVariable outcome
            $changes | Should -BeOfType Lockstep.Change
            $changes.Kind | Should -Be Added, Added
            $changes.Key | Should -Be 1, 2
            $changes[1].Sequence | Should -BeGreaterThan $changes[0].Sequence
            $changes[0].Record.updated_at | Should -Be 10
            $outcome.Added | Should -Be 2
        }

        It 'puts out each version with -EveryChange, and the newest of each commit without' {
            $server = Start-Feed '{"id":1,"updated_at":1}', '{"id":1,"updated_at":2}', '{"id":1,"updated_at":3,"deleted_at":3}'
            $every = $server | Sync-LockstepTable -Table every -Disk @quick -EveryChange
            $every.Kind | Should -Be Added, Updated, Deleted
            $newest = $server | Sync-LockstepTable -Table newest -Disk @quick -PassThru
            $newest.Count | Should -BeLessOrEqual 3
            ($newest | Select-Object -Last 1).Kind | Should -Be Deleted
        }

        It 'closes the connection at once for Select-Object -First 1, and loses nothing of what was committed' {
            $server = Start-LockstepTestServer -Port 0
            $change = $server | Sync-LockstepTable -Disk -PassThru -ResultVariable outcome | Select-Object -First 1
            $outcome.EndReason | Should -Be Stopped
            $rest = @(Get-LockstepRecord -Since $change.Sequence)
            1 + $rest.Count | Should -Be (Get-LockstepTable).Rows
            (Get-LockstepTable).Writer | Should -BeNullOrEmpty
        }

        It 'leaves the result in -ResultVariable also when it fails' {
            Sync-LockstepTable http://127.0.0.1:1/servers/ -Disk -ResultVariable outcome -ErrorAction SilentlyContinue
            $outcome.EndReason | Should -Be Failed
        }
    }

    Context 'following' {
        It 'goes on for -FollowFor, and gets what is added meanwhile' {
            $server = Start-Feed (New-Record 1 10)
            $added = $false
            $changes = $server | Sync-LockstepTable -Disk -PassThru -FollowFor 1.5 -ResultVariable outcome | ForEach-Object {
                $_
                if (-not $added) { $added = $true; New-Record 2 20 | Add-LockstepTestRecord -Server $server }
            }
            $changes.Key | Should -Be 1, 2
            $outcome.EndReason | Should -Be TimeElapsed
        }

        It 'takes numbers and times for -FollowFor' -ForEach 0.1, '0.1', ([timespan]'0:0:0.1'), '0:0:0.1' {
            (Start-Feed (New-Record 1 10) | Sync-LockstepTable -FollowFor $_).EndReason | Should -Be TimeElapsed
        }

        It 'I10: stops at once when told to, also while the feed says nothing' {
            $silent = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
            $silent.Start()
            $session = New-Session
            try {
                $session.Commands.Clear()
                $null = $session.AddCommand('Sync-LockstepTable').AddParameter('Uri',
                    "http://127.0.0.1:$($silent.LocalEndpoint.Port)/servers/").AddParameter('Follow')
                $running = $session.BeginInvoke()
                $client = $silent.AcceptTcpClient()
                $stopped = $session.BeginStop($null, $null)
                $stopped.AsyncWaitHandle.WaitOne(5000) | Should -BeTrue
                $running.AsyncWaitHandle.WaitOne(5000) | Should -BeTrue
                $client.Dispose()
            }
            finally { $session.Dispose(); $silent.Stop() }
        }
    }

    Context 'several feeds' {
        It 'syncs what a CSV file names, and an error of one does not end the others' {
            $one = Start-Feed (New-Record 1 10)
            $two = Start-Feed (New-Record 2 20)
            @"
Uri,Table,KeyProperty,OrderBy
$($one.FeedUri),one,,
http://127.0.0.1:1/nobody/,none,,
$($two.FeedUri),two,id,updated_at
"@ | Set-Content feeds.csv
            $results = Import-Csv feeds.csv |
                Sync-LockstepTable -Disk @quick -ErrorVariable failures -ErrorAction SilentlyContinue -ResultVariable all
            $results.Table | Should -Be one, two
            $failures | Should -HaveCount 1
            $failures[0].FullyQualifiedErrorId | Should -BeLike 'FeedUnreachable,*'
            $failures[0].TargetObject | Should -Be 'http://127.0.0.1:1/nobody/'
            $all.EndReason | Should -Be Settled, Failed, Settled
            (Get-LockstepTable one, two).Rows | Should -Be 1, 1
        }

        It 'goes on with what Get-LockstepTable lists' {
            $null = Start-Feed (New-Record 1 10) | Sync-LockstepTable -Disk @quick
            $null = Start-Feed (New-Record 1 10) | Sync-LockstepTable -Table other @quick
            (Get-LockstepTable | Sync-LockstepTable @quick).Table | Sort-Object | Should -Be other, servers
        }
    }

    Context 'events and progress' {
        It 'tells of the connection on the information stream, tagged Lockstep' {
            $null = Start-LockstepTestServer -Port 0 -Feed Finite | Sync-LockstepTable -InformationVariable events
            $events.Tags | Select-Object -Unique | Should -Be Lockstep
            $events.MessageData | Should -BeOfType Lockstep.FeedEvent
            $events.MessageData.Kind | Should -Be Connect, Disconnect
        }

        It 'shows progress also while nothing arrives' {
            $session = New-Session
            try {
                $feed = (Start-Feed (New-Record 1 10)).FeedUri
                $session.Commands.Clear()
                $null = $session.AddCommand('Sync-LockstepTable').AddParameter('Uri', $feed).AddParameter('FollowFor', 1.5).Invoke()
                $shown = @($session.Streams.Progress | Where-Object RecordType -EQ Processing)
                $shown.Count | Should -BeGreaterThan 2
                $shown.Count | Should -BeLessOrEqual 7
                $shown[-1].StatusDescription | Should -BeLike '*1 records*'
                $session.Streams.Progress[-1].RecordType | Should -Be Completed
            }
            finally { $session.Dispose() }
        }
    }

    Context 'requests' {
        BeforeAll {
            # What a sync with these parameters asks for, on a free port; and the session in which it ran.
            function Get-RequestOf([hashtable] $Parameters) {
                $free = Start-LockstepTestServer -Port 0
                $free | Stop-LockstepTestServer
                $listener = [System.Net.HttpListener]::new()
                $listener.Prefixes.Add("http://127.0.0.1:$($free.Port)/")
                $listener.Start()
                $session = New-Session
                try {
                    $Parameters.Uri = $Parameters.Uri -replace '127.0.0.1', "127.0.0.1:$($free.Port)"
                    $Parameters.ResultVariable = 'outcome'
                    $Parameters.Table = "at$($free.Port)"
                    $session.Commands.Clear()
                    $running = $session.AddCommand('Sync-LockstepTable').AddParameters($Parameters).BeginInvoke()
                    $asked = $listener.GetContextAsync()
                    if (-not $asked.Wait(20000)) { throw "Nothing was asked for: $($session.Streams.Error)" }
                    $context = $asked.Result
                    $context.Response.Close([byte[]][char[]]'{"id":1,"updated_at":1}', $true)
                    $null = $session.EndInvoke($running)
                    $context.Request, $session
                }
                finally { $listener.Stop() }
            }
        }

        It 'puts the cursor into the query with further options' {
            $request, $session = Get-RequestOf @{ Uri = 'http://user:hunter2@127.0.0.1/feed/'; CursorStyle = 'Query'; Since = '998'
            Query = @{ key = 'a b' }; Headers = @{ 'X-Mine' = 'yes' } }
            $request.RawUrl | Should -Be '/feed/?since=998&key=a%20b'
            $request.Headers['X-Mine'] | Should -Be yes
            $request.Headers['Authorization'] | Should -Be "Basic $([Convert]::ToBase64String([byte[]][char[]]'user:hunter2'))"
            $said = $session.Streams.Verbose, $session.Streams.Information, $session.Streams.Error,
                ($session.Runspace.SessionStateProxy.GetVariable('outcome') | Format-List | Out-String)
            "$said" | Should -Not -Match hunter2
            $session.Runspace.SessionStateProxy.GetVariable('outcome').Uri.UserInfo | Should -BeNullOrEmpty
        }

        It 'sends -Credential, or -Token before it' {
            $credential = [pscredential]::new('me', (ConvertTo-SecureString p:w -AsPlainText -Force))
            $request, $null = Get-RequestOf @{ Uri = 'http://127.0.0.1/feed/'; Credential = $credential }
            $request.Headers['Authorization'] | Should -Be "Basic $([Convert]::ToBase64String([byte[]][char[]]'me:p:w'))"
            $request, $null = Get-RequestOf @{ Uri = 'http://127.0.0.1/feed/'; Credential = $credential
            Token = ConvertTo-SecureString t0k3n -AsPlainText -Force }
            $request.Headers['Authorization'] | Should -Be 'Bearer t0k3n'
        }
    }

    Context '-WhatIf' {
        It 'names feed and file, opens no connection and creates nothing' {
            $server = Start-Feed (New-Record 1 10)
            $text = Invoke-Quietly { $server | Sync-LockstepTable -Disk -WhatIf }
            $text | Should -BeLike "*$($server.FeedUri)*servers.db*"
            $server.RequestCount | Should -Be 0
            Get-ChildItem | Should -BeNullOrEmpty
            Get-LockstepTable | Should -BeNullOrEmpty
        }
    }

    Context 'bad input' {
        BeforeAll {
            $script:refused = @{ ErrorAction = 'Stop'; SettleSec = 0.2 }
        }

        It 'is one clear error: <name>' -ForEach @(
            @{ name = 'nobody listens'; command = { Sync-LockstepTable http://127.0.0.1:1/servers/ -Disk @refused }
            id = 'FeedUnreachable'; category = 'ConnectionError' }
            @{ name = 'the feed is not there'; command = {
                $s = Start-LockstepTestServer -Port 0 -Feed Finite; Sync-LockstepTable "$($s.Uri)nothing/" -Disk @refused
            }; id = 'FeedStatus'; category = 'ObjectNotFound' }
            @{ name = 'a URI that is none'; command = { Sync-LockstepTable servers -Disk @refused }; id = 'InvalidOption'
            category = 'InvalidArgument' }
            @{ name = 'a record without the key'; command = {
                Start-Feed '{"updated_at":1}' | Sync-LockstepTable -KeyProperty id -Disk @refused
            }; id = 'MalformedRecord'; category = 'InvalidData' }
            @{ name = 'a record without the order field'; command = { Start-Feed '{"id":1}' | Sync-LockstepTable -Disk @refused }
            id = 'MalformedRecord'; category = 'InvalidData' }
            @{ name = 'a file that is no database'
            command = { Set-Content x.db ('x' * 5000); Start-Feed '{"id":1,"updated_at":1}' | Sync-LockstepTable -Path x.db @refused }
            id = 'TableFile'; category = 'OpenError' }
            @{ name = 'a folder that is not there'
            command = { Start-Feed '{"id":1,"updated_at":1}' | Sync-LockstepTable -Path nowhere/x.db @refused }; id = 'TableFile'
            category = 'OpenError' }
            @{ name = 'a path of another provider'
            command = { Start-Feed '{"id":1,"updated_at":1}' | Sync-LockstepTable -Path Env:/x @refused }; id = 'PathProvider'
            category = 'InvalidArgument' }
            @{ name = 'two paths'; command = { Start-Feed '{"id":1,"updated_at":1}' |
                Sync-LockstepTable -Path a.db -LiteralPath b.db @refused }; id = 'InvalidOption'; category = 'InvalidArgument' }
            @{ name = 'a name that cannot be a table'
            command = { Start-Feed '{"id":1,"updated_at":1}' | Sync-LockstepTable -Table a/b @refused }; id = 'InvalidOption'
            category = 'InvalidArgument' }
            @{ name = 'a table of another feed'; command = {
                Start-Feed (New-Record 1 1) | Sync-LockstepTable -Disk @refused; Start-Feed (New-Record 1 1) |
                    Sync-LockstepTable -Disk @refused
            }; id = 'TableMismatch'; category = 'InvalidArgument' }
            @{ name = 'a table with another key'; command = {
                $s = Start-Feed (New-Record 1 1); $s | Sync-LockstepTable -Disk @refused; $s |
                    Sync-LockstepTable -Disk -KeyProperty ip @refused
            }; id = 'TableMismatch'; category = 'InvalidArgument' }
            @{ name = 'credentials over plain http'
            command = { Sync-LockstepTable http://user:hunter2@192.0.2.1/servers/ -Disk @refused }; id = 'InsecureCredentials'
            category = 'SecurityError' }
        ) {
            $failure = Get-ErrorOf $command
            $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
            $failure.CategoryInfo.Category | Should -Be $category
            $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
            "$failure $($failure.Exception)" | Should -Not -Match hunter2
        }

        It 'keeps what was committed before a wrong record, and sets it aside with -MalformedRecord Quarantine' {
            $server = Start-Feed '{"id":1,"updated_at":1}', '{"id":2}', '{"id":3,"updated_at":3}'
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk @refused }
            $failure.Exception.Message | Should -BeLike '*byte 24*{"id":2}*'
            (Get-LockstepRecord).id | Should -Be 1
            ($server | Sync-LockstepTable -Disk @refused -MalformedRecord Quarantine).Malformed | Should -Be 1
            (Get-LockstepRecord).id | Should -Be 1, 3
            (Get-LockstepTable).Quarantined | Should -Be 1
        }

        It 'refuses a second sync of a file that is being written' {
            $server = Start-Feed (New-Record 1 10)
            $failure = $server | Sync-LockstepTable -Disk -PassThru -FollowFor 20 | ForEach-Object {
                Get-ErrorOf { $server | Sync-LockstepTable -Disk @refused }
            } | Select-Object -First 1
            $failure.FullyQualifiedErrorId | Should -BeLike 'TableBusy,*'
            $failure.CategoryInfo.Category | Should -Be ResourceBusy
        }
    }
}
