# Syncs a feed of hosts, and reports those that listen on a low port.
param(
    [Parameter(Mandatory)] [uri] $Feed,
    [string] $Folder = '.'
)

$ErrorActionPreference = 'Stop'
$result = Sync-LockstepTable -Uri $Feed -Path (Join-Path $Folder hosts.db) -MaximumRetryCount 5 -RetryIntervalSec 0.1
Get-LockstepRecord -Path (Join-Path $Folder hosts.db) -Filter 'port < 1024' | Select-Object name, port |
    Export-Csv (Join-Path $Folder low-ports.csv)
$result
