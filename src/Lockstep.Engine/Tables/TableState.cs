using System.Globalization;
using System.Text.Json;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>A table file's description of its table: the single row of <c>lockstep_table</c>. Immutable.</summary>
internal sealed record TableState
{
    public required string Name { get; init; }

    /// <summary>The feed's URI without user info; null for a table not filled by a feed.</summary>
    public string? Feed { get; init; }

    /// <summary>Null until the first record has arrived.</summary>
    public RecordShape? Shape { get; init; }

    public IReadOnlyList<string> Fields { get; init; } = [];

    /// <summary>The newest position reached; it never moves back (I4).</summary>
    public Cursor Cursor { get; init; }

    /// <summary>Where the next request starts if that is before <see cref="Cursor"/>: a body was out of order and cut off.</summary>
    public Cursor? Resume { get; init; }

    public string? FeedIdentity { get; init; }

    public long Rows { get; init; }

    public long Tombstones { get; init; }

    /// <summary>The last sequence number assigned (I11).</summary>
    public long Sequence { get; init; }

    /// <summary>The cursor below which tombstones have been removed; an older cursor needs a resync.</summary>
    public Cursor? Horizon { get; init; }

    public DateTimeOffset? LastSync { get; init; }

    /// <summary>
    /// The last of those times (<see cref="LastSync"/>) at which a sync ended without knowing whether it had everything; null if there is
    /// none.
    /// </summary>
    public DateTimeOffset? Incomplete { get; init; }

    /// <summary>How another server's feed is read, as JSON; null for Lockstep's own dialects.</summary>
    public string? Foreign { get; init; }

    /// <summary>
    /// The digest of the query with which the records were requested (<see cref="FeedOptions.Asked"/>); null if unknown, because an earlier
    /// version or nothing has filled the table.
    /// </summary>
    public string? Asked { get; init; }

    /// <summary>What is known about how the feed's bodies end.</summary>
    public FeedEnding FeedEnding { get; init; }

    /// <summary>A whole set that must be fetched again; null if none is owed.</summary>
    public OwedSet? Owed { get; init; }

    /// <summary>How many malformed records are in quarantine. Counted by the writer, not stored in the row.</summary>
    public long Quarantined { get; init; }

    /// <summary>How many of those have been dropped to make room since the table was opened; not stored either.</summary>
    public long QuarantineDropped { get; init; }

    /// <summary>Whether the table was never used: no change, no cursor, an empty quarantine, and no sync that succeeded.</summary>
    public bool IsUnused => Sequence == 0 && LastSync is null && Cursor.IsStart && Quarantined == 0;

    /// <summary>What percentage of the records a whole set may remove if its end is uncertain; null for the default.</summary>
    public int? SweepLimit { get; init; }

    /// <summary>
    /// The address, or the position in a single-body snapshot, from which the table's first load resumes if cut off; null if there is none,
    /// or it can only start over.
    /// </summary>
    public string? LoadPage { get; init; }

    /// <summary>Whether the table contains part of an import that is in progress or was cut off, and nothing else.</summary>
    public bool IsImporting { get; init; }

    /// <summary>
    /// Whether the first load has ended since the table was created or emptied. Until then, records are missing that no cursor will bring,
    /// and nobody can rely on the table as a set (I6).
    /// </summary>
    public bool IsLoaded => LastSync is not null || (Feed is null && Shape is not null && !IsImporting);

    public Cursor RequestCursor => Resume ?? Cursor;

    /// <summary>Whether there is a cursor: a list of another server that is fetched in full each time has none.</summary>
    public bool HasCursor => Foreign is null || !Cursor.IsStart;

    /// <summary>Whether continuing from here with one query would leave the records of another query in the table.</summary>
    public bool IsOfAnotherQuery(string asked) =>
        Asked is { } known && known != asked && Feed is not null && !(RequestCursor.IsStart && LoadPage is null);

    /// <summary>The table's state with a commit applied, except for what its records change.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="newFields">The new fields in it.</param>
    public TableState After(TableCommit commit, IReadOnlyList<string> newFields) =>
        this with
        {
            Feed = commit.Feed ?? Feed,
            Shape = commit.Shape ?? Shape,
            Fields = newFields.Count > 0 ? [.. Fields.Union(newFields)] : Fields,
            Cursor = commit.Cursor ?? Cursor,
            Resume = commit.Resume,
            FeedIdentity = commit.FeedIdentity ?? FeedIdentity,
            FeedEnding = commit.FeedEnding ?? FeedEnding,
            LastSync = commit.At ?? LastSync,
            Incomplete = commit.IsIncomplete ? commit.At : Incomplete,
            Foreign = commit.Foreign ?? Foreign,
            Asked = commit.Asked ?? Asked,
            Owed = commit.PaysOwed ? null : commit.Owed ?? Owed,
            SweepLimit = commit.SweepLimit ?? SweepLimit,
            IsImporting = commit.IsImporting is { } goesOn ? goesOn && (IsImporting || Sequence == 0) : IsImporting,
            LoadPage = commit.EndsLoad ? null : commit.LoadPage ?? LoadPage,
        };

    public static TableState Load(SqliteConnection connection)
    {
        var foreign = OptionalText.Dialect.Load(connection);
        var asked = OptionalText.Asked.Load(connection);
        var incomplete = OptionalText.Incomplete.Load(connection);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT * FROM lockstep_table";
        using var row = command.ExecuteReader();
        if (!row.Read())
            throw new InvalidDataException("The table file has lost its description.");

        // A file of an older Lockstep that is only read has fewer columns; a writer adds them.
        var columns = Enumerable.Range(0, row.FieldCount).Select(row.GetName).ToHashSet(StringComparer.Ordinal);
        string? Text(string column) => row[column] as string;
        long Number(string column) => row[column] is long value ? value : 0;

        return new TableState
        {
            Foreign = foreign,
            Asked = asked,
            IsImporting = OptionalText.Import.Load(connection) is not null,
            Incomplete = incomplete is null ? null : DateTimeOffset.Parse(incomplete, CultureInfo.InvariantCulture),
            Name = Text("name") ?? throw new InvalidDataException("The table file has lost the table's name."),
            Feed = Text("feed"),
            Shape = Text("key_fields") is { } keys
                ? new RecordShape(
                    (Dialect)Number("dialect"),
                    List(keys),
                    [.. List(Text("key_kinds") ?? "[]").Select(KindOf)],
                    (KeyLayout)Number("key_layout"),
                    Text("order_field") ?? WireNames.DefaultOrderField,
                    (OrderKind)Number("order_kind")
                )
                : null,
            Fields = List(Text("fields") ?? "[]"),
            Cursor = Cursor.Parse(Text("cursor")),
            Resume = Text("resume") is { } resume ? Cursor.Parse(resume) : null,
            FeedIdentity = Text("feed_identity"),
            Rows = Number("rows"),
            Tombstones = Number("tombstones"),
            Sequence = Number("sequence"),
            Horizon = Text("horizon") is { } horizon ? Cursor.Parse(horizon) : null,
            LastSync = Text("last_sync") is { } at ? DateTimeOffset.Parse(at, CultureInfo.InvariantCulture) : null,
            FeedEnding = columns.Contains("feed_ending") ? (FeedEnding)Number("feed_ending") : FeedEnding.Unknown,
            Owed = columns.Contains("owed") ? OwedSet.Parse(Text("owed")) : null,
            SweepLimit = columns.Contains("sweep_limit") && row["sweep_limit"] is long limit ? (int)limit : null,
            LoadPage = columns.Contains("load_page") ? Text("load_page") : null,
        };
    }

    /// <summary>Writes the row, in the caller's transaction.</summary>
    public void Save(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = """
            UPDATE lockstep_table SET name=$name, feed=$feed, dialect=$dialect, key_fields=$keys, key_kinds=$kinds, key_layout=$layout,
                order_field=$order, order_kind=$orderKind, fields=$fields, cursor=$cursor, resume=$resume, feed_identity=$identity,
                rows=$rows, tombstones=$tombstones, sequence=$sequence, horizon=$horizon, last_sync=$last,
                feed_ending=$ending, owed=$owed, sweep_limit=$sweepLimit, load_page=$loadPage
            """;
        void Set(string name, object? value) => command.Parameters.AddWithValue(name, value ?? DBNull.Value);

        Set("$name", Name);
        Set("$feed", Feed);
        Set("$dialect", (int)(Shape?.Dialect ?? Dialect.Auto));
        Set("$keys", Shape is null ? null : Json(Shape.KeyFields));
        Set("$kinds", Shape is null ? null : Json(Shape.KeyParts.Select(part => part.ToString())));
        Set("$layout", (int)(Shape?.KeyLayout ?? KeyLayout.Integer));
        Set("$order", Shape?.OrderField);
        Set("$orderKind", (int)(Shape?.OrderKind ?? OrderKind.Unknown));
        Set("$fields", Json(Fields));
        Set("$cursor", Cursor.ToString());
        Set("$resume", Resume?.ToString());
        Set("$identity", FeedIdentity);
        Set("$rows", Rows);
        Set("$tombstones", Tombstones);
        Set("$sequence", Sequence);
        Set("$horizon", Horizon?.ToString());
        Set("$last", LastSync?.ToString("O", CultureInfo.InvariantCulture));
        Set("$ending", (int)FeedEnding);
        Set("$owed", Owed?.ToString());
        Set("$sweepLimit", SweepLimit);
        Set("$loadPage", LoadPage);
        command.ExecuteNonQuery();
        if (Foreign is not null)
            OptionalText.Dialect.Save(connection, Foreign);
        if (Asked is not null)
            OptionalText.Asked.Save(connection, Asked);
        if (Incomplete is { } at)
            OptionalText.Incomplete.Save(connection, at.ToString("O", CultureInfo.InvariantCulture));
        if (IsImporting)
            OptionalText.Import.Save(connection, "under way");
        else
            OptionalText.Import.Remove(connection);
    }

    private static KeyPartKind KindOf(string text) =>
        Enum.TryParse(text, out KeyPartKind kind) && Enum.IsDefined(kind)
            ? kind
            : throw new InvalidDataException("The table file has a key of an unknown kind.");

    private static string[] List(string json) => JsonSerializer.Deserialize(json, EngineJson.Default.StringArray) ?? [];

    private static string Json(IEnumerable<string> values) => JsonSerializer.Serialize([.. values], EngineJson.Default.StringArray);
}

/// <summary>What the bodies of a table's feed have shown about how they end, which decides what silence in the next one means.</summary>
internal enum FeedEnding
{
    /// <summary>Nothing yet.</summary>
    Unknown = 0,

    /// <summary>A body has ended by itself, so a pause is not an end.</summary>
    Ends = 1,

    /// <summary>The feed never ends: it repeated itself, or gave signs of life when it had nothing to send.</summary>
    Endless = 2,

    /// <summary>The feed stayed open and sent nothing at all at its cursor: an endless feed cannot be told from one that hangs.</summary>
    Quiet = 3,
}
