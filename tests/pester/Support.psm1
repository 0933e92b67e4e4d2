# What several test files need. Everything is loopback, on free ports.

# The first objects that a feed sends, as text; then the connection is closed.
function Read-Feed([uri] $Uri, [int] $Count = 1, [int] $TimeoutSec = 20) {
    $client = [System.Net.Http.HttpClient]::new()
    $limit = [System.Threading.CancellationTokenSource]::new([timespan]::FromSeconds($TimeoutSec))
    try {
        $stream = $client.GetStreamAsync($Uri, $limit.Token).GetAwaiter().GetResult()
        $text = [System.Text.StringBuilder]::new()
        $buffer = [byte[]]::new(4096)
        while (([regex]::Matches($text.ToString(), '\}(?=\s|\{|$)')).Count -lt $Count) {
            $read = $stream.ReadAsync($buffer, 0, $buffer.Length, $limit.Token).GetAwaiter().GetResult()
            if ($read -eq 0) { break }
            $null = $text.Append([System.Text.Encoding]::UTF8.GetString($buffer, 0, $read))
        }
        [regex]::Matches($text.ToString(), '\{[^{}]*\}').Value | Select-Object -First $Count
    }
    finally { $client.Dispose(); $limit.Dispose() }
}

# How to start a PowerShell like this one: its program, and what comes before its own arguments. That of a .NET tool is started by dotnet.
function Get-PowerShell {
    $program = [System.Environment]::ProcessPath
    $program
    if ((Split-Path -LeafBase $program) -eq 'dotnet') { Join-Path $PSHOME pwsh.dll }
}

# A start of another PowerShell, with these arguments.
function New-PowerShellStart([string[]] $Arguments) {
    $program, $first = Get-PowerShell
    [System.Diagnostics.ProcessStartInfo]::new($program, [string[]](@($first) + '-NoProfile', '-NonInteractive' + $Arguments).Where{ $_ })
}

# Whether something listens on the port.
function Test-Port([int] $Port) {
    $client = [System.Net.Sockets.TcpClient]::new()
    try { $client.Connect('127.0.0.1', $Port); $true }
    catch [System.Management.Automation.MethodInvocationException] { $false }
    finally { $client.Dispose() }
}

# A session of its own in this process, with the module imported; close it with Dispose.
function New-Session {
    $session = [powershell]::Create([initialsessionstate]::CreateDefault2())
    $session.Runspace.SessionStateProxy.SetVariable('module', (Get-Module Lockstep).Path)
    Invoke-Session $session { Import-Module (Join-Path (Split-Path $module) 'Lockstep.psd1') }
    $session
}

function Invoke-Session([powershell] $Session, [scriptblock] $Script) {
    $Session.Commands.Clear()
    $Session.AddScript($Script.ToString()).Invoke()
    if ($Session.HadErrors) { throw $Session.Streams.Error[0] }
}

# The error record that a command ends with.
function Get-ErrorOf([scriptblock] $Script) {
    try { $null = & $Script }
    catch { return $_ }
    throw 'The command did not fail.'
}

# What a command writes to the host, such as what -WhatIf says, as text.
function Invoke-Quietly([scriptblock] $Script) {
    $transcript = [System.IO.Path]::GetTempFileName()
    try {
        $null = Start-Transcript -Path $transcript -Force
        try { & $Script | Out-Null } finally { $null = Stop-Transcript }
        Get-Content $transcript -Raw
    }
    finally { Remove-Item $transcript }
}

# Waits until a condition holds; an error after a time in which it would have held by far.
function Wait-Until([scriptblock] $Condition, [int] $TimeoutSec = 60) {
    $waited = [System.Diagnostics.Stopwatch]::StartNew()
    while (-not (& $Condition)) {
        if ($waited.Elapsed.TotalSeconds -gt $TimeoutSec) { throw "This did not come true within $TimeoutSec s: $Condition" }
        Start-Sleep -Milliseconds 10
    }
}

# Whether what is started can be stopped within a second. On a busy machine one attempt may lose that second to others; a stop that waits
# for something that does not come loses it each time.
function Test-StopsWithinASecond([scriptblock] $Start, [scriptblock] $Stop, [int] $Attempts = 3) {
    for ($i = 0; $i -lt $Attempts; $i++) {
        $started = & $Start
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $null = & $Stop $started
        if ($watch.Elapsed.TotalSeconds -lt 1) { return $true }
    }
    $false
}

# A server of each state that a following sync can be in: what to sync with, by splatting, so that the table 'stopping' gets there
# and stays.
function New-SyncIn([ValidateSet('Connecting', 'Snapshot', 'Live', 'BackingOff')] [string] $State, [string] $Path) {
    $record = '{"id":1,"updated_at":10,"deleted_at":null}'
    $sync = @{ Path = $Path; Follow = $true; RetryIntervalSec = 600 }
    switch ($State) {
        'Connecting' {
            # Takes connections (the system does) and never answers.
            $silent = [System.Net.Sockets.TcpListener]::new([ipaddress]::Loopback, 0)
            $silent.Start()
            # Or it is closed by the garbage collector.
            $script:silent += , $silent
            $sync + @{ Uri = "http://127.0.0.1:$($silent.LocalEndpoint.Port)/stopping/" }
        }
        'Snapshot' {
            $server = Start-LockstepTestServer -Port 0 -Record $record
            $null = $server | Sync-LockstepTable -Path $Path -Table stopping -SettleSec 0.1
            $null = Add-LockstepTestFault Stall -AtByte 1 -Server $server
            $sync + @{ Uri = $server.FeedUri; Resync = $true }
        }
        'Live' {
            $server = Start-LockstepTestServer -Port 0 -Record $record
            $sync + @{ Uri = $server.FeedUri }
        }
        'BackingOff' { $sync + @{ Uri = 'http://127.0.0.1:1/stopping/' } }
    }
}
