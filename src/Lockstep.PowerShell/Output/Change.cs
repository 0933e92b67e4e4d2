using System.Management.Automation;

namespace Lockstep;

/// <summary>One committed change of a table.</summary>
public sealed class Change
{
    internal Change(ChangeKind kind, object key, long sequence, PSObject record)
    {
        Kind = kind;
        Key = key;
        Sequence = sequence;
        Record = record;
    }

    /// <summary>What happened.</summary>
    public ChangeKind Kind { get; }

    /// <summary>The record's key; an array where it has several fields.</summary>
    public object Key { get; }

    /// <summary>The table's own number for this change, always rising: what <c>Get-LockstepRecord -Since</c> takes.</summary>
    public long Sequence { get; }

    /// <summary>The record as it is now; if it was deleted, what is known of it.</summary>
    public PSObject Record { get; }

    /// <summary>What happened to which record.</summary>
    public override string ToString() => $"{Kind} {string.Join(",", Key as object[] ?? [Key])}";
}

/// <summary>What happened to a record.</summary>
public enum ChangeKind
{
    /// <summary>It was not in the table before.</summary>
    Added = 1,

    /// <summary>It was there and is now different.</summary>
    Updated = 2,

    /// <summary>The feed deleted it, or a snapshot no longer contains it.</summary>
    Deleted = 3,
}
