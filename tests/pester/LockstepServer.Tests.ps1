BeforeDiscovery {
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
    $obstacle = Get-PostgresObstacle
}

BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    Import-Module $PSScriptRoot/Postgres.psm1 -Force
}

Describe 'Start-LockstepServer over a table file' {
    BeforeEach {
        $origin = Start-LockstepTestServer -Port 0 -Record @{ id = 1; updated_at = 1; name = 'one' },
            @{ id = 2; updated_at = 2; name = 'two' }
        $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('n')).db"
        $null = Sync-LockstepTable $origin servers -Path $file -SettleSec 0.2
    }
    AfterEach {
        Get-LockstepServer | Stop-LockstepServer
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'serves it as a feed that can be synced in turn' {
        $server = Start-LockstepServer -Path $file -Table servers -Port 0
        $server | Should -BeOfType Lockstep.ServerInfo
        $server.Feed.Name | Should -Be servers
        $server.Feed.Source | Should -Be $file
        $server.IsHealthy | Should -BeTrue
        $server.Uri.Host | Should -Be 127.0.0.1

        $copy = Join-Path $TestDrive "copy-$($server.Port).db"
        $result = Sync-LockstepTable $server -Path $copy
        $result.Added | Should -Be 2
        $result.EndReason | Should -Be CaughtUp
        (Get-LockstepRecord -Path $copy).name | Should -Be one, two

        Add-LockstepTestRecord @{ id = 1; updated_at = 3; deleted_at = 3 }, @{ id = 3; updated_at = 3; name = 'three' } -Server $origin
        $null = Sync-LockstepTable $origin servers -Path $file
        $again = $server.Feed | Sync-LockstepTable -Path $copy
        $again.Added, $again.Deleted | Should -Be 1, 1
        (Get-LockstepRecord -Path $copy).name | Should -Be two, three
    }

    It 'serves it in the record dialect, for clients of the original' {
        $server = Start-LockstepServer -Path $file -Port 0 -Dialect Record
        $copy = Join-Path $TestDrive "copy-$($server.Port).db"
        (Sync-LockstepTable $server -Path $copy).Added | Should -Be 2
        (Get-LockstepTable -Path $copy).Dialect | Should -Be Record
        Add-LockstepTestRecord @{ id = 1; updated_at = 3; deleted_at = 3 }, @{ id = 3; updated_at = 3; name = 'three' } -Server $origin
        $null = Sync-LockstepTable $origin servers -Path $file
        $again = Sync-LockstepTable $server -Path $copy
        $again.Added, $again.Deleted | Should -Be 1, 1
        (Get-LockstepRecord -Path $copy).id | Should -Be 2, 3
        { Start-LockstepServer servers -ConnectionString 'Host=nowhere' -Dialect Record -Port 0 } |
            Should -Throw -ErrorId 'AmbiguousParameterSet*'
    }

    It 'finds a synced table by its name, and serves several' {
        $null = Sync-LockstepTable $origin of-the-session
        $other = Join-Path $TestDrive "other.db"
        $null = Sync-LockstepTable $origin other -Path $other
        (Start-LockstepServer of-the-session -Port 0).Feed.Name | Should -Be of-the-session
        $both = Start-LockstepServer -LiteralPath $file, $other -Port 0
        $both.Feed.Name | Should -Be servers, other
        $failure = Get-ErrorOf { Sync-LockstepTable $both -ErrorAction Stop }
        "$failure" | Should -BeLike '*several feeds*'
        (Invoke-WebRequest "$($both.Uri)healthz").Content | Should -Be "ok`n"
        Remove-LockstepTable of-the-session -Confirm:$false
    }

    It 'has a status page, with the credentials of its feeds, that can be left out' {
        $server = Start-LockstepServer -Path $file -Port 0
        (Invoke-WebRequest "$($server.Uri)_lockstep/").Headers['Content-Type'] | Should -BeLike 'text/html*'
        (Invoke-RestMethod "$($server.Uri)_lockstep/state").feeds.name | Should -Be servers

        $token = ConvertTo-SecureString 'a-token' -AsPlainText -Force
        $closed = Start-LockstepServer -Path $file -Port 0 -Token $token
        (Invoke-WebRequest "$($closed.Uri)_lockstep/" -SkipHttpErrorCheck).StatusCode | Should -Be 401
        (Invoke-RestMethod "$($closed.Uri)_lockstep/state" -Headers @{ Authorization = 'Bearer a-token' }).feeds.readable | Should -BeTrue

        $without = Start-LockstepServer -Path $file -Port 0 -NoStatusPage
        (Invoke-WebRequest "$($without.Uri)_lockstep/" -SkipHttpErrorCheck).StatusCode | Should -Be 404
    }

    It 'filters' {
        $server = Start-LockstepServer -Path $file -Port 0
        Read-Feed "$($server.Feed.Uri)?where=id=2&columns=name" | ConvertFrom-Json | ForEach-Object { "$($_.id) $($_.name)" } |
            Should -Be '2 two'
    }

    It 'stops, is listed while it runs, and ends with its session' {
        $server = Start-LockstepServer -Path $file -Port 0
        Get-LockstepServer | Should -Be $server
        Stop-LockstepServer
        Test-Port $server.Port | Should -BeFalse
        $server.IsRunning, $server.IsHealthy | Should -Be $false, $false
        $server.Feed.Error | Should -BeLike '*stopped*'
        Get-LockstepServer | Should -BeNullOrEmpty
        (Get-ErrorOf { Stop-LockstepServer -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'ServerNotFound,*'

        $session = New-Session
        $session.Runspace.SessionStateProxy.SetVariable('file', $file)
        $session.Commands.Clear()
        $port = $session.AddScript('(Start-LockstepServer -LiteralPath $file -Port 0).Port').Invoke()[0]
        Test-Port $port | Should -BeTrue
        Get-LockstepServer | Should -BeNullOrEmpty
        $session.Runspace.Close()
        $session.Dispose()
        Test-Port $port | Should -BeFalse
    }

    It 'lets in who may read, and nobody else' {
        $credential = [pscredential]::new('reader', (ConvertTo-SecureString 'pa:ss' -AsPlainText))
        $token = ConvertTo-SecureString 't0ken' -AsPlainText
        $server = Start-LockstepServer -Path $file -Port 0 -Credential $credential -Token $token
        $anonymous = Invoke-WebRequest $server.Feed.Uri -SkipHttpErrorCheck
        $anonymous.StatusCode | Should -Be 401
        $anonymous.Headers['WWW-Authenticate'] | Should -HaveCount 2
        (Sync-LockstepTable $server -Path (Join-Path $TestDrive basic.db) -Credential $credential).Added | Should -Be 2
        (Sync-LockstepTable $server -Path (Join-Path $TestDrive bearer.db) -Token $token).Added | Should -Be 2
        ($server | Format-List * | Out-String) | Should -Not -Match 'pa:ss|t0ken'
    }

    It 'speaks TLS with a certificate' {
        $key = [System.Security.Cryptography.ECDsa]::Create()
        $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=localhost', $key, 'SHA256')
        $certificate = $request.CreateSelfSigned([datetimeoffset]::UtcNow.AddDays(-1), [datetimeoffset]::UtcNow.AddDays(1))
        $server = Start-LockstepServer -Path $file -Port 0 -Certificate $certificate
        $server.Uri.Scheme | Should -Be https
        (Sync-LockstepTable $server -Path (Join-Path $TestDrive tls.db) -SkipCertificateCheck).Added | Should -Be 2
    }

    It 'warns of credentials that go unencrypted over the network' {
        $token = ConvertTo-SecureString 't0ken' -AsPlainText
        $null = Start-LockstepServer -Path $file -Port 0 -Token $token -ListenAddress 0.0.0.0 -WarningVariable said 3> $null
        "$said" | Should -BeLike '*-Certificate*'
    }

    It 'warns of updates that are not shared because they need a credential' {
        $token = ConvertTo-SecureString 't0ken' -AsPlainText
        $null = Start-LockstepServer -Path $file -Port 0 -Token $token -ShareUpdates -WarningVariable said 3> $null
        "$said" | Should -BeLike 'Updates are not shared*'
        $null = Start-LockstepServer -Path $file -Port 0 -ShareUpdates -WarningVariable said 3> $null
        "$said" | Should -BeNullOrEmpty
    }

    It 'says of a table that is not there that it serves synced ones, and how to serve one of PostgreSQL' {
        try {
            Start-LockstepServer nothing -Port 0
        }
        catch {
            $failure = $_
        }
        $failure.Exception.Message | Should -BeLike "There is no synced table 'nothing' to serve*"
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*Sync-LockstepTable*-ConnectionString.'
    }

    It 'does nothing with -WhatIf' {
        Invoke-Quietly { Start-LockstepServer -Path $file -Port 0 -WhatIf } | Should -BeLike "*Serve $file*"
        Get-LockstepServer | Should -BeNullOrEmpty
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a table that is not there'; arguments = @{ Table = 'nothing' }; id = 'TableNotFound' }
        @{ name = 'a file that is not there'; arguments = @{ Path = 'TestDrive:/nothing.db' }; id = 'TableNotFound' }
        @{ name = 'another table than that of the file'; arguments = @{ Table = 'domains' }; needsFile = $true; id = 'TableNotFound' }
        @{ name = 'a connection string that cannot be read'; arguments = @{ Table = 't'; ConnectionString = 'Host=x;Pass word=s3cret' }
        id = 'InvalidOption' }
        @{ name = 'two schemas'; arguments = @{ Table = 'a.t'; Schema = 'b'; ConnectionString = 'Host=127.0.0.1;Port=1' }
        id = 'InvalidOption' }
        @{ name = 'a database that is not there'; arguments = @{ Table = 't'; ConnectionString = 'postgres://me:s3cret@127.0.0.1:1/db' }
        id = 'FeedUnavailable' }
    ) {
        if ($needsFile) { $arguments.LiteralPath = $file }
        $failure = Get-ErrorOf { Start-LockstepServer -Port 0 @arguments -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        "$failure $($failure.Exception)" | Should -Not -Match 's3cret'
        Get-LockstepServer | Should -BeNullOrEmpty
    }
}

Describe 'Start-LockstepServer over PostgreSQL' -Skip:([bool] $obstacle) -Tag "$obstacle" {
    BeforeAll {
        $postgres = Start-PostgresServer
        $connection = @{ ConnectionString = $postgres.ConnectionString }
        $null = Invoke-Sql $postgres @'
            CREATE TABLE domains (name text PRIMARY KEY, user_id bigint);
            INSERT INTO domains VALUES ('a.example', 1), ('b.example', 9007199254740993);
            CREATE TABLE bare (id int PRIMARY KEY);
            CREATE SCHEMA "Other"; CREATE TABLE "Other".things (id int PRIMARY KEY);
            CREATE ROLE stranger LOGIN PASSWORD 'right';
'@
        $stranger = "Host=127.0.0.1;Port=$($postgres.Port);Username=stranger;Database=postgres"
    }
    AfterAll { Stop-PostgresServer $postgres }
    AfterEach { Get-LockstepServer | Stop-LockstepServer }

    It 'has tracking shown and then added by Enable-LockstepPostgresTracking' {
        Invoke-Quietly { Enable-LockstepPostgresTracking @connection domains -WhatIf } |
            Should -BeLike '*ADD COLUMN txid bigint*CREATE TRIGGER*COMMIT;*'
        Invoke-Sql $postgres "SELECT count(*) FROM pg_attribute WHERE attrelid = 'domains'::regclass AND attname = 'txid'" | Should -Be 0
        'domains', 'things' |
            ForEach-Object { Enable-LockstepPostgresTracking @connection $_ -Schema $(if ($_ -eq 'things') { 'Other' } else { 'public' }) }
        Invoke-Sql $postgres 'SELECT name FROM lockstep.tracked ORDER BY 1' | Should -Be Other.things, public.domains
        Enable-LockstepPostgresTracking @connection domains -Verbose 4>&1 | Should -BeLike '*nothing to do*'
    }

    It 'serves tracked tables: snapshot, changes, deletions' {
        $server = Start-LockstepServer @connection -Table domains, Other.things -Port 0 -PollIntervalSec 0.1
        $server.Feed.Name | Should -Be domains, things
        $server.Feed[0].Source | Should -Be "postgres://127.0.0.1:$($postgres.Port)/postgres, domains"
        $server.Feed.Lag | Should -BeOfType timespan

        $file = Join-Path $TestDrive domains.db
        (Sync-LockstepTable $server.Feed[0].Uri -Path $file -KeyProperty name).Added | Should -Be 2
        (Get-LockstepRecord -Path $file -Key b.example).user_id | Should -Be 9007199254740993

        $null = Invoke-Sql $postgres "DELETE FROM domains WHERE user_id = 1; INSERT INTO domains VALUES ('c.example', 3)"
        $result = Sync-LockstepTable $server.Feed[0].Uri -Path $file
        $result.Added, $result.Deleted | Should -Be 1, 1
        (Get-LockstepRecord -Path $file).name | Should -Be b.example, c.example
    }

    It 'takes the database as a URI' {
        $uri = "postgres://lockstep@127.0.0.1:$($postgres.Port)/postgres"
        (Start-LockstepServer -ConnectionString $uri -Table domains -Port 0 -NoListen).IsHealthy | Should -BeTrue
    }

    It 'says what to do about <name>' -ForEach @(
        @{ name = 'a wrong password'; user = 'stranger'; password = 'wr0ng'; table = 'domains'; id = 'PostgresAccess'
        category = 'AuthenticationError'; says = '*password*' }
        @{ name = 'a missing table'; table = 'nothing'; id = 'PostgresTable'; category = 'ObjectNotFound'; says = '*name*' }
        @{ name = 'missing columns'; table = 'bare'; id = 'PostgresTable'; category = 'ObjectNotFound'
        says = '*Enable-LockstepPostgresTracking*' }
    ) {
        $with = if ($user) { "$stranger;Password=$password" } else { $postgres.ConnectionString }
        $failure = Get-ErrorOf { Start-LockstepServer -ConnectionString $with -Table $table -Port 0 -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.CategoryInfo.Category | Should -BeLike $category
        $failure.ErrorDetails.RecommendedAction | Should -BeLike $says
        "$failure" | Should -Not -Match 'wr0ng|right;'
        Get-LockstepServer | Should -BeNullOrEmpty
    }

    It 'names the right that is missing' {
        Enable-LockstepPostgresTracking @connection bare
        $failure = Get-ErrorOf { Start-LockstepServer -ConnectionString "$stranger;Password=right" -Table bare -Port 0 -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PostgresAccess,*'
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*SELECT*'
    }

    It 'forgets old tombstones by Clear-LockstepPostgresTombstone, and none when it is only asked what it would do' {
        $null = Invoke-Sql $postgres 'CREATE TABLE public.fading (id int PRIMARY KEY); INSERT INTO fading VALUES (1), (2)'
        Enable-LockstepPostgresTracking @connection fading
        $null = Invoke-Sql $postgres 'DELETE FROM fading'
        $count = "SELECT (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', tombstones), true, true, '')))[1] " +
            "FROM lockstep.tracked WHERE name = 'public.fading'"
        Clear-LockstepPostgresTombstone @connection fading -OlderThan 1.00:00:00
        Invoke-Sql $postgres $count | Should -Be 2
        Clear-LockstepPostgresTombstone @connection fading -OlderThan 00:00:00 -WhatIf
        Invoke-Sql $postgres $count | Should -Be 2
        'fading' | Clear-LockstepPostgresTombstone @connection -OlderThan 00:00:00
        Invoke-Sql $postgres $count | Should -Be 0
        Invoke-Sql $postgres "SELECT tombstone_floor > 0 FROM lockstep.tracked WHERE name = 'public.fading'" | Should -Be t
        $failure = Get-ErrorOf { Clear-LockstepPostgresTombstone @connection fadign -OlderThan 00:00:00 -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PostgresTable,*'
        "$failure" | Should -BeLike '*fadign*'
        Disable-LockstepPostgresTracking @connection fading -Confirm:$false
    }

    It 'has tracking taken away by Disable-LockstepPostgresTracking' {
        Invoke-Quietly { Disable-LockstepPostgresTracking @connection domains -WhatIf } | Should -BeLike '*DROP COLUMN IF EXISTS txid*'
        Disable-LockstepPostgresTracking @connection domains -Confirm:$false
        Invoke-Sql $postgres "SELECT count(*) FROM lockstep.tracked WHERE name = 'public.domains'" | Should -Be 0
        (Get-ErrorOf { Disable-LockstepPostgresTracking @connection nothing -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'PostgresTable,*'
    }

    It 'serves a table as it is, by replication' {
        $null = Invoke-Sql $postgres "CREATE TABLE plain (id int PRIMARY KEY, name text); INSERT INTO plain VALUES (1, 'one')"
        $log = Join-Path $TestDrive log
        $server = Start-LockstepServer @connection -Table plain -Mode Replication -LogPath $log -Port 0
        $file = Join-Path $TestDrive plain.db
        (Sync-LockstepTable $server plain -Path $file).Added | Should -Be 1
        $null = Invoke-Sql $postgres "INSERT INTO plain VALUES (2, 'two'); DELETE FROM plain WHERE id = 1"
        # A commit reaches the server once the database has notified it.
        $null = Sync-LockstepTable $server plain -Path $file -Follow -PassThru | Where-Object Kind -EQ Deleted | Select-Object -First 1
        (Get-LockstepRecord -Path $file).name | Should -Be two
        Stop-LockstepServer
        Get-ChildItem $log | Should -Not -BeNullOrEmpty
        Invoke-Sql $postgres 'SELECT count(*) FROM pg_replication_slots' | Should -Be 1
        Disable-LockstepPostgresTracking @connection plain -Mode Replication -Confirm:$false
        Invoke-Sql $postgres 'SELECT count(*) FROM pg_replication_slots' | Should -Be 0
        (Get-ErrorOf {
            Start-LockstepServer @connection -Table plain -Mode Replication -Port 0 -ErrorAction Stop
        }).FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
    }
}
