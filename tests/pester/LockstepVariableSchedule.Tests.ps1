BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Get-LockstepVariableSchedule' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach { Pop-Location }

    It 'lists past, current and pending values, and who set them' {
        $one = Set-LockstepVariable v 1 -Store ./v.db -DefaultTick 1s
        $two = Set-LockstepVariable v 2 -Store ./v.db -ActiveAt $one.ActiveAt.AddSeconds(2)
        $three = Set-LockstepVariable v 3 -Store ./v.db -ActiveAt 2090-01-01
        $limit = [datetime]::UtcNow.AddMinutes(1)
        do { $schedule = Get-LockstepVariableSchedule v -Store ./v.db } until ($schedule[1].State -ne 'Pending' -or
            [datetime]::UtcNow -gt $limit)

        $schedule | Should -HaveCount 3
        $schedule[0] | Should -BeOfType Lockstep.ScheduledValue
        $schedule.Value | Should -Be 1, 2, 3
        $schedule.State | Should -Be Past, Current, Pending
        $schedule.ActiveAt | Should -Be $one.ActiveAt, $two.ActiveAt, $three.ActiveAt
        $schedule.SetBy | Select-Object -Unique | Should -Be "$([environment]::UserName)@$([environment]::MachineName)"
        $schedule[1].SetAt | Should -BeLessThan $schedule[1].ActiveAt
        (Get-LockstepVariableSchedule v -Store ./v.db -State Past, Pending).Value | Should -Be 1, 3
    }

    It 'lists those of all variables, or of a pattern' {
        'a1', 'a2', 'b' | Set-Variable names
        $names | ForEach-Object { $null = Set-LockstepVariable $_ 1 -Store ./v.db }
        (Get-LockstepVariableSchedule -Store ./v.db).Name | Should -Be $names
        (Get-LockstepVariableSchedule a* -Store ./v.db).Name | Should -Be a1, a2
    }

    It 'says where pending values move when the tick changes before them' {
        $null = Set-LockstepVariable v 1 -Store ./v.db -ActiveAt 2090-01-01T00:00:10Z -Tick 1
        $later = Set-LockstepVariable v 2 -Store ./v.db -ActiveAt 2090-01-01T00:00:20Z
        $null = Set-LockstepVariable v 3 -Store ./v.db -ActiveAt 2090-01-01T00:00:15Z -Tick 7s -WarningVariable warnings 3> $null
        $schedule = Get-LockstepVariableSchedule v -Store ./v.db
        $schedule.Value | Should -Be 1, 3, 2
        ($schedule[2].ActiveAt - $schedule[1].ActiveAt).TotalSeconds | Should -Be 7
        $schedule[2].ActiveAt | Should -BeGreaterThan $later.ActiveAt
        $warnings | Should -HaveCount 1
    }

    It 'reports a variable that is not there' {
        $null = Set-LockstepVariable v 1 -Store ./v.db
        (Get-ErrorOf { Get-LockstepVariableSchedule w -Store ./v.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'VariableNotFound,*'
    }
}

Describe 'Clear- and Update-LockstepVariableSchedule' {
    BeforeAll {
        # With the module's own SQLite: a second one in the process would lose its locks.
        function Invoke-Sqlite([string] $Path, [string] $Sql) {
            $sqlite = [System.AppDomain]::CurrentDomain.GetAssemblies() |
                Where-Object { $_.GetName().Name -eq 'Microsoft.Data.Sqlite' } | Select-Object -First 1
            $connection = [System.Activator]::CreateInstance($sqlite.GetType('Microsoft.Data.Sqlite.SqliteConnection'),
                "Data Source=$Path;Pooling=False")
            try {
                $connection.Open()
                $command = $connection.CreateCommand()
                $command.CommandText = $Sql
                $null = $command.ExecuteNonQuery()
            }
            finally { $connection.Dispose() }
        }

        # Another program's values: eight long past, one pending beside the boundaries.
        function Write-Foreign([string] $Path, [string] $Name) {
            $null = Set-LockstepVariable $Name 2090 -ActiveAt 2090-01-01T00:00:00Z -Store $Path
            $seconds = 2001..2008 | ForEach-Object { [datetimeoffset]::new($_, 1, 1, 0, 0, 0, 0).ToUnixTimeMilliseconds() }
            $rows = for ($i = 0; $i -lt 8; $i++) { "('$Name', $($seconds[$i]), '$(2001 + $i)', 10000)" }
            $sql = "INSERT INTO lockstep_tick_tuples (name, active_at_ms, value, tick_ms) VALUES $($rows -join ', ');" +
            "UPDATE lockstep_tick_tuples SET active_at_ms = active_at_ms + 3000 WHERE name = '$Name' AND value = '2090'"
            Invoke-Sqlite $Path $sql
        }
    }
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $store = Join-Path (Get-Location).ProviderPath v.db
        'a', 'b' | ForEach-Object { Write-Foreign $store $_ }
    }
    AfterEach { Pop-Location }

    It 'clears away all past values but the newest' {
        Clear-LockstepVariableSchedule a -Keep 2 -Store $store | Should -BeNullOrEmpty
        (Get-LockstepVariableSchedule a -Store $store).Value | Should -Be 2006, 2007, 2008, 2090
        (Get-LockstepVariableSchedule b -Store $store).Value | Should -HaveCount 9
        Clear-LockstepVariableSchedule -Store $store
        (Get-LockstepVariableSchedule b -Store $store -State Past).Value | Should -Be (2003..2007)
        Get-LockstepVariable b -Store $store | Clear-LockstepVariableSchedule -Keep 0
        (Get-LockstepVariableSchedule b -Store $store).Value | Should -Be 2008, 2090
    }

    It 'moves what lies beside a boundary, and puts that out' {
        $moved = Update-LockstepVariableSchedule a* -Store $store
        $moved | Should -BeOfType Lockstep.ScheduledValue
        $moved.Name, $moved.Value, $moved.State | Should -Be a, 2090, Pending
        $moved.ActiveAt | Should -Be ([datetimeoffset]'2090-01-01T00:00:10Z')
        Update-LockstepVariableSchedule a -Store $store | Should -BeNullOrEmpty
        (Update-LockstepVariableSchedule -Store $store).Name | Should -Be b
    }

    It 'changes nothing with -WhatIf' {
        Clear-LockstepVariableSchedule -Keep 0 -Store $store -WhatIf
        Update-LockstepVariableSchedule -Store $store -WhatIf | Should -BeNullOrEmpty
        (Get-LockstepVariableSchedule -Store $store) | Should -HaveCount 18
        (Update-LockstepVariableSchedule -Store $store) | Should -HaveCount 2
    }

    It 'reports a store that is not there' {
        (Get-ErrorOf { Clear-LockstepVariableSchedule -Store ./none.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'TickStoreUnavailable,*'
        (Get-ErrorOf { Update-LockstepVariableSchedule -Store ./none.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'TickStoreUnavailable,*'
    }
}
