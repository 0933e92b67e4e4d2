namespace Lockstep.Engine.Conformance;

/// <summary>One rule of the contract, and how it is judged.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Sentence">The rule.</param>
/// <param name="Judge">Says what is wrong; see <see cref="Finding"/>.</param>
internal sealed record ConformanceRule(string Id, string Sentence, Func<FeedObservation, Finding> Judge)
{
    public RuleResult Check(FeedObservation seen)
    {
        var finding = Judge(seen);
        return new RuleResult(Id, Sentence, finding.Outcome, finding.Message);
    }
}

internal readonly record struct Finding(RuleOutcome Outcome, string? Message)
{
    public static Finding Kept => new(RuleOutcome.Passed, null);

    public static Finding Broken(string message) => new(RuleOutcome.Failed, message);

    public static Finding Unknown(string why) => new(RuleOutcome.Skipped, why);

    /// <summary>Kept unless there is something wrong.</summary>
    public static Finding Of(string? wrong) => wrong is null ? Kept : Broken(wrong);
}
