using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>What the consumer sees, and what stopping does.</summary>
public sealed class ConsumerTests : SyncTest
{
    [Fact]
    [Trait("Invariant", "I5")]
    [Trait("Invariant", "I11")]
    public async Task Changes_are_seen_once_in_the_order_of_their_sequence_and_after_their_commit()
    {
        var random = new Random(3);
        var body = string.Concat(Enumerable.Range(1, 5000).Select(i => Record(random.Next(500), i)));
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            for (var start = 0; start < body.Length; start += 20_000)
            {
                await exchange.ChunkAsync(body[start..Math.Min(body.Length, start + 20_000)]);
                await Task.Delay(10, exchange.Stopping);
            }

            await exchange.LastChunkAsync();
        });
        long last = 0;
        var seen = new Dictionary<string, string>();
        var run = await SyncRun.ToEndAsync(
            Options(server),
            step =>
            {
                if (step is not ChangesCommitted committed)
                    return;
                Assert.True(Info.Sequence >= committed.Changes[^1].Sequence);
                foreach (var change in committed.Changes)
                {
                    Assert.True(change.Sequence > last);
                    last = change.Sequence;
                    seen[change.Key.ToString()] = Encoding.UTF8.GetString(change.Record.Span);
                }
            }
        );

        Assert.Equal(SyncRun.Read(TablePath), seen);
        Assert.Equal(run.Result.Added + run.Result.Updated + run.Result.Deleted, run.Changes.Count);
        Assert.Equal(5000, run.Result.Received);
    }

    [Fact]
    public async Task Every_version_of_a_record_is_a_change_when_that_is_wanted()
    {
        await using var server = RawServer.WithBodies(
            Record(1, 1) + Record(1, 2) + Record(1, 2) + Gone(1, 3) + Record(1, 4) + Record(1, 1)
        );

        var run = await SyncRun.ToEndAsync(With(server, everyVersion: true));

        Assert.Equal([ChangeKind.Added, ChangeKind.Updated, ChangeKind.Deleted, ChangeKind.Added], run.Changes.Select(c => c.Kind));
        Assert.Equal(2, run.Result.Unchanged);
    }

    [Fact]
    public async Task Every_record_that_came_is_handed_out_when_that_is_wanted()
    {
        await using var server = RawServer.WithBodies(Record(1, 2) + Record(1, 1) + Gone(2, 3) + Record(1, 2));
        var records = new List<string>();

        await SyncRun.ToEndAsync(
            With(server, records: true),
            step =>
            {
                if (step is ChangesCommitted committed)
                    records.AddRange(committed.Records.Select(r => $"{r.Key}{(r.IsDeleted ? "-" : "")}:{r.Record.Length}"));
            }
        );

        Assert.Equal(
            [$"1:{Record(1, 2).Length - 1}", $"1:{Record(1, 1).Length - 1}", $"2-:{Gone(2, 3).Length - 1}", $"1:{Record(1, 2).Length - 1}"],
            records
        );
    }

    [Fact]
    public async Task A_transform_builds_the_row_or_leaves_it_out()
    {
        await using var server = RawServer.WithBodies(Record(1, 1) + Record(2, 2) + Gone(3, 3) + Record(4, 4), Record(2, 5) + Record(4, 3));

        await SyncRun.ToEndAsync(With(server, transforms: true), step => Transform(step, skip: "4"));
        Assert.Equal("""{"new":true,"id":1}""", SyncRun.Read(TablePath)["1"]);
        Assert.Equal(["1", "2"], Keys);
        Assert.Equal(["new", "id"], Info.Fields);
        // What was left out has a tombstone at its order value: nothing older replaces it.
        await SyncRun.ToEndAsync(With(server, transforms: true), step => Transform(step, skip: "2"));

        Assert.Equal(["1"], Keys);
    }

    [Theory]
    [InlineData("""{"id":2}""", "another key")]
    [InlineData("""{"name":1}""", "'id'")]
    [InlineData("""{"id":"1"}""", "integer")]
    [InlineData("text", "not a JSON object")]
    [InlineData("""{"id":1""", "JSON")]
    [InlineData("""{"id":1}{"id":1}""", "")]
    public async Task A_transform_that_puts_out_something_else_is_an_error(string output, string reason)
    {
        await using var server = RawServer.WithBodies(Record(1, 1));

        var error = await Assert.ThrowsAsync<TransformException>(() =>
            SyncRun.ToEndAsync(
                With(server, transforms: true),
                step =>
                {
                    if (step is RecordsToTransform some)
                        some.Records[0].Replace(Encoding.UTF8.GetBytes(output));
                }
            )
        );

        Assert.Equal("1", error.Key.ToString());
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_consumer_that_does_not_pull_slows_the_feed()
    {
        long sent = 0;
        var piece = string.Concat(Enumerable.Range(0, 500).Select(i => Record(i, i, $",\"pad\":\"{new string('x', 1000)}\"")));
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            while (true)
            {
                await exchange.ChunkAsync(piece.Replace("\"pad\":\"x", $"\"pad\":\"{sent}", StringComparison.Ordinal));
                Interlocked.Add(ref sent, piece.Length);
            }
        });
        await using var steps = new TableSync(With(server, records: true, follow: true))
            .RunAsync(Cancellation)
            .GetAsyncEnumerator(Cancellation);
        while (await steps.MoveNextAsync() && steps.Current is not ChangesCommitted) { }

        long before = -1;
        for (var same = 0; same < 3; )
        {
            await Task.Delay(300, Cancellation);
            same = before == Interlocked.Read(ref sent) ? same + 1 : 0;
            before = Interlocked.Read(ref sent);
        }

        // The batches' memory and the socket's buffers bound what is in flight.
        Assert.True(before < 200_000_000, $"{before} bytes were taken in");
    }

    [Fact]
    [Trait("Invariant", "I10")]
    public async Task Stopping_to_pull_closes_the_connection_at_once()
    {
        var closed = new TaskCompletionSource();
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/plain\r\n");
            await exchange.ChunkAsync(Record(1, 1));
            await exchange.ClientClosedAsync();
            closed.TrySetResult();
        });

        await foreach (var step in new TableSync(Options(server, follow: true)).RunAsync(Cancellation))
        {
            if (step is ChangesCommitted)
                break;
        }

        await closed.Task.WaitAsync(Eventually.Deadline, Cancellation);
        Assert.Equal(["1"], Keys);
        Assert.Null(Info.Writer);
    }

    [Theory]
    [InlineData("connecting")]
    [InlineData("headers")]
    [InlineData("snapshot")]
    [InlineData("live")]
    [InlineData("endless")]
    [InlineData("backing off")]
    [Trait("Invariant", "I10")]
    public async Task Cancelling_ends_a_sync_in_each_phase(string phase)
    {
        await using var server = new RawServer(async exchange =>
        {
            switch (phase)
            {
                case "connecting":
                    await exchange.StallAsync();
                    break;
                case "headers":
                    await exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Le");
                    await exchange.StallAsync();
                    break;
                case "snapshot" when exchange.Number == 1:
                    await exchange.RedirectAsync("/snapshot");
                    break;
                case "backing off":
                    await exchange.StatusAsync("503 Busy", "Retry-After: 1000\r\n");
                    break;
                default:
                    await exchange.ChunkedAsync();
                    await exchange.ChunkAsync(Record(1, 1));
                    while (phase == "endless")
                        await exchange.ChunkAsync(Record(1, 1));
                    await exchange.StallAsync();
                    break;
            }
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var sync = new TableSync(Options(server, follow: true));
        var running = Task.Run(
            async () =>
            {
                await foreach (var step in sync.RunAsync(stop.Token)) { }
            },
            Cancellation
        );
        var expected = phase switch
        {
            "connecting" or "headers" => SyncPhase.Connecting,
            "snapshot" => SyncPhase.Snapshot,
            "backing off" => SyncPhase.BackingOff,
            _ => SyncPhase.Live,
        };
        await Eventually.TrueAsync(() => !server.Requests.IsEmpty && sync.Result.State.Phase == expected);

        await stop.CancelAsync();

        // The promise is a second. A loaded machine takes longer, but anything else it could be waiting for takes longer still.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(TimeSpan.FromSeconds(25), Cancellation));
        Assert.Equal(SyncEndReason.Stopped, sync.Result.EndReason);
        WriterLock.Take(TablePath).Dispose();
    }

    [Fact]
    [Trait("Invariant", "I10")]
    [Trait("Invariant", "I1")]
    public async Task Cancelling_in_a_long_commit_rolls_it_back_and_loses_nothing()
    {
        var body = string.Concat(Enumerable.Range(1, 120_000).Select(i => Record(i, i)));
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(body);
            await exchange.StallAsync();
        });
        for (var attempt = 0; attempt < 3; attempt++)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            var sync = new TableSync(Options(server));
            try
            {
                await foreach (var step in sync.RunAsync(stop.Token))
                {
                    if (sync.Result.Received > 0)
                        stop.CancelAfter(attempt * 60);
                }
            }
            catch (OperationCanceledException)
            {
                Assert.Equal(SyncEndReason.Stopped, sync.Result.EndReason);
            }

            if (!Table.IsTable(TablePath))
                continue;
            var info = Info;
            Assert.Equal(info.Rows, SyncRun.Read(TablePath).Count);
            Assert.Equal(info.Rows.ToString(System.Globalization.CultureInfo.InvariantCulture), info.Cursor.ToString());
        }

        await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(120_000, Info.Rows);
    }

    private SyncOptions With(
        RawServer server,
        bool everyVersion = false,
        bool records = false,
        bool transforms = false,
        bool follow = false
    ) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(TablePath),
            WantsChanges = true,
            EveryVersion = everyVersion,
            WantsRecords = records,
            Transforms = transforms,
            Follow = follow,
        };

    private static void Transform(SyncStep step, string skip)
    {
        if (step is not RecordsToTransform some)
            return;
        foreach (var record in some.Records)
        {
            if (record.Key.ToString() == skip)
            {
                record.Skip();
            }
            else
            {
                record.Replace(Encoding.UTF8.GetBytes($$"""{"new":true,"id":{{record.Key}}}"""));
            }
        }
    }
}
