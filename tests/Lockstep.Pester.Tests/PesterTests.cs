namespace Lockstep.Pester.Tests;

/// <summary>The Pester suite: it runs once, when the tests are executed, and each Pester test is a result of its own.</summary>
public sealed class PesterTests
{
    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Suite), DisableDiscoveryEnumeration = true)]
    public void Pester(string test, string result, string message)
    {
        Assert.True(result == "Passed", $"{test}: {result}\n{message}");
    }

    public static async Task<IEnumerable<TheoryDataRow<string, string, string>>> Suite()
    {
        var outcomes = await new PesterSuite().RunAsync(TestContext.Current.CancellationToken);
        return outcomes.Select(outcome => new TheoryDataRow<string, string, string>(outcome.Name, outcome.Result, outcome.Message)
        {
            TestDisplayName = "Pester: " + outcome.Name,
            Label = "",
            Skip =
                outcome.Result == "Skipped"
                    ? outcome.Message.Length > 0
                        ? outcome.Message
                        : "Skipped by the test itself."
                    : null,
        });
    }
}
