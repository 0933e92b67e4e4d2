# The module as users get it: installed from a repository, beside other modules, in a fresh PowerShell.

BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force
    $analyzer = Get-Module PSScriptAnalyzer -ListAvailable
    $gallery = Get-Command Install-PSResource -ErrorAction Ignore
    $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
    $staged = Split-Path (Get-Module Lockstep).Path
    $manifest = Join-Path $staged Lockstep.psd1
    $PSNativeCommandUseErrorActionPreference = $false

    # What a script prints in a fresh PowerShell; its errors are errors here. -Environment: variables that it gets.
    function Invoke-Fresh([string] $Script, [hashtable] $Environment = @{}) {
        $file = Join-Path $TestDrive "$([guid]::NewGuid()).ps1"
        Set-Content $file ("`$ErrorActionPreference = 'Stop'; `$ProgressPreference = 'SilentlyContinue'`n" + $Script)
        $start = New-PowerShellStart '-File', $file
        $start.RedirectStandardOutput = $start.RedirectStandardError = $start.RedirectStandardInput = $true
        foreach ($name in $Environment.Keys) { $start.Environment[$name] = $Environment[$name] }
        $process = [System.Diagnostics.Process]::Start($start)
        try {
            $process.StandardInput.Close()
            $problems = $process.StandardError.ReadToEndAsync()
            $printed = $process.StandardOutput.ReadToEndAsync()
            if (-not $process.WaitForExit(180000)) { $process.Kill($true); throw 'PowerShell did not end within three minutes.' }
            if ($process.ExitCode -ne 0) { throw "It ended with $($process.ExitCode): $($problems.Result) $($printed.Result)" }
            $printed.Result -split '\r?\n' | Where-Object { $_ }
        }
        finally { $process.Dispose() }
    }
}

Describe 'The package' {
    BeforeAll {
        $packages = Join-Path $TestDrive packages
        $log = & "$root/build.ps1" Package -NoBuild -Destination $packages *>&1
        $package = Get-ChildItem $packages -Filter *.nupkg -ErrorAction Ignore
        if (-not $package) { throw "There is no package. $($log | Out-String)" }
    }

    It 'is one file of less than 25 MB' {
        $package | Should -HaveCount 1
        $package.Length | Should -BeLessThan 25MB
        (Get-ChildItem $staged -Recurse -File | Measure-Object Length -Sum).Sum | Should -BeLessThan 25MB
    }

    It 'says in its description what a gallery shows' {
        $zip = [System.IO.Compression.ZipFile]::OpenRead($package)
        try {
            $reader = [System.IO.StreamReader]::new($zip.GetEntry('Lockstep.nuspec').Open())
            $metadata = ([xml]$reader.ReadToEnd()).package.metadata
            $metadata.id, $metadata.version, $metadata.license.'#text' |
                Should -Be Lockstep, (Import-PowerShellDataFile $manifest).ModuleVersion, MIT
            foreach ($name in 'description', 'authors', 'projectUrl', 'iconUrl', 'releaseNotes', 'copyright') {
                $metadata.$name | Should -Not -BeNullOrEmpty -Because $name
            }
            -split $metadata.tags | Should -Contain PSModule
            -split $metadata.tags | Should -Contain PSCmdlet_Sync-LockstepTable
            $zip.Entries.FullName | Should -Contain en-US/Lockstep.PowerShell.dll-Help.xml
            $reader.Dispose()
        }
        finally { $zip.Dispose() }
    }

    # The user's own folders are elsewhere for that process, so that it installs nothing on this machine. (On Windows they cannot be moved.)
    It 'installs by Install-PSResource from a local repository, and does its job' {
        if ($IsWindows) { Set-ItResult -Skipped -Because 'Windows does not let a process move the user''s folders'; return }
        if (-not $gallery) { Set-ItResult -Skipped -Because 'there is no Install-PSResource'; return }
        $userHome = New-Item "$TestDrive/home" -ItemType Directory
        $null = New-Item "$userHome/.local/share", "$userHome/.config", "$userHome/.cache" -ItemType Directory
        $printed = Invoke-Fresh -Environment @{ HOME = $userHome.FullName; XDG_DATA_HOME = "$userHome/.local/share"
        XDG_CONFIG_HOME = "$userHome/.config"; XDG_CACHE_HOME = "$userHome/.cache" } @"
Register-PSResourceRepository -Name LockstepTest -Uri '$packages' -Trusted
Install-PSResource Lockstep -Repository LockstepTest -Scope CurrentUser -Quiet
Import-Module Lockstep
(Get-Module Lockstep).Path
Set-Location (New-Item '$userHome/work' -ItemType Directory)
`$server = Start-LockstepTestServer -Port 0 -Feed Finite
`$null = `$server | Sync-LockstepTable -Disk
(Get-LockstepRecord servers).id
(Get-Help Sync-LockstepTable).Synopsis
(Get-Help about_Lockstep).Length
(Find-PSResource Lockstep -Repository LockstepTest).LicenseUri
"@
        $printed[0] | Should -BeLike "$userHome*"
        $printed[1] | Should -Be 123
        $printed[2] | Should -BeLike 'Brings a table in sync*'
        [int]$printed[3] | Should -BeGreaterThan 500
    }
}

Describe 'The manifest' {
    It 'is complete' {
        $module = Test-ModuleManifest $manifest -ErrorAction Stop
        $module.Description.Length | Should -BeGreaterThan 50
        foreach ($name in 'Author', 'CompanyName', 'Copyright', 'LicenseUri', 'ProjectUri', 'IconUri', 'ReleaseNotes',
            'PowerShellVersion', 'CompatiblePSEditions') { $module.$name | Should -Not -BeNullOrEmpty -Because $name }
        $module.Tags | Should -Contain PSEdition_Core
        $data = Import-PowerShellDataFile $manifest
        foreach ($kind in 'Cmdlets', 'Functions', 'Variables', 'Aliases') {
            @($data["${kind}ToExport"]) | Should -Not -Contain '*' -Because 'PowerShell would have to load the module to know its commands'
        }
    }

    It 'lets PowerShell find the commands without loading the module' {
        $found = Invoke-Fresh -Environment @{ PSModulePath = (Split-Path $staged) + [System.IO.Path]::PathSeparator +
            $env:PSModulePath } '(Get-Command Sync-LockstepTable).ModuleName; (Get-LockstepTestServer | Measure-Object).Count'
        $found | Should -Be Lockstep, 0
    }
}

Describe 'The scripts' {
    # The analyzer searches every folder of the search path for each name that it does not know, which takes a tenth of a second per name.
    BeforeAll { $path, $env:PATH = $env:PATH, $PSHOME }
    AfterAll { $env:PATH = $path }

    It 'of the module have nothing that PSScriptAnalyzer would say' {
        if (-not $analyzer) { Set-ItResult -Skipped -Because 'PSScriptAnalyzer is not installed'; return }
        Invoke-ScriptAnalyzer -Path $staged -Recurse | Should -BeNullOrEmpty
    }

    It 'of the repository have nothing either' {
        if (-not $analyzer) { Set-ItResult -Skipped -Because 'PSScriptAnalyzer is not installed'; return }
        $settings = Join-Path $root PSScriptAnalyzerSettings.psd1
        $scripts = @("$root/build.ps1") + @(Get-ChildItem "$root/tests/pester", "$root/examples" -Recurse -Include *.ps1, *.psm1,
            *.psd1 -ErrorAction Ignore).FullName
        $scripts | ForEach-Object { Invoke-ScriptAnalyzer -Path $_ -Settings $settings } |
            Where-Object RuleName -NE PSReviewUnusedParameter |
            ForEach-Object { "$($_.ScriptName):$($_.Line) $($_.RuleName): $($_.Message)" } | Should -BeNullOrEmpty
    }
}

Describe 'Beside another module' {
    BeforeAll {
        # A module with libraries of the same names in another version, as many have. It has loaded them, in PowerShell's own context.
        $neighbour = New-Item "$TestDrive/Neighbour" -ItemType Directory
        $libraries = 'Microsoft.Data.Sqlite', 'Microsoft.Extensions.Logging.Abstractions', 'Microsoft.Extensions.Options',
            'SQLitePCLRaw.core', 'Npgsql'
        foreach ($name in $libraries) {
            $assembly = [System.Reflection.Emit.PersistedAssemblyBuilder]::new([System.Reflection.AssemblyName]"$name, Version=99.0.0.0",
                [object].Assembly)
            $type = $assembly.DefineDynamicModule($name).DefineType("$name.Theirs", 'Public')
            $code = $type.DefineMethod('Name', 'Public, Static', [string], [type[]]@()).GetILGenerator()
            $code.Emit([System.Reflection.Emit.OpCodes]::Ldstr, "$name of the neighbour")
            $code.Emit([System.Reflection.Emit.OpCodes]::Ret)
            $null = $type.CreateType()
            $assembly.Save("$neighbour/$name.dll")
        }
        Set-Content "$neighbour/Neighbour.psm1" @"
'$($libraries -join "', '")' | ForEach-Object { `$null = [System.Reflection.Assembly]::LoadFrom("`$PSScriptRoot/`$_.dll") }
function Get-Neighbour { [Microsoft.Data.Sqlite.Theirs]::Name() }
"@
        $job = @'
$server = Start-LockstepTestServer -Port 0 -Feed Finite
($server | Sync-LockstepTable).Added
$server | Stop-LockstepTestServer
Get-Neighbour
[System.Runtime.Loader.AssemblyLoadContext]::All.Assemblies | ForEach-Object { $_.GetName() } |
    Where-Object Name -EQ Microsoft.Data.Sqlite | ForEach-Object { $_.Version.Major } | Sort-Object
'@
    }

    It 'that was imported <When>' -ForEach @(
        @{ When = 'before it'; Order = 'Neighbour', 'Lockstep' }
        @{ When = 'after it'; Order = 'Lockstep', 'Neighbour' }
    ) {
        $path = @{ Lockstep = $manifest; Neighbour = "$neighbour/Neighbour.psm1" }
        $printed = Invoke-Fresh ("Import-Module '$($path[$Order[0]])'; Import-Module '$($path[$Order[1]])'`n" + $job)
        $printed[0] | Should -Be 1
        $printed[1] | Should -Be 'Microsoft.Data.Sqlite of the neighbour'
        $printed[2..3] | Should -Be 10, 99 -Because 'each has its own'
    }
}
