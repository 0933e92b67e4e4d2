namespace Lockstep.Pester.Tests;

/// <summary>The Pester suite: it runs once, when the tests are executed, and each Pester test is a result of its own.</summary>
[TestCaseOrderer(typeof(PesterFileOrder))]
public sealed class PesterTests
{
    [PesterFiles]
    public void Pester(string test, string result, string message)
    {
        Assert.True(result == "Passed", $"{test}: {result}\n{message}");
    }
}
