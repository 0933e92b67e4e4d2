BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)

    # Ten people, one of them deleted; added in one order, keyed in another.
    10..1 | ForEach-Object { [pscustomobject]@{ id = $_; updated_at = 100 - $_; name = "n$_"; age = 10 * $_
    tags = @('a', @{ deep = $true }) } } |
        Import-LockstepTable -Table people -Disk
    '{"id":4,"updated_at":200,"deleted_at":200}' | Import-LockstepTable -Table people -Disk
}

AfterAll { Pop-Location }

Describe 'Get-LockstepRecord' {
    It 'streams the records in key order, with JSON types' {
        $records = Get-LockstepRecord
        $records.id | Should -Be 1, 2, 3, 5, 6, 7, 8, 9, 10
        $records[0].age | Should -BeOfType long
        $records[0].tags[1].deep | Should -BeTrue
        $records[0].pstypenames[0, 1] | Should -Be 'Lockstep.Record#people', 'Lockstep.Record'
    }

    It 'names the record of a damaged file that is not JSON, <How>' -ForEach @(
        @{ How = 'as objects'; Read = { Get-LockstepRecord damaged -ErrorAction Stop } }
        @{ How = 'as JSON'; Read = { Get-LockstepRecord damaged -Raw -ErrorAction Stop } }
        @{ How = 'exported as CSV'; Read = { Export-LockstepTable damaged -Destination damaged.csv -ErrorAction Stop } }
        @{ How = 'exported as lines'; Read = { Export-LockstepTable damaged -Destination damaged.ndjson -ErrorAction Stop } }
    ) {
        '{"id":1,"updated_at":1}', '{"id":77,"updated_at":2,"x":"untouched"}' | Import-LockstepTable -Table damaged -Disk
        $file = (Get-LockstepTable damaged).Path
        $latin1 = [System.Text.Encoding]::Latin1
        $content = $latin1.GetString([System.IO.File]::ReadAllBytes($file))
        [System.IO.File]::WriteAllBytes($file, $latin1.GetBytes($content.Replace('"untouched"}', '"untouched",')))
        try { $Read | Should -Throw '*the record with the key 77 is not a JSON object*' }
        finally { Remove-Item "$file*" }
    }

    It 'gives objects of their own, the first as well as those after it' {
        function Read-Odd($object) { $object.odd_field_of_this_test }
        $text = 'text'
        # This place in the script has seen objects without the property before.
        foreach ($other in [pscustomobject]@{ id = 1 }, $text) { Read-Odd $other | Should -BeNullOrEmpty }
        1..3 | ForEach-Object { "{`"id`":$_,`"updated_at`":$_,`"odd_field_of_this_test`":`"v$_`"}" } | Import-LockstepTable -Table odd -Disk
        foreach ($round in 1..2) {
            $records = Get-LockstepRecord odd
            $records | ForEach-Object { Read-Odd $_ } | Should -Be v1, v2, v3
            foreach ($record in $records) {
                $copy = $record.psobject.Copy()
                $copy.odd_field_of_this_test = 'changed'
                $record.odd_field_of_this_test | Should -Be "v$($record.id)"
                $record | Add-Member NoteProperty more 1
                $record.psobject.Properties.Name | Should -Be id, updated_at, odd_field_of_this_test, more
                $record.psobject.Properties.Remove('more')
                $record.ODD_FIELD_OF_THIS_TEST | Should -Be "v$($record.id)"
            }
        }
        Remove-LockstepTable odd -Confirm:$false
    }

    It 'reads by key' {
        (Get-LockstepRecord people 7, 2).name | Should -Be n2, n7
        Get-LockstepRecord people 4, 99 | Should -BeNullOrEmpty
    }

    It 'filters by an SQL expression with parameters' {
        (Get-LockstepRecord -Filter 'age > $age and name like $name' -FilterParameter @{ age = 50; name = 'n%' }).id |
            Should -Be 6, 7, 8, 9, 10
        (Get-LockstepRecord -Filter 'age = @age' -FilterParameter @{ '@age' = 20 }).id | Should -Be 2
    }

    It 'compares and keeps numbers with all their digits' {
        $lines = '{"id":1,"updated_at":1,"v":9223372036854775811,"d":0.12345678901234567890,"t":1e400}',
        '{"id":2,"updated_at":2,"v":9223372036854775812,"d":0.12345678901234567891,"t":1e401}'
        $lines | Import-LockstepTable -Table exact -Disk
        foreach ($v in [bigint]::Parse('9223372036854775811'), 9223372036854775811,
            [ulong]9223372036854775811, [UInt128]9223372036854775811) {
            (Get-LockstepRecord exact -Filter 'v = $v' -FilterParameter @{ v = $v }).id | Should -Be 1
        }
        (Get-LockstepRecord exact -Filter 'd > :d' -FilterParameter @{ d = 0.12345678901234567890d }).id | Should -Be 2
        $records = Get-LockstepRecord exact
        $records[0].v | Should -BeOfType bigint
        $records[0].d | Should -BeOfType decimal
        $records[0].t | Should -Be '1e400'
        (Get-LockstepRecord exact -Filter 't = :t' -FilterParameter @{ t = $records[0].t }).id | Should -Be 1
        $records | Import-LockstepTable -Table exact2 -Disk
        Get-LockstepRecord exact2 -Raw | Should -Be (Get-LockstepRecord exact -Raw)
        Remove-LockstepTable exact, exact2 -Confirm:$false
    }

    It 'warns of a -Property that no record has' {
        $records = Get-LockstepRecord -Property id, nosuch, z*, NAME, /tags/0 -WarningVariable said -WarningAction SilentlyContinue
        $said | Should -HaveCount 2
        $said[0] | Should -BeLike "*'people' has a field 'nosuch'. The fields are id, updated_at,*"
        $records[0].name | Should -Be n1
    }

    It 'says how a -Property within a field is named' {
        $null = @{ id = 1; updated_at = 1; metadata = @{ name = 'n'; 'a/b' = 2 } } | Import-LockstepTable -Table nested -Disk
        try {
            $null = Get-LockstepRecord nested -Property metadata.name, Metadata.a/b -WarningVariable said -WarningAction SilentlyContinue
            $said[0] | Should -BeLike '* is named by its JSON Pointer: /metadata/name'
            $said[1] | Should -BeLike '* is named by its JSON Pointer: /metadata/a~1b'
            (Get-LockstepRecord nested -Property /metadata/name).name | Should -Be n
            $null = Get-LockstepRecord nested -Property metadata.* -WarningVariable said -WarningAction SilentlyContinue
            $said | Should -Not -BeLike '*Pointer*'
        }
        finally { Remove-LockstepTable nested -Confirm:$false }
    }

    It 'takes a -Key that is null for no way to ask for all' {
        (Get-ErrorOf { Get-LockstepRecord -Key $null -ErrorAction Stop }).Exception.Message | Should -Be 'A key is not null.'
        Get-LockstepRecord -Key @() | Should -BeNullOrEmpty
    }

    It 'says that an empty filter is empty' {
        (Get-ErrorOf { Get-LockstepRecord -Filter ' ' -ErrorAction Stop }).Exception.Message | Should -Be 'The filter is empty.'
    }

    It 'takes text in a filter parameter for text' {
        Get-LockstepRecord -Filter 'age = $age' -FilterParameter @{ age = '20' } | Should -BeNullOrEmpty
        (Get-LockstepRecord -Filter 'name = $n' -FilterParameter @{ n = 'n2' }).id | Should -Be 2
    }

    It 'refuses a filter that <name>' -ForEach @(
        @{ name = 'is no expression'; filter = 'drop table x' }
        @{ name = 'names a field that is not there'; filter = 'nothing = 1' }
        @{ name = 'writes'; filter = '1); delete from people; select (1' }
        @{ name = 'reads elsewhere'; filter = 'exists (select 1 from sqlite_master)' }
    ) {
        $failure = Get-ErrorOf { Get-LockstepRecord -Filter $filter -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'Filter,*'
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        (Get-LockstepTable).Rows | Should -Be 9
    }

    It 'refuses a filter parameter that is no value' {
        (Get-ErrorOf { Get-LockstepRecord -Filter 'age = $x' -FilterParameter @{ x = @{} } }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
    }

    It 'pages, and counts' {
        (Get-LockstepRecord -Skip 2 -First 3).id | Should -Be 3, 5, 6
        $all = Get-LockstepRecord -First 1 -IncludeTotalCount
        $all[0] | Should -Be 9
        $all[1].id | Should -Be 1
        (Get-LockstepRecord -Filter 'age > 50' -First 0 -IncludeTotalCount) | Should -Be 5
    }

    It 'reads what changed after a sequence number, deleted records too, in that order' {
        $last = (Get-LockstepTable).Sequence
        $changed = Get-LockstepRecord -Since ($last - 3)
        $changed.id | Should -Be 2, 1, 4
        $changed[2].LockstepState.IsDeleted | Should -BeTrue
        $changed.LockstepState.Sequence | Should -Be ($last - 2), ($last - 1), $last
        Get-LockstepRecord -Since $last | Should -BeNullOrEmpty
    }

    It 'includes deleted records when asked, and says so beside their fields' {
        $records = Get-LockstepRecord -IncludeDeleted
        $records | Should -HaveCount 10
        ($records | Where-Object { $_.LockstepState.IsDeleted }).LockstepState.Key | Should -Be 4
        $records[0].psobject.Properties.Name | Should -Not -Contain LockstepState
        ($records[0] | ConvertTo-Json -Depth 5) | Should -Not -Match LockstepState
    }

    It 'gives only the properties asked for, as Select-Object does' {
        $record = Get-LockstepRecord -Key 1 -Property age, n*, absent
        $record.psobject.Properties.Name | Should -Be age, name, absent
        $record.psobject.Properties.Value | Should -Be 10, n1, $null
    }

    It 'gives what is within a field by a JSON Pointer' {
        $record = Get-LockstepRecord -Key 1 -Property id, /tags/1/deep, /tags/9, /name/x
        $record.psobject.Properties.Name | Should -Be id, deep, 9, x
        $record.psobject.Properties.Value | Should -Be 1, $true, $null, $null
    }

    It 'gives the records as they are with -Raw' {
        Get-LockstepRecord -Key 1 -Raw | Should -BeExactly '{"id":1,"updated_at":99,"name":"n1","age":10,"tags":["a",{"deep":true}]}'
        { Get-LockstepRecord -Key 1 -Raw -Property id } | Should -Throw -ErrorId 'InvalidOption,*'
    }

    It 'lets Select-Object end it early' {
        (Get-LockstepRecord | Select-Object -First 2).id | Should -Be 1, 2
    }

    It 'goes on with other tables after one that is not there' {
        $records = Get-LockstepRecord nothing, people -ErrorVariable failures -ErrorAction SilentlyContinue
        $records | Should -HaveCount 9
        $failures[0].FullyQualifiedErrorId | Should -BeLike 'TableNotFound,*'
    }

    It 'completes the names of tables and fields' {
        (TabExpansion2 'Get-LockstepRecord -Table p').CompletionMatches.CompletionText | Should -Be people
        (TabExpansion2 'Get-LockstepRecord people -Property a').CompletionMatches.CompletionText | Should -Be age
        (TabExpansion2 'Get-LockstepRecord -Path ./people.db -Property na').CompletionMatches.CompletionText | Should -Be name
    }
}

Describe 'Which table Get-LockstepRecord reads' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'is the only one of the session, before any file here' {
        @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table file -Disk
        (Get-LockstepRecord).id | Should -Be 1
        @{ id = 2; updated_at = 1 } | Import-LockstepTable -Table mine
        (Get-LockstepRecord).id | Should -Be 2
    }

    It 'is named by its file or by its name, and the name is not taken for a key' {
        $null = @{ id = 'file'; updated_at = 1 } | Import-LockstepTable -Table file -Disk
        foreach ($both in { Get-LockstepRecord file -Path ./file.db }, { Get-LockstepRecord file -LiteralPath ./file.db }) {
            (Get-ErrorOf $both).FullyQualifiedErrorId | Should -BeLike 'PositionalParameterNotFound,*'
        }

        (Get-LockstepRecord file file).id | Should -Be file
        (Get-LockstepRecord -Path ./file.db -Key file).id | Should -Be file
    }

    It 'is asked for where there are none or several, with the candidates' {
        (Get-ErrorOf { Get-LockstepRecord -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'TableNotFound,*'
        foreach ($name in 'one', 'two') { $null = @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table $name -Disk }
        $failure = Get-ErrorOf { Get-LockstepRecord -ErrorAction Stop }
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*one, two*'
    }

    It 'knows a table file by what it holds, not by its name' {
        $null = @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table people -Destination ./data.bin
        'x' | Set-Content other.db
        (Get-LockstepRecord).id | Should -Be 1
        (Get-LockstepRecord people).id | Should -Be 1
    }

    It 'is one error for a file that <name>' -ForEach @(
        @{ name = 'is not there'; make = { }; id = 'TableNotFound'; category = 'ObjectNotFound' }
        @{ name = 'is no database'; make = { Set-Content x.db ('x' * 5000) }; id = 'TableFile'; category = 'OpenError' }
        @{ name = 'is empty'; make = { $null = New-Item x.db }; id = 'TableNotFound'; category = 'ObjectNotFound' }
    ) {
        & $make
        $failure = Get-ErrorOf { Get-LockstepRecord -Path x.db -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.CategoryInfo.Category | Should -Be $category
    }
}

# A large table is read ahead of the pipeline; an error there must not overtake the records before it.
Describe 'Get-LockstepRecord at a damaged record' {
    BeforeAll {
        $folder = New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory
        $whole = Join-Path $folder.FullName whole.db
        $null = 1..2000 | ForEach-Object { "{`"id`":$_,`"updated_at`":$_}" } | Import-LockstepTable -Destination $whole
        $sqlite = [System.AppDomain]::CurrentDomain.GetAssemblies() |
            Where-Object { $_.GetName().Name -eq 'Microsoft.Data.Sqlite' } | Select-Object -First 1
    }

    It 'writes the <before> records before it, then the error, while the pipeline is <pace>' -ForEach @(
        foreach ($before in 0, 99, 256, 600, 1999) { @{ before = $before; pace = 'quick' } }
        # All that may wait for the pipeline does.
        @{ before = 600; pace = 'slow' }
    ) {
        $path = Join-Path $folder.FullName "$before-$pace.db"
        Copy-Item $whole $path
        $connection = [System.Activator]::CreateInstance($sqlite.GetType('Microsoft.Data.Sqlite.SqliteConnection'),
            "Data Source=$path;Pooling=False")
        try {
            $connection.Open()
            $command = $connection.CreateCommand()
            $command.CommandText = "UPDATE lockstep_row SET body = 'damaged' WHERE key = $($before + 1)"
            $command.ExecuteNonQuery() | Should -Be 1
        }
        finally { $connection.Dispose() }

        $read = [System.Collections.Generic.List[int]]::new()
        $failure = Get-ErrorOf {
            Get-LockstepRecord -Path $path -ErrorAction Stop | ForEach-Object {
                $read.Add($_.id)
                if ($pace -eq 'slow' -and $_.id -eq 300) { Start-Sleep -Milliseconds 500 }
            }
        }
        $failure.FullyQualifiedErrorId | Should -BeLike '*,Lockstep.Commands.GetLockstepRecordCommand'
        Compare-Object @(1..2000 | Select-Object -First $before) $read -SyncWindow 0 | Should -BeNullOrEmpty
    }
}

Describe 'Fields that differ by case' {
    BeforeAll { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterAll { Pop-Location }

    It 'gives each of two fields that differ by case its own property in every record, and a warning' {
        '{"id":1,"updated_at":1,"A":"x","a":2}', '{"id":2,"updated_at":2,"a":3}', '{"id":3,"updated_at":3,"A":"y"}' |
            Import-LockstepTable -Table twins -Disk
        $records = Get-LockstepRecord twins -WarningVariable said -WarningAction SilentlyContinue
        $records.A | Should -Be x, $null, y
        $records.a_2 | Should -Be 2, 3, $null
        $said | Should -HaveCount 1
        (Get-LockstepRecord twins -Property a -WarningAction SilentlyContinue).a_2 | Should -Be 2, 3, $null
        (Get-LockstepRecord twins -Property A -WarningAction SilentlyContinue).A | Should -Be x, $null, y
        (Get-LockstepRecord twins -Filter 'a = 2' -WarningAction SilentlyContinue).id | Should -Be 1
        (Get-LockstepRecord twins -Filter "A = 'y'" -WarningAction SilentlyContinue).id | Should -Be 3
        $null = $records | Import-LockstepTable -Table again -Disk
        Get-LockstepRecord again -Raw | Should -BeExactly (Get-LockstepRecord twins -Raw)
        Export-LockstepTable twins twins.csv -Property a -WarningAction SilentlyContinue
        Get-Content twins.csv | Should -Be a_2, 2, 3, ''
    }
}
