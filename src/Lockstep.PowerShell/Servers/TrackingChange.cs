using Lockstep.Parameters;
using Lockstep.Postgres;
using Lockstep.Postgres.Serving;
using Lockstep.Postgres.Tracking;

namespace Lockstep.Servers;

/// <summary>How to track a table; see the parameters of the cmdlet.</summary>
/// <param name="Wake">Whether changes notify servers; null leaves it unchanged.</param>
/// <param name="SoftDelete">Whether a column deleted marks deleted rows; null leaves it unchanged.</param>
internal sealed record TrackingWish(bool? Wake, bool? SoftDelete);

/// <summary>The change that makes a table report its changes, or stops it.</summary>
internal sealed class TrackingChange
{
    private readonly string _connection;
    private readonly TableName _table;
    private readonly TrackingOptions? _options;

    private TrackingChange(string connection, TableName table, TrackingOptions? options, TrackingPlan plan)
    {
        (_connection, _table, _options) = (connection, table, options);
        (Table, Script, IsNothing, Warning) = (plan.Table, plan.ToString(), plan.Statements.Count == 0, plan.Warning);
    }

    /// <summary>The table, quoted with its schema.</summary>
    public string Table { get; }

    /// <summary>The SQL, in one transaction.</summary>
    public string Script { get; }

    /// <summary>Whether the table is already as it should be.</summary>
    public bool IsNothing { get; }

    /// <summary>What the user should know before it runs; null for nothing.</summary>
    public string? Warning { get; }

    /// <summary>Plans the change; changes nothing.</summary>
    /// <param name="connectionString">As the user gave it.</param>
    /// <param name="table">As the user gave it.</param>
    /// <param name="schema">As the user gave it.</param>
    /// <param name="wish">How to track it; null to end tracking.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public static TrackingChange Plan(
        string connectionString,
        string table,
        string? schema,
        TrackingWish? wish,
        CancellationToken cancellationToken
    )
    {
        var connection = PostgresTables.Connection(connectionString);
        var name = PostgresTables.Name(table, schema);
        var options = wish is null ? null : new TrackingOptions { Wake = wish.Wake, SoftDelete = wish.SoftDelete };
        var plan = options is not null
            ? PostgresTracking.PlanEnableAsync(connection, name, options, cancellationToken)
            : PostgresTracking.PlanDisableAsync(connection, name, cancellationToken);
        return new TrackingChange(connection, name, options, plan.GetAwaiter().GetResult());
    }

    /// <summary>Removes what a replicating feed left on the server.</summary>
    public static void RemoveReplication(string connectionString, string table, string? schema, CancellationToken cancellationToken)
    {
        var name = PostgresTables.Name(table, schema);
        PostgresFeed
            .RemoveReplicationAsync(
                PostgresTables.Connection(connectionString),
                new PostgresFeedOptions
                {
                    Table = name,
                    Mode = PostgresFeedMode.Replication,
                    Replication = new PostgresReplicationOptions { LogPath = PostgresTables.LogFile("", name) },
                },
                cancellationToken
            )
            .GetAwaiter()
            .GetResult();
    }

    /// <summary>Forgets old deletions.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    public static long ClearTombstones(
        string connectionString,
        string table,
        string? schema,
        TimeSpan age,
        CancellationToken cancellationToken
    ) =>
        PostgresTracking
            .ClearTombstonesAsync(
                PostgresTables.Connection(connectionString),
                PostgresTables.Name(table, schema),
                age,
                cancellationToken: cancellationToken
            )
            .GetAwaiter()
            .GetResult();

    /// <summary>Runs the plan.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        var run = _options is not null
            ? PostgresTracking.EnableAsync(_connection, _table, _options, cancellationToken)
            : PostgresTracking.DisableAsync(_connection, _table, cancellationToken);
        run.GetAwaiter().GetResult();
    }
}
