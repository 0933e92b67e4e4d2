using System.Text;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>A watcher of a table, or one that waits for it, loses the database.</summary>
public sealed class WatchAgainTests(SharedPostgres postgres)
{
    private const string Watchers = """
        pg_stat_activity WHERE datname = current_database() AND application_name = 'lockstep'
            AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_change_is_lost_or_doubled_however_often_the_connection_is()
    {
        const int Changes = 400;
        await using var db = await TestDatabase.CreateAsync(postgres);
        var notices = new List<string>();
        var store = new PostgresTableStore(db.ConnectionString + ";Password=s3cret") { Logger = CallbackLogger.OfWarnings(notices.Add) };
        using var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel);
        await using var watching = store.Get("t").WatchAsync(since: 0, cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watching.MoveNextAsync());
        var killed = 0;
        var writing = Task.Run(
            async () =>
            {
                for (var i = 1; i <= Changes; i++)
                {
                    Commit(target, i);
                    if (i % 40 == 0)
                    {
                        killed += int.Parse(
                            await db.ScalarAsync($"SELECT count(*) FROM (SELECT pg_terminate_backend(pid, 10000) FROM {Watchers}) t"),
                            System.Globalization.CultureInfo.InvariantCulture
                        );
                    }
                }
            },
            Cancel
        );

        List<long> seen = [];
        while (seen is not [.., Changes])
        {
            Assert.True(await watching.MoveNextAsync());
            seen.AddRange(watching.Current.Select(change => change.Sequence));
        }

        await writing;
        Assert.Equal(Enumerable.Range(1, Changes).Select(i => (long)i), seen);
        Assert.InRange(notices.Count, 1, killed);
        Assert.All(notices, notice => Assert.DoesNotContain("s3cret", notice, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_is_restarted_is_waited_for()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        var lost = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var store = new PostgresTableStore(server.ConnectionString) { Logger = CallbackLogger.OfWarnings(text => lost.TrySetResult(text)) };
        using (var before = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
            Commit(before, 1);
        var table = store.Get("t");
        await using var watching = table.WatchAsync(since: 0, cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watching.MoveNextAsync());
        Assert.Equal(1, Assert.Single(watching.Current).Sequence);

        var others = new List<string>();
        var looked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var waiting = new PostgresTableStore(server.ConnectionString) { Logger = CallbackLogger.OfWarnings(others.Add) }
            .Get("t")
            .WaitAsync(
                info =>
                {
                    looked.TrySetResult();
                    return info.Rows == 2;
                },
                null,
                cancellationToken: Cancel
            );
        await looked.Task.WaitAsync(Cancel);
        await server.CrashAsync(Cancel);
        while (!lost.Task.IsCompleted)
        {
            // It says that nothing has come, as it otherwise does.
            Assert.True(await watching.MoveNextAsync());
            Assert.Empty(watching.Current);
        }

        Assert.True(await watching.MoveNextAsync());
        Assert.Empty(watching.Current);
        await server.StartAsync(Cancel);
        using (var after = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
            Commit(after, 2);
        do Assert.True(await watching.MoveNextAsync());
        while (watching.Current.Count == 0);
        Assert.Equal(2, Assert.Single(watching.Current).Sequence);
        Assert.Equal(2, (await waiting)!.Rows);
        Assert.Single(others);
        Assert.Contains("t in postgres://127.0.0.1", await lost.Task, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watching_and_waiting_end_while_the_database_is_away()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var store = new PostgresTableStore(server.ConnectionString) { Logger = CallbackLogger.OfWarnings(_ => lost.TrySetResult()) };
        using (var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
            Commit(target, 1);
        var table = store.Get("t");
        var looked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var waiting = table.WaitAsync(_ => !looked.TrySetResult() && false, null, cancellationToken: stop.Token);
        await looked.Task.WaitAsync(Cancel);
        await using var watching = table.WatchAsync(cancellationToken: stop.Token).GetAsyncEnumerator(Cancel);
        Assert.True(await watching.MoveNextAsync());
        await server.CrashAsync(Cancel);
        while (!lost.Task.IsCompleted)
            Assert.True(await watching.MoveNextAsync());
        await stop.CancelAsync();
        while (await watching.MoveNextAsync())
            Assert.Empty(watching.Current);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_table_that_was_set_back_is_told_of()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        using var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel);
        Commit(target, 1, 2);
        await using var watching = store.Get("t").WatchAsync(since: 0, cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watching.MoveNextAsync());
        Assert.Equal(2, watching.Current.Count);
        await db.RunAsync("UPDATE lockstep_tables.lockstep_directory SET state = jsonb_set(state::jsonb, '{sequence}', '1')::text");
        await db.RunAsync($"SELECT pg_terminate_backend(pid, 10000) FROM {Watchers}");
        var error = await Assert.ThrowsAsync<TableSetBackException>(async () =>
        {
            while (await watching.MoveNextAsync())
                Assert.Empty(watching.Current);
        });
        Assert.Contains("since 1", error.RecommendedAction, StringComparison.Ordinal);
    }

    /// <summary>Commits records; each is the change with its number in a table that was empty.</summary>
    private static void Commit(ITableTarget target, params int[] ids)
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Record, null, WireNames.DefaultOrderField));
        RecordBatch? batch = null;
        foreach (var id in ids)
        {
            var json = Encoding.UTF8.GetBytes($$"""{"id":{{id}},"updated_at":{{id}},"deleted_at":null}""");
            Assert.Equal(ParsedKind.Record, parser.Parse(json, out var record));
            batch ??= new RecordBatch(parser.Shape!.KeyLayout, parser.Shape.OrderKind, coalesce: true);
            batch.Add(record);
        }

        target.Commit(new TableCommit { Batch = batch, Shape = parser.Shape });
    }
}
