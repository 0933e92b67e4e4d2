BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Start-LockstepTestServer' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'serves the reference feed, byte for byte, and redirects to it from a second port' {
        $server = Start-LockstepTestServer -Port 0

        $server | Should -BeOfType Lockstep.TestServerInfo
        $server.Feed | Should -Be Reference
        $server.FeedUri | Should -Be "http://127.0.0.1:$($server.Port)/servers/"
        Read-Feed $server.FeedUri -Count 7 | Should -Be @(
            '{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}'
            '{"id":124,"updated_at":1001,"deleted_at":null,"ip":"0.0.0.0","port":1235}'
            '{"id":125,"updated_at":1002,"deleted_at":null,"ip":"0.0.0.0","port":1236}'
            '{"id":126,"updated_at":1003,"deleted_at":null,"ip":"0.0.0.0","port":1237}'
            '{"id":127,"updated_at":1004,"deleted_at":null,"ip":"0.0.0.0","port":1238}'
            '{"id":124,"updated_at":1000,"deleted_at":1000,"ip":"0.0.0.0","port":1236}'
            '{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}'
        )
        $redirect = Invoke-WebRequest $server.RedirectUri -MaximumRedirection 0 -SkipHttpErrorCheck -ErrorAction Ignore
        $redirect.StatusCode | Should -Be 307
        "$($redirect.Headers.Location)".TrimEnd('/') | Should -Be "http://0.0.0.0:$($server.Port)"
    }

    It 'serves the finite feed' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        (Invoke-WebRequest "$($server.FeedUri)998").Content |
            Should -Be ('{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}' + "`n" +
                '{"id":124,"updated_at":1000,"deleted_at":1000,"ip":"0.0.0.0","port":1234}' + "`n")
        $server.RedirectUri | Should -BeNullOrEmpty
    }

    It 'serves given records from the cursor on' {
        $server = Start-LockstepTestServer -Port 0 -Record @{ id = 1; updated_at = 1 }, '{"id":2,"updated_at":2}'
        $server.Feed | Should -Be Scripted
        $server.RecordCount | Should -Be 2
        Read-Feed "$($server.FeedUri)2" | Should -Be '{"id":2,"updated_at":2}'
    }

    It 'takes records from the pipeline, and from a file after them' {
        '{"id":3,"updated_at":3}', '', '{"id":4,"updated_at":4}' | Set-Content TestDrive:/records.ndjson
        $server = [pscustomobject]@{ id = 1; updated_at = 1 }, [pscustomobject]@{ id = 2; updated_at = 2 } |
            Start-LockstepTestServer -Port 0 -Path TestDrive:/records.ndjson
        Read-Feed "$($server.FeedUri)0" -Count 4 |
            Should -Be '{"id":1,"updated_at":1}', '{"id":2,"updated_at":2}', '{"id":3,"updated_at":3}', '{"id":4,"updated_at":4}'
    }

    It 'recommends -Port 0 when the port is taken' {
        $server = Start-LockstepTestServer -Port 0
        $failure = Get-ErrorOf { Start-LockstepTestServer -Port $server.Port }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PortInUse,*'
        $failure.CategoryInfo.Category | Should -Be ResourceUnavailable
        $failure.TargetObject | Should -Be $server.Port
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Port 0*'
        Get-LockstepTestServer | Should -HaveCount 1
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a record that is no object'; arguments = @{ Record = '[1]' }; id = 'InvalidRecord' }
        @{ name = 'an object that has no form as a record'; arguments = @{ Record = @{ a = [double]::NaN } }; id = 'UnsuitableObject' }
        @{ name = 'a file that is not there'; arguments = @{ Path = 'TestDrive:/nothing.ndjson' }; id = 'FileNotFound' }
        @{ name = 'a path that is none of the file system'; arguments = @{ Path = 'Env:/PATH' }; id = 'PathProvider' }
        @{ name = 'an address that is not of this machine'; arguments = @{ ListenAddress = '192.0.2.1' }; id = 'ListenFailed' }
        @{ name = 'records for another feed'; arguments = @{ Feed = 'Finite'; Record = '{}' }; id = 'InvalidOption' }
    ) {
        (Get-ErrorOf { Start-LockstepTestServer -Port 0 @arguments -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike "$id,*"
        Get-LockstepTestServer | Should -BeNullOrEmpty
    }

    It 'starts nothing with -WhatIf' {
        Start-LockstepTestServer -Port 0 -WhatIf | Should -BeNullOrEmpty
        Get-LockstepTestServer | Should -BeNullOrEmpty
    }
}

Describe 'Stop-LockstepTestServer' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'stops the servers from the pipeline and ends what they send' {
        $servers = 1..2 | ForEach-Object { Start-LockstepTestServer -Port 0 }
        $client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', $servers[0].Port)
        $client.Client.Send([byte[]][char[]]"GET / HTTP/1.1`r`nHost: localhost`r`n`r`n") | Should -BeGreaterThan 0
        $servers[0] | Stop-LockstepTestServer

        $servers.IsRunning | Should -Be $false, $true
        Test-Port $servers[0].Port | Should -BeFalse
        # What was in flight arrives, then comes an end or a reset: anything but silence.
        $buffer = [byte[]]::new(65536)
        $client.ReceiveTimeout = 5000
        $end = try { while ($client.Client.Receive($buffer)) { }; 'end' } catch { $_.Exception.InnerException.SocketErrorCode }
        $end | Should -BeIn 'end', ConnectionReset
        $client.Dispose()
    }

    It 'stops the only one, and asks which where there are several or none' {
        (Get-ErrorOf { Stop-LockstepTestServer -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'TestServerNotFound,*'
        $one = Start-LockstepTestServer -Port 0
        $two = Start-LockstepTestServer -Port 0
        $failure = Get-ErrorOf { Stop-LockstepTestServer -ErrorAction Stop }
        $failure.Exception.Message | Should -BeLike "*$($one.FeedUri)*$($two.FeedUri)*"
        Stop-LockstepTestServer $one
        Stop-LockstepTestServer
        $two.IsRunning | Should -BeFalse
    }

    It 'may be told twice, and does nothing with -WhatIf' {
        $server = Start-LockstepTestServer -Port 0
        $server | Stop-LockstepTestServer -WhatIf
        $server.IsRunning | Should -BeTrue
        $server | Stop-LockstepTestServer
        { $server | Stop-LockstepTestServer -ErrorAction Stop } | Should -Not -Throw
    }
}

Describe 'Get-LockstepTestServer' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'lists those of this session that run' {
        $one = Start-LockstepTestServer -Port 0
        $two = Start-LockstepTestServer -Port 0 -Feed Finite
        Get-LockstepTestServer | Should -Be $one, $two
        $one | Stop-LockstepTestServer
        Get-LockstepTestServer | Should -Be $two
    }

    It 'has a table view that shows the feed' {
        $server = Start-LockstepTestServer -Port 0
        $server | Out-String | Should -BeLike "*FeedUri*Running*$($server.FeedUri)*True*"
    }
}

Describe 'A test server and its session' {
    BeforeEach {
        $session = New-Session
        $mine = Start-LockstepTestServer -Port 0
        $other = Invoke-Session $session { (Start-LockstepTestServer -Port 0).Port }
    }

    AfterEach {
        $session.Dispose()
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'is not seen by another session' {
        Get-LockstepTestServer | Should -Be $mine
        Invoke-Session $session { (Get-LockstepTestServer).Port } | Should -Be $other
    }

    It 'stops when its session closes, and no other one' {
        Test-Port $other[0] | Should -BeTrue
        $session.Runspace.Close()
        Test-Port $other[0] | Should -BeFalse
        Test-Port $mine.Port | Should -BeTrue
    }

    It 'stops when the module is removed in its session, and no other one' {
        Invoke-Session $session { Remove-Module Lockstep }
        Test-Port $other[0] | Should -BeFalse
        Test-Port $mine.Port | Should -BeTrue
    }
}
