namespace Lockstep.Engine.Conformance;

/// <summary>What became of a rule.</summary>
public enum RuleOutcome
{
    /// <summary>The feed keeps it, as far as was seen.</summary>
    Passed,

    /// <summary>The feed breaks it.</summary>
    Failed,

    /// <summary>There was nothing to judge by.</summary>
    Skipped,
}
