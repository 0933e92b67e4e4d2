using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>Opens table files, and translates errors of SQLite and the file system into errors that say what to do.</summary>
internal static class TableFile
{
    /// <summary>
    /// The size in bytes to which a write-ahead log, grown because of a long reader, shrinks once its contents are in the table file.
    /// </summary>
    private const int LogSizeLimit = 16 * 1024 * 1024;

    /// <summary>The suffixes of the files that SQLite keeps beside a database.</summary>
    public static readonly string[] Companions = ["-wal", "-shm", "-journal"];

    private const int UsualCache = 64 * 1024 * 1024;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, int> Opened = new(StringComparer.Ordinal);

    /// <summary>Opens a table for writing. The caller holds its <see cref="WriterLock"/>.</summary>
    /// <param name="path">The full path.</param>
    /// <param name="createAs">The name of the table to create if there is no file; null to open only.</param>
    /// <param name="isServed">Whether the table is being served, so that a commit must survive a power failure too (I5).</param>
    /// <param name="cacheBytes">The size of SQLite's page cache in bytes; null for the default.</param>
    public static SqliteConnection OpenForWriting(string path, string? createAs, bool isServed = false, int? cacheBytes = null)
    {
        TableFolder.RequireWritable(path);
        if (createAs is null)
            RequireFile(path);
        return Guard(
            path,
            () =>
            {
                var connection = Connect(path, createAs is null ? SqliteOpenMode.ReadWrite : SqliteOpenMode.ReadWriteCreate);
                try
                {
                    var tables = Scalar(connection, "SELECT count(*) FROM sqlite_master");
                    if (
                        tables == 0
                        && createAs is not null
                        && Scalar(connection, "PRAGMA application_id") is 0 or TableSchema.ApplicationId
                    )
                    {
                        TableFormat.Create(connection, createAs);
                    }
                    else
                    {
                        TableFormat.Require(connection, path);
                        TableFormat.Upgrade(connection);
                    }

                    var synchronous = isServed ? "FULL" : "NORMAL";
                    Execute(
                        connection,
                        $"PRAGMA journal_mode=WAL; PRAGMA journal_size_limit={LogSizeLimit}; PRAGMA synchronous={synchronous}; "
                            + $"PRAGMA cache_size=-{(cacheBytes ?? UsualCache) / 1024}; DROP TABLE IF EXISTS {TableSchema.Stage}"
                    );
                    return connection;
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            }
        );
    }

    /// <summary>
    /// Opens a table to record something besides the records, even while a sync runs: it touches neither the sync's lock nor its snapshot.
    /// </summary>
    public static SqliteConnection OpenForMarking(string path)
    {
        RequireFile(path);
        return Guard(
            path,
            () =>
            {
                var connection = Connect(path, SqliteOpenMode.ReadWrite);
                try
                {
                    TableFormat.Require(connection, path);
                    Execute(connection, "PRAGMA synchronous=FULL");
                    return connection;
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            }
        );
    }

    /// <summary>Rolls back what a process left behind that died before it committed.</summary>
    public static void UndoJournal(string path)
    {
        using var writable = ConnectToWrite(path);
        _ = Scalar(writable, "SELECT count(*) FROM sqlite_master");
    }

    /// <summary>
    /// Whether a file claims to be a Lockstep table, by its first hundred bytes. It is not read that way while this process has it open: on
    /// Unix, closing any other handle of the file would drop SQLite's locks on it, and another process would consider the log abandoned and
    /// remove it. SQLite itself knows how to close one handle of several.
    /// </summary>
    public static bool IsTableFile(string path)
    {
        var full = RealPath.Of(path);
        lock (Gate)
        {
            if (!Opened.ContainsKey(full))
                return HasHeader(full);
        }

        try
        {
            ReadConnection.Open(full).Dispose();
            return true;
        }
        catch (LockstepException)
        {
            return false;
        }
    }

    /// <summary>Opens a file to inspect it. A pipe or a device does not block, and writers are not locked out.</summary>
    public static FileStream OpenBeside(string path) =>
        OperatingSystem.IsWindows()
            ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1)
            : Native.UnixFile.OpenToRead(path);

    private static bool HasHeader(string path)
    {
        Span<byte> header = stackalloc byte[100];
        try
        {
            using var file = OpenBeside(path);
            if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
                return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return false;
        }

        return header.StartsWith("SQLite format 3\0"u8)
            && System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(header[68..]) == TableSchema.ApplicationId;
    }

    /// <inheritdoc cref="Guard{T}"/>
    public static void Guard(string path, Action work) =>
        Guard(
            path,
            () =>
            {
                work();
                return true;
            }
        );

    /// <summary>Runs work on a table file; errors of the file become a <see cref="TableFileException"/>.</summary>
    public static T Guard<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (SqliteException e) when (TableFileErrors.Explain(path, e) is { } error)
        {
            throw error;
        }
        catch (Exception e) when (e is InvalidDataException or System.Text.Json.JsonException or FormatException or InvalidCastException)
        {
            throw TableFileErrors.Damaged(path, e.Message, e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw TableFileErrors.Unwritable(path, e);
        }
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public static long Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() is long value ? value : 0;
    }

    /// <summary>Whether this process has a file open as a database.</summary>
    public static bool IsOpen(string path)
    {
        var full = RealPath.Of(path);
        lock (Gate)
            return Opened.ContainsKey(full);
    }

    /// <summary>A writing connection to an existing file; nothing has been checked yet.</summary>
    public static SqliteConnection ConnectToWrite(string path) => Connect(path, SqliteOpenMode.ReadWrite);

    private static SqliteConnection Connect(string path, SqliteOpenMode mode)
    {
        Native.SqliteLibrary.Require();
        var builder = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = mode,
            Pooling = false,
            DefaultTimeout = 30,
        };
        var connection = new SqliteConnection(builder.ConnectionString);
        Connect(connection, path);
        return connection;
    }

    /// <summary>Opens a connection to a file, which counts as open in this process until the connection is disposed.</summary>
    public static void Connect(SqliteConnection connection, string path)
    {
        var full = RealPath.Of(path);
        lock (Gate)
            Opened[full] = Opened.GetValueOrDefault(full) + 1;
        EventHandler? forget = null;
        forget = (_, _) =>
        {
            connection.Disposed -= forget;
            Forget(full);
        };
        connection.Disposed += forget;
        try
        {
            connection.Open();
            Native.SqliteLibrary.Distrust(connection);
            Execute(connection, "PRAGMA busy_timeout=10000");
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static void Forget(string path)
    {
        lock (Gate)
        {
            if (--Opened[path] == 0)
                Opened.Remove(path);
        }
    }

    /// <summary>The neighbouring file that was probably meant, as a question and a space; empty if there is none.</summary>
    private static string Meant(string path)
    {
        const string Extension = ".db";
        if (Path.GetDirectoryName(path) is not { } folder || !Directory.Exists(folder))
            return "";
        var given = Path.GetFileName(path);
        string[] there = [.. Table.FindIn(folder).Select(file => Path.GetFileName(file))];
        var whole = given.EndsWith(Extension, StringComparison.OrdinalIgnoreCase) ? given : given + Extension;
        var meant = there.Contains(whole) ? $" Did you mean '{whole}'?" : Spelling.Suggestion(whole, there);
        return meant.Length == 0 ? "" : meant.TrimStart() + " ";
    }

    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    /// <exception cref="TableFileException">It is a folder; or it, or what SQLite keeps beside it, is a pipe or a device.</exception>
    public static void RequireFile(string path)
    {
        if (!File.Exists(path))
        {
            if (Directory.Exists(path))
                throw TableFolder.InPlaceOf(path);
            throw new TableNotFoundException(
                path,
                $"There is no table file '{path}'.",
                $"{Meant(path)}Create it with {Term.SyncToFile}, or name another file."
            );
        }

        // SQLite would wait for a pipe forever.
        if (OperatingSystem.IsWindows())
            return;
        if (Native.UnixFile.IsSpecial(path))
            throw new TableFileException(path, $"'{path}' is a pipe or a device, not a file.", $"Name another file with {Term.Path}.");
        var real = RealPath.Of(path);
        if (Array.Find(Companions, suffix => Native.UnixFile.IsSpecial(real + suffix)) is { } special)
        {
            throw new TableFileException(
                path,
                $"'{real}{special}', which belongs to the table file '{path}', is a pipe or a device, not a file.",
                "Remove it: the table file is complete without it."
            );
        }
    }

    /// <summary>
    /// Removes a table file that was created and never used, along with SQLite's files beside it. The caller holds its
    /// <see cref="WriterLock"/>.
    /// </summary>
    public static void DeleteUnused(string path)
    {
        try
        {
            var real = RealPath.Of(path);
            foreach (var suffix in (string[])["-journal", "-wal", "-shm", ""])
                File.Delete(real + suffix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover empty table file does no harm.
        }
    }
}
