BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Start-LockstepModelListener' {
    BeforeEach { $shared = New-LockstepModel shared }
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'listens on a free port of loopback, over <scheme>' -ForEach @(
        @{ scheme = 'tcp'; arguments = @{} }
        @{ scheme = 'ws'; arguments = @{ WebSocket = $true } }
    ) {
        $listener = Start-LockstepModelListener $shared @arguments
        $listener | Should -BeOfType Lockstep.ModelListenerInfo
        $listener.Uri.Scheme | Should -Be $scheme
        $listener.Uri.Host | Should -Be 127.0.0.1
        $listener.Port | Should -BeGreaterThan 0
        $listener.Model | Should -Be shared
        $listener.ModelUri | Should -Be "${scheme}://127.0.0.1:$($listener.Port)/shared"
        $listener.IsListening | Should -BeTrue
        Test-Port $listener.Port | Should -BeTrue
        Get-LockstepModelListener | Should -Be $listener
    }

    It 'offers several models by name, values and events, over <scheme>' -ForEach @(
        @{ scheme = 'tcp'; arguments = @{} }
        @{ scheme = 'ws'; arguments = @{ WebSocket = $true } }
    ) {
        $bus = New-LockstepModel 'the bus/1' -Kind Events
        Set-LockstepModelValue $shared from listener
        Send-LockstepEvent $bus from listener
        $listener = $shared, $bus | Start-LockstepModelListener @arguments
        $listener.Model | Should -Be shared, 'the bus/1'

        $values = New-LockstepModel values
        $events = New-LockstepModel events -Kind Events
        $null = Connect-LockstepModel $values $listener.ModelUri[0]
        $null = Connect-LockstepModel $events $listener.ModelUri[1]
        $values, $events | Wait-LockstepModel -Synced -TimeoutSec 60
        Get-LockstepModelValue $values from -ValueOnly | Should -Be listener
        (Receive-LockstepEvent $events).Argument | Should -Be listener
    }

    It 'only sends with -Direction SendOnly' {
        $listener = Start-LockstepModelListener $shared -Direction SendOnly
        $peer = New-LockstepModel peer
        Set-LockstepModelValue $shared a 1
        Set-LockstepModelValue $peer b 1
        $null = Connect-LockstepModel $peer $listener.Uri
        $null = Watch-LockstepModel $peer a -IncludeExisting | Select-Object -First 1
        Set-LockstepModelValue $shared a 2
        Watch-LockstepModel $peer a -IncludeExisting | Where-Object Value -EQ 2 | Select-Object -First 1 | Should -Not -BeNullOrEmpty
        (Get-LockstepModelValue $shared).Key | Should -Be a
    }

    It 'counts what does not speak the protocol' {
        $listener = Start-LockstepModelListener $shared
        $client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', $listener.Port)
        $null = $client.Client.Send([byte[]][char[]]"nonsense`n")
        # It is turned away; what comes before that is our header.
        $buffer = [byte[]]::new(4096)
        $client.ReceiveTimeout = 30000
        try { while ($client.Client.Receive($buffer)) { } } catch {
            $_.Exception.InnerException.SocketErrorCode | Should -Be ConnectionReset
        }
        $client.Dispose()
        $listener | Stop-LockstepModelListener
        $listener.FailureCount | Should -Be 1
        $listener.LastError | Should -Not -BeNullOrEmpty
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a port that is taken'; arguments = @{}; taken = $true; id = 'PortInUse' }
        @{ name = 'a port that is taken, with WebSocket'; arguments = @{ WebSocket = $true }; taken = $true; id = 'PortInUse' }
        @{ name = 'an address that is not of this machine'; arguments = @{ ListenAddress = '192.0.2.1' }; id = 'ListenFailed' }
        @{ name = 'two models of one name'; arguments = @{ Model = 'shared', 'SHARED' }; id = 'ModelNameInUse' }
        @{ name = 'a model that is not there'; arguments = @{ Model = 'nothing' }; id = 'ModelNotFound' }
    ) {
        if ($taken) {
            $holder = Start-LockstepTestServer -Port 0
            $arguments = $arguments + @{ Port = $holder.Port }
        }
        $failure = Get-ErrorOf { Start-LockstepModelListener @arguments -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        if ($taken) {
            $failure.Exception.Message | Should -Be "Port $($holder.Port) on 127.0.0.1 is already in use."
            $failure.ErrorDetails.RecommendedAction | Should -BeLike '*-Port 0*'
        }
        Get-LockstepModelListener | Should -BeNullOrEmpty
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'listens to nobody with -WhatIf' {
        Start-LockstepModelListener $shared -WhatIf | Should -BeNullOrEmpty
        Get-LockstepModelListener | Should -BeNullOrEmpty
    }
}

Describe 'Stop-LockstepModelListener' {
    BeforeEach { $model = New-LockstepModel m }
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'ends the connections of peers, over <scheme>, and leaves the model' -ForEach @(
        @{ scheme = 'tcp'; arguments = @{} }
        @{ scheme = 'ws'; arguments = @{ WebSocket = $true } }
    ) {
        $listener = Start-LockstepModelListener $model @arguments
        $peer = New-LockstepModel peer
        $null = $listener | Connect-LockstepModel $peer
        Wait-LockstepModel $peer -Synced -TimeoutSec 60
        $model.PeerCount | Should -Be 1
        $listener | Stop-LockstepModelListener
        $listener.IsListening | Should -BeFalse
        $model.PeerCount | Should -Be 0
        Test-Port $listener.Port | Should -BeFalse
        Set-LockstepModelValue $model still here
        Get-LockstepModelListener | Should -BeNullOrEmpty
    }

    It 'stops the only one, asks which where there are several or none, and may be told twice' {
        (Get-ErrorOf { Stop-LockstepModelListener -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'ModelListenerNotFound,*'
        $one = Start-LockstepModelListener
        $two = Start-LockstepModelListener -WebSocket
        (Get-ErrorOf { Stop-LockstepModelListener -ErrorAction Stop }).Exception.Message | Should -BeLike "*$($one.Uri)*$($two.Uri)*"
        Stop-LockstepModelListener $one -WhatIf
        $one.IsListening | Should -BeTrue
        Stop-LockstepModelListener $one
        { Stop-LockstepModelListener $one -ErrorAction Stop } | Should -Not -Throw
        Stop-LockstepModelListener
        $two.IsListening | Should -BeFalse
    }

    It 'shows in a table view where it listens' {
        $listener = Start-LockstepModelListener
        $listener | Out-String | Should -BeLike "*Uri*Listening*$($listener.Uri)*m*True*"
    }
}
