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
    /// <summary>One 64-bit number, as SQLite's rowid: the fastest layout.</summary>
    Integer = 0,

    /// <summary>Anything else, as the bytes of <see cref="KeyEncoding"/>.</summary>
    Encoded = 1,
}

/// <summary>
/// What a table knows of its records: the dialect, which fields are the key and the order, and their types. The first record decides what
/// the user did not say; stored with the table. Immutable.
/// </summary>
internal sealed record RecordShape(
    Dialect Dialect,
    IReadOnlyList<string> KeyFields,
    IReadOnlyList<KeyPartKind> KeyParts,
    KeyLayout KeyLayout,
    string OrderField,
    OrderKind OrderKind
);

/// <summary>What the user said about the records' shape; the first record decides the rest.</summary>
/// <param name="Dialect">The dialect, or <see cref="Dialect.Auto"/>.</param>
/// <param name="KeyFields">The key fields, or null for <c>id</c>, else the first field.</param>
/// <param name="OrderField">The order field; in the transaction dialect it is always <c>since</c>.</param>
/// <param name="IsImport">Whether no cursor is ever sent: then any field may be the order, even one that never changes.</param>
internal sealed record RecordShapeRequest(Dialect Dialect, IReadOnlyList<string>? KeyFields, string OrderField, bool IsImport = false);
