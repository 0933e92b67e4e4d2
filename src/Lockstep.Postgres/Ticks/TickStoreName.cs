using System.Text.RegularExpressions;
using Lockstep.Engine.Ticks;
using Npgsql;

namespace Lockstep.Postgres.Ticks;

/// <summary>
/// What names a store that processes share: the path of an SQLite file; or a PostgreSQL database, as a connection string of Npgsql or as a URI
/// (<c>postgres://user:password@host:port/database?sslmode=require</c>).
/// </summary>
public static partial class TickStoreName
{
    /// <summary>Whether a database is named, not a file. A text with what could be a password is never taken for a file's name (I9).</summary>
    public static bool IsPostgres(string name) => IsUri(name) || ConnectionStringStart().IsMatch(name);

    /// <summary>The store without secrets (I9), as <see cref="ITickStore.Description"/> has it: a file's full path.</summary>
    public static string Describe(string name)
    {
        if (!IsPostgres(name)) return Path.GetFullPath(name);
        try
        {
            return PostgresTickStore.Describe(Settings(name));
        }
        catch (ArgumentException)
        {
            return "postgres";
        }
    }

    /// <summary>Opens a store.</summary>
    /// <param name="name">Which.</param>
    /// <param name="create">The settings of the store if it is not there yet and is to be made; null to leave that to others. An existing file or database with something else in it is left alone.</param>
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

        var settings = Settings(name).ConnectionString;
        var store = new PostgresTickStore(settings);
        if (create is null) return store;
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

    private static NpgsqlConnectionStringBuilder Settings(string name)
    {
        try
        {
            return IsUri(name) ? FromUri(new Uri(name)) : new NpgsqlConnectionStringBuilder(name);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException)
        {
            // Npgsql names the part it stumbles over, which may be half of a password.
            throw new ArgumentException("The connection string cannot be read. It is like Host=db;Username=app;Password=...;Database=app, or postgres://app:...@db/app; a password with ; or = goes in quotes, and in a URI it is percent-encoded.");
        }
    }

    private static NpgsqlConnectionStringBuilder FromUri(Uri uri)
    {
        var builder = new NpgsqlConnectionStringBuilder { Host = uri.IdnHost };
        if (uri.Port > 0) builder.Port = uri.Port;
        if (uri.AbsolutePath.Trim('/') is { Length: > 0 } database) builder.Database = Uri.UnescapeDataString(database);
        if (uri.UserInfo.Length > 0)
        {
            var user = uri.UserInfo.Split(':', 2);
            builder.Username = Uri.UnescapeDataString(user[0]);
            if (user.Length > 1) builder.Password = Uri.UnescapeDataString(user[1]);
        }

        foreach (var option in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var pair = option.Split('=', 2);
            var value = Uri.UnescapeDataString(pair.ElementAtOrDefault(1) ?? "");

            // libpq writes verify-full where Npgsql has VerifyFull.
            var isMode = string.Equals(pair[0], "sslmode", StringComparison.OrdinalIgnoreCase);
            builder[isMode ? "SSL Mode" : pair[0]] = isMode ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }

        return builder;
    }

    private static bool IsUri(string name) =>
        name.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase) || name.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex(@"(^|;)\s*(host|server|port|database|db|user ?name|user ?id|uid|user|password|pwd|psw)\s*=", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ConnectionStringStart();
}
