using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Ticks;

/// <summary>
/// A store in an SQLite file, shared by the processes of one machine, whose clock is the store's clock. The file is opened for each
/// operation and closed after it: a file that was removed or restored is noticed at once, and a process that is not using it locks nothing.
/// It uses a rollback journal rather than a WAL, so that the store is a single file (another is beside it only while writers wait); a
/// change is on disk when the call returns.
/// </summary>
public sealed class SqliteTickStore : ITickStore
{
    private readonly string _path;
    private readonly TickSettings? _newSettings;
    private readonly TimeProvider _clock;
    private readonly Lock _openGate = new();
    private TickSettings? _settings;

    /// <summary>Names the file; opens nothing yet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="create">
    /// The settings with which the first operation creates the file if it does not exist; null to treat a missing file as an unavailable
    /// store.
    /// </param>
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
    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) =>
        RunAsync((_, settings) => settings, cancellationToken);

    /// <inheritdoc/>
    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        RunAsync((connection, settings) => Read(connection, settings, variable), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) =>
        RunAsync((connection, _) => SqliteTickTables.ReadNames(connection), cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    ) =>
        RunAsync(
            (connection, settings) =>
            {
                // The schedule is read under the lock under which it is written, so that no update is lost.
                SqliteTurn.Take(connection, _path, cancellationToken);
                SqliteTickTables.RequireFormat(connection, Description);
                TickReading[] before = [.. variables.Select(variable => Read(connection, settings, variable))];
                var time = _clock.GetUtcNow();
                before = Array.ConvertAll(before, reading => reading with { StoreTime = time });
                var edits = decide(before);
                if (edits.Any(edit => edit.Operations.Count > 0))
                {
                    var change = Guid.NewGuid();
                    SqliteTickTables.Complete(connection);
                    SqliteTickTables.Count(connection);
                    foreach (var (variable, edit) in variables.Zip(edits))
                        SqliteTickTables.Apply(connection, change, variable, who, time, edit);
                }

                cancellationToken.ThrowIfCancellationRequested();
                TickEdit.CheckDeadline(variables, edits, _clock.GetUtcNow());
                SqliteTurn.Commit(connection);
                return TickCommit.Of(edits, before, _clock.GetUtcNow());
            },
            cancellationToken
        );

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        RunAsync((connection, _) => SqliteTickTables.ReadAudit(connection, variable, newest), cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Reads the clock last.</summary>
    private TickReading Read(SqliteConnection connection, TickSettings settings, string variable)
    {
        var stamp = SqliteTickTables.ReadStamp(connection);
        var schedule = new TickSchedule(settings.DefaultTick, SqliteTickTables.ReadTuples(connection, variable));
        return new TickReading(schedule, settings, _clock.GetUtcNow()) { Stamp = stamp };
    }

    /// <summary>
    /// SQLite has no asynchronous calls, and one that waits for another process's lock would block a pool thread, where the timers run that
    /// switch variables; so each operation has its own thread.
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
                    throw new TickStoreUnavailableException(Description, ReasonOf(e), outcomeUnknown: false, e);
                }
            },
            cancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );

    private string ReasonOf(SqliteException error) =>
        File.Exists(_path)
            ? error.Message.Contains("no such table", StringComparison.Ordinal)
                ? "the file holds no variables; setting one adds them"
                : Plain(error.Message)
            : MissingFolder.Describe(Path.GetDirectoryName(_path)!) is { } missing
                ? char.ToLowerInvariant(missing[0]) + missing[1..].TrimEnd('.')
                : _newSettings is null
                    ? "there is no such file; setting a variable creates it"
                    : Plain(error.Message);

    /// <summary>What SQLite says, without its error's number and quotes.</summary>
    private static string Plain(string message)
    {
        var first = message.IndexOf('\'', StringComparison.Ordinal);
        var last = message.LastIndexOf('\'');
        return (first >= 0 && last > first ? message[(first + 1)..last] : message).TrimEnd('.');
    }

    private SqliteConnection Open()
    {
        lock (_openGate)
        {
            // The file is created at most once: if it disappears later, the store is down, not empty.
            if (_settings is null && _newSettings is not null)
            {
                using var created = Connect(SqliteOpenMode.ReadWriteCreate);
                SqliteTurn.Take(created, _path, CancellationToken.None);
                SqliteTickTables.RequireFormat(created, Description);
                SqliteTickTables.Create(created, _newSettings);
                SqliteTurn.Commit(created);
            }
        }

        var connection = Connect(SqliteOpenMode.ReadWrite);
        try
        {
            SqliteTickTables.RequireFormat(connection, Description);
            _settings ??= SqliteTickTables.ReadSettings(connection);
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
        SqliteLibrary.Require();
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder
            {
                DataSource = _path,
                Mode = mode,
                Pooling = false,
                DefaultTimeout = SqliteTurn.TimeoutSeconds,
            }.ToString()
        );
        try
        {
            connection.Open();
            SqliteLibrary.Distrust(connection);
            SqliteTurn.Prepare(connection);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
