# What someone who knows PowerShell expects of every cmdlet, so that it need not be looked up.

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
    # Verbs by which nothing outside the session's memory of it changes.
    $reading = 'Get', 'Show', 'Watch', 'Wait', 'Test', 'Receive'
    # Names that are taken from Invoke-RestMethod, Get-Content and the like.
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
            # What lies in a database cannot be completed without asking it.
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

    It 'of fields, quoted where they need it' {
        Complete 'Get-LockstepRecord things -Property ' | Should -Be id, updated_at, "'two words'"
        Complete 'Export-LockstepTable -Path things.db -Property tw' | Should -Be "'two words'"
        Complete 'Test-LockstepFeed http://x/ -OrderBy up' | Should -Be updated_at
        Complete 'Import-LockstepTable x -KeyProperty i' | Should -Be id
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
