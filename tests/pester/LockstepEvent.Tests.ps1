BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Send- and Receive-LockstepEvent' {
    BeforeEach { $bus = New-LockstepModel bus -Kind Events -Id me }
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'sends events with arguments and gives them back in order' {
        Send-LockstepEvent $bus started
        Send-LockstepEvent $bus deployed web1 42 @{ ok = $true }
        Send-LockstepEvent $bus null -Argument $null
        $bus.Count | Should -Be 3
        $events = Receive-LockstepEvent $bus
        $events | ForEach-Object { $_ | Should -BeOfType Lockstep.ModelEvent }
        $events.Name | Should -Be started, deployed, null
        $events[0].Argument | Should -HaveCount 0
        $events[1].Argument[0, 1] | Should -Be web1, 42
        $events[1].Argument[2].ok | Should -BeTrue
        $events.Source | Should -Be me, me, me
        (Receive-LockstepEvent $bus deployed -Raw).Argument[2] | Should -Be '{"ok":true}'
    }

    It 'takes names, arguments and models from the pipeline by property name' {
        $second = New-LockstepModel second -Kind Events
        [pscustomobject]@{ Name = 'a'; Argument = 1, 'x' }, [pscustomobject]@{ Name = 'b' } | Send-LockstepEvent -Model bus
        [pscustomobject]@{ Model = 'second'; Name = 'c'; Argument = 2 } | Send-LockstepEvent
        # What one has, for the other.
        Receive-LockstepEvent $bus | Send-LockstepEvent -Model $second
        $events = $second | Receive-LockstepEvent
        $events.Name | Should -Be c, a, b
        $events[1].Argument | Should -Be 1, x
    }

    It 'puts out what was sent with -PassThru, in a table view' {
        $sent = Send-LockstepEvent $bus hello world -PassThru
        $sent.Model, $sent.Name, $sent.Argument[0], $sent.Source | Should -Be bus, hello, world, me
        $sent | Out-String | Should -BeLike '*Time*Name*Argument*Source*hello*world*me*'
    }

    It 'gives the events of some names' {
        'a1', 'b1', 'a2' | ForEach-Object { Send-LockstepEvent $bus $_ }
        (Receive-LockstepEvent $bus a*).Name | Should -Be a1, a2
        (Receive-LockstepEvent $bus b1, a2).Name | Should -Be b1, a2
    }

    It 'goes on with -Follow, with what peers send too, and ends through Select-Object -First' {
        $peer = New-LockstepModel peer -Kind Events -Id you
        $null = Start-LockstepModelListener $bus | Connect-LockstepModel $peer
        Send-LockstepEvent $bus mine
        Send-LockstepEvent $peer yours
        $events = Receive-LockstepEvent $bus -Follow | Select-Object -First 2
        $events.Name | Sort-Object | Should -Be mine, yours
        (Receive-LockstepEvent $peer -Follow | Select-Object -First 2).Name | Sort-Object | Should -Be mine, yours
    }

    It 'leaves out with -NewOnly what is there, and ends when it is stopped' {
        Send-LockstepEvent $bus old
        $session = New-Session
        $session.Runspace.SessionStateProxy.SetVariable('bus', $bus)
        $session.Commands.Clear()
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $null = $session.AddScript('Receive-LockstepEvent $bus -NewOnly').BeginInvoke(
            [System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
        # When it starts to listen is not visible from here: events are sent until it has one.
        $limit = [System.Diagnostics.Stopwatch]::StartNew()
        while ($output.Count -eq 0 -and $limit.Elapsed.TotalSeconds -lt 60) {
            Send-LockstepEvent $bus new; [System.Threading.Thread]::Sleep(10)
        }
        $output[0].Name | Should -Be new
        $session.Stop()
        $session.InvocationStateInfo.State | Should -Be Stopped
        $session.Dispose()
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a name that harms peers'; arguments = @{ Model = 'bus'; Name = '__proto__' }; id = 'InvalidOption' }
        @{ name = 'an argument that has no form as JSON'; arguments = @{ Model = 'bus'; Name = 'x'; Argument = [double]::NaN }
        id = 'UnsuitableObject' }
        @{ name = 'a model of values'; arguments = @{ Model = 'values'; Name = 'x' }; id = 'InvalidOption' }
        @{ name = 'a model that is not there'; arguments = @{ Model = 'nothing'; Name = 'x' }; id = 'ModelNotFound' }
    ) {
        $null = New-LockstepModel values
        (Get-ErrorOf { Send-LockstepEvent @arguments -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike "$id,*"
        $bus.Count | Should -Be 0
    }

    It 'receives nothing from a model of values' {
        $null = New-LockstepModel values
        (Get-ErrorOf { Receive-LockstepEvent values -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
    }

    It 'sends nothing with -WhatIf' {
        Send-LockstepEvent $bus x -WhatIf
        $bus.Count | Should -Be 0
    }
}
