namespace Lockstep;

/// <summary>What a model holds.</summary>
public enum ModelKind
{
    /// <summary>Keys with values; the newest one wins.</summary>
    Model,

    /// <summary>Events, each of which gets to every node once.</summary>
    Events,
}
