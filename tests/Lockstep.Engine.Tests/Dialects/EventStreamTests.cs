using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Server-sent events.</summary>
public sealed class EventStreamTests : DialectTest
{
    private static RawServer Stream(Func<int, string> body, string headers = "") =>
        new(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n" + headers);
            await exchange.ChunkAsync(body(exchange.Number));
            await exchange.StallAsync();
        });

    [Theory]
    [InlineData("Text/Event-Stream")]
    [InlineData("TEXT/EVENT-STREAM; charset=UTF-8")]
    public async Task The_case_of_the_content_type_does_not_matter(string type)
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync($"Content-Type: {type}\r\n");
            await exchange.ChunkAsync("id: 1\ndata: {\"id\":1}\n\n");
            await exchange.StallAsync();
        });

        await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Equal(["1"], Keys);
    }

    [Theory]
    [InlineData("\"deleted_at\":170", "deleted_at")]
    [InlineData("\"deleted\":true", "deleted")]
    [InlineData("\"is_deleted\":1", "is_deleted")]
    [InlineData("\"deleted_at\":null,\"deleted\":false,\"is_deleted\":0", null)]
    public async Task A_mark_of_deletion_that_the_stream_dialect_does_not_know_is_warned_of_once_for_each_table(string mark, string? told)
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            for (var id = 1; id <= 3; id++)
                await exchange.ChunkAsync($"id: {id}\ndata: {{\"id\":{id},{mark}}}\n\n");
            await exchange.StallAsync();
        });

        var run = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));
        var again = await SyncRun.ToEndAsync(Dialect(server, "stream", dialect: null));

        Assert.DoesNotContain(again.Events, e => e.Message.Contains("a deletion", StringComparison.Ordinal));
        var hints = run.Events.Where(e => e.Kind == FeedEventKind.Warning && e.Message.Contains("a deletion", StringComparison.Ordinal));
        if (told is null)
        {
            Assert.Empty(hints);
        }
        else
        {
            var hint = Assert.Single(hints);
            Assert.Contains($"'{told}'", hint.Message, StringComparison.Ordinal);
            Assert.Contains($"\"Deleted\": [{{ \"event:\": \"delete\" }}, \"{told}\"]", hint.Remedy?.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(3, Info.Rows);
    }

    [Fact]
    public async Task A_stream_that_falls_silent_does_not_say_that_this_was_all_and_a_warning_does()
    {
        await using var server = Stream(_ => "id: 1\ndata: {\"id\":1}\n\n");

        var run = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Equal(SyncOutcome.Incomplete, run.Result.Outcome);
        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Contains("did not say that this was all", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_become_records_and_the_next_sync_goes_on_from_the_last_id()
    {
        await using var server = Stream(number =>
            number == 1
                ? "\uFEFFretry: 5\n\n: hello\nid: [1]\ndata: {\"id\":1,\ndata: \"v\":2}\n\nid: ä2\ndata: "
                    + "[{\"id\":2},{\"id\":3}]\n\nid: ü3\n\n"
                : "event: delete\nid: 4\ndata: {\"id\":2}\n\n"
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "stream", dialect: null));

        Assert.Equal(("3 0 0", "0 0 1", "4"), (Counts(first), Counts(second), Info.Cursor.ToString()));
        Assert.Equal("{\"id\":1,\n\"v\":2}\n{\"id\":3}", Table());
        Assert.Equal(SyncEndReason.Settled, first.Result.EndReason);
        // The server of this test reads bytes as characters.
        Assert.Contains("Last-Event-ID: \u00C3\u00BC3\r\n", server.Requests.Last());
    }

    [Fact]
    public async Task A_resync_asks_for_the_stream_from_its_beginning_at_its_own_address()
    {
        await using var server = Stream(number => $"id: {number}\ndata: {{\"id\":{number}}}\n\n");
        await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        var again = await SyncRun.ToEndAsync(
            Dialect(
                server,
                "stream",
                "EventStream",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Settle = o.Settle,
                    Resync = true,
                    WantsChanges = true,
                }
            )
        );

        Assert.Equal("1 0 0", Counts(again));
        Assert.StartsWith("GET /stream HTTP/1.1\r\n", server.Requests.Last(), StringComparison.Ordinal);
        Assert.DoesNotContain("Last-Event-ID", server.Requests.Last(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal(("2", SyncOutcome.Incomplete), (Info.Cursor.ToString(), again.Result.Outcome));
    }

    [Fact]
    public async Task Events_without_a_key_are_a_log_by_their_ids()
    {
        await using var server = Stream(_ => "id: e1\ndata: {\"text\":\"x\"}\n\nid: e2\ndata: {\"text\":\"y\"}\n\n");

        await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Equal("""{"id":"e1","text":"x"}""" + "\n" + """{"id":"e2","text":"y"}""", Table());
    }

    [Fact]
    public async Task A_key_that_was_chosen_and_that_events_lack_is_warned_of()
    {
        await using var server = Stream(_ => "id: e1\ndata: {\"host\":\"x\"}\n\nid: e2\ndata: {\"name\":\"y\"}\n\n");

        var run = await SyncRun.ToEndAsync(Dialect(server, "stream", """{ "From": "EventStream", "Key": "host" }"""));

        Assert.Equal(["e2", "x"], Keys);
        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("'host'"));
        Assert.Contains("log of the events", warning.Remedy!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_JSON_is_skipped_by_a_condition_or_is_malformed()
    {
        const string Skips =
            """{ "From": "EventStream", "Key": "/meta/id", "Skip": [{ "event:": "done" }, { "/meta/domain": "canary" }] }""";
        await using var server = Stream(number =>
            number == 1
                ? "event: done\ndata: [DONE]\n\nid: 1\ndata: {\"meta\":{\"id\":\"a\",\"domain\":\"canary\"}}\n\nid: 2\ndata: "
                    + "{\"meta\":{\"id\":\"b\"}}\n\n"
                : "data: [DONE]\n\n"
        );

        await SyncRun.ToEndAsync(Dialect(server, "stream", Skips));
        await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "stream", Skips));

        Assert.Equal(["b"], Keys);
        Assert.Equal("2", Info.Cursor.ToString());
    }

    [Theory]
    [InlineData("event: heartbeat\ndata: \n\n")]
    [InlineData("event: ping\ndata: {\"now\":1}\n\n")]
    [InlineData("event: keep-alive\ndata: tick\n\n")]
    [InlineData(":\n\n")]
    public async Task A_sign_of_life_is_no_record_and_counts_as_one(string sign)
    {
        await using var server = Stream(_ => "id: 1\ndata: {\"id\":1}\n\n" + sign + sign);

        var run = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Equal(("1 0 0", 2), (Counts(run), run.Result.Heartbeats));
    }

    [Fact]
    public async Task Another_content_type_is_an_error_and_another_last_id_is_a_gap()
    {
        await using var page = Serve((_, _) => Json("{}"));
        await using var hub = Stream(number => $"id: {number}\ndata: {{\"id\":{number}}}\n\n", "Last-Event-ID: 99\r\n");

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(page, "stream", "EventStream"));
        await SyncRun.ToEndAsync(Dialect(hub, "stream", "EventStream", o => Elsewhere(o)));
        var second = await SyncRun.ToEndAsync(Dialect(hub, "stream", "EventStream", o => Elsewhere(o)));

        Assert.Contains("text/event-stream", error.Message);
        Assert.Contains(second.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("missing"));
    }

    [Theory]
    [InlineData("id: 3\ndata: {\"id\":3}")]
    [InlineData("id: 3\ndata: {\"id\":3}\n")]
    [InlineData("id: 3\ndata: {\"id\"")]
    [InlineData("id: 3\nda")]
    [InlineData("id: 3")]
    [InlineData("event: dele")]
    [InlineData("event: delete\n")]
    public async Task A_stream_that_ends_within_an_event_is_not_complete_and_the_next_sync_asks_from_before_it(string cut)
    {
        await using var server = Serve(
            (_, number) =>
                Status(
                    "200 OK",
                    "Content-Type: text/event-stream\r\n",
                    number == 1 ? "id: 1\ndata: {\"id\":1}\n\nid: 2\ndata: {\"id\":2}\n\n" + cut : "id: 3\ndata: {\"id\":3}\n\n"
                )
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));
        Assert.Equal((2, "2", SyncOutcome.Incomplete), (Info.Rows, Info.Cursor.ToString(), first.Result.Outcome));
        Assert.Contains("within an event", Assert.Single(first.Events, e => e.Kind == FeedEventKind.Warning).Message);

        var second = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Contains("Last-Event-ID: 2\r\n", server.Requests.Last(), StringComparison.Ordinal);
        Assert.Equal((3, SyncOutcome.Complete), (Info.Rows, second.Result.Outcome));
    }

    [Theory]
    [InlineData("")]
    [InlineData(": bye")]
    [InlineData(": bye\n")]
    [InlineData("retry: 50\n\n")]
    public async Task A_stream_that_ends_between_events_is_complete(string end)
    {
        await using var server = Serve(
            (_, _) => Status("200 OK", "Content-Type: text/event-stream\r\n", "id: 1\ndata: {\"id\":1}\n\n" + end)
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Equal((1, SyncOutcome.Complete), (Info.Rows, run.Result.Outcome));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Content-Type: text/plain\r\n")]
    [InlineData("Content-Type: application/octet-stream\r\n")]
    public async Task Events_of_a_server_that_does_not_call_them_so_are_read_where_the_user_names_the_dialect(string type)
    {
        await using var server = Serve(
            (_, number) => Status("200 OK", type, number < 3 ? $"id: {number}\ndata: {{\"id\":{number}}}\n\n" : "not ready")
        );

        await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));
        await SyncRun.ToEndAsync(Dialect(server, "stream", dialect: null));
        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "stream", dialect: null));

        Assert.Equal(2, Info.Rows);
        Assert.Contains("sent no event", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_content_is_the_end_for_good_and_a_retry_of_nothing_is_not_taken_at_its_word()
    {
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number > 2)
            {
                await exchange.StatusAsync("204 No Content");
                return;
            }

            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync($"retry: 0\n\nid: {exchange.Number}\ndata: {{\"id\":{exchange.Number}}}\n\n");
            await exchange.LastChunkAsync();
        });

        var run = await SyncRun.ToEndAsync(
            Dialect(
                server,
                "stream",
                "EventStream",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Follow = true,
                    WantsChanges = true,
                }
            )
        );

        Assert.Equal((SyncEndReason.EndOfFeed, 2, 3), (run.Result.EndReason, Info.Rows, server.Requests.Count));
        Assert.Equal(2, run.Events.Count(e => e.Kind == FeedEventKind.Poll && e.Message.Contains("0.1", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_head_tells_the_dialect()
    {
        await using var server = Stream(_ => "id: 1\ndata: {\"id\":1}\n\n");

        var run = await SyncRun.ToEndAsync(Dialect(server, "stream", dialect: null));

        Assert.Equal("1 0 0", Counts(run));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Dialect && e.Message.Contains("EventStream"));
    }

    [Fact]
    public async Task An_id_that_is_too_long_for_the_server_is_left_out_and_what_may_be_missing_is_told()
    {
        var id = new string('7', 9000);
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Head.Contains("Last-Event-ID: 777", StringComparison.OrdinalIgnoreCase))
            {
                await exchange.StatusAsync("431 Request Header Fields Too Large");
                return;
            }

            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync(exchange.Number == 1 ? $"id: {id}\ndata: {{\"id\":1}}\n\n" : "id: b\ndata: {\"id\":2}\n\n");
            await exchange.StallAsync();
        });

        await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "stream", "EventStream"));

        Assert.Equal(("1 0 0", "b", 3), (Counts(second), Info.Cursor.ToString(), server.Requests.Count));
        var warning = Assert.Single(second.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Contains("may be missing", warning.Message, StringComparison.Ordinal);
        var advice = warning.Remedy!.ToString();
        var advised = advice[advice.IndexOf('{', StringComparison.Ordinal)..(advice.LastIndexOf('}') + 1)];
        await SyncRun.ToEndAsync(Dialect(server, "stream", advised));
        await SyncRun.ToEndAsync(Dialect(server, "stream", advised));
        Assert.EndsWith("lastEventID=b", Paths(server).Last(), StringComparison.Ordinal);
        Assert.DoesNotContain("Last-Event-ID", server.Requests.Last(), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_that_brings_nothing_at_all_may_be_held_back_by_a_proxy_which_is_told_once(bool endsAtOnce)
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            if (endsAtOnce)
                await exchange.LastChunkAsync();
            else
                await exchange.StallAsync();
        });
        var time = new ManualTimeProvider();
        var sync = new TableSync(
            Dialect(
                server,
                "stream",
                "EventStream",
                o => new SyncOptions
                {
                    Feed = new FeedOptions { Uri = o.Feed.Uri, ConnectionTimeout = Timeout.InfiniteTimeSpan },
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Follow = true,
                    RetryInterval = TimeSpan.FromMilliseconds(20),
                }
            ),
            time
        );
        var warnings = new List<FeedEvent>();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Eventually.Deadline);
        var following = Task.Run(
            async () =>
            {
                await foreach (var step in sync.RunAsync(limit.Token))
                {
                    if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Warning } warning })
                        warnings.Add(warning);
                    if (server.Requests.Count >= 6)
                        break;
                }
            },
            Cancellation
        );
        await Pace.MoveAsync(time, TimeSpan.FromSeconds(5), following);
        await following;

        Assert.Contains("a proxy", Assert.Single(warnings).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_brought_a_sign_of_life_is_not_held_back_by_a_proxy()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync(":\n");
            exchange.Reset();
        });

        (_, var run) = await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, "stream", "EventStream"));

        Assert.DoesNotContain(run, e => e.Kind == FeedEventKind.Warning);
    }

    [Fact]
    public void However_the_bytes_are_cut_the_events_are_the_same()
    {
        const string Text =
            "\uFEFF: c\r\n\r\ndata:a\rdata: b\r\n\nid: 1\nid: 2\0\nevent: x\ndata\n\n\nid\ndata:  ä: {\n\nretry: 50\n"
            + "retry: x\ndata: last\n\ndata: dropped\n";
        string[] expected = ["|a\nb|", "x||1", "| ä: {|", "|last|"];
        var bytes = Encoding.UTF8.GetBytes(Text);
        var random = new Random(7);
        for (var run = 0; run < 300; run++)
        {
            var reader = new EventReader(1 << 20);
            var events = new List<string>();
            for (var at = 0; at < bytes.Length; )
            {
                var count = Math.Min(run == 0 ? 1 : random.Next(1, 9), bytes.Length - at);
                bytes.AsSpan(at, count).CopyTo(reader.GetFreeMemory().Span);
                reader.Advance(count);
                at += count;
                while (reader.TryRead(out var kind))
                {
                    if (kind == EventKind.Event)
                        events.Add($"{reader.Type}|{Encoding.UTF8.GetString(reader.Data.Span)}|{reader.DispatchedId}");
                }
            }

            Assert.Equal(expected, events);
            Assert.Equal(TimeSpan.FromMilliseconds(50), reader.Retry);
        }
    }

    [Fact]
    public void However_the_bytes_are_cut_the_items_of_a_document_are_the_same()
    {
        const string Text = """ {"a":{"items":[9]},"items" : [ {"x":[1,{"y":"]}"}]} , 2,"s",null,[] ] , "next":"n"} """;
        var bytes = Encoding.UTF8.GetBytes(Text);
        for (var size = 1; size <= bytes.Length; size++)
        {
            var reader = new DocumentReader(null, 1 << 20);
            var items = new List<string>();
            for (var at = 0; at <= bytes.Length; at += size)
            {
                var count = Math.Min(size, bytes.Length - at);
                bytes.AsSpan(at, count).CopyTo(reader.GetFreeMemory().Span);
                reader.Advance(count);
                while (
                    reader.Read(offset =>
                    {
                        var item = reader.Item.Bytes;
                        Assert.True(bytes.AsSpan((int)offset).StartsWith(item.Span));
                        items.Add(Encoding.UTF8.GetString(item.Span));
                        return true;
                    })
                ) { }

                if (reader.IsWhole)
                    break;
            }

            Assert.Equal(["""{"x":[1,{"y":"]}"}]}""", "2", "\"s\"", "null", "[]"], items);
            Assert.True(reader.IsWhole);
            using var around = reader.Around();
            Assert.Equal("n", around.RootElement.GetProperty("next").GetString());
            Assert.Equal(9, around.RootElement.GetProperty("a").GetProperty("items")[0].GetInt32());
        }
    }

    private SyncOptions Elsewhere(SyncOptions o) =>
        new()
        {
            Feed = o.Feed,
            Store = new FileTableStore(Folder("hub.db")),
            Foreign = o.Foreign,
            Settle = o.Settle,
        };
}
