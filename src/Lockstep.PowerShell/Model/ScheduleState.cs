namespace Lockstep;

/// <summary>Where an entry of a schedule stands.</summary>
public enum ScheduleState
{
    /// <summary>Another value has taken its place.</summary>
    Past = 0,

    /// <summary>It is active.</summary>
    Current = 1,

    /// <summary>It is yet to become active.</summary>
    Pending = 2,
}
