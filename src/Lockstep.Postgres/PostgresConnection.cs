using Npgsql;

namespace Lockstep.Postgres;

/// <summary>How this library connects.</summary>
internal static class PostgresConnection
{
    /// <summary>
    /// Settings on which the text of values depends, fixed so that every server of a feed writes the same; and no JIT, which costs more
    /// than it gains in short reads. Given at connect, so that a pool's reset keeps them.
    /// </summary>
    private const string Settings =
        "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 -c extra_float_digits=1 -c bytea_output=hex -c lc_monetary=C -c jit=off";

    /// <summary>A pool of connections.</summary>
    /// <exception cref="ArgumentException">The connection string is malformed; the message does not repeat it (I9).</exception>
    public static NpgsqlDataSource CreateSource(string connectionString, int size)
    {
        var settings = Settle(connectionString);
        settings.MaxPoolSize = size;
        settings.MinPoolSize = Math.Min(settings.MinPoolSize, size);
        return NpgsqlDataSource.Create(settings);
    }

    /// <summary>A connection string with our settings.</summary>
    /// <exception cref="ArgumentException">It is malformed; the message does not repeat it (I9).</exception>
    public static NpgsqlConnectionStringBuilder Settle(string connectionString)
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

        settings.Options = string.IsNullOrEmpty(settings.Options) ? Settings : $"{settings.Options} {Settings}";
        settings.ApplicationName ??= "lockstep";
        settings.Enlist = false;

        // Named parameters are for people; and Npgsql would prepare what it sees often, for which PostgreSQL may then choose one plan for
        // all values.
        settings.MaxAutoPrepare = 0;
        if (settings.KeepAlive == 0)
            settings.KeepAlive = 30;
        return settings;
    }
}
