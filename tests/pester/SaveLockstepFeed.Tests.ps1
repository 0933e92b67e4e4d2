BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Save-LockstepFeed' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'saves what a feed answers, and a test server replays it at any speed' {
        $real = Start-LockstepTestServer -Port 0 -Feed Finite
        $recording = $real | Save-LockstepFeed -RecordTo feed.rec
        $recording | Should -BeOfType Lockstep.FeedRecordingInfo
        $recording.Status, $recording.Bytes, $recording.End | Should -Be 200, 147, Completed
        $recording.Path | Should -Be (Join-Path (Get-Location).ProviderPath feed.rec)
        $expected = (Invoke-WebRequest "$($real.FeedUri)0").Content
        foreach ($speed in 1, 100, [double]::PositiveInfinity) {
            $replay = Start-LockstepTestServer -Port 0 -Replay feed.rec -Speed $speed
            $replay.Feed | Should -Be Replay
            (Invoke-WebRequest $replay.FeedUri).Content | Should -Be $expected
            ($replay | Sync-LockstepTable -Path "$speed.db").Added | Should -Be 1
            $replay | Stop-LockstepTestServer
        }
    }

    It 'keeps the times of an endless feed, which -Speed shortens' {
        $real = Start-LockstepTestServer -Port 0 -Record '{"id":1,"updated_at":1}'
        $null = Invoke-LockstepTestScenario @{ waitForClients = 1 }, @{ waitForDelivery = $true }, @{ pause = 0.2 },
            @{ send = [ordered]@{ id = 2; updated_at = 2 } } -NoWait -Server $real
        ($real | Save-LockstepFeed -RecordTo feed.rec -MaximumBytes 48).End | Should -Be Stopped
        # As if the second record had come a day later.
        $lines = Get-Content feed.rec | ConvertFrom-Json -AsHashtable
        $lines[-1].at = $lines[-2].at = 86400
        $lines | ForEach-Object { ConvertTo-Json $_ -Compress } | Set-Content slow.rec
        $replay = Start-LockstepTestServer -Port 0 -Replay slow.rec -Speed 1e6
        Read-Feed $replay.FeedUri -Count 2 | Should -Be '{"id":1,"updated_at":1}', '{"id":2,"updated_at":2}'
        $replay | Stop-LockstepTestServer
        $replay = Start-LockstepTestServer -Port 0 -Replay slow.rec
        { Read-Feed $replay.FeedUri -Count 2 -TimeoutSec 1 } | Should -Throw
    }

    It 'ends after -For' {
        $real = Start-LockstepTestServer -Port 0
        $recording = $real | Save-LockstepFeed -RecordTo feed.rec -For 0.3
        $recording.End | Should -Be Stopped
        $recording.Bytes | Should -BeGreaterThan 0
    }

    It 'is whole also when it is stopped' {
        $real = Start-LockstepTestServer -Port 0
        $file = Join-Path (Get-Location).ProviderPath feed.rec
        $session = New-Session
        try {
            $session.Commands.Clear()
            $running = $session.AddCommand('Save-LockstepFeed').AddParameter('Uri', $real.FeedUri).AddParameter('RecordTo',
                $file).BeginInvoke()
            Wait-Until { (Get-LockstepTestRequest -Server $real).Records -gt 100 }
            $session.Stop()
            $running.AsyncWaitHandle.WaitOne(60000) | Should -BeTrue
        }
        finally { $session.Dispose() }
        (Get-Content $file -Tail 1 | ConvertFrom-Json).end | Should -Be stopped
        $replay = Start-LockstepTestServer -Port 0 -Replay $file -Speed 100
        ($replay | Sync-LockstepTable -Disk -SettleSec 0.3).Added | Should -Be 5
    }

    It 'I9: saves no secret' {
        $real = Start-LockstepTestServer -Port 0 -Feed Finite
        $null = Add-LockstepTestFault Unauthorized -Token t0k3n -Server $real
        $recording = $real | Save-LockstepFeed -RecordTo feed.rec -Token (ConvertTo-SecureString t0k3n -AsPlainText -Force) -Headers @{
            'X-Mine' = 'hunter2'
        }
        $recording.Status | Should -Be 200
        Get-Content feed.rec -Raw | Should -Not -Match 't0k3n|hunter2'
    }

    It 'warns where there is no feed, and fails where there is nothing' {
        $real = Start-LockstepTestServer -Port 0 -Feed Finite
        (Save-LockstepFeed "$($real.Uri)nothing/" -RecordTo feed.rec -WarningVariable warnings -WarningAction SilentlyContinue).Status |
            Should -Be 404
        $warnings | Should -BeLike '*404*'
        $real | Stop-LockstepTestServer
        (Get-ErrorOf { $real | Save-LockstepFeed -RecordTo none.rec -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'FeedUnreachable,*'
        Test-Path none.rec | Should -BeFalse
    }

    It 'does nothing with -WhatIf' {
        $real = Start-LockstepTestServer -Port 0 -Feed Finite
        $real | Save-LockstepFeed -RecordTo feed.rec -WhatIf
        $real.RequestCount | Should -Be 0
        Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'saves the conversation with a server of another kind, without its tokens' {
        $real = 1..5 | ForEach-Object { @{ id = "u$_" } } | Start-LockstepTestServer -Port 0 -Feed ODataDelta -PageSize 2
        ($real | Save-LockstepFeed -RecordTo users.rec).Status | Should -Be 200
        $link = (Invoke-RestMethod $real.FeedUri).'@odata.nextLink'
        Get-Content users.rec -Raw | Should -Not -BeLike "*$($link -replace '.*skiptoken=')*"
        $replay = Start-LockstepTestServer -Port 0 -Replay users.rec
        ($replay | Sync-LockstepTable -Path users.db).Added | Should -Be 5
    }
}
