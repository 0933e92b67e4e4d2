# The tests' own PostgreSQL server: a fresh cluster in a temporary folder, on a free port of loopback, stopped and removed afterwards.

$needed = 'initdb', 'pg_ctl', 'postgres', 'psql', 'createdb'

# The folder of PostgreSQL's programs; $null if there is none.
function Find-PostgresServer {
    $folders = if ($env:LOCKSTEP_POSTGRES_BIN) { $env:LOCKSTEP_POSTGRES_BIN }
    else {
        $env:PATH -split [System.IO.Path]::PathSeparator
        '/usr/lib/postgresql', '/usr/local/opt', '/opt/homebrew/opt', "$env:ProgramFiles/PostgreSQL" | Where-Object { Test-Path $_ } |
            Get-ChildItem -Directory | Sort-Object { [int]($_.Name -replace '\D') } -Descending |
            ForEach-Object { Join-Path $_.FullName bin }
    }
    $folders | Where-Object { $_ -and (Test-Path $_) } | Where-Object {
        $folder = $_
        -not ($needed | Where-Object { -not (Test-Path (Join-Path $folder $_)) -and -not (Test-Path (Join-Path $folder "$_.exe")) })
    } | Select-Object -First 1
}

# initdb refuses to run as root: the user to become, or $null.
function Get-PostgresUser {
    if ($IsWindows -or [System.Environment]::UserName -ne 'root') { return }
    'postgres', 'nobody' | Where-Object { (Get-Content /etc/passwd) -match "^${_}:" } | Select-Object -First 1
}

# Why no server can be started here; empty if one can. If LOCKSTEP_REQUIRE_POSTGRES is 1, the tests must not be skipped.
function Get-PostgresObstacle {
    $reason = if (-not (Find-PostgresServer)) { 'There are no PostgreSQL server programs.' }
    elseif (-not $IsWindows -and [System.Environment]::UserName -eq 'root' -and
        (-not (Get-PostgresUser) -or -not (Test-Path /usr/bin/setpriv))) {
        'initdb refuses to run as root, and there is nobody to become.'
    }
    if ($env:LOCKSTEP_REQUIRE_POSTGRES -ne '1') { $reason }
}

function Invoke-PostgresProgram($Server, [string] $Program, [string[]] $Arguments) {
    $path = Join-Path $Server.Bin $Program
    $output = if ($Server.User) { & /usr/bin/setpriv --reuid $Server.User --regid $Server.User --init-groups $path @Arguments 2>&1 }
    else { & $path @Arguments 2>&1 }
    if ($LASTEXITCODE -ne 0) { throw "$Program ended with ${LASTEXITCODE}: $output" }
    $output
}

# Starts it; Stop-PostgresServer ends it. User lockstep is a superuser; with -Password everybody else must give one.
function Start-PostgresServer {
    $server = [pscustomobject]@{ Bin = Find-PostgresServer; User = Get-PostgresUser
    Folder = Join-Path ([System.IO.Path]::GetTempPath()) "lockstep-pg-$([guid]::NewGuid().ToString('n').Substring(0, 12))"; Port = 0
    ConnectionString = '' }
    $null = New-Item -ItemType Directory $server.Folder
    if ($server.User) { chown $server.User $server.Folder }
    Push-Location ([System.IO.Path]::GetPathRoot($server.Folder))
    try {
        $data = Join-Path $server.Folder data
        $null = Invoke-PostgresProgram $server initdb @('-D', $data, '-U', 'lockstep', '-A', 'trust', '-E', 'UTF8', '--locale=C',
            '--no-sync')
        $rules = Join-Path $data pg_hba.conf
        @('host all stranger all scram-sha-256') + (Get-Content $rules) | Set-Content $rules
        for ($attempt = 1; -not $server.Port; $attempt++) {
            $listener = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
            $listener.Start()
            $port = $listener.LocalEndpoint.Port
            $listener.Stop()
            $options = "-c port=$port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$($server.Folder) " +
                '-c fsync=off -c shared_buffers=16MB -c wal_level=logical'
            # The server inherits no pipe of ours: PowerShell would wait for it to close.
            try { $null = Invoke-PostgresProgram $server pg_ctl @('start', '-D', $data, '-l', (Join-Path $server.Folder log), '-w', '-t',
                '60', '-s', '-o', $options); $server.Port = $port }
            catch { if ($attempt -ge 3) { throw } }
        }
    }
    catch {
        Remove-Item $server.Folder -Recurse -Force
        throw
    }
    finally { Pop-Location }
    $server.ConnectionString = "Host=127.0.0.1;Port=$($server.Port);Username=lockstep;Database=postgres;Timeout=15"
    $server
}

function Stop-PostgresServer($Server) {
    if (-not $Server) { return }
    try { $null = Invoke-PostgresProgram $Server pg_ctl @('stop', '-D', (Join-Path $Server.Folder data), '-m', 'immediate', '-w', '-s') }
    finally { Remove-Item $Server.Folder -Recurse -Force -ErrorAction Ignore }
}

# Runs a script and returns what it prints: values separated by |, one row per line.
function Invoke-Sql($Server, [string] $Sql) {
    Invoke-PostgresProgram $Server psql @('-h', '127.0.0.1', '-p', $Server.Port, '-U', 'lockstep', '-d', 'postgres', '-X', '-A', '-t',
        '-q', '-v', 'ON_ERROR_STOP=1', '-c', $Sql)
}
