BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Set- and Get-LockstepModelValue' {
    BeforeEach { $model = New-LockstepModel m -Id me }
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'keeps <name>' -ForEach @(
        @{ name = 'a text'; value = "grün `u{1F600}" }
        @{ name = 'an empty text'; value = '' }
        @{ name = 'a whole number'; value = 42L }
        @{ name = 'a number beyond 64 bits'; value = [bigint]'123456789012345678901234567890' }
        @{ name = 'a fraction'; value = 1.25 }
        @{ name = 'a boolean'; value = $false }
    ) {
        Set-LockstepModelValue $model key $value
        $got = Get-LockstepModelValue $model key
        $got.Value | Should -BeExactly $value
        $got.Value | Should -BeOfType $value.GetType()
    }

    It 'keeps objects and arrays' {
        Set-LockstepModelValue $model server ([ordered]@{ ip = '10.0.0.1'; ports = 80, 443; owner = [pscustomobject]@{ name = 'x' } })
        $server = Get-LockstepModelValue $model server -ValueOnly
        $server.psobject.Properties.Name | Should -Be ip, ports, owner
        $server.ports | Should -Be 80, 443
        $server.owner.name | Should -Be x
        (Get-LockstepModelValue $model server -Raw).Value | Should -Be '{"ip":"10.0.0.1","ports":[80,443],"owner":{"name":"x"}}'

        Set-LockstepModelValue $model list @(1)
        , (Get-LockstepModelValue $model list -ValueOnly) | Should -HaveCount 1
        (Get-LockstepModelValue $model list -Raw).Value | Should -Be '[1]'
    }

    It 'says who set it and when' {
        $before = [datetime]::Now.AddSeconds(-1)
        $set = Set-LockstepModelValue $model key 1 -PassThru
        $set | Should -BeOfType Lockstep.ModelValue
        $set.Model, $set.Key, $set.Value, $set.Source, $set.IsRemoved | Should -Be m, key, 1, me, $false
        $set.Time | Should -BeGreaterThan $before
        $set | Out-String | Should -BeLike '*Key*Value*Time*Source*key*1*me*'
    }

    It 'takes keys, values and models from the pipeline by property name' {
        $other = New-LockstepModel other
        [pscustomobject]@{ Key = 'a'; Value = 1 }, [pscustomobject]@{ Key = 'b'; Value = $null },
            [pscustomobject]@{ Key = 'c'; Value = 'x' } | Set-LockstepModelValue -Model m
        [pscustomobject]@{ Model = 'other'; Key = 'd'; Value = 2 } | Set-LockstepModelValue
        (Get-LockstepModelValue m).Key | Should -Be a, c
        (Get-LockstepModelValue other).Key | Should -Be d

        # What one model has, for another.
        Get-LockstepModelValue m | Set-LockstepModelValue -Model $other
        (Get-LockstepModelValue other).Key | Should -Be a, c, d
        $model, $other | Get-LockstepModelValue -Key a | ForEach-Object Model | Should -Be m, other
    }

    It 'finds keys by pattern, the exact one first, and minds their case' {
        'a1', 'a2', 'A3', 'a*' | ForEach-Object { Set-LockstepModelValue $model $_ $_ }
        (Get-LockstepModelValue $model a?).Key | Should -Be 'a*', a1, a2
        (Get-LockstepModelValue $model 'a*').Key | Should -Be 'a*'
        Get-LockstepModelValue $model 'x*' | Should -BeNullOrEmpty
        $found = Get-LockstepModelValue $model A1, A3 -ErrorVariable missing -ErrorAction SilentlyContinue
        $found.Key | Should -Be A3
        $missing.FullyQualifiedErrorId | Should -BeLike 'ModelValueNotFound,*'
        $missing.TargetObject | Should -Be A1
    }

    It 'takes the only model if none is named' {
        Set-LockstepModelValue -Key a -Value 1
        Get-LockstepModelValue -Key a -ValueOnly | Should -Be 1
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a value that has no form as JSON'; arguments = @{ Model = 'm'; Key = 'k'; Value = [double]::NaN }
        id = 'UnsuitableObject' }
        @{ name = 'a secret'; arguments = @{ Model = 'm'; Key = 'k'; Value = (ConvertTo-SecureString x -AsPlainText -Force) }
        id = 'UnsuitableObject' }
        @{ name = 'a key that harms peers'; arguments = @{ Model = 'm'; Key = '__proto__'; Value = 1 }; id = 'InvalidOption' }
        @{ name = 'a model that is not there'; arguments = @{ Model = 'nothing'; Key = 'k'; Value = 1 }; id = 'ModelNotFound' }
        @{ name = 'a model of events'; arguments = @{ Model = 'bus'; Key = 'k'; Value = 1 }; id = 'InvalidOption' }
    ) {
        $null = New-LockstepModel bus -Kind Events
        (Get-ErrorOf { Set-LockstepModelValue @arguments -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike "$id,*"
        $model.Count | Should -Be 0
    }

    It 'sets nothing with -WhatIf' {
        Set-LockstepModelValue $model key 1 -WhatIf
        $model.Count | Should -Be 0
    }
}

Describe 'Remove-LockstepModelValue' {
    BeforeEach {
        $model = New-LockstepModel m
        'a', 'b', 'c' | ForEach-Object { Set-LockstepModelValue $model $_ 1 }
    }
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'removes keys, also from the pipeline, as setting them to null does' {
        Remove-LockstepModelValue $model a
        Get-LockstepModelValue $model b | Remove-LockstepModelValue
        Set-LockstepModelValue $model c $null
        $model.Count | Should -Be 0
    }

    It 'misses a key and goes on' {
        Remove-LockstepModelValue $model x, a -ErrorVariable missing -ErrorAction SilentlyContinue
        $missing.FullyQualifiedErrorId | Should -BeLike 'ModelValueNotFound,*'
        (Get-LockstepModelValue $model).Key | Should -Be b, c
    }

    It 'removes nothing with -WhatIf' {
        Remove-LockstepModelValue $model a -WhatIf
        $model.Count | Should -Be 3
    }
}

Describe 'Models of the data types of npm packages' {
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'has one value, as r-value' {
        $model = New-LockstepModel one -Type RValue
        Set-LockstepModelValue $model value 1
        Set-LockstepModelValue $model value @{ a = 2 }
        (Get-LockstepModelValue $model).Value.a | Should -Be 2
        $model.Kind, $model.Count | Should -Be RValue, 1
        (Get-ErrorOf { Set-LockstepModelValue $model other 1 -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
        Remove-LockstepModelValue $model value
        $model.Count | Should -Be 0
    }

    It 'has rows of columns, as crdt, and its peers have them' {
        $doc = New-LockstepModel doc -Kind CrdtDoc -Path TestDrive:/doc.db
        $peer = New-LockstepModel peer -Kind CrdtDoc
        Set-LockstepModelValue $doc row @{ color = 'red' }
        $null = Start-LockstepModelListener $doc | Connect-LockstepModel $peer
        Wait-LockstepModel $peer -Synced -TimeoutSec 60
        Set-LockstepModelValue $peer row @{ size = 1 }
        $row = Get-LockstepModelValue $peer row -ValueOnly
        $row.color, $row.size | Should -Be red, 1
        (Get-ErrorOf { Set-LockstepModelValue $doc row 7 -ErrorAction Stop }).Exception.Message | Should -BeLike '*object of columns*'
        Remove-LockstepModelValue $peer row
        $peer.Count | Should -Be 0
        Remove-LockstepModel doc
        (Get-ErrorOf { New-LockstepModel values -Path TestDrive:/doc.db -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'GossipStore,*'
    }

    It 'has values that grow old, as expiry-model' {
        $model = New-LockstepModel old -Kind ExpiryModel -MaximumEventAge 7.00:00:00
        Set-LockstepModelValue $model k @{ a = 1 }
        Set-LockstepModelValue $model k @{ b = 2 }
        $value = Get-LockstepModelValue $model k -ValueOnly
        $value.a, $value.b | Should -Be 1, 2
        (Get-ErrorOf { New-LockstepModel m -Kind RValue -MaximumEventAge 1 -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
    }
}
