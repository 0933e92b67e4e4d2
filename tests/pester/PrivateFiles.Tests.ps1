BeforeAll { Import-Module $PSScriptRoot/Support.psm1 -Force }

Describe 'What files are for whose eyes' {
    BeforeEach {
        Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory)
        $mine = [System.IO.UnixFileMode]'UserRead, UserWrite'
        $records = 1..3 | ForEach-Object { @{ id = $_; updated_at = $_ } }
    }
    AfterEach {
        Pop-Location
        Get-LockstepTestServer | Stop-LockstepTestServer
        Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
    }

    It 'keeps a table from others with -Private, also one that they could read' -Skip:$IsWindows {
        $null = $records | Import-LockstepTable -Table imported -Disk -Private
        (Get-Item imported.db).UnixFileMode | Should -Be $mine

        $server = Start-LockstepTestServer -Port 0 -Feed Finite
        $null = $server | Sync-LockstepTable -Path synced.db
        (Get-Item synced.db).UnixFileMode | Should -Not -Be $mine
        $null = $server | Sync-LockstepTable -Path synced.db -Private
        (Get-Item synced.db).UnixFileMode | Should -Be $mine

        Backup-LockstepTable -Path synced.db -Destination copy.db
        (Get-Item copy.db).UnixFileMode | Should -Be $mine
    }

    It 'keeps the tables of a session from others in any case' -Skip:$IsWindows {
        $null = $records | Import-LockstepTable -Table here
        $file = Get-Item (Get-LockstepTable here).Path
        $file.UnixFileMode, $file.Directory.UnixFileMode | Should -Be $mine, ([System.IO.UnixFileMode]'UserRead, UserWrite, UserExecute')
    }

    It 'says that -Private is not for a database, before it connects' {
        $failure = Get-ErrorOf { $records | Import-LockstepTable -Table t -ConnectionString 'Host=nowhere.invalid' -Private }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidOption,*'
    }

    It 'writes an export in the place of a link, not through it' -Skip:$IsWindows {
        $null = $records | Import-LockstepTable -Table t -Disk
        'precious' | Set-Content victim
        $null = New-Item out.ndjson -ItemType SymbolicLink -Value (Join-Path $PWD victim)

        Export-LockstepTable t out.ndjson -Force

        Get-Content victim | Should -Be precious
        Get-Content out.ndjson | Should -HaveCount 3
        (Get-Item out.ndjson).LinkTarget | Should -BeNullOrEmpty
    }

    It 'refuses to export to a device, and leaves it' -Skip:$IsWindows {
        $null = $records | Import-LockstepTable -Table t -Disk
        & mkfifo pipe
        (Get-ErrorOf { Export-LockstepTable t pipe -Format Ndjson -Force }).Exception.Message | Should -BeLike '*is a pipe or a device*'
        Get-ChildItem *.unfinished | Should -BeNullOrEmpty
    }
}

Describe 'Session tables that a process left' {
    It 'are removed when nobody holds their lock, whatever number the process has here' {
        $temporary = (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory).FullName
        # In its own container a process may have an id that nobody has here; a killed one may have an id that somebody has here.
        $living, $dead, $being = "lockstep-session-2147483646-a", "lockstep-session-$PID-b", 'lockstep-session-2147483646-c' |
            ForEach-Object { (New-Item (Join-Path $temporary $_) -ItemType Directory).FullName }
        $living, $dead | ForEach-Object { $null = New-Item "$_/session-lock", "$_/t.db" }
        $held = [System.IO.File]::Open("$living/session-lock", 'Open', 'ReadWrite', 'None')
        try {
            $start = New-PowerShellStart '-Command', (
                "Import-Module '$((Get-Module Lockstep).Path -replace 'PowerShell.dll', 'psd1')'; " +
                "`$null = @{ id = 1; updated_at = 1 } | Import-LockstepTable -Table t; (Get-LockstepTable t).Rows")
            $start.Environment['TMPDIR'] = $start.Environment['TMP'] = $start.Environment['TEMP'] = $temporary
            $start.RedirectStandardOutput = $true
            $process = [System.Diagnostics.Process]::Start($start)
            $process.StandardOutput.ReadToEnd().Trim() | Should -Be 1
            $process.WaitForExit()
        }
        finally { $held.Dispose() }

        Test-Path $living/t.db | Should -BeTrue
        Test-Path $dead | Should -BeFalse
        Test-Path $being | Should -BeTrue -Because 'a process may be just making it'
        Get-ChildItem $temporary -Filter 'lockstep-session-*' | Should -HaveCount 2
    }
}
