using System.Text.RegularExpressions;
using Lockstep.Ticks;
using Npgsql;

namespace Lockstep.Postgres.Ticks;

/// <summary>
/// Stores in PostgreSQL, named by a connection string of Npgsql or a URI
/// (<c>postgres://user:password@host:port/database?sslmode=require</c>).
/// </summary>
public sealed partial class PostgresTickStoreKind : TickStoreKind
{
    /// <summary>
    /// A name that starts like a connection string is treated as one, even if a key in it is misspelt; a file with such a name is written
    /// <c>./name</c>.
    /// </summary>
    public override bool Owns(string name) => PostgresConnectionString.IsUri(name) || ConnectionStringStart().IsMatch(name);

    /// <inheritdoc/>
    public override string Describe(string name)
    {
        try
        {
            return PostgresTickStore.Describe(PostgresConnectionString.Settings(name));
        }
        catch (ArgumentException)
        {
            return "postgres";
        }
    }

    /// <inheritdoc/>
    public override async Task<ITickStore> OpenAsync(string name, TickSettings? create, CancellationToken cancellationToken)
    {
        var settings = PostgresConnectionString.Parse(name);
        var store = new PostgresTickStore(settings);
        if (create is null)
            return store;
        try
        {
            // A user who may write values may not be allowed to create tables, so that is attempted only if they are missing.
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
        @"^\s*[a-z][a-z ]*=|(^|;)\s*(host|server|port|database|db|user ?name|user ?id|uid|user|password|pwd|psw)\s*=",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant
    )]
    private static partial Regex ConnectionStringStart();
}
