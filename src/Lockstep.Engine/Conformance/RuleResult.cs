namespace Lockstep.Engine.Conformance;

/// <summary>What became of one rule.</summary>
/// <param name="Id">Names the rule; it stays the same from version to version.</param>
/// <param name="Rule">The rule, as a sentence.</param>
/// <param name="Outcome">Whether the feed keeps it.</param>
/// <param name="Message">What was seen where it is broken, or why there was nothing to judge by; null where it is kept.</param>
public sealed record RuleResult(string Id, string Rule, RuleOutcome Outcome, string? Message);
