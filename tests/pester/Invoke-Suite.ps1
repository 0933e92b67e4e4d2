<#
.SYNOPSIS
    Runs Pester tests over the staged module, all or those of some files, one file after the other.
.NOTES
    Started in a fresh pwsh, so that nothing else is loaded. As each file ends, what came of its tests is added to the result file as one
    line of JSON. Exit code 77: this machine lacks what the suite needs; the reason is on the standard output. Any other code: the suite
    ran, and the file says how it went.
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
# The build puts the Pester version that the tests are written for beside the module.
$env:PSModulePath = (Join-Path $PSScriptRoot ../../out/modules) + [System.IO.Path]::PathSeparator + $env:PSModulePath
if (-not (Get-Module Pester -ListAvailable | Where-Object Version -GE '6.0')) {
    'Pester 6 is missing: build tests/Lockstep.Pester.Tests, or Install-PSResource Pester.'
    exit 77
}

Import-Module Pester -MinimumVersion 6.0
Import-Module $Module

function Get-Message($errors) { ($errors | ForEach-Object { "$($_.Exception.Message)`n$($_.ScriptStackTrace)" }) -join "`n" }

# Why a test failed or was skipped. One in a block that is skipped as a whole cannot say anything; the block's tag does.
function Get-Reason($test) {
    if ($test.Result -ne 'Skipped') { return Get-Message $test.ErrorRecord }
    if ($test.ErrorRecord) { return $test.ErrorRecord[0].Exception.Message -replace '^is skipped, because ' }
    for ($block = $test.Block; $block; $block = $block.Parent) { if ($block.Skip -and "$($block.Tag)") { return "$($block.Tag)" } }
    ''
}

Remove-Item -LiteralPath $ResultPath -ErrorAction Ignore
$files = Get-Item $Path | ForEach-Object { if ($_.PSIsContainer) { Get-ChildItem $_ -Recurse -File -Filter *.Tests.ps1 } else { $_ } }
foreach ($file in $files) {
    $run = Invoke-Pester -Configuration @{
        Run    = @{ Path = $file.FullName; PassThru = $true }
        Output = @{ Verbosity = 'Detailed'; RenderMode = 'Plaintext' }
    }
    $name = $file.Name -replace '\.Tests\.ps1$'
    $outcomes = @(
        foreach ($test in $run.Tests) {
            @{ Name = "$name.$($test.ExpandedPath)"; Result = "$($test.Result)"; Message = Get-Reason $test }
        }
        # What went wrong around the tests: a block's setup, or a file that cannot even be parsed.
        foreach ($part in @($run.FailedBlocks) + @($run.FailedContainers)) {
            if ($part.ErrorRecord) { @{ Name = "$($part.Name ?? $part.Item)"; Result = 'Failed'; Message = Get-Message $part.ErrorRecord } }
        }
    )
    ConvertTo-Json @{ File = $file.FullName; Seconds = $run.Duration.TotalSeconds; Outcomes = $outcomes } -Depth 4 -Compress |
        Add-Content -LiteralPath $ResultPath
    # Readers of the log check the result file when a line comes.
    "$name has run."
}
