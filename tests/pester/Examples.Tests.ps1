# The examples are tests themselves: they are run as they stand.
. $PSScriptRoot/../../examples/github-actions/Consumer.Tests.ps1
