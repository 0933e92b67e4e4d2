# What someone who knows PowerShell expects of every cmdlet, without looking it up.

BeforeDiscovery {
    $cmdlets = Get-Command -Module Lockstep -CommandType Cmdlet | ForEach-Object { @{ Name = $_.Name; Command = $_ } }
    $typeNames = [xml](Get-Content (Join-Path (Split-Path (Get-Module Lockstep).Path) Lockstep.format.ps1xml)) |
        ForEach-Object { $_.Configuration.ViewDefinitions.View.ViewSelectedBy.TypeName } | Sort-Object -Unique
    $outputs = Get-Command -Module Lockstep | ForEach-Object { $_.OutputType.Name } |
        Where-Object { $_ -like 'Lockstep.*' -and $_ -ne 'Lockstep.Record' } |
        Sort-Object -Unique | ForEach-Object { @{ Type = $_; Views = $typeNames } }
}

BeforeAll {
    $common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
    # Verbs that change nothing outside the session's memory.
    $reading = 'Get', 'Show', 'Watch', 'Wait', 'Test', 'Receive'
    # Names taken from Invoke-RestMethod, Get-Content and the like.
    $customary = @{
        Uris = 'Uri'; Url = 'Uri'; Server = 'Server'; File = 'Path'; FilePath = 'Path'; FileName = 'Path'; Timeout = 'TimeoutSec'
        Retries = 'MaximumRetryCount'
        User = 'Credential'; Password = 'Credential'; Overwrite = 'Force'; Insecure = 'SkipCertificateCheck'; Parallel = 'ThrottleLimit'
        Background = 'AsJob'; Limit = 'First'; Fields = 'Property'
    }
}

Describe '<Name>' -ForEach $cmdlets {
    It 'has an approved verb and a singular noun of ours' {
        $Command.Verb | Should -BeIn (Get-Verb).Verb
        $Command.Noun | Should -MatchExactly '^Lockstep[A-Z][A-Za-z]+$'
        $Command.Noun | Should -Not -MatchExactly '[^s]s$'
    }

    It 'has -WhatIf and -Confirm if and only if it changes something' {
        $Command.Parameters.ContainsKey('WhatIf') -and $Command.Parameters.ContainsKey('Confirm') |
            Should -Be ($Command.Verb -notin $reading)
    }

    It 'names its parameters as is the custom' {
        foreach ($parameter in $Command.Parameters.Values | Where-Object Name -NotIn $common) {
            $parameter.Name | Should -MatchExactly '^[A-Z][A-Za-z]*$'
            $usual = $customary[$parameter.Name]
            $usual ?? $parameter.Name | Should -Be $parameter.Name
            if ($parameter.ParameterType -eq [switch]) { $parameter.Name | Should -Not -MatchExactly '^(Enable|Is|Do|Should)[A-Z]' }
            if ($parameter.ParameterType -eq [bool]) { throw "-$($parameter.Name) should be a switch" }
            if ($parameter.Name -like '*Credential') { $parameter.ParameterType | Should -BeIn ([pscredential]), ([pscredential[]]) }
            if ($parameter.Name -match '^(Token|Password|Secret)$') {
                $parameter.ParameterType | Should -BeIn ([securestring]), ([securestring[]])
            }
            if ($parameter.Name -eq 'LiteralPath') { $parameter.Aliases | Should -Contain PSPath }
        }
    }

    It 'says what it puts out, if it puts out anything' {
        if ($Command.Verb -in 'Get', 'Watch', 'Receive', 'Test', 'Show' -or $Command.Parameters.ContainsKey('PassThru')) {
            $Command.OutputType | Should -Not -BeNullOrEmpty
        }
    }

    It 'completes what names a thing of ours' {
        foreach ($name in 'Table', 'Property', 'OrderBy', 'KeyProperty', 'Model', 'Server', 'Store') {
            $parameter = $Command.Parameters[$name]
            # What is in a database cannot be completed without asking it.
            $elsewhere = -not ($Command.ParameterSets |
                Where-Object { $_.Parameters.Name -contains $name -and
                -not ($_.Parameters | Where-Object { $_.Name -eq 'ConnectionString' -and $_.IsMandatory }) })
            if ($parameter -and -not $elsewhere -and ($name -ne 'Server' -or $parameter.ParameterType.Name -like 'TestServerInfo*')) {
                $parameter.Attributes | Where-Object { $_ -is [ArgumentCompleter] } | Should -Not -BeNullOrEmpty -Because "-$name"
            }
        }
    }
}

Describe 'Output' {
    It '<Type> has a view' -ForEach $outputs { $Type | Should -BeIn $Views }

    It 'has no colours of its own' {
        $views = Get-Content (Join-Path (Split-Path (Get-Module Lockstep).Path) Lockstep.format.ps1xml) -Raw
        $views | Should -Not -Match '\$PSStyle|`e\[|\x1b'
    }
}

Describe 'Completion' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $null = [ordered]@{ id = 1; updated_at = 1; 'two words' = 2 } | Import-LockstepTable -Table things -Disk
        function Complete([string] $Line) { (TabExpansion2 $Line $Line.Length).CompletionMatches.CompletionText }
    }
    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'of tables' {
        Complete 'Get-LockstepRecord th' | Should -Be things
        Complete 'Sync-LockstepTable http://x/ -Table ' | Should -Be things
        Complete 'Test-LockstepTable ' | Should -Be things
    }

    It 'of table files, and no others' {
        'text' | Set-Content other.txt
        Complete 'Get-LockstepRecord -Path ./th' | Should -Be (Join-Path . things.db)
        Complete 'Get-LockstepRecord -Path ' | Should -Not -Contain (Join-Path . other.txt)
        $null = New-Item sub -ItemType Directory
        Backup-LockstepTable things sub/copy.db
        Complete 'Remove-LockstepTable -LiteralPath sub/' | Should -Be (Join-Path sub copy.db)
        Complete 'Get-LockstepRecord -Path su' | Should -Be (Join-Path . sub) -Because 'tables may lie in it'
    }

    It 'of dialects, also of the members in a feed of groups' {
        Complete 'Sync-LockstepTable http://x/ -Dialect OData' | Should -Be ODataDelta, "'ODataDelta:members@delta'"
        Complete 'Get-LockstepDialect OData' | Should -Be ODataDelta
    }

    It 'of fields, quoted where they need it' {
        Complete 'Get-LockstepRecord things -Property ' | Should -Be id, updated_at, "'two words'"
        Complete 'Export-LockstepTable -Path things.db -Property tw' | Should -Be "'two words'"
        Complete 'Test-LockstepFeed http://x/ -OrderBy up' | Should -Be updated_at
        Complete 'Import-LockstepTable x -KeyProperty i' | Should -Be id
    }

    It 'of names that hold brackets, quotes and blanks, each by a text that means the one thing' {
        $names = 'we[1]rd', "it's", "its$([char]0x2019)", 'two words', '$dollar', 'a`b', 'semi;colon', 'we1rd', '(x)', '{y}', '@z', '#c',
            '1e5'
        foreach ($name in $names) { [IO.File]::Copy("$pwd/things.db", "$pwd/$name.db") }
        foreach ($command in 'Get-LockstepTable -Path ', 'Get-LockstepTable -LiteralPath ') {
            $texts = Complete "$command./"
            $texts | Should -HaveCount ($names.Count + 1)
            $texts | ForEach-Object { (Invoke-Expression "$command$_").Path } | Sort-Object |
                Should -Be ((Get-ChildItem *.db).FullName | Sort-Object)
        }
    }

    It 'of paths in the way of PowerShell: escaped where there are wildcards, and as they are where there are none' {
        [IO.File]::Copy("$pwd/things.db", "$pwd/we[1]rd.db")
        $completed = Join-Path . 'we`[1`]rd.db'
        Complete 'Get-LockstepRecord -Path ./we' | Should -Be "'$completed'"
        Complete "Get-LockstepRecord -Path '$($completed.Substring(0, 6))" | Should -Be "'$completed'"
        Complete 'Get-LockstepRecord -LiteralPath ./we' | Should -Be "'$(Join-Path . 'we[1]rd.db')'"
        Remove-LockstepTable -Path $completed
        [IO.File]::Exists("$pwd/we[1]rd.db") | Should -BeFalse
    }

    It 'of tables, fields, variables and models with brackets' {
        $null = [ordered]@{ id = 1; updated_at = 1; 'a[1]' = 2; a1 = 3 } | Import-LockstepTable -Table 'ta[1]' -Disk
        Complete 'Get-LockstepRecord ta' | Should -Be "'ta``[1``]'"
        Complete 'Sync-LockstepTable http://x/ -Table ta' | Should -Be "'ta[1]'"
        Complete "Get-LockstepRecord 'ta[1]' -Property a" | Should -Be "'a``[1``]'", 'a1'
        $field = Complete "Get-LockstepRecord 'ta[1]' -Property 'a["
        (Invoke-Expression "Get-LockstepRecord 'ta``[1``]' -Property $field").psobject.Properties.Name | Should -Be 'a[1]'
        $null = Set-LockstepVariable 'v[1]' blue -Store ./flags.db
        Complete 'Get-LockstepVariable -Store ./flags.db -Name v' | Should -Be "'v``[1``]'"
        Complete 'Set-LockstepVariable -Store ./flags.db -Name v' | Should -Be "'v[1]'"
        (Get-LockstepVariable -Store ./flags.db -Name 'v`[1`]').Name | Should -Be 'v[1]'
        $null = New-LockstepModel -Name 'm[1]'
        try {
            Complete 'Get-LockstepModel m' | Should -Be "'m``[1``]'"
            'm[1]', 'm`[1`]' | ForEach-Object { (Get-LockstepModel $_).Name } | Should -Be 'm[1]', 'm[1]'
        }
        finally { Get-LockstepModel | Remove-LockstepModel }
    }

    It 'of fields in a filter, as SQL has them' {
        Complete 'Get-LockstepRecord things -Filter up' | Should -Be updated_at
        Complete 'Get-LockstepRecord things -Filter tw' | Should -Be "'`"two words`"'"
        Complete "Get-LockstepRecord things -Filter 'id > 0 and tw" | Should -Be "'id > 0 and `"two words`"'"
        Complete 'Get-LockstepRecord things -Filter "id > $x and tw' | Should -BeNullOrEmpty -Because '$x would become its value'
        Invoke-Expression "Get-LockstepRecord things -Filter $(Complete 'Get-LockstepRecord things -Filter tw')" | Should -HaveCount 1
    }

    It 'of dialects, only those that the command takes' {
        Complete 'Import-LockstepTable x -Dialect ' | Sort-Object | Should -Be Auto, Record, Transaction
        Complete 'Sync-LockstepTable http://x/ -Dialect "ku' | Should -Be Kubernetes
        '{}' | Set-Content mine.json
        Complete 'Sync-LockstepTable http://x/ -Dialect ./m' | Should -Be (Join-Path . mine.json)
    }

    It 'of feeds that are known here: of running servers and of tables' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        $null = $server | Sync-LockstepTable -Disk
        Complete 'Sync-LockstepTable ' | Should -Be "'$($server.FeedUri)'"
        Complete 'Test-LockstepFeed -Uri ' | Should -Be "'$($server.FeedUri)'"
    }

    It 'of servers, by a way to get them' {
        $server = Start-LockstepTestServer -Port 0
        $text = Complete 'Get-LockstepTestRequest -Server '
        $text | Should -HaveCount 1
        (Invoke-Expression $text).Port | Should -Be $server.Port
    }

    It 'of kinds of fault and their ids' {
        Complete 'Add-LockstepTestFault -Kind Cu' | Should -Be CursorExpired, Cut
        $null = Start-LockstepTestServer -Port 0 | Add-LockstepTestFault -Kind Cut -Id mine
        Complete 'Remove-LockstepTestFault mi' | Should -Be mine
    }

    It 'of stores, which are files' {
        $null = Set-LockstepVariable banner blue -Store ./flags.db
        Complete 'Get-LockstepVariable -Store ./fl' | Should -Be (Join-Path . flags.db)
        Complete 'Get-LockstepVariable -Store ./flags.db -Name b' | Should -Be banner
    }
}

Describe 'Times in views' {
    It 'have the years of ISO 8601 in every culture' {
        $format = Get-Content "$((Get-Module Lockstep).ModuleBase)/Lockstep.format.ps1xml" -Raw
        [regex]::Matches($format, "\.ToString\('(yyyy|HH)[^)]*\)") | Should -Not -BeNullOrEmpty
        [regex]::Matches($format, "\.ToString\('(yyyy|HH)[^)]*\)").Value | Should -Match 'InvariantCulture'
    }

    It 'are not those of another calendar: <_>' -ForEach 'th-TH', 'ar-SA', 'fa-IR' {
        $culture = [cultureinfo]::CurrentCulture
        try {
            [cultureinfo]::CurrentCulture = $_
            Set-LockstepVariable v 1 -ActiveAt 2037-01-02 | Out-String -Width 200 | Should -Match '2037-01-02 00:00'
            Remove-LockstepVariable v -All
        }
        finally { [cultureinfo]::CurrentCulture = $culture }
    }
}

Describe 'Names' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $null = [ordered]@{ id = 1; updated_at = 1 } | Import-LockstepTable -Table inventory -Disk
    }
    AfterEach { Pop-Location }

    It 'are the same whatever their case in every culture: <_>' -ForEach 'en-US', 'tr-TR', 'de-DE', 'th-TH' {
        $culture = [cultureinfo]::CurrentCulture
        try {
            [cultureinfo]::CurrentCulture = $_
            (Get-LockstepTable INV*).Name | Should -Be inventory
            (Get-LockstepRecord INVENTORY -Property I*).psobject.Properties.Name | Should -Be id
            (Get-LockstepDialect *ENT*).Name | Should -Be EventStream
            $null = Set-LockstepVariable idle 1 -Store ./flags.db
            (Get-LockstepVariable -Store ./flags.db -Name I*).Name | Should -Be idle
        }
        finally { [cultureinfo]::CurrentCulture = $culture }
    }

    It 'come by an object of the pipeline that has them, as from a CSV file' {
        'Name', 'Table' | ForEach-Object { [pscustomobject]@{ $_ = 'inventory' } | Get-LockstepRecord } | Should -HaveCount 2
        "Table,Owner`ninventory,me" | ConvertFrom-Csv | Get-LockstepTable | Should -HaveCount 1
    }

    It 'of files that are piped where records belong are told apart from those' {
        '{"id":1,"updated_at":1}' | Set-Content one.ndjson
        $failure = $null
        $null = Get-Item one.ndjson | Import-LockstepTable -Table one -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure[0].Exception.Message | Should -Be "'one.ndjson' came through the pipeline, which brings records and not files."
    }
}

Describe 'A large table' {
    BeforeAll {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        1..5000 | ForEach-Object { "{""id"":$_,""updated_at"":$_}" } | Set-Content large.ndjson
        $null = Import-LockstepTable -Path large.ndjson -Disk
    }
    AfterAll { Pop-Location }

    It 'comes whole and in order, however far its records are read ahead' {
        (Get-LockstepRecord large).id | Should -Be (1..5000)
        (Get-LockstepRecord large -First 3000 -Skip 1000).id | Should -Be (1001..4000)
    }

    It 'is let go of when the pipeline stops: <_>' -ForEach 1, 256, 257, 300, 4999 {
        Get-LockstepRecord large | Select-Object -First $_ | Should -HaveCount $_
        # A connection that was left open would keep the file from being replaced on Windows, and its log from being emptied anywhere.
        (Get-LockstepRecord large | Select-Object -First $_)[-1].id | Should -Be $_
        { Get-LockstepRecord large | ForEach-Object { if ($_.id -eq 400) { throw 'enough' } } } | Should -Throw enough
    }

    It 'warns of a field that is called otherwise before the first record that has it, far into the table' {
        Copy-Item large.ndjson late.ndjson
        Add-Content late.ndjson '{"id":5001,"updated_at":1,"a":1,"A":2}'
        $null = Import-LockstepTable -Path late.ndjson -Disk
        $said = $null
        (Get-LockstepRecord late -WarningVariable said -WarningAction SilentlyContinue)[-1].A_2 | Should -Be 2
        $said | Should -HaveCount 1
    }
}
