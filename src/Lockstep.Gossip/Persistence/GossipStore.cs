using System.Buffers;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Lockstep.Gossip.Clock;
using Microsoft.Data.Sqlite;

namespace Lockstep.Gossip.Persistence;

/// <summary>
/// The SQLite file of a node: its id, the updates it keeps and its clock, which change in one transaction. A commit is on disk when it
/// returns, because an update of this node that a peer has and the file does not would be lost when the node restarts. Held open by one
/// process at a time. Not safe for concurrent use.
/// </summary>
internal sealed class GossipStore : IDisposable
{
    private const int ApplicationId = 0x4C536779;

    /// <summary>
    /// The format of the file. A newer one is refused by name; anything that an earlier Lockstep would lose or misread makes a new format.
    /// The first had no update numbers; it is upgraded.
    /// </summary>
    private const int Format = 2;
    private readonly FileStream _lock;
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _add;
    private readonly SqliteCommand _remove;
    private readonly SqliteCommand _clock;
    private readonly Dictionary<string, SourceEntry> _entries = new(StringComparer.Ordinal);
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);
    private readonly ArrayBufferWriter<byte> _line = new(256);
    private SqliteTransaction? _transaction;

    private GossipStore(FileStream fileLock, SqliteConnection connection)
    {
        _lock = fileLock;
        _connection = connection;
        Id = string.Empty;
        _add = Command(
            "INSERT INTO gossip_update (source, timestamp, line) VALUES ($source, $timestamp, $line)",
            ("$source", SqliteType.Text),
            ("$timestamp", SqliteType.Real),
            ("$line", SqliteType.Blob)
        );
        _remove = Command(
            "DELETE FROM gossip_update WHERE source = $source AND timestamp = $timestamp",
            ("$source", SqliteType.Text),
            ("$timestamp", SqliteType.Real)
        );
        _clock = Command(
            """
            INSERT INTO gossip_clock (source, timestamp, horizon, number, missing, whole)
            VALUES ($source, $timestamp, $horizon, $number, $missing, $whole)
            ON CONFLICT (source) DO UPDATE SET timestamp = excluded.timestamp, horizon = excluded.horizon,
                number = excluded.number, missing = excluded.missing, whole = excluded.whole
            """,
            ("$source", SqliteType.Text),
            ("$timestamp", SqliteType.Real),
            ("$horizon", SqliteType.Real),
            ("$number", SqliteType.Integer),
            ("$missing", SqliteType.Text),
            ("$whole", SqliteType.Real)
        );
    }

    public string Id { get; private set; }

    /// <summary>Opens or creates the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="kind">The data type.</param>
    /// <param name="requiredId">The id that the file must have, or null for any.</param>
    /// <param name="newId">The id that a new file gets.</param>
    /// <param name="sealedFor">The name of the model for which the node signs; null if it does not sign.</param>
    public static GossipStore Open(string path, string kind, string? requiredId, string newId, string? sealedFor)
    {
        SqliteLibrary.Require();
        var fileLock = TakeLock(path);
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        try
        {
            connection.Open();
            SqliteLibrary.Distrust(connection);
            Prepare(connection, path, kind, requiredId ?? newId);
            RequireModel(connection, path, sealedFor);
            var store = new GossipStore(fileLock, connection);
            store.Id = (string)Scalar(connection, "SELECT value FROM gossip_node WHERE name = 'id'")!;
            if (requiredId is not null && store.Id != requiredId)
            {
                throw new GossipIdentityException(
                    $"'{path}' belongs to the node '{store.Id}', not '{requiredId}'.",
                    "Leave out the id, or choose another file."
                );
            }

            return store;
        }
        catch (SqliteException error)
        {
            connection.Dispose();
            fileLock.Dispose();
            throw new GossipStoreException(
                $"'{path}' cannot be opened as a node file: {error.Message}",
                "Choose another file, or repair this one.",
                error
            );
        }
        catch
        {
            connection.Dispose();
            fileLock.Dispose();
            throw;
        }
    }

    /// <summary>The lines of all updates, in order of time within each source.</summary>
    public IEnumerable<byte[]> ReadUpdates()
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "SELECT line FROM gossip_update ORDER BY timestamp, source";
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            yield return (byte[])reader[0];
        }
    }

    /// <summary>What is known about each source.</summary>
    public IReadOnlyCollection<KeyValuePair<string, SourceEntry>> ReadClock()
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "SELECT source, timestamp, horizon, number, missing, whole FROM gossip_clock";
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var horizon = reader.IsDBNull(2) ? (double?)null : reader.GetDouble(2);
            var count = reader.IsDBNull(3)
                ? null
                : new SourceCount(
                    reader.GetInt64(3),
                    NumberRanges.TryParse(reader.GetString(4), 1) ?? new NumberRanges(),
                    reader.IsDBNull(5) ? null : reader.GetDouble(5)
                );
            _entries[reader.GetString(0)] = new SourceEntry(reader.GetDouble(1), horizon, count);
        }

        return _entries;
    }

    public void Add(GossipUpdate update) =>
        Try(() =>
        {
            _line.ResetWrittenCount();
            update.WriteTo(_line);
            Run(_add, update.Source, update.Timestamp, _line.WrittenSpan.ToArray());
        });

    public void Remove(GossipUpdate update) => Try(() => Run(_remove, update.Source, update.Timestamp));

    public void SetClock(string source, double timestamp)
    {
        _entries[source] = _entries.GetValueOrDefault(source) with { Timestamp = timestamp };
        _changed.Add(source);
    }

    public void SetCount(string source, SourceCount count)
    {
        _entries[source] = _entries.GetValueOrDefault(source) with { Count = count };
        _changed.Add(source);
    }

    public void SetHorizon(string source, double horizon)
    {
        var entry = _entries.TryGetValue(source, out var known) ? known : new SourceEntry(double.NegativeInfinity, null, null);
        _entries[source] = entry with { Horizon = horizon };
        _changed.Add(source);
    }

    /// <summary>Commits everything since the last commit.</summary>
    /// <exception cref="GossipStoreException">It could not be written.</exception>
    public void Commit() =>
        Try(() =>
        {
            foreach (var source in _changed)
            {
                var (timestamp, horizon, count) = _entries[source];
                Run(
                    _clock,
                    source,
                    timestamp,
                    (object?)horizon ?? DBNull.Value,
                    (object?)count?.Top ?? DBNull.Value,
                    (object?)count?.Missing.ToString() ?? DBNull.Value,
                    (object?)count?.Whole ?? DBNull.Value
                );
            }

            _changed.Clear();
            _transaction?.Commit();
            _transaction?.Dispose();
            _transaction = null;
        });

    public void Dispose()
    {
        _transaction?.Dispose();
        _add.Dispose();
        _remove.Dispose();
        _clock.Dispose();
        _connection.Dispose();
        _lock.Dispose();
    }

    private static FileStream TakeLock(string path)
    {
        try
        {
            // Outside SQLite, because its own locks do not exclude a second copy of SQLite in this process.
            return LockFile.Open(RealPath.Of(path) + "-lock");
        }
        catch (NoLockFileException error)
        {
            throw new GossipStoreException(error.Message, "Remove it and try again, or choose a folder that no one else writes to.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            if (System.IO.Path.GetDirectoryName(path) is { Length: > 0 } folder && MissingFolder.Describe(folder) is { } missing)
                throw new GossipStoreException(missing, $"{MissingFolder.Advice(folder)} a file in a folder that exists.", error);
            throw new GossipStoreException(
                error is UnauthorizedAccessException
                        ? $"'{path}' cannot be opened: its folder, or the file beside it that locks it, may not be written to."
                    : error.Message.Contains("another process", StringComparison.Ordinal) ? $"'{path}' is open in another process."
                    : $"'{path}' cannot be opened: {error.Message}",
                error.Message.Contains("another process", StringComparison.Ordinal)
                    ? "Close it there: there can be one live process per node."
                    : "Choose a file in a folder that you may write to.",
                error
            );
        }
    }

    private static void Prepare(SqliteConnection connection, string path, string kind, string id)
    {
        var application = (long)Scalar(connection, "PRAGMA application_id")!;
        var isNew = (long)Scalar(connection, "SELECT count(*) FROM sqlite_master")! == 0;
        if (!isNew && application != ApplicationId)
        {
            throw new GossipStoreException($"'{path}' is not the file of a gossip node.", "Choose another file.");
        }

        var format = (long)Scalar(connection, "PRAGMA user_version")!;
        if (format > Format && !isNew)
        {
            throw new GossipStoreException(
                $"'{path}' was written by a newer Lockstep (format {format}, this one reads up to {Format}). Nothing was changed in it.",
                "Update Lockstep, or choose another file."
            );
        }

        Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
        if (isNew)
        {
            using var transaction = connection.BeginTransaction();
            Execute(
                connection,
                $"""
                PRAGMA application_id = {ApplicationId};
                PRAGMA user_version = {Format};
                CREATE TABLE gossip_node (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
                CREATE TABLE gossip_update (source TEXT, timestamp REAL, line BLOB NOT NULL, PRIMARY KEY (source, timestamp)) WITHOUT ROWID;
                CREATE TABLE gossip_clock (
                    source TEXT PRIMARY KEY, timestamp REAL NOT NULL, horizon REAL, number INTEGER, missing TEXT, whole REAL
                ) WITHOUT ROWID;
                """
            );
            using var command = connection.CreateCommand();
            command.CommandText = "INSERT INTO gossip_node (name, value) VALUES ('id', $id), ('kind', $kind)";
            command.Parameters.AddWithValue("$id", id);
            command.Parameters.AddWithValue("$kind", kind);
            command.ExecuteNonQuery();
            transaction.Commit();
            return;
        }

        var found = (string)Scalar(connection, "SELECT value FROM gossip_node WHERE name = 'kind'")!;
        if (found != kind)
        {
            throw new GossipStoreException($"'{path}' holds a node of type '{found}', not '{kind}'.", "Choose another file.");
        }

        if (format == 1)
        {
            using var transaction = connection.BeginTransaction();
            Execute(
                connection,
                $"""
                ALTER TABLE gossip_clock ADD COLUMN number INTEGER;
                ALTER TABLE gossip_clock ADD COLUMN missing TEXT;
                ALTER TABLE gossip_clock ADD COLUMN whole REAL;
                PRAGMA user_version = {Format};
                """
            );
            transaction.Commit();
        }
    }

    /// <summary>The file's updates are signed for one model, and new ones would be for another.</summary>
    private static void RequireModel(SqliteConnection connection, string path, string? sealedFor)
    {
        if (sealedFor is null)
        {
            return;
        }

        using var command = connection.CreateCommand();
        command.CommandText = "INSERT INTO gossip_node (name, value) VALUES ('sealedFor', $model) ON CONFLICT (name) DO NOTHING";
        command.Parameters.AddWithValue("$model", sealedFor);
        command.ExecuteNonQuery();
        var found = (string)Scalar(connection, "SELECT value FROM gossip_node WHERE name = 'sealedFor'")!;
        if (found != sealedFor)
        {
            throw new GossipStoreException(
                $"What '{path}' holds is signed for the shared name '{found}', not '{sealedFor}'.",
                "Give that shared name, or choose another file."
            );
        }
    }

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (SqliteException error)
        {
            throw new GossipStoreException(
                "The node's file could not be written, and the node accepts no further updates: " + error.Message,
                "Free disk space or repair the file, and start the node again.",
                error
            );
        }
    }

    private void Run(SqliteCommand command, params ReadOnlySpan<object> values)
    {
        _transaction ??= _connection.BeginTransaction();
        command.Transaction = _transaction;
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i];
        }

        command.ExecuteNonQuery();
    }

    private SqliteCommand Command(string text, params ReadOnlySpan<(string Name, SqliteType Type)> parameters)
    {
        var command = _connection.CreateCommand();
        command.CommandText = text;
        foreach (var (name, type) in parameters)
        {
            command.Parameters.Add(name, type);
        }

        command.Prepare();
        return command;
    }

    private static void Execute(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        return command.ExecuteScalar();
    }
}
