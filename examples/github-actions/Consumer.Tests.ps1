Describe 'The consumer' {
    BeforeEach {
        $hosts = @(
            @{ id = 1; updated_at = 1; deleted_at = $null; name = 'web'; port = 80 }
            @{ id = 2; updated_at = 2; deleted_at = $null; name = 'app'; port = 8080 }
        )
        $server = $hosts | Start-LockstepTestServer -Port 0
        $folder = New-Item "$TestDrive/$([guid]::NewGuid())" -ItemType Directory
    }

    AfterEach { $server | Stop-LockstepTestServer }

    It 'reports low ports' {
        & $PSScriptRoot/Consumer.ps1 -Feed $server.FeedUri -Folder $folder
        (Import-Csv $folder/low-ports.csv).name | Should -Be web
    }

    It 'takes up what has changed since' {
        & $PSScriptRoot/Consumer.ps1 -Feed $server.FeedUri -Folder $folder
        @{ id = 1; updated_at = 3; deleted_at = 3 }, @{ id = 3; updated_at = 4; deleted_at = $null; name = 'dns'; port = 53 } |
            Add-LockstepTestRecord -Server $server
        (& $PSScriptRoot/Consumer.ps1 -Feed $server.FeedUri -Folder $folder).Deleted | Should -Be 1
        (Import-Csv $folder/low-ports.csv).name | Should -Be dns
    }

    It 'gets over a feed that is cut off' {
        $null = $server | Add-LockstepTestFault -Kind Cut -AtRecord 1 -Times 2
        & $PSScriptRoot/Consumer.ps1 -Feed $server.FeedUri -Folder $folder
        (Import-Csv $folder/low-ports.csv).name | Should -Be web
        ($server | Get-LockstepTestRequest).Count | Should -BeGreaterThan 2
    }

    It 'says so when the feed refuses' {
        $null = $server | Add-LockstepTestFault -Kind Status -Code 403
        { & $PSScriptRoot/Consumer.ps1 -Feed $server.FeedUri -Folder $folder } | Should -Throw '*403*'
    }
}
