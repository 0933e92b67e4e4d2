BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Add-, Get- and Remove-LockstepTestFault' {
    BeforeEach { $server = Start-LockstepTestServer -Port 0 -Record @{ id = 1; updated_at = 1; deleted_at = $null },
        @{ id = 2; updated_at = 2; deleted_at = $null } }
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'cuts the second request and no other' {
        $fault = Add-LockstepTestFault -Kind Cut -AtRecord 1 -Request 2
        $fault.Description | Should -Be 'Cut the connection (FIN) after record 1, request 2'
        Read-Feed $server.FeedUri 2 | Should -HaveCount 2
        { Read-Feed $server.FeedUri 2 } | Should -Throw
        Read-Feed $server.FeedUri 2 | Should -HaveCount 2
        $fault.Seen, $fault.Hits | Should -Be 3, 1
    }

    It 'lists and removes' {
        $null = Add-LockstepTestFault Stall -Id one -Duration 1.5
        $null = Add-LockstepTestFault Status -Id two -Code 429 -Headers @{ 'X-Why' = 'test' }
        (Get-LockstepTestFault).Id | Should -Be 'one', 'two'
        (Get-LockstepTestFault one).Parameters['Duration'] | Should -Be ([timespan]::FromSeconds(1.5))
        Get-LockstepTestFault t* | Remove-LockstepTestFault
        (Get-LockstepTestFault).Id | Should -Be 'one'
        Remove-LockstepTestFault *
        Get-LockstepTestFault | Should -BeNullOrEmpty
    }

    It 'hides a secret' {
        $fault = Add-LockstepTestFault Unauthorized -Token (ConvertTo-SecureString 's3cr3t' -AsPlainText -Force)
        $fault.Parameters['Token'] | Should -Be '***'
        "$fault" | Should -Not -BeLike '*s3cr3t*'
        $client = [System.Net.Http.HttpClient]::new()
        [int]$client.GetAsync($server.FeedUri).GetAwaiter().GetResult().StatusCode | Should -Be 401
        $client.Dispose()
    }

    It 'lists the kinds with what they take' {
        $kinds = Get-LockstepTestFault -ListAvailable
        $kinds | Should -HaveCount 22
        ($kinds | Where-Object Kind -EQ Cut).Parameter |
            Should -Contain '-How <Fin|Reset> Fin: the client gets what was sent, then the end. Reset: it gets an error.'
    }

    It 'says what is wrong with <name>' -ForEach @(
        @{ name = 'an unknown kind'; command = { Add-LockstepTestFault Cutt -ErrorAction Stop }; like = '*Choose one of ChunkHeader*' }
        @{
            name = 'an unknown kind with parameters'
            command = { Add-LockstepTestFault -Kind Delay -Times 2 -ErrorAction Stop }
            like = '*Delay*Choose one of ChunkHeader*'
        }
        @{ name = 'two positions'; command = { Add-LockstepTestFault Cut -AtByte 1 -AtRecord 1 -ErrorAction Stop }; like = '*only one*' }
        @{ name = 'an unknown id'; command = { Remove-LockstepTestFault nothing -ErrorAction Stop }; like = '*no fault nothing*' }
    ) {
        $failure = Get-ErrorOf $command
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.Exception.Message | Should -BeLike $like
    }

    It 'adds nothing with -WhatIf' {
        Add-LockstepTestFault Cut -WhatIf
        Get-LockstepTestFault | Should -BeNullOrEmpty
    }
}

Describe 'Get-LockstepTestRequest' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'tells what was asked, the newest last' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        1..3 | ForEach-Object { $null = Read-Feed "$($server.FeedUri)$_" 2 }
        (Get-LockstepTestRequest).Cursor | Should -Be '1', '2', '3'
        (Get-LockstepTestRequest -Last 1).Number | Should -Be 3
        ($server | Get-LockstepTestRequest -After 1).Count | Should -Be 2
        (Get-LockstepTestRequest -Last 1).Status | Should -Be 200
    }
}

Describe 'Invoke-LockstepTestScenario' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'runs steps given as hashtables' {
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted
        Invoke-LockstepTestScenario @{ send = @{ id = 1; updated_at = 1 } }, @{ fault = @{ kind = 'Status'; code = 418; times = 1 } }
        $server.RecordCount | Should -Be 1
        (Get-LockstepTestFault).Kind | Should -Be 'Status'
    }

    It 'runs a file from the start of a server' {
        $file = Join-Path $TestDrive scenario.json
        '[{"send":{"id":1,"updated_at":1}},{"waitForClients":1},{"send":{"id":2,"updated_at":2}}]' | Set-Content $file
        $server = Start-LockstepTestServer -Port 0 -Scenario $file
        Read-Feed $server.FeedUri 2 | Should -HaveCount 2
    }

    It 'names the step that it does not understand' {
        $null = Start-LockstepTestServer -Port 0 -Feed Scripted
        $failure = Get-ErrorOf { Invoke-LockstepTestScenario @{ pause = 0 }, @{ sned = 1 } -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidScenario,*'
        $failure.Exception.Message | Should -BeLike 'Step 2:*'
    }
}

Describe 'Start-LockstepTestServer -Replay' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'serves a recording' {
        $file = Join-Path $TestDrive feed.rec
        '{"lockstepRecording":1,"status":200}', '{"at":3600,"text":"{\"id\":7}\n"}', '{"at":7200,"end":"completed"}' | Set-Content $file
        $server = Start-LockstepTestServer -Port 0 -Replay $file -ReplaySpeed ([double]::PositiveInfinity)
        Read-Feed $server.FeedUri 1 | Should -Be '{"id":7}'
    }
}
