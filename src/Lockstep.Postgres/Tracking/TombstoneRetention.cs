using Npgsql;

namespace Lockstep.Postgres.Tracking;

/// <summary>
/// Deletes old tombstones, and records the cursor below which some are missing. One snapshot shows both, so a client either gets a
/// tombstone or learns that its cursor is too old. The oldest open transaction bounds what is deleted, so a client that has only just
/// connected misses none.
/// </summary>
internal static class TombstoneRetention
{
    private const string Registered = """
        SELECT tombstones::text, EXISTS (SELECT FROM pg_attribute WHERE attrelid = tombstones AND attname = 'lockstep_at'
            AND NOT attisdropped)
        FROM lockstep.tracked WHERE relation = to_regclass($1)
        """;

    /// <summary>Runs in the connection's transaction.</summary>
    /// <exception cref="PostgresTableException">The table does not exist.</exception>
    public static async Task<long> ClearAsync(
        NpgsqlConnection connection,
        TableName table,
        TimeSpan age,
        CancellationToken cancellationToken
    )
    {
        var (isThere, hasRegistry) = (
            await connection
                .QueryAsync(
                    "SELECT to_regclass($1) IS NOT NULL, to_regclass('lockstep.tracked') IS NOT NULL",
                    [table.ToSql()],
                    r => (r.GetBoolean(0), r.GetBoolean(1)),
                    cancellationToken
                )
                .ConfigureAwait(false)
        )[0];
        if (!isThere)
            throw TrackingCatalog.Missing(table);
        if (!hasRegistry)
            return 0;
        var found = await connection
            .QueryAsync(Registered, [table.ToSql()], r => (Name: r.GetString(0), HasTime: r.GetBoolean(1)), cancellationToken)
            .ConfigureAwait(false);
        if (found is not [var tombstones])
            return 0;
        if (!tombstones.HasTime)
            await connection.ExecuteAsync(TrackingSql.AddTime(tombstones.Name), cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(TrackingSql.AddColumns, cancellationToken).ConfigureAwait(false);
        var cleared = await connection
            .QueryAsync(
                $"""
                WITH gone AS (DELETE FROM {tombstones.Name} WHERE lockstep_at <= clock_timestamp() - $1
                        AND txid < (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint) RETURNING txid),
                    total(rows, floor) AS (SELECT count(*), max(txid) + 1 FROM gone),
                    noted AS (UPDATE lockstep.tracked SET tombstone_floor = greatest(tombstone_floor, floor) FROM total
                        WHERE relation = to_regclass($2) AND floor IS NOT NULL)
                SELECT rows FROM total
                """,
                [age, table.ToSql()],
                r => r.GetInt64(0),
                cancellationToken
            )
            .ConfigureAwait(false);
        return cleared[0];
    }
}
