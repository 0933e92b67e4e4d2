namespace Lockstep.Postgres.Feed;

/// <summary>A column that goes into a record's <c>data</c>.</summary>
/// <param name="Name">As the catalog has it.</param>
/// <param name="Type">As SQL text, for a cast.</param>
/// <param name="Shape">How its JSON is produced.</param>
internal sealed record TableColumn(string Name, string Type, ColumnShape Shape)
{
    /// <summary>The oid of its type.</summary>
    public long TypeId { get; init; }

    /// <summary>The type's modifier (a length, a precision); -1 for none.</summary>
    public int TypeModifier { get; init; }

    /// <summary>Quoted with its schema; null for a type that has none.</summary>
    public string? Collation { get; init; }

    /// <summary>
    /// Whether its type treats values as equal that differ as text, and therefore differ for clients (such as citext): see
    /// <see cref="KeySql"/>.
    /// </summary>
    public bool IsLoose { get; init; }

    /// <summary>Whether clients can tell rows apart by its values.</summary>
    public KeyFitness KeyFitness { get; init; }

    /// <summary>Whether it is bookkeeping and appears in no record.</summary>
    public bool IsHidden { get; init; }

    /// <summary>Whether the database computes it from other columns; it is then missing from the replication stream.</summary>
    public bool IsGenerated { get; init; }
}

/// <summary>How a column becomes JSON.</summary>
internal enum ColumnShape
{
    /// <summary>PostgreSQL's own JSON.</summary>
    Natural,

    /// <summary>Binary: base64 text.</summary>
    Bytes,

    /// <summary>An array of binaries: a one-dimensional array of base64 texts.</summary>
    ByteArray,
}

/// <summary>Which values of a column can be part of a key: clients hold keys made of JSON strings and numbers.</summary>
internal enum KeyFitness
{
    /// <summary>All values.</summary>
    Always,

    /// <summary>Numbers except NaN and the infinities, which JSON has only as strings.</summary>
    Finite,

    /// <summary>No values: their JSON is true or false, an array or an object, or may be.</summary>
    Never,
}

/// <summary>How changes of a table or view are found.</summary>
internal enum ChangeSource
{
    /// <summary>By txid, with tombstones: in a column <c>deleted</c>, in a tombstone table, or both.</summary>
    Tracked,

    /// <summary>By comparing whole snapshots: a view without tombstones.</summary>
    SnapshotsOnly,

    /// <summary>By logical replication.</summary>
    Stream,
}

/// <summary>The catalog's description of a table or view. Valid as long as <see cref="Facts"/> are.</summary>
internal sealed record TableDescription
{
    /// <summary>Its oid.</summary>
    public required long Oid { get; init; }

    /// <summary>With its schema, quoted.</summary>
    public required string SqlName { get; init; }

    /// <summary>Whether LOCK TABLE accepts it (a table, a partitioned table or a view).</summary>
    public required bool Lockable { get; init; }

    /// <summary>What goes into <c>data</c>, in column order.</summary>
    public required IReadOnlyList<TableColumn> Columns { get; init; }

    /// <summary>The key columns, in key order; empty if the catalog has no key and the user named none.</summary>
    public required IReadOnlyList<TableColumn> Key { get; init; }

    /// <summary>Whether rows can be read by key range, through a unique index; otherwise a snapshot is a single statement.</summary>
    public required bool Pages { get; init; }

    /// <summary>Whether there is a boolean column <c>deleted</c>.</summary>
    public required bool HasDeleted { get; init; }

    /// <summary>The tombstone table, quoted with its schema; null when there is none.</summary>
    public required string? Tombstones { get; init; }

    /// <summary>The table's name in lockstep.tracked, which wake-ups carry; null when it is not tracked.</summary>
    public required string? TrackingId { get; init; }

    /// <summary>Whether this database has tracked tables at all (not necessarily this one).</summary>
    public required bool Registry { get; init; }

    /// <summary>The enums among the columns' types and the types those consist of.</summary>
    public required IReadOnlyList<long> Enums { get; init; }

    /// <summary>The composite types among them, as relations.</summary>
    public required IReadOnlyList<long> Composites { get; init; }

    /// <summary>With replication: whether the table may get partitions.</summary>
    public bool IsPartitioned { get; init; }

    /// <summary>With replication: the table and its partitions, by oid; their changes are the table's.</summary>
    public IReadOnlySet<uint> Relations { get; init; } = new HashSet<uint>();

    /// <summary>With replication: the publication that has the table's changes.</summary>
    public string? Publication { get; init; }

    /// <summary>With replication: whether the server knows publications of whole schemas.</summary>
    public bool HasSchemaPublications { get; init; }

    /// <summary>What an operator should know about how the table is served, as a sentence; null for nothing.</summary>
    public string? Notice { get; init; }

    /// <summary>How changes are found.</summary>
    public required ChangeSource Changes { get; init; }

    /// <summary>What cursors depend on: columns, storage, partitions, key, tracking.</summary>
    public TableFacts Facts { get; init; } = new("", "", "", "", File: 0, HasWake: false);

    /// <summary>The table's fingerprints before something was only added to it, oldest first.</summary>
    public IReadOnlyList<string> Earlier { get; init; } = [];
}
