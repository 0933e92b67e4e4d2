using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication.PgOutput.Messages;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// The rows of a table that a stream has brought and that have yet to become JSON, which PostgreSQL does for many at once. Runs on one
/// thread at a time.
/// </summary>
internal sealed class GatheredRows
{
    private const int MaxRows = 2000;
    private const long MaxBytes = 1 << 20;

    private readonly List<StreamChange> _changes = [];
    private readonly Dictionary<uint, int[]?> _places = [];
    private ChangeSql _sql = null!;
    private long _size;

    public int Count => _changes.Count;

    /// <summary>Whether to convert them now, even in the middle of a transaction (I8).</summary>
    public bool AreMany => _changes.Count >= MaxRows || _size >= MaxBytes;

    /// <summary>The newest transaction with a row here.</summary>
    public long Newest => _changes.Max(c => c.Txid);

    /// <summary>Uses a new description of the table from here on.</summary>
    public void Describe(TableDescription table)
    {
        _sql = new ChangeSql(table);
        _places.Clear();
    }

    /// <summary>Forgets a relation, because the stream describes it differently now.</summary>
    public void Forget(uint relation) => _places.Remove(relation);

    /// <summary>Whether rows of a relation, as the stream describes it, are rows of the table.</summary>
    public bool Fit(RelationMessage relation) => PlacesOf(relation) is not null;

    /// <summary>Gathers a message's changes to rows of a relation that fits.</summary>
    /// <exception cref="InvalidDataException">It does not identify the changed row.</exception>
    public async Task ReadAsync(
        PgOutputReplicationMessage message,
        RelationMessage relation,
        LoggedTransaction transaction,
        CancellationToken cancellationToken
    )
    {
        Add(await RowReader.ReadAsync(message, PlacesOf(relation)!, transaction, _sql, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Gathers rows.</summary>
    public void Add(IReadOnlyCollection<StreamChange> changes)
    {
        _changes.AddRange(changes);
        _size += changes.Sum(c => c.Size);
    }

    /// <summary>Removes the last ones, from an index on.</summary>
    public List<StreamChange> TakeFrom(int first)
    {
        var rest = _changes[first..];
        _changes.RemoveRange(first, rest.Count);
        _size -= rest.Sum(c => c.Size);
        return rest;
    }

    public void Clear()
    {
        _changes.Clear();
        _size = 0;
    }

    /// <summary>The transactions of the rows for which the stream omitted values, which have to be looked up in the table.</summary>
    public IReadOnlyList<long> LookedUp() =>
        [.. _changes.Where(c => !c.IsGone && (_sql.HasGenerated || c.Missing is not null)).Select(c => c.Txid).Distinct()];

    /// <summary>Has the database produce their lines.</summary>
    public async Task<List<LogPiece>> MakeAsync(NpgsqlConnection connection, StreamedTable table, CancellationToken cancellationToken)
    {
        if (_changes.Count == 0)
            return [];

        // One transaction, so that the formats are in force.
        await using var batch = new NpgsqlBatch(connection);
        batch.Add("SELECT " + StateSql.Formats);
        batch.Add(_sql.Text, _sql.Parameters(_changes));
        var lines = table.Database.NewLines();
        var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                lines.Append(reader, _sql.KeyColumns, reader.GetInt64(0));
        }

        table.Metrics.Read(lines);
        return [.. lines.Take().Select(l => new LogPiece(_changes[^1].Lsn, l))];
    }

    private int[]? PlacesOf(RelationMessage relation)
    {
        if (!_places.TryGetValue(relation.RelationId, out var places))
            _places[relation.RelationId] = places = _sql.MapOf(relation);
        return places;
    }
}
