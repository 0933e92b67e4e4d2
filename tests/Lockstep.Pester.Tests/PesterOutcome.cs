namespace Lockstep.Pester.Tests;

/// <summary>The result of one Pester test, or of the attempt to run them.</summary>
/// <param name="Name">File, blocks and test, joined by dots.</param>
/// <param name="Result"><c>Passed</c>, <c>Skipped</c>, or anything else for a failure.</param>
/// <param name="Message">What went wrong, or why it was skipped.</param>
internal sealed record PesterOutcome(string Name, string Result, string Message)
{
    public static PesterOutcome Failed(string message) => new("Suite", "Failed", message);

    public static PesterOutcome Skipped(string message) => new("Suite", "Skipped", message);
}
