using System.Globalization;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests;

/// <summary>A test's own database, with short forms for what tests do to it.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;

    private TestDatabase(string connectionString)
    {
        ConnectionString = connectionString;
        _source = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
    }

    public string ConnectionString { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<TestDatabase> CreateAsync(SharedPostgres postgres)
    {
        var server = await postgres.GetAsync(Cancel);
        return new TestDatabase(await server.CreateDatabaseAsync(Cancel));
    }

    public static TestDatabase Open(string connectionString) => new(connectionString);

    /// <summary>A connection for transactions that stay open.</summary>
    public async Task<NpgsqlConnection> ConnectAsync() => await _source.OpenConnectionAsync(Cancel);

    public async Task RunAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await connection.ExecuteAsync(sql, Cancel);
    }

    public async Task<string> ScalarAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return Convert.ToString(await command.ExecuteScalarAsync(Cancel), CultureInfo.InvariantCulture)!;
    }

    /// <summary>
    /// The rows of a table as a feed's client should end with them: the JSON of each without bookkeeping columns, by key.
    /// </summary>
    public async Task<SortedDictionary<string, string>> RowsAsync(string table, string key = "id", string without = "txid")
    {
        await using var connection = await ConnectAsync();
        var rows = await connection.QueryAsync(
            $"SELECT to_jsonb(t) -> '{key}', to_jsonb(t) - '{without}' FROM {table} t",
            [],
            r => (r.GetString(0), r.GetString(1)),
            Cancel
        );
        return new SortedDictionary<string, string>(
            rows.ToDictionary(r => r.Item1, r => JsonText.Canonical(r.Item2)),
            StringComparer.Ordinal
        );
    }

    public async ValueTask DisposeAsync() => await _source.DisposeAsync();
}
