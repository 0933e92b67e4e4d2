using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A Kubernetes list and its watch, as a kube-apiserver answers.</summary>
public sealed class KubernetesTests : DialectTest
{
    private static string Pod(string uid, int version) =>
        $$$"""{"metadata":{"name":"{{{uid}}}","uid":"{{{uid}}}","resourceVersion":"{{{version}}}"}}""";

    private static string Full(string uid, int version) =>
        $$$"""{"kind":"Pod","apiVersion":"v1","metadata":{"name":"{{{uid}}}","uid":"{{{uid}}}","resourceVersion":"{{{version}}}"}}""";

    private static string List(int version, string items, string? more = null) =>
        $$$"""{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"{{{version}}}"{{{Continue(more)}}}}"""
        + $$$""","items":[{{{items}}}]}"""
        + "\n";

    private static string Continue(string? more) => more is null ? "" : $",\"continue\":\"{more}\"";

    private static string Event(string type, string item) => $$"""{"type":"{{type}}","object":{{item}}}""" + "\n";

    /// <summary>A server with scripted watches: each gets the next one's lines, and the last one stays open.</summary>
    private static RawServer Cluster(Func<string, int, string> list, params string[] watches)
    {
        var watched = 0;
        var listed = 0;
        return new RawServer(async exchange =>
        {
            var path = Uri.UnescapeDataString(exchange.Head.Split(' ')[1]);
            if (!path.Contains("watch=true", StringComparison.Ordinal))
            {
                var body = list(path, ++listed);
                await (
                    body.StartsWith('!') ? exchange.StatusAsync(body[1..]) : exchange.BodyAsync(body, "Content-Type: application/json\r\n")
                );
                return;
            }

            var number = watched++;
            await exchange.ChunkedAsync("Content-Type: application/json\r\n");
            if (number < watches.Length)
            {
                if (watches[number].Length > 0)
                    await exchange.ChunkAsync(watches[number]);
                if (number < watches.Length - 1)
                {
                    await exchange.LastChunkAsync();
                    return;
                }
            }

            await exchange.StallAsync();
        });
    }

    /// <summary>Follows until the table and the events are as expected.</summary>
    private async Task<List<FeedEvent>> FollowUntilAsync(
        RawServer server,
        Func<bool> isDone,
        FeedEventKind? kind = null,
        int times = 1,
        TimeProvider? time = null,
        Action<FeedEvent>? told = null,
        string dialect = "Kubernetes",
        Action<TransformableRecord>? transform = null,
        TimeSpan? retry = null,
        MalformedRecordPolicy malformed = MalformedRecordPolicy.Stop
    )
    {
        var events = new List<FeedEvent>();
        var sync = new TableSync(
            Dialect(
                server,
                "api/v1/pods",
                dialect,
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Transforms = transform is not null,
                    Follow = true,
                    MalformedRecord = malformed,
                    RetryInterval = retry ?? TimeSpan.FromMilliseconds(5),
                    PollInterval = TimeSpan.FromMilliseconds(5),
                }
            ),
            time
        );
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Eventually.Deadline);
        await foreach (var step in sync.RunAsync(limit.Token))
        {
            if (step is FeedEventOccurred happened)
            {
                events.Add(happened.Event);
                told?.Invoke(happened.Event);
            }

            if (step is RecordsToTransform asked)
            {
                foreach (var record in asked.Records)
                    transform!(record);
            }

            if (Lockstep.Engine.Tables.Table.IsTable(TablePath) && isDone() && (kind is null || events.Count(e => e.Kind == kind) >= times))
                break;
        }

        return events;
    }

    private bool Has(params string[] keys) => Info.Rows == keys.Length && Keys.Order().SequenceEqual(keys.Order());

    [Fact]
    public async Task Without_following_each_sync_lists_in_pages_and_sees_what_is_gone()
    {
        await using var server = Cluster(
            (path, number) =>
                path.Contains("continue=") ? List(5, Pod("b", 2))
                : number < 3 ? List(5, Pod("a", 1), "t")
                : List(9, Pod("a", 1))
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "api/v1/pods", "Kubernetes"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "api/v1/pods", dialect: null));

        Assert.Equal(("2 0 0", "0 0 1", "9"), (Counts(first), Counts(second), Info.Cursor.ToString()));
        Assert.Equal(Full("a", 1), Table());
        Assert.Equal(["/api/v1/pods?limit=500", "/api/v1/pods?limit=500&continue=t", "/api/v1/pods?limit=500"], Paths(server));
    }

    [Fact]
    public async Task A_list_and_a_watch_write_the_same_record_and_the_watch_goes_on_from_the_list()
    {
        await using var server = Cluster(
            (_, _) => List(5, Pod("a", 1) + "," + Pod("b", 2)),
            Event("MODIFIED", Full("a", 1))
                + Event("ADDED", Full("c", 6))
                + Event("DELETED", Full("b", 7))
                + Event("BOOKMARK", """{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"12"}}""")
        );

        await FollowUntilAsync(server, () => Info.Cursor.ToString() == "12");

        Assert.Equal(Full("a", 1) + "\n" + Full("c", 6), Table());
        // The list added two and the watch one; what the watch said of 'a' was known.
        Assert.Equal(2, Info.Rows);
        Assert.Contains("resourceVersion=5", Paths(server).ElementAt(1));
        Assert.Contains("allowWatchBookmarks=true&timeoutSeconds=300", Paths(server).ElementAt(1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_version_that_is_too_old_lists_again_and_reports_only_what_differs(bool inStream)
    {
        var gone =
            """{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version: 1 (86)"}}"""
            + "\n";
        await using var server = inStream
            ? Cluster((_, number) => List(number * 10, Pod("a", 1) + (number == 1 ? "," + Pod("b", 1) : "")), gone, "")
            : Serve(
                (path, number) =>
                    path.Contains("watch")
                        ? Status("410 Gone")
                        : Json(List(number * 10, Pod("a", 1) + (number == 1 ? "," + Pod("b", 1) : "")))
            );

        var events = await FollowUntilAsync(server, () => Has("a"), FeedEventKind.Resync);

        Assert.Contains(events, e => e.Kind == FeedEventKind.Resync);
        Assert.Equal(Full("a", 1), Table());
    }

    [Fact]
    public async Task An_end_of_the_watch_is_no_error_and_it_goes_on_from_the_last_version()
    {
        await using var server = Cluster((_, _) => List(5, ""), Event("ADDED", Full("a", 6)), Event("ADDED", Full("b", 7)));

        var events = await FollowUntilAsync(server, () => Has("a", "b"));

        Assert.DoesNotContain(events, e => e.Kind is FeedEventKind.Resync or FeedEventKind.Retry);
        Assert.Contains("resourceVersion=6", Paths(server).ElementAt(2));
    }

    [Fact]
    public async Task A_watch_that_ends_at_once_three_times_with_nothing_in_it_lists_again()
    {
        await using var server = Cluster((_, number) => List(number, number == 1 ? "" : Pod("a", 1)), "", "", "", "");

        await FollowUntilAsync(server, () => Has("a"));

        Assert.Equal(2, Paths(server).Count(path => path.Contains("limit=500")));
    }

    [Fact]
    public async Task A_watch_that_was_silent_to_its_end_is_checked_by_a_list()
    {
        int lists = 0,
            watches = 0,
            watchesBetween = 0,
            connected = 0;
        var time = new ManualTimeProvider();
        await using var server = new RawServer(async exchange =>
        {
            if (!exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                // It may go on watching and listing until the test has seen the pod.
                if (lists == 1)
                    watchesBetween = watches;
                // The server was set back: its version is below the table's.
                lists++;
                await exchange.BodyAsync(lists == 1 ? List(90, "") : List(lists, Pod("a", 1)));
                return;
            }

            watches++;
            await exchange.ChunkedAsync();
            // The watch is as old as its response head, which the sync must have received.
            await Eventually.TrueAsync(() => Volatile.Read(ref connected) >= lists + watches);
            time.Advance(TimeSpan.FromSeconds(1.1));
            await exchange.LastChunkAsync();
        });

        var following = FollowUntilAsync(
            server,
            () => Has("a"),
            time: time,
            told: e =>
            {
                if (e.Kind == FeedEventKind.Connect)
                    Interlocked.Increment(ref connected);
            }
        );
        await Pace.MoveAsync(time, Pace.Commit, following);
        await following;

        Assert.Equal(1, watchesBetween);
        Assert.InRange(int.Parse(Info.Cursor.ToString(), System.Globalization.CultureInfo.InvariantCulture), 2, lists);
        Assert.Equal("""{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"a","resourceVersion":"1"}}""", Table());
    }

    [Theory]
    [InlineData(500)]
    [InlineData(429)]
    public async Task An_error_in_the_stream_that_is_no_expiry_is_waited_for_and_keeps_the_version(int code)
    {
        var busy = $$$"""{"type":"ERROR","object":{"kind":"Status","code":{{{code}}},"message":"etcd is busy"}}""" + "\n";
        await using var server = Cluster((_, _) => List(5, ""), busy, busy, Event("ADDED", Full("a", 6)));

        var events = await FollowUntilAsync(server, () => Has("a"), FeedEventKind.Retry, times: 2);

        Assert.Equal(2, events.Count(e => e.Kind == FeedEventKind.Retry));
        Assert.Equal(2, events.Count(e => IsToldError(e) && e.Message.Contains($"answered {code} ") && e.Message.Contains("etcd is busy")));
        Assert.Equal(3, Paths(server).Skip(1).Count());
        Assert.All(Paths(server).Skip(1), path => Assert.Contains("resourceVersion=5", path));
    }

    [Fact]
    public async Task An_error_in_the_stream_is_waited_for_also_when_events_came_before_it()
    {
        var busy = """{"type":"ERROR","object":{"kind":"Status","code":429,"message":"too many requests"}}""" + "\n";
        await using var server = Cluster(
            (_, _) => List(5, ""),
            Event("ADDED", Full("a", 6)) + busy,
            Bookmark(7) + busy,
            Event("ADDED", Full("b", 8)) + busy,
            Event("ADDED", Full("c", 9))
        );

        var events = await FollowUntilAsync(server, () => Has("a", "b", "c"), FeedEventKind.Retry, times: 3);

        Assert.Equal((3, 3), (events.Count(e => e.Kind == FeedEventKind.Retry), events.Count(IsToldError)));
        Assert.Equal(["5", "6", "7", "8"], Paths(server).Skip(1).Select(path => path.Split("resourceVersion=")[1].Split('&')[0]));
    }

    private static bool IsToldError(FeedEvent e) => e.Kind is FeedEventKind.ServerError or FeedEventKind.ClientError;

    private static string Failure(int code) =>
        $$$"""{"kind":"Status","status":"Failure","message":"no luck","reason":"Any","code":{{{code}}}}""";

    [Theory]
    [InlineData(500)]
    [InlineData(403)]
    [InlineData(401)]
    public async Task A_watch_that_brings_only_errors_three_times_is_told_and_lists_again(int code)
    {
        var error = Event("ERROR", Failure(code));
        await using var server = Cluster((_, number) => List(number, number == 1 ? "" : Pod("a", 1)), error, error, error, "");

        var events = await FollowUntilAsync(server, () => Has("a"));

        Assert.Equal(3, events.Count(e => IsToldError(e) && e.Message.Contains($"answered {code} ") && e.Message.Contains("no luck")));
        Assert.Equal(3, events.Count(e => e.Kind == FeedEventKind.Retry));
        Assert.Equal(2, Paths(server).Count(path => path.Contains("limit=500")));
    }

    [Theory]
    [InlineData("{\"foo\":1}\n")]
    [InlineData("{\"type\":\"ERROR\"}\n")]
    [InlineData("{\"kind\":\"Status\",\"message\":\"no luck\",\"code\":500}\n")]
    public async Task A_watch_that_brings_nothing_known_three_times_lists_again(string line)
    {
        await using var server = Cluster((_, number) => List(number, number == 1 ? "" : Pod("a", 1)), line, line, line, "");

        var events = await FollowUntilAsync(server, () => Has("a"));

        Assert.Equal(3, events.Count(e => e.Kind == FeedEventKind.Retry));
        Assert.Single(events, e => e.Kind == FeedEventKind.Resync);
        Assert.Contains(events, e => IsToldError(e) || e.Kind == FeedEventKind.Close);
        Assert.Equal(2, Paths(server).Count(path => path.Contains("limit=500")));
    }

    [Fact]
    public async Task A_watch_that_brings_nothing_known_after_a_while_lists_again_too()
    {
        int lists = 0,
            watches = 0,
            connected = 0;
        var time = new ManualTimeProvider();
        await using var server = new RawServer(async exchange =>
        {
            if (!exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                lists++;
                await exchange.BodyAsync(List(lists, lists == 1 ? "" : Pod("a", 1)));
                return;
            }

            watches++;
            await exchange.ChunkedAsync();
            // The watch is as old as its response head, which the sync must have received.
            await Eventually.TrueAsync(() => Volatile.Read(ref connected) >= lists + watches);
            time.Advance(TimeSpan.FromSeconds(1.1));
            await exchange.ChunkAsync("""{"type":"ERROR"}""" + "\n");
            await exchange.LastChunkAsync();
        });

        var following = FollowUntilAsync(
            server,
            () => Has("a"),
            time: time,
            told: e => Interlocked.Add(ref connected, e.Kind == FeedEventKind.Connect ? 1 : 0)
        );
        await Pace.MoveAsync(time, Pace.Commit, following);
        await following;

        Assert.True(lists >= 2);
    }

    [Theory]
    [InlineData("")]
    [InlineData("ERROR")]
    public async Task While_watches_bring_nothing_the_lists_come_at_growing_intervals(string type)
    {
        var time = new ManualTimeProvider();
        var lists = new List<DateTimeOffset>();
        var started = 0;
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(type.Length == 0 ? "" : Event(type, Failure(500)));
                return;
            }

            lists.Add(time.GetUtcNow());
            var number = Interlocked.Increment(ref started);
            await exchange.BodyAsync(List(number, number < 4 ? "" : Pod("a", 1)));
        });

        var following = FollowUntilAsync(server, () => Has("a"), time: time, retry: TimeSpan.FromSeconds(1));
        await Pace.MoveAsync(time, TimeSpan.FromSeconds(0.5), following);
        await following;

        var waits = lists.Zip(lists.Skip(1), (one, next) => (next - one).TotalSeconds).ToList();
        Assert.True(waits[0] >= 5 && waits[1] >= 25 && waits[2] >= 45, string.Join(", ", waits));
    }

    [Theory]
    [InlineData("upstream connect error", MalformedRecordPolicy.Stop)]
    [InlineData("upstream connect error", MalformedRecordPolicy.Quarantine)]
    [InlineData("upstream\nconnect error\n", MalformedRecordPolicy.Quarantine)]
    [InlineData("\n\u0001\u0002\n", MalformedRecordPolicy.Stop)]
    public async Task Text_in_place_of_a_watch_is_a_failed_connection_and_no_malformed_record(string text, MalformedRecordPolicy policy)
    {
        await using var server = Cluster((_, _) => List(5, ""), text, text, Event("ADDED", Full("a", 6)));

        var events = await FollowUntilAsync(server, () => Has("a"), malformed: policy);

        Assert.Equal((2, 0), (events.Count(e => e.Kind == FeedEventKind.Close), Info.Quarantined));
        Assert.Equal(2, events.Count(e => e.Kind == FeedEventKind.Retry));
    }

    [Fact]
    public async Task A_malformed_line_among_the_events_of_a_watch_is_a_malformed_record()
    {
        await using var server = Cluster((_, _) => List(5, ""), Event("ADDED", Full("a", 6)) + "garbage\n", "");

        await Assert.ThrowsAsync<MalformedRecordException>(() => FollowUntilAsync(server, () => false));
        Assert.Equal(["a"], Keys);
    }

    [Fact]
    public async Task A_line_of_text_before_the_events_of_a_watch_is_quarantined_with_what_follows_it_in_the_table()
    {
        await using var server = Cluster((_, _) => List(5, ""), "# pods\n" + Event("ADDED", Full("a", 6)));

        await FollowUntilAsync(server, () => Has("a"), malformed: MalformedRecordPolicy.Quarantine);

        Assert.Equal(1, Info.Quarantined);
    }

    [Fact]
    public async Task Watches_that_end_at_once_are_asked_for_with_a_pause_between_them()
    {
        var time = new ManualTimeProvider();
        var asked = new List<DateTimeOffset>();
        await using var server = new RawServer(async exchange =>
        {
            if (!exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(List(5, ""));
                return;
            }

            asked.Add(time.GetUtcNow());
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(asked.Count < 6 ? Bookmark(5 + asked.Count) : Event("ADDED", Full("a", 20)));
            await exchange.LastChunkAsync();
        });

        var following = FollowUntilAsync(server, () => Has("a"), time: time);
        await Pace.MoveAsync(time, Pace.Commit, following);
        await following;

        // The clock moves on between a request and the note of it, so that the pauses look a little shorter or longer.
        Assert.True((asked[5] - asked[0]).TotalMilliseconds >= 400, $"{string.Join(' ', asked.Select(at => at.Millisecond))}");
    }

    [Fact]
    public async Task A_quiet_watch_is_not_cut_before_the_server_has_to_end_it()
    {
        var time = new ManualTimeProvider();
        int lists = 0,
            connected = 0;
        DateTimeOffset began = default,
            again = default;
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                await exchange.ChunkedAsync();
                await Eventually.TrueAsync(() => Volatile.Read(ref connected) >= 2);
                began = began == default ? time.GetUtcNow() : began;
                await exchange.StallAsync();
                return;
            }

            if (++lists == 2)
                again = time.GetUtcNow();
            await exchange.BodyAsync(List(5, lists == 1 ? "" : Pod("a", 1)));
        });

        var following = FollowUntilAsync(
            server,
            () => Has("a"),
            time: time,
            told: e => Interlocked.Add(ref connected, e.Kind == FeedEventKind.Connect ? 1 : 0)
        );
        await Eventually.TrueAsync(() => began != default);
        await Pace.MoveAsync(time, TimeSpan.FromSeconds(5), following);
        await following;

        Assert.InRange((again - began).TotalSeconds, 330, 600);
    }

    [Fact]
    public async Task What_the_dialect_does_not_know_is_passed_over_and_told()
    {
        await using var server = Cluster((_, _) => List(5, ""), Event("MOVED", Full("x", 6)) + Event("ADDED", Full("a", 7)));

        var events = await FollowUntilAsync(server, () => Has("a"), FeedEventKind.Warning);

        Assert.Contains(events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("does not know"));
    }

    [Fact]
    public async Task A_bookmark_that_goes_back_is_taken_as_it_is_and_an_object_may_be_larger_than_any_buffer()
    {
        var large =
            $$$"""{"kind":"Pod","apiVersion":"v1","metadata":{"uid":"a","resourceVersion":"9"}"""
            + $$$""","data":"{{{new string('x', 1_500_000)}}}"}""";
        await using var server = Cluster(
            (_, _) => List(5, ""),
            Event("ADDED", large) + Event("BOOKMARK", """{"metadata":{"resourceVersion":"7"}}"""),
            Event("ADDED", Full("b", 8))
        );

        await FollowUntilAsync(server, () => Has("a", "b"));

        Assert.Contains("resourceVersion=7", Paths(server).ElementAt(2));
        Assert.Equal(large, SyncRun.Read(TablePath)["a"]);
    }

    [Fact]
    public async Task A_line_that_is_cut_off_is_asked_for_again()
    {
        var watches = 0;
        await using var server = new RawServer(async exchange =>
        {
            if (!exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(List(5, ""));
                return;
            }

            await exchange.ChunkedAsync();
            if (watches++ == 0)
            {
                await exchange.ChunkAsync(Event("ADDED", Full("a", 6)) + """{"type":"ADDED","object":{"kind":"Pod","met""");
                await exchange.LastChunkAsync();
                return;
            }

            await exchange.ChunkAsync(Event("ADDED", Full("b", 7)));
            await exchange.StallAsync();
        });

        await FollowUntilAsync(server, () => Has("a", "b"));

        Assert.Contains("resourceVersion=6", Paths(server).Last());
    }

    [Fact]
    public async Task Refused_twice_between_pages_the_list_is_asked_for_in_one()
    {
        await using var server = Cluster(
            (path, _) =>
                path.Contains("continue=") ? "!410 Gone"
                : path.Contains("limit=") ? List(5, Pod("a", 1), "t")
                : List(6, Pod("a", 1) + "," + Pod("b", 1))
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "api/v1/pods", "Kubernetes"));

        Assert.Equal(("2 0 0", "/api/v1/pods"), (Counts(run), Paths(server).Last()));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    public async Task An_empty_namespace_empties_the_table_and_needs_no_force(string none)
    {
        await using var server = Cluster(
            (_, number) => number == 1 ? List(1, Pod("a", 1)) : List(2, "").Replace("[]", none, StringComparison.Ordinal)
        );

        await SyncRun.ToEndAsync(Dialect(server, "apis/apps/v1/deployments", "Kubernetes"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "apis/apps/v1/deployments", dialect: null));

        Assert.Equal(("0 0 1", 0), (Counts(second), Info.Rows));
    }

    [Fact]
    public async Task A_deletion_has_a_version_of_its_own_from_which_the_next_watch_goes_on()
    {
        await using var server = Cluster((_, _) => List(5, Pod("a", 1)), Event("DELETED", Full("a", 8)), Event("ADDED", Full("b", 9)));

        await FollowUntilAsync(server, () => Has("b"));

        Assert.Contains("resourceVersion=8", Paths(server).ElementAt(2));
    }

    [Theory]
    [InlineData("Kubernetes", 2)]
    [InlineData("""{ "From": "Kubernetes", "Key": ["/metadata/namespace", "/metadata/name"] }""", 1)]
    public async Task An_object_that_is_created_again_is_another_one_by_its_uid_and_the_same_one_by_its_name(string dialect, int changes)
    {
        static string Named(string uid, int version) =>
            $$$"""{"metadata":{"namespace":"n","name":"web","uid":"{{{uid}}}","resourceVersion":"{{{version}}}"}}""";
        await using var server = Cluster((_, number) => List(number, Named($"u{number}", number)));

        await SyncRun.ToEndAsync(Dialect(server, "api/v1/pods", dialect));
        var second = await SyncRun.ToEndAsync(Dialect(server, "api/v1/pods", dialect: null));

        Assert.Equal((changes == 2 ? "1 0 1" : "0 1 0", 1), (Counts(second), Info.Rows));
        Assert.Contains("\"uid\":\"u2\"", Table());
    }

    [Fact]
    public async Task By_its_name_an_object_that_a_watch_deletes_and_adds_again_is_there()
    {
        static string Named(string uid, int version) =>
            $$$"""{"metadata":{"namespace":"n","name":"web","uid":"{{{uid}}}","resourceVersion":"{{{version}}}"}}""";
        await using var server = Cluster(
            (_, _) => List(5, Named("u1", 5)),
            Event("DELETED", Named("u1", 6)) + Event("ADDED", Named("u2", 7))
        );

        await FollowUntilAsync(
            server,
            () => Info.Cursor.ToString() == "7",
            dialect: """{ "From": "Kubernetes", "Key": ["/metadata/namespace", "/metadata/name"] }"""
        );

        Assert.Equal(Named("u2", 7), Table());
    }

    [Fact]
    public async Task A_list_may_be_compressed_and_its_watch_is_not()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Head.Contains("watch=true", StringComparison.Ordinal))
            {
                await exchange.ChunkedAsync("Content-Type: application/json\r\n");
                await exchange.ChunkAsync(Event("ADDED", Full("b", 6)));
                await exchange.StallAsync();
                return;
            }

            var packed = new MemoryStream();
            await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
                await gzip.WriteAsync(Encoding.UTF8.GetBytes(List(5, Pod("a", 1))), Cancellation);
            await exchange.BodyAsync(packed.ToArray(), "Content-Type: application/json\r\nContent-Encoding: gzip\r\n");
        });

        await FollowUntilAsync(server, () => Has("a", "b"));

        Assert.Contains("Accept-Encoding: gzip", server.Requests.First());
    }

    [Theory]
    [InlineData(false, "Retry-After: 0\r\n")]
    [InlineData(true, "Retry-After: 0\r\n")]
    [InlineData(true, "")]
    public async Task A_version_that_the_server_has_not_reached_is_asked_for_again_and_is_no_reason_to_start_over(bool ofWatch, string head)
    {
        const string Behind = """
            {"kind":"Status","status":"Failure","message":"Timeout: Too large resource version: 9, current: 5","reason":"Timeout",
             "details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},
             "code":504}
            """;
        var refusals = 0;
        await using var server = new RawServer(async exchange =>
        {
            var isWatch = exchange.Head.Contains("watch=true", StringComparison.Ordinal);
            if (isWatch == ofWatch && refusals++ < 2)
            {
                await exchange.SendAsync(
                    $"HTTP/1.1 504 Gateway Timeout\r\nConnection: close\r\nContent-Length: {Behind.Length}\r\n{head}\r\n{Behind}"
                );
            }
            else if (isWatch)
            {
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync(Event("ADDED", Full("a", 6)));
                await exchange.StallAsync();
            }
            else
            {
                await exchange.BodyAsync(List(5, ""));
            }
        });

        var events = await FollowUntilAsync(server, () => Has("a"));

        Assert.DoesNotContain(events, e => e.Kind == FeedEventKind.Resync);
        Assert.Equal(2, events.Count(e => e.Kind == FeedEventKind.ServerError && e.Message.Contains("Too large resource version")));
        Assert.Equal(ofWatch ? 1 : 3, Paths(server).Count(path => path.Contains("limit=500")));
        Assert.All(Paths(server).Where(path => path.Contains("watch")), path => Assert.Contains("resourceVersion=5", path));
    }

    [Fact]
    public async Task What_a_transformation_leaves_out_of_an_object_is_no_change_in_the_list_or_in_the_watch()
    {
        static string Managed(int version, string manager) =>
            $$$"""{"kind":"Pod","apiVersion":"v1","metadata":{"uid":"a","resourceVersion":"{{{version}}}" """
            + $$$""","managedFields":[{"manager":"{{{manager}}}"}]}}""";
        await using var server = Cluster((_, _) => List(5, Managed(1, "kubectl")), Event("MODIFIED", Managed(1, "kubelet")) + Bookmark(7));

        await FollowUntilAsync(server, () => Info.Cursor.ToString() == "7", transform: WithoutManagedFields);

        Assert.Equal("""{"kind":"Pod","apiVersion":"v1","metadata":{"uid":"a","resourceVersion":"1"}}""", Table());
        Assert.Equal(1, Info.Sequence);
    }

    private static void WithoutManagedFields(TransformableRecord record)
    {
        var json = JsonNode.Parse(record.Record.Span)!;
        json["metadata"]!.AsObject().Remove("managedFields");
        record.Replace(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    private static string Bookmark(int version) => Event("BOOKMARK", $$$"""{"metadata":{"resourceVersion":"{{{version}}}"}}""");

    [Fact]
    public async Task The_URI_tells_the_dialect_if_the_answer_confirms_it()
    {
        await using var cluster = Cluster((_, _) => List(5, Pod("a", 1)));
        await using var own = Serve((_, _) => new Reply("200 OK", "", Record(1, 5)));

        var run = await SyncRun.ToEndAsync(Dialect(cluster, "api/v1/pods", dialect: null));
        var other = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(own.Root, "api/v1/servers") },
                Store = new FileTableStore(Folder("own.db")),
            }
        );

        Assert.Equal(("1 0 0", "pods"), (Counts(run), run.Result.Table));
        Assert.Equal((1, "5"), (other.Result.Added, other.Result.Cursor.ToString()));
    }
}
