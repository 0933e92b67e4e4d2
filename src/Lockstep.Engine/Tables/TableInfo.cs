using System.Globalization;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>A table's description. Immutable; as of the moment it was read.</summary>
public sealed record TableInfo
{
    /// <summary>The table's name.</summary>
    public required string Name { get; init; }

    /// <summary>Where the table is kept: the file's full path, or the database in words (<see cref="TableStore.Description"/>).</summary>
    public required string Location { get; init; }

    /// <summary>The feed's URI without user info; null if no feed has filled the table.</summary>
    public string? Feed { get; init; }

    /// <summary>The dialect; <see cref="Dialect.Auto"/> until a record has arrived.</summary>
    public Dialect Dialect { get; init; }

    /// <summary>The dialect's name, including another server's; null until a record has arrived.</summary>
    public string? DialectName { get; init; }

    /// <summary>How another server's feed is read; null for Lockstep's own dialects.</summary>
    internal ForeignState? Foreign { get; init; }

    /// <summary>The key fields; empty until a record has arrived.</summary>
    public IReadOnlyList<string> KeyFields { get; init; } = [];

    /// <summary>The field that orders the records; null until one has arrived.</summary>
    public string? OrderField { get; init; }

    /// <summary>The names of the fields that records have had, in order of appearance.</summary>
    public IReadOnlyList<string> Fields { get; init; } = [];

    /// <summary>The indexed fields (<see cref="Table.SetIndexes"/>).</summary>
    public IReadOnlyList<string> Indexes { get; init; } = [];

    /// <summary>The committed cursor.</summary>
    public Cursor Cursor { get; init; }

    /// <summary>Where the next request starts, if that is before the cursor.</summary>
    public Cursor? Resume { get; init; }

    /// <summary>The feed's identity, if it named one.</summary>
    public string? FeedIdentity { get; init; }

    /// <summary>How many records there are.</summary>
    public long Rows { get; init; }

    /// <summary>How many deleted records are remembered.</summary>
    public long Tombstones { get; init; }

    /// <summary>The sequence number of the last change (I11).</summary>
    public long Sequence { get; init; }

    /// <summary>The cursor before which tombstones have been removed; null if none have.</summary>
    public Cursor? Horizon { get; init; }

    /// <summary>When the newest record last changed, by its order value; null if that is not a time.</summary>
    public DateTimeOffset? NewestRecord { get; init; }

    /// <summary>When a sync last succeeded, whether it had everything the feed had or could not tell.</summary>
    public DateTimeOffset? LastSync { get; init; }

    /// <summary>Whether there is a cursor: a list of another server that is fetched in full each time has none.</summary>
    public bool HasCursor { get; init; } = true;

    /// <summary>Whether the table had everything the feed had at <see cref="LastSync"/>, as far as the feed reveals.</summary>
    public bool IsUpToDate { get; init; }

    /// <summary>
    /// Whether the table contains records of a first load that is in progress or was cut off, so that others are missing.
    /// </summary>
    public bool IsLoadUnfinished { get; init; }

    /// <summary><see cref="IsLoadUnfinished"/> as a sentence; null if it is false.</summary>
    internal string? LoadNote =>
        IsLoadUnfinished
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"The first load of '{Name}' has not ended: it has {Rows} records so far, and others are missing. A sync resumes it."
            )
            : null;

    /// <summary>Whether a whole set could not be applied as it is and so removed nothing: a later sync fetches it again.</summary>
    public bool IsSetOwed { get; init; }

    /// <summary>What percentage of the records a whole set may remove if its end is uncertain.</summary>
    public int SweepLimit { get; init; }

    /// <summary>How many malformed records are in quarantine.</summary>
    public long Quarantined { get; init; }

    /// <summary>The file's size in bytes, including its log.</summary>
    public long Size { get; init; }

    /// <summary>Who is writing to it; null if nobody is.</summary>
    public string? Writer { get; init; }

    /// <summary>
    /// Whether the table's cursor is at or above another one. Cursors that are not numbers have no order: they must be equal.
    /// </summary>
    public bool HasReached(Cursor cursor) =>
        cursor.IsStart || Cursor == cursor || (Cursor.IsNumber && cursor.IsNumber && Cursor.Compare(Cursor, cursor) >= 0);

    internal static TableInfo From(string path, TableState state, long quarantined) =>
        From(path, state, quarantined, SizeOf(path) + SizeOf(path + "-wal"), WriterLock.HolderOf(path));

    internal static TableInfo From(string location, TableState state, long quarantined, long size, string? writer) =>
        new()
        {
            Name = state.Name,
            Location = location,
            Feed = state.Feed,
            Dialect = state.Shape?.Dialect ?? Dialect.Auto,
            DialectName = ForeignState.Parse(state.Foreign)?.Name ?? state.Shape?.Dialect.ToString(),
            Foreign = ForeignState.Parse(state.Foreign),
            KeyFields = state.Shape?.KeyFields ?? [],
            OrderField = state.Shape?.OrderField,
            Fields = state.Fields,
            Cursor = Shown(state, state.Cursor),
            HasCursor = state.HasCursor,
            Resume = state.Resume is { } resume ? Shown(state, resume) : null,
            FeedIdentity = state.FeedIdentity is { } stored ? FeedMark.Split(stored).Identity : null,
            Rows = state.Rows,
            Tombstones = state.Tombstones,
            Sequence = state.Sequence,
            Horizon = state.Horizon,
            NewestRecord = RecordTime.Of(state.Cursor, state.Shape?.Dialect),
            LastSync = state.LastSync,
            IsUpToDate = state.LastSync is { } last && last != state.Incomplete && state.Owed is null,
            IsLoadUnfinished = !state.IsLoaded && state.Rows > 0,
            IsSetOwed = state.Owed is not null,
            SweepLimit = state.SweepLimit ?? SweepGuard.DefaultLimit,
            Quarantined = quarantined,
            Size = size,
            Writer = writer,
        };

    /// <summary>Links may contain secrets, so only their beginnings are shown (D7).</summary>
    private static Cursor Shown(TableState state, Cursor cursor) =>
        state.Foreign is null ? cursor : Cursor.Parse(CursorText.Show(cursor.ToString()));

    private static long SizeOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
}
