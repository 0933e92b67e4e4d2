using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Checks that new partitions brought no rows that clients would miss: rows written into a partition before it was attached bypassed the
/// table's triggers, and are not in its stream.
/// </summary>
internal static class NewPartitions
{
    // A partition that was created attached brings nothing, nor do those below it. Attaching a table updates the catalog rows of its
    // columns, which until then are as they were created, along with the system columns. A partition that never had a row brings nothing
    // either: its file is the original one, and empty. One that is merely empty now may have been attached before, and have lost its rows
    // while the stream did not carry its changes.
    private const string Partitions =
        StateSql.Related
        + """
            SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                c.relkind NOT IN ('r', 'p') OR NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid),
                (SELECT bool_and(EXISTS (SELECT FROM pg_attribute own
                    WHERE own.attrelid = i.inhrelid AND own.attnum > 0 AND NOT own.attisdropped
                        AND (own.xmin::text, own.cmin::text) = (made.xmin::text, made.cmin::text)))
                    FROM pg_partition_ancestors(c.oid) a JOIN pg_inherits i ON i.inhrelid = a.relid
                        JOIN pg_attribute made ON made.attrelid = i.inhrelid AND made.attname = 'tableoid')
                OR c.relkind = 'p' OR (c.relkind = 'r' AND c.relfilenode = c.oid AND pg_relation_size(c.oid) = 0)
            FROM related JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relispartition AND c.oid <> to_regclass($1) ORDER BY c.oid OFFSET $2
            """;

    /// <summary>Whether all partitions but the first few, in order of creation, brought nothing.</summary>
    /// <param name="connection">Open and idle, or in a transaction.</param>
    /// <param name="table">The table.</param>
    /// <param name="known">How many partitions are known.</param>
    /// <param name="cursor">When polling: rows stamped at or after it will be sent.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    public static async Task<bool> BroughtNothingAsync(
        NpgsqlConnection connection,
        TableDescription table,
        int known,
        long cursor,
        CancellationToken cancellationToken
    )
    {
        var partitions = await connection
            .QueryAsync(
                Partitions,
                [table.SqlName, (long)known],
                r => (Name: r.GetString(0), IsOpaque: r.GetBoolean(1), IsNew: !r.IsDBNull(2) && r.GetBoolean(2)),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (table.Changes == ChangeSource.Stream)
            return partitions.TrueForAll(p => p.IsNew);
        foreach (var partition in partitions)
        {
            if (partition.IsOpaque)
                return false;

            // A row stamped above the current snapshot (restored from another cluster's dump) is not a change.
            var brought = await connection
                .QueryAsync(
                    $"SELECT EXISTS (SELECT FROM {partition.Name} WHERE "
                        + "(txid >= $1 AND txid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint) IS NOT TRUE)",
                    [cursor],
                    r => r.GetBoolean(0),
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (brought[0])
                return false;
        }

        return true;
    }
}
