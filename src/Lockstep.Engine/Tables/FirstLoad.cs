using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Fills an empty table through SQLite's rollback journal instead of its write-ahead log. There is next to nothing to roll back to, so each
/// page is written once instead of twice; a crash at any moment leaves the empty table (I1). The file keeps its name and place (I12). While
/// such a transaction is writing, readers wait for it, which readers of an empty table can afford. Used on the writer's thread, between its
/// transactions.
/// </summary>
internal sealed class FirstLoad(SqliteConnection connection)
{
    /// <summary>The size of records in bytes from which changing the journal pays off.</summary>
    public const int WorthIt = 2 * 1024 * 1024;

    /// <summary>
    /// SQLite's page cache for the first batch, in KiB as the pragma expects: pages are written in order, and none is needed again.
    /// </summary>
    private const int Cache = -4096;

    private bool _isActive;
    private long? _usualCache;

    /// <summary>Changes to the rollback journal if that pays off and nobody else has the file open; otherwise changes nothing.</summary>
    /// <param name="bytes">The size of the first records, in bytes.</param>
    public void Begin(long bytes)
    {
        if (_isActive || bytes < WorthIt)
            return;
        // A power failure during this transaction must not cost the file, so its few syncs are full ones.
        _isActive = SetJournal("delete") && Run("PRAGMA synchronous=FULL");
        if (!_isActive)
            return;
        _usualCache = TableFile.Scalar(connection, "PRAGMA cache_size");
        Run($"PRAGMA cache_size={Cache}");
    }

    /// <summary>Restores the cache: a batch whose keys are out of order needs pages that earlier ones wrote.</summary>
    public void RestoreCache()
    {
        if (_usualCache is { } usual)
            Run($"PRAGMA cache_size={usual}");
        _usualCache = null;
    }

    /// <summary>
    /// Changes back to the write-ahead log, after the commit. If a reader is holding the file, the next call tries again.
    /// </summary>
    /// <returns>Whether it has changed back.</returns>
    public bool End()
    {
        RestoreCache();
        if (!_isActive)
            return false;
        _isActive = !SetJournal("wal") || !Run("PRAGMA synchronous=NORMAL");
        return !_isActive;
    }

    private bool SetJournal(string mode)
    {
        using var pragma = new Statement(connection, $"PRAGMA journal_mode={mode}");
        try
        {
            return pragma.Step() && pragma.Bytes(0).SequenceEqual(System.Text.Encoding.ASCII.GetBytes(mode));
        }
        catch (SqliteException e) when (e.SqliteErrorCode == NativeSqlite.Busy)
        {
            return false;
        }
    }

    private bool Run(string pragma)
    {
        TableFile.Execute(connection, pragma);
        return true;
    }
}
