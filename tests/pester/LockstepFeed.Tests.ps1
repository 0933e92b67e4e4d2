BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'Test-LockstepFeed' {
    AfterEach { Get-LockstepTestServer | Stop-LockstepTestServer }

    It 'finds nothing wrong with a good feed' {
        $server = Start-LockstepTestServer -Port 0 -Record (1..9 | ForEach-Object { @{ id = $_; updated_at = $_; deleted_at = $null } })
        $results = $server | Test-LockstepFeed -SettleSec 0.5
        $results | Should -HaveCount 17
        $results | Where-Object Outcome -EQ Failed | Should -BeNullOrEmpty
        Test-LockstepFeed $server.FeedUri -SettleSec 0.5 -Quiet | Should -BeTrue
    }

    It 'names the rule that a feed breaks, also as NUnit XML' {
        $server = Start-LockstepTestServer -Port 0 -Feed Reference
        $xml = Join-Path $TestDrive results.xml
        $results = Test-LockstepFeed $server.FeedUri -MaximumRecordCount 60 -NUnitXmlPath $xml
        ($results | Where-Object Id -EQ order).Outcome | Should -Be 'Failed'
        ([xml](Get-Content $xml -Raw)).'test-run'.result | Should -Be 'Failed'
        Test-LockstepFeed $server.FeedUri -MaximumRecordCount 60 -Quiet | Should -BeFalse
    }

    It 'says so where there is no feed' {
        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        $server | Stop-LockstepTestServer
        (Get-ErrorOf { Test-LockstepFeed $server.FeedUri -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'FeedUnreachable,*'
    }
}
