using Npgsql;

namespace Lockstep.Postgres;

/// <summary>Checks for the oldest PostgreSQL that is supported.</summary>
internal static class PostgresVersion
{
    private const int Oldest = 14;

    /// <exception cref="PostgresTableException">The server is older.</exception>
    public static void Check(NpgsqlConnection connection) => Check(connection.PostgreSqlVersion);

    /// <inheritdoc cref="Check(NpgsqlConnection)"/>
    public static void Check(Version version)
    {
        if (version.Major < Oldest)
        {
            throw new PostgresTableException(
                FormattableString.Invariant($"The server is PostgreSQL {version.Major}; feeds need {Oldest} or later."),
                "Upgrade the server, or serve a replica by logical replication on a later version."
            );
        }
    }
}
