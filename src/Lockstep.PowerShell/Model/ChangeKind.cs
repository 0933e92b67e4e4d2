namespace Lockstep;

/// <summary>What happened to a record.</summary>
public enum ChangeKind
{
    /// <summary>It was not in the table before.</summary>
    Added = 1,

    /// <summary>It was there and is different now.</summary>
    Updated = 2,

    /// <summary>The feed deleted it, or a snapshot does not hold it any more.</summary>
    Deleted = 3,
}
