BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'New-LockstepModel' {
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'makes a model that lives as long as the session, named by its id' {
        $model = New-LockstepModel
        $model | Should -BeOfType Lockstep.ModelInfo
        $model.Id | Should -Match '^[0-9A-F]{32}$'
        $model.Name | Should -Be $model.Id
        $model.Kind | Should -Be Model
        $model.Path | Should -BeNullOrEmpty
        $model.Count | Should -Be 0
        $model.PeerCount | Should -Be 0
    }

    It 'keeps it in a file, whose name it has, and finds id and values there again' {
        $model = New-LockstepModel -Path TestDrive:/shared.db -Id node1
        $model.Name | Should -Be shared
        $model.Path | Should -Be (Join-Path (Get-Item TestDrive:/).FullName shared.db)
        Set-LockstepModelValue $model color red
        Remove-LockstepModel $model

        $again = New-LockstepModel -Path TestDrive:/shared.db
        $again.Id | Should -Be node1
        Get-LockstepModelValue $again color -ValueOnly | Should -Be red
    }

    It 'keeps events in a file, and opens no file of another kind' {
        New-LockstepModel -Kind Events -Path TestDrive:/bus.db | Send-LockstepEvent -Name started
        Remove-LockstepModel bus
        $failure = Get-ErrorOf { New-LockstepModel -Path TestDrive:/bus.db -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'GossipStore,*'
        $failure.CategoryInfo.Category | Should -Be OpenError
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        New-LockstepModel -Kind Events -Path TestDrive:/bus.db | Receive-LockstepEvent | ForEach-Object Name | Should -Be started
    }

    It 'takes names, kinds, ids and files from the pipeline' {
        $made = [pscustomobject]@{ Name = 'a'; Kind = 'Model'; Id = 'i1'; Path = '' },
        [pscustomobject]@{ Name = 'b'; Kind = 'Events'; Id = 'i2'; Path = 'TestDrive:/b.db' } | New-LockstepModel
        $made.Name | Should -Be a, b
        $made.Kind | Should -Be Model, Events
        $made.Id | Should -Be i1, i2
        $made[1].Path | Should -BeLike '*b.db'
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a name that is taken'; arguments = @{ Name = 'TAKEN' }; id = 'ModelNameInUse'; category = 'ResourceExists' }
        @{ name = 'a name that is no part of a URI'; arguments = @{ Name = '..' }; id = 'InvalidOption'; category = 'InvalidArgument' }
        @{ name = 'another id than the file has'; arguments = @{ Path = 'TestDrive:/has-id.db'; Id = 'other'; Name = 'x' }
        id = 'GossipIdentity'; category = 'InvalidArgument' }
        @{ name = 'an id that is no id'; arguments = @{ Id = '__proto__' }; id = 'GossipIdentity'; category = 'InvalidArgument' }
        @{ name = 'a file that is none of ours'; arguments = @{ Path = 'TestDrive:/text.db' }; id = 'GossipStore'; category = 'OpenError' }
        @{ name = 'a path that is none of the file system'; arguments = @{ Path = 'Env:/PATH' }; id = 'PathProvider'
        category = 'InvalidArgument' }
    ) {
        $null = New-LockstepModel -Name taken
        New-LockstepModel -Path TestDrive:/has-id.db -Id first | Remove-LockstepModel
        'this is a text, and a rather long one' * 100 | Set-Content TestDrive:/text.db
        $failure = Get-ErrorOf { New-LockstepModel @arguments -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.CategoryInfo.Category | Should -Be $category
        (Get-LockstepModel).Name | Should -Be taken
    }

    It 'makes nothing with -WhatIf, no file either' {
        New-LockstepModel -Path TestDrive:/nothing.db -WhatIf | Should -BeNullOrEmpty
        'TestDrive:/nothing.db' | Should -Not -Exist
        Get-LockstepModel | Should -BeNullOrEmpty
    }
}

Describe 'Get-LockstepModel' {
    BeforeEach { $a, $b, $c = 'apple', 'banana', 'avocado' | ForEach-Object { New-LockstepModel $_ } }
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'lists the models of the session, all or by name' {
        Get-LockstepModel | Should -Be $a, $b, $c
        Get-LockstepModel a* | Should -Be $a, $c
        Get-LockstepModel BANANA | Should -Be $b
        Get-LockstepModel x* | Should -BeNullOrEmpty
    }

    It 'misses a name and goes on' {
        Get-LockstepModel nothing, banana -ErrorVariable missing -ErrorAction SilentlyContinue | Should -Be $b
        $missing.FullyQualifiedErrorId | Should -BeLike 'ModelNotFound,*'
    }

    It 'has a table view' {
        Set-LockstepModelValue apple k 1
        Get-LockstepModel apple | Out-String | Should -BeLike '*Name*Kind*Count*Peers*apple*Model*1*0*(session)*'
    }
}

Describe 'Remove-LockstepModel' {
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'ends the models from the pipeline, and what they are used for then is an error' {
        $a = New-LockstepModel a
        $b = New-LockstepModel b
        $a | Remove-LockstepModel
        $a.IsRemoved | Should -BeTrue
        Get-LockstepModel | Should -Be $b
        (Get-ErrorOf { Set-LockstepModelValue $a k 1 -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'ModelNotFound,*'
        { $a | Remove-LockstepModel -ErrorAction Stop } | Should -Not -Throw
    }

    It 'removes the only one, and asks which where there are several or none' {
        $failure = Get-ErrorOf { Remove-LockstepModel -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ModelNotFound,*'
        $failure.ErrorDetails.RecommendedAction | Should -BeLike '*New-LockstepModel*'
        $null = New-LockstepModel a
        $null = New-LockstepModel b
        (Get-ErrorOf { Remove-LockstepModel -ErrorAction Stop }).Exception.Message | Should -BeLike '*a, b*'
        Remove-LockstepModel a
        Remove-LockstepModel
        Get-LockstepModel | Should -BeNullOrEmpty
    }

    It 'stops a listener with the last of its models' {
        $models = 'a', 'b' | ForEach-Object { New-LockstepModel $_ }
        $listener = $models | Start-LockstepModelListener
        Remove-LockstepModel a
        $listener.IsListening | Should -BeTrue
        $listener.Model | Should -Be b
        Remove-LockstepModel b
        $listener.IsListening | Should -BeFalse
        Test-Port $listener.Port | Should -BeFalse
    }

    It 'removes nothing with -WhatIf' {
        $model = New-LockstepModel a
        Remove-LockstepModel a -WhatIf
        $model.IsRemoved | Should -BeFalse
    }
}

Describe 'A model and its session' {
    BeforeEach {
        $session = New-Session
        $mine = New-LockstepModel mine
        $port = (Invoke-Session $session { $null = New-LockstepModel theirs; (Start-LockstepModelListener).Port })[0]
    }

    AfterEach {
        $session.Dispose()
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'is not seen by another session, and may have a name that one there has' {
        Get-LockstepModel | Should -Be $mine
        Invoke-Session $session { $null = New-LockstepModel mine; (Get-LockstepModel).Name } | Should -Be theirs, mine
    }

    It 'can be handed to another session' {
        $session.Runspace.SessionStateProxy.SetVariable('handed', $mine)
        Invoke-Session $session { Set-LockstepModelValue $handed from there }
        Get-LockstepModelValue mine from -ValueOnly | Should -Be there
    }

    It 'ends when its session closes, and no other one' {
        Test-Port $port | Should -BeTrue
        $session.Runspace.Close()
        Test-Port $port | Should -BeFalse
        $mine.IsRemoved | Should -BeFalse
    }

    It 'ends when the module is removed in its session, and no other one' {
        Invoke-Session $session { Remove-Module Lockstep }
        Test-Port $port | Should -BeFalse
        $mine.IsRemoved | Should -BeFalse
    }
}
