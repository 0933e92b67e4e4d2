namespace Lockstep.Engine.Records;

/// <summary>The JSON type of one key field. Like the order field's, it never changes within a table.</summary>
internal enum KeyPartKind
{
    Number = 1,
    Text = 2,
}

/// <summary>How a table holds its keys.</summary>
internal enum KeyLayout
{
    /// <summary>One number of 64 bits, as SQLite's rowid: the fastest there is.</summary>
    Integer = 0,

    /// <summary>Anything else, as the bytes of <see cref="KeyEncoding"/>.</summary>
    Encoded = 1,
}

/// <summary>
/// What a table knows of its records: the dialect, which fields are the key and the order, and of which types they are.
/// Decided by the first record where the user did not say; stored with the table. Immutable.
/// </summary>
internal sealed record RecordShape(
    Dialect Dialect,
    IReadOnlyList<string> KeyFields,
    IReadOnlyList<KeyPartKind> KeyParts,
    KeyLayout KeyLayout,
    string OrderField,
    OrderKind OrderKind
);
