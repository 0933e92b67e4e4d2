using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Serving;

public sealed class TableFeedTests : IDisposable
{
    private readonly TestTable _table = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _table.Dispose();

    [Fact]
    public async Task An_empty_table_is_a_snapshot_too_and_what_comes_then_is_live()
    {
        _table.EndSync();
        await using var feed = await StartAsync();
        var client = new RelayClient(feed);
        var chunks = 0;
        await client.ReadAsync(chunk =>
        {
            if (chunks++ == 0)
            {
                Assert.Equal((FeedChunkKind.SnapshotCompleted, 0L), (chunk.Kind, chunk.Since));
                _table.Apply(Record(1, 10), Record(2, 20), Gone(2, 21));
            }

            return client.Rows.Count == 2;
        });

        Assert.Equal([(1, false), (2, true)], client.Rows.Select(r => (r.Id, r.Deleted)));
        Assert.True(client.Rows[0].Since < client.Rows[1].Since);
    }

    [Fact]
    public async Task Rows_that_are_large_make_no_large_pages()
    {
        _table.Apply([.. Enumerable.Range(1, 40).Select(i => Record(i, i, new string('x', 10_000)))]);
        await using var feed = await StartAsync(pageBytes: 20_000);
        var page = await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel);
        Assert.InRange(page.Lines.Sum(piece => piece.Length), 20_000, 40_000);
        var changes = await feed.ReadAsync(file => file.ReadChanges(0), Cancel);
        Assert.InRange(changes.Lines.Bytes, 20_000, 40_000);
        Assert.False(changes.IsEnd);
        var client = new RelayClient(feed);
        await client.CatchUpAsync();
        Assert.Equal(40, client.Rows.Count);
    }

    [Fact]
    public async Task A_snapshot_leaves_out_what_is_deleted_and_a_cursor_gets_it()
    {
        _table.Apply(Record(1, 10), Record(2, 20));
        await using var feed = await StartAsync();
        var early = new RelayClient(feed);
        await early.CatchUpAsync();
        _table.Apply(Gone(1, 30));
        var late = new RelayClient(feed);
        await late.CatchUpAsync();
        Assert.Equal([2], late.Rows.Select(r => r.Id));

        early.Rows.Clear();
        await early.CatchUpAsync();
        Assert.Equal([(1, true)], early.Rows.Select(r => (r.Id, r.Deleted)));
        Assert.Equal(late.Cursor, early.Cursor);
    }

    [Fact]
    public async Task What_a_source_lets_go_late_is_not_missed_though_its_order_value_is_old()
    {
        _table.Apply(Record(1, 100));
        await using var feed = await StartAsync();
        var client = new RelayClient(feed);
        await client.CatchUpAsync();

        // A record below the table's cursor, and one that a snapshot sweeps.
        _table.Apply(Record(2, 5));
        _table.Snapshot(SnapshotEnding.Sweep, Record(2, 5));
        client.Rows.Clear();
        await client.CatchUpAsync();
        Assert.Equal([(1, true), (2, false)], client.Rows.Select(r => (r.Id, r.Deleted)).Order());
    }

    [Fact]
    public async Task The_identity_outlives_a_restart_and_a_resync_of_the_source()
    {
        _table.Apply(Record(1, 10));
        var first = await IdentityAsync();
        _table.Snapshot(SnapshotEnding.Sweep, Record(2, 20));
        _table.Snapshot(SnapshotEnding.Sweep | SnapshotEnding.ForgetOrder, Record(3, 1));
        Assert.Equal(first, await IdentityAsync());
    }

    [Fact]
    public async Task The_identity_changes_when_the_table_is_emptied_copied_or_made_again()
    {
        _table.Apply(Record(1, 10));
        var seen = new HashSet<string> { await IdentityAsync() };
        using var folder = new TempFolder();
        _table.Table.Backup(folder["copy.db"]);
        Assert.True(seen.Add(await IdentityAsync(folder["copy.db"])));

        _table.Writer.Clear();
        _table.EndSync();
        Assert.True(seen.Add(await IdentityAsync()));

        Remake();
        _table.EndSync();
        Assert.True(seen.Add(await IdentityAsync()));
    }

    [Fact]
    public async Task A_client_of_a_table_that_was_emptied_is_told_that_the_feed_is_another()
    {
        _table.Apply(Record(1, 10));
        await using var feed = await StartAsync();
        var client = new RelayClient(feed);
        await client.CatchUpAsync();
        await Assert.ThrowsAsync<FeedIdentityChangedException>(() =>
            client.ReadAsync(chunk =>
            {
                // While it follows; it is cut off.
                if (_table.Writer.State.Rows > 0)
                    _table.Writer.Clear();
                return false;
            })
        );
        await Assert.ThrowsAsync<FeedUnavailableException>(client.CatchUpAsync);
        _table.EndSync();
        await Assert.ThrowsAsync<FeedIdentityChangedException>(client.CatchUpAsync);
    }

    [Fact]
    public async Task A_cursor_from_before_cleared_tombstones_is_gone_and_one_from_after_is_not()
    {
        _table.Apply(Record(1, 10), Record(2, 20));
        await using var feed = await StartAsync();
        var early = new RelayClient(feed);
        await early.CatchUpAsync();
        _table.Apply(Gone(1, 30));
        var late = new RelayClient(feed);
        await late.CatchUpAsync();
        _table.Apply(Record(2, 40));
        Assert.Equal(1, _table.Writer.ClearTombstones(Cursor.Parse("35")));

        var error = await Assert.ThrowsAsync<FeedCursorExpiredException>(early.CatchUpAsync);
        Assert.Equal(late.Cursor, error.Oldest);
        late.Rows.Clear();
        await late.CatchUpAsync();
        Assert.Equal([2], late.Rows.Select(r => r.Id));
    }

    [Fact]
    public async Task A_source_that_became_another_feed_forgets_tombstones_and_so_expires_cursors()
    {
        _table.Apply(Record(1, 10), Record(2, 20));
        await using var feed = await StartAsync();
        var client = new RelayClient(feed);
        await client.CatchUpAsync();
        _table.Apply(Gone(1, 30));
        _table.Snapshot(SnapshotEnding.Sweep | SnapshotEnding.ForgetOrder, Record(2, 1));
        await Assert.ThrowsAsync<FeedCursorExpiredException>(client.CatchUpAsync);
    }

    [Fact]
    public async Task A_cursor_ahead_of_the_table_is_another_feeds()
    {
        _table.Apply(Record(1, 10));
        await using var feed = await StartAsync();
        var client = new RelayClient(feed) { Cursor = 1000, Identity = (await feed.GetStateAsync(Cancel)).Identity };
        await Assert.ThrowsAsync<FeedIdentityChangedException>(client.CatchUpAsync);
    }

    [Fact]
    public async Task A_file_that_is_put_back_gets_another_identity()
    {
        _table.Apply(Record(1, 10));
        await using var feed = await StartAsync();
        var identity = (await feed.GetStateAsync(Cancel)).Identity;
        using var folder = new TempFolder();
        Copy(_table.Path, folder["old.db"]);
        _table.Apply(Record(2, 20), Record(3, 30));
        await Eventually.TrueAsync(async () => (await feed.GetStateAsync(Cancel)).Horizon == _table.Writer.State.Sequence);

        // With a tool that knows nothing of identities.
        _table.Writer.Dispose();
        Copy(folder["old.db"], _table.Path);
        _table.Reopen();
        await WaitAsync(feed, state => state.Identity != identity);
    }

    [Fact]
    public async Task While_the_file_is_away_the_feed_is_unavailable_and_then_another()
    {
        _table.Apply(Record(1, 10));
        await using var feed = await StartAsync();
        var identity = (await feed.GetStateAsync(Cancel)).Identity;
        _table.Writer.Dispose();
        _table.Table.Remove();
        await Eventually.TrueAsync(() => feed.Error is not null);
        await Assert.ThrowsAsync<FeedUnavailableException>(async () => await feed.GetStateAsync(Cancel));
        await Assert.ThrowsAsync<FeedUnavailableException>(async () =>
            await feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromSeconds(1)), Cancel)
        );

        _table.Reopen();
        _table.Apply(Record(5, 1));
        await WaitAsync(feed, state => state.Identity != identity);
        var client = new RelayClient(feed);
        await client.CatchUpAsync();
        Assert.Equal([5], client.Rows.Select(r => r.Id));
    }

    [Fact]
    public async Task Pages_and_then_the_changes_after_their_horizon_are_the_whole_table()
    {
        _table.Apply(Enumerable.Range(1, 500).Select(i => Record(i, i)));
        await using var feed = await StartAsync(pageBytes: 1024);
        var client = new RelayClient(feed);
        var live = new HashSet<int>();
        var page = await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel);
        var pages = 1;
        while (true)
        {
            foreach ((var id, var since, var deleted) in page.Lines.SelectMany(lines => RelayClient.Parse(lines)))
            {
                Assert.False(deleted);
                Assert.True(since <= page.Horizon);
                live.Add(id);
            }

            // In the middle of it: one before, one after, and a key that makes the table encode its keys.
            if (pages == 3)
                _table.Apply(Gone(1, 600), Record(499, 601), Record(2, 602));
            if (pages == 5)
                _table.Apply("""{"id":1000.5,"updated_at":700,"deleted_at":700}""");
            if (page.Next is null)
                break;
            page = await feed.ReadPageAsync(new SnapshotPageRequest(page.Identity, page.Horizon, page.Next), Cancel);
            pages++;
        }

        Assert.True(pages > 5);
        Assert.Equal(500, live.Count);
        var reading = await feed.OpenAsync(new FeedRequest(page.Horizon, page.Identity, TimeSpan.FromSeconds(1)), Cancel);
        await foreach (var chunk in reading.Chunks.WithCancellation(Cancel))
        {
            var lines = Encoding.UTF8.GetString(chunk.Lines.Span);
            if (chunk.Kind == FeedChunkKind.Rows)
            {
                Assert.Equal(4, lines.Count(c => c == '\n'));
                Assert.Contains("1000.5", lines, StringComparison.Ordinal);
            }

            if (chunk.Kind == FeedChunkKind.CaughtUp)
                break;
        }

        await Assert.ThrowsAsync<FeedPositionException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest(page.Identity, page.Horizon, "AAAA"), Cancel)
        );
        await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest("other", page.Horizon, null), Cancel)
        );
    }

    [Fact]
    public async Task A_client_too_slow_for_the_window_reads_on_from_the_file()
    {
        _table.EndSync();
        await using var feed = await StartAsync(liveBytes: 1024);
        var client = new RelayClient(feed);
        var commits = 0;
        await client.ReadAsync(chunk =>
        {
            // More than the window holds, while the client is still processing the last chunk.
            for (var i = 0; commits < 30 && i < 10; i++, commits++)
                _table.Apply(Enumerable.Range(commits * 20, 20).Select(id => Record(id, commits + 1, new string('x', 100))));
            return client.Rows.Select(r => r.Id).Distinct().Count() == 600;
        });
        Assert.Equal(client.Rows.Select(r => r.Since).Order(), client.Rows.Select(r => r.Since));
    }

    [Fact]
    public async Task Records_of_a_transaction_feed_and_records_with_line_breaks_go_out_on_a_line_each()
    {
        using var table = new TestTable(Dialect.Transaction);
        table.Apply(
            """{"txid":7,"current_xmin":9,"since":7,"deleted":false,"data":{"id":1,"a":"x\ny"}}""",
            "{\"txid\":8,\"current_xmin\":9,\"since\":8,\"deleted\":true,\"data\":{\"id\":2,\n\"b\":1}}"
        );
        await using var feed = await TableFeed.StartAsync(new TableFeedOptions { Path = table.Path }, cancellationToken: Cancel);
        var client = new RelayClient(feed);
        await client.CatchUpAsync();
        Assert.Equal([(1, false)], client.Rows.Select(r => (r.Id, r.Deleted)));
        var page = await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel);
        Assert.EndsWith(
            ""","deleted":false,"data":{"id":1,"a":"x\ny"}}""" + "\n",
            Encoding.UTF8.GetString(Assert.Single(page.Lines).Span),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task What_changed_is_found_without_reading_the_table_whatever_was_done_to_it()
    {
        _table.Apply(Record(1, 10));
        Assert.DoesNotContain(SequenceIndex.Name, Plan(), StringComparison.Ordinal);
        await using var feed = await StartAsync();
        AssertIndexed();

        // A key that makes the table encode its keys.
        _table.Apply("""{"id":2.5,"updated_at":11,"deleted_at":null}""");
        AssertIndexed();
        _table.Writer.Clear();
        _table.Reopen();
        _table.Apply(Record(3, 12));
        AssertIndexed();
        _table.Writer.Clear();
        _table.Reopen();
        _table.Snapshot(SnapshotEnding.Sweep, Record(4, 13));
        AssertIndexed();
        using var folder = new TempFolder();
        _table.Table.Backup(folder["copy.db"]);
        Assert.Contains(SequenceIndex.Name, Plan(folder["copy.db"]), StringComparison.Ordinal);

        void AssertIndexed()
        {
            var plan = Plan();
            Assert.Contains($"SEARCH lockstep_row USING INDEX {SequenceIndex.Name}", plan, StringComparison.Ordinal);
            Assert.DoesNotContain("TEMP B-TREE", plan, StringComparison.Ordinal);
        }

        string Plan(string? path = null)
        {
            using var connection = ReadConnection.Open(path ?? _table.Path);
            using var explain = connection.CreateCommand();
            explain.CommandText = $"EXPLAIN QUERY PLAN {TableFeedFile.Changes}";
            explain.Parameters.AddWithValue("?1", 0);
            explain.Parameters.AddWithValue("?2", 1);
            using var row = explain.ExecuteReader();
            var lines = new StringBuilder();
            while (row.Read())
                lines.AppendLine(row.GetString(3));
            return lines.ToString();
        }
    }

    [Fact]
    public async Task What_is_no_table_is_refused_at_the_start()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder["text.db"], "no table", Cancel);
        await Assert.ThrowsAsync<TableNotFoundException>(() =>
            TableFeed.StartAsync(new TableFeedOptions { Path = folder["none.db"] }, cancellationToken: Cancel)
        );
        await Assert.ThrowsAsync<TableFileException>(() =>
            TableFeed.StartAsync(new TableFeedOptions { Path = folder["text.db"] }, cancellationToken: Cancel)
        );
        Assert.Equal("no table", await File.ReadAllTextAsync(folder["text.db"], Cancel));
    }

    [Fact]
    public async Task A_snapshot_that_a_sync_is_building_survives_the_start()
    {
        _table.Apply(Record(1, 10));
        _table.StageOnly(Record(2, 20));
        await using var feed = await StartAsync();
        _table.Writer.CompleteSnapshot(new TableCommit(), SnapshotEnding.Sweep);
        var client = new RelayClient(feed);
        await client.CatchUpAsync();
        Assert.Equal([2], client.Rows.Select(r => r.Id));
    }

    private static string Record(int id, long order, string more = "") =>
        $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":null,"more":"{{more}}"}""";

    private static string Gone(int id, long order) => $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":{{order}}}""";

    private static void Copy(string from, string to)
    {
        using var source = new SqliteConnection($"Data Source={from};Pooling=False");
        using var target = new SqliteConnection($"Data Source={to};Pooling=False");
        source.Open();
        target.Open();
        source.BackupDatabase(target);
    }

    private static Task WaitAsync(TableFeed feed, Func<FeedState, bool> condition) =>
        Eventually.TrueAsync(async () =>
        {
            try
            {
                return condition(await feed.GetStateAsync(Cancel));
            }
            catch (FeedUnavailableException)
            {
                // The file does not exist yet.
                return false;
            }
        });

    private Task<TableFeed> StartAsync(int pageBytes = 1 << 20, long liveBytes = 1 << 20) =>
        TableFeed.StartAsync(
            new TableFeedOptions
            {
                Path = _table.Path,
                PageBytes = pageBytes,
                LiveBytes = liveBytes,
                PollInterval = TimeSpan.FromMilliseconds(5),
            },
            cancellationToken: Cancel
        );

    private async Task<string> IdentityAsync(string? path = null)
    {
        await using var feed = await TableFeed.StartAsync(new TableFeedOptions { Path = path ?? _table.Path }, cancellationToken: Cancel);
        return (await feed.GetStateAsync(Cancel)).Identity;
    }

    private void Remake()
    {
        _table.Writer.Dispose();
        _table.Table.Remove();
        _table.Reopen();
        _table.Apply(Record(1, 10));
    }
}
