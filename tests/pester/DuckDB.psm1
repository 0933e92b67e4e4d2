# DuckDB for what docs/OTHER-TOOLS.md shows: its command line where that is installed, else its package for node, which is fetched into
# a temporary folder.
# Its extension for SQLite it fetches itself. One that was built by hand, and put where DuckDB looks for it, is taken where
# LOCKSTEP_DUCKDB_UNSIGNED is 1.

$program = Get-Command duckdb -CommandType Application -ErrorAction Ignore | Select-Object -First 1
$folder = $null
$readsSqlite = $null
$options = @(if ($env:LOCKSTEP_DUCKDB_UNSIGNED -eq '1') { '-unsigned' })

# Whether there is a DuckDB; fetches the package if there is none.
function Test-DuckDB {
    if ($program -or $folder) { return $true }
    if (-not (Get-Command node -CommandType Application -ErrorAction Ignore) -or -not (Get-Command npm -ErrorAction Ignore)) {
        return $false
    }
    $new = Join-Path ([System.IO.Path]::GetTempPath()) "lockstep-duckdb-$([guid]::NewGuid().ToString('n'))"
    $new = (New-Item -ItemType Directory $new).FullName
    Copy-Item $PSScriptRoot/../interop/duckdb/* $new
    Push-Location -LiteralPath $new
    try { $null = npm install --no-package-lock --no-audit --no-fund --ignore-scripts 2>&1 }
    finally { Pop-Location }
    if ($LASTEXITCODE -ne 0) {
        Remove-Item -LiteralPath $new -Recurse -Force
        return $false
    }
    $script:folder = $new
    $true
}

# Whether its extension for SQLite exists, or can be fetched.
function Test-DuckDBSqlite {
    if ($null -eq $script:readsSqlite) {
        $script:readsSqlite = (Test-DuckDB) -and $(
            $null = duckdb -c 'install sqlite; load sqlite;' 2>&1
            $LASTEXITCODE -eq 0
        )
    }
    $script:readsSqlite
}

function duckdb {
    if ($program) { & $program @options @args } else { node (Join-Path $folder duckdb.mjs) @options @args }
}

function Remove-DuckDB {
    if ($folder) { Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction Ignore }
    $script:folder = $null
}
