using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Tracking;

/// <summary>A planned change to a database.</summary>
/// <param name="Table">The table, quoted with its schema.</param>
/// <param name="Statements">SQL, to be run in this order in one transaction; empty if there is nothing to do.</param>
public sealed record TrackingPlan(string Table, IReadOnlyList<string> Statements)
{
    /// <summary>What the user should know before running it; null if nothing.</summary>
    public string? Warning { get; init; }

    /// <summary>An equivalent script for psql.</summary>
    public override string ToString() =>
        Statements.Count == 0 ? "" : "BEGIN;\n" + string.Concat(Statements.Select(s => s + ";\n")) + "COMMIT;\n";
}

/// <summary>
/// Makes a table report its changes: triggers maintain a column txid (also for rows applied by logical replication), and tombstones record
/// rows that were deleted or got another key. Must run as the table's owner; locks the table while an index over the rows written since is
/// built; and changes the feed's identity.
/// </summary>
public static class PostgresTracking
{
    /// <summary>Says what <see cref="EnableAsync"/> would do; changes nothing.</summary>
    /// <param name="connectionString">For Npgsql.</param>
    /// <param name="table">The table.</param>
    /// <param name="options">How to track it; null for what suits most tables.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PostgresTableException">The table is missing, or cannot be tracked.</exception>
    /// <exception cref="PostgresAccessException">The login is refused.</exception>
    /// <exception cref="Engine.Serving.FeedUnavailableException">The database cannot be reached.</exception>
    public static Task<TrackingPlan> PlanEnableAsync(
        string connectionString,
        TableName table,
        TrackingOptions? options = null,
        CancellationToken cancellationToken = default
    ) => RunAsync(connectionString, table, options, run: false, (c, token) => PlanEnableAsync(c, table, options, token), cancellationToken);

    /// <summary>
    /// Begins to track a table, in one transaction; does nothing if this version's triggers track it already and its key is unchanged.
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

    /// <summary>Ends tracking and removes what <see cref="EnableAsync"/> added; does nothing if the table is not tracked.</summary>
    /// <inheritdoc cref="PlanEnableAsync(string, TableName, TrackingOptions, CancellationToken)"/>
    /// <returns>What was done.</returns>
    public static Task<TrackingPlan> DisableAsync(
        string connectionString,
        TableName table,
        CancellationToken cancellationToken = default
    ) => RunAsync(connectionString, table, null, run: true, (c, token) => PlanDisableAsync(c, table, token), cancellationToken);

    /// <summary>
    /// Deletes tombstones older than clients are expected to stay away. A client with an earlier cursor gets a 410 and must resync. Does
    /// nothing for a table that is not tracked.
    /// </summary>
    /// <param name="connectionString">For Npgsql. The user must own the tombstone table.</param>
    /// <param name="table">The table.</param>
    /// <param name="age">
    /// The minimum age; not below zero. Tombstones written by earlier versions age from the first call that finds them.
    /// </param>
    /// <param name="run">False to count only.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many were deleted.</returns>
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

    /// <summary>Removes what tracking left of tables that were dropped, as far as the user has the rights.</summary>
    /// <param name="connectionString">For Npgsql.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The names of those tables in the registry.</returns>
    /// <inheritdoc cref="PlanEnableAsync(string, TableName, TrackingOptions, CancellationToken)" path="/exception"/>
    public static Task<IReadOnlyList<string>> PruneAsync(string connectionString, CancellationToken cancellationToken = default) =>
        TrackingTransaction.RunAsync(
            connectionString,
            new TableName("lockstep", "tracked"),
            TrackingOptions.Default,
            run: true,
            async (connection, token) =>
            {
                var left = await LeftAsync(connection, token).ConfigureAwait(false);
                foreach (var statement in left.SelectMany(TrackingSql.Prune))
                    await connection.ExecuteAsync(statement, token).ConfigureAwait(false);
                return left;
            },
            cancellationToken
        );

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
                planned = planned with
                {
                    Statements =
                    [
                        .. (await LeftAsync(connection, token).ConfigureAwait(false)).SelectMany(TrackingSql.Prune),
                        .. planned.Statements,
                    ],
                };
                foreach (var statement in run ? planned.Statements : [])
                    await connection.ExecuteAsync(statement, token).ConfigureAwait(false);
                return planned;
            },
            cancellationToken
        );

    /// <summary>What dropped tables have left behind is removed with the next change to any table's tracking.</summary>
    private static async Task<IReadOnlyList<string>> LeftAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var registry = await TrackingCatalog.RegistryAsync(connection, cancellationToken).ConfigureAwait(false);
        return registry.Exists ? await TrackingCatalog.LeftAsync(connection, cancellationToken).ConfigureAwait(false) : [];
    }

    private static async Task<TrackingPlan> PlanEnableAsync(
        NpgsqlConnection connection,
        TableName name,
        TrackingOptions? options,
        CancellationToken cancellationToken
    )
    {
        var (wake, softDelete) = (options?.Wake, options?.SoftDelete);
        var (table, registered, txid) = await TrackingCatalog.FindAsync(connection, name, cancellationToken).ConfigureAwait(false);
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
                $"{name} already has a column txid of type {txid}; tracking needs it to be bigint.",
                "Rename that column."
            );
        }

        var registry = await TrackingCatalog.RegistryAsync(connection, cancellationToken).ConfigureAwait(false);
        if (registered is null)
        {
            var plan = new TrackingPlan(table.SqlName, TrackingSql.Enable(table, registry, wake == true, softDelete == true));
            if (!table.HasTxid)
                return plan;
            await TrackingCatalog.CheckTxidAsync(connection, table, cancellationToken).ConfigureAwait(false);
            return plan with
            {
                Warning =
                    $"{name} already has a column txid. From now on it holds the number of the transaction that last wrote "
                    + $"the row; what was in it is overwritten as rows are written.",
            };
        }

        if (registered.Key.SequenceEqual(table.Key.Select(k => k.Name)))
        {
            // Where the tombstones cannot hold keys as this version writes them, keep the triggers of the version that created them.
            var next = registered.Fits(table.Key) ? table : table with { ByStatement = registered.ByStatement };
            return new TrackingPlan(table.SqlName, TrackingSql.Repair(next, registry, registered, wake, softDelete))
            {
                Warning =
                    registered.ByStatement == next.ByStatement ? null
                    : next.ByStatement
                        ? $"{name} gets a trigger for each INSERT in place of one for each row, which costs writers less. "
                            + $"Clients of its feed start over once."
                    : $"{name} gets a trigger that runs for each inserted row, since a subscription writes to it. Clients of its "
                        + $"feed start over once.",
            };
        }

        // The key has changed, so what was created for the old one goes. The column stays, and so does the note that it is ours.
        var statements = TrackingSql.Disable(table, dropTxid: registered.AddedTxid);
        var again = table with { HasTxid = table.HasTxid && !registered.AddedTxid };
        return new TrackingPlan(
            table.SqlName,
            [.. statements, .. TrackingSql.Enable(again, registry, wake ?? registered.HasWake, softDelete ?? registered.SoftDelete == true)]
        );
    }

    private static async Task<TrackingPlan> PlanDisableAsync(
        NpgsqlConnection connection,
        TableName name,
        CancellationToken cancellationToken
    )
    {
        var (table, registered, _) = await TrackingCatalog.FindAsync(connection, name, cancellationToken).ConfigureAwait(false);
        return new TrackingPlan(table.SqlName, registered is null ? [] : TrackingSql.Disable(table, registered.AddedTxid));
    }
}
