BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Add-LockstepTestRecord' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'feeds clients that are already connected' {
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted
        $client = [System.Net.Http.HttpClient]::new()
        $reader = [System.IO.StreamReader]::new($client.GetStreamAsync("$($server.FeedUri)0").GetAwaiter().GetResult())
        @{ id = 1; updated_at = 5 } | Add-LockstepTestRecord
        $reader.ReadLineAsync().Wait(10000) | Should -BeTrue
        Add-LockstepTestRecord '{"id":2,"updated_at":6}', ([pscustomobject]@{ id = 3; updated_at = 7 }) -Server $server
        $reader.ReadLine() | Should -Be '{"id":2,"updated_at":6}'
        $reader.ReadLine() | Should -Be '{"id":3,"updated_at":7}'
        $server.RecordCount | Should -Be 3
        $client.Dispose()
    }

    It 'hands the records on with -PassThru' {
        $null = Start-LockstepTestServer -Port 0 -Feed Scripted
        $record = @{ id = 1; updated_at = 5 }
        $record | Add-LockstepTestRecord -PassThru | Should -Be $record
        $record | Add-LockstepTestRecord | Should -BeNullOrEmpty
    }

    It 'goes on with the others after a record that is none' {
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted
        '{"id":1,"updated_at":1}', '[]', '{"id":2,"updated_at":2}' |
            Add-LockstepTestRecord -ErrorVariable failures -ErrorAction SilentlyContinue
        $server.RecordCount | Should -Be 2
        $failures | Should -HaveCount 1
        $failures[0].FullyQualifiedErrorId | Should -BeLike 'InvalidRecord,*'
        $failures[0].TargetObject | Should -Be '[]'
    }

    It 'says what is wrong where <name>' -ForEach @(
        @{ name = 'no server runs'; start = { }; id = 'TestServerNotFound' }
        @{ name = 'several run'; start = { 1..2 | ForEach-Object { Start-LockstepTestServer -Port 0 -Feed Scripted } }
        id = 'TestServerNotFound' }
        @{ name = 'the server has another feed'; start = { Start-LockstepTestServer -Port 0 }; id = 'InvalidOption' }
    ) {
        $null = & $start
        (Get-ErrorOf { Add-LockstepTestRecord '{"id":1}' -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike "$id,*"
    }

    It 'adds nothing with -WhatIf' {
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted
        Add-LockstepTestRecord '{"id":1}' -WhatIf
        $server.RecordCount | Should -Be 0
    }
}
