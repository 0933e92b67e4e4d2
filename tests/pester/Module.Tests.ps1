# The module as a whole: what it exports, and that it keeps to itself.

BeforeAll {
    $folder = Split-Path (Get-Module Lockstep).Path
    $manifest = Import-PowerShellDataFile (Join-Path $folder 'Lockstep.psd1')
}

Describe 'The module' {
    It 'has a manifest that PowerShell accepts' {
        { Test-ModuleManifest (Join-Path $folder 'Lockstep.psd1') -ErrorAction Stop } | Should -Not -Throw
    }

    It 'names one address of the project, and nothing else does' {
        $root = (Resolve-Path $PSScriptRoot/../..).ProviderPath
        $data = (Import-PowerShellDataFile $root/Lockstep.psd1).PrivateData.PSData
        $repository = ([uri] $data.ProjectUri).AbsolutePath.Trim('/')
        $data.LicenseUri, $data.ReleaseNotes, $data.IconUri | Should -Match "^https://(github|raw\.githubusercontent)\.com/$repository/"
        # Help and packages take it from there.
        $others = Get-ChildItem $root -Recurse -File -Include *.md, *.ps1, *.psm1, *.cs, *.props, *.targets, *.nuspec, *.yml, *.html |
            Where-Object FullName -NotMatch '[\\/](obj|bin|out|node_modules)[\\/]' | Select-String -SimpleMatch "/$repository"
        $others | Should -BeNullOrEmpty
    }

    It 'exports what its manifest says' {
        (Get-Command -Module Lockstep).Name | Sort-Object | Should -Be $manifest.CmdletsToExport
    }

    It 'uses approved verbs' {
        $approved = (Get-Verb).Verb
        (Get-Command -Module Lockstep).Verb | Where-Object { $_ -notin $approved } | Should -BeNullOrEmpty
    }

    It 'keeps all but its cmdlets out of the default load context' {
        $null = Start-LockstepTestServer -Port 0
        Stop-LockstepTestServer
        $ours = (Get-ChildItem $folder -Recurse -Filter *.dll).BaseName
        $default = [System.Runtime.Loader.AssemblyLoadContext]::Default.Assemblies | Where-Object Location -Like "$folder*"
        $default.GetName().Name | Should -Be 'Lockstep.PowerShell'

        $engine = [System.Runtime.Loader.AssemblyLoadContext]::All | Where-Object Name -EQ Lockstep
        $engine.Assemblies.GetName().Name | Should -Contain 'Microsoft.AspNetCore.Server.Kestrel.Core'
        $engine.Assemblies.GetName().Name | Where-Object { $_ -notin $ours } | Should -BeNullOrEmpty
    }

    It 'can be removed and imported again' {
        Remove-Module Lockstep
        Import-Module (Join-Path $folder 'Lockstep.psd1')
        (Start-LockstepTestServer -Port 0).IsRunning | Should -BeTrue
        Stop-LockstepTestServer
    }
}
