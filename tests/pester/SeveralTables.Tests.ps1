# Several feeds in one pipeline: one after another, or at the same time.

BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Several tables' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $servers = 1..3 | ForEach-Object { Start-LockstepTestServer -Port 0 -Feed Finite }
        $servers | ForEach-Object { $n = 0 } { $n++
        [pscustomobject]@{ Uri = $_.FeedUri; Table = "t$n"; OrderBy = ''; KeyProperty = '' } } | Export-Csv feeds.csv
    }
    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'come from a CSV file' {
        $results = Import-Csv feeds.csv | Sync-LockstepTable -Disk
        $results.Table | Should -Be t1, t2, t3
        $results.Added | Should -Be 1, 1, 1
        (Get-ChildItem *.db).Name | Should -Be t1.db, t2.db, t3.db
    }

    It 'come from Get-LockstepTable, with settings and credentials given again' {
        $null = Import-Csv feeds.csv | Sync-LockstepTable -Disk -KeyProperty id
        $credential = [pscredential]::new('reader', (ConvertTo-SecureString secret -AsPlainText -Force))
        $results = Get-LockstepTable | Sync-LockstepTable -Credential $credential
        $results.Table | Should -Be t1, t2, t3
        $results.Added | Should -Be 0, 0, 0
        $request = $servers[0] | Get-LockstepTestRequest -Last 1
        $request.Cursor | Should -Be 1000 -Because 'each goes on from its cursor'
        $request.Headers.Authorization | Should -BeLike 'Basic*'
        Get-ChildItem -Exclude *.csv | ForEach-Object { [System.IO.File]::ReadAllText($_) | Should -Not -Match 'secret' }
    }

    It 'run at the same time with -ThrottleLimit' {
        # Each answer waits until all three have been requested: one after another they would never end.
        $servers | Stop-LockstepTestServer
        $servers = 1..3 | ForEach-Object { Start-LockstepTestServer -Port 0 -Feed Scripted }
        $all = $servers.FeedUri
        $results = $all | ForEach-Object { $n = 0 } { $n++; [pscustomobject]@{ Uri = $_; Table = "p$n" } } |
            Sync-LockstepTable -Disk -ThrottleLimit 3 -Follow -PassThru -ErrorAction Stop |
            ForEach-Object { $_ } -Begin {
                $watch = [System.Threading.Tasks.Task]::Run([action] { })
                $feeder = Start-ThreadJob {
                    foreach ($server in $using:servers) { while ($server.ClientCount -lt 1) { Start-Sleep -Milliseconds 20 } }
                    foreach ($server in $using:servers) {
                        $null = [System.Net.Http.HttpClient]::new().PostAsync("$($server.Uri)_lockstep/records",
                            [System.Net.Http.StringContent]::new('{"id":1,"updated_at":1}')).Result
                    }
                }
            } | Select-Object -First 3
        $results | Should -HaveCount 3
        $results.Key | Should -Be 1, 1, 1
        $feeder | Wait-Job -Timeout 60 | Remove-Job -Force
        (Get-LockstepTable p*).Rows | Should -Be 1, 1, 1
        $servers.ClientCount | Should -Be 0, 0, 0 -Because 'Select-Object -First ends all of them'
    }

    It 'give one result each with -ThrottleLimit, and an error ends only its own' {
        $servers[1] | Stop-LockstepTestServer
        $results = Import-Csv feeds.csv |
            Sync-LockstepTable -Disk -ThrottleLimit 2 -ResultVariable all -ErrorVariable problems -ErrorAction SilentlyContinue
        $results.Table | Sort-Object | Should -Be t1, t3
        $all.Table | Sort-Object | Should -Be t1, t2, t3
        $problems | Should -HaveCount 1
        $problems[0].FullyQualifiedErrorId | Should -BeLike 'FeedUnreachable,*'
        "$($problems[0].TargetObject)" | Should -Be "$($servers[1].FeedUri)"
    }

    It 'are stopped together' {
        $servers | Stop-LockstepTestServer
        $endless = 1..2 | ForEach-Object { Start-LockstepTestServer -Port 0 -Feed Scripted }
        $session = New-Session
        try {
            Invoke-Session $session ([scriptblock]::Create("Set-Location '$((Get-Location).ProviderPath)'"))
            $session.Commands.Clear()
            $null = $session.AddScript(
                "'$($endless[0].FeedUri)', '$($endless[1].FeedUri)' | " +
                "ForEach-Object { `$n = 0 } { `$n++; [pscustomobject]@{ Uri = `$_; Table = `"e`$n`" } } | " +
                'Sync-LockstepTable -Disk -Follow -ThrottleLimit 2')
            $running = $session.BeginInvoke()
            while ($endless.ClientCount -contains 0 -and -not $running.IsCompleted) { Start-Sleep -Milliseconds 20 }
            $session.Stop()
            $session.InvocationStateInfo.State | Should -Be Stopped
        }
        finally { $session.Dispose() }
        while (($endless.ClientCount | Measure-Object -Sum).Sum -gt 0) { Start-Sleep -Milliseconds 20 }
    }
}
