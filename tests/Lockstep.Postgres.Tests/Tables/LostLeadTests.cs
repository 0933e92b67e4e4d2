using System.Text;
using System.Threading.Channels;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Postgres.Tests.Serving;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>A sync that follows a feed and loses its database, or its lead, waits in line and resumes.</summary>
public sealed class LostLeadTests(SharedPostgres postgres)
{
    private const string Leader =
        "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid "
        + "FROM pg_database WHERE datname = current_database())";

    private const string InLine =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%' AND datname = current_database()";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Syncs_that_are_killed_again_and_again_take_turns_and_each_sees_every_change_once()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var feed = await LiveFeed.StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        await using var first = await Run.StartAsync(feed, store);
        await using var second = new Run(feed.Options(store));
        await Eventually.TrueAsync(async () => await db.ScalarAsync(InLine) != "0");
        for (var round = 2; round <= 8; round++)
        {
            await db.RunAsync($"SELECT pg_terminate_backend(({Leader}), 10000)");
            feed.Send(round % 3, round);
            await Eventually.TrueAsync(() => store.Get("live").GetInfo().Cursor.ToString() == $"{round}");
        }

        // The leader has seen it all, and no sync has ended.
        await Eventually.TrueAsync(() => first.Changes.Count > 0 && (first.Newest == 8 || second.Newest == 8));
        foreach (var run in (Run[])[first, second])
        {
            Assert.False(run.HasEnded);
            Assert.Equal(run.Changes.Select(change => change.Sequence).Distinct().Order(), run.Changes.Select(change => change.Sequence));
        }
    }

    [Fact]
    public async Task What_others_committed_meanwhile_comes_first_when_a_sync_takes_up_again()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var feed = await LiveFeed.StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        await using var run = await Run.StartAsync(feed, store);

        // It notices with its next commit; until then another one leads.
        await db.RunAsync($"SELECT pg_terminate_backend(({Leader}), 10000)");
        using (var other = await store.OpenAsync("live", default, TimeProvider.System, Cancel))
            other.Commit(CommitOf(Line(2, 2), Line(3, 3)));
        feed.Send(4, 4);
        await run.UntilAsync(changes => changes.Count == 4);
        Assert.Equal(["Added 1", "Added 2", "Added 3", "Added 4"], run.Changes.Select(change => $"{change.Kind} {change.Key}"));
        Assert.Contains(
            run.Events,
            happened => happened.Kind == FeedEventKind.SocketError && happened.Message.Contains("PostgreSQL", StringComparison.Ordinal)
        );
        Assert.Equal(4, store.Get("live").GetInfo().Rows);
    }

    [Fact]
    public async Task A_lead_that_was_lost_without_the_connection_is_waited_for_too()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var feed = await LiveFeed.StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        await using var run = await Run.StartAsync(feed, store);
        await db.RunAsync("UPDATE lockstep_tables.lockstep_directory SET epoch = epoch + 1");
        feed.Send(2, 2);
        await run.UntilAsync(changes => changes.Count == 2);
        Assert.Contains(run.Events, happened => happened.Message.Contains("taken over", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_resync_that_was_cut_off_starts_over_and_sweeps()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var feed = await LiveFeed.StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        using (var target = await store.OpenAsync("live", default, TimeProvider.System, Cancel))
            target.Commit(CommitOf(Line(1, 1), Line(99, 1)));
        feed.Send(1, 2);
        feed.HoldsSnapshot = true;
        await using var run = new Run(feed.Options(store, resync: true));
        await feed.Asked.WaitAsync(Cancel);
        await db.RunAsync($"SELECT pg_terminate_backend(({Leader}), 10000)");
        feed.HoldsSnapshot = false;
        await run.UntilAsync(changes => changes.Any(change => change.Kind == ChangeKind.Deleted));
        Assert.Equal(["Updated 1", "Deleted 99"], run.Changes.Select(change => $"{change.Kind} {change.Key}"));
        Assert.True(feed.Cursors.Count >= 2);
        Assert.All(feed.Cursors, cursor => Assert.Equal(0, cursor));
    }

    [Fact]
    public async Task A_server_that_is_restarted_is_waited_for_by_leader_and_standby()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var feed = await LiveFeed.StartAsync();
        var store = new PostgresTableStore(server.ConnectionString);
        await using var first = await Run.StartAsync(feed, store);
        await using var second = new Run(feed.Options(store));
        await Eventually.TrueAsync(async () => await server.RunSqlAsync(InLine, Cancel) != "0");

        await server.CrashAsync(Cancel);
        feed.Send(2, 2);
        await first.UntilEventAsync(FeedEventKind.Retry);
        await second.UntilEventAsync(FeedEventKind.Retry);
        await server.StartAsync(Cancel);
        await Eventually.TrueAsync(() => first.Newest == 2 || second.Newest == 2);
        Assert.False(first.HasEnded || second.HasEnded);
        Assert.Equal(2, store.Get("live").GetInfo().Rows);
    }

    [Fact]
    public async Task Without_following_the_error_comes_out()
    {
        await using var feed = await LiveFeed.StartAsync();
        var options = feed.Options(new PostgresTableStore("Host=127.0.0.1;Port=1;Password=s3cret"), follow: false);
        var error = await Assert.ThrowsAsync<TableStoreUnavailableException>(async () =>
        {
            await foreach (var _ in new TableSync(options).RunAsync(Cancel)) { }
        });
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }

    private static string Line(int id, long since) =>
        $$$"""{"txid":{{{since}}},"current_xmin":{{{since}}},"since":{{{since}}},"deleted":false,"data":{"id":{{{id}}},"v":{{{since}}}}}""";

    private static FeedChunk Chunk(FeedChunkKind kind, long since, params string[] lines) =>
        new(kind, Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n"))), since);

    private static TableCommit CommitOf(params string[] lines)
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Transaction, null, WireNames.DefaultOrderField));
        RecordBatch? batch = null;
        foreach (var json in lines.Select(Encoding.UTF8.GetBytes))
        {
            Assert.Equal(ParsedKind.Record, parser.Parse(json, out var record));
            batch ??= new RecordBatch(parser.Shape!.KeyLayout, parser.Shape.OrderKind, coalesce: true);
            batch.Add(record);
        }

        return new TableCommit { Batch = batch, Shape = parser.Shape };
    }

    /// <summary>A feed over HTTP of what a test sends: everything as a snapshot, then live.</summary>
    private sealed class LiveFeed : IFeedSource
    {
        private readonly List<(int Id, long Since)> _sent = [];
        private readonly List<Channel<(int Id, long Since)>> _clients = [];
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _gate = new();
        private FeedServer _server = null!;

        public string Name => "live";

        public bool HoldsSnapshot { get; set; }

        public Task Asked => _asked.Task;

        /// <summary>What clients have requested.</summary>
        public List<long> Cursors { get; } = [];

        public static async Task<LiveFeed> StartAsync()
        {
            var feed = new LiveFeed();
            feed._server = await FeedServer.StartAsync([feed], new FeedServerOptions { Port = 0 }, cancellationToken: Cancel);
            return feed;
        }

        public SyncOptions Options(PostgresTableStore store, bool follow = true, bool resync = false) =>
            new()
            {
                Feed = new FeedOptions { Uri = new Uri(_server.Uri, "live") },
                Store = store,

                Follow = follow,
                WantsChanges = true,
                Resync = resync,
                RetryInterval = TimeSpan.FromMilliseconds(20),
            };

        public void Send(int id, long since)
        {
            lock (_gate)
            {
                _sent.Add((id, since));
                foreach (var client in _clients)
                    client.Writer.TryWrite((id, since));
            }
        }

        public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) =>
            ValueTask.FromResult(new FeedState("live-1", 0, ["id"], Pages: false));

        public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
        {
            var client = Channel.CreateUnbounded<(int Id, long Since)>();
            lock (_gate)
            {
                Cursors.Add(request.Since);
                foreach (var row in _sent.Where(row => row.Since >= request.Since))
                    client.Writer.TryWrite(row);
                _clients.Add(client);
            }

            return ValueTask.FromResult(new FeedReading("live-1", ["id"], ReadAsync(client, request.Since, cancellationToken)));
        }

        public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        private bool _isDisposed;

        public ValueTask DisposeAsync()
        {
            if (_isDisposed)
                return ValueTask.CompletedTask;
            _isDisposed = true;
            return _server.DisposeAsync();
        }

        private async IAsyncEnumerable<FeedChunk> ReadAsync(
            Channel<(int Id, long Since)> client,
            long since,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            var completed = since > 0;
            var last = since;
            while (client.Reader.TryRead(out var row))
            {
                last = Math.Max(last, row.Since);
                yield return Chunk(completed ? FeedChunkKind.Rows : FeedChunkKind.SnapshotRows, row.Since, Line(row.Id, row.Since));
            }

            if (!completed)
            {
                _asked.TrySetResult();
                await Eventually.TrueAsync(() => !HoldsSnapshot);
            }

            yield return Chunk(completed ? FeedChunkKind.CaughtUp : FeedChunkKind.SnapshotCompleted, last);
            await foreach (var row in client.Reader.ReadAllAsync(cancellationToken))
                yield return Chunk(FeedChunkKind.CaughtUp, row.Since, Line(row.Id, row.Since));
        }
    }

    /// <summary>A sync that runs until the end of the test, and what it reported.</summary>
    private sealed class Run : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        private readonly List<TableChange> _changes = [];
        private readonly List<FeedEvent> _events = [];
        private readonly Task _work;

        public Run(SyncOptions options) => _work = Task.Run(() => WorkAsync(options), CancellationToken.None);

        /// <summary>One that follows, and has received the first record.</summary>
        public static async Task<Run> StartAsync(LiveFeed feed, PostgresTableStore store)
        {
            var run = new Run(feed.Options(store));
            feed.Send(1, 1);
            await run.UntilAsync(changes => changes.Count == 1);
            return run;
        }

        public bool HasEnded => _work.IsCompleted;

        public List<TableChange> Changes
        {
            get
            {
                lock (_changes)
                    return [.. _changes];
            }
        }

        public List<FeedEvent> Events
        {
            get
            {
                lock (_events)
                    return [.. _events];
            }
        }

        /// <summary>The newest order value returned.</summary>
        public long Newest { get; private set; }

        public Task UntilAsync(Func<List<TableChange>, bool> condition) => UntilAsync(() => condition(Changes));

        public Task UntilEventAsync(FeedEventKind kind) => UntilAsync(() => Events.Exists(happened => happened.Kind == kind));

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _work;
            _stop.Dispose();
        }

        /// <summary>Waits; an error of the sync fails at once.</summary>
        private Task UntilAsync(Func<bool> condition) =>
            Eventually.TrueAsync(async () =>
            {
                if (condition())
                    return true;
                if (HasEnded)
                    await _work;
                return false;
            });

        private async Task WorkAsync(SyncOptions options)
        {
            try
            {
                await foreach (var step in new TableSync(options).RunAsync(_stop.Token))
                {
                    if (step is FeedEventOccurred { Event: var happened })
                    {
                        lock (_events)
                            _events.Add(happened);
                    }

                    if (step is not ChangesCommitted committed)
                        continue;
                    lock (_changes)
                        _changes.AddRange(committed.Changes);
                    if (long.TryParse(committed.Result.Cursor.ToString(), out var cursor))
                        Newest = Math.Max(Newest, cursor);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // The end of the test.
            }
        }
    }
}
