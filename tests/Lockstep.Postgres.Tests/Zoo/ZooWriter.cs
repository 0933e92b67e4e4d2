using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Zoo;

/// <summary>
/// A connection that writes to all tables of the zoo at random: transactions over many tables, rolled-back savepoints, TRUNCATE, and DDL,
/// both the kinds that cost clients nothing and the others. A statement that fails rolls its transaction back.
/// </summary>
internal sealed class ZooWriter(string connectionString, Random random, bool altersTables)
{
    private const int Keys = 25;
    private int _number;

    /// <summary>Unexpected failures; empty when all is well.</summary>
    public List<string> Wrong { get; } = [];

    /// <summary>Runs transactions until stopped; continues after the server was down.</summary>
    public async Task RunAsync(int transactions, CancellationToken cancellationToken)
    {
        for (var i = 0; i < transactions; )
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
                await connection.OpenAsync(cancellationToken);
                for (; i < transactions; i++)
                    await TransactAsync(connection, cancellationToken);
            }
            catch (Exception e)
                when (e is NpgsqlException { IsTransient: true } or PostgresException { SqlState: "57P01" or "57P02" or "57P03" })
            {
                await Task.Delay(50, cancellationToken);
            }
        }
    }

    private async Task TransactAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (altersTables && random.Next(12) == 0)
        {
            await TryAsync(connection, Alter(), cancellationToken);
            return;
        }

        if (!await TryAsync(connection, "BEGIN", cancellationToken))
            return;
        for (var i = random.Next(1, 8); i > 0; i--)
        {
            if (await TryAsync(connection, Statement(), cancellationToken))
                continue;
            await TryAsync(connection, "ROLLBACK", cancellationToken);
            return;
        }

        await TryAsync(connection, random.Next(8) == 0 ? "ROLLBACK" : "COMMIT", cancellationToken);
    }

    private string Statement()
    {
        var table = Any();
        var (k, n) = (random.Next(1, Keys), random.Next(1, 1000));
        return random.Next(14) switch
        {
            0 or 1 => table.Delete(k),
            2 => table.Move(k, random.Next(1, Keys)),
            3 or 4 or 5 => table.Update(k, n),
            6 => $"SAVEPOINT s; {table.Upsert(k, n)}; {Any().Delete(k)}; ROLLBACK TO s",
            7 => $"SAVEPOINT s; {table.Update(k, n)}; RELEASE s",
            8 => $"{table.Delete(k)}; {table.Upsert(k, n)}",
            9 when random.Next(6) == 0 => $"TRUNCATE {(table.Name == "rental.film" ? "rental.film_actor" : table.Name)} CASCADE",
            10 when random.Next(4) == 0 => "REFRESH MATERIALIZED VIEW rental.film_list",
            _ => table.Upsert(k, n),
        };
    }

    /// <summary>DDL of a table, and what it means for code that looks at columns by name.</summary>
    private string Alter()
    {
        var (table, number) = (Any().Name, ++_number + (random.Next(1000) * 1000));
        return random.Next(8) switch
        {
            0 => $"ALTER TABLE {table} ADD COLUMN x{number} int",
            1 => $"ALTER TABLE {table} ADD COLUMN x{number} int DEFAULT 7",
            2 => $"ALTER TABLE {table} ADD COLUMN x{number} int; ALTER TABLE {table} ALTER COLUMN x{number} TYPE text",
            3 => $"ALTER TABLE {table} ADD COLUMN x{number} int; ALTER TABLE {table} DROP COLUMN x{number}",
            4 => $"ALTER TYPE rental.rating ADD VALUE 'X{number}'",
            5 => $"VACUUM FULL {table}",
            6 => $"CREATE TABLE rental.p{number} (LIKE rental.payment INCLUDING ALL); ALTER TABLE rental.payment ATTACH "
                + $"PARTITION rental.p{number} FOR VALUES FROM ('{2100 + (number % 900)}-01-01') TO "
                + $"('{2100 + (number % 900)}-02-01')",
            _ => $"ALTER TABLE {table} ADD COLUMN x{number} int; ALTER TABLE {table} RENAME COLUMN x{number} TO y{number}",
        };
    }

    private ZooTable Any() => ZooTable.All[random.Next(ZooTable.All.Count)];

    private async Task<bool> TryAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        try
        {
            await connection.ExecuteAsync(sql, cancellationToken);
            return true;
        }
        catch (PostgresException e)
            when (e.SqlState is "23503" or "23505" or "23502" or "40001" or "40P01" or "42701" or "42P17" or "55006" or "25P02")
        {
            return false;
        }
        catch (PostgresException e) when (!e.SqlState.StartsWith("57P", StringComparison.Ordinal))
        {
            Wrong.Add($"{e.SqlState} {e.MessageText}: {sql}");
            return false;
        }
    }
}
