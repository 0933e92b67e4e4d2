using System.Text.RegularExpressions;
using Lockstep.Ticks;
using Npgsql;

namespace Lockstep.Postgres.Ticks;

/// <summary>
/// What names a store that processes share: the path of an SQLite file; or a PostgreSQL database, as a connection string of Npgsql or as a
/// URI (<c>postgres://user:password@host:port/database?sslmode=require</c>).
/// </summary>
public static partial class TickStoreName
{
    /// <summary>
    /// Whether a database is named, not a file. A text with what could be a password is never taken for a file's name (I9).
    /// </summary>
    public static bool IsPostgres(string name) => PostgresConnectionString.IsUri(name) || ConnectionStringStart().IsMatch(name);

    /// <summary>The store without secrets (I9), as <see cref="ITickStore.Description"/> has it: a file's full path.</summary>
    public static string Describe(string name)
    {
        if (!IsPostgres(name))
            return Path.GetFullPath(name);
        try
        {
            return PostgresTickStore.Describe(PostgresConnectionString.Settings(name));
        }
        catch (ArgumentException)
        {
            return "postgres";
        }
    }

    /// <summary>Opens a store.</summary>
    /// <param name="name">Which.</param>
    /// <param name="create">The settings of the store if it is not there yet and is to be made; null to leave that to others. An existing
    /// file or database with something else in it is left alone.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ArgumentException">It is a connection string or URI that cannot be read, or the settings are wrong.</exception>
    /// <exception cref="TickTooSmallException">The default tick is too small.</exception>
    public static async Task<ITickStore> OpenAsync(string name, TickSettings? create, CancellationToken cancellationToken)
    {
        create?.Check();
        if (!IsPostgres(name))
        {
            // An empty file is one that another process is just making a store of.
            var file = new FileInfo(name);
            return new SqliteTickStore(name, file.Exists && file.Length > 0 ? null : create);
        }

        var settings = PostgresConnectionString.Parse(name);
        var store = new PostgresTickStore(settings);
        if (create is null)
            return store;
        try
        {
            // Who may write values may not always make tables: that is tried only where they are missing.
            await store.ReadSettingsAsync(cancellationToken).ConfigureAwait(false);
            return store;
        }
        catch (TickStoreUnavailableException e) when (e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable })
        {
            await store.DisposeAsync().ConfigureAwait(false);
            return new PostgresTickStore(settings, create);
        }
        catch
        {
            await store.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    [GeneratedRegex(
        @"(^|;)\s*(host|server|port|database|db|user ?name|user ?id|uid|user|password|pwd|psw)\s*=",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant
    )]
    private static partial Regex ConnectionStringStart();
}
