using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Ticks;

/// <summary>
/// A store in an SQLite file, shared by the processes of one machine, whose clock is the store's clock. The file is opened for each operation and closed after it:
/// a file that was taken away or put back is noticed at once, and nothing stays locked by a process that does not use it.
/// A rollback journal, not a WAL, so that the store is one file; a change is on the disk when it returns.
/// </summary>
public sealed class SqliteTickStore : ITickStore
{
    private readonly string _path;
    private readonly TickSettings? _newSettings;
    private readonly TimeProvider _clock;
    private readonly Lock _openGate = new();
    private TickSettings? _settings;

    static SqliteTickStore() => SQLitePCL.Batteries_V2.Init();

    /// <summary>Names the file; nothing is opened yet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="create">The settings of the store if the file is not there yet and the first operation makes it; null to find a missing file unavailable.</param>
    /// <param name="clock">The store's clock, the same for all processes; null for the system's.</param>
    public SqliteTickStore(string path, TickSettings? create = null, TimeProvider? clock = null)
    {
        _path = Path.GetFullPath(path);
        _newSettings = create?.Check();
        _clock = clock ?? TimeProvider.System;
    }

    /// <inheritdoc/>
    public string Description => _path;

    /// <inheritdoc/>
    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => RunAsync((_, settings) => settings, cancellationToken);

    /// <inheritdoc/>
    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        RunAsync((connection, settings) => Read(connection, null, settings, variable), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<string>>(
            (connection, _) =>
            {
                using var command = Command(connection, null, "SELECT DISTINCT name FROM lockstep_tick_tuples ORDER BY name");
                using var reader = command.ExecuteReader();
                var names = new List<string>();
                while (reader.Read()) names.Add(reader.GetString(0));
                return names;
            },
            cancellationToken);

    /// <inheritdoc/>
    public Task<TickCommit> ChangeAsync(string variable, string who, Func<TickReading, TickEdit> decide, CancellationToken cancellationToken) =>
        RunAsync(
            (connection, settings) =>
            {
                // IMMEDIATE: the schedule is read under the lock with which it is written, so that no update is lost.
                using var transaction = connection.BeginTransaction(deferred: false);
                var before = Read(connection, transaction, settings, variable);
                var edit = decide(before);
                if (edit.Operations.Count > 0) Apply(connection, transaction, variable, who, before.StoreTime, edit);
                cancellationToken.ThrowIfCancellationRequested();
                if (edit.Deadline is { } deadline && _clock.GetUtcNow() >= deadline) throw new TickDeadlineException(variable, deadline);
                transaction.Commit();
                return new TickCommit(edit, before, _clock.GetUtcNow());
            },
            cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<TickAuditEntry>>(
            (connection, _) =>
            {
                using var command = Command(
                    connection,
                    null,
                    """
                    SELECT change_id, at_ms, who, action, active_at_ms, value, tick_ms, moved_from_ms FROM lockstep_tick_audit
                    WHERE name = $name ORDER BY id DESC LIMIT $newest
                    """,
                    ("$name", variable),
                    ("$newest", newest));
                using var reader = command.ExecuteReader();
                var entries = new List<TickAuditEntry>();
                while (reader.Read())
                {
                    var operation = new TickOperation(
                        Enum.Parse<TickAction>(reader.GetString(3)), ReadTuple(reader, 4), reader.IsDBNull(7) ? null : FromMilliseconds(reader.GetInt64(7)));
                    entries.Add(new TickAuditEntry(Guid.Parse(reader.GetString(0)), FromMilliseconds(reader.GetInt64(1)), reader.GetString(2), variable, operation));
                }

                entries.Reverse();
                return entries;
            },
            cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private TickReading Read(SqliteConnection connection, SqliteTransaction? transaction, TickSettings settings, string variable)
    {
        using var command = Command(
            connection, transaction, "SELECT active_at_ms, value, tick_ms FROM lockstep_tick_tuples WHERE name = $name", ("$name", variable));
        using var reader = command.ExecuteReader();
        var tuples = new List<TickTuple>();
        while (reader.Read()) tuples.Add(ReadTuple(reader, 0));
        return new TickReading(new TickSchedule(settings.DefaultTick, tuples), settings, _clock.GetUtcNow());
    }

    private static void Apply(
        SqliteConnection connection, SqliteTransaction transaction, string variable, string who, DateTimeOffset at, TickEdit edit)
    {
        foreach (var instant in edit.Removals)
        {
            using var delete = Command(
                connection, transaction, "DELETE FROM lockstep_tick_tuples WHERE name = $name AND active_at_ms = $at", ("$name", variable), ("$at", Milliseconds(instant)));
            delete.ExecuteNonQuery();
        }

        foreach (var tuple in edit.Writes)
        {
            using var write = Command(
                connection,
                transaction,
                "INSERT OR REPLACE INTO lockstep_tick_tuples (name, active_at_ms, value, tick_ms) VALUES ($name, $at, $value, $tick)",
                ("$name", variable),
                ("$at", Milliseconds(tuple.ActiveAt)),
                ("$value", tuple.Json),
                ("$tick", (long)tuple.Tick.TotalMilliseconds));
            write.ExecuteNonQuery();
        }

        var change = Guid.NewGuid().ToString();
        foreach (var operation in edit.Operations)
        {
            using var audit = Command(
                connection,
                transaction,
                """
                INSERT INTO lockstep_tick_audit (change_id, at_ms, who, name, action, active_at_ms, value, tick_ms, moved_from_ms)
                VALUES ($change, $now, $who, $name, $action, $at, $value, $tick, $from)
                """,
                ("$change", change),
                ("$now", Milliseconds(at)),
                ("$who", who),
                ("$name", variable),
                ("$action", operation.Action.ToString()),
                ("$at", Milliseconds(operation.Tuple.ActiveAt)),
                ("$value", operation.Tuple.Json),
                ("$tick", (long)operation.Tuple.Tick.TotalMilliseconds),
                ("$from", operation.MovedFrom is { } from ? Milliseconds(from) : DBNull.Value));
            audit.ExecuteNonQuery();
        }
    }

    /// <summary>
    /// SQLite has no asynchronous calls, and one that waits for another process's lock would hold up a thread of the pool, where the timers run that
    /// switch variables: each operation has a thread of its own.
    /// </summary>
    private Task<T> RunAsync<T>(Func<SqliteConnection, TickSettings, T> operation, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(
            () =>
            {
                try
                {
                    using var connection = Open();
                    return operation(connection, _settings!);
                }
                catch (SqliteException e)
                {
                    string reason = File.Exists(_path) ? e.Message.TrimEnd('.') : "there is no such file; setting a variable makes it";
                    throw new TickStoreUnavailableException(Description, reason, outcomeUnknown: false, e);
                }
            },
            cancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

    private SqliteConnection Open()
    {
        lock (_openGate)
        {
            // The file is made at most once: one that disappears later is a store that is down, not an empty one.
            if (_settings is null && _newSettings is not null) Create(_newSettings);
        }

        var connection = Connect(SqliteOpenMode.ReadWrite);
        try
        {
            _settings ??= ReadSettings(connection);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private SqliteConnection Connect(SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _path, Mode = mode, Pooling = false }.ToString());
        try
        {
            connection.Open();

            // SQLite's own waiting looks again after 1, 2, 5 ... ms; the driver's after 150 ms, which is long beside a small tick.
            using var pragma = Command(connection, null, "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL");
            pragma.ExecuteNonQuery();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void Create(TickSettings settings)
    {
        using var connection = Connect(SqliteOpenMode.ReadWriteCreate);
        using var transaction = connection.BeginTransaction(deferred: false);
        using var command = Command(
            connection,
            transaction,
            """
            CREATE TABLE IF NOT EXISTS lockstep_tick_settings (
                one INTEGER PRIMARY KEY CHECK (one = 1), default_tick_ms INTEGER NOT NULL, skew_bound_ms INTEGER, latency_ms INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS lockstep_tick_tuples (
                name TEXT NOT NULL, active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL, PRIMARY KEY (name, active_at_ms)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS lockstep_tick_audit (
                id INTEGER PRIMARY KEY AUTOINCREMENT, change_id TEXT NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL, name TEXT NOT NULL, action TEXT NOT NULL,
                active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL, moved_from_ms INTEGER);
            CREATE INDEX IF NOT EXISTS lockstep_tick_audit_name ON lockstep_tick_audit (name, id);
            INSERT OR IGNORE INTO lockstep_tick_settings VALUES (1, $tick, $skew, $latency);
            """,
            ("$tick", (long)settings.DefaultTick.TotalMilliseconds),
            ("$skew", settings.SkewBound is { } skew ? (long)skew.TotalMilliseconds : DBNull.Value),
            ("$latency", (long)settings.Latency.TotalMilliseconds));
        command.ExecuteNonQuery();
        transaction.Commit();
    }

    private static TickSettings ReadSettings(SqliteConnection connection)
    {
        using var command = Command(connection, null, "SELECT default_tick_ms, skew_bound_ms, latency_ms FROM lockstep_tick_settings");
        using var reader = command.ExecuteReader();
        reader.Read();
        return new TickSettings(
            TimeSpan.FromMilliseconds(reader.GetInt64(0)),
            reader.IsDBNull(1) ? null : TimeSpan.FromMilliseconds(reader.GetInt64(1)),
            TimeSpan.FromMilliseconds(reader.GetInt64(2)));
    }

    private static TickTuple ReadTuple(SqliteDataReader reader, int column) =>
        new(FromMilliseconds(reader.GetInt64(column)), reader.GetString(column + 1), TimeSpan.FromMilliseconds(reader.GetInt64(column + 2)));

    private static SqliteCommand Command(SqliteConnection connection, SqliteTransaction? transaction, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // Every text is a literal of this file.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters) command.Parameters.AddWithValue(name, value);
        return command;
    }

    private static long Milliseconds(DateTimeOffset instant) => instant.ToUnixTimeMilliseconds();

    private static DateTimeOffset FromMilliseconds(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
