namespace Lockstep.Engine.Tables.Native;

/// <summary>
/// The copy of SQLite that this process uses: loads it, and refuses one that can lose commits. Call <see cref="Require()"/> before opening
/// a connection. Any thread.
/// </summary>
internal static class SqliteLibrary
{
    /// <summary>The switch by which a program that owns its copy of SQLite avoids the locks at each call.</summary>
    private const string UnlockedSwitch = "Lockstep.Sqlite.OneThreadPerConnection";

    /// <summary>SQLITE_DBCONFIG_ENABLE_TRIGGER.</summary>
    private const int EnableTrigger = 1003;

    /// <summary>SQLITE_DBCONFIG_TRUSTED_SCHEMA.</summary>
    private const int TrustedSchema = 1017;

    /// <summary>
    /// Older versions can restart the write-ahead log while another process still needs it, which is likely with a sync beside a server:
    /// commits are lost, or the file is damaged.
    /// </summary>
    public static readonly Version Oldest = new(3, 51, 3);

    /// <summary>The version that was loaded.</summary>
    public static readonly Version Loaded = Load();

    /// <exception cref="SqliteVersionException">The copy of SQLite is too old.</exception>
    public static void Require() => Require(Loaded);

    /// <inheritdoc cref="Require()"/>
    public static void Require(Version found)
    {
        if (found < Oldest)
            throw new SqliteVersionException(found, Oldest);
    }

    /// <summary>
    /// Does not trust a file's schema, since it may come from anybody: none of its triggers fire, and its views, indexes and checks call no
    /// function with side effects. To be called on each connection to a file, once it is open.
    /// </summary>
    public static void Distrust(Microsoft.Data.Sqlite.SqliteConnection connection)
    {
        _ = SQLitePCL.raw.sqlite3_db_config(connection.Handle, EnableTrigger, 0, out _);
        _ = SQLitePCL.raw.sqlite3_db_config(connection.Handle, TrustedSchema, 0, out _);
    }

    private static Version Load()
    {
        SQLitePCL.Batteries_V2.Init();
        // Every connection here is used by one thread at a time, so SQLite need not lock at each call. But the setting applies to
        // everything that uses this copy of SQLite, so only its owner may request it. SQLite refuses it once a connection has been opened.
        if (AppContext.TryGetSwitch(UnlockedSwitch, out var isUnlocked) && isUnlocked)
            _ = SQLitePCL.raw.sqlite3_config(SQLitePCL.raw.SQLITE_CONFIG_MULTITHREAD);
        var number = SQLitePCL.raw.sqlite3_libversion_number();
        return new Version(number / 1_000_000, number / 1000 % 1000, number % 1000);
    }
}
