# Help is complete: for every cmdlet that the module exports, and every parameter it has. `./build.ps1 Help` brings the pages up to date.

BeforeDiscovery {
    $common = [System.Management.Automation.PSCmdlet]::CommonParameters
    $cmdlets = Get-Command -Module Lockstep -CommandType Cmdlet | ForEach-Object {
        # A hidden parameter only binds what comes through the pipeline.
        $shown = $_.Parameters.Values | Where-Object { $_.Attributes.DontShow -notcontains $true }
        @{ Name = $_.Name; Parameters = @($shown.Name | Where-Object { $_ -notin $common }) }
    }
    $topics = 'about_Lockstep', 'about_Lockstep_Feeds', 'about_Lockstep_TestServer', 'about_Lockstep_Models',
        'about_Lockstep_Variables' | ForEach-Object { @{ Topic = $_ } }
}

BeforeAll {
    $pages = Join-Path $PSScriptRoot ../../docs/help
    function Get-Text($description) { ($description.Text -join ' ').Trim() }
}

Describe 'Help of <Name>' -ForEach $cmdlets {
    BeforeAll { $help = Get-Help $Name -Full }

    It 'says what the cmdlet does' {
        $help.Name | Should -Be $Name
        $help.Synopsis.Trim().Length | Should -BeGreaterThan 10
        $help.Synopsis | Should -Not -Match "^\s*$Name" -Because 'PowerShell makes that up where there is no help'
        (Get-Text $help.description).Length |
            Should -BeGreaterThan 40 -Because 'docs/help has a page per cmdlet, with a section Description'
    }

    It 'describes every parameter' {
        $described = @{}
        foreach ($parameter in $help.parameters.parameter | Where-Object name) {
            $described[$parameter.name] = Get-Text $parameter.description
        }
        $Parameters | Where-Object { "$($described[$_])".Length -lt 10 } |
            Should -BeNullOrEmpty -Because 'the comment of the property in the code is the help of the parameter'
        $described.Keys | Where-Object { $_ -notin $Parameters } | Should -BeNullOrEmpty
    }

    It 'tells of each parameter what PowerShell knows of it' {
        $command = Get-Command $Name
        foreach ($parameter in $help.parameters.parameter | Where-Object { $_.name -and $_.name -notin 'WhatIf', 'Confirm' }) {
            $real = $command.Parameters[$parameter.name]
            $uses = @($real.ParameterSets.Values)
            $parameter.required | Should -BeIn $uses.IsMandatory.ForEach{ "$_" } -Because $parameter.name
            $parameter.pipelineInput -like 'True*' |
                Should -Be ($uses[0].ValueFromPipeline -or $uses[0].ValueFromPipelineByPropertyName) -Because $parameter.name
            ($parameter.aliases -replace '^none$') -split ', ' | Where-Object { $_ } | Sort-Object |
                Should -Be @($real.Aliases | Sort-Object) -Because $parameter.name
        }
    }

    It 'shows a syntax per parameter set' {
        @($help.syntax.syntaxItem).Count | Should -Be (Get-Command $Name).ParameterSets.Count
    }

    It 'has examples, and a page on the net' {
        @($help.examples.example).Count | Should -BeGreaterThan 0
        $help.examples.example.code | Should -Not -BeNullOrEmpty
        $help.relatedLinks.navigationLink[0].uri | Should -BeLike "https://*/docs/help/$Name.md"
    }

    It 'names related things that there are' {
        $names = $help.relatedLinks.navigationLink.linkText | Select-Object -Skip 1
        $names | Where-Object { $_ -notlike 'about_*' -and -not (Get-Command $_ -Module Lockstep -ErrorAction Ignore) } |
            Should -BeNullOrEmpty
        $names | Where-Object { $_ -like 'about_*' -and -not (Test-Path "$pages/$_.md") } | Should -BeNullOrEmpty
    }
}

Describe 'The pages' {
    It 'are of cmdlets that there are' {
        (Get-ChildItem $pages -Filter *-*.md).BaseName | Where-Object { -not (Get-Command $_ -Module Lockstep -ErrorAction Ignore) } |
            Should -BeNullOrEmpty
    }

    It 'include <Topic>, as a topic of help' -ForEach $topics {
        $text = Get-Help $Topic
        $text | Should -Match 'SHORT DESCRIPTION'
        "$text".Length | Should -BeGreaterThan 800
        $text -split "`n" | Where-Object { $_.Length -gt 110 } | Should -BeNullOrEmpty
    }
}
