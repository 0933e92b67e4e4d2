@{
    RootModule           = 'Lockstep.PowerShell.dll'
    ModuleVersion        = '0.1.0'
    GUID                 = '00a8b998-bf84-4972-aab1-ab16fe605c81'
    Author               = 'The Lockstep contributors'
    CompanyName          = 'The Lockstep contributors'
    Copyright            = '(c) The Lockstep contributors. MIT licence.'
    Description          = 'Keeps a local SQLite table in step with a feed of JSON records over HTTP; with a feed server to test against.'

    CompatiblePSEditions = @('Core')
    PowerShellVersion    = '7.6'

    FormatsToProcess     = @('Lockstep.format.ps1xml')

    # One line per cmdlet, in the order of their names; a test compares them with the assembly.
    CmdletsToExport      = @(
        'Add-LockstepTestFault'
        'Add-LockstepTestRecord'
        'Backup-LockstepTable'
        'Clear-LockstepPostgresTombstone'
        'Clear-LockstepTable'
        'Clear-LockstepTombstone'
        'Clear-LockstepVariableSchedule'
        'Connect-LockstepModel'
        'Disable-LockstepPostgresTracking'
        'Disconnect-LockstepModel'
        'Enable-LockstepPostgresTracking'
        'Export-LockstepModel'
        'Export-LockstepTable'
        'Get-LockstepDialect'
        'Get-LockstepModel'
        'Get-LockstepModelListener'
        'Get-LockstepModelValue'
        'Get-LockstepRecord'
        'Get-LockstepServer'
        'Get-LockstepTable'
        'Get-LockstepTestFault'
        'Get-LockstepTestRequest'
        'Get-LockstepTestServer'
        'Get-LockstepVariable'
        'Get-LockstepVariableSchedule'
        'Import-LockstepModel'
        'Import-LockstepTable'
        'Invoke-LockstepTestScenario'
        'New-LockstepModel'
        'Receive-LockstepEvent'
        'Remove-LockstepModel'
        'Remove-LockstepModelValue'
        'Remove-LockstepTable'
        'Remove-LockstepTestFault'
        'Remove-LockstepVariable'
        'Repair-LockstepTable'
        'Save-LockstepFeed'
        'Send-LockstepEvent'
        'Set-LockstepModelValue'
        'Set-LockstepTable'
        'Set-LockstepVariable'
        'Show-LockstepTable'
        'Start-LockstepModelListener'
        'Start-LockstepServer'
        'Start-LockstepTestServer'
        'Stop-LockstepModelListener'
        'Stop-LockstepServer'
        'Stop-LockstepTestServer'
        'Sync-LockstepTable'
        'Test-LockstepDialect'
        'Test-LockstepFeed'
        'Test-LockstepTable'
        'Update-LockstepVariableSchedule'
        'Wait-LockstepModel'
        'Wait-LockstepTable'
        'Watch-LockstepModel'
        'Watch-LockstepTable'
        'Watch-LockstepVariable'
    )
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @()

    PrivateData          = @{
        PSData = @{
            Tags         = @('lockstep', 'sync', 'feed', 'ndjson', 'json', 'sqlite', 'http', 'stream', 'replication', 'changefeed',
                'testserver', 'gossip', 'scuttlebutt',
                'Windows', 'Linux', 'MacOS', 'PSEdition_Core')
            LicenseUri   = 'https://github.com/lockstep-ps/lockstep-ps/blob/main/LICENSE'
            ProjectUri   = 'https://github.com/lockstep-ps/lockstep-ps'
            IconUri      = 'https://raw.githubusercontent.com/lockstep-ps/lockstep-ps/main/docs/icon.png'
            ReleaseNotes = 'https://github.com/lockstep-ps/lockstep-ps/blob/main/CHANGELOG.md'
        }
    }
}
