using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Whether partitions brought no rows that clients would miss: those that were written into one before it was attached bypassed the table's
/// triggers, and are not in its stream.
/// </summary>
internal static class NewPartitions
{
    // One that is born attached has nothing to bring, nor has one below it. Attaching another table updates its columns, which until then
    // are as they were created, together with those of the system. Nor has one that never had a row: its file is the first one, and empty.
    // If it only has none now, it may have been attached before, and lost them when the stream did not have its changes.
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

    /// <summary>Whether all partitions after the first few (in the order of their creation) did.</summary>
    /// <param name="connection">Open and idle, or in a transaction.</param>
    /// <param name="table">The table.</param>
    /// <param name="known">How many are known.</param>
    /// <param name="cursor">By polling: rows that were stamped at or after it will be sent.</param>
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

            // A row that is stamped above the present (restored from another cluster's dump) is no change.
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
