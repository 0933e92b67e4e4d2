using System.Globalization;
using Npgsql;

namespace Lockstep.Postgres;

/// <summary>How this library connects.</summary>
internal static class PostgresConnection
{
    /// <summary>
    /// Settings that determine the text of values, for a replication stream, where nothing can be set after connecting. Everywhere else
    /// each transaction sets them (<see cref="Feed.StateSql.Formats"/>), because a connection pooler refuses or forgets settings requested
    /// at connect.
    /// </summary>
    private const string Settings =
        "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 -c extra_float_digits=1 -c bytea_output=hex -c lc_monetary=C";

    /// <summary>Npgsql's default, in seconds.</summary>
    private const int DefaultIdleLifetime = 300;

    /// <summary>A pool of connections.</summary>
    /// <exception cref="ArgumentException">The connection string is malformed; the message does not repeat it (I9).</exception>
    public static NpgsqlDataSource CreateSource(string connectionString, int size, bool isShared = false)
    {
        var settings = Settle(connectionString);
        settings.MaxPoolSize = size;
        settings.MinPoolSize = Math.Min(settings.MinPoolSize, size);

        // Connections opened for a burst of clients are released soon; an interval set explicitly stays.
        if (isShared && settings.ConnectionIdleLifetime == DefaultIdleLifetime)
        {
            settings.ConnectionIdleLifetime = 10;
            settings.ConnectionPruningInterval = 2;
        }

        return NpgsqlDataSource.Create(settings);
    }

    /// <summary>Where the server is, as text to append to its name (I9: nothing else of the connection string); empty if unknown.</summary>
    public static string Place(NpgsqlDataSource? source)
    {
        if (source is null || new NpgsqlConnectionStringBuilder(source.ConnectionString) is not { Host: { Length: > 0 } host } settings)
            return "";
        // With several hosts, each may have its own port.
        return host.AsSpan().ContainsAny(',', ':')
            ? $" at {host}"
            : string.Create(CultureInfo.InvariantCulture, $" at {host}:{settings.Port}");
    }

    /// <summary>The connection string for a replication stream.</summary>
    /// <param name="connectionString">The feed's.</param>
    /// <param name="open">A connection to the server that will stream; with several hosts, this is the one Npgsql has chosen.</param>
    /// <exception cref="ArgumentException">It is malformed; the message does not repeat it (I9).</exception>
    public static string ForStream(string connectionString, NpgsqlConnection open)
    {
        var settings = Settle(connectionString);
        if (settings.Host?.Contains(',', StringComparison.Ordinal) == true)
            (settings.Host, settings.Port, settings.TargetSessionAttributes) = (open.Host, open.Port, null);
        settings.Options = string.IsNullOrEmpty(settings.Options) ? Settings : $"{settings.Options} {Settings}";

        // The server ignores a cancel request that arrives before its command, and keep-alives would postpone Npgsql's own timeout forever,
        // so the connection is cut at once.
        settings.CancellationTimeout = -1;

        // Creating a slot waits for the open transactions to end, however long that takes.
        settings.CommandTimeout = 0;
        settings.TcpKeepAlive = true;
        return settings.ToString();
    }

    /// <summary>The connection string with our settings applied.</summary>
    /// <exception cref="ArgumentException">It is malformed; the message does not repeat it (I9).</exception>
    private static NpgsqlConnectionStringBuilder Settle(string connectionString)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException)
        {
            throw new ArgumentException(
                "The connection string is malformed. Write it as Host=...;Database=...;Username=...;Password=...",
                nameof(connectionString)
            );
        }

        settings.ApplicationName ??= "lockstep";
        settings.Enlist = false;

        // Npgsql would prepare frequent statements, for which PostgreSQL may then settle on one plan for all values.
        settings.MaxAutoPrepare = 0;
        if (settings.KeepAlive == 0)
            settings.KeepAlive = 30;
        return settings;
    }
}
