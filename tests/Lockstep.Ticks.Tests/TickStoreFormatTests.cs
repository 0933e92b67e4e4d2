using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;
using Npgsql;
using StackExchange.Redis;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// A store of a later format is refused by name and stays as it is, even by a process that used it before it became one; a store without a
/// format is of the first.
/// </summary>
public sealed class TickStoreFormatTests(SharedPostgres postgres, SharedRedis redis)
    : IClassFixture<SharedPostgres>,
        IClassFixture<SharedRedis>,
        IDisposable
{
    private const string Newer =
        "UPDATE lockstep_tick_settings SET format = 2; ALTER TABLE lockstep_tick_settings RENAME COLUMN latency_ms TO delay_ms";

    private const string Nameless = "ALTER TABLE lockstep_tick_settings DROP COLUMN format";

    private static readonly TickSettings Settings = TickSettings.Default;

    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string StorePath => _folder["ticks.db"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_newer_file_is_refused_by_name_and_stays_as_it_is()
    {
        await using var used = new SqliteTickStore(StorePath, Settings);
        await SetAsync(used);
        Sql(Newer);
        var bytes = await File.ReadAllBytesAsync(StorePath, Cancel);

        await RefusesAsync(StorePath, used, new SqliteTickStore(StorePath, Settings), new SqliteTickStore(StorePath));

        Assert.Equal(bytes, await File.ReadAllBytesAsync(StorePath, Cancel));
    }

    [Fact]
    public async Task A_file_without_a_format_is_read_and_the_first_change_writes_it()
    {
        await using (var made = new SqliteTickStore(StorePath, Settings))
            await SetAsync(made);
        Sql(Nameless);

        await using var store = new SqliteTickStore(StorePath);
        Assert.Single((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
        await SetAsync(store);

        Assert.Equal(1L, Sql("SELECT format FROM lockstep_tick_settings"));
    }

    [Fact]
    public async Task Newer_tables_are_refused_by_name_and_stay_as_they_are()
    {
        var connection = await (await postgres.GetAsync(Cancel)).CreateDatabaseAsync(Cancel);
        await using var used = new PostgresTickStore(connection, Settings);
        await SetAsync(used);
        await using var source = NpgsqlDataSource.Create(connection);
        await RunAsync(source, Newer);
        const string All = """
            SELECT (SELECT json_agg(s) FROM lockstep_tick_settings s)::text || (SELECT json_agg(t) FROM lockstep_tick_tuples t)::text
                || (SELECT json_agg(a) FROM lockstep_tick_audit a)::text
            """;
        var before = await RunAsync(source, All);

        await RefusesAsync(used.Description, used, new PostgresTickStore(connection, Settings), new PostgresTickStore(connection));

        Assert.Equal(before, await RunAsync(source, All));
    }

    [Fact]
    public async Task Tables_without_a_format_are_read_and_written_as_those_of_the_first()
    {
        var connection = await (await postgres.GetAsync(Cancel)).CreateDatabaseAsync(Cancel);
        await using (var made = new PostgresTickStore(connection, Settings))
            await SetAsync(made);
        await using var source = NpgsqlDataSource.Create(connection);
        await RunAsync(source, Nameless);

        await using var store = new PostgresTickStore(connection);
        Assert.Single((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
        await SetAsync(store);

        Assert.Equal(2, (await store.ReadAuditAsync("x", 10, Cancel)).Count);
    }

    [Fact]
    public async Task Newer_keys_are_refused_by_name_and_stay_as_they_are()
    {
        var host = (await redis.GetAsync(Cancel)).Host;
        var prefix = $"format-{Guid.NewGuid():N}";
        var uri = $"redis://{host}/0?prefix={prefix}";
        await using var connection = await ConnectionMultiplexer.ConnectAsync(host);
        var server = connection.GetDatabase();
        await using var used = new RedisTickStore(uri, Settings);
        await SetAsync(used);
        RedisKey[] keys = [.. connection.GetServers()[0].Keys(pattern: $"*{prefix}*")];
        Assert.Equal(4, keys.Length);

        // It becomes a newer one between a decision and its commit.
        await Assert.ThrowsAsync<TickStoreFormatException>(() =>
            used.ChangeAsync(
                "x",
                "ann",
                reading =>
                {
                    server.HashSet($"{{{prefix}}}:store", "format", 2);
                    return TickRules.Set("x", reading, "2", null, null, replace: true);
                },
                Cancel
            )
        );
        Assert.Equal("1", Assert.Single(await ValuesAsync()));
        var before = await DumpAsync();

        await RefusesAsync(used.Description, used, new RedisTickStore(uri, Settings), new RedisTickStore(uri));

        Assert.Equal(before, await DumpAsync());

        async Task<IEnumerable<string>> ValuesAsync() =>
            from field in await server.HashGetAllAsync($"{{{prefix}}}:var:x")
            where field.Name != "rev"
            select field.Value.ToString().Split(' ')[^1];

        async Task<string[]> DumpAsync() =>
            await Task.WhenAll(keys.Select(async key => Convert.ToHexString((await server.KeyDumpAsync(key))!)));
    }

    private static Task<TickChange> SetAsync(ITickStore store) =>
        new TickEditor(store).SetAsync("x", "1", replace: true, cancellationToken: Cancel);

    /// <summary>One that was in use before the store became a newer one, and some that are opened then.</summary>
    private static async Task RefusesAsync(string name, ITickStore used, params ITickStore[] opened)
    {
        foreach (var store in opened.Prepend(used))
        {
            await RefusedAsync(() => store.ReadAsync("x", Cancel));
            await RefusedAsync(() => SetAsync(store));
        }

        foreach (var store in opened)
        {
            await RefusedAsync(() => store.ReadSettingsAsync(Cancel));
            await RefusedAsync(() => store.ListAsync(Cancel));
            await RefusedAsync(() => store.ReadAuditAsync("x", 1, Cancel));
            await store.DisposeAsync();
        }

        async Task RefusedAsync(Func<Task> use)
        {
            var error = await Assert.ThrowsAsync<TickStoreFormatException>(use);
            Assert.Equal(
                $"The store {name} was written by a newer Lockstep (format 2, this one reads up to 1). Nothing was changed in it.",
                error.Message
            );
        }
    }

    private static async Task<object?> RunAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel);
    }

    private object? Sql(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={StorePath};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
