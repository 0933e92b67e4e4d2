BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    $quick = @{ SettleSec = 0.2 }

    function New-Json($Id, $At) { "{`"id`":$Id,`"updated_at`":$At,`"deleted_at`":null}" }

    # A self-signed certificate for 127.0.0.1, valid for a day.
    function New-Certificate([string] $Subject = 'CN=localhost') {
        $key = [System.Security.Cryptography.ECDsa]::Create([System.Security.Cryptography.ECCurve+NamedCurves]::nistP256)
        $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new($Subject, $key, 'SHA256')
        $names = [System.Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
        $names.AddIpAddress([ipaddress]::Loopback)
        $request.CertificateExtensions.Add($names.Build())
        $made = $request.CreateSelfSigned([DateTimeOffset]::UtcNow.AddDays(-1), [DateTimeOffset]::UtcNow.AddDays(1))
        [System.Security.Cryptography.X509Certificates.X509CertificateLoader]::LoadPkcs12($made.Export('Pkcs12'), $null)
    }
}

# The parameters of Sync-LockstepTable that say how to reach a feed and how to continue; the others are in SyncLockstepTable.Tests.ps1.
Describe 'Sync-LockstepTable' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    Context 'over TLS' {
        BeforeEach {
            $certificate = New-Certificate
            $server = Start-LockstepTestServer -Port 0 -Feed Finite -Certificate $certificate
        }

        It 'refuses a certificate that nobody vouches for, and takes any with -SkipCertificateCheck' {
            $server.FeedUri.Scheme | Should -Be https
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'FeedUnreachable,*'
            $failure.Exception.Message | Should -BeLike '*certificate*'
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-SkipCertificateCheck*'
            $server.RequestCount | Should -Be 0
            ($server | Sync-LockstepTable -Disk -SkipCertificateCheck).Added | Should -Be 1
            Clear-LockstepTable servers -Confirm:$false
            Set-Content ca.pem $certificate.ExportCertificatePem()
            ($server | Sync-LockstepTable -Disk -CertificateAuthority ./ca.pem).Added | Should -Be 1
            { $server | Sync-LockstepTable -Disk -CertificateAuthority ./none.pem -ErrorAction Stop } |
                Should -Throw '*-CertificateAuthority takes a PEM file*' -ErrorId 'InvalidOption,*'
            $server | Test-LockstepFeed -SkipCertificateCheck | Where-Object Id -EQ order | ForEach-Object Outcome | Should -Be Passed
            Test-LockstepTable servers -SkipCertificateCheck -Quiet | Should -BeTrue
        }

        It 'refuses a bad certificate: <_>' -ForEach Expired, WrongHost, NotYetValid {
            $null = Add-LockstepTestFault Tls -Problem $_ -Server $server
            (Get-ErrorOf { $server | Sync-LockstepTable -Disk -ErrorAction Stop }).Exception.Message | Should -BeLike '*certificate*'
        }

        It 'I9: follows no redirect from https to http' {
            $open = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = Add-LockstepTestFault Redirect -To "$($open.FeedUri)" -Server $server
            $failure = Get-ErrorOf {
                Sync-LockstepTable ($server.FeedUri -replace '//', '//me:hunter2@') -Disk -SkipCertificateCheck -ErrorAction Stop
            }
            $failure.FullyQualifiedErrorId | Should -BeLike 'FeedRedirect,*'
            $failure | Should -BeLike '*from https to http*'
            "$failure $($failure.Exception)" | Should -Not -Match hunter2
            $open.RequestCount | Should -Be 0
        }

        It 'shows the certificate of -Certificate to a server that wants one, and none without' {
            $mine = New-Certificate 'CN=me'
            $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
            $listener.Start()
            # A server of a few lines, in its own thread: it accepts this certificate and no other.
            $answer = {
                param($listener, $certificate, $trusted)
                $policy = [System.Security.Cryptography.X509Certificates.X509ChainPolicy]::new()
                $policy.TrustMode = 'CustomRootTrust'
                $policy.RevocationMode = 'NoCheck'
                $null = $policy.CustomTrustStore.Add($trusted)
                $options = [System.Net.Security.SslServerAuthenticationOptions]::new()
                $options.ServerCertificate = $certificate
                $options.ClientCertificateRequired = $true
                $options.CertificateChainPolicy = $policy
                while ($true) {
                    # Until the listener is stopped; a client may try more than once.
                    $client = try { $listener.AcceptTcpClient() } catch { break }
                    $stream = [System.Net.Security.SslStream]::new($client.GetStream())
                    try {
                        $stream.AuthenticateAsServer($options)
                        $null = $stream.Read([byte[]]::new(8192))
                        $body = '{"id":1,"updated_at":1}'
                        $stream.Write(
                            [byte[]][char[]]"HTTP/1.1 200 OK`r`nConnection: close`r`nContent-Length: $($body.Length)`r`n`r`n$body")
                        $stream.RemoteCertificate.Thumbprint
                    }
                    catch { 'refused' }
                    finally { $stream.Dispose(); $client.Dispose() }
                }
            }
            $server = [powershell]::Create().AddScript($answer).AddArgument($listener).AddArgument((New-Certificate)).AddArgument($mine)
            try {
                $running = $server.BeginInvoke()
                $uri = "https://127.0.0.1:$($listener.LocalEndpoint.Port)/servers/"
                (Sync-LockstepTable $uri -Path mine.db -Certificate $mine -SkipCertificateCheck).Added | Should -Be 1
                { Sync-LockstepTable $uri -Path none.db -SkipCertificateCheck -ErrorAction Stop } | Should -Throw
                $listener.Stop()
                $running.AsyncWaitHandle.WaitOne(60000) | Should -BeTrue
                $server.EndInvoke($running) | Select-Object -Unique | Should -Be $mine.Thumbprint, refused
            }
            finally { $listener.Stop(); $server.Dispose() }
        }
    }

    Context 'through a proxy' {
        # The test server acts as a proxy for the host whose name it is given.
        BeforeEach { $proxy = Start-LockstepTestServer -Port 0 -Feed Finite -AllowedHost feed.invalid }

        It 'asks the one of -Proxy, whose name for the host is all that counts' {
            (Sync-LockstepTable http://feed.invalid/servers/ -Disk -Proxy $proxy.Uri).Added | Should -Be 1
            (Get-LockstepTestRequest -Server $proxy).Headers.Host | Should -Be feed.invalid
            (Get-LockstepTable).Uri | Should -Be http://feed.invalid/servers/
        }

        It 'shows -ProxyCredential to a proxy that asks, and not to the feed' {
            $null = Add-LockstepTestFault Status -Code 407 -Headers @{ 'Proxy-Authenticate' = 'Basic realm="x"' } -Times 1 -Server $proxy
            $credential = [pscredential]::new('me', (ConvertTo-SecureString hunter2 -AsPlainText -Force))
            (Sync-LockstepTable http://feed.invalid/servers/ -Disk -Proxy $proxy.Uri -ProxyCredential $credential).Added | Should -Be 1
            $requests = Get-LockstepTestRequest -Server $proxy
            $requests.Status | Should -Be 407, 200
            $requests[1].Headers['Proxy-Authorization'] | Should -BeLike 'Basic *'
            $requests[1].Headers.Keys | Should -Not -Contain Authorization
        }

        It 'takes -ProxyUseDefaultCredentials, and fails clearly where they are not enough' {
            $null = Add-LockstepTestFault Status -Code 407 -Headers @{ 'Proxy-Authenticate' = 'Basic realm="x"' } -Server $proxy
            $failure = Get-ErrorOf {
                Sync-LockstepTable http://feed.invalid/servers/ -Disk -Proxy $proxy.Uri -ProxyUseDefaultCredentials -ErrorAction Stop
            }
            $failure | Should -BeLike '*407*'
            (Get-LockstepTestRequest -Server $proxy).Status | Select-Object -Unique | Should -Be 407
        }

        It 'asks the one of the environment, and none with -NoProxy' {
            $module = Join-Path (Split-Path (Get-Module Lockstep).Path) Lockstep.psd1
            $feed = Start-LockstepTestServer -Port 0 -Feed Finite
            # .NET reads the environment once, so this needs its own process.
            $script = "Import-Module '$module'; (Sync-LockstepTable '$($feed.FeedUri)' -Table proxied).Added; " +
                "(Sync-LockstepTable '$($feed.FeedUri)' -Table direct -NoProxy).Added"
            $start = New-PowerShellStart '-Command', $script
            $start.RedirectStandardOutput = $true
            $start.Environment['http_proxy'] = $proxy.Uri
            $start.Environment['no_proxy'] = ''
            $process = [System.Diagnostics.Process]::Start($start)
            $process.StandardOutput.ReadToEnd().Trim() -split '\s+' | Should -Be 1, 1
            $process.WaitForExit()
            $proxy.RequestCount, $feed.RequestCount | Should -Be 1, 1
            $process.Dispose()
        }
    }

    Context 'how it goes on' {
        It 'begins -Lookback before the cursor, and what comes again is not reported' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 100), (New-Json 2 200)
            $null = $server | Sync-LockstepTable -Disk @quick
            New-Json 3 150 | Add-LockstepTestRecord -Server $server
            # Without it, a late record is not seen.
            ($server | Sync-LockstepTable -Disk @quick).Added | Should -Be 0
            $changes = $server | Sync-LockstepTable -Disk @quick -Lookback 60 -PassThru
            $changes.Key | Should -Be 3
            (Get-LockstepTestRequest -Server $server).Cursor | Should -Be 0, 200, 140
            (Get-LockstepTable).Cursor | Should -Be 200
        }

        It 'refuses another -Query than the one that filled the table, until -Resync takes it' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = $server | Sync-LockstepTable -Disk -Query @{ part = 'a'; size = 1; token = 'first' }
            ($server | Sync-LockstepTable -Disk -Query @{ token = 'second'; size = 1; part = 'a' }).Received | Should -BeGreaterThan 0
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk -Query @{ part = 'b' } -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'TableMismatch,*'
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Resync*-Path*-Rebind*'
            $null = $server | Sync-LockstepTable -Disk -Query @{ part = 'b' } -Resync
            ($server | Sync-LockstepTable -Disk -Query @{ part = 'b' }).Received | Should -BeGreaterThan 0
        }

        It 'removes with -Resync what the whole set does not hold, and reports it' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = $server | Sync-LockstepTable -Disk
            '{"id":7,"updated_at":1}' | Import-LockstepTable -Destination servers.db | Out-Null
            (Get-LockstepRecord).id | Should -Be 7, 123
            ($server | Sync-LockstepTable -Disk).Deleted | Should -Be 0
            $changes = $server | Sync-LockstepTable -Disk -Resync -PassThru -ResultVariable outcome
            $changes.Kind, $changes.Key | Should -Be Deleted, 7
            (Get-LockstepRecord).id | Should -Be 123
            (Get-LockstepTestRequest -Server $server).Cursor[-1] | Should -Be 0
        }

        It 'removes nothing by a whole set that cannot be read in full, and says that it is owed' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = $server | Sync-LockstepTable -Disk
            '{"id":7,"updated_at":1}' | Import-LockstepTable -Destination servers.db | Out-Null
            $null = Add-LockstepTestFault Garbage -Text "oops`n" -AtRecord 2 -Times 1 -Server $server
            $result = $server |
                Sync-LockstepTable -Disk -Resync -MalformedRecord Quarantine -WarningVariable warned -WarningAction SilentlyContinue
            (Get-LockstepRecord).id | Should -Be 7, 123
            $result.IsSetOwed | Should -BeTrue
            "$warned" | Should -BeLike '*could not be read*nothing was removed*'
            (Get-LockstepTable).IsSetOwed | Should -BeTrue
            Get-LockstepTable | Out-String | Should -BeLike '*SetOwed*'
            ($server | Sync-LockstepTable -Disk -Resync).IsSetOwed | Should -BeFalse
            (Get-LockstepRecord).id | Should -Be 123
        }

        It 'says with -Resync -WhatIf that a feed removes nothing that never says where its set ends' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1)
            $null = $server | Sync-LockstepTable -Disk @quick
            2..4 | ForEach-Object { "{`"id`":$_,`"updated_at`":1}" } | Import-LockstepTable -Destination servers.db | Out-Null
            Invoke-Quietly { $server | Sync-LockstepTable -Disk -Resync -WhatIf @quick } |
                Should -BeLike '*add 0, update 0, remove 0 records*'
            $null = $server | Sync-LockstepTable -Disk -Resync @quick -WarningAction SilentlyContinue
            (Get-LockstepRecord).Count | Should -Be 4
        }

        It 'refuses a whole set that would remove most of the table, shows what it would do, and lets it through with -Force' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = Add-LockstepTestFault Rechunk -Server $server
            $null = $server | Sync-LockstepTable -Disk
            1..30 | ForEach-Object { "{`"id`":$_,`"updated_at`":1}" } | Import-LockstepTable -Destination servers.db | Out-Null
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk -Resync -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'SweepRefused,*'
            $failure | Should -BeLike '*30 of 31 records*'
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Force*-SweepLimit*'
            (Get-LockstepRecord).Count | Should -Be 31
            (Get-LockstepTable).IsSetOwed | Should -BeTrue

            $said = Join-Path $TestDrive 'whatif.txt'
            Start-Transcript $said | Out-Null
            try { $server | Sync-LockstepTable -Disk -Resync -WhatIf } finally { Stop-Transcript | Out-Null }
            Get-Content $said -Raw | Should -BeLike '*add 0, update 0, remove 30 records*'
            (Get-LockstepRecord).Count | Should -Be 31

            ($server | Sync-LockstepTable -Disk -Resync -Force).Deleted | Should -Be 30
            $null = $server | Sync-LockstepTable -Disk -SweepLimit 90
            (Get-LockstepTable).SweepLimit | Should -Be 90
        }

        It 'refuses a record above -MaximumRecordSize' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1), "{`"id`":2,`"updated_at`":2,`"text`":`"$('x' * 3000)`"}",
                (New-Json 3 3)
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk @quick -MaximumRecordSize 1000 -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'MalformedRecord,*'
            $failure | Should -BeLike '*1000*'
            (Get-LockstepRecord).id | Should -Be 1
            ($server | Sync-LockstepTable -Disk @quick -MaximumRecordSize 4000).Added | Should -Be 2
        }

        It 'stays below -MemoryLimit, which has to leave it enough' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1), (New-Json 2 2)
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk @quick -MemoryLimit 1MB -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentValidationError,*'
            ($server | Sync-LockstepTable -Disk @quick -MemoryLimit 128MB).Added | Should -Be 2
        }

        It 'tries -MaximumRetryCount times more, not counting attempts that brought something' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = Add-LockstepTestFault Status -Code 503 -Times 3 -Server $server
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk -MaximumRetryCount 2 -RetryIntervalSec 0.01 -ErrorAction Stop }
            $failure.CategoryInfo.Category | Should -Be ResourceUnavailable
            $server.RequestCount | Should -Be 3
            ($server | Sync-LockstepTable -Disk -MaximumRetryCount 0).Added | Should -Be 1
        }

        It 'waits -RetryIntervalSec between attempts, and at least as long as the server says' {
            $server = Start-LockstepTestServer -Port 0 -Feed Finite
            $null = Add-LockstepTestFault Status -Code 503 -Times 1 -Server $server
            $null = $server | Sync-LockstepTable -Disk -MaximumRetryCount 1 -RetryIntervalSec 0.5 -InformationVariable events
            $null = Add-LockstepTestFault Status -Code 503 -Times 1 -RetryAfter 1 -Server $server
            $null = $server | Sync-LockstepTable -Disk -MaximumRetryCount 1 -RetryIntervalSec 0.01 -InformationVariable +events
            $events.MessageData.Kind | Should -Be ServerError, Retry, Connect, Disconnect, ServerError, Retry, Connect, Disconnect
            $times = (Get-LockstepTestRequest -Server $server).Time
            # Up to a fifth less, so that clients that were cut off together do not return together.
            ($times[1] - $times[0]).TotalSeconds | Should -BeGreaterOrEqual 0.39
            ($times[3] - $times[2]).TotalSeconds | Should -BeGreaterOrEqual 0.99
        }

        It 'waits with -Wait for another writer of the file' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1)
            $holder = $server | Sync-LockstepTable -Disk -Follow -AsJob
            try {
                Wait-Until { $holder.Sync.State -eq 'Live' -and $holder.Sync.Added -eq 1 }
                $waiter = $server | Sync-LockstepTable -Disk @quick -Wait -AsJob
                Wait-Until { $waiter.State -eq 'Running' }
                $server.RequestCount | Should -Be 1
                New-Json 2 2 | Add-LockstepTestRecord -Server $server
                Wait-Until { $holder.Sync.Added -eq 2 }
                Stop-Job $holder
                $result = $waiter | Receive-Job -Wait
                $result.EndReason, $result.Added | Should -Be Settled, 0
            }
            finally { Get-Job | Remove-Job -Force }
        }

        It 'asks -TokenProvider again when the feed refuses in the middle, and goes on from the cursor' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1), (New-Json 2 2)
            $null = Add-LockstepTestFault Unauthorized -Token one -Times 2 -Server $server
            $null = Add-LockstepTestFault Unauthorized -Token two -Request 2 -Server $server
            $null = Add-LockstepTestFault Cut -AtRecord 1 -Times 1 -Server $server
            $script:asked = 0
            $result = $server | Sync-LockstepTable -Disk @quick -MaximumRetryCount 3 -RetryIntervalSec 0.01 -TokenProvider {
                $script:asked++; @('one', 'two')[$script:asked - 1]
            }
            $result.Added, $script:asked | Should -Be 2, 2
            (Get-LockstepTestRequest -Server $server).Status | Should -Be 200, 401, 200
            (Get-LockstepTestRequest -Server $server).Cursor | Should -Be 0, 1, 1
        }
    }

    Context '-TokenProvider with the answer that refused' {
        It 'has the status and the headers in $_, nothing at the start, and may go on at another address with other headers' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1)
            $other = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1), (New-Json 2 2)
            $null = Add-LockstepTestFault Unauthorized -Token one -Server $server
            $null = Add-LockstepTestFault Unauthorized -Token two -Server $other
            $seen = [System.Collections.Generic.List[object]]::new()
            $result = $server | Sync-LockstepTable -Disk @quick -TokenProvider {
                $seen.Add($_)
                if (-not $_) { return 'none' }
                @{ Uri = $other.FeedUri; Headers = @{ 'X-Claims' = 'yes' }; Token = ConvertTo-SecureString two -AsPlainText -Force }
            }
            $result.Added | Should -Be 2
            $seen.Count, $seen[0] | Should -Be 2, $null
            $seen[1].StatusCode, $seen[1].Feed | Should -Be 401, $server.FeedUri.AbsoluteUri
            $seen[1].Challenge | Should -BeLike '*Bearer*'
            $seen[1].Headers['www-authenticate'] | Should -Be $seen[1].Challenge
            # The table stays bound to the first address.
            (Get-LockstepTable).Uri | Should -Be $server.FeedUri
        }

        It 'has it in a job too' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1)
            $null = Add-LockstepTestFault Unauthorized -Token 401 -Server $server
            try {
                $result = $server | Sync-LockstepTable -Disk @quick -AsJob -TokenProvider {
                    if ($_) { "$($_.StatusCode)" } else { 'none' }
                } | Receive-Job -Wait
                $result.Added | Should -Be 1
            }
            finally { Get-Job | Remove-Job -Force }
        }

        It 'refuses what it cannot use without showing it' {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1)
            $failure = Get-ErrorOf { $server | Sync-LockstepTable -Disk -TokenProvider {
                @{ Uri = 'ftp://s3cret/'; Token = 's3cret' }
            } -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
            "$failure $($failure.ErrorDetails.RecommendedAction)" | Should -Not -Match s3cret
        }
    }

    Context '-Rebind' {
        It 'binds a table to a feed at another address, which is a mismatch otherwise' {
            $null = Start-LockstepTestServer -Port 0 -Feed Finite | Sync-LockstepTable -Disk
            $moved = Start-LockstepTestServer -Port 0 -Feed Finite
            $failure = Get-ErrorOf { $moved | Sync-LockstepTable -Disk -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'TableMismatch,*'
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Rebind*'
            $null = $moved | Sync-LockstepTable -Disk -Rebind -WarningAction SilentlyContinue
            (Get-LockstepTable).Uri | Should -Be $moved.FeedUri
            ($moved | Sync-LockstepTable -Disk).Received | Should -BeGreaterThan 0
        }
    }

    Context '-MalformedRecord Quarantine' {
        BeforeEach {
            $server = Start-LockstepTestServer -Port 0 -Record (New-Json 1 1), '{"id":2}', (New-Json 3 3)
            $null = Add-LockstepTestFault Garbage -Text "oops`n" -AtRecord 3 -Server $server
            $null = $server | Sync-LockstepTable -Disk @quick -MalformedRecord Quarantine -WarningAction SilentlyContinue
        }

        It 'keeps what is malformed, for Get-LockstepRecord -Quarantined: where it was, why, and its bytes' {
            (Get-LockstepRecord).id | Should -Be 1, 3
            $bad = Get-LockstepRecord -Quarantined
            $bad | Should -BeOfType Lockstep.QuarantinedRecord
            $bad.Text.Trim() | Should -Be '{"id":2}', 'oops'
            $bad[0].ByteOffset | Should -Be ((New-Json 1 1).Length + 1)
            $bad[0].Reason | Should -BeLike '*updated_at*'
            $bad[0].Table | Should -Be servers
            [System.Text.Encoding]::UTF8.GetString($bad[0].Bytes) | Should -Be $bad[0].Text
            $bad | Out-String | Should -BeLike '*ByteOffset*Reason*{"id":2}*'
            (Get-LockstepTable).Quarantined | Should -Be 2
        }

        It 'counts what is set aside in the result, its view and a warning, keeps one copy of each, and bounds it' {
            Get-LockstepTable | Out-String | Should -BeLike '*Quarantined*'
            $result = $server |
                Sync-LockstepTable -Disk @quick -Since 0 -MalformedRecord Quarantine -WarningVariable warned -WarningAction SilentlyContinue
            $result.Malformed, $result.Quarantined | Should -Be 2, 2
            $result | Out-String -Width 120 | Should -BeLike '*Quarantined*'
            "$warned" | Should -BeLike '*2 malformed records came in this sync; the quarantine holds 2.*Clear-LockstepTable -Quarantined*'
            $null = $server |
                Sync-LockstepTable -Disk @quick -Since 0 -MalformedRecord Quarantine -QuarantineLimit 1 -WarningAction SilentlyContinue
            (Get-LockstepTable).Quarantined | Should -Be 1
        }

        It 'empties the quarantine and nothing else with Clear-LockstepTable -Quarantined' {
            Clear-LockstepTable servers -Quarantined -WhatIf
            (Get-LockstepTable).Quarantined | Should -Be 2
            Clear-LockstepTable servers -Quarantined
            (Get-LockstepTable).Quarantined, (Get-LockstepTable).Rows | Should -Be 0, 2
        }

        It 'is an error where nothing else came, that names the likely field and the parameter' {
            '{"id":1,"updatedAt":5}', '{"id":2,"updatedAt":6}' | Set-Content wrong.ndjson
            $failure = Get-ErrorOf {
                $loose = @{ MalformedRecord = 'Quarantine'; WarningAction = 'SilentlyContinue'; ErrorAction = 'Stop' }
                Import-LockstepTable wrong.ndjson -Table wrong -Disk @loose
            }
            $failure.FullyQualifiedErrorId | Should -BeLike 'AllRecordsMalformed,*'
            $failure.Exception.Message | Should -BeLike '*its fields are updatedAt, id*'
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-OrderBy updatedAt*'
        }

        It 'pages, takes tables from the pipeline, and finds nothing in a table without' {
            (Get-LockstepTable | Get-LockstepRecord -Quarantined -First 1).Text | Should -BeLike '*"id":2*'
            (Get-LockstepRecord servers -Quarantined -Skip 1).Text | Should -BeLike '*oops*'
            '{"id":1,"updated_at":1}' | Import-LockstepTable -Table good -Disk
            Get-LockstepRecord good -Quarantined | Should -BeNullOrEmpty
        }

        It 'refuses what only records have' {
            (Get-ErrorOf { Get-LockstepRecord -Quarantined -Filter 'id = 2' -ErrorAction Stop }).FullyQualifiedErrorId |
                Should -BeLike 'InvalidOption,*'
        }
    }
}

Describe 'Test-LockstepFeed' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'reaches a feed as Sync-LockstepTable does: credentials, proxy, query' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite -AllowedHost feed.invalid
        $null = Add-LockstepTestFault Unauthorized -Token t0k3n -Server $server
        (Test-LockstepFeed http://feed.invalid/servers/ -Proxy $server.Uri | Where-Object Id -EQ status).Outcome | Should -Be Failed
        $token = @{ TokenProvider = { 't0k3n' }; AllowUnencryptedAuthentication = $true }
        $results = Test-LockstepFeed http://feed.invalid/servers/ -Proxy $server.Uri @token -Query @{ part = 'a' }
        ($results | Where-Object Id -EQ status).Outcome | Should -Be Passed
        (Get-LockstepTestRequest -Last 1 -Server $server).Path | Should -BeLike '*part=a*'
        (Get-ErrorOf {
            Test-LockstepFeed http://feed.invalid/servers/ -Proxy $server.Uri -Token (
                ConvertTo-SecureString x -AsPlainText -Force) -ErrorAction Stop
        }).FullyQualifiedErrorId | Should -BeLike 'InsecureCredentials,*'
    }
}
