BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Clear-LockstepTombstone' {
    BeforeEach {
        $server = Start-LockstepTestServer -Port 0 -Feed Scripted -Record @{ id = 1; updated_at = 1; deleted_at = 1 },
            @{ id = 2; updated_at = 5; deleted_at = $null }
        $null = $server | Sync-LockstepTable -Table graves -SettleSec 0.2
    }

    AfterEach {
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'forgets the deleted records below the horizon' {
        (Get-LockstepTable graves).Tombstones | Should -Be 1
        (Clear-LockstepTombstone graves -Before 3 -PassThru).Tombstones | Should -Be 0
        (Get-LockstepTable graves).Rows | Should -Be 1
    }

    It 'keeps those at or above it' {
        (Clear-LockstepTombstone graves -Before 1 -PassThru).Tombstones | Should -Be 1
    }

    It 'does nothing with -WhatIf' {
        $null = Invoke-Quietly { Clear-LockstepTombstone graves -Before 3 -WhatIf }
        (Get-LockstepTable graves).Tombstones | Should -Be 1
    }

    It 'refuses a horizon above the cursor' {
        (Get-ErrorOf { Clear-LockstepTombstone graves -Before 6 -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
    }
}
