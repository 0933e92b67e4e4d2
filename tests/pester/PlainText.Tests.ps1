BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'What feeds say is shown as plain text' {
    BeforeAll {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        # A bell, C1 and a bidirectional control: PowerShell removes none of these by itself.
        $steering = [char]7 + [char]0x9b + [char]0x202e
        $server = @{ id = "a$steering"; "f$steering" = "v$steering"; updated_at = 1 } | Start-LockstepTestServer -Port 0
        $controls = '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]'
    }
    AfterAll { $server | Stop-LockstepTestServer; Pop-Location }

    It 'in changes, and their objects have the exact values' {
        $change = Sync-LockstepTable $server -Table things -Disk -PassThru
        $change.Key | Should -BeExactly "a$steering"
        $change | Out-String -Width 200 | Should -Match 'Added +a\?\?\? '
        $change | Out-String -Width 200 | Should -Not -Match $controls
    }

    It 'in what an error advises' {
        $null = Sync-LockstepTable $server -Table things -Disk
        $problem = Get-ErrorOf { Get-LockstepRecord things -Filter 'nofield = 1' -ErrorAction Stop }
        $problem.ErrorDetails.RecommendedAction | Should -BeLike '*\u0007\u009b\u202e*'
        $problem | Out-String | Should -Not -Match $controls
    }

    It 'in events' {
        $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
        $listener.Start()
        $job = Start-ThreadJob {
            $client = ($using:listener).AcceptTcpClient()
            $stream = $client.GetStream()
            $null = $stream.Read([byte[]]::new(8192), 0, 8192)
            $body = '{"id":1,"updated_at":1}'
            $head = "HTTP/1.1 200 OK`r`nInstance-Name: i$([char]0x9b)31m`r`nContent-Length: $($body.Length)`r`nConnection: close`r`n`r`n"
            $answer = [Text.Encoding]::Latin1.GetBytes($head + $body)
            $stream.Write($answer, 0, $answer.Length)
            $client.Dispose()
        }
        try {
            $null = Sync-LockstepTable "http://127.0.0.1:$($listener.LocalEndpoint.Port)/x" -Table other -Disk -InformationVariable happened
            $named = $happened.MessageData | Where-Object Kind -EQ InstanceName
            $named.Message | Should -BeLike "i$([char]0x9b)31m"
            "$named" | Should -BeExactly 'InstanceName: i\u009b31m'
        } finally {
            $listener.Stop()
            $null = $job | Receive-Job -Wait -AutoRemoveJob -ErrorAction Ignore
        }
    }
}
