using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A connection that reads a table file without disturbing writers or other readers. Any thread can stop it, even in the middle of a
/// statement or of a wait for a lock (I10). One thread at a time.
/// </summary>
internal sealed unsafe class ReadConnection : SqliteConnection
{
    private const string InMemoryPath = ":memory:";

    /// <summary>How many steps of SQLite's virtual machine run between two checks for a stop: less than a millisecond.</summary>
    private const int StepsBetweenLooks = 10_000;

    /// <summary>How long to wait for another program's lock.</summary>
    private static readonly TimeSpan LongestLock = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LockInterval = TimeSpan.FromMilliseconds(10);

    private readonly string _path;
    private readonly CancellationToken _stop;
    private readonly UnlockedFile? _unlocked;
    private GCHandle _self;
    private long _lockedSince;

    private ReadConnection(string path, UnlockedFile? unlocked, CancellationToken stop)
        : base(ConnectionStringOf(path, unlocked is not null)) => (_path, _unlocked, _stop) = (path, unlocked, stop);

    /// <summary>The file being read.</summary>
    public string TablePath => _path;

    /// <summary>Opens an empty in-memory database, to read what is put there; it lives until closed.</summary>
    /// <param name="stop">Ends any running read, and prevents new ones.</param>
    public static ReadConnection InMemory(CancellationToken stop)
    {
        SqliteLibrary.Require();
        var connection = new ReadConnection(InMemoryPath, unlocked: null, stop);
        connection.Open();
        connection.WatchForStop();
        return connection;
    }

    /// <summary>Opens a table.</summary>
    /// <param name="path">The full path.</param>
    /// <param name="stop">Ends any running read, and prevents new ones.</param>
    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    /// <exception cref="TableFileException">It is not a table file, or cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static ReadConnection Open(string path, CancellationToken stop = default)
    {
        TableFile.RequireFile(path);
        return Guard(
            path,
            () =>
            {
                try
                {
                    return OpenOne(path, isUnlocked: false, stop);
                }
                catch (SqliteException e)
                    when (e.SqliteErrorCode is TableFileErrors.CannotOpen or TableFileErrors.ReadOnlyDatabase && UnlockedFile.IsAlone(path))
                {
                    // If a file has had a log, SQLite needs the log's shared memory to read it, which it cannot create here. Without a log
                    // the file is the whole table.
                    return OpenOne(path, isUnlocked: true, stop);
                }
                catch (SqliteException e) when (e.SqliteExtendedErrorCode == TableFileErrors.HotJournal)
                {
                    // The process that was filling the table for the first time died before it committed; a reader may not roll back what
                    // it left behind.
                    TableFile.UndoJournal(path);
                    return OpenOne(path, isUnlocked: false, stop);
                }
            },
            stop
        );
    }

    /// <summary>Runs a read; errors of the file become a <see cref="TableFileException"/>.</summary>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public T Read<T>(Func<T> read)
    {
        T result;
        try
        {
            result = Guard(_path, read, _stop);
        }
        catch (TableFileException)
        {
            // A file that looks torn because it is changing is not damaged.
            _unlocked?.RequireUnchanged();
            throw;
        }

        RequireUnchanged();
        return result;
    }

    /// <summary>To be called from time to time during a long read, and at its end.</summary>
    /// <exception cref="TableFileException">The file has changed since it was opened.</exception>
    public void RequireUnchanged() => _unlocked?.RequireUnchanged();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (_self.IsAllocated)
            _self.Free();
        if (!disposing)
            return;
        _unlocked?.Dispose();
        if (_unlocked is null && _path != InMemoryPath)
            EmptyLog.Remove(_path);
    }

    private static string ConnectionStringOf(string path, bool isUnlocked) =>
        new SqliteConnectionStringBuilder
        {
            DataSource = isUnlocked ? UnlockedFile.UriOf(path) : path,
            Mode = path == InMemoryPath ? SqliteOpenMode.Memory : SqliteOpenMode.ReadOnly,
            Pooling = false,
            // The busy handler below does the waiting. Below zero, SqliteCommand never retries a statement that it gave up on; with its own
            // timeout it would, stopped or not (I10).
            DefaultTimeout = -1,
        }.ConnectionString;

    private static ReadConnection OpenOne(string path, bool isUnlocked, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        SqliteLibrary.Require();
        var connection = new ReadConnection(path, isUnlocked ? UnlockedFile.Open(path) : null, stop);
        TableFile.Connect(connection, path);
        try
        {
            connection.WatchForStop();
            TableFormat.Require(connection, path);
            TableFile.Execute(connection, "PRAGMA query_only=ON");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static T Guard<T>(string path, Func<T> read, CancellationToken stop)
    {
        try
        {
            return TableFile.Guard(path, read);
        }
        catch (Exception e) when (stop.IsCancellationRequested && e is SqliteException or TableFileException)
        {
            throw new OperationCanceledException("The reading was stopped.", e, stop);
        }
    }

    private void WatchForStop()
    {
        _self = GCHandle.Alloc(this);
        var database = Handle!.DangerousGetHandle();
        NativeSqlite.ProgressHandler(database, StepsBetweenLooks, &IsToStop, GCHandle.ToIntPtr(_self));
        _ = NativeSqlite.BusyHandler(database, &WaitForLock, GCHandle.ToIntPtr(_self));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int IsToStop(nint connection) => Of(connection).IsStopped ? 1 : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int WaitForLock(nint connection, int times) => Of(connection).WaitForLock(times) ? 1 : 0;

    private bool IsStopped => _stop.IsCancellationRequested;

    private bool WaitForLock(int times)
    {
        if (times == 0)
            _lockedSince = Stopwatch.GetTimestamp();
        if (IsStopped || Stopwatch.GetElapsedTime(_lockedSince) > LongestLock)
            return false;
        Thread.Sleep(LockInterval);
        return true;
    }

    private static ReadConnection Of(nint connection) => (ReadConnection)GCHandle.FromIntPtr(connection).Target!;
}
