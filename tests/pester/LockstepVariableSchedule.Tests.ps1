BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Get-LockstepVariableSchedule' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach { Pop-Location }

    It 'lists past, current and pending values, and who set them' {
        $one = Set-LockstepVariable v 1 -Store ./v.db -DefaultTick 1s
        $two = Set-LockstepVariable v 2 -Store ./v.db -ActiveAt $one.ActiveAt.AddSeconds(2)
        $three = Set-LockstepVariable v 3 -Store ./v.db -ActiveAt 2090-01-01
        $limit = [datetime]::UtcNow.AddMinutes(1)
        do { $schedule = Get-LockstepVariableSchedule v -Store ./v.db } until ($schedule[1].State -ne 'Pending' -or [datetime]::UtcNow -gt $limit)

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
        $null = Set-LockstepVariable v 3 -Store ./v.db -ActiveAt 2090-01-01T00:00:15Z -Tick 7s -WarningVariable warnings -WarningAction SilentlyContinue
        $schedule = Get-LockstepVariableSchedule v -Store ./v.db
        $schedule.Value | Should -Be 1, 3, 2
        ($schedule[2].ActiveAt - $schedule[1].ActiveAt).TotalSeconds | Should -Be 7
        $schedule[2].ActiveAt | Should -BeGreaterThan $later.ActiveAt
        $warnings | Should -HaveCount 1
    }

    It 'reports a variable that is not there' {
        $null = Set-LockstepVariable v 1 -Store ./v.db
        (Get-ErrorOf { Get-LockstepVariableSchedule w -Store ./v.db -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'VariableNotFound,*'
    }
}
