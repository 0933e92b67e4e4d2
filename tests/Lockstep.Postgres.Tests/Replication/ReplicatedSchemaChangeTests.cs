using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>With replication too, clients start over when rows changed in a way that the stream does not report, and only then.</summary>
public sealed class ReplicatedSchemaChangeTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(SchemaChanges.Harmless), MemberType = typeof(SchemaChanges))]
    [InlineData(Plain, ColumnBetween, "INSERT INTO items (id, v, more) VALUES (9, 'ok', 'x')")]
    [InlineData(PartsWithText, "VACUUM FULL items", "INSERT INTO items VALUES (9)")]
    [InlineData(PartsWithText, "CLUSTER p0 USING p0_pkey", "INSERT INTO items VALUES (9)")]
    public async Task What_the_stream_tells_or_no_row_shows_costs_no_resync_also_not_after_a_restart(
        string sql,
        string change,
        string write
    )
    {
        await using var db = await postgres.CreateAsync(sql);
        await db.RunAsync(SchemaChanges.RowsOf(sql));
        var options = LogicalPostgres.Options(_folder);
        Follower client;
        await using (var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel))
        {
            client = new Follower(feed);
            await LogicalPostgres.CatchUpAsync(client, db, Cancel);
            await SchemaChanges.RunAsync(db, change, () => LogicalPostgres.CatchUpAsync(client, db, Cancel));
            await db.RunAsync(write);
            await CatchUpAsync(client, db);
            await db.RunAsync("UPDATE items SET id = 10 WHERE id = 9");
            await CatchUpAsync(client, db);
            var fresh = new Follower(feed);
            await LogicalPostgres.CatchUpAsync(fresh, db, Cancel);
            Assert.Equal(await db.RowsAsync("items"), fresh.Rows);
        }

        await db.RunAsync("DELETE FROM items WHERE id = 2");
        await using var again = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        client.Source = again;
        await CatchUpAsync(client, db);
        Assert.Equal(0, client.Resyncs);
    }

    [Theory]
    [MemberData(nameof(SchemaChanges.Harmful), MemberType = typeof(SchemaChanges))]
    [InlineData(SchemaChanges.Parts, SchemaChanges.FilledPartition)]
    [InlineData(SchemaChanges.Parts, SchemaChanges.FilledInSavepoint)]
    [InlineData(SchemaChanges.Parts, SchemaChanges.FilledBefore)]
    public async Task What_the_stream_does_not_tell_makes_clients_start_over(string sql, string change)
    {
        await using var db = await postgres.CreateAsync(sql);
        await db.RunAsync(SchemaChanges.RowsOf(sql));
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder),
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        await SchemaChanges.RunAsync(db, change, () => LogicalPostgres.CatchUpAsync(client, db, Cancel));
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
        Assert.InRange(client.Resyncs, 1, 2);
    }

    [Fact]
    public async Task A_partition_that_is_being_detached_is_gone_at_clients_as_it_is_in_the_table()
    {
        await using var db = await postgres.CreateAsync(Parts);
        await db.RunAsync(SchemaChanges.RowsOf(Parts));
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder),
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        await SchemaChanges.DetachHalfwayAsync(db);
        foreach (
            var sql in (string[])["CREATE TABLE p1 PARTITION OF items FOR VALUES FROM (100) TO (200)", "INSERT INTO items VALUES (150)"]
        )
            await db.RunAsync(sql);
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        Assert.Equal("150", Assert.Single(await db.RowsAsync("items")).Key);
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
    }

    [Theory]
    [MemberData(nameof(SchemaChanges.Undone), MemberType = typeof(SchemaChanges))]
    public async Task What_was_added_and_is_gone_again_leaves_nothing_at_clients_also_not_after_a_restart(
        string sql,
        string add,
        string undo
    )
    {
        foreach (var restarts in (bool[])[false, true])
        {
            await using var db = await postgres.CreateAsync(sql);
            await db.RunAsync(SchemaChanges.RowsOf(sql));
            var options = LogicalPostgres.Options(_folder, r => r with { LogPath = _folder[$"{restarts}.log"] });
            var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
            try
            {
                var client = new Follower(feed);
                await LogicalPostgres.CatchUpAsync(client, db, Cancel);
                await db.RunAsync(add);
                await db.RunAsync(SchemaChanges.WriteOf(add));
                await LogicalPostgres.CatchUpAsync(client, db, Cancel);
                Assert.Equal((await db.RowsAsync("items")).Keys, client.Rows.Keys);
                Assert.Equal(0, client.Resyncs);
                if (restarts)
                    await feed.DisposeAsync();
                await db.RunAsync(undo);
                if (restarts)
                    client.Source = feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
                await LogicalPostgres.CatchUpAsync(client, db, Cancel);
                Assert.Equal(await db.RowsAsync("items"), client.Rows);
                Assert.InRange(client.Resyncs, 1, 2);
            }
            finally
            {
                await feed.DisposeAsync();
            }
        }
    }

    [Theory]
    [MemberData(nameof(SchemaChanges.Unseen), MemberType = typeof(SchemaChanges))]
    public async Task Rows_of_before_are_not_taken_for_rows_of_what_has_the_name_now(string sql, string change)
    {
        await using var db = await postgres.CreateAsync(sql);
        await db.RunAsync(SchemaChanges.RowsOf(sql));
        var options = LogicalPostgres.Options(_folder);
        Follower client;
        await using (var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel))
        {
            client = new Follower(feed);
            await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        }

        await SchemaChanges.RunAsync(db, change, () => Task.CompletedTask);
        await using var again = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        client.Source = again;
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
    }

    [Theory]
    [InlineData("FOR TABLE items", "ALTER PUBLICATION mine DROP TABLE items", "ALTER PUBLICATION mine ADD TABLE items", false)]
    [InlineData("FOR TABLE items", "ALTER PUBLICATION mine DROP TABLE items", "ALTER PUBLICATION mine ADD TABLE items", true)]
    [InlineData("FOR ALL TABLES", "DROP PUBLICATION mine", "CREATE PUBLICATION mine FOR ALL TABLES", true)]
    [InlineData(
        "FOR TABLE items",
        "ALTER PUBLICATION mine SET (publish = 'insert')",
        "ALTER PUBLICATION mine SET (publish = 'insert, update, delete, truncate')",
        true
    )]
    [InlineData(
        "FOR TABLES IN SCHEMA public",
        "ALTER PUBLICATION mine DROP TABLES IN SCHEMA public",
        "ALTER PUBLICATION mine ADD TABLES IN SCHEMA public",
        true
    )]
    public async Task What_was_not_published_for_a_while_reaches_clients(string of, string take, string give, bool isDown)
    {
        await using var db = await postgres.CreateAsync(Plain);
        if (of.Contains("SCHEMA", StringComparison.Ordinal) && int.Parse(await db.ScalarAsync("SHOW server_version_num"), null) < 150000)
            Assert.Skip("PostgreSQL 14 has no publications of schemas.");
        await db.RunAsync(SchemaChanges.RowsOf(Plain));
        await db.RunAsync($"CREATE PUBLICATION mine {of}");
        var options = LogicalPostgres.Options(_folder, r => r with { Publication = "mine" });
        var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        try
        {
            var client = new Follower(feed);
            await LogicalPostgres.CatchUpAsync(client, db, Cancel);
            if (isDown)
                await feed.DisposeAsync();
            await db.RunAsync(take);
            await db.RunAsync("UPDATE items SET v = 'sad' WHERE id = 1; DELETE FROM items WHERE id = 2");
            await db.RunAsync(give);
            await db.RunAsync("INSERT INTO items VALUES (9, 'ok')");
            if (isDown)
                client.Source = feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
            await LogicalPostgres.CatchUpAsync(client, db, Cancel);
            Assert.Equal(await db.RowsAsync("items"), client.Rows);
        }
        finally
        {
            await feed.DisposeAsync();
        }
    }

    private const string Plain = SchemaChanges.Plain;
    private const string Parts = SchemaChanges.Parts;

    private const string PartsWithText =
        "CREATE TABLE items (id int PRIMARY KEY, more text) PARTITION BY RANGE (id); "
        + "CREATE TABLE p0 PARTITION OF items FOR VALUES FROM (0) TO (100)";

    private const string ColumnBetween =
        "BEGIN; INSERT INTO items VALUES (7, 'ok'); ALTER TABLE items ADD COLUMN more text; INSERT INTO items (id, v, "
        + "more) VALUES (8, 'ok', 'x'); COMMIT";

    /// <summary>A row that nobody wrote since a column was added may lack it, which is null.</summary>
    private static async Task CatchUpAsync(Follower client, TestDatabase db)
    {
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        var expected = await db.RowsAsync("items");
        Assert.Equal(expected.Keys, client.Rows.Keys);
        Assert.All(["8", "9", "10", "102"], id => Assert.Equal(expected.GetValueOrDefault(id), client.Rows.GetValueOrDefault(id)));
    }
}
