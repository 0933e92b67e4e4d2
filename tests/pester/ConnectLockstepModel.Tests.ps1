BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Connect-LockstepModel' {
    BeforeEach {
        $there = New-LockstepModel there
        $here = New-LockstepModel here
        $listener = Start-LockstepModelListener $there
    }
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'brings both models together and keeps them so' {
        Set-LockstepModelValue $there a 1
        Set-LockstepModelValue $here b 2
        $connection = Connect-LockstepModel $here -Uri $listener.Uri
        $connection | Should -BeOfType Lockstep.ModelConnectionInfo
        $connection.Model | Should -Be here
        $connection.Uri | Should -Be $listener.Uri
        Wait-LockstepModel $here -Synced -TimeoutSec 60
        $connection.IsConnected, $connection.IsSynced, $connection.IsEnded | Should -Be $true, $true, $false
        $here.Connection | Should -Be $connection
        $here.PeerCount | Should -Be 1
        (Get-LockstepModelValue $here).Key | Should -Be a, b
        (Watch-LockstepModel $there b -IncludeExisting | Select-Object -First 1).Value | Should -Be 2

        Set-LockstepModelValue $there a 3
        Watch-LockstepModel $here a -IncludeExisting | Where-Object Value -EQ 3 | Select-Object -First 1 | Should -Not -BeNullOrEmpty
    }

    It 'connects again when the peer comes back' {
        $connection = Connect-LockstepModel $here $listener.Uri
        Wait-LockstepModel $here -TimeoutSec 60
        $listener | Stop-LockstepModelListener
        Set-LockstepModelValue $there back again
        $null = Start-LockstepModelListener $there -Port $listener.Port
        (Watch-LockstepModel $here back -IncludeExisting | Select-Object -First 1).Value | Should -Be again
        $connection.ConnectionCount | Should -Be 2
    }

    It 'takes listeners from the pipeline' {
        $second = Start-LockstepModelListener (New-LockstepModel second) -WebSocket
        $connections = $listener, $second | Connect-LockstepModel here
        $connections.Uri | Should -Be $listener.Uri, $second.Uri
        Wait-LockstepModel here -Synced -TimeoutSec 60
        $here.PeerCount | Should -Be 2
    }

    It 'only receives with -Direction ReceiveOnly' {
        Set-LockstepModelValue $there a 1
        Set-LockstepModelValue $here b 1
        $null = Connect-LockstepModel $here $listener.Uri -Direction ReceiveOnly
        Wait-LockstepModel $here -Synced -TimeoutSec 60
        (Get-LockstepModelValue $here).Key | Should -Be a, b
        (Get-LockstepModelValue $there).Key | Should -Be a
    }

    It 'gives up where it is told to' {
        $listener | Stop-LockstepModelListener
        $connection = Connect-LockstepModel $here $listener.Uri -MaximumRetryCount 1
        $failure = Get-ErrorOf { Wait-LockstepModel $here -Synced -TimeoutSec 60 -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'GossipUnreachable,*'
        $failure.CategoryInfo.Category | Should -Be ConnectionError
        $connection.IsEnded | Should -BeTrue
        $connection.LastError | Should -Not -BeNullOrEmpty
    }

    It 'gives up on a peer that has its own id' {
        $twin = New-LockstepModel twin -Id $there.Id
        $null = Connect-LockstepModel $twin $listener.Uri
        $failure = Get-ErrorOf { Wait-LockstepModel $twin -Synced -TimeoutSec 60 -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'GossipIdentity,*'
        $failure.TargetObject | Should -Be twin
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a feed'; uri = 'http://127.0.0.1/'; says = '*tcp://*' }
        @{ name = 'not a URI'; uri = 'somewhere'; says = '*tcp://*' }
        @{ name = 'an address without port'; uri = 'tcp://127.0.0.1'; says = '*port*' }
        @{ name = 'a user with a password'; uri = 'ws://me:hunter2@127.0.0.1:1/'; says = '*user and password*' }
    ) {
        $failure = Get-ErrorOf { Connect-LockstepModel $here $uri -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.Exception.Message | Should -BeLike $says
        $failure.Exception.Message + $failure.TargetObject | Should -Not -BeLike '*hunter2*'
        $here.Connection | Should -BeNullOrEmpty
    }

    It 'shows no token of the query' {
        $connection = Connect-LockstepModel $here 'ws://127.0.0.1:1/model?token=hunter2'
        $connection | Format-List * | Out-String | Should -Not -BeLike '*hunter2*'
        $connection.Uri | Should -Be 'ws://127.0.0.1:1/model'
    }

    It 'has a table view, and connects nowhere with -WhatIf' {
        Connect-LockstepModel $here $listener.Uri -WhatIf | Should -BeNullOrEmpty
        $here.Connection | Should -BeNullOrEmpty
        $connection = Connect-LockstepModel $here $listener.Uri
        $connection | Out-String | Should -BeLike "*Model*Uri*Connected*here*$($listener.Uri)*"
    }
}

Describe 'Disconnect-LockstepModel' {
    BeforeEach {
        $there = New-LockstepModel there
        $here = New-LockstepModel here
        $listener = Start-LockstepModelListener $there
        $connection = Connect-LockstepModel $here $listener.Uri
        Wait-LockstepModel $here -Synced -TimeoutSec 60
    }
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'ends the connections of a model' {
        $here | Disconnect-LockstepModel
        $connection.IsEnded | Should -BeTrue
        $here.Connection | Should -BeNullOrEmpty
        $here.PeerCount | Should -Be 0
        Set-LockstepModelValue $here still here
    }

    It 'ends one of several, that from the pipeline' {
        $other = Connect-LockstepModel $here 'tcp://127.0.0.1:1'
        $other | Disconnect-LockstepModel -WhatIf
        $here.Connection | Should -Be $connection, $other
        $other | Disconnect-LockstepModel
        $here.Connection | Should -Be $connection
        $connection.IsConnected | Should -BeTrue
    }
}

Describe 'Wait-LockstepModel' {
    BeforeEach { $model = New-LockstepModel m }
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'ends with an error after -TimeoutSec, that says what is wrong' {
        $null = Connect-LockstepModel $model 'tcp://127.0.0.1:1'
        $failure = Get-ErrorOf { Wait-LockstepModel $model -Synced -TimeoutSec 0.5 -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ModelSyncTimeout,*'
        $failure.CategoryInfo.Category | Should -Be OperationTimeout
        $failure.Exception.Message | Should -BeLike "*'m'*0.5 seconds*"
    }

    It 'waits for a peer that comes to a listener' {
        $listener = Start-LockstepModelListener $model
        (Get-ErrorOf { Wait-LockstepModel $model -Synced -TimeoutSec 0.1 -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'ModelSyncTimeout,*'
        $peer = New-LockstepModel peer
        $null = Connect-LockstepModel $peer $listener.Uri
        Wait-LockstepModel $model -Synced -TimeoutSec 60 -PassThru | ForEach-Object Name | Should -Be m
        $model.PeerCount | Should -Be 1
    }

    It 'does not wait for a model that speaks with nobody' {
        (Get-ErrorOf { Wait-LockstepModel $model -Synced -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'ModelNotConnected,*'
    }

    It 'ends when the pipeline is stopped' {
        $session = New-Session
        $session.Commands.Clear()
        $running = $session.AddScript(
            "New-LockstepModel m | Out-Null; Connect-LockstepModel -Uri tcp://127.0.0.1:1 | Out-Null; 'waiting'; " +
            'Wait-LockstepModel -Synced').BeginInvoke()
        $session.Stop()
        $running.AsyncWaitHandle.WaitOne(30000) | Should -BeTrue
        $session.InvocationStateInfo.State | Should -Be Stopped
        $session.Dispose()
    }
}
