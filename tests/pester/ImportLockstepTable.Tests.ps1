BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Import-LockstepTable' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'takes objects, hashtables and JSON texts from the pipeline' {
        $result = [pscustomobject]@{ id = 1; updated_at = 1 }, @{ id = 2; updated_at = 2 }, '{"id":3,"updated_at":3}' |
            Import-LockstepTable -Disk
        $result.Table, $result.Added, $result.Cursor, $result.EndReason | Should -Be lockstep, 3, 3, EndOfFeed
        (Get-LockstepRecord).id | Should -Be 1, 2, 3
    }

    It 'says how records that nothing orders are imported, which works' {
        $plain = 1..3 | ForEach-Object { [pscustomobject]@{ id = $_; name = 'a' } }
        $failure = Get-ErrorOf { $plain | Import-LockstepTable -Table plain -Disk -ErrorAction Stop }
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-OrderBy id:*'
        ($plain | Import-LockstepTable -Table plain -Disk -OrderBy id).Added | Should -Be 3
        $null = [pscustomobject]@{ id = 2; name = 'b' } | Import-LockstepTable -Table plain -Disk
        (Get-LockstepRecord plain).name | Should -Be a, b, a
    }

    It 'takes files with one object a line, and names the tables after them' {
        '{"id":1,"updated_at":1}', '', '{"id":2,"updated_at":2}' | Set-Content one.ndjson
        '{"id":3,"updated_at":3}' | Set-Content two.ndjson
        (Import-LockstepTable *.ndjson -Disk).Table | Should -Be one, two
        (Get-LockstepTable one, two).Rows | Should -Be 2, 1
        (Import-LockstepTable -LiteralPath two.ndjson -Destination ./both.db -Table both).Table | Should -Be both
    }

    It 'takes what Export-LockstepTable writes, as <_>' -ForEach ndjson, json {
        $records = '{"id":1,"A":"x","a":2,"b":{"c":[1,",]"]},"t":"07","n":12345678901234567890123,"updated_at":1}',
            '{"id":2,"d":null,"updated_at":2}'
        $null = $records | Import-LockstepTable -Table source -Disk
        Export-LockstepTable source "x.$_"
        $result = Import-LockstepTable "x.$_" -Table copy -Disk
        $result.Added, $result.Outcome, $result.State | Should -Be 2, Complete, Ended
        Get-LockstepRecord copy -Raw | Should -BeExactly $records
    }

    It 'says how a CSV file is imported, in which everything is text' {
        $null = @{ id = 1; updated_at = 5 } | Import-LockstepTable -Table source -Disk
        Export-LockstepTable source x.csv
        $failure = Get-ErrorOf { Import-LockstepTable x.csv -Table copy -Disk -ErrorAction Stop }
        $failure.ErrorDetails.RecommendedAction | Should -BeLike 'Import-Csv * | Import-LockstepTable*'
        (Import-Csv x.csv | Import-LockstepTable -Table copy -Disk).Outcome | Should -Be Complete
        "$(Get-ErrorOf { Import-LockstepTable nope.csv -ErrorAction Stop })" | Should -BeLike 'Could not find file *nope.csv*'
        (Get-LockstepRecord copy).updated_at | Should -Be '5'
        (Get-LockstepRecord copy).updated_at | Should -BeOfType string
    }

    It 'goes by the rules of a feed: the newer record wins, a tombstone removes' {
        $null = '{"id":1,"updated_at":5,"v":"new"}', '{"id":1,"updated_at":3,"v":"old"}', '{"id":2,"updated_at":1}',
            '{"id":2,"updated_at":6,"deleted_at":6}' |
            Import-LockstepTable -WarningAction SilentlyContinue
        Get-LockstepRecord -Raw | Should -Be '{"id":1,"updated_at":5,"v":"new"}'
    }

    It 'takes XML elements, rows of data and switches' {
        $feed = [xml]('<servers><server id="1" updated_at="1"><name>a</name></server>' +
            '<server id="2" updated_at="2"><name>b</name></server></servers>')
        ($feed.servers.server | Import-LockstepTable -Table xml).Added | Should -Be 2
        (Get-LockstepRecord xml).name | Should -Be a, b

        $data = [System.Data.DataTable]::new()
        $null = $data.Columns.Add('id', [int]), $data.Columns.Add('updated_at', [int]), $data.Columns.Add('name', [string])
        $null = $data.Rows.Add(1, 1, 'a'), $data.Rows.Add(2, 2, [DBNull]::Value)
        ($data | Import-LockstepTable -Table data).Added | Should -Be 2
        Get-LockstepRecord data -Raw | Should -Be '{"id":1,"updated_at":1,"name":"a"}', '{"id":2,"updated_at":2,"name":null}'

        $null = [pscustomobject]@{ id = 1; updated_at = 1; up = [switch]$true } | Import-LockstepTable -Table switches
        (Get-LockstepRecord switches).up | Should -BeTrue
    }

    It 'names the property that has no form as JSON' {
        $failure = Get-ErrorOf { [pscustomobject]@{ id = 1; updated_at = 1; clock = [System.Diagnostics.Stopwatch]::new() } |
            Import-LockstepTable -ErrorAction Stop }
        $failure | Should -BeLike "*'clock' is a Stopwatch*"
        $failure = Get-ErrorOf { [xml]'<r/>' | Import-LockstepTable -ErrorAction Stop }
        $failure | Should -BeLike '*whole XML document*'
    }

    It 'takes another key and order field' {
        $null = [pscustomobject]@{ host = 'a'; port = 1; rev = 1 }, [pscustomobject]@{ host = 'a'; port = 2; rev = 1 } |
            Import-LockstepTable -KeyProperty host, port -OrderBy rev
        (Get-LockstepTable).KeyProperty | Should -Be host, port
        (Get-LockstepRecord -Key (, ('a', 2))).port | Should -Be 2
    }

    It 'streams more than fits into its buffer' {
        $text = 'x' * 1000
        (1..20000 | ForEach-Object { "{`"id`":$_,`"updated_at`":$_,`"text`":`"$text`"}" } | Import-LockstepTable).Added | Should -Be 20000
        (Get-LockstepTable).Rows | Should -Be 20000
    }

    It 'keeps what was committed before a wrong record, and stops there' {
        '{"id":1,"updated_at":1}', '{"id":2}', '{"id":3,"updated_at":3}' | Set-Content x.ndjson
        { Import-LockstepTable x.ndjson -ErrorAction Stop } | Should -Throw -ErrorId 'MalformedRecord,*'
        (Get-LockstepRecord).id | Should -Be 1
        (Import-LockstepTable x.ndjson -MalformedRecord Quarantine).Malformed | Should -Be 1
        (Get-LockstepRecord).id | Should -Be 1, 3
    }

    It 'goes on with the other files after a wrong one' {
        'nonsense' | Set-Content a.ndjson
        '{"id":1,"updated_at":1}' | Set-Content b.ndjson
        $results = Import-LockstepTable a.ndjson, nothing.ndjson, b.ndjson -ErrorVariable failures -ErrorAction SilentlyContinue
        $results.Table | Should -Be b
        $failures.FullyQualifiedErrorId | Should -Be 'MalformedRecord,Lockstep.Commands.ImportLockstepTableCommand',
            'FileNotFound,Lockstep.Commands.ImportLockstepTableCommand'
    }

    It 'goes on with the other objects after one that has no form as a record' {
        $result = @{ id = 1; updated_at = 1 }, @{ id = [double]::NaN }, @{ id = 3; updated_at = 3 } |
            Import-LockstepTable -ErrorVariable failures -ErrorAction SilentlyContinue
        $result.Added | Should -Be 2
        $failures[0].FullyQualifiedErrorId | Should -BeLike 'UnsuitableObject,*'
    }

    It 'leaves no writer behind when the pipeline is ended early' {
        { & { @{ id = 1; updated_at = 1 }; throw 'broken' } | Import-LockstepTable -Table broken -Disk } | Should -Throw broken
        (@{ id = 2; updated_at = 2 } | Import-LockstepTable -Table broken -Disk).Added | Should -Be 1
        (Get-LockstepTable broken).Writer | Should -BeNullOrEmpty
    }

    It 'creates nothing with -WhatIf' {
        @{ id = 1; updated_at = 1 } | Import-LockstepTable -Disk -WhatIf | Should -BeNullOrEmpty
        '{"id":1,"updated_at":1}' | Set-Content x.ndjson
        Import-LockstepTable x.ndjson -Disk -WhatIf | Should -BeNullOrEmpty
        Get-LockstepTable | Should -BeNullOrEmpty
    }
}

Describe 'Import-LockstepTable of what a job returns' {
    BeforeAll { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterAll { Pop-Location }

    It 'takes the records without what PowerShell adds to them' {
        Start-Job { [pscustomobject]@{ id = 1; updated_at = 1; Length = 3; Count = 2; Keys = 'k'; '@removed' = $true; 'a.b' = '[x]' } } |
            Receive-Job -Wait -AutoRemoveJob | Import-LockstepTable -Table jobs -Disk | Out-Null
        Get-LockstepRecord jobs -Raw | Should -Be '{"id":1,"updated_at":1,"Length":3,"Count":2,"Keys":"k","@removed":true,"a.b":"[x]"}'
    }

    It 'keeps fields of such names where a feed has them' {
        '{"id":1,"updated_at":1,"RunspaceId":"x","PSComputerName":"y"}' | Import-LockstepTable -Table names -Disk | Out-Null
        Get-LockstepRecord names | Import-LockstepTable -Table again -Disk | Out-Null
        Get-LockstepRecord again -Raw | Should -Be (Get-LockstepRecord names -Raw)
    }
}
