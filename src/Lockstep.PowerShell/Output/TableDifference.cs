using System.Management.Automation;

namespace Lockstep;

/// <summary>How a table differs from its feed in one record.</summary>
public enum DifferenceKind
{
    /// <summary>The feed has it, the table does not.</summary>
    Missing = 1,

    /// <summary>The table has it, the feed does not.</summary>
    Extra = 2,

    /// <summary>Both have it, but the two differ.</summary>
    Different = 3,
}

/// <summary>One record in which a table differs from its feed.</summary>
public sealed class TableDifference
{
    internal TableDifference(string table, DifferenceKind kind, object key, PSObject? expected, PSObject? actual)
    {
        Table = table;
        Kind = kind;
        Key = key;
        Expected = expected;
        Actual = actual;
    }

    /// <summary>The table's name.</summary>
    public string Table { get; }

    /// <summary>How it differs.</summary>
    public DifferenceKind Kind { get; }

    /// <summary>The record's key; an array where it has several fields.</summary>
    public object Key { get; }

    /// <summary>The feed's record; null if it has none.</summary>
    public PSObject? Expected { get; }

    /// <summary>The table's record; null if it has none.</summary>
    public PSObject? Actual { get; }

    /// <summary>How it differs, and which record.</summary>
    public override string ToString() => $"{Kind} {string.Join(",", Key as object[] ?? [Key])}";
}
