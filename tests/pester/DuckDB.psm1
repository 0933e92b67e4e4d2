# DuckDB for what docs/OTHER-TOOLS.md shows: its command line where that is installed, else its package for node, which is fetched into a temporary folder.

$program = Get-Command duckdb -CommandType Application -ErrorAction Ignore | Select-Object -First 1
$folder = $null

# Whether there is a DuckDB; the package is fetched where there is not.
function Test-DuckDB {
    if ($program -or $folder) { return $true }
    if (-not (Get-Command node -CommandType Application -ErrorAction Ignore) -or -not (Get-Command npm -ErrorAction Ignore)) { return $false }
    $new = (New-Item -ItemType Directory (Join-Path ([System.IO.Path]::GetTempPath()) "lockstep-duckdb-$([guid]::NewGuid().ToString('n'))")).FullName
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

# Whether its extension for SQLite is there, or can be fetched.
function Test-DuckDBSqlite {
    if (-not (Test-DuckDB)) { return $false }
    $null = duckdb -c 'install sqlite; load sqlite;' 2>&1
    $LASTEXITCODE -eq 0
}

function duckdb {
    if ($program) { & $program @args } else { node (Join-Path $folder duckdb.mjs) @args }
}

function Remove-DuckDB {
    if ($folder) { Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction Ignore }
    $script:folder = $null
}
