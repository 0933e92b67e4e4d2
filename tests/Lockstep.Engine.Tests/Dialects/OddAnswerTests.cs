using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A follower of a feed that has worked outlives answers that are not of the feed, such as a gateway sends.</summary>
public sealed class OddAnswerTests : DialectTest
{
    private const string Html = "Content-Type: text/html\r\n";
    private const string Type = "Content-Type: application/json\r\n";

    public static TheoryData<string, string, string, string> OddAnswers()
    {
        var data = new TheoryData<string, string, string, string>();
        foreach (var dialect in (string[])["Rest", "ODataDelta", "CouchDB"])
        {
            data.Add(dialect, "200 OK", Html, "<html>gateway</html>");
            data.Add(dialect, "200 OK", Type, "");
            data.Add(dialect, "200 OK", Type, "{}");
            data.Add(dialect, "200 OK", Type, """{"error":"busy","reason":"later"}""");
            data.Add(dialect, "200 OK", Type, Set(dialect, 1) + "junk");
            data.Add(dialect, "401 Unauthorized", "", "");
            data.Add(dialect, "403 Forbidden", Html, "<html>blocked</html>");
            data.Add(dialect, "404 Not Found", "", "");
            data.Add(dialect, "405 Method Not Allowed", "", "");
            data.Add(dialect, "302 Found", "Location: http://login.example/\r\n", "");
            data.Add(dialect, "204 No Content", "", "");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(OddAnswers))]
    public async Task A_follower_warns_of_an_odd_answer_and_asks_again(string dialect, string status, string headers, string body)
    {
        await using var server = Count(number => number == 2 ? Status(status, headers, body) : Json(Set(dialect, number)));

        var events = await FollowUntilAsync(Following(server, dialect), step => Brings(step, "3"));

        Assert.Contains(events, e => e.Kind is FeedEventKind.Close or FeedEventKind.ClientError or FeedEventKind.OtherStatus);
        Assert.Contains(events, e => e.Kind == FeedEventKind.Retry);
        Assert.Equal(["1", "3"], Keys);
    }

    [Theory]
    [MemberData(nameof(OddAnswers))]
    public async Task Of_a_feed_that_never_worked_an_odd_answer_is_an_error_at_once(
        string dialect,
        string status,
        string headers,
        string body
    )
    {
        await using var server = Count(number => number == 1 ? Status(status, headers, body) : Json(Set(dialect, number)));

        await SyncRun.ToErrorAsync<FeedException>(Following(server, dialect));

        Assert.Equal(1, Asked(server));
    }

    [Fact]
    public async Task A_follower_that_starts_on_a_table_of_the_feed_outlives_them_too()
    {
        await using var server = Count(number => number == 2 ? Status("404 Not Found") : Json(Set("Rest", number)));
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        await FollowUntilAsync(Following(server, "Rest"), step => Brings(step, "3"));

        Assert.Equal(["1", "3"], Keys);
    }

    [Fact]
    public async Task A_table_of_another_dialect_does_not_show_that_the_feed_works_in_this_one()
    {
        await using var server = Serve((_, _) => Json(Set("Rest", 1)));
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        await SyncRun.ToErrorAsync<DialectException>(Following(server, "ODataDelta"));

        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task Odd_answers_in_a_row_count_as_failed_attempts()
    {
        await using var server = Count(number => number > 1 ? Status("200 OK", Html, "<html>") : Json(Set("Rest", number)));

        await SyncRun.ToErrorAsync<DialectException>(Following(server, "Rest", retries: 2));

        Assert.Equal(4, server.Requests.Count);
        Assert.Equal(["1"], Keys);
    }

    [Theory]
    [InlineData("401 Unauthorized")]
    [InlineData("404 Not Found")]
    public async Task A_follower_of_records_outlives_a_refusal_too(string status)
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 2 ? exchange.StatusAsync(status) : exchange.BodyAsync(Record(exchange.Number, exchange.Number * 10))
        );

        var events = await FollowUntilAsync(Options(server, follow: true), step => Brings(step, "3"));

        Assert.Single(events, e => e.Kind == FeedEventKind.ClientError);
        Assert.Equal(["0", "10", "10"], server.Cursors.Take(3));
    }

    [Theory]
    [InlineData("ODataDelta")]
    [InlineData("CouchDB")]
    public async Task A_follower_outlives_a_feed_that_asks_again_and_again_to_start_over(string dialect)
    {
        var gone =
            dialect == "CouchDB"
                ? Status(
                    "400 Bad Request",
                    Type,
                    """{"error":"bad_request","reason":"Malformed sequence supplied in 'since' parameter."}"""
                )
                : Status("410 Gone");
        await using var server = Count(number => number is > 1 and < 9 ? gone : Json(Set(dialect, number)));

        var events = await FollowUntilAsync(Following(server, dialect), step => Brings(step, "9"));

        Assert.Equal(3, events.Count(e => e.Kind == FeedEventKind.Resync));
        Assert.Contains(events, e => e.Message.Contains("4 times in a row", StringComparison.Ordinal));
        Assert.Equal(["1", "9"], Keys);
    }

    [Theory]
    [InlineData("410 Gone")]
    [InlineData("409 Conflict")]
    public async Task A_follower_of_records_outlives_a_feed_that_asks_again_and_again_to_start_over(string status)
    {
        await using var server = new RawServer(exchange =>
            exchange.Number is > 1 and < 9
                ? exchange.StatusAsync(status)
                : exchange.BodyAsync(Record(1, 10) + (exchange.Number > 1 ? Record(9, 90) : ""))
        );

        var events = await FollowUntilAsync(Options(server, follow: true), step => Brings(step, "9"));

        Assert.Equal(3, events.Count(e => e.Kind == FeedEventKind.Resync));
        Assert.Equal(["1", "9"], Keys);
        Assert.All(server.Cursors.Skip(2), cursor => Assert.Equal("0", cursor));
    }

    [Fact]
    public async Task A_feed_that_never_worked_and_only_asks_to_start_over_ends_a_follower()
    {
        await using var server = Serve((_, _) => Status("410 Gone"));

        await SyncRun.ToErrorAsync<ResyncLoopException>(Following(server, "ODataDelta"));

        Assert.Equal(4, server.Requests.Count);
    }

    [Theory]
    [InlineData("<html>gateway</html>")]
    [InlineData("{\"error\":\"busy\",\"reason\":\"later\"}")]
    [InlineData("upstream connect error")]
    [InlineData("{bad")]
    [InlineData("[]")]
    [InlineData("")]
    public async Task A_follower_of_records_outlives_an_answer_that_begins_with_no_record(string body)
    {
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(exchange.Number == 2 ? body : Record(exchange.Number, exchange.Number * 10))
        );
        SyncProgress? last = null;

        var events = await FollowUntilAsync(
            Options(server, follow: true),
            step =>
            {
                last = step as SyncProgress ?? last;
                return Brings(step, "3");
            }
        );

        if (body.Length > 0)
            Assert.Contains(events, e => e.Kind == FeedEventKind.Close);
        Assert.Equal(["0", "10", "10"], server.Cursors.Take(3));
        Assert.Equal(["1", "3"], Keys);
        Assert.Equal(0, last?.Result.Malformed ?? 0);
    }

    [Fact]
    public async Task A_malformed_record_among_others_ends_a_follower_and_the_error_says_how_to_set_it_aside()
    {
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(Record(exchange.Number, exchange.Number * 10) + (exchange.Number == 2 ? "{bad}\n" : ""))
        );

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Options(server, follow: true));

        Assert.Contains("MalformedRecord Quarantine", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(2, server.Requests.Count);
        Assert.Equal(["1", "2"], Keys);
    }

    [Theory]
    [InlineData("EventStream")]
    [InlineData("CouchDb")]
    [InlineData("ODataDelta")]
    public async Task Connections_that_break_off_after_something_new_are_no_failures_in_a_row(string dialect)
    {
        await using var server = new RawServer(async exchange =>
        {
            var n = exchange.Number;
            if (dialect == "EventStream")
            {
                await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
                await exchange.ChunkAsync($"id: {n}\ndata: {{\"id\":{n}}}\n\n");
            }
            else if (dialect == "CouchDb" && n == 1)
            {
                await exchange.BodyAsync("""{"results":[],"last_seq":"1","pending":0}""");
            }
            else if (dialect == "CouchDb")
            {
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync($"{{\"seq\":\"{n}\",\"id\":\"{n}\",\"doc\":{{\"_id\":\"{n}\"}}}}\n");
            }
            else if (n % 2 == 0)
            {
                // The page that the one before named is cut off, and requested again.
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync("{\"value\":[");
            }
            else
            {
                var next = n < 11 ? $"\"@odata.nextLink\":\"/items?p={n}\"" : "\"@odata.deltaLink\":\"/items?d=1\"";
                await exchange.BodyAsync($"{{\"value\":[{{\"id\":{n}}}],{next}}}");
            }
        });
        var options = Dialect(
            server,
            "items",
            dialect == "CouchDb" ? """{ "From": "CouchDb", "Begin": null }""" : dialect,
            o => new SyncOptions
            {
                Feed = o.Feed,
                Store = o.Store,
                Foreign = o.Foreign,
                RetryInterval = TimeSpan.FromMilliseconds(200),
                WantsChanges = true,
                Follow = true,
                MaximumRetryCount = 1,
            }
        );

        var events = await FollowUntilAsync(options, step => Brings(step, dialect == "ODataDelta" ? "11" : "6"));

        var waits = events.Where(e => e.Kind == FeedEventKind.Retry).Select(e => e.Message).ToList();
        Assert.True(waits.Count >= 4, string.Join('\n', waits));
        Assert.All(waits, wait => Assert.Equal("The next attempt is in 0.2 s.", wait));
    }

    [Fact]
    public async Task A_cursor_that_moves_on_is_progress_even_if_the_records_are_known()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync($"id: {exchange.Number}\ndata: {{\"id\":{exchange.Number / 6}}}\n\n");
        });

        await FollowUntilAsync(Following(server, "EventStream", retries: 1), step => Brings(step, "1"));

        Assert.Equal(6, server.Requests.Count);
    }

    [Fact]
    public async Task Events_that_are_repeated_before_each_break_off_are_failures_in_a_row()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync("id: 1\ndata: {\"id\":1}\n\n");
        });

        await SyncRun.ToErrorAsync<FeedCutException>(Following(server, "EventStream", retries: 3));

        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public async Task A_refusal_that_a_token_provider_has_no_answer_to_ends_the_follower()
    {
        await using var server = Count(number => number > 1 ? Status("401 Unauthorized") : Json(Set("Rest", number)));

        await SyncRun.ToErrorAsync<FeedStatusException>(Following(server, "Rest", asksForToken: true));

        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task A_server_that_is_busy_and_names_no_time_is_waited_for_twice()
    {
        await using var server = Serve((_, _) => Status("429 Too Many Requests"));
        var time = new ManualTimeProvider();
        var events = new List<FeedEvent>();
        var run = Assert.ThrowsAsync<FeedStatusException>(() =>
            SyncRun.ToEndAsync(
                new TableSync(Patient(server), time),
                step => events.AddRange(step is FeedEventOccurred happened ? [happened.Event] : [])
            )
        );

        await Pace.MoveAsync(time, TimeSpan.FromSeconds(1), run);
        await run;

        Assert.Equal(3, server.Requests.Count);
        Assert.Equal(2, events.Count(e => e.Kind == FeedEventKind.Retry));
    }

    /// <summary>A server whose answers are counted without those about the database as a whole.</summary>
    private static RawServer Count(Func<int, Reply> answer)
    {
        var count = 0;
        return Serve(
            (path, _) =>
                path == "/db/"
                    ? Json("""{"instance_start_time":"1","purge_seq":0,"update_seq":1}""")
                    : answer(Interlocked.Increment(ref count))
        );
    }

    private static int Asked(RawServer server) => Paths(server).Count(path => path != "/db/");

    private static string Set(string dialect, int number)
    {
        int[] ids = number == 1 ? [1] : [1, number];
        return dialect switch
        {
            "Rest" => $"[{Items(id => $$"""{"id":{{id}}}""")}]",
            "ODataDelta" => $$"""
                {"value":[{{Items(id => $$"""{"id":"{{id}}"}""")}}],"@odata.deltaLink":"/items?$deltatoken={{number}}"}
                """,
            _ => $$"""
                {"results":[{{Items(Change)}}],"last_seq":"{{number}}-x","pending":0}
                """,
        };

        string Items(Func<int, string> item) => string.Join(',', ids.Select(item));
        static string Change(int id) => $$$"""{"seq":"{{{id}}}-x","id":"{{{id}}}","changes":[{"rev":"1-a"}],"doc":{"_id":"{{{id}}}"}}""";
    }

    private static bool Brings(SyncStep step, string key) =>
        step is ChangesCommitted committed && committed.Changes.Any(change => change.Key.ToString() == key);

    private static async Task<List<FeedEvent>> FollowUntilAsync(SyncOptions options, Func<SyncStep, bool> isOver)
    {
        var events = new List<FeedEvent>();
        await foreach (var step in new TableSync(options).RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred happened)
                events.Add(happened.Event);
            if (isOver(step))
                break;
        }

        return events;
    }

    private SyncOptions Patient(RawServer server) =>
        Dialect(
            server,
            "items",
            "Rest",
            o => new SyncOptions
            {
                Feed = new FeedOptions
                {
                    Uri = o.Feed.Uri,
                    ConnectionTimeout = Timeout.InfiniteTimeSpan,
                    OperationTimeout = Timeout.InfiniteTimeSpan,
                },
                Store = o.Store,
                Foreign = o.Foreign,
            }
        );

    private SyncOptions Following(RawServer server, string dialect, int? retries = null, bool asksForToken = false) =>
        Dialect(
            server,
            dialect == "CouchDB" ? "db/_changes" : "items",
            dialect == "CouchDB" ? """{ "From": "CouchDb", "Live": null }""" : dialect,
            o => new SyncOptions
            {
                Feed = o.Feed,
                Store = o.Store,
                Foreign = o.Foreign,
                RetryInterval = o.RetryInterval,
                WantsChanges = true,
                Follow = true,
                PollInterval = TimeSpan.FromMilliseconds(1),
                MaximumRetryCount = retries,
                AsksForToken = asksForToken,
            }
        );
}
