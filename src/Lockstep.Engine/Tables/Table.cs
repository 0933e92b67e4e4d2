using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A table file, for everything but syncing it. Each member opens the file on its own. Any thread may call any member, even while a sync of
/// the same file runs; only those that write need exclusive access.
/// </summary>
/// <param name="path">The file's full path.</param>
/// <param name="stop">Ends any running read within a second, and prevents new ones (I10).</param>
public sealed class Table(string path, CancellationToken stop = default) : ITable
{
    /// <summary>A table's description is a few rows; no sound file takes longer to read it.</summary>
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How many records are made into objects as they are read, so that a caller who wants only a few does not wait for more.
    /// </summary>
    private const int MadeAtOnce = 256;

    /// <summary>The file's full path.</summary>
    public string Path => path;

    /// <summary>Whether a file claims to be a Lockstep table. Cheap: it reads a hundred bytes.</summary>
    public static bool IsTable(string path) => TableFile.IsTableFile(path);

    /// <summary>The table files of a folder, by name.</summary>
    public static IReadOnlyList<string> FindIn(string folder)
    {
        if (!Directory.Exists(folder))
            return [];
        var options = new EnumerationOptions { IgnoreInaccessible = true };
        return [.. Directory.EnumerateFiles(folder, "*", options).Where(IsTable).Order(StringComparer.Ordinal)];
    }

    /// <summary>Reads the file's description of its table.</summary>
    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    /// <exception cref="TableFileException">It is not a table file, or cannot be read within five seconds.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public TableInfo GetInfo()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(LongestLook);
        try
        {
            using var connection = ReadConnection.Open(path, patience.Token);
            return connection.Read(() =>
                TableInfo.From(path, TableState.Load(connection), Quarantine.Count(connection)) with
                {
                    Indexes = FieldIndexes.Load(connection),
                }
            );
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new TableFileException(
                path,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The table file '{path}' cannot be read within {LongestLook.TotalSeconds} s: another program holds it, "
                        + $"or it is damaged."
                ),
                "Close the program that holds the file and try again; if the file is damaged, restore a backup."
            );
        }
    }

    /// <summary>Opens a scan of records; dispose it.</summary>
    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    /// <exception cref="FilterException">The filter is not a read-only expression over the fields.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; reading the scan stops as well.</exception>
    public IRecordScan Read(RecordQuery? query = null) => Scan(query);

    /// <inheritdoc cref="Read(RecordQuery)"/>
    internal RecordScan Scan(RecordQuery? query = null)
    {
        var connection = ReadConnection.Open(path, stop);
        try
        {
            return connection.Read(() =>
            {
                // One read transaction from here on, so that the description and the records are from the same moment.
                TableFile.Execute(connection, "BEGIN");
                var state = TableState.Load(connection);
                var rows =
                    state.Shape is not null && StageSql.TableExists(connection, TableSchema.Rows)
                        ? new RecordSelect(connection, state, query ?? RecordQuery.All).Prepare()
                        : null;
                return new RecordScan(connection, rows, state.Shape?.KeyLayout ?? KeyLayout.Integer, query?.Filter);
            });
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Reads records as objects of the caller's own type, one after another, as of the moment at which reading starts.</summary>
    /// <typeparam name="T">The type of the objects.</typeparam>
    /// <param name="type">
    /// The type's metadata from <c>System.Text.Json</c>'s source generator, or from <c>JsonSerializerOptions.GetTypeInfo</c>.
    /// </param>
    /// <param name="query">Which records; null for all that are not deleted, in key order.</param>
    /// <returns>
    /// The objects, created on demand; for a large table without a filter, about a thousand are created ahead, partly on the thread pool.
    /// The file stays open until the enumerator ends or is disposed.
    /// </returns>
    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    /// <exception cref="TableFileException">A record of a damaged file is not a JSON object; the message has its key.</exception>
    /// <exception cref="JsonException">A record does not fit the type; the message has its key.</exception>
    public IEnumerable<T> Read<T>(JsonTypeInfo<T> type, RecordQuery? query = null)
    {
        ArgumentNullException.ThrowIfNull(type);
        return ReadAll();

        IEnumerable<T> ReadAll()
        {
            using var scan = Scan(query);
            for (var read = 0; read < MadeAtOnce || !scan.MayGoAhead; read++)
            {
                stop.ThrowIfCancellationRequested();
                if (!scan.Read())
                    yield break;
                yield return scan.Make(type);
            }

            using var ahead = new ObjectsAhead<T>(scan, type);
            while (true)
            {
                var (objects, error) = ahead.Next();
                foreach (var item in objects)
                {
                    stop.ThrowIfCancellationRequested();
                    yield return item;
                }

                error?.Throw();
                if (objects.Count == 0)
                    yield break;
            }
        }
    }

    /// <summary>How many records a query would read without paging.</summary>
    public long Count(RecordQuery query)
    {
        using var connection = ReadConnection.Open(path, stop);
        return connection.Read(() =>
        {
            TableFile.Execute(connection, "BEGIN");
            var state = TableState.Load(connection);
            if (state.Shape is null || !StageSql.TableExists(connection, TableSchema.Rows))
                return 0;
            if (query is { Filter: null, Keys: null, Since: null })
                return query.IncludeDeleted ? state.Rows + state.Tombstones : state.Rows;
            using var count = new RecordSelect(connection, state, query).PrepareCount();
            return FilterGuard.Run(query.Filter, count.Step) ? count.Integer(0) : 0;
        });
    }

    /// <summary>The malformed records in quarantine, oldest first.</summary>
    public IEnumerable<QuarantinedRecord> ReadQuarantined()
    {
        using var connection = ReadConnection.Open(path, stop);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT at, byte_offset, reason, bytes FROM lockstep_quarantine ORDER BY id";
        using var row = connection.Read(command.ExecuteReader);
        while (connection.Read(row.Read))
            yield return connection.Read(() => ReadQuarantined(row));
    }

    private static QuarantinedRecord ReadQuarantined(SqliteDataReader row) =>
        new(
            DateTimeOffset.Parse(row.GetString(0), CultureInfo.InvariantCulture),
            row.GetInt64(1),
            row.GetString(2),
            row.GetFieldValue<byte[]>(3)
        );

    /// <inheritdoc/>
    public IAsyncEnumerable<IReadOnlyList<TableChange>> WatchAsync(
        long? since = null,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    ) => new TableWatcher(path, time).WatchAsync(since, cancellationToken);

    /// <inheritdoc/>
    public Task<TableInfo?> WaitAsync(
        Func<TableInfo, bool> condition,
        TimeSpan? timeout,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    ) => new TableWatcher(path, time).WaitAsync(condition, timeout, cancellationToken);

    /// <summary>Empties the table and unbinds it from its feed. Sequence numbers continue.</summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    public void Clear()
    {
        using var writer = OpenWriter();
        writer.Clear();
    }

    /// <summary>Forgets deleted records whose order value is below a cursor; an older cursor then needs a resync.</summary>
    /// <returns>How many were forgotten.</returns>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    public long ClearTombstones(Cursor before)
    {
        using var writer = OpenWriter();
        return writer.ClearTombstones(before);
    }

    /// <summary>
    /// Maintains an index for exactly these fields, so that a filter that compares one of them to a value finds its records without reading
    /// everything. Indexes survive syncs, and slow each of them down.
    /// </summary>
    /// <param name="fields">The fields, as in <see cref="TableInfo.Fields"/>, at most 16; none for no index.</param>
    /// <exception cref="FieldIndexException">A field is not in the table or cannot be indexed, or there are too many.</exception>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    public void SetIndexes(IReadOnlyCollection<string> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        using var writer = OpenWriter();
        writer.SetIndexes([.. fields.Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>Empties the quarantine.</summary>
    /// <returns>How many were removed.</returns>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    public long ClearQuarantined()
    {
        using var writer = OpenWriter();
        return writer.ClearQuarantined();
    }

    /// <summary>Removes the file and those that SQLite keeps beside it.</summary>
    /// <exception cref="TableBusyException">A sync is writing to it.</exception>
    public void Remove()
    {
        ReadConnection.Open(path).Dispose();
        using var writerLock = TakeLock();
        TableFile.Guard(
            path,
            () =>
            {
                // The log goes first: if it stayed, it would be applied to a new file of this name (I12).
                var real = RealPath.Of(path);
                foreach (var suffix in (string[])["-journal", "-wal", "-shm", ""])
                    File.Delete(real + suffix);
                File.Delete(path);
                return true;
            }
        );
        writerLock.DisposeAndDelete();
    }

    /// <summary>
    /// Writes a copy of the table as of now, even while a sync runs. The copy is a complete table file of its own; it is verified before it
    /// gets its name, and if that fails no copy is left.
    /// </summary>
    /// <param name="target">The full path of a file that does not exist yet (I12).</param>
    /// <param name="overwrite">Whether an existing table file may be overwritten in place.</param>
    public void Backup(string target, bool overwrite = false)
    {
        if (string.Equals(RealPath.Of(target), RealPath.Of(path), StringComparison.Ordinal))
        {
            throw new TableFileException(target, $"The table file '{target}' cannot be backed up to itself.", "Name another file.");
        }

        if (System.IO.Path.Exists(target) ? !overwrite || !IsTable(target) : LockFile.IsLink(target))
        {
            throw new TableFileException(
                target,
                $"The file '{target}' already exists.",
                $"Name another file; only a table file can be overwritten, with {Term.Overwrite}."
            );
        }

        if (System.IO.Path.GetDirectoryName(target) is { Length: > 0 } folder && MissingFolder.Describe(folder) is { } wrong)
        {
            throw new TableFileException(
                target,
                wrong,
                $"{MissingFolder.Advice(folder)} a file in a folder that exists as {Term.Destination}."
            );
        }

        using var source = ReadConnection.Open(path);
        var targetLock = TableFile.Guard(target, () => WriterLock.Take(target));
        try
        {
            TableBackup.Write(source, target);
        }
        finally
        {
            targetLock.DisposeAndDelete();
        }
    }

    /// <exception cref="TableBusyException">A sync is writing to the table.</exception>
    private WriterLock TakeLock()
    {
        try
        {
            return WriterLock.Take(path);
        }
        catch (TableBusyException e)
        {
            throw TableBusyException.WithoutWaiting(path, e.Holder);
        }
    }

    private TableWriter OpenWriter()
    {
        ReadConnection.Open(path).Dispose();
        var writerLock = TakeLock();
        try
        {
            return TableWriter.Open(path, createAs: null, writerLock);
        }
        catch
        {
            writerLock.Dispose();
            throw;
        }
    }
}
