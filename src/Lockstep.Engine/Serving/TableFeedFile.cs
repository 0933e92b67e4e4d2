using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Serving;

/// <summary>What a table file serves at one moment.</summary>
/// <param name="Table">The table's name.</param>
/// <param name="Identity">As in <see cref="ServingMark"/>.</param>
/// <param name="Cleared">Likewise: a cursor below it is no longer served.</param>
/// <param name="Sequence">The number of the last change (I11): the cursor of a client that has everything.</param>
/// <param name="KeyFields">The fields that are the key; empty until a record has come.</param>
internal sealed record TableStamp(string Table, string Identity, long Cleared, long Sequence, IReadOnlyList<string> KeyFields)
{
    /// <summary>The fields that the records have had; null if some have no column of their own.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <inheritdoc cref="TableState.IsLoaded"/>
    public bool IsLoaded { get; init; }

    /// <summary>The valid cursors: one ahead of the table belongs to a table that was restored since.</summary>
    public ServedRange Range => new(Identity, Cleared, Sequence, RetryAfter: null);
}

/// <summary>Records read in one transaction.</summary>
/// <param name="Stamp">The table in that transaction.</param>
/// <param name="Lines">The records.</param>
/// <param name="Next">Read by key: where the next page begins; null if this is the last one. Read by sequence: null.</param>
/// <param name="To">The sequence number of a client that has the page and all before it.</param>
internal sealed record TablePage(TableStamp Stamp, FeedLines Lines, byte[]? Next, long To)
{
    /// <summary>Read by sequence: whether there was no more.</summary>
    public bool IsEnd => To >= Stamp.Sequence;
}

/// <summary>
/// Reads a table file for clients. Each read is a short transaction of its own, so that a slow client never keeps SQLite from
/// shortening the file's log. Thread-safe.
/// </summary>
internal sealed class TableFeedFile(string path, int pageBytes, RowLimits limits)
{
    /// <summary>
    /// By the index that a served table has (<see cref="SequenceIndex"/>): what it costs depends on what changed, and not on the table.
    /// </summary>
    internal const string Changes = $"SELECT seq, gone, body FROM {TableSchema.Rows} WHERE seq > ?1 ORDER BY seq LIMIT ?2";

    private readonly PageSize _size = new(pageBytes, rowBytes: 256);

    private volatile string _orderField = WireNames.DefaultOrderField;

    /// <summary>The field that orders the records at their source, as last read; the usual one if there is none.</summary>
    public string OrderField => _orderField;

    /// <exception cref="FeedUnavailableException">The file is missing, or cannot be read.</exception>
    public TableStamp ReadStamp() => Read((_, stamp, _) => stamp);

    /// <summary>Live records in the order of their keys.</summary>
    /// <param name="after">The encoded key of the last record of the page before; null for the first page.</param>
    /// <param name="horizon">The maximum of a record's <c>since</c>; null for the table's sequence.</param>
    public TablePage ReadKeys(byte[]? after, long? horizon) =>
        Read(
            (connection, stamp, shape) =>
            {
                var lines = new FeedLines(limits, () => stamp.KeyFields);
                if (shape is null)
                    return new TablePage(stamp, lines, null, stamp.Sequence);
                using var select = new Statement(
                    connection,
                    $"SELECT key, seq, body FROM {TableSchema.Rows} WHERE gone = 0{(after is null ? "" : " AND key > ?1")} ORDER BY key"
                );
                if (after is not null)
                    BindKey(select, after, shape.KeyLayout);
                while (select.Step())
                {
                    lines.Append(select.Integer(1), horizon ?? stamp.Sequence, isDeleted: false, select.Bytes(2));
                    if (lines.Bytes < pageBytes)
                        continue;
                    var next =
                        shape.KeyLayout == KeyLayout.Integer ? KeyEncoding.Encode(select.Integer(0)).ToArray() : select.Bytes(0).ToArray();
                    return new TablePage(stamp, lines, next, stamp.Sequence);
                }

                return new TablePage(stamp, lines, null, stamp.Sequence);
            }
        );

    /// <summary>What changed after a sequence number, tombstones too, newest state per record, in the order of the changes.</summary>
    public TablePage ReadChanges(long after) => ReadChanges(after, _ => 0);

    /// <summary>The same, for a client that has nothing yet: without the tombstones of what was gone before.</summary>
    /// <param name="after">The last sequence number of the page before; 0 for the first page.</param>
    /// <param name="horizon">The table's sequence when the first page was read; null for that page.</param>
    public TablePage ReadOrder(long after, long? horizon) => ReadChanges(after, stamp => horizon ?? stamp.Sequence);

    /// <param name="after">Where the page before ended.</param>
    /// <param name="goneBefore">Tombstones up to this sequence number are left out.</param>
    private TablePage ReadChanges(long after, Func<TableStamp, long> goneBefore) =>
        Read(
            (connection, stamp, shape) =>
            {
                var lines = new FeedLines(limits, () => stamp.KeyFields);
                if (shape is null || stamp.Sequence <= after)
                    return new TablePage(stamp, lines, null, stamp.Sequence);
                var (most, last, read) = (_size.Rows, after, 0);
                var before = goneBefore(stamp);
                using var select = new Statement(connection, Changes);
                select.Bind(1, after);
                select.Bind(2, (long)most);
                while (lines.Bytes < pageBytes && select.Step())
                {
                    last = select.Integer(0);
                    read++;
                    var isGone = select.Integer(1) != (long)RowState.Live;
                    if (!isGone || last > before)
                        lines.Append(last, stamp.Sequence, isGone, select.Bytes(2));
                }

                _size.Learn(lines);
                return new TablePage(stamp, lines, null, read < most && lines.Bytes < pageBytes ? stamp.Sequence : last);
            }
        );

    /// <summary>Invalidates every cursor given out so far, unless that was done since.</summary>
    public void Renew(string identity) => ServingMark.Ensure(path, instead: identity);

    /// <exception cref="FeedPositionException">The bytes are not a key.</exception>
    private static void BindKey(Statement select, byte[] encoded, KeyLayout layout)
    {
        if (layout == KeyLayout.Encoded)
            select.BindBlob(1, encoded);
        else if (KeyEncoding.Read(encoded).Parts is [long key])
            select.Bind(1, key);
        else
            throw new FeedPositionException();
    }

    private T Read<T>(Func<SqliteConnection, TableStamp, RecordShape?, T> read)
    {
        try
        {
            while (true)
            {
                using var connection = ReadConnection.Open(path);
                var mark = TableFile.Guard(
                    path,
                    () =>
                    {
                        TableFile.Execute(connection, "BEGIN");
                        return ServingMark.Load(connection);
                    }
                );
                if (mark is null)
                {
                    // A new file has taken the place of the one that was served.
                    connection.Dispose();
                    ServingMark.Ensure(path);
                    continue;
                }

                return TableFile.Guard(
                    path,
                    () =>
                    {
                        var state = TableState.Load(connection);
                        if (state is { Shape: { Dialect: Dialect.Record, OrderField: var order }, Foreign: null })
                            _orderField = order;
                        var hasRows = state.Shape is not null && StageSql.TableExists(connection, TableSchema.Rows);
                        var stamp = new TableStamp(state.Name, mark.Identity, mark.Cleared, state.Sequence, state.Shape?.KeyFields ?? [])
                        {
                            Columns = state.Fields.Count < FieldCatalog.Limit ? state.Fields : null,
                            IsLoaded = state.IsLoaded,
                        };
                        return read(connection, stamp, hasRows ? state.Shape : null);
                    }
                );
            }
        }
        catch (Exception e) when (e is TableNotFoundException or TableFileException)
        {
            throw new FeedUnavailableException(
                $"The table file '{path}' cannot be read at the moment: {e.Message}",
                TimeSpan.FromSeconds(1),
                e
            );
        }
    }
}
