namespace Lockstep;

/// <summary>The outcome of one rule in <c>Test-LockstepFeed</c>.</summary>
public sealed class FeedRuleInfo
{
    /// <summary>Names the rule.</summary>
    public string Id { get; internal init; } = "";

    /// <summary>The rule, as a sentence.</summary>
    public string Rule { get; internal init; } = "";

    /// <summary>Whether the feed follows it.</summary>
    public FeedRuleOutcome Outcome { get; internal init; }

    /// <summary>What was seen if it is broken, or why there was nothing to judge by.</summary>
    public string? Message { get; internal init; }

    /// <summary>The rule and its outcome.</summary>
    public override string ToString() => $"{Id}: {Outcome}";
}

/// <summary>The outcome of a rule.</summary>
public enum FeedRuleOutcome
{
    /// <summary>The feed follows it, as far as was seen.</summary>
    Passed,

    /// <summary>The feed breaks it.</summary>
    Failed,

    /// <summary>There was nothing to judge by.</summary>
    Skipped,
}
