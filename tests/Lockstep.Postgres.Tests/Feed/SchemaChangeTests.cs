using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>Clients start over when a change reached rows past the triggers, and only then.</summary>
public sealed class SchemaChangeTests(SharedPostgres postgres)
{
    private const string Plain = SchemaChanges.Plain;
    private const string Parts = SchemaChanges.Parts;

    [Theory]
    [MemberData(nameof(SchemaChanges.Harmless), MemberType = typeof(SchemaChanges))]
    [InlineData(Parts, SchemaChanges.FilledPartition, "INSERT INTO items VALUES (9), (101)")]
    [InlineData(Parts, SchemaChanges.FilledInSavepoint, "INSERT INTO items VALUES (9), (101)")]
    [InlineData(Parts, SchemaChanges.FilledBefore, "INSERT INTO items VALUES (9), (101)")]
    public async Task What_changes_no_row_costs_no_resync_also_not_after_a_restart(string sql, string change, string write)
    {
        await using var items = await TableCase.MakeAsync(postgres, sql);
        await items.Db.RunAsync(SchemaChanges.RowsOf(sql));
        await items.ServeAsync();
        await items.CatchUpAsync();
        await SchemaChanges.RunAsync(items.Db, change, items.CatchUpAsync);
        await items.Db.RunAsync(write);
        await items.CatchUpAsync();
        Assert.Equal((await items.Db.RowsAsync("items")).Keys, items.Client.Rows.Keys);
        Assert.Equal((await items.Db.RowsAsync("items"))["9"], items.Client.Rows["9"]);
        Assert.Equal(0, items.Client.Resyncs);

        await items.ServeAsync();
        await items.Db.RunAsync("DELETE FROM items WHERE id = 2");
        await items.CatchUpAsync();
        Assert.Equal((await items.Db.RowsAsync("items")).Keys, items.Client.Rows.Keys);
        Assert.Equal(0, items.Client.Resyncs);
        Assert.Empty(items.Notices);
    }

    [Theory]
    [MemberData(nameof(SchemaChanges.Harmful), MemberType = typeof(SchemaChanges))]
    [InlineData(
        Plain,
        "ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET v = 'sad'; DELETE FROM items WHERE id = 2; ALTER TABLE "
            + "items ENABLE TRIGGER ALL"
    )]
    [InlineData(Parts, "ALTER TABLE p0 DISABLE TRIGGER ALL; DELETE FROM p0 WHERE id = 2; ALTER TABLE p0 ENABLE TRIGGER ALL")]
    public async Task What_reaches_rows_past_the_triggers_makes_clients_start_over_and_the_operator_is_told(string sql, string change)
    {
        await using var items = await TableCase.MakeAsync(postgres, sql);
        await items.Db.RunAsync(SchemaChanges.RowsOf(sql));
        await items.ServeAsync();
        await items.CatchUpAsync();
        await SchemaChanges.RunAsync(items.Db, change, items.CatchUpAsync);
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
        Assert.Equal(1, items.Client.Resyncs);

        // The poller looks while somebody follows, and may not have looked yet when a client has caught up.
        await Eventually.TrueAsync(async () =>
        {
            await items.CatchUpAsync();
            return items.Notices.Any(n => n.Contains("all clients must resync", StringComparison.Ordinal));
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_has_passed_rows_which_come_with_a_partition_gets_them(bool isOldTransaction)
    {
        await using var items = await TableCase.MakeAsync(postgres, Parts);
        await items.Db.RunAsync("CREATE TABLE p1 (LIKE items INCLUDING ALL)");
        await items.Db.RunAsync(SchemaChanges.RowsOf(Parts));
        await items.ServeAsync();
        await items.CatchUpAsync();

        // A transaction has its number from its first write; this one's is below that of the row, which others have seen by then.
        await using var dba = await items.Db.ConnectAsync();
        if (isOldTransaction)
            await dba.ExecuteAsync("BEGIN; SELECT txid_current()", TestContext.Current.CancellationToken);
        var client = items.Client;
        var hasPassed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var follows = Eventually.WithoutAsync<FeedIdentityChangedException>(() =>
            client.ReadAsync(
                _ =>
                {
                    if (client.Rows.Count == 3)
                        hasPassed.TrySetResult();
                    return client.Rows.Count == 5;
                },
                TestContext.Current.CancellationToken
            )
        );
        await items.Db.RunAsync("INSERT INTO p1 VALUES (150)");
        await items.Db.RunAsync("INSERT INTO items VALUES (3)");
        await Task.WhenAny(follows, hasPassed.Task);
        await dba.ExecuteAsync(
            "ALTER TABLE items ATTACH PARTITION p1 FOR VALUES FROM (100) TO (200)" + (isOldTransaction ? "; COMMIT" : ""),
            TestContext.Current.CancellationToken
        );
        await items.Db.RunAsync("INSERT INTO items VALUES (4)");
        await follows;
        Assert.Equal(await items.Db.RowsAsync("items"), client.Rows);
    }

    [Theory]
    [MemberData(nameof(SchemaChanges.Undone), MemberType = typeof(SchemaChanges))]
    public async Task What_was_added_and_is_gone_again_leaves_nothing_at_clients_whoever_served_it(string sql, string add, string undo)
    {
        foreach (var restarts in (bool[])[false, true])
        {
            await using var items = await TableCase.MakeAsync(postgres, sql);
            await items.Db.RunAsync(SchemaChanges.RowsOf(sql));
            await items.ServeAsync();
            await items.CatchUpAsync();
            await items.Db.RunAsync(add);
            await items.Db.RunAsync(SchemaChanges.WriteOf(add));
            await items.CatchUpAsync();
            Assert.Equal((await items.Db.RowsAsync("items")).Keys, items.Client.Rows.Keys);
            Assert.Equal(0, items.Client.Resyncs);
            await items.Db.RunAsync(undo);
            if (restarts)
                await items.ServeAsync();
            await items.CatchUpAsync();
            Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
            Assert.Equal(1, items.Client.Resyncs);
        }
    }

    [Fact]
    public async Task A_partition_that_is_being_detached_is_gone_at_clients_as_it_is_in_the_table()
    {
        await using var items = await TableCase.MakeAsync(postgres, Parts);
        await items.Db.RunAsync(SchemaChanges.RowsOf(Parts));
        await items.ServeAsync();
        await items.CatchUpAsync();
        await SchemaChanges.DetachHalfwayAsync(items.Db);
        await items.Db.RunAsync("CREATE TABLE p1 PARTITION OF items FOR VALUES FROM (100) TO (200); INSERT INTO items VALUES (150)");
        foreach (var finalize in (bool[])[false, true])
        {
            if (finalize)
                await items.Db.RunAsync("ALTER TABLE items DETACH PARTITION p0 FINALIZE");
            await items.CatchUpAsync();
            Assert.Equal("150", Assert.Single(await items.Db.RowsAsync("items")).Key);
            Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
        }
    }

    [Fact]
    public async Task The_operator_is_told_too_if_nobody_follows_when_it_is_noticed()
    {
        await using var items = await TableCase.MakeAsync(postgres, Plain);
        await items.Db.RunAsync("INSERT INTO items VALUES (1, 'ok')");
        await items.ServeAsync();
        await items.CatchUpAsync();
        await items.Db.RunAsync("ALTER TABLE items ADD COLUMN more int DEFAULT 7");
        await Eventually.TrueAsync(async () =>
        {
            _ = await items.Feed.GetStateAsync(TestContext.Current.CancellationToken);
            return items.Notices.Any(n => n.Contains("all clients must resync", StringComparison.Ordinal));
        });
        await items.CatchUpAsync();
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
        Assert.Single(items.Notices, n => n.Contains("all clients must resync", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_restore_without_triggers_is_noticed_too_and_tracking_again_repairs_them()
    {
        const string Restore =
            "ALTER TABLE items DISABLE TRIGGER ALL; DELETE FROM items WHERE id = (SELECT min(id) FROM items); ALTER TABLE "
            + "items ENABLE TRIGGER ALL";
        await using var items = await TableCase.MakeAsync(postgres, Plain);
        await items.Db.RunAsync("INSERT INTO items VALUES (1, 'ok'), (2, 'sad'), (3, 'ok')");
        await items.ServeAsync();
        for (var time = 1; time <= 2; time++)
        {
            await items.CatchUpAsync();
            await items.Db.RunAsync(Restore);
            await items.CatchUpAsync();
            Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
            Assert.Equal(time, items.Client.Resyncs);
        }

        await Eventually.TrueAsync(async () =>
        {
            await items.CatchUpAsync();
            return items.Notices.Any(n => n.Contains("no longer fire", StringComparison.Ordinal));
        });
        await PostgresTracking.EnableAsync(
            items.Db.ConnectionString,
            TableCase.Items,
            cancellationToken: TestContext.Current.CancellationToken
        );
        await items.Db.RunAsync("SET session_replication_role = replica; INSERT INTO items VALUES (4, 'sad')");
        await items.CatchUpAsync();
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
    }
}
