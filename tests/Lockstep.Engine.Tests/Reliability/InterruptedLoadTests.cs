using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Serving;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Reliability;

/// <summary>
/// A first load that is cut off or killed at four fifths resumes near there, for every way to read a feed, and ends with the same table; if
/// it cannot resume, it says so.
/// </summary>
public sealed class InterruptedLoadTests : SyncTest
{
    private const int Count = 20_000;
    private const int Four = Count / 5 * 4;

    /// <summary>At most a page or two are requested twice.</summary>
    private const int Near = 1_000;

    private readonly TestTable _served = new();

    [Theory]
    [InlineData("table", false)]
    [InlineData("table", true)]
    [InlineData("table/pages", false)]
    [InlineData("table/pages", true)]
    public async Task A_load_from_a_relay_goes_on_by_its_pages(string path, bool isKilled)
    {
        Fill();
        await using var source = new MeteredSource(await StartAsync())
        {
            Most = Four,
            BeforeCut = () => isKilled ? Task.Delay(Timeout.Infinite, Cancellation) : Eventually.TrueAsync(IsFar),
        };
        await using var server = await FeedServer.StartAsync([source], new FeedServerOptions(), cancellationToken: Cancellation);
        var feed = new Uri(server.Uri, path);
        if (isKilled)
            await KillAsync(feed);
        else
            await Assert.ThrowsAnyAsync<FeedException>(() => SyncRun.ToEndAsync(To(feed)));
        Assert.InRange(Info.Rows, Four - Near, Four);
        Assert.True(Info.Cursor.IsStart);

        // What changes meanwhile is neither lost nor duplicated: in the part that arrived already, and in the part still to come.
        _served.Apply(Json(Count + 1, 900_001), Json(1, 900_002), Gone(2), Gone(Count - 1));
        source.Renew();
        var before = Info.Rows;
        var run = await SyncRun.ToEndAsync(To(feed));

        // What had not come, and at most a page that had come in part.
        Assert.InRange(source.Rows, Count - Four, Count - before + Near);
        Assert.Equal(before, run.Result.LoadedBefore);
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Load && e.Message.Contains("resumes", StringComparison.Ordinal));
        Assert.Equal(_served.Live, SyncRun.Read(TablePath));
        Assert.Equal(Count - 1, Info.Rows);

        source.Renew();
        await SyncRun.ToEndAsync(To(feed));
        Assert.Equal(0, source.Rows);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_load_in_the_order_of_its_order_field_goes_on_from_the_cursor(bool isKilled)
    {
        long sent = 0;
        await using var server = new RawServer(async exchange =>
        {
            var first = Math.Max(1, int.Parse(exchange.Cursor, System.Globalization.CultureInfo.InvariantCulture));
            var last = exchange.Number == 1 ? Four : Count;
            await exchange.ChunkedAsync();
            for (; first <= last; first += 500)
            {
                var (from, count) = (first, Math.Min(500, last - first + 1));
                await exchange.ChunkAsync(string.Concat(Enumerable.Range(from, count).Select(id => Record(id, id))));
                Interlocked.Add(ref sent, count);
            }

            if (exchange.Number > 1)
                await exchange.LastChunkAsync();
            else if (isKilled)
                await exchange.StallAsync();
            else
                await Eventually.TrueAsync(IsFar);
        });
        if (isKilled)
            await KillAsync(server.FeedUri);
        else
            await SyncRun.ToErrorAsync<FeedCutException>(Options(server));

        Interlocked.Exchange(ref sent, 0);
        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.InRange(sent, Count - Four, Count - Four + Near);
        Assert.InRange(run.Result.LoadedBefore, Four - Near, Four);
        Assert.Equal(Count, Keys.Count);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task A_load_from_a_snapshot_of_one_body_goes_on_in_its_middle(bool isKilled, bool isSame)
    {
        // In no order, so that only the position in the body says how far the load is.
        var body = Encoding.UTF8.GetBytes(
            string.Concat(Enumerable.Range(1, Count).Select(n => Record((int)(n * 7919L % Count) + 1, n % 97)))
        );
        var (sent, tag) = (0L, "\"one\"");
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Cursor == "0")
            {
                // Signed for a limited time, so it must never be stored.
                await exchange.RedirectAsync($"/snapshot?signature={exchange.Number}");
                return;
            }

            if (!exchange.Cursor.StartsWith("snapshot", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(Record(Count + 1, 1000));
                return;
            }

            var from = exchange.Head.Contains($"If-Range: {tag}", StringComparison.Ordinal)
                ? int.Parse(exchange.Head.Split("Range: bytes=")[1].Split('-')[0], System.Globalization.CultureInfo.InvariantCulture)
                : 0;
            var (status, range) =
                from > 0 ? ("206 Partial", $"Content-Range: bytes {from}-{body.Length - 1}/{body.Length}\r\n") : ("200 OK", "");
            await exchange.SendAsync(
                $"HTTP/1.1 {status}\r\nConnection: close\r\nAccept-Ranges: bytes\r\nETag: {tag}\r\n{range}Content-Length: "
                    + $"{body.Length - from}\r\n\r\n"
            );
            var isFirst = exchange.Number == 2;
            var rest = body.AsMemory(from, isFirst ? body.Length / 5 * 4 : body.Length - from).ToArray();
            await exchange.SendAsync(rest);
            Interlocked.Add(ref sent, rest.Length);
            if (isFirst)
                await (isKilled ? exchange.StallAsync() : Eventually.TrueAsync(IsFar));
        });
        if (isKilled)
            await KillAsync(server.FeedUri);
        else
            await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        Assert.DoesNotContain(
            "signature",
            Encoding.UTF8.GetString(await File.ReadAllBytesAsync(TablePath, Cancellation)),
            StringComparison.Ordinal
        );

        // Another body under the same name is read from its start, and replaces what arrived of the first one.
        if (!isSame)
            (tag, body) = ("\"two\"", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(1, Count / 2).Select(n => Record(n, n % 97)))));
        Interlocked.Exchange(ref sent, 0);
        await SyncRun.ToEndAsync(Options(server, resync: false));

        Assert.Equal((isSame ? Count : Count / 2) + 1, Keys.Count);
        Assert.InRange(sent, 1, isSame ? (body.Length / 5) + (Near * body.Length / Count) : body.Length);
        Assert.Equal("1000", Info.Cursor.ToString());
        await SyncRun.ToEndAsync(Options(server));
        Assert.StartsWith("1000", server.Cursors.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_is_gone_makes_the_load_start_over_and_ends_with_the_whole_set()
    {
        Fill();
        await using var source = new MeteredSource(await StartAsync()) { Most = Four, BeforeCut = () => Eventually.TrueAsync(IsFar) };
        await using var server = await FeedServer.StartAsync([source], new FeedServerOptions(), cancellationToken: Cancellation);
        await SyncRun.ToErrorAsync<FeedCutException>(To(new Uri(server.Uri, "table")));

        // Tombstones from after the start of the load are cleared: a client that resumes would never hear of them.
        _served.Apply(Gone(3));
        _served.Writer.ClearTombstones(Lockstep.Engine.Records.Cursor.Parse("999999999"));
        source.Renew();
        var run = await SyncRun.ToEndAsync(To(new Uri(server.Uri, "table")));

        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Resync);
        Assert.Equal(_served.Live, SyncRun.Read(TablePath));
        Assert.Equal(Count - 1, Keys.Count);
    }

    [Fact]
    public async Task What_would_start_over_is_said_before_it_is_cut_off()
    {
        var set = string.Concat(Enumerable.Range(1, 100).Select(id => Row(id, id)));
        var cut = true;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(set);
            if (cut)
                exchange.Reset();
            else
                await exchange.ChunkAsync(Completed(100));
        });

        var (_, events) = await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        Assert.Contains(events, e => e.Kind == FeedEventKind.Load && e.Message.Contains("starts over", StringComparison.Ordinal));
        cut = false;
        await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(["0", "0"], server.Cursors);
        Assert.Equal(100, Keys.Count);
    }

    [Fact]
    public async Task A_page_of_another_server_or_with_a_secret_in_its_address_is_not_kept()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync("""{"control":true,"type":"page","next":"http://127.0.0.2:1/page"}""" + "\n" + Row(1, 1));
            await exchange.ChunkAsync("""{"control":true,"type":"page","next":"/page?token=hush"}""" + "\n" + Row(2, 2));
            await exchange.ChunkAsync("""{"control":true,"type":"page","next":"file:///etc/passwd"}""" + "\n" + Row(3, 3));
            exchange.Reset();
        });
        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));

        Assert.Equal(["0", "0"], server.Cursors);
        Assert.DoesNotContain(
            "hush",
            Encoding.UTF8.GetString(await File.ReadAllBytesAsync(TablePath, Cancellation)),
            StringComparison.Ordinal
        );
    }

    protected override void Dispose(bool disposing)
    {
        _served.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>The order of the keys is unrelated to that of the changes, so that no cursor could say how far a load is.</summary>
    private void Fill() => _served.Apply(Enumerable.Range(1, Count).Select(n => Json((int)(n * 7919L % Count) + 1, n)));

    private static string Json(int id, long order) => Record(id, order).TrimEnd();

    private static string Gone(int id) => Gone(id, 900_100 + id).TrimEnd();

    private Task<TableFeed> StartAsync() =>
        TableFeed.StartAsync(new TableFeedOptions { Path = _served.Path, PageBytes = 32 * 1024 }, cancellationToken: Cancellation);

    private SyncOptions To(Uri feed) =>
        new()
        {
            Feed = new FeedOptions { Uri = feed, CursorStyle = CursorStyle.Query },
            Store = new FileTableStore(TablePath),
            RetryInterval = TimeSpan.FromMilliseconds(10),
        };

    /// <summary>Syncs in another process, and kills it once it has come this far.</summary>
    private async Task KillAsync(Uri feed)
    {
        using var worker = Process.Start(
            new ProcessStartInfo(
                Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet",
                [Path.Combine(AppContext.BaseDirectory, "Lockstep.Crash.Worker.dll"), feed.AbsoluteUri, TablePath]
            )
        )!;
        await Eventually.TrueAsync(IsFar);
        worker.Kill();
        await worker.WaitForExitAsync(Cancellation);
    }

    private bool IsFar()
    {
        try
        {
            return Lockstep.Engine.Tables.Table.IsTable(TablePath) && Info.Rows > Four - Near;
        }
        catch (LockstepException)
        {
            // The sync is just creating the file, or has exclusive access to it.
            return false;
        }
    }

    /// <summary>Counts the rows of whole sets that it sends, and stops at a number.</summary>
    private sealed class MeteredSource(TableFeed feed) : IFeedSource
    {
        private long _rows;
        private bool _isRenewed;

        public long Rows => Interlocked.Read(ref _rows);

        public long Most { get; init; }

        public required Func<Task> BeforeCut { get; init; }

        public string Name => feed.Name;

        /// <summary>Counts from 0, and no longer stops.</summary>
        public void Renew()
        {
            _isRenewed = true;
            Interlocked.Exchange(ref _rows, 0);
        }

        public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => feed.GetStateAsync(cancellationToken);

        public async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
        {
            var reading = await feed.OpenAsync(request, cancellationToken);
            return reading with { Chunks = MeterAsync(reading.Chunks, cancellationToken) };
        }

        public async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
        {
            var page = await feed.ReadPageAsync(request, cancellationToken);
            var rows = page.Lines.Sum(piece => piece.Span.Count((byte)'\n'));
            if (await IsOverAsync(rows, cancellationToken))
                throw new FeedUnavailableException("Away.", TimeSpan.Zero);
            return page;
        }

        public ValueTask DisposeAsync() => feed.DisposeAsync();

        private async IAsyncEnumerable<FeedChunk> MeterAsync(
            IAsyncEnumerable<FeedChunk> chunks,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await foreach (var chunk in chunks.WithCancellation(cancellationToken))
            {
                if (chunk.Kind == FeedChunkKind.SnapshotRows && await IsOverAsync(chunk.Lines.Span.Count((byte)'\n'), cancellationToken))
                    throw new IOException("Cut off.");
                yield return chunk;
            }
        }

        private async Task<bool> IsOverAsync(int rows, CancellationToken cancellationToken)
        {
            if (_isRenewed || Rows + rows <= Most)
            {
                Interlocked.Add(ref _rows, rows);
                return false;
            }

            await BeforeCut().WaitAsync(cancellationToken);
            return true;
        }
    }
}
