BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force

    # Runs a script in a session of its own while this one goes on; its output is read from the result as it comes.
    function Start-Watching([powershell] $Session, [scriptblock] $Script, $Model) {
        $Session.Runspace.SessionStateProxy.SetVariable('model', $Model)
        $Session.Commands.Clear()
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $null = $Session.AddScript($Script.ToString()).BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(),
            $output)
        , $output
    }

    # Waits until so many objects have come and gives all that have; fails where they do not come. (To enumerate the
    # collection would wait for its end.)
    function Wait-Output($Output, [int] $Count) {
        $limit = [System.Diagnostics.Stopwatch]::StartNew()
        while ($Output.Count -lt $Count) {
            if ($limit.Elapsed.TotalSeconds -gt 60) { throw "Only $($Output.Count) of $Count objects came." }
            [System.Threading.Thread]::Sleep(10)
        }
        for ($i = 0; $i -lt $Output.Count; $i++) { $Output[$i] }
    }
}

Describe 'Watch-LockstepModel' {
    BeforeEach {
        $model = New-LockstepModel m -Id me
        $session = New-Session
    }
    AfterEach {
        $session.Dispose()
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'puts out the values that are there with -IncludeExisting, and ends through Select-Object -First' {
        'a', 'b', 'c' | ForEach-Object { Set-LockstepModelValue $model $_ $_ }
        $changes = $model | Watch-LockstepModel -IncludeExisting | Select-Object -First 3
        $changes | ForEach-Object { $_ | Should -BeOfType Lockstep.ModelValue }
        $changes.Key | Should -Be a, b, c
        $changes.Source | Should -Be me, me, me
        # It has let go: watching again starts over.
        (Watch-LockstepModel $model -IncludeExisting | Select-Object -First 1).Key | Should -Be a
    }

    It 'puts out each change as it comes, removals too, until the pipeline is stopped' {
        Set-LockstepModelValue $model begin 1
        $output = Start-Watching $session { Watch-LockstepModel $model -IncludeExisting } $model
        $null = Wait-Output $output 1
        Set-LockstepModelValue $model new @{ x = 1 }
        $null = Wait-Output $output 2
        Remove-LockstepModelValue $model begin
        $changes = Wait-Output $output 3
        $changes.Key | Should -Be begin, new, begin
        $changes[1].Value.x | Should -Be 1
        $changes.IsRemoved | Should -Be $false, $false, $true
        $changes[2] | Out-String | Should -BeLike '*begin*(removed)*'

        $session.InvocationStateInfo.State | Should -Be Running
        $session.Stop()
        $session.InvocationStateInfo.State | Should -Be Stopped
        Set-LockstepModelValue $model after 1
        $output.Count | Should -Be 3
    }

    It 'leaves out what is there already, unless told otherwise' {
        Set-LockstepModelValue $model old 1
        $output = Start-Watching $session { 'ready'; Watch-LockstepModel $model | Select-Object -First 1 } $model
        $null = Wait-Output $output 1
        # From when on it watches cannot be seen from here: it gets changes until it has one.
        $limit = [System.Diagnostics.Stopwatch]::StartNew()
        while ($output.Count -lt 2 -and $limit.Elapsed.TotalSeconds -lt 60) {
            Set-LockstepModelValue $model new 1; [System.Threading.Thread]::Sleep(10)
        }
        $output[1].Key | Should -Be new
    }

    It 'puts out the changes of some keys, as JSON with -Raw' {
        'a1', 'b1', 'a2' | ForEach-Object { Set-LockstepModelValue $model $_ @(1, $_) }
        $changes = Watch-LockstepModel $model a* -IncludeExisting -Raw | Select-Object -First 2
        $changes.Value | Should -Be '[1,"a1"]', '[1,"a2"]'
    }

    It 'sees what a peer changes' {
        $peer = New-LockstepModel peer -Id you
        $null = Start-LockstepModelListener $model | Connect-LockstepModel $peer
        Set-LockstepModelValue $peer from you
        $change = Watch-LockstepModel $model -IncludeExisting | Select-Object -First 1
        $change.Key, $change.Value, $change.Source | Should -Be from, you, you
    }

    It 'ends when the model is removed' {
        Set-LockstepModelValue $model a 1
        $output = Start-Watching $session { Watch-LockstepModel $model -IncludeExisting; 'over' } $model
        $null = Wait-Output $output 1
        Remove-LockstepModel $model
        (Wait-Output $output 2)[1] | Should -Be over
    }

    It 'has nothing to say of events' {
        $bus = New-LockstepModel bus -Kind Events
        $failure = Get-ErrorOf { Watch-LockstepModel $bus -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*Receive-LockstepEvent*'
    }

    It 'passes over a value that is nested too deep for an object, and -Raw shows it' {
        $deep = ('[' * 100) + (']' * 100)
        $listener = Start-LockstepModelListener $model
        $client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', $listener.Port)
        $null = $client.Client.Send(
            [byte[]][char[]]"{`"id`":`"x`",`"clock`":{}}`n[[`"deep`",$deep],1,`"x`"]`n[[`"flat`",1],2,`"x`"]`n`"SYNC`"`n")
        $changes = Watch-LockstepModel $model -IncludeExisting -ErrorVariable failed -ErrorAction SilentlyContinue | Select-Object -First 1
        $changes.Key | Should -Be flat
        $failed.FullyQualifiedErrorId | Should -BeLike 'InvalidJson,*'
        (Get-LockstepModelValue $model deep -Raw).Value | Should -Be $deep
        $client.Dispose()
    }
}
