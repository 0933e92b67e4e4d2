using Lockstep.Postgres.Ticks;
using Lockstep.Testing;
using Lockstep.Ticks;
using Microsoft.Data.Sqlite;

namespace Lockstep.Ticks.Tests;

public sealed class MemoryTickStoreTests : TickStoreContract
{
    private MemoryTickStore? _store;

    protected override Task<ITickStore> OpenAsync(TickSettings settings) =>
        Task.FromResult<ITickStore>(_store ??= new MemoryTickStore(settings, Time));
}

public sealed class SqliteTickStoreTests : TickStoreContract
{
    private readonly TempFolder _folder = new();

    protected override Task<ITickStore> OpenAsync(TickSettings settings) =>
        Task.FromResult<ITickStore>(new SqliteTickStore(_folder["ticks.db"], settings, Time));

    protected override ValueTask CleanAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_missing_file_is_a_store_that_is_down_and_never_made_again()
    {
        var path = _folder["missing.db"];
        await using var reader = new SqliteTickStore(path);
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => reader.ReadAsync("x", Cancel));
        Assert.False(File.Exists(path));

        await using var writer = new SqliteTickStore(path, Settings);
        await writer.ReadAsync("x", Cancel);
        await reader.ReadAsync("x", Cancel);
        File.Delete(path);
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => writer.ReadAsync("x", Cancel));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task A_file_of_an_older_version_gets_an_identity_when_it_is_opened_to_write()
    {
        var path = _folder["old.db"];
        await using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            connection.Open();
            await using var command = connection.CreateCommand();
            command.CommandText = """
                CREATE TABLE lockstep_tick_settings (
                    one INTEGER PRIMARY KEY CHECK (one = 1), default_tick_ms INTEGER NOT NULL, skew_bound_ms INTEGER,
                        latency_ms INTEGER NOT NULL);
                CREATE TABLE lockstep_tick_tuples (
                    name TEXT NOT NULL, active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL,
                        PRIMARY KEY (name, active_at_ms)) WITHOUT ROWID;
                INSERT INTO lockstep_tick_settings VALUES (1, 10000, NULL, 100);
                INSERT INTO lockstep_tick_tuples VALUES ('x', 1000, '"old"', 10000);
                """;
            command.ExecuteNonQuery();
        }

        await using var reader = new SqliteTickStore(path);
        var old = await reader.ReadAsync("x", Cancel);
        await using var writer = new SqliteTickStore(path, Settings);
        await writer.ReadAsync("x", Cancel);

        Assert.Equal(("\"old\"", (string?)null), (Assert.Single(old.Schedule.Tuples).Json, old.Stamp.Identity));
        Assert.NotNull((await reader.ReadAsync("x", Cancel)).Stamp.Identity);
    }

    [Fact]
    public async Task A_file_of_an_older_version_keeps_wishes_from_the_first_change_on()
    {
        var path = _folder["old.db"];
        await using (var made = new SqliteTickStore(path, Settings, Time))
            await made.ReadAsync("x", Cancel);
        await using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            connection.Open();
            await using var command = connection.CreateCommand();
            command.CommandText = """
                ALTER TABLE lockstep_tick_settings DROP COLUMN marks;
                ALTER TABLE lockstep_tick_tuples DROP COLUMN wished_at_ms;
                ALTER TABLE lockstep_tick_tuples DROP COLUMN change_group;
                """;
            command.ExecuteNonQuery();
        }

        await using var store = new SqliteTickStore(path, clock: Time);
        Assert.Empty((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
        await new TickEditor(store).SetAsync("x", "1", Time.GetUtcNow().AddSeconds(102), cancellationToken: Cancel);

        var reading = await store.ReadAsync("x", Cancel);
        Assert.Equal(Time.GetUtcNow().AddSeconds(102), Assert.Single(reading.Schedule.Tuples).WishedAt);
        Assert.Equal(TickStoreStamp.MarkLength, reading.Stamp.Marks!.Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_writer_that_is_gone_while_it_waited_holds_up_nobody(bool isOld)
    {
        var path = _folder["ticks.db"];
        await using var store = new SqliteTickStore(path, Settings, Time);
        await store.ReadAsync("x", Cancel);
        await File.WriteAllBytesAsync(path + "-waiting", BitConverter.GetBytes(DateTime.UtcNow.AddMinutes(-1).Ticks), Cancel);
        if (isOld)
            File.SetLastWriteTimeUtc(path + "-waiting", DateTime.UtcNow.AddMinutes(-1));

        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);

        Assert.Equal([path], Directory.GetFiles(_folder.Path));
        Assert.Single((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
    }

    [Fact]
    public async Task A_file_that_was_restored_and_changed_since_is_not_taken_for_the_one_that_was_read()
    {
        var path = _folder["ticks.db"];
        await using var store = new SqliteTickStore(path, Settings, Time);
        var editor = new TickEditor(store);
        await editor.SetAsync("x", "1", cancellationToken: Cancel);
        File.Copy(path, _folder["backup.db"]);
        await editor.SetAsync("y", "1", cancellationToken: Cancel);
        var read = (await store.ReadAsync("x", Cancel)).Stamp;
        await editor.SetAsync("z", "1", cancellationToken: Cancel);
        read.RequireSuccessor((await store.ReadAsync("x", Cancel)).Stamp, "store");

        File.Copy(_folder["backup.db"], path, overwrite: true);
        await editor.SetAsync("y", "2", cancellationToken: Cancel);
        await editor.SetAsync("z", "2", cancellationToken: Cancel);
        var now = (await store.ReadAsync("x", Cancel)).Stamp;

        Assert.True(now.Version > read.Version);
        Assert.Throws<TickStoreReplacedException>(() => read.RequireSuccessor(now, "store"));
    }

    [Fact]
    public async Task A_file_that_is_no_store_is_refused_with_its_name()
    {
        var path = _folder["other.db"];
        await File.WriteAllTextAsync(path, new string('x', 5000), Cancel);
        await using var store = new SqliteTickStore(path, Settings);

        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancel));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }
}

public sealed class PostgresTickStoreTests(SharedPostgres postgres) : TickStoreContract, IClassFixture<SharedPostgres>
{
    private string? _connection;

    protected override async Task<ITickStore> OpenAsync(TickSettings settings)
    {
        _connection ??= await (await postgres.GetAsync(Cancel)).CreateDatabaseAsync(Cancel);
        return new PostgresTickStore(_connection, settings, Time);
    }

    [Fact]
    public async Task The_servers_clock_is_the_stores()
    {
        await using var store = new PostgresTickStore(_connection!, Settings);
        var server = await postgres.GetAsync(Cancel);
        var before = await server.RunSqlAsync("SELECT extract(epoch FROM clock_timestamp())", Cancel);
        var reading = await store.ReadAsync("x", Cancel);
        var after = await server.RunSqlAsync("SELECT extract(epoch FROM clock_timestamp())", Cancel);

        Assert.InRange(
            (decimal)(reading.StoreTime - DateTimeOffset.UnixEpoch).TotalSeconds,
            decimal.Parse(before, System.Globalization.CultureInfo.InvariantCulture) - 0.001m,
            decimal.Parse(after, System.Globalization.CultureInfo.InvariantCulture) + 0.001m
        );
    }

    [Fact]
    public async Task Many_processes_may_make_the_tables_at_once()
    {
        var connection = await (await postgres.GetAsync(Cancel)).CreateDatabaseAsync(Cancel);
        var stores = Enumerable.Range(0, 8).Select(_ => new PostgresTickStore(connection, Settings)).ToList();

        await Task.WhenAll(stores.Select(store => Task.Run(() => store.ReadAsync("x", Cancel), Cancel)));
        foreach (var store in stores)
            await store.DisposeAsync();
    }

    [Fact]
    public async Task A_server_that_is_away_is_reported_without_the_password_and_used_again_when_back()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var store = new PostgresTickStore(server.ConnectionString + ";Password=s3cret", Settings, Time);
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);

        await server.CrashAsync(Cancel);
        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancel));
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", store.Description, StringComparison.Ordinal);
        await server.StartAsync(Cancel);

        Assert.Single((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
    }

    [Fact]
    public async Task Tables_of_an_older_version_are_completed_by_the_first_change()
    {
        await using (var made = await OpenAsync(Settings))
            await made.ReadAsync("x", Cancel);
        await using var store = new PostgresTickStore(_connection!, null, Time);
        await using (var source = Npgsql.NpgsqlDataSource.Create(_connection!))
        await using (
            var command = source.CreateCommand(
                """
                ALTER TABLE lockstep_tick_settings DROP COLUMN marks, DROP COLUMN version, DROP COLUMN identity;
                ALTER TABLE lockstep_tick_tuples DROP COLUMN wished_at, DROP COLUMN change_group;
                """
            )
        )
        {
            await command.ExecuteNonQueryAsync(Cancel);
        }

        Assert.Null((await store.ReadAsync("x", Cancel)).Stamp.Identity);
        await new TickEditor(store).SetAsync("x", "1", Time.GetUtcNow().AddSeconds(102), cancellationToken: Cancel);

        var reading = await store.ReadAsync("x", Cancel);
        Assert.Equal(Time.GetUtcNow().AddSeconds(102), Assert.Single(reading.Schedule.Tuples).WishedAt);
        Assert.Equal(1, reading.Stamp.Version);
        Assert.NotNull(reading.Stamp.Identity);
    }

    [Fact]
    public async Task Missing_tables_are_a_store_that_is_down_where_none_are_to_be_made()
    {
        var connection = await (await postgres.GetAsync(Cancel)).CreateDatabaseAsync(Cancel);
        await using var store = new PostgresTickStore(connection);

        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancel));
    }
}
