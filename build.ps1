#Requires -Version 7.4
<#
.SYNOPSIS
    Builds, tests and packages the module Lockstep.
.DESCRIPTION
    Build    stages out/Lockstep, ready to import and to copy to a module path.
    Test     runs all tests.
    Help     brings docs/help up to date with the code: syntax, parameters, inputs and outputs; makes a page for a new cmdlet.
    Program  makes out/cli: the command line lockstep as a native program for this system. It needs no .NET, and a compiler to link it:
             clang or gcc on Linux, Xcode on macOS, Visual C++ on Windows.
    Tool     makes the .NET tool out of it, into out/tool: the package lockstep, and lockstep.<platform> for this platform.
    Package  makes out/packages: a .nupkg for a PowerShell repository, and a .zip to unpack into a module path.
    Audit    restores again and fails where a package has an advisory. It asks the package source for them, which not every source has.
    Clean    removes everything that a build makes.
    It needs the .NET SDK 10.
.EXAMPLE
    ./build.ps1
    Import-Module ./out/Lockstep
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Help', 'Program', 'Tool', 'Package', 'Audit', 'Clean')]
    [string] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Release',

    # Package: where the packages go.
    [string] $Destination = (Join-Path $PSScriptRoot out/packages),

    # Package: of what is staged already.
    [switch] $NoBuild
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true

$root = $PSScriptRoot
$module = Join-Path $root 'out/Lockstep'
$platform = [Runtime.InteropServices.RuntimeInformation]::RuntimeIdentifier

function Build {
    dotnet build "$root/src/Lockstep.PowerShell" --target:Stage --configuration $Configuration --nologo --verbosity minimal
    if ($Configuration -eq 'Release') { CompileAhead }
}

function CompileAhead {
    # The engine for this platform, beside the one for all. Without the compiler's package, which is large, the module works as well.
    $made = Join-Path $root 'artifacts/compiled'
    try {
        $compiled = '--configuration', 'Release', '--runtime', $platform, '-p:PublishReadyToRun=true'
        dotnet publish "$root/src/Lockstep.Engine" @compiled --output $made --nologo --verbosity minimal
    }
    catch {
        Write-Warning "The engine was not compiled ahead for $platform, so the first sync of a session takes a moment longer: $_"
        return
    }

    $null = New-Item "$module/deps/runtimes/$platform/lib" -ItemType Directory -Force
    Copy-Item $made/*.dll "$module/deps/runtimes/$platform/lib"
}

function Test {
    $env:LOCKSTEP_REQUIRE_PWSH = '1'
    dotnet test "$root/Lockstep.PS.sln" --configuration $Configuration --nologo
}

function Help {
    dotnet build "$root/src/Lockstep.PowerShell" --target:RefreshHelp --configuration $Configuration --nologo --verbosity minimal
}

function Program {
    if (Test-Path "$root/out/cli") { Remove-Item "$root/out/cli" -Recurse }
    dotnet publish "$root/src/Lockstep.Cli" --configuration Release --runtime $platform --output "$root/out/cli" --nologo
}

function Tool {
    # The package that users name, which says what there is for which platform, and the one for this platform.
    dotnet pack "$root/src/Lockstep.Cli" --configuration Release -p:PublishAot=true --output "$root/out/tool" --nologo
    dotnet pack "$root/src/Lockstep.Cli" --configuration Release --runtime $platform --output "$root/out/tool" --nologo
}

function Package {
    if (-not $NoBuild) { Build }
    # A package with a hole that is known is none to give away.
    $staging = Get-ChildItem "$root/build/Lockstep.Staging/bin/*/net10.0/Lockstep.Staging.dll" | Sort-Object LastWriteTime |
        Select-Object -Last 1
    dotnet $staging check "$root/build/known-holes.json" "$module/sbom.cdx.json" |
        ForEach-Object { Write-Warning $_ }
    $manifest = Import-PowerShellDataFile "$module/Lockstep.psd1"
    $version = $manifest.ModuleVersion
    $null = New-Item $Destination -ItemType Directory -Force
    Remove-Item $Destination/Lockstep.*.nupkg, $Destination/Lockstep.*.zip

    # By these tags a repository finds a module, and a module by its commands.
    $data = $manifest.PrivateData.PSData
    $commands = $manifest.CmdletsToExport
    $tags = @('PSModule', 'PSIncludes_Cmdlet') + $data.Tags + ($commands -replace '^', 'PSCmdlet_') + ($commands -replace '^', 'PSCommand_')
    $properties = @{
        version      = $version
        authors      = $manifest.Author
        description  = $manifest.Description
        copyright    = $manifest.Copyright
        projectUrl   = $data.ProjectUri
        iconUrl      = $data.IconUri
        releaseNotes = $data.ReleaseNotes
        tags         = $tags -join ' '
    }.GetEnumerator().ForEach({ "$($_.Key)=$($_.Value -replace ';', ',')" }) -join ';'

    # Through the environment, because MSBuild would take the semicolons of an argument apart.
    $env:NuspecProperties = $properties
    try {
        dotnet pack "$root/src/Lockstep.PowerShell" --no-build --configuration $Configuration --nologo --output $Destination `
            -p:NuspecFile="$root/build/Lockstep.nuspec" -p:NuspecBasePath="$module/" -p:NoPackageAnalysis=true
    }
    finally { Remove-Item Env:NuspecProperties }

    [IO.Compression.ZipFile]::CreateFromDirectory($module, "$Destination/Lockstep.$version.zip", 'SmallestSize', $true)
    Get-ChildItem $Destination
}

function Audit {
    dotnet restore "$root/Lockstep.PS.sln" --force -p:LOCKSTEP_AUDIT=1
}

function Clean {
    $made = @("$root/out", "$root/artifacts") + @(Get-ChildItem "$root/src", "$root/tests", "$root/bench",
        "$root/build" -Directory -Recurse -Include bin, obj, TestResults)
    $made | Where-Object { Test-Path $_ } | Remove-Item -Recurse -Force
}

Write-Verbose "$Task, $Configuration"
& $Task
