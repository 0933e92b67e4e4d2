# What people type first, from the habits of other modules: it works, or says what to type instead.
BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    $server = Start-LockstepTestServer -Port 0 -Record @{ id = 1; updated_at = 1; name = 'one' }, @{ id = 2; updated_at = 2; name = 'two' }
    Push-Location -LiteralPath (New-Item -ItemType Directory (Join-Path $TestDrive 'a [1] ünï')).FullName
    $null = $server | Sync-LockstepTable -Table things -Disk -SettleSec 0.2
}
AfterAll {
    Pop-Location
    $server | Stop-LockstepTestServer
}

Describe 'The pipeline' {
    It 'takes names of tables' {
        ('things' | Get-LockstepTable).Rows | Should -Be 2
        ('things', 'thi*' | Get-LockstepRecord).Count | Should -Be 4
        ('things' | Export-LockstepTable -Destination things.csv -PassThru).Length | Should -BeGreaterThan 0
    }

    It 'takes files by their path all the same, and tables by theirs' {
        (Get-Item -LiteralPath (Join-Path (Get-Location) things.db) | Get-LockstepTable).Name | Should -Be things
        (Get-LockstepTable things | Get-LockstepRecord).Count | Should -Be 2
        (Get-LockstepTable things | Get-LockstepRecord -Filter 'id = 2').name | Should -Be two
    }

    It 'says that there is nothing where there is nothing' {
        $failure = Get-ErrorOf { $null | Get-LockstepRecord -ErrorAction Stop }
        "$failure" | Should -BeLike "*'Table'*null*"
        @() | Get-LockstepRecord | Should -BeNullOrEmpty
    }

    It 'has the feed, so that a name beside it needs -Table' {
        $failure = Get-ErrorOf { $server | Sync-LockstepTable copy -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Table copy*'
    }

    It 'has the records, so that a name beside them needs -Table' {
        $failure = Get-ErrorOf { Get-LockstepRecord things | Import-LockstepTable copy -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Table copy*'
        (Get-LockstepRecord things | Import-LockstepTable -Table copy -Disk).Added | Should -Be 2
    }

    It 'has the server, or the records' {
        $other = Start-LockstepTestServer -Port 0 -Feed Scripted
        try {
            $other | Add-LockstepTestRecord @{ id = 1; updated_at = 1 }, @{ id = 2; updated_at = 2 }
            @{ id = 3; updated_at = 3 }, '{"id":4,"updated_at":4}' | Add-LockstepTestRecord -Server $other
            $other.RecordCount | Should -Be 4
            (Get-ErrorOf { $other | Add-LockstepTestRecord -ErrorAction Stop }).ErrorDetails.RecommendedAction | Should -BeLike '*-Record*'
        }
        finally { $other | Stop-LockstepTestServer }
    }
}

Describe 'A path' {
    It 'of a folder is refused as what it is, by <_>' -ForEach 'Get-LockstepRecord', 'Get-LockstepTable', 'Watch-LockstepTable',
        'Remove-LockstepTable' {
        $failure = Get-ErrorOf { & $_ -LiteralPath (Get-Location) -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PathIsFolder,*'
        $failure.CategoryInfo.Category | Should -Be InvalidArgument
    }

    It 'of a folder is no place for a table' {
        $failure = Get-ErrorOf { $server | Sync-LockstepTable -LiteralPath (Get-Location) -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PathIsFolder,*'
    }

    It 'on a drive that there is not is one error, and the others go on' {
        $found = Get-LockstepTable -Path Q:\things.db, ./things.db, Q:\*.db -ErrorAction SilentlyContinue -ErrorVariable failures
        $found.Name | Should -Be things
        $failures.FullyQualifiedErrorId | Should -Be (@('PathNotFound,Lockstep.Commands.GetLockstepTableCommand') * 2)
    }

    It 'with a tilde, where there is no home, is one of another provider' {
        Push-Location Env:
        try {
            (Get-ErrorOf { Get-LockstepTable -Path ~/things.db -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'PathProvider,*'
        }
        finally { Pop-Location }
    }
}

Describe 'Export-LockstepTable' {
    It 'does not write another format than the name of the file tells' {
        $failure = Get-ErrorOf { Export-LockstepTable things -Destination things.parquet -ErrorAction Stop }
        "$failure" | Should -BeLike "*'.parquet'*"
        Test-Path things.parquet | Should -BeFalse
        Export-LockstepTable things -Destination things.data -Format Ndjson
        (Get-Content things.data).Count | Should -Be 2
    }
}

Describe '-Verbose' {
    It 'tells the story of a sync' {
        $said = $server | Sync-LockstepTable -Table story -SettleSec 0.2 -Verbose 4>&1 |
            Where-Object { $_ -is [System.Management.Automation.VerboseRecord] } | Out-String
        $said | Should -BeLike '*Connected*'
        $said | Should -BeLike '*Committed: 2 added, 0 updated, 0 deleted; the cursor is 2.*'
        $said | Should -BeLike '*Done (Settled):*'
        Remove-LockstepTable story -Confirm:$false
    }
}

Describe 'Errors' {
    It 'call a table of the session by its name' {
        $null = $server | Sync-LockstepTable -Table mine -SettleSec 0.2
        $failure = Get-ErrorOf { Wait-LockstepTable mine -Count 99 -TimeoutSec 0.1 -ErrorAction Stop }
        "$failure" | Should -BeLike "The table 'mine' *"
        "$failure" | Should -BeLike '* No sync of this session is running.*'
        (Get-ErrorOf { Get-LockstepRecord mine -Filter 'nothing > 1' -ErrorAction Stop }).TargetObject | Should -Be mine
        Invoke-Quietly { Clear-LockstepTable mine -WhatIf; Export-LockstepTable mine -Destination mine.csv -WhatIf } |
            Should -Not -BeLike '*lockstep-session*'
        Remove-LockstepTable mine -Confirm:$false
    }

    It 'say that a store of variables is not there' {
        "$(Get-ErrorOf { Get-LockstepVariable banner -Store ./missing.db -ErrorAction Stop })" | Should -BeLike '*no such file*'
    }
}

Describe 'What is shown in 80 columns' {
    It 'has room for the path of a request' {
        $server | Get-LockstepTestRequest | Out-String -Width 80 | Should -Match '/servers/0 +200'
    }
}

Describe 'Completion' {
    It 'of a filter begins with the fields' {
        $line = 'Get-LockstepRecord things -Filter n'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be name
    }
}

Describe 'Nothing where something is meant' {
    It 'is refused before anything is done: <_>' -ForEach @(
        'Get-LockstepTable -Table $null'
        'Get-LockstepModel -Name $null'
        'Get-LockstepModelValue m -Key $null'
        'Remove-LockstepModel -Model $null -WhatIf'
        'Disconnect-LockstepModel -Model @($null) -WhatIf'
        'Wait-LockstepModel -Model $null'
        'Stop-LockstepServer -Server $null -WhatIf'
        'Stop-LockstepTestServer -Server $null -WhatIf'
        '$null | Stop-LockstepTestServer -WhatIf'
        'Stop-LockstepModelListener -Listener @($null) -WhatIf'
        'Start-LockstepTestServer -Port 0 -ListenAddress $null -WhatIf'
        'Start-LockstepTestServer -Port 0 -Record $null -WhatIf'
        'Start-LockstepServer things -Port 0 -ListenAddress $null -WhatIf'
        # An empty list of allowed readers must not let everybody read.
        'Start-LockstepServer things -Port 0 -Token $null -WhatIf'
        'Start-LockstepServer things -Port 0 -Token @() -WhatIf'
        'Start-LockstepServer things -Port 0 -Credential @() -WhatIf'
    ) {
        $failure = Get-ErrorOf { & ([scriptblock]::Create("`$ErrorActionPreference = 'Stop'; $_")) }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgument*'
    }

    It 'is no key, as in a short line of a CSV file' {
        Set-Content -LiteralPath (Join-Path (Get-Location) feeds.csv) -Value 'Uri,Table,KeyProperty,OrderBy', "$($server.FeedUri),short",
            "$($server.FeedUri),empty,,", "$($server.FeedUri),full,id,updated_at"
        (Import-Csv -LiteralPath (Join-Path (Get-Location) feeds.csv) | Sync-LockstepTable -Disk -SettleSec 0.2).Added | Should -Be 2, 2, 2
    }

    It 'is no proxy' {
        $failure = Get-ErrorOf { Sync-LockstepTable $server.FeedUri things -Proxy '' -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
    }
}
