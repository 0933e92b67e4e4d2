# What the documents show is what happens: the test runs their blocks one after another, as a reader would, and compares their outputs.

BeforeDiscovery {
    $documents = @(
        @{ Document = 'README.md'; Needs = @() }
        @{ Document = 'docs/FIRST-QUARTER-HOUR.md'; Needs = @() }
        @{ Document = 'docs/DIALECTS.md'; Needs = @() }
        @{ Document = 'docs/METRICS.md'; Needs = @() }
        @{ Document = 'docs/OTHER-TOOLS.md'; Needs = 'sqlite3', 'duckdb', 'type sqlite' }
    )
}

BeforeAll {
    Import-Module $PSScriptRoot/Documents.psm1 -Force
    Import-Module $PSScriptRoot/DuckDB.psm1 -Force
    Import-Module $PSScriptRoot/Support.psm1 -Force
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath

    # What documents take for granted.
    function Get-AzAccessToken { @{ Token = ConvertTo-SecureString secret -AsPlainText -Force } }

    # What blocks need, depending on their code.
    function Test-Tool([string] $Name) {
        switch ($Name) {
            'duckdb' { Test-DuckDB }
            'type sqlite' { Test-DuckDBSqlite }
            default { [bool](Get-Command $Name -CommandType Application -ErrorAction Ignore) }
        }
    }
}

AfterAll { Remove-DuckDB }

Describe '<Document>' -ForEach $documents {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach {
        Pop-Location
        Stop-Example
    }

    It 'shows what happens' {
        $missing = @($Needs | Where-Object { -not (Test-Tool $_) })
        $feed = $null
        $running = @{}
        $run = 0
        foreach ($block in Get-DocumentBlock (Join-Path $root $Document) | Where-Object { -not $_.Reason }) {
            $code = $block.Code
            if ($missing | Where-Object { $code.Contains($_) }) { continue }
            if ($code.Contains('https://feeds.example/servers/')) {
                $feed ??= Start-ExampleFeed
                $code = $code.Replace('https://feeds.example/servers/', $feed.FeedUri)
            }
            $code = (Use-ExampleServer $code $running).Replace('./examples/', "$root/examples/")
            foreach ($name in $running.Keys) { Set-Variable $name $running[$name] }
            if ($block.Before) { . ([scriptblock]::Create($block.Before)) }
            try { $printed = . { $ErrorActionPreference = 'Stop'; . ([scriptblock]::Create($code)) } | Out-String -Width 120 }
            catch { throw "$Document, $($block.Title): $code`n$_" }
            if ($block.Output) {
                ConvertTo-Shape $printed | Should -Be (ConvertTo-Shape $block.Output) -Because "$($block.Title) has: $code"
            }
            $run++
        }
        $run | Should -BeGreaterThan 0
        if ($missing) {
            $names = $missing -replace '^type sqlite$', 'extension of DuckDB for SQLite' -join ' and no '
            Set-ItResult -Skipped -Because "there is no $names; the other blocks were run"
        }
    }
}

Describe 'A table file in DuckDB' {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach {
        Pop-Location
        Get-Job | Remove-Job -Force
        Stop-Example
    }

    It 'is read while a sync writes to it, with <Kind> as keys' -ForEach @(
        @{ Kind = 'numbers'; Keys = 1, 2, 3 }
        @{ Kind = 'texts'; Keys = 'alpha', "o'beta", 'gämma' }
    ) {
        if (-not (Test-DuckDBSqlite)) { Set-ItResult -Skipped -Because 'there is no extension of DuckDB for SQLite' }
        $server = $Keys | ForEach-Object { @{ id = $_; updated_at = 5; rank = 1234; name = "n $_" } } | Start-LockstepTestServer -Port 0
        $job = $server | Sync-LockstepTable -Table things -Disk -Follow -AsJob
        function Read-WithDuckDB([string] $Sql) {
            duckdb -csv -c "load sqlite; attach 'things.db' as t (type sqlite, read_only); $Sql" | Select-Object -Skip 1
        }
        Wait-Until { $job.Sync.Added -eq 3 }
        Read-WithDuckDB "select id from sqlite_query('t', 'select id from things') order by id" |
            Should -Be ($Keys | Sort-Object { "$_" } -Culture '')

        # What is committed later is in the write-ahead log, because the writer has the file open.
        $null = @{ id = $Keys[0]; updated_at = 6; rank = 9; name = 'nine' }, @{ id = $Keys[1]; updated_at = 7; deleted_at = 7 } |
            Add-LockstepTestRecord -Server $server
        Wait-Until { $job.Sync.Deleted -eq 1 }
        (Get-Item things.db-wal).Length | Should -BeGreaterThan 0
        Read-WithDuckDB "select count(*) as n, max(rank::bigint) as rank from sqlite_query('t', 'select rank from things')" |
            Should -Be '2,1234'
        Read-WithDuckDB 'select count(*) as n, max(rank::bigint) as rank from t.things' | Should -Be '2,1234'
        Read-WithDuckDB "select (name->>'$') as name from t.things where rank = 9" | Should -Be nine
        Read-WithDuckDB "select name from sqlite_query('t', 'select name from things where rank = 9')" | Should -Be nine
        $job.State | Should -Be Running
        Stop-Job $job
    }
}

Describe 'Links of the documents' {
    It 'lead somewhere' {
        $documents = @(Get-Item $root/*.md) + @(Get-ChildItem $root/docs, $root/examples -Recurse -Filter *.md)
        $broken = foreach ($document in $documents) {
            foreach ($link in [regex]::Matches((Get-Content $document -Raw), '\]\((?!https?:|#)([^)#]+)')) {
                $target = Join-Path $document.DirectoryName $link.Groups[1].Value
                if (-not (Test-Path $target)) { "$($document.Name): $($link.Groups[1].Value)" }
            }
        }
        $broken | Should -BeNullOrEmpty
    }
}

Describe 'docs/METRICS.md' {
    It 'lists every instrument that there is, and no other' {
        $there = Get-ChildItem $root/src -Recurse -Filter *.cs | Where-Object FullName -NotMatch '[\\/](obj|bin)[\\/]' |
            ForEach-Object { [regex]::Matches((Get-Content $_ -Raw), '\.Create\w+(?:<\w+>)?\(\s*"(lockstep\.[\w.]+)"').ForEach{
                $_.Groups[1].Value
            } } | Sort-Object -Unique
        $listed = [regex]::Matches((Get-Content $root/docs/METRICS.md -Raw), '(?m)^\| `[\w.]+` \| `(lockstep\.[\w.]+)`').ForEach{
            $_.Groups[1].Value
        } | Sort-Object -Unique
        $listed | Should -Be $there
    }
}
