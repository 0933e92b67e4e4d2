using Npgsql;

namespace Lockstep.Postgres;

/// <summary>
/// How a PostgreSQL database is named: a connection string of Npgsql, or a URI in libpq's form
/// (<c>postgres://user:password@host:port/database?sslmode=require</c>).
/// </summary>
public static class PostgresConnectionString
{
    /// <summary>Whether a text is a URI of PostgreSQL.</summary>
    public static bool IsUri(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The connection string for Npgsql, including the password.</summary>
    /// <exception cref="ArgumentException">The text is neither; the message does not repeat it (I9).</exception>
    public static string Parse(string text) => Settings(text).ConnectionString;

    /// <summary>Server and database, without user and password (I9).</summary>
    /// <exception cref="ArgumentException">As for <see cref="Parse"/>.</exception>
    public static string Describe(string text)
    {
        var settings = Settings(text);
        return $"postgres://{settings.Host ?? "localhost"}:{settings.Port}/{settings.Database}";
    }

    internal static NpgsqlConnectionStringBuilder Settings(string text)
    {
        try
        {
            return IsUri(text) ? FromUri(text) : new NpgsqlConnectionStringBuilder(text);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException)
        {
            // Npgsql names the part that it cannot parse, which may be half of a password.
            throw new ArgumentException(
                "The connection string cannot be read. It is like Host=db;Username=app;Password=...;Database=app, or "
                    + "postgres://app:...@db/app; a password with ; or = goes in quotes, and in a URI it is percent-encoded."
            );
        }
    }

    private static NpgsqlConnectionStringBuilder FromUri(string text)
    {
        // libpq takes several hosts, which are tried in turn; a Uri takes one.
        var hosts = HostsOf(text);
        var isMany = text[hosts].Contains(',', StringComparison.Ordinal);
        var uri = new Uri(isMany ? string.Concat(text.AsSpan(..hosts.Start.Value), "hosts", text.AsSpan(hosts.End.Value)) : text);
        var builder = new NpgsqlConnectionStringBuilder { Host = isMany ? text[hosts] : uri.IdnHost };
        if (uri.Port > 0)
            builder.Port = uri.Port;
        if (uri.AbsolutePath.Trim('/') is { Length: > 0 } database)
            builder.Database = Uri.UnescapeDataString(database);
        if (uri.UserInfo.Length > 0)
        {
            var user = uri.UserInfo.Split(':', 2);
            builder.Username = Uri.UnescapeDataString(user[0]);
            if (user.Length > 1)
                builder.Password = Uri.UnescapeDataString(user[1]);
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

    private static Range HostsOf(string uri)
    {
        var start = uri.IndexOf("//", StringComparison.Ordinal) + 2;
        var length = uri.AsSpan(start).IndexOfAny('/', '?', '#');
        var end = length < 0 ? uri.Length : start + length;
        return (start + uri.AsSpan(start..end).LastIndexOf('@') + 1)..end;
    }
}
