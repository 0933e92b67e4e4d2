BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'A table beside its feed' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $records = 1..3 | ForEach-Object { [ordered]@{ id = $_; updated_at = $_; deleted_at = $null } }
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted -Record $records
        $null = $server | Sync-LockstepTable -Disk -SettleSec 0.2
    }

    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
    }

    It 'is equal after a sync' {
        Test-LockstepTable -Quiet -SettleSec 0.2 | Should -BeTrue
        Test-LockstepTable -SettleSec 0.2 | Should -BeNullOrEmpty
    }

    It 'differs when the feed has gone on, record by record' {
        [ordered]@{ id = 2; updated_at = 9; deleted_at = $null }, [ordered]@{ id = 4; updated_at = 9; deleted_at = $null } |
            Add-LockstepTestRecord
        Test-LockstepTable -Quiet -SettleSec 0.2 | Should -BeFalse
        $differences = Test-LockstepTable servers -SettleSec 0.2
        $differences.Kind | Should -Be Different, Missing
        $differences.Key | Should -Be 2, 4
        $differences[0].Expected.updated_at, $differences[0].Actual.updated_at | Should -Be 9, 2
    }

    It 'is mended, also where the table has what is newer or was never sent' {
        [ordered]@{ id = 1; updated_at = 99; deleted_at = $null; wrong = $true },
            [ordered]@{ id = 77; updated_at = 99; deleted_at = $null } | Import-LockstepTable -Disk -Table servers | Out-Null
        (Test-LockstepTable -SettleSec 0.2).Kind | Should -Be Different, Extra
        $said = Invoke-Quietly { Repair-LockstepTable -SettleSec 0.2 -WhatIf }
        $said | Should -Match 'Add 0 missing, remove 1 extra and replace 1 different'
        (Get-LockstepRecord -Key 1).wrong | Should -BeTrue
        $null = Repair-LockstepTable -SettleSec 0.2
        (Get-LockstepRecord -Key 1).updated_at | Should -Be 1
    }

    It 'needs a table that belongs to a feed' {
        @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table loose -Disk | Out-Null
        (Get-ErrorOf { Test-LockstepTable -Path loose.db -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
    }
}

Describe 'A token that is got when it is needed' {
    It 'goes on with the one that the script block puts out' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        try {
            $null = Add-LockstepTestFault -Server $server -Kind Unauthorized -Token fresh
            $state = @{ asked = 0 }
            $result = $server | Sync-LockstepTable -Table guarded -TokenProvider {
                $state.asked++; if ($state.asked -gt 1) { 'fresh' } else { 'stale' }
            }
            $result.Added | Should -Be 1
            $state.asked | Should -Be 2
        }
        finally { $server | Stop-LockstepTestServer; Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable }
    }
}
