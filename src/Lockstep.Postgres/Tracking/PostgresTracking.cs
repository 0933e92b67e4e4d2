using Lockstep.Postgres.Feed;
using Lockstep.Postgres.Tracking;
using Npgsql;

namespace Lockstep.Postgres;

/// <summary>What would be done to a database.</summary>
/// <param name="Table">The table, quoted with its schema.</param>
/// <param name="Statements">SQL, to be run in this order in one transaction; empty when nothing has to be done.</param>
public sealed record TrackingPlan(string Table, IReadOnlyList<string> Statements)
{
    /// <summary>What somebody should know before it is done; null for nothing.</summary>
    public string? Warning { get; init; }

    /// <summary>A script for psql that does the same.</summary>
    public override string ToString() =>
        Statements.Count == 0 ? "" : "BEGIN;\n" + string.Concat(Statements.Select(s => s + ";\n")) + "COMMIT;\n";
}

/// <summary>
/// Makes a table tell its changes: a column txid kept by triggers (also for what logical replication applies), and tombstones for what was
/// deleted or got another key. Adding it needs the table's owner, locks the table for as long as an index over its rows written since
/// takes, and changes the feed's identity.
/// </summary>
public static class PostgresTracking
{
    private const string Txid = "txid";

    private const string Describe = """
        SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), n.nspname || '.' || c.relname, c.relkind::text,
            EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhparent = c.oid AND p.relkind = 'r'),
            c.relispartition,
            coalesce((SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = c.oid AND attname = 'txid' AND NOT attisdropped), ''),
            ARRAY(SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
                FROM aclexplode(c.relacl) WHERE privilege_type = 'SELECT' AND grantee <> c.relowner),
            coalesce((SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, at)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at)
                FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
            to_regclass('lockstep.tracked') IS NOT NULL, c.oid::bigint
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
        """;

    private const string OperatorSchemas = """
        SELECT DISTINCT quote_ident(n.nspname) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE a.attrelid = $1::bigint::oid AND a.attname = ANY($2) AND n.nspname <> 'pg_catalog' ORDER BY 1
        """;

    private const string Registered = """
        SELECT name, added_txid, key_columns, (to_jsonb(t) ->> 'soft_delete')::boolean,
            EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.relation AND tgname = 'zz_lockstep_wake'),
            ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = t.relation AND tgname LIKE 'zz\_lockstep\_%' AND tgenabled <> 'A' ORDER BY 1)
        FROM lockstep.tracked t WHERE relation = $1::bigint::oid
        """;

    private const string Registry = """
        SELECT to_regclass('lockstep.tracked') IS NOT NULL,
            EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('lockstep.tracked') AND attname = 'tombstone_floor')
        """;

    /// <summary>Says what <see cref="EnableAsync"/> would do; changes nothing.</summary>
    /// <param name="connectionString">For Npgsql.</param>
    /// <param name="table">The table.</param>
    /// <param name="options">How; null for what fits most tables.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PostgresTableException">The table is missing, or is nothing that can be tracked.</exception>
    /// <exception cref="PostgresAccessException">The login is refused.</exception>
    /// <exception cref="Engine.Serving.FeedUnavailableException">The database cannot be reached.</exception>
    public static Task<TrackingPlan> PlanEnableAsync(
        string connectionString,
        TableName table,
        TrackingOptions? options = null,
        CancellationToken cancellationToken = default
    ) => RunAsync(connectionString, table, options, run: false, (c, token) => PlanEnableAsync(c, table, options, token), cancellationToken);

    /// <summary>
    /// Begins to track a table, in one transaction; does nothing when it is tracked already and its key is still the same.
    /// </summary>
    /// <inheritdoc cref="PlanEnableAsync(string, TableName, TrackingOptions, CancellationToken)"/>
    /// <returns>What was done.</returns>
    public static Task<TrackingPlan> EnableAsync(
        string connectionString,
        TableName table,
        TrackingOptions? options = null,
        CancellationToken cancellationToken = default
    ) => RunAsync(connectionString, table, options, run: true, (c, token) => PlanEnableAsync(c, table, options, token), cancellationToken);

    /// <summary>Says what <see cref="DisableAsync"/> would do; changes nothing.</summary>
    /// <inheritdoc cref="PlanEnableAsync(string, TableName, TrackingOptions, CancellationToken)"/>
    public static Task<TrackingPlan> PlanDisableAsync(
        string connectionString,
        TableName table,
        CancellationToken cancellationToken = default
    ) => RunAsync(connectionString, table, null, run: false, (c, token) => PlanDisableAsync(c, table, token), cancellationToken);

    /// <summary>Ends tracking, and takes away what <see cref="EnableAsync"/> added; does nothing when the table is not tracked.</summary>
    /// <inheritdoc cref="PlanEnableAsync(string, TableName, TrackingOptions, CancellationToken)"/>
    /// <returns>What was done.</returns>
    public static Task<TrackingPlan> DisableAsync(
        string connectionString,
        TableName table,
        CancellationToken cancellationToken = default
    ) => RunAsync(connectionString, table, null, run: true, (c, token) => PlanDisableAsync(c, table, token), cancellationToken);

    /// <summary>
    /// Drops tombstones that are older than clients are expected to stay away. A client that comes with a cursor from before has to resync,
    /// which it is told (410). Does nothing for a table that is not tracked.
    /// </summary>
    /// <param name="connectionString">For Npgsql. The user must own the table of tombstones.</param>
    /// <param name="table">The table.</param>
    /// <param name="age">How old; not below zero. Tombstones of earlier versions are as old as the first call that meets them.</param>
    /// <param name="run">False to count only.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many were dropped.</returns>
    /// <inheritdoc cref="PlanEnableAsync(string, TableName, TrackingOptions, CancellationToken)" path="/exception"/>
    public static Task<long> ClearTombstonesAsync(
        string connectionString,
        TableName table,
        TimeSpan age,
        bool run = true,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(age, TimeSpan.Zero);
        return TrackingTransaction.RunAsync(
            connectionString,
            table,
            TrackingOptions.Default,
            run,
            (connection, token) => TombstoneRetention.ClearAsync(connection, table, age, token),
            cancellationToken
        );
    }

    private static Task<TrackingPlan> RunAsync(
        string connectionString,
        TableName table,
        TrackingOptions? options,
        bool run,
        Func<NpgsqlConnection, CancellationToken, Task<TrackingPlan>> plan,
        CancellationToken cancellationToken
    ) =>
        TrackingTransaction.RunAsync(
            connectionString,
            table,
            options ?? TrackingOptions.Default,
            run,
            async (connection, token) =>
            {
                var planned = await plan(connection, token).ConfigureAwait(false);
                foreach (var statement in run ? planned.Statements : [])
                    await connection.ExecuteAsync(statement, token).ConfigureAwait(false);
                return planned;
            },
            cancellationToken
        );

    private static async Task<TrackingPlan> PlanEnableAsync(
        NpgsqlConnection connection,
        TableName name,
        TrackingOptions? options,
        CancellationToken cancellationToken
    )
    {
        var (wake, softDelete) = (options?.Wake, options?.SoftDelete);
        var (table, registered, txid) = await FindAsync(connection, name, cancellationToken).ConfigureAwait(false);
        if (table.Key.Count == 0)
        {
            throw new PostgresTableException(
                $"{name} has no primary key, so its rows cannot be told apart.",
                "Give the table a primary key."
            );
        }

        KeyFit.Check(name, table.Key);
        await TableCatalog.CheckLoggedAsync(connection, name, table.SqlName, cancellationToken).ConfigureAwait(false);
        if (txid is not ("" or "bigint"))
        {
            throw new PostgresTableException(
                $"{name} has a column txid of type {txid} already; tracking needs it to be bigint.",
                "Rename that column."
            );
        }

        var registry = await RegistryAsync(connection, cancellationToken).ConfigureAwait(false);
        if (registered is null)
        {
            var plan = new TrackingPlan(table.SqlName, TrackingSql.Enable(table, registry, wake == true, softDelete == true));
            if (!table.HasTxid)
                return plan;
            await CheckTxidAsync(connection, table, cancellationToken).ConfigureAwait(false);
            return plan with
            {
                Warning =
                    $"{name} has a column txid already. From now on it holds the number of the transaction that last wrote the row; what was in it is overwritten as rows are written.",
            };
        }

        if (registered.Key.SequenceEqual(table.Key.Select(k => k.Name)))
            return new TrackingPlan(table.SqlName, TrackingSql.Repair(table, registry, registered, wake, softDelete));

        // The key has changed since: what was made for the old one goes. The column stays, and with it whether it is ours.
        var statements = TrackingSql.Disable(table, dropTxid: registered.AddedTxid);
        var again = table with { HasTxid = table.HasTxid && !registered.AddedTxid };
        return new TrackingPlan(
            table.SqlName,
            [.. statements, .. TrackingSql.Enable(again, registry, wake ?? registered.HasWake, softDelete ?? registered.SoftDelete == true)]
        );
    }

    private static async Task<TrackingRegistry> RegistryAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var found = await connection
            .QueryAsync(Registry, [], r => new TrackingRegistry(r.GetBoolean(0), r.GetBoolean(1)), cancellationToken)
            .ConfigureAwait(false);
        return found[0];
    }

    /// <summary>A column txid may have meant something else all along.</summary>
    /// <exception cref="PostgresTableException">It holds what no transaction of this server has written.</exception>
    private static async Task CheckTxidAsync(NpgsqlConnection connection, TrackedTable table, CancellationToken cancellationToken)
    {
        var odd = await connection
            .QueryAsync(
                $"SELECT txid FROM {table.SqlName} WHERE txid < 0 OR txid >= (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint) LIMIT 1",
                [],
                r => r.GetInt64(0),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (odd is not [var value])
            return;
        throw new PostgresTableException(
            FormattableString.Invariant(
                $"The column txid of {table.SqlName} holds {value}, which is no transaction of this server, and tracking would overwrite it."
            ),
            "If the column is data of your own, rename it. If it came with a dump of another server, drop it."
        );
    }

    private static async Task<TrackingPlan> PlanDisableAsync(
        NpgsqlConnection connection,
        TableName name,
        CancellationToken cancellationToken
    )
    {
        var (table, registered, _) = await FindAsync(connection, name, cancellationToken).ConfigureAwait(false);
        return new TrackingPlan(table.SqlName, registered is null ? [] : TrackingSql.Disable(table, registered.AddedTxid));
    }

    private static async Task<(TrackedTable Table, Registration? Registered, string TxidType)> FindAsync(
        NpgsqlConnection connection,
        TableName name,
        CancellationToken cancellationToken
    )
    {
        var found = await connection
            .QueryAsync(
                Describe,
                [name.ToSql()],
                r =>
                    (
                        SqlName: r.GetString(0),
                        Plain: r.GetString(1),
                        Kind: r.GetString(2),
                        Inherited: r.GetBoolean(3),
                        Partition: r.GetBoolean(4),
                        Txid: r.GetString(5),
                        Readers: r.GetFieldValue<string[]>(6),
                        Key: r.GetFieldValue<string[]>(7),
                        Registry: r.GetBoolean(8),
                        Oid: r.GetInt64(9)
                    ),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (found is not [var t])
        {
            throw new PostgresTableException(
                $"There is no table {name} (names are taken as written, capitals included).",
                "Check the name and the schema."
            );
        }

        if (t.Kind is not ("r" or "p"))
        {
            throw new PostgresTableException(
                $"{name} is not a table.",
                "A view brings txid and deleted itself, from the tables it reads: track those."
            );
        }

        if (t.Partition)
            throw new PostgresTableException($"{name} is a partition.", "Track the partitioned table, which covers all of them.");
        if (t.Inherited)
        {
            throw new PostgresTableException(
                $"Other tables inherit from {name}; triggers are not inherited, so their rows would go unseen.",
                "Track and serve each of them."
            );
        }

        var registered = t.Registry
            ? await connection
                .QueryAsync(
                    Registered,
                    [t.Oid],
                    r => new Registration(
                        r.GetString(0),
                        r.GetBoolean(1),
                        r.GetFieldValue<string[]>(2),
                        r.IsDBNull(3) ? null : r.GetBoolean(3),
                        r.GetBoolean(4),
                        r.GetFieldValue<string[]>(5)
                    ),
                    cancellationToken
                )
                .ConfigureAwait(false)
            : [];
        var columns = await TableCatalog.ColumnsAsync(connection, t.Oid, cancellationToken).ConfigureAwait(false);
        var schemas = await connection
            .QueryAsync(OperatorSchemas, [t.Oid, t.Key], r => r.GetString(0), cancellationToken)
            .ConfigureAwait(false);
        var own = registered.FirstOrDefault();
        var registryName = own?.Name ?? await FreeNameAsync(connection, t.Plain, cancellationToken).ConfigureAwait(false);
        return (
            new TrackedTable(
                t.SqlName,
                registryName,
                [.. t.Key.Select(k => columns.Find(c => c.Name == k)!)],
                t.Txid.Length > 0,
                t.Readers,
                schemas
            ),
            own,
            t.Txid
        );
    }

    /// <summary>A name for the tombstone table: another tracked table may have had this one's name, and been renamed.</summary>
    private static async Task<string> FreeNameAsync(NpgsqlConnection connection, string plain, CancellationToken cancellationToken)
    {
        for (var i = 1; ; i++)
        {
            var name = PostgresNames.Shorten(plain, i == 1 ? "" : $"_{i}");
            var taken = await connection
                .QueryAsync("SELECT to_regclass($1) IS NOT NULL", [$"lockstep.{Sql.Quote(name)}"], r => r.GetBoolean(0), cancellationToken)
                .ConfigureAwait(false);
            if (!taken[0])
                return name;
        }
    }
}
