<#
.SYNOPSIS
    Runs Pester tests over the staged module, all or those of some files, and writes what came of each as JSON.
.NOTES
    Started in a fresh pwsh, so that nothing else is loaded. Exit code 77: this machine lacks what the suite needs; the reason is on
    the standard output. Any other code: the suite ran, and the file says how it went.
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $ResultPath,
    [Parameter(ValueFromRemainingArguments)] [string[]] $Path = $PSScriptRoot
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

if ($PSVersionTable.PSVersion -lt [version]'7.6') {
    "PowerShell $($PSVersionTable.PSVersion) was found; the module needs 7.6."
    exit 77
}
if (-not (Get-Module Pester -ListAvailable | Where-Object Version -GE '6.0')) {
    'Pester 6 is not installed (Install-PSResource Pester).'
    exit 77
}

Import-Module Pester -MinimumVersion 6.0
Import-Module $Module

$run = Invoke-Pester -Configuration @{
    Run    = @{ Path = $Path; PassThru = $true }
    Output = @{ Verbosity = 'Detailed'; RenderMode = 'Plaintext' }
}

function Get-Message($errors) { ($errors | ForEach-Object { "$($_.Exception.Message)`n$($_.ScriptStackTrace)" }) -join "`n" }

$outcomes = @(
    foreach ($test in $run.Tests) {
        @{ Name = "$(Split-Path -LeafBase $test.ScriptBlock.File | ForEach-Object { $_ -replace '\.Tests$' }).$($test.ExpandedPath)"; Result = "$($test.Result)"; Message = Get-Message $test.ErrorRecord }
    }
    # What went wrong around the tests: a block's setup, or a file that cannot even be read.
    foreach ($part in @($run.FailedBlocks) + @($run.FailedContainers)) {
        if ($part.ErrorRecord) { @{ Name = "$($part.Name ?? $part.Item)"; Result = 'Failed'; Message = Get-Message $part.ErrorRecord } }
    }
)
ConvertTo-Json $outcomes -Depth 3 | Set-Content -LiteralPath $ResultPath
