# The examples are tests themselves: they run as they are.
. $PSScriptRoot/../../examples/github-actions/Consumer.Tests.ps1
