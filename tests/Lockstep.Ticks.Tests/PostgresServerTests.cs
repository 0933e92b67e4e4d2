using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Ticks.Tests;

public sealed class PostgresServerTests(SharedPostgres postgres) : IClassFixture<SharedPostgres>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_serves_a_database_of_the_tests_own()
    {
        var server = await postgres.GetAsync(Cancel);
        await using var source = NpgsqlDataSource.Create(await server.CreateDatabaseAsync(Cancel));
        await using var command = source.CreateCommand("SELECT current_database()");

        Assert.StartsWith("test_", (string?)await command.ExecuteScalarAsync(Cancel), StringComparison.Ordinal);
        Assert.Equal("off", await server.RunSqlAsync("SHOW fsync", Cancel));
    }

    [Fact]
    public async Task It_keeps_committed_rows_over_a_crash_and_its_port()
    {
        await using var server = await PostgresServer.StartAsync(Cancel, "max_prepared_transactions=5");
        var port = server.Port;
        await server.RunSqlAsync("CREATE TABLE kept(x int); INSERT INTO kept VALUES (7)", Cancel);

        await server.CrashAsync(Cancel);
        await Assert.ThrowsAsync<InvalidOperationException>(() => server.RunSqlAsync("SELECT 1", Cancel));
        await server.StartAsync(Cancel);

        Assert.Equal("7", await server.RunSqlAsync("SELECT x FROM kept", Cancel));
        Assert.Equal("5", await server.RunSqlAsync("SHOW max_prepared_transactions", Cancel));
        Assert.Equal(port, server.Port);
    }
}
