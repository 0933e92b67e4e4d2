using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>Follows the changes of a table in PostgreSQL. Each watch has its own connection.</summary>
/// <param name="store">The database.</param>
/// <param name="table">Its number there.</param>
/// <param name="name">Its name.</param>
/// <param name="readState">Reads its state.</param>
internal sealed class PostgresTableWatcher(PostgresTableStore store, int table, string name, Func<NpgsqlConnection, TableState> readState)
{
    /// <summary>How often a watcher checks for commits.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    /// <summary>The most changes that one query reads into memory.</summary>
    private const int MostChanges = 10_000;

    /// <inheritdoc cref="PostgresTable.WatchAsync"/>
    public async IAsyncEnumerable<IReadOnlyList<TableChange>> WatchAsync(
        long? since,
        TimeProvider time,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var connection = new KeptConnection(store, name, time);
        await using var kept = connection.ConfigureAwait(false);
        if (!await BeganAsync(connection, cancellationToken).ConfigureAwait(false))
            yield break;
        var sequence = since;
        var pulse = time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            var changes = await connection.TryAsync(LookOnAsync).ConfigureAwait(false) ?? [];
            if (changes.Count > 0 || time.GetElapsedTime(pulse) > TimeSpan.FromMilliseconds(180))
            {
                if (changes.Count > 0)
                    sequence = changes[^1].Sequence;
                pulse = time.GetTimestamp();
                yield return changes;
            }

            if (changes.Count < MostChanges)
                await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Task<IReadOnlyList<TableChange>> LookOnAsync(NpgsqlConnection c, bool isNew)
        {
            if (sequence is { } seen)
                return LookAsync(c, seen, isNew, cancellationToken);
            sequence = store.Guard(name, () => readState(c)).Sequence;
            return Task.FromResult<IReadOnlyList<TableChange>>([]);
        }
    }

    /// <summary>Opens a connection; false if it was cancelled.</summary>
    private static async Task<bool> BeganAsync(KeptConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task<IReadOnlyList<TableChange>> LookAsync(
        NpgsqlConnection connection,
        long sequence,
        bool isNew,
        CancellationToken cancellationToken
    )
    {
        // Sequence numbers only increase (I11): a database below what was already reported has been restored, or replaced by another
        // server.
        if (isNew && store.Guard(name, () => readState(connection)).Sequence is var now && now < sequence)
            throw new TableSetBackException($"{name} in {store.Description}", now, sequence);
        try
        {
            return await connection
                .QueryAsync(
                    FormattableString.Invariant(
                        $"SELECT {PostgresScan.Columns} FROM {TableSql.Rows(table)} WHERE seq > $1 ORDER BY seq LIMIT {MostChanges}"
                    ),
                    [sequence],
                    row => new TableChange(
                        PostgresScan.KindSince(row, sequence),
                        KeyEncoding.Read(row.GetFieldValue<byte[]>(0)),
                        row.GetInt64(1),
                        row.GetFieldValue<byte[]>(3)
                    ),
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return [];
        }
        catch (InvalidDataException e)
        {
            throw store.Damaged(name, e);
        }
        catch (Exception e) when (PostgresErrors.IsOfDriver(e))
        {
            throw PostgresTableStore.Translate(e, $"{name} in {store.Description}");
        }
    }
}
