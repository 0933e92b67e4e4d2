using System.Globalization;
using System.Net.Sockets;
using Lockstep.Engine.Ticks;
using Npgsql;
using NpgsqlTypes;

namespace Lockstep.Postgres.Ticks;

/// <summary>
/// A store in PostgreSQL tables (<c>lockstep_tick_*</c> in the first schema of the search path), shared by any number of machines. The server's clock is the
/// store's clock. Connections are pooled; after the server was away the next operation connects anew.
/// </summary>
public sealed class PostgresTickStore : ITickStore
{
    /// <summary>How long a change waits for its turn, and how long the server may take for one statement.</summary>
    private const int TimeoutSeconds = 5;

    private readonly NpgsqlDataSource _source;
    private readonly TickSettings? _newSettings;
    private readonly TimeProvider? _clock;
    private readonly SemaphoreSlim _opening = new(1, 1);
    private volatile TickSettings? _settings;

    /// <summary>Names the server; nothing is opened yet.</summary>
    /// <param name="connectionString">For Npgsql. Its password never reaches an error or <see cref="Description"/> (I9).</param>
    /// <param name="create">The settings of the store if its tables are not there yet and the first operation makes them; null to find missing tables unavailable.</param>
    public PostgresTickStore(string connectionString, TickSettings? create = null)
        : this(connectionString, create, null)
    {
    }

    /// <summary>As the public constructor, with another clock than the server's.</summary>
    internal PostgresTickStore(string connectionString, TickSettings? create, TimeProvider? clock)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString) { CommandTimeout = TimeoutSeconds, ApplicationName = "lockstep" };
        Description = Describe(builder);
        _source = NpgsqlDataSource.Create(builder);
        _newSettings = create?.Check();
        _clock = clock;
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <summary>The database without user and password (I9).</summary>
    internal static string Describe(NpgsqlConnectionStringBuilder settings) =>
        $"postgres://{settings.Host}:{settings.Port.ToString(CultureInfo.InvariantCulture)}/{settings.Database}";

    /// <inheritdoc/>
    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => RunAsync((_, settings) => Task.FromResult(settings), cancellationToken);

    /// <inheritdoc/>
    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        RunAsync((connection, settings) => ReadAsync(connection, settings, variable, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<string>>(
            async (connection, _) =>
            {
                await using var command = new NpgsqlCommand("SELECT DISTINCT name COLLATE \"C\" AS name FROM lockstep_tick_tuples ORDER BY name", connection);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                var names = new List<string>();
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) names.Add(reader.GetString(0));
                names.Sort(StringComparer.Ordinal);
                return names;
            },
            cancellationToken);

    /// <inheritdoc/>
    public async Task<TickCommit> ChangeAsync(string variable, string who, Func<TickReading, TickEdit> decide, CancellationToken cancellationToken)
    {
        var committing = false;
        try
        {
            return await RunAsync(
                async (connection, settings) =>
                {
                    await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
                    await TakeTurnAsync(connection, variable, cancellationToken).ConfigureAwait(false);
                    var before = await ReadAsync(connection, settings, variable, cancellationToken).ConfigureAwait(false);
                    var edit = decide(before);
                    if (edit.Operations.Count > 0) await ApplyAsync(connection, variable, who, before.StoreTime, edit, cancellationToken).ConfigureAwait(false);
                    if (edit.Deadline is { } deadline && await NowAsync(connection, cancellationToken).ConfigureAwait(false) >= deadline)
                    {
                        throw new TickDeadlineException(variable, deadline);
                    }

                    cancellationToken.ThrowIfCancellationRequested();
                    committing = true;
                    await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                    committing = false;
                    return new TickCommit(edit, before, await CommittedAtAsync(connection, before, cancellationToken).ConfigureAwait(false));
                },
                cancellationToken,
                mayRepeat: () => !committing).ConfigureAwait(false);
        }
        catch (TickStoreUnavailableException e) when (committing)
        {
            throw new TickStoreUnavailableException(Description, e.InnerException!.Message, outcomeUnknown: true, e.InnerException);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<TickAuditEntry>>(
            async (connection, _) =>
            {
                await using var command = new NpgsqlCommand(
                    """
                    SELECT change_id, at, who, action, active_at, value, tick_ms, moved_from FROM lockstep_tick_audit
                    WHERE name = $1 ORDER BY id DESC LIMIT $2
                    """,
                    connection) { Parameters = { new() { Value = variable }, new() { Value = newest } } };
                await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                var entries = new List<TickAuditEntry>();
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    var operation = new TickOperation(
                        Enum.Parse<TickAction>(reader.GetString(3)), ReadTuple(reader, 4), reader.IsDBNull(7) ? null : reader.GetFieldValue<DateTimeOffset>(7));
                    entries.Add(new TickAuditEntry(reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2), variable, operation));
                }

                entries.Reverse();
                return entries;
            },
            cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync().ConfigureAwait(false);
        _opening.Dispose();
    }

    /// <summary>Waits until no other transaction changes the variable, until the end of this one.</summary>
    private static async Task TakeTurnAsync(NpgsqlConnection connection, string variable, CancellationToken cancellationToken)
    {
        await using var turn = new NpgsqlCommand("SELECT pg_advisory_xact_lock(hashtextextended('lockstep tick ' || $1, 0))", connection) { Parameters = { new() { Value = variable } } };
        await turn.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads in a statement of its own, so that after a wait for the turn it sees what the one before committed. The clock comes last.</summary>
    private async Task<TickReading> ReadAsync(NpgsqlConnection connection, TickSettings settings, string variable, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("SELECT active_at, value, tick_ms FROM lockstep_tick_tuples WHERE name = $1") { Parameters = { new() { Value = variable } } },
                new NpgsqlBatchCommand("SELECT clock_timestamp()"),
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var tuples = new List<TickTuple>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) tuples.Add(ReadTuple(reader, 0));
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return new TickReading(new TickSchedule(settings.DefaultTick, tuples), settings, _clock?.GetUtcNow() ?? reader.GetFieldValue<DateTimeOffset>(0));
    }

    private static async Task ApplyAsync(
        NpgsqlConnection connection, string variable, string who, DateTimeOffset at, TickEdit edit, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach (var instant in edit.Removals)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand("DELETE FROM lockstep_tick_tuples WHERE name = $1 AND active_at = $2")
            {
                Parameters = { new() { Value = variable }, new() { Value = instant } },
            });
        }

        foreach (var tuple in edit.Writes)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(
                """
                INSERT INTO lockstep_tick_tuples (name, active_at, value, tick_ms) VALUES ($1, $2, $3, $4)
                ON CONFLICT (name, active_at) DO UPDATE SET value = EXCLUDED.value, tick_ms = EXCLUDED.tick_ms
                """)
            {
                Parameters = { new() { Value = variable }, new() { Value = tuple.ActiveAt }, Json(tuple), Tick(tuple) },
            });
        }

        var change = Guid.NewGuid();
        foreach (var operation in edit.Operations)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(
                """
                INSERT INTO lockstep_tick_audit (change_id, at, who, name, action, active_at, value, tick_ms, moved_from)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                """)
            {
                Parameters =
                {
                    new() { Value = change }, new() { Value = at }, new() { Value = who }, new() { Value = variable }, new() { Value = operation.Action.ToString() },
                    new() { Value = operation.Tuple.ActiveAt }, Json(operation.Tuple), Tick(operation.Tuple),
                    new() { Value = operation.MovedFrom ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                },
            });
        }

        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<DateTimeOffset> NowAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (_clock is not null) return _clock.GetUtcNow();
        await using var command = new NpgsqlCommand("SELECT clock_timestamp()", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return reader.GetFieldValue<DateTimeOffset>(0);
    }

    /// <summary>The change stands whatever becomes of the connection now; without an answer it counts as late.</summary>
    private async Task<DateTimeOffset> CommittedAtAsync(NpgsqlConnection connection, TickReading before, CancellationToken cancellationToken)
    {
        try
        {
            return await NowAsync(connection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            return before.StoreTime + TickTuple.MaximumTick;
        }
    }

    /// <summary>
    /// Tries once more when the first connection turns out to be broken: a pooled one does after the server was restarted. Never once a commit was sent.
    /// </summary>
    private async Task<T> RunAsync<T>(
        Func<NpgsqlConnection, TickSettings, Task<T>> operation, CancellationToken cancellationToken, Func<bool>? mayRepeat = null)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                return await operation(connection, _settings ?? await PrepareAsync(connection, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
            }
            catch (NpgsqlException e) when (attempt == 1 && e.InnerException is IOException && mayRepeat?.Invoke() != false)
            {
                _source.Clear();
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException)
            {
                throw new TickStoreUnavailableException(Description, e.Message, outcomeUnknown: false, e);
            }
        }
    }

    /// <summary>Makes the tables if that was asked for, once, and reads the settings.</summary>
    private async Task<TickSettings> PrepareAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_newSettings is not null) await CreateAsync(connection, _newSettings, cancellationToken).ConfigureAwait(false);
            await using var command = new NpgsqlCommand("SELECT default_tick_ms, skew_bound_ms, latency_ms FROM lockstep_tick_settings", connection);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) throw new TickStoreUnavailableException(Description, "its settings are missing", outcomeUnknown: false, null);
            return _settings = new TickSettings(
                TimeSpan.FromMilliseconds(reader.GetInt64(0)),
                reader.IsDBNull(1) ? null : TimeSpan.FromMilliseconds(reader.GetInt64(1)),
                TimeSpan.FromMilliseconds(reader.GetInt64(2)));
        }
        finally
        {
            _opening.Release();
        }
    }

    private static async Task CreateAsync(NpgsqlConnection connection, TickSettings settings, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);

        // Two processes that make the tables at once would collide in the catalogue, IF NOT EXISTS or not.
        await TakeTurnAsync(connection, "tables", cancellationToken).ConfigureAwait(false);
        await using var tables = new NpgsqlCommand(
            """
            CREATE TABLE IF NOT EXISTS lockstep_tick_settings (
                one integer PRIMARY KEY DEFAULT 1 CHECK (one = 1), default_tick_ms bigint NOT NULL, skew_bound_ms bigint, latency_ms bigint NOT NULL);
            CREATE TABLE IF NOT EXISTS lockstep_tick_tuples (
                name text COLLATE "C" NOT NULL, active_at timestamptz NOT NULL, value json NOT NULL, tick_ms bigint NOT NULL, PRIMARY KEY (name, active_at));
            CREATE TABLE IF NOT EXISTS lockstep_tick_audit (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, change_id uuid NOT NULL, at timestamptz NOT NULL, who text NOT NULL, name text COLLATE "C" NOT NULL,
                action text NOT NULL, active_at timestamptz NOT NULL, value json NOT NULL, tick_ms bigint NOT NULL, moved_from timestamptz);
            CREATE INDEX IF NOT EXISTS lockstep_tick_audit_name ON lockstep_tick_audit (name, id);
            """,
            connection);
        await tables.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await using var row = new NpgsqlCommand(
            "INSERT INTO lockstep_tick_settings (default_tick_ms, skew_bound_ms, latency_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", connection)
        {
            Parameters =
            {
                new() { Value = (long)settings.DefaultTick.TotalMilliseconds },
                new() { Value = settings.SkewBound is { } skew ? (long)skew.TotalMilliseconds : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint },
                new() { Value = (long)settings.Latency.TotalMilliseconds },
            },
        };
        await row.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static TickTuple ReadTuple(NpgsqlDataReader reader, int column) =>
        new(reader.GetFieldValue<DateTimeOffset>(column), reader.GetString(column + 1), TimeSpan.FromMilliseconds(reader.GetInt64(column + 2)));

    private static NpgsqlParameter Json(TickTuple tuple) => new() { Value = tuple.Json, NpgsqlDbType = NpgsqlDbType.Json };

    private static NpgsqlParameter Tick(TickTuple tuple) => new() { Value = (long)tuple.Tick.TotalMilliseconds };
}
