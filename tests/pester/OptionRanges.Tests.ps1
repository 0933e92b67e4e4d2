BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

BeforeDiscovery {
    $numbers = [int], [long], [double], [decimal], [timespan], [uint64], [float]
    $cases = foreach ($command in Get-Command -Module Lockstep -CommandType Cmdlet) {
        foreach ($parameter in $command.Parameters.Values) {
            $type = [nullable]::GetUnderlyingType($parameter.ParameterType) ?? $parameter.ParameterType
            if ($type -in $numbers) { @{ Command = $command.Name; Parameter = $parameter.Name; IsTime = $type -eq [timespan] } }
        }
    }
}

Describe 'Parameters that are numbers or times' {
    It 'are found' {
        $all = Get-Command -Module Lockstep -CommandType Cmdlet | ForEach-Object { $_.Parameters.Values } |
            Where-Object ParameterType -In ([double], [int])
        $all.Count | Should -BeGreaterThan 20
    }

    It '<Command> -<Parameter> refuses by its name what it cannot take' -ForEach $cases {
        # These accept any number.
        $any = 'From', 'To', 'After', 'First', 'Skip'
        if ($Parameter -in $any) { Set-ItResult -Skipped -Because 'any number means something to it'; return }
        $wrong = @(-1, [double]::NaN)
        # A replay may go at any speed.
        if ($Parameter -ne 'ReplaySpeed') { $wrong += 1e300 }
        if ($IsTime) { $wrong += [timespan]'-00:00:05', '-00:00:05' }
        foreach ($value in $wrong) {
            $failure = $null
            $given = @{ $Parameter = $value }
            # The command reports an invalid parameter before it asks for others.
            try { $null = & $Command -ErrorAction Stop @given } catch { $failure = $_ }
            "$failure" | Should -Match "\b$Parameter\b" -Because "$Parameter = $value"
            "$failure" | Should -Not -Match 'Specified argument|\(Parameter |Lockstep\.[A-Z]'
        }
    }

    It 'that go through all checks of a cmdlet are held against those of the engine, in the words of PowerShell' {
        (Get-ErrorOf { Sync-LockstepTable http://127.0.0.1:1/x/ -FollowFor 0 -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
        "$(Get-ErrorOf { Sync-LockstepTable http://127.0.0.1:1/x/ -FollowFor 0 -ErrorAction Stop })" |
            Should -Be '-FollowFor takes a number of seconds above 0 and up to 4233600.'
        "$(Get-ErrorOf { Sync-LockstepTable http://127.0.0.1:1/x/ -KeyProperty a, a -ErrorAction Stop })" |
            Should -BeLike '-KeyProperty takes names of fields*'
    }
}
