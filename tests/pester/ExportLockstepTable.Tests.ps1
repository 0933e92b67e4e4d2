BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Export-LockstepTable' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $records = @(
            '{"id":1,"updated_at":1,"name":"a, \"b\"","tags":["x",1],"note":null}'
            '{"id":2,"updated_at":2.50,"name":"line\nbreak","flag":true}'
            '{"id":3,"updated_at":12345678901234567890.125,"name":"é"}'
        )
        $null = $records | Import-LockstepTable -Table things -Disk
    }
    AfterEach { Pop-Location }

    It 'writes NDJSON as it came, which can be imported again' {
        $file = Export-LockstepTable things things.ndjson -PassThru
        $file | Should -BeOfType System.IO.FileInfo
        Get-Content things.ndjson | Should -Be $records
        (Import-LockstepTable things.ndjson -Table copy -Disk).Added | Should -Be 3
        Get-LockstepRecord copy -Raw | Should -Be $records
    }

    It 'keeps a record on one line that a feed has broken' {
        $server = Start-LockstepTestServer -Port 0 -Record "{`n  `"id`": 1,`r`n  `"updated_at`": 1 }"
        $null = $server | Sync-LockstepTable -Path broken.db -SettleSec 0.5
        $server | Stop-LockstepTestServer
        Export-LockstepTable -Path broken.db -Destination broken.ndjson
        Get-Content broken.ndjson | Should -HaveCount 1
        (Get-Content broken.ndjson | ConvertFrom-Json).id | Should -Be 1
    }

    It 'writes CSV, a column per field' {
        Export-LockstepTable things things.csv
        $rows = Import-Csv things.csv
        $rows[0].psobject.Properties.Name | Should -Be id, updated_at, name, tags, note, flag
        $rows.name | Should -Be 'a, "b"', "line`nbreak", 'é'
        $rows.updated_at | Should -Be 1, 2.50, 12345678901234567890.125
        $rows[0].tags, $rows[0].note, $rows[1].flag | Should -Be '["x",1]', '', 'true'
    }

    It 'names the folder that does not exist' {
        $failure = Get-ErrorOf { Export-LockstepTable things ./no/x.csv -ErrorAction Stop }
        $failure.Exception.Message | Should -BeLike "The folder '*no' does not exist."
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Destination*'
    }

    It 'gives columns whose names differ only by case names that Import-Csv can read' {
        $null = '{"id":1,"updated_at":1,"Name":"A","name":"a","x[1]":5}' | Import-LockstepTable -Table cases -Disk
        $said = $null
        Export-LockstepTable cases cases.csv -WarningVariable said -WarningAction SilentlyContinue
        $row = Import-Csv cases.csv
        $row.Name, $row.name_2 | Should -BeExactly A, a
        $said | Should -BeLike '*name_2*'
        Export-LockstepTable cases some.csv -Property name_2, 'x[1]', NAME -WarningAction SilentlyContinue
        Get-Content some.csv | Should -BeExactly 'name_2,x[1],Name', 'a,5,A'
        (Get-LockstepRecord cases -Property 'x[1]' -WarningAction SilentlyContinue).'x[1]' | Should -Be 5
    }

    It 'writes only what is asked for' {
        Export-LockstepTable things some.csv -Filter 'id < $max' -FilterParameter @{ max = 3 } -Property name, i*, none
        Get-Content some.csv -First 1 | Should -Be 'name,id,none'
        (Import-Csv some.csv).id | Should -Be 1, 2
        { Export-LockstepTable things x.ndjson -Property name -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidOption,*'
        { Export-LockstepTable things x.csv -Filter 'oops(' -ErrorAction Stop } | Should -Throw -ErrorId 'Filter,*'
        Get-ChildItem x.* | Should -BeNullOrEmpty
    }

    It 'names files after their tables in a folder' {
        $null = @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table others -Disk
        $null = New-Item out -ItemType Directory
        Get-LockstepTable | Export-LockstepTable -Destination out
        Get-LockstepTable | Export-LockstepTable -Destination out -Format Csv
        (Get-ChildItem out).Name | Sort-Object | Should -Be others.csv, others.ndjson, things.csv, things.ndjson
    }

    It 'overwrites only with -Force, and never a table' {
        'mine' | Set-Content mine.csv
        { Export-LockstepTable things mine.csv -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidOption,*'
        Get-Content mine.csv | Should -Be mine
        Export-LockstepTable things mine.csv -Force
        (Import-Csv mine.csv).id | Should -Be 1, 2, 3
        { Export-LockstepTable things things.db -Force -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidOption,*'
        (Get-LockstepTable things).Rows | Should -Be 3
    }

    It 'writes nothing with -WhatIf' {
        Export-LockstepTable things x.csv -WhatIf
        'x.csv' | Should -Not -Exist
    }
}

Describe 'Export-LockstepTable of several tables' {
    BeforeAll {
        Import-Module $PSScriptRoot/Support.psm1 -Force
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        foreach ($name in 'a', 'b') { "{`"id`":`"$name`",`"updated_at`":1}" | Import-LockstepTable -Table $name -Disk | Out-Null }
    }

    AfterAll { Pop-Location }

    It 'writes a file for each into a folder, which it makes' {
        (Export-LockstepTable * -Destination out -PassThru).Name | Should -Be a.ndjson, b.ndjson
        Get-Content out/b.ndjson | Should -BeLike '*"b"*'
        Export-LockstepTable a -Destination one/ -Format Csv
        'one/a.csv' | Should -Exist
    }

    It 'makes no folder of what is to be one file' {
        $failure = Get-ErrorOf { Export-LockstepTable * -Destination all.json -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.Exception.Message | Should -BeLike '2 tables*'
        'all.json' | Should -Not -Exist
        Export-LockstepTable * -Destination later -WhatIf
        'later' | Should -Not -Exist
    }
}
