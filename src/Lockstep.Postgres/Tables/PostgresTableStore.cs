using System.Data;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// A PostgreSQL database that keeps tables shared by many machines, instead of one file per table. Of several syncs of a table one leads
/// and the others wait to take over; anyone may read meanwhile.
/// </summary>
public sealed class PostgresTableStore : TableStore
{
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(200);

    private readonly string _connectionString;

    /// <summary>Names a database; opens nothing yet.</summary>
    /// <param name="connectionString">For Npgsql, or a URI. Never shown (I9).</param>
    /// <exception cref="ArgumentException">It cannot be parsed.</exception>
    public PostgresTableStore(string connectionString)
    {
        var settings = PostgresConnectionString.Settings(connectionString);
        settings.Pooling = false;
        settings.ApplicationName ??= "lockstep";
        settings.Enlist = false;
        if (settings.KeepAlive == 0)
            settings.KeepAlive = 30;
        // A read that is stopped does not wait for a database that no longer responds (I10).
        settings.CancellationTimeout = 500;

        // A leader whose machine is gone must not keep the lead for the system's default of two hours.
        const string Alive = "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";
        settings.Options = string.IsNullOrEmpty(settings.Options) ? Alive : $"{settings.Options} {Alive}";
        _connectionString = settings.ConnectionString;
        Description = PostgresConnectionString.Describe(connectionString);
    }

    /// <inheritdoc/>
    public override string Description { get; }

    /// <summary>
    /// Receives a message when a caller that watches or waits for a table has lost the database and retries; event ids are stable. Called
    /// from any thread. Default: none.
    /// </summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>A logger that passes warnings to a callback, for a caller that cannot name the logger's type; null for none.</summary>
    internal Action<string>? WarningsTo
    {
        init => Logger = value is null ? NullLogger.Instance : CallbackLogger.OfWarnings(value);
    }

    /// <summary>Ends any running read within a second, and prevents new ones (I10).</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>
    /// How long something short waits for the lead: the server may notice a moment late that a leader has disconnected.
    /// </summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The tables kept in the database, by name.</summary>
    /// <exception cref="TableStoreUnavailableException">The database cannot be reached.</exception>
    /// <exception cref="PostgresAccessException">The login or a privilege is refused.</exception>
    public override IReadOnlyList<PostgresTable> Find() => Stoppable.Run(FindAll, Stop);

    /// <summary>A table by name.</summary>
    /// <exception cref="TableNotFoundException">There is no such table.</exception>
    /// <inheritdoc cref="Find"/>
    public override PostgresTable Get(string name) => Find().FirstOrDefault(table => table.Name == name) ?? throw Missing(name);

    private IReadOnlyList<PostgresTable> FindAll()
    {
        using var connection = Open();
        return Guard<IReadOnlyList<PostgresTable>>(
            "tables",
            () =>
            {
                if (!HasTables(connection))
                    return [];
                using var command = new NpgsqlCommand($"SELECT id, name FROM {TableSql.Directory} ORDER BY name", connection);
                using var row = command.ExecuteReader();
                List<PostgresTable> tables = [];
                while (row.Read())
                    tables.Add(new PostgresTable(this, row.GetInt32(0), row.GetString(1)));
                return tables;
            }
        );
    }

    /// <inheritdoc/>
    public override void RequireFree(string name)
    {
        if (Find().FirstOrDefault(table => table.Name == name) is not { } table || table.GetInfo().Writer is null)
            return;
        using var connection = Open();
        Guard(
            name,
            () =>
            {
                if (!TryLead(connection, table.Id))
                    throw Busy(name, HolderOf(connection, table.Id), $"Wait for it to end with {Term.Wait}, or stop it.");
                using var leave = new NpgsqlCommand(TableSql.GiveUp, connection);
                return leave.ExecuteNonQuery();
            }
        );
    }

    /// <summary>Opens a table for its only writer; waits while another writer leads, whatever the options say.</summary>
    internal override async Task<ITableTarget> OpenAsync(
        string name,
        WriterOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var description = $"the table '{name}' in {Description}";
        NpgsqlConnection? connection = null;
        try
        {
            connection = new NpgsqlConnection(_connectionString);
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            while (true)
            {
                var (table, isNew) = await RegisterAsync(connection, TableNaming.Require(name), cancellationToken).ConfigureAwait(false);
                await LeadAsync(connection, table, time, cancellationToken).ConfigureAwait(false);
                if (TakeOver(connection, table, name, description, isNew) is { } writer)
                    return writer;

                // The leader has removed the table, so the name now belongs to a new one.
                await connection.ExecuteAsync(TableSql.GiveUp, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            if (connection is not null)
                await connection.DisposeAsync().ConfigureAwait(false);
            if (PostgresErrors.IsOfDriver(e))
                throw Translate(e, description);
            throw;
        }
    }

    /// <summary>Opens a table for a brief write.</summary>
    /// <exception cref="TableBusyException">A sync leads it.</exception>
    /// <exception cref="TableNotFoundException">It is gone.</exception>
    internal PostgresTableWriter Take(int table, string name)
    {
        var connection = Open();
        try
        {
            return Guard(
                name,
                () =>
                {
                    if (!TryLead(connection, table))
                        throw Busy(name, HolderOf(connection, table), "Wait for it to end, or stop it.");
                    return TakeOver(connection, table, name, $"the table '{name}' in {Description}") ?? throw Missing(name);
                }
            );
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    internal TableNotFoundException Missing(string name) =>
        new(name, $"There is no table '{name}' in {Description}.", $"Check the name, or create the table with {Term.SyncToDatabase}.");

    internal TableDamagedException Damaged(string name, InvalidDataException e) => new($"the table '{name}' in {Description}", e);

    internal static Exception Translate(Exception error, string table) =>
        error switch
        {
            PostgresException e when !PostgresErrors.IsPassing(e) => PostgresErrors.Translate(e, table),
            _ => new TableStoreUnavailableException(table, PostgresErrors.Shown(error), error),
        };

    internal NpgsqlConnection Open()
    {
        var connection = new NpgsqlConnection(_connectionString);
        try
        {
            return Guard(
                "tables",
                () =>
                {
                    connection.Open();
                    return connection;
                }
            );
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    internal async Task<NpgsqlConnection> OpenAsync(string table, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(_connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            if (PostgresErrors.IsOfDriver(e))
                throw Translate(e, $"{table} in {Description}");
            throw;
        }
    }

    internal T Guard<T>(string table, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (PostgresErrors.IsOfDriver(e))
        {
            throw Translate(e, $"{table} in {Description}");
        }
    }

    private TableBusyException Busy(string name, string holder, Remedy advice) =>
        new(Description, holder, $"The table '{name}' in {Description} is being written by {holder}.", advice);

    private static string HolderOf(NpgsqlConnection connection, int table) => TableSql.HolderOf(connection, table) ?? "another sync";

    /// <summary>Takes the lead if it is free, or becomes so in a moment; it ends with the connection.</summary>
    private bool TryLead(NpgsqlConnection connection, int table)
    {
        using (var patience = new NpgsqlCommand(TableSql.Wait(Patience), connection))
            patience.ExecuteNonQuery();
        try
        {
            using var lead = new NpgsqlCommand(TableSql.Lead, connection);
            lead.Parameters.Add(new NpgsqlParameter { Value = TableSql.LockClass });
            lead.Parameters.Add(new NpgsqlParameter { Value = table });
            lead.ExecuteNonQuery();
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return false;
        }

        using var end = new NpgsqlCommand(TableSql.EndWait, connection);
        end.ExecuteNonQuery();
        return true;
    }

    /// <summary>Makes the leader the writer, with an epoch above all earlier ones; null if the table is gone.</summary>
    private static PostgresTableWriter? TakeOver(
        NpgsqlConnection connection,
        int table,
        string name,
        string description,
        bool removesUnused = false
    )
    {
        using var command = new NpgsqlCommand(
            $"UPDATE {TableSql.Directory} SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch, state",
            connection
        );
        command.Parameters.Add(new NpgsqlParameter { Value = table });
        long epoch;
        TableState state;
        // A table in a newer format stays as it is, including its epoch: the change is rolled back.
        using (var transaction = connection.BeginTransaction())
        {
            using (var row = command.ExecuteReader())
            {
                if (!row.Read())
                    return null;
                (epoch, state) = (row.GetInt64(0), StateJson.Read(name, row.GetString(1)));
            }

            transaction.Commit();
        }

        using var stage = new NpgsqlCommand(TableSql.CreateStage, connection);
        stage.ExecuteNonQuery();
        return new PostgresTableWriter(connection, table, epoch, state, description, removesUnused);
    }

    private static bool HasTables(NpgsqlConnection connection)
    {
        using var command = new NpgsqlCommand(TableSql.Exists, connection);
        return (bool)command.ExecuteScalar()!;
    }

    /// <summary>The table's number, and whether the table was just created.</summary>
    private static async Task<(int Table, bool IsNew)> RegisterAsync(
        NpgsqlConnection connection,
        string name,
        CancellationToken cancellationToken
    )
    {
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            // A user who may write tables may not be allowed to create schemas, so that is attempted only if one is missing.
            if (!HasTables(connection))
                await connection.ExecuteAsync(TableSql.Create, cancellationToken).ConfigureAwait(false);
            var made = await connection
                .QueryAsync(
                    $"INSERT INTO {TableSql.Directory} (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id",
                    [name],
                    row => row.GetInt32(0),
                    cancellationToken
                )
                .ConfigureAwait(false);
            var found = await connection
                .QueryAsync($"SELECT id FROM {TableSql.Directory} WHERE name = $1", [name], row => row.GetInt32(0), cancellationToken)
                .ConfigureAwait(false);
            var exists = await connection
                .QueryAsync("SELECT to_regclass($1) IS NOT NULL", [TableSql.Rows(found[0])], row => row.GetBoolean(0), cancellationToken)
                .ConfigureAwait(false);
            if (!exists[0])
            {
                await connection.ExecuteAsync(TableSql.LockCreation, cancellationToken).ConfigureAwait(false);
                await connection.ExecuteAsync(TableSql.CreateRows(found[0]), cancellationToken).ConfigureAwait(false);
            }

            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return (found[0], made.Count > 0);
        }
    }

    /// <summary>Waits for the lead by polling, so that the wait can be interrupted at any moment (I10).</summary>
    private static async Task LeadAsync(NpgsqlConnection connection, int table, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            var got = await connection
                .QueryAsync(TableSql.TryLead, [TableSql.LockClass, table], row => row.GetBoolean(0), cancellationToken)
                .ConfigureAwait(false);
            if (got[0])
                return;
            await Task.Delay(Turn, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
