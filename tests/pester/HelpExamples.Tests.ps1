# Runs every example of the help: in an empty folder, with a test server as the feed that it names.

BeforeDiscovery {
    Import-Module $PSScriptRoot/Documents.psm1 -Force
    $pages = Get-ChildItem (Join-Path $PSScriptRoot ../../docs/help) -Filter *-*.md | ForEach-Object {
        @{ Page = $_.BaseName; Examples = @(Get-DocumentBlock $_.FullName Examples) }
    }
}

BeforeAll { Import-Module $PSScriptRoot/Documents.psm1 -Force }

Describe '<Page>' -ForEach $pages {
    BeforeEach { Push-Location (New-Item "TestDrive:/$([guid]::NewGuid())" -ItemType Directory) }
    AfterEach {
        Pop-Location
        Stop-Example
    }

    It '<Title>' -ForEach $Examples {
        if ($Reason) { Set-ItResult -Skipped -Because $Reason }
        if ($Code.Contains('https://feeds.example/servers/')) {
            $Code = $Code.Replace('https://feeds.example/servers/', (Start-ExampleFeed).FeedUri)
        }
        $ErrorActionPreference = 'Stop'
        if ($Before) { $null = . ([scriptblock]::Create($Before)) }
        $printed = . ([scriptblock]::Create($Code)) | Out-String -Width 120
        if ($null -ne $Output) { ConvertTo-Shape $printed | Should -Be (ConvertTo-Shape $Output) }
    }
}
