using Lockstep.TestServer.Conformance;

namespace Lockstep;

/// <summary>What became of one rule in <c>Test-LockstepFeed</c>.</summary>
public sealed class FeedRuleInfo
{
    internal FeedRuleInfo(RuleResult result)
    {
        Id = result.Id;
        Rule = result.Rule;
        Outcome = Enum.Parse<FeedRuleOutcome>(result.Outcome.ToString());
        Message = result.Message;
    }

    /// <summary>Names the rule.</summary>
    public string Id { get; }

    /// <summary>The rule, as a sentence.</summary>
    public string Rule { get; }

    /// <summary>Whether the feed keeps it.</summary>
    public FeedRuleOutcome Outcome { get; }

    /// <summary>What was seen where it is broken, or why there was nothing to judge by.</summary>
    public string? Message { get; }

    /// <summary>The rule and its outcome.</summary>
    public override string ToString() => $"{Id}: {Outcome}";
}
