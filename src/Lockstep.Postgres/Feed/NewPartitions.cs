using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Whether partitions came without rows. Rows that an earlier transaction wrote into one before it was attached bypassed the table's
/// triggers: their txid, if they have one, is below that of the attaching transaction. By replication they are not in the stream: there the
/// partition must be empty still, or have been created by the transaction that attached it, before which nobody can have written to it.
/// </summary>
internal static class NewPartitions
{
    // The catalog has the lower half of that transaction's id; it is one of the last 2^32.
    private const string Partitions =
        StateSql.Related
        + """
            , now(txid) AS (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
            SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                c.relkind NOT IN ('r', 'p') OR NOT has_table_privilege(c.oid, 'SELECT'),
                (SELECT max(now.txid - ((now.txid & 4294967295) - i.xmin::text::bigint + 4294967296) % 4294967296)
                    FROM now, pg_partition_ancestors(c.oid) a JOIN pg_inherits i ON i.inhrelid = a.relid),
                made.xmin::text,
                (SELECT CASE WHEN bool_and(age(i.xmin) >= age(made.xmin)) THEN max(i.cmin::text::bigint)
                    FILTER (WHERE i.xmin = made.xmin) END
                    FROM pg_partition_ancestors(c.oid) a JOIN pg_inherits i ON i.inhrelid = a.relid)
            FROM related JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
                JOIN pg_attribute made ON made.attrelid = c.oid AND made.attname = 'tableoid'
            WHERE c.relispartition AND c.oid <> to_regclass($1) ORDER BY c.oid OFFSET $2
            """;

    /// <summary>Whether all partitions after the first few (in the order of their creation) did.</summary>
    public static async Task<bool> CameEmptyAsync(
        NpgsqlConnection connection,
        TableDescription table,
        int known,
        CancellationToken cancellationToken
    )
    {
        var partitions = await connection
            .QueryAsync(
                Partitions,
                [table.SqlName, (long)known],
                r =>
                    (
                        Name: r.GetString(0),
                        IsOpaque: r.GetBoolean(1),
                        Since: r.GetInt64(2),
                        Maker: r.GetString(3),
                        Command: r.IsDBNull(4) ? (long?)null : r.GetInt64(4)
                    ),
                cancellationToken
            )
            .ConfigureAwait(false);
        foreach (var partition in partitions)
        {
            if (partition.IsOpaque)
                return false;
            var (rows, parameters) = (table.Changes, partition.Command) switch
            {
                (ChangeSource.Stream, null) => ("true", (object[])[]),
                (ChangeSource.Stream, { } command) => ("xmin = $1::text::xid AND cmin::text::bigint < $2", [partition.Maker, command]),
                _ => ("(txid >= $1) IS NOT TRUE", [partition.Since]),
            };
            var brought = await connection
                .QueryAsync(
                    $"SELECT EXISTS (SELECT FROM {partition.Name} WHERE {rows})",
                    parameters,
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
