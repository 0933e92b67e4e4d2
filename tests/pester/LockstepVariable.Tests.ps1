BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force

    # Long enough for a busy machine to commit in, short enough to wait for.
    $fast = @{ DefaultTick = '1s' }

    # Waits until a condition holds; fails after a while. The condition decides, not the wait.
    function Wait-Until([scriptblock] $Condition, [int] $TimeoutSec = 60) {
        $limit = [datetime]::UtcNow.AddSeconds($TimeoutSec)
        while (-not (& $Condition)) {
            if ([datetime]::UtcNow -gt $limit) { throw "Not so within $TimeoutSec s: $Condition" }
            Start-Sleep -Milliseconds 50
        }
    }
}

Describe 'Set- and Get-LockstepVariable' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach { Pop-Location }

    It 'reads the time of a text alike in every culture' {
        $culture = [cultureinfo]::CurrentCulture
        try {
            foreach ($name in 'th-TH', 'ar-SA', 'de-DE') {
                [cultureinfo]::CurrentCulture = $name
                (Set-LockstepVariable $name 1 -ActiveAt '2037-01-02' -Store ./v.db).ActiveAt.Year | Should -Be 2037
            }
        }
        finally { [cultureinfo]::CurrentCulture = $culture }
        { Set-LockstepVariable v 1 -ActiveAt 5, 6 -Store ./v.db } | Should -Throw '*is not a time. Write it as 2030-01-31*'
        { Set-LockstepVariable v 1 -ActiveAt tomorrow -Store ./v.db } | Should -Throw '*is not a time. Write it as 2030-01-31*'
    }

    It 'warns of an -ActiveAt that is past' {
        $set = Set-LockstepVariable rate 5 -ActiveAt 2020-01-01 -Store ./v.db @fast -WarningVariable said -WarningAction SilentlyContinue
        $said | Should -BeLike '*2020-01-01*is past*'
        $set.ActiveAt | Should -BeGreaterThan ([datetimeoffset]::Now.AddMinutes(-1))
        Set-LockstepVariable rate 6 -Force -Store ./v.db -WarningVariable said
        $said | Should -BeNullOrEmpty
    }

    It 'refuses <what> without a name of .NET, and names what it takes' -ForEach @(
        @{ what = 'a script block as value'; with = @{ Value = { 1 } }; takes = '*not a script block*' }
        @{ what = 'a tick with a comma'; with = @{ Value = 1; Tick = '0,5s' }; takes = '*500ms, 2h*' }
        @{ what = 'a list as tick'; with = @{ Value = 1; Tick = 0, '5s' }; takes = '*500ms, 2h*' }
        @{ what = 'a word as tick'; with = @{ Value = 1; DefaultTick = 'soon' }; takes = '*500ms, 2h*' }
        @{ what = 'a misspelt connection string'; with = @{ Value = 1; Store = 'Hst=localhost' }; takes = '*Host=db*' }
        @{ what = 'a store in no folder'; with = @{ Value = 1; Store = 'nowhere/v.db' }; takes = '*folder * does not exist*' }
    ) {
        if (-not $with.Store) { $with.Store = './v.db' }
        $failure = Get-ErrorOf { Set-LockstepVariable rate @with -ErrorAction Stop }
        $failure.Exception.Message | Should -BeLike $takes
        $failure.Exception.Message | Should -Not -Match 'System\.|Nullable'
        Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'sets a value, says when it becomes active, and the value is that from then on' {
        $set = Set-LockstepVariable rate 5 -Store ./v.db @fast
        $set | Should -BeOfType Lockstep.ScheduledValue
        $set.Name, $set.Value, $set.State, $set.Tick | Should -Be rate, 5, Pending, ([timespan]'0:0:1')
        "$($set.Store)" | Should -Be (Join-Path (Get-Location).ProviderPath v.db)

        $until = Get-LockstepVariable rate -Store ./v.db
        if ([datetimeoffset]::Now -lt $set.ActiveAt) {
            $until.Value, $until.ActiveAt, $until.NextValue, $until.NextActiveAt | Should -Be $null, $null, 5, $set.ActiveAt
        }
        Wait-Until { (Get-LockstepVariable rate -Store ./v.db).Value -eq 5 }
        [datetimeoffset]::Now | Should -BeGreaterOrEqual $set.ActiveAt
        (Get-LockstepVariable rate -Store ./v.db).ActiveAt | Should -Be $set.ActiveAt
    }

    It 'keeps <json> as it is' -ForEach @(
        @{ value = $null; json = 'null' }
        @{ value = 5; json = '5' }
        @{ value = '5'; json = '"5"' }
        @{ value = 1.50d; json = '1.50' }
        @{ value = $false; json = 'false' }
        @{ value = ''; json = '""' }
        @{ value = 1, $null, 'x'; json = '[1,null,"x"]' }
        @{ value = @(); json = '[]' }
        @{ value = [ordered]@{ a = 1; b = @{ c = $true } }; json = '{"a":1,"b":{"c":true}}' }
        @{ value = [pscustomobject]@{ a = 'é' }; json = '{"a":"é"}' }
    ) {
        $set = Set-LockstepVariable v $value -Store ./v.db
        $set.Json | Should -BeExactly $json
        ConvertTo-Json $set.Value -Compress -Depth 5 |
            Should -BeExactly (ConvertTo-Json (ConvertFrom-Json $json -NoEnumerate) -Compress -Depth 5)
        (Get-LockstepVariable v -Store ./v.db).NextJson | Should -BeExactly $json
    }

    It 'schedules, at the first boundary from -ActiveAt on' {
        $wanted = [datetime]::Now.AddHours(1)
        $set = Set-LockstepVariable v 1 -ActiveAt $wanted -Tick 500ms -Store ./v.db
        ($set.ActiveAt - [datetimeoffset]$wanted).TotalSeconds | Should -BeGreaterOrEqual 0
        ($set.ActiveAt - [datetimeoffset]$wanted).TotalSeconds | Should -BeLessThan 10
        $set.Tick | Should -Be ([timespan]::FromSeconds(0.5))
    }

    It 'writes the steps of a ramp' {
        $steps = Set-LockstepVariable share -From 0 -To 100 -Over 2h -Store ./v.db
        $steps.Value | Should -Be (0..100)
        ($steps[-1].ActiveAt - $steps[0].ActiveAt) | Should -Be ([timespan]'2:00:00')
        (Set-LockstepVariable other -From 1 -To 0 -Over 60 -Steps 4 -Store ./v.db).Value | Should -Be 1, 0.75, 0.5, 0.25, 0
    }

    It 'takes <text> for <span>' -ForEach @(
        @{ text = '2h'; span = '2:00:00' }
        @{ text = '30m'; span = '0:30:00' }
        @{ text = '90s'; span = '0:01:30' }
        @{ text = '7d'; span = '7.0:00:00' }
        @{ text = '1500ms'; span = '0:00:01.5' }
        @{ text = '90'; span = '0:01:30' }
        @{ text = '0.5'; span = '0:00:00.5' }
        @{ text = '00:01:30'; span = '0:01:30' }
        @{ text = '([timespan]"0:0:3")'; span = '0:00:03' }
    ) {
        # As typed: PowerShell reads 90s and 7d as numbers.
        (& ([scriptblock]::Create("Set-LockstepVariable v 1 -Tick $text -Store ./v.db"))).Tick | Should -Be ([timespan]$span)
    }

    It 'takes everything from the pipeline by property name' {
        $null = [pscustomobject]@{ Name = 'a'; Value = 1; Tick = 2 }, [pscustomobject]@{ Name = 'b'; Value = 2; Tick = 3 } |
            Set-LockstepVariable -Store ./v.db
        (Get-LockstepVariable -Store ./v.db).Name | Should -Be a, b
        Get-LockstepVariable a -Store ./v.db | Set-LockstepVariable -Store ./copy.db -Value 7 | ForEach-Object { "$($_.Store)" } |
            Should -BeLike '*copy.db'
        (Get-LockstepVariable a -Store ./v.db | Get-LockstepVariable).NextValue | Should -Be 1
    }

    It 'lists all, or those of a pattern; an exact name tells upper and lower case apart' {
        'rate', 'Rate', 'limit', '[x]' | ForEach-Object { $null = Set-LockstepVariable $_ 1 -Store ./v.db }
        (Get-LockstepVariable -Store ./v.db).Name | Should -BeExactly Rate, '[x]', limit, rate
        (Get-LockstepVariable r* -Store ./v.db).Name | Should -BeExactly Rate, rate
        (Get-LockstepVariable rate -Store ./v.db).Name | Should -BeExactly rate
        (Get-LockstepVariable '[x]' -Store ./v.db).Name | Should -BeExactly '[x]'
        Get-LockstepVariable z* -Store ./v.db | Should -BeNullOrEmpty
    }

    It 'keeps to the session with the store memory: shared by its commands, unseen by others' {
        $session = New-Session
        try {
            Invoke-Session $session { $null = Set-LockstepVariable mine 1; (Get-LockstepVariable mine).NextValue } | Should -Be 1
            Invoke-Session $session { Get-LockstepVariable -Store memory | ForEach-Object Name } | Should -Be mine
            Get-LockstepVariable mi* | Should -BeNullOrEmpty
        }
        finally { $session.Dispose() }
        Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'changes and makes nothing with -WhatIf' {
        Set-LockstepVariable v 1 -Store ./v.db -WhatIf | Should -BeNullOrEmpty
        Set-LockstepVariable v -From 0 -To 9 -Over 2h -Store ./v.db -WhatIf | Should -BeNullOrEmpty
        './v.db' | Should -Not -Exist
    }

    It 'warns where -DefaultTick is not that of the store' {
        $null = Set-LockstepVariable v 1 -Store ./v.db -DefaultTick 2
        $null = Set-LockstepVariable w 1 -Store ./v.db -DefaultTick 3 -WarningVariable warnings -WarningAction SilentlyContinue
        $warnings | Should -HaveCount 1
        $warnings[0].Message | Should -BeLike '*00:00:02*'
    }

    It 'tells with -At what is planned' {
        $one = Set-LockstepVariable v 1 -ActiveAt 2090-01-01 -Store ./v.db
        $two = Set-LockstepVariable v 2 -ActiveAt 2091-01-01 -Store ./v.db
        $between = Get-LockstepVariable v -At 2090-06-01 -Store ./v.db
        $between.Value, $between.ActiveAt, $between.NextValue, $between.NextActiveAt | Should -Be 1, $one.ActiveAt, 2, $two.ActiveAt
        (Get-LockstepVariable v -At $two.ActiveAt -Store ./v.db).Value | Should -Be 2
        (Get-LockstepVariable v -At 2000-01-01 -Store ./v.db).Value | Should -BeNullOrEmpty
    }

    It 'tells with -For whether a percentage includes keys' {
        $null = Set-LockstepVariable share 40 -ActiveAt 2090-01-01 -Store ./v.db
        $keys = 0..199 | ForEach-Object { "user-$_" }
        $answers = Get-LockstepVariable share -For $keys -At 2090-01-02 -Store ./v.db
        $answers[0] | Should -BeOfType Lockstep.VariableInclusion
        $answers.For | Should -Be $keys
        $answers.Percent | Select-Object -Unique | Should -Be 40
        foreach ($answer in $answers) { $answer.IsIncluded | Should -Be ($answer.Position -lt 40) }

        # As anyone can compute it.
        $hash = [System.Security.Cryptography.SHA256]::HashData([System.Text.Encoding]::UTF8.GetBytes('share:user-0'))
        $place = [System.Buffers.Binary.BinaryPrimitives]::ReadUInt64BigEndian($hash)
        $answers[0].Position | Should -Be ([math]::Truncate([decimal]$place / 18446744073709551616d * 100000000) / 1000000)
        (Get-LockstepVariable share -For ann -Store ./v.db).IsIncluded | Should -BeFalse
        $null = Set-LockstepVariable word 'off' -ActiveAt 2090-01-01 -Store ./v.db
        (Get-ErrorOf { Get-LockstepVariable word -For ann -At 2090-01-02 -Store ./v.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
    }

    It 'sets a group as one, which no change of one tick parts' {
        $set = Set-LockstepVariable -Group @{ b = 'red'; a = @{ x = 1 } } -ActiveAt 2090-01-01 -Store ./v.db
        $set.Name | Should -Be a, b
        $set.Json | Should -Be '{"x":1}', '"red"'
        $set.ActiveAt | Select-Object -Unique | Should -HaveCount 1
        (Get-ErrorOf { Set-LockstepVariable a 0 -ActiveAt 2089-01-01 -Tick 7 -Store ./v.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'TickGroup,*'
        (Get-ErrorOf { Set-LockstepVariable -Group @{ a = 2
        c = 2 } -ActiveAt 2090-01-01 -Store ./v.db -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'TickConflict,*'
        (Get-LockstepVariable -Store ./v.db).Name | Should -Be a, b
        $null = Set-LockstepVariable -Group @{ a = 2; c = 2 } -ActiveAt 2090-01-01 -Store ./v.db -Force
        (Get-LockstepVariable a, b, c -At 2090-01-02 -Store ./v.db).Json | Should -Be 2, '"red"', 2
        Set-LockstepVariable -Group @{ z = 1 } -Store ./other.db -WhatIf | Should -BeNullOrEmpty
        './other.db' | Should -Not -Exist
    }

    It 'refuses a group without a boundary in common' {
        $null = Set-LockstepVariable a 0 -ActiveAt 2090-01-01T00:00:00Z -Tick 10 -Store ./v.db
        $null = Set-LockstepVariable b 0 -ActiveAt 2090-01-01T00:00:00Z -Tick 3 -Store ./v.db
        $null = Set-LockstepVariable b 1 -ActiveAt 2090-01-01T00:00:03Z -Tick 10 -Store ./v.db
        $failure = Get-ErrorOf { Set-LockstepVariable -Group @{ a = 1; b = 2 } -ActiveAt 2090-01-02 -Store ./v.db -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'TickNoCommonBoundary,*'
        $failure.CategoryInfo.Category | Should -Be ResourceExists
    }

    It 'completes names' {
        $null = Set-LockstepVariable rate 1 -Store ./v.db
        $line = 'Get-LockstepVariable -Store ./v.db -Name r'
        [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches.CompletionText |
            Should -Be rate
    }

    Context 'errors' {
        It 'says what is wrong: <name>' -ForEach @(
            @{ name = 'a taken boundary'; script = {
                1..2 | ForEach-Object { Set-LockstepVariable v $_ -ActiveAt 2090-01-01 -Store ./v.db -ErrorAction Stop }
            }; id = 'TickConflict'; category = 'ResourceExists' }
            @{ name = 'a tick too small'; script = { Set-LockstepVariable v 1 -Tick 1ms -Store ./v.db -ErrorAction Stop }
            id = 'TickTooSmall'; category = 'LimitsExceeded' }
            @{ name = 'a store that is not there'; script = { Get-LockstepVariable -Store ./none.db -ErrorAction Stop }
            id = 'TickStoreUnavailable'; category = 'ResourceUnavailable' }
            @{ name = 'a server that is not there'
            script = { Get-LockstepVariable -Store 'postgres://me:s3cret@127.0.0.1:1/db' -ErrorAction Stop }
            id = 'TickStoreUnavailable'; category = 'ResourceUnavailable' }
            @{ name = 'a Redis server that is not there'
            script = { Get-LockstepVariable -Store 'redis://me:s3cret@127.0.0.1:1' -ErrorAction Stop }; id = 'TickStoreUnavailable'
            category = 'ResourceUnavailable' }
            @{ name = 'a URI of Redis with an unknown option'
            script = { Get-LockstepVariable -Store 'redis://me:s3cret@127.0.0.1?s3cret=x' -ErrorAction Stop }; id = 'InvalidOption'
            category = 'InvalidArgument' }
            @{ name = 'a connection string with an unknown part'
            script = { Get-LockstepVariable -Store 'Host=127.0.0.1;Password=a;s3cret=x' -ErrorAction Stop }; id = 'InvalidOption'
            category = 'InvalidArgument' }
            @{ name = 'no such variable'; script = {
                Set-LockstepVariable v 1 -Store ./v.db; Get-LockstepVariable w -Store ./v.db -ErrorAction Stop
            }; id = 'VariableNotFound'; category = 'ObjectNotFound' }
            @{ name = 'a value without a form as JSON'
            script = { Set-LockstepVariable v ([double]::NaN) -Store ./v.db -ErrorAction Stop }; id = 'UnsuitableObject'
            category = 'InvalidData' }
            @{ name = 'a secret'; script = { Set-LockstepVariable v ([securestring]::new()) -Store ./v.db -ErrorAction Stop }
            id = 'UnsuitableObject'; category = 'InvalidData' }
            @{ name = 'a ramp shorter than a tick'
            script = { Set-LockstepVariable v -From 0 -To 1 -Over 1 -Store ./v.db -ErrorAction Stop }; id = 'InvalidOption'
            category = 'InvalidArgument' }
            @{ name = 'a name with a line break'; script = { Set-LockstepVariable "a`nb" 1 -Store ./v.db -ErrorAction Stop }
            id = 'InvalidOption'; category = 'InvalidArgument' }
        ) {
            $failure = Get-ErrorOf $script
            $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
            $failure.CategoryInfo.Category | Should -Be $category
            $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
            "$($failure.Exception)" | Should -Not -Match 's3cret'
        }

        It 'makes no store by reading one' {
            $null = Get-ErrorOf { Get-LockstepVariable -Store ./none.db -ErrorAction Stop }
            $null = Get-ErrorOf { Get-LockstepVariableSchedule -Store ./none.db -ErrorAction Stop }
            $null = Get-ErrorOf { Watch-LockstepVariable v -Store ./none.db -ErrorAction Stop }
            './none.db' | Should -Not -Exist
        }

        It 'leaves a file alone that is something else' {
            'text' | Set-Content ./other.txt
            (Get-ErrorOf { Set-LockstepVariable v 1 -Store ./other.txt -ErrorAction Stop }).FullyQualifiedErrorId |
                Should -BeLike 'TickStoreUnavailable,*'
            Get-Content ./other.txt | Should -Be text
        }

        It 'goes on with the others' {
            $null = Set-LockstepVariable a 1 -Store ./v.db
            (Get-LockstepVariable none, a -Store ./v.db -ErrorAction SilentlyContinue -ErrorVariable failures).Name | Should -Be a
            $failures.TargetObject | Should -Be none
        }

        It 'replaces a pending value with -Force, as the error says where it helps' {
            $null = Set-LockstepVariable v 1 -ActiveAt 2090-01-01 -Store ./v.db
            (Get-ErrorOf {
                Set-LockstepVariable v 2 -ActiveAt 2090-01-01 -Store ./v.db -ErrorAction Stop
            }).ErrorDetails.RecommendedAction | Should -BeLike '*-Force*'
            $ramp = Get-ErrorOf { Set-LockstepVariable v -From 0 -To 9 -Over 1h -ActiveAt 2090-01-01 -Store ./v.db -ErrorAction Stop }
            $ramp.FullyQualifiedErrorId | Should -BeLike 'TickConflict,*'
            $ramp.ErrorDetails.RecommendedAction | Should -Not -BeLike '*-Force*'
            $null = Set-LockstepVariable v 2 -ActiveAt 2090-01-01 -Store ./v.db -Force
            (Get-LockstepVariableSchedule v -Store ./v.db).Value | Should -Be 2
        }
    }

    It 'shows no password of a store' {
        $store = [Lockstep.VariableStore]'Host=db.example;Username=me;Password=s3cret;Database=app'
        "$store" | Should -Be 'postgres://db.example:5432/app'
        "$([Lockstep.VariableStore]'postgresql://me:s3cret@db.example:6000/app?sslmode=verify-full')" |
            Should -Be 'postgres://db.example:6000/app'
        "$([Lockstep.VariableStore]'rediss://me:s3cret@redis.example/2?prefix=flags')" |
            Should -Be 'rediss://redis.example:6379/2?prefix=flags'
        $store | Format-List * -Force | Out-String | Should -Not -Match s3cret
        $store | ConvertTo-Json | Should -Not -Match s3cret
    }
}

Describe 'Remove-LockstepVariable' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach { Pop-Location }

    It 'removes what is pending, from the pipeline too' {
        $null = Set-LockstepVariable v 1 -ActiveAt 2090-01-01 -Store ./v.db
        $null = Set-LockstepVariable v 2 -ActiveAt 2091-01-01 -Store ./v.db
        $first = Get-LockstepVariableSchedule v -Store ./v.db | Select-Object -First 1
        Remove-LockstepVariable v -ActiveAt $first.ActiveAt -Store ./v.db | Should -BeNullOrEmpty
        (Get-LockstepVariableSchedule v -Store ./v.db).Value | Should -Be 2
        Get-LockstepVariableSchedule v -Store ./v.db -State Pending | Remove-LockstepVariable
        Get-LockstepVariable -Store ./v.db | Should -BeNullOrEmpty
    }

    It 'removes a whole variable with -All, and says so of one that is not there' {
        Set-LockstepVariable gone 1 -Store ./v.db @fast
        Set-LockstepVariable stays 1 -Store ./v.db @fast
        Remove-LockstepVariable gone -All -Store ./v.db -WhatIf
        (Get-LockstepVariable -Store ./v.db).Name | Should -Be gone, stays
        Remove-LockstepVariable gone -All -Store ./v.db
        (Get-LockstepVariable -Store ./v.db).Name | Should -Be stays
        (Get-ErrorOf { Remove-LockstepVariable gone -All -Store ./v.db }).FullyQualifiedErrorId | Should -BeLike 'VariableNotFound,*'
    }

    It 'removes nothing with -WhatIf' {
        $set = Set-LockstepVariable v 1 -ActiveAt 2090-01-01 -Store ./v.db
        $set | Remove-LockstepVariable -WhatIf
        (Get-LockstepVariableSchedule v -Store ./v.db).Value | Should -Be 1
    }

    It 'refuses what is active, and says so of what is not there' {
        $set = Set-LockstepVariable v 1 -Store ./v.db @fast
        Wait-Until { (Get-LockstepVariable v -Store ./v.db).Value -eq 1 }
        $failure = Get-ErrorOf { $set | Remove-LockstepVariable -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'TickTooLate,*'
        $failure.CategoryInfo.Category | Should -Be InvalidOperation
        (Get-ErrorOf { Remove-LockstepVariable v -ActiveAt 2090-01-01 -Store ./v.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'VariableNotFound,*'
    }
}

Describe 'Watch-LockstepVariable' {
    BeforeEach {
        $store = Join-Path (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory).FullName v.db
        $null = Set-LockstepVariable v 0 -Store $store @fast
        Wait-Until { (Get-LockstepVariable v -Store $store).ActiveAt }

        # Watches in its own session, while this one sets; the current value shows that it has started.
        $session = New-Session
        $session.Runspace.SessionStateProxy.SetVariable('store', $store)
        $seen = [System.Management.Automation.PSDataCollection[psobject]]::new()
        function Start-Watch([string] $Script) {
            $session.Commands.Clear()
            $script:running = $session.AddScript($Script).BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]$null, $seen)
        }
    }
    AfterEach { $session.Dispose() }

    It 'puts out values as they become active, and ends by Select-Object -First' {
        Start-Watch 'Watch-LockstepVariable v, w -Store $store -IncludeCurrent | Select-Object -First 3'
        Wait-Until { $seen.Count -ge 1 }
        $seen[0].Name, $seen[0].Value | Should -Be v, 0
        $one = Set-LockstepVariable v 1 -Store $store
        $two = Set-LockstepVariable w @{ a = 2 } -Store $store -ActiveAt $one.ActiveAt.AddSeconds(1)
        Wait-Until { $running.IsCompleted }
        $session.EndInvoke($running)
        $session.HadErrors | Should -BeFalse

        $seen.Count | Should -Be 3
        $seen[1].PSTypeNames[0] | Should -Be Lockstep.VariableActivation
        $seen[1].Name, $seen[1].Value, $seen[1].ActiveAt | Should -Be v, 1, $one.ActiveAt
        $seen[2].Name, $seen[2].Value.a, $seen[2].ActiveAt | Should -Be w, 2, $two.ActiveAt
        # Never before its time; how soon after is a matter of the machine.
        foreach ($activation in $seen[1, 2]) { $activation.SwitchedAt | Should -BeGreaterOrEqual $activation.ActiveAt }
    }

    It 'puts out nothing that was active before, without -IncludeCurrent' {
        Start-Watch 'Watch-LockstepVariable v, probe -Store $store | Select-Object -First 1'
        $null = Set-LockstepVariable probe 1 -Store $store -ActiveAt ([datetimeoffset]::Now.AddSeconds(4))
        # If the watch starts only after that, on a busy machine, further ones end it.
        Wait-Until { if (-not $running.IsCompleted -and -not (Get-LockstepVariable probe -Store $store).NextActiveAt) {
            $null = Set-LockstepVariable probe 1 -Store $store
        }; $running.IsCompleted }
        $seen.Name | Should -Be probe
    }

    It 'ends when it is stopped' {
        Start-Watch 'Watch-LockstepVariable v -Store $store -IncludeCurrent'
        Wait-Until { $seen.Count -ge 1 }
        $stopped = $session.BeginStop($null, $null)
        Wait-Until { $stopped.IsCompleted }
        $session.EndStop($stopped)
        $session.InvocationStateInfo.State | Should -Be Stopped
    }

    It 'takes names from the pipeline, of one store' {
        Start-Watch 'Get-LockstepVariable -Store $store | Watch-LockstepVariable -IncludeCurrent | Select-Object -First 1'
        Wait-Until { $running.IsCompleted }
        $seen.Name | Should -Be v
        $null = Set-LockstepVariable v 1 -Store "$store.other"
        $two = @(Get-LockstepVariable v -Store $store) + @(Get-LockstepVariable v -Store "$store.other")
        (Get-ErrorOf { $two | Watch-LockstepVariable -IncludeCurrent -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
    }
}
