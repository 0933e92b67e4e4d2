using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// A connection that changes the table items at random: short and long transactions, some aborted, prepared or in conflict.
/// </summary>
internal static class RandomWriter
{
    /// <summary>All keys are below this.</summary>
    private const int Keys = 40;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Forty transactions, one after another.</summary>
    /// <param name="db">The database, with a table items (id, v).</param>
    /// <param name="random">What they do.</param>
    /// <param name="writer">The connection's number.</param>
    /// <param name="canPrepare">Whether the server takes prepared transactions here.</param>
    public static async Task WriteAsync(TestDatabase db, Random random, int writer, bool canPrepare)
    {
        await using var connection = await db.ConnectAsync();
        for (var n = 0; n < 40; n++)
        {
            var isolation = random.Next(3) switch
            {
                0 => "REPEATABLE READ",
                1 => "SERIALIZABLE",
                _ => "READ COMMITTED",
            };
            try
            {
                await connection.ExecuteAsync($"BEGIN ISOLATION LEVEL {isolation}", Cancel);
                for (var i = random.Next(1, 6); i > 0; i--)
                {
                    await connection.ExecuteAsync(Statement(random), Cancel);
                    if (random.Next(4) == 0)
                        await Task.Delay(random.Next(random.Next(10) == 0 ? 60 : 6), Cancel);
                }

                await EndAsync(connection, random, $"{writer}-{n}", canPrepare);
            }
            catch (PostgresException e) when (e.SqlState is "40001" or "40P01" or "23505")
            {
                await connection.ExecuteAsync("ROLLBACK", Cancel);
            }
        }
    }

    private static async Task EndAsync(NpgsqlConnection connection, Random random, string name, bool canPrepare)
    {
        switch (random.Next(10))
        {
            case 0:
                await connection.ExecuteAsync("ROLLBACK", Cancel);
                break;
            case 1 when canPrepare:
                await connection.ExecuteAsync($"PREPARE TRANSACTION '{name}'", Cancel);
                await Task.Delay(random.Next(30), Cancel);
                await connection.ExecuteAsync($"{(random.Next(3) == 0 ? "ROLLBACK" : "COMMIT")} PREPARED '{name}'", Cancel);
                break;
            default:
                await connection.ExecuteAsync("COMMIT", Cancel);
                break;
        }
    }

    private static string Statement(Random random)
    {
        var id = random.Next(Keys);
        return random.Next(9) switch
        {
            0 => $"DELETE FROM items WHERE id = {id}",
            1 => $"DELETE FROM items WHERE id BETWEEN {id} AND {id + 4}",
            2 => $"UPDATE items SET id = {random.Next(Keys)} WHERE id = {id} AND NOT EXISTS (SELECT FROM items WHERE id = {id} + 1)",
            3 => $"SAVEPOINT s; UPDATE items SET v = -1 WHERE id = {id}; ROLLBACK TO s",
            4 => $"SAVEPOINT s; UPDATE items SET v = v + 1 WHERE id = {id}; RELEASE s",
            5 => "SELECT pg_current_xact_id()",
            6 => $"UPDATE items SET v = v + 1 WHERE id % 7 = {id % 7}",
            _ => $"INSERT INTO items VALUES ({id}, {random.Next(1000)}) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
        };
    }
}
