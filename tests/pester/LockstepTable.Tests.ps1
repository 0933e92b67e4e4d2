BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'The tables there are' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $null = 1..3 | ForEach-Object { @{ id = $_; updated_at = $_ } } | Import-LockstepTable -Table numbers -Disk
        $null = @{ id = 'a'; updated_at = 1 } | Import-LockstepTable -Table letters
    }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    Context 'A name with brackets' {
        BeforeEach { $null = @{ id = 7; updated_at = 1 } | Import-LockstepTable -Table 'web[1]' -Disk }

        It 'is that of the table which is called so, whatever it would match as a pattern' {
            $null = @{ id = 8; updated_at = 1 } | Import-LockstepTable -Table web1 -Disk
            (Get-LockstepRecord 'web[1]').id, (Get-LockstepRecord 'web`[1`]').id, (Get-LockstepRecord 'web[12]').id | Should -Be 7, 7, 8
            (Get-LockstepTable 'web[1]').Rows | Should -Be 1
            (Wait-LockstepTable 'web[1]' -Count 1 -TimeoutSec 20).Name | Should -Be 'web[1]'
            Export-LockstepTable 'web[1]' out.ndjson
            Get-Content out.ndjson | Should -HaveCount 1
            Clear-LockstepTable 'web[1]'
            (Get-LockstepTable 'web[1]').Rows | Should -Be 0
            Remove-LockstepTable 'web[1]'
            (Get-LockstepTable web*).Name | Should -Be web1
        }

        It 'is a name in a session, too' {
            $null = @{ id = 9; updated_at = 1 } | Import-LockstepTable -Table 'in[1]'
            (Get-LockstepRecord 'in[1]').id | Should -Be 9
            Remove-LockstepTable 'in[1]'
        }

        It 'is an error when nothing is called so, also for <_>' -ForEach @(
            'Get-LockstepRecord', 'Get-LockstepTable', 'Remove-LockstepTable', 'Clear-LockstepTable', 'Wait-LockstepTable',
            'Export-LockstepTable', 'Backup-LockstepTable'
        ) {
            $more = @{ 'Wait-LockstepTable' = @{ Count = 0 } }[$_] ?? @{}
            if ($_ -match 'Export|Backup') { $more = @{ Destination = 'x.ndjson' } }
            { & $_ 'web[7]' @more -ErrorAction Stop } | Should -Throw -ErrorId 'TableNotFound,*'
        }

        It 'is an error to wait for, write or empty what no table matches' {
            { Wait-LockstepTable nosuch* -Count 1 -ErrorAction Stop } | Should -Throw -ErrorId 'TableNotFound,*'
            { Clear-LockstepTable nosuch* -ErrorAction Stop } | Should -Throw -ErrorId 'TableNotFound,*'
            { Export-LockstepTable nosuch* x.ndjson -ErrorAction Stop } | Should -Throw -ErrorId 'TableNotFound,*'
            Remove-LockstepTable nosuch* -ErrorAction Stop
            Get-LockstepRecord nosuch* -ErrorAction Stop | Should -BeNullOrEmpty
        }
    }

    Context 'Get-LockstepTable' {
        It 'says of a file by that name that it is no database' {
            'junk' | Set-Content junk.db
            $failure = Get-ErrorOf { Get-LockstepRecord junk -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'TableFile,*'
            $failure.Exception.Message | Should -BeLike '*not an SQLite database*'
            { Remove-LockstepTable junk -ErrorAction Stop } | Should -Throw -ErrorId 'TableFile,*'
            Get-Content junk.db | Should -Be junk
        }

        It 'lists those of the session and of the files here' {
            (Get-LockstepTable).Name | Should -Be letters, numbers
            (Get-LockstepTable num*).Name | Should -Be numbers
            Get-LockstepTable x* | Should -BeNullOrEmpty
        }

        It 'knows a table of the session by its name, however it is spelled, until it is removed' {
            $table = Get-LockstepTable LETTERS
            $table.IsSession, $table.Name | Should -Be $true, letters
            $table | Remove-LockstepTable
            (Get-LockstepTable).Name | Should -Be numbers
            Test-Path -LiteralPath $table.Path | Should -BeFalse
        }

        It 'names a file here that cannot be read, and goes on' {
            Copy-Item numbers.db torn.db
            [System.IO.File]::WriteAllBytes((Get-Item torn.db).FullName,
                [System.IO.File]::ReadAllBytes((Get-Item torn.db).FullName)[0..4095])
            if (-not $IsWindows) { mkfifo pipe.db }
            $failed = $null
            (Get-LockstepTable -ErrorAction SilentlyContinue -ErrorVariable failed).Name | Should -Be letters, numbers
            $failed | Should -HaveCount 1
            $failed[0].FullyQualifiedErrorId | Should -BeLike 'TableFile,*'
            $failed[0].Exception.Message | Should -BeLike '*torn.db*'
        }

        It 'tells what the file says' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = Sync-LockstepTable ($server.FeedUri -replace '//', '//user:hunter2@') -Disk
            $table = Get-LockstepTable servers
            $table | Should -BeOfType Lockstep.TableInfo
            $table.Uri | Should -Be $server.FeedUri
            $table.KeyProperty, $table.OrderBy, $table.Cursor, $table.Rows, $table.Tombstones | Should -Be id, updated_at, 1000, 1, 1
            $table.Size | Should -BeGreaterThan 1000
            ([datetime]::Now - $table.LastSync).TotalMinutes | Should -BeLessThan 5
            $table | Format-List | Out-String | Should -Not -Match hunter2
            [System.IO.File]::ReadAllText($table.Path) | Should -Not -Match hunter2
        }

        It 'has a table view' {
            Get-LockstepTable | Out-String | Should -BeLike '*Name*Rows*Cursor*LastSync*Path*letters*(session)*numbers*3*'
        }

        It 'is an error for a name that is not there, with the candidates' {
            $failure = Get-ErrorOf { Get-LockstepTable nothing -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'TableNotFound,*'
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*letters, numbers*'
        }
    }

    Context 'Remove-LockstepTable' {
        It 'removes file and log, and nothing with -WhatIf' {
            Remove-LockstepTable numbers -WhatIf
            Get-LockstepTable numbers | Should -Not -BeNullOrEmpty
            Remove-LockstepTable numbers
            Get-ChildItem | Should -BeNullOrEmpty
        }

        It 'takes tables from the pipeline' {
            Get-LockstepTable | Remove-LockstepTable
            Get-LockstepTable | Should -BeNullOrEmpty
        }

        It 'removes no file that is no table, and wants a name' {
            Set-Content x.db ('x' * 5000)
            { Remove-LockstepTable -Path x.db -ErrorAction Stop } | Should -Throw -ErrorId 'TableFile,*'
            'x.db' | Should -Exist
            { Remove-LockstepTable -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidOption,*'
        }
    }

    Context 'Clear-LockstepTable' {
        It 'empties the table, and nothing with -WhatIf' {
            Clear-LockstepTable numbers -WhatIf
            (Get-LockstepTable numbers).Rows | Should -Be 3
            Clear-LockstepTable numbers
            $table = Get-LockstepTable numbers
            $table.Rows, $table.Cursor | Should -Be 0, 0
        }

        It 'lets go of the feed' {
            $null = Start-LockstepTestServer -Port 0 -Feed Finite | Sync-LockstepTable -Disk
            Clear-LockstepTable servers
            (Start-LockstepTestServer -Port 0 -Feed Finite | Sync-LockstepTable -Disk).Added | Should -Be 1
        }
    }

    Context 'Set-LockstepTable' {
        It 'indexes the fields that are named, and no others' {
            (Set-LockstepTable numbers -Index id -PassThru).Index | Should -Be id
            (Get-LockstepRecord numbers -Filter 'id > 1').id | Should -Be 2, 3
            Set-LockstepTable numbers -Index @()
            (Get-LockstepTable numbers).Index | Should -BeNullOrEmpty
        }

        It 'changes nothing with -WhatIf' {
            Set-LockstepTable numbers -Index id -WhatIf
            (Get-LockstepTable numbers).Index | Should -BeNullOrEmpty
        }

        It 'names the fields when one is none of them' {
            { Set-LockstepTable numbers -Index nosuch -ErrorAction Stop } | Should -Throw -ErrorId 'FieldIndex,*'
            { Set-LockstepTable numbers -Index (1..17) -ErrorAction Stop } | Should -Throw -ErrorId 'FieldIndex,*'
            { Set-LockstepTable -Index id -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidOption,*'
        }
    }

    Context 'Backup-LockstepTable' {
        It 'writes a copy that is a table of its own' {
            $copy = Backup-LockstepTable numbers ./copy.bin -PassThru
            $copy.Rows | Should -Be 3
            Clear-LockstepTable -Path numbers.db
            (Get-LockstepRecord -Path copy.bin).id | Should -Be 1, 2, 3
        }

        It 'names the copy after the table in a folder' {
            $null = New-Item backups -ItemType Directory
            Get-LockstepTable | Backup-LockstepTable -Destination backups
            (Get-ChildItem backups/*.db).Name | Should -Be letters.db, numbers.db
        }

        It 'names the folder that does not exist' {
            foreach ($target in './no/x.db', './no/') {
                $failure = Get-ErrorOf { Backup-LockstepTable numbers $target -ErrorAction Stop }
                $failure.Exception.Message | Should -BeLike "The folder '*no' does not exist."
                $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Destination*'
            }
        }

        It 'overwrites only a table, and only with -Force' {
            Backup-LockstepTable numbers copy.db
            { Backup-LockstepTable numbers copy.db -ErrorAction Stop } | Should -Throw -ErrorId 'TableFile,*'
            Backup-LockstepTable letters copy.db -Force
            (Get-LockstepTable -Path copy.db).Name | Should -Be letters
            'mine' | Set-Content text.db
            { Backup-LockstepTable numbers text.db -Force -ErrorAction Stop } | Should -Throw -ErrorId 'TableFile,*'
            Get-Content text.db | Should -Be mine
        }

        It 'copies while a sync runs' {
            $copy = Start-LockstepTestServer -Port 0 | Sync-LockstepTable -Disk -PassThru -Follow |
                ForEach-Object { Backup-LockstepTable servers copy.db -PassThru } | Select-Object -First 1
            $copy.Rows | Should -BeGreaterThan 0
            $copy.Writer | Should -BeNullOrEmpty
            (Get-LockstepRecord -Path copy.db)[0].id | Should -Be 123
        }
    }
}
