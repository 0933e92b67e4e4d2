using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Electric's shapes and Durable Streams: the head of each answer has an offset, and what has arrived so far.</summary>
public sealed class ShapeTests : DialectTest
{
    private static string Head(string handle, string offset, bool upToDate) =>
        $"electric-handle: {handle}\r\nelectric-offset: {offset}\r\n{(upToDate ? "electric-up-to-date: \r\n" : "")}";

    private static string Message(string operation, string key, string value) =>
        $$$"""{"headers":{"operation":"{{{operation}}}"},"key":"\"public\".\"t\"/\"{{{key}}}\"","value":{{{value}}}}""";

    [Fact]
    public async Task A_shape_is_applied_when_it_is_up_to_date_and_goes_on_from_its_offset()
    {
        await using var server = Serve(
            (path, _) =>
                path.Contains("offset=-1") ? Json("[" + Message("insert", "1", """{"id":"1","n":"a"}""") + "]", Head("h1", "0_1", false))
                : path.Contains("offset=0_1")
                    ? Json(
                        "[" + Message("insert", "2", """{"id":"2","n":"b"}""") + """,{"headers":{"control":"up-to-date"}}]""",
                        Head("h1", "0_2", true)
                    )
                : path.Contains("offset=0_2")
                    ? Json(
                        "[" + Message("update", "1", """{"id":"1","n":"c"}""") + "," + Message("delete", "2", """{"id":"2"}""") + "]",
                        Head("h1", "0_3", true)
                    )
                : Json("[]", Head("h1", "0_3", true))
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", dialect: null));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", dialect: null));
        var third = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", dialect: null));

        Assert.Equal(("2 0 0", "0 1 1", "0 0 0"), (Counts(first), Counts(second), Counts(third)));
        Assert.Equal(("t", "h1", "0_3"), (first.Result.Table, Info.FeedIdentity, Info.Cursor.ToString()));
        Assert.Equal("""{"_key":"\"public\".\"t\"/\"1\"","id":"1","n":"c"}""", Table());
        Assert.Contains("handle=h1", Paths(server).Last());
    }

    [Fact]
    public async Task A_transaction_over_several_answers_is_not_applied_by_halves()
    {
        await using var server = Serve(
            (path, number) =>
                number == 1 ? Json("[" + Message("insert", "1", """{"id":"1","n":"a"}""") + "]", Head("h1", "0_1", true))
                : number == 2 ? Json("[" + Message("update", "1", """{"id":"1","n":"b"}""") + "]", Head("h1", "0_2", false))
                : Json("[" + Message("insert", "2", """{"id":"2","n":"b"}""")) with { IsCut = true }
        );

        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));
        await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("0_1", 1), (Info.Cursor.ToString(), Info.Rows));
        Assert.Contains("\"n\":\"a\"", Table());
    }

    [Theory]
    [InlineData("electric-handle: h2\r\n")]
    [InlineData("")]
    public async Task Must_refetch_starts_over_with_the_new_handle_and_removes_what_is_not_there(string head)
    {
        await using var server = Serve(
            (path, number) =>
                number == 1
                    ? Json(
                        "[" + Message("insert", "1", """{"id":"1"}""") + "," + Message("insert", "2", """{"id":"2"}""") + "]",
                        Head("h1", "0_1", true)
                    )
                : number == 2 ? Status("409 Conflict", head, """[{"headers":{"control":"must-refetch"}}]""")
                : Json("[" + Message("insert", "2", """{"id":"2"}""") + "]", Head("h2", "0_1", true))
        );

        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("0 0 1", 1, "h2"), (Counts(second), Info.Rows, Info.FeedIdentity));
        Assert.Contains(head.Length > 0 ? "handle=h2" : "handle=h1-next", Paths(server).Last());
    }

    [Fact]
    public async Task An_offset_that_does_not_move_and_is_not_up_to_date_is_an_error()
    {
        await using var server = Serve((_, _) => Json("[]", Head("h1", "0_1", false)));

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Contains("does not move", error.Message);
    }

    [Fact]
    public async Task A_durable_stream_is_read_to_its_end_and_closed_for_ever_ends_following()
    {
        static string Stream(string offset, string more = "Stream-Up-To-Date: true\r\n") => $"Stream-Next-Offset: {offset}\r\n{more}";
        await using var server = Serve(
            (path, _) =>
                path.Contains("offset=-1") ? Json("""[{"id":1}]""", Stream("1", ""))
                : path.Contains("live=long-poll") && path.Contains("offset=2")
                    ? Status("204 No Content", Stream("2", "Stream-Up-To-Date: true\r\nStream-Cursor: c\r\n"))
                : path.Contains("offset=1") ? Json("""[{"id":2}]""", Stream("2"))
                : Json("""[{"id":3}]""", Stream("3", "Stream-Up-To-Date: true\r\nStream-Closed: true\r\n"))
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "log", "DurableStream"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "log", dialect: null));

        Assert.Equal(("2 0 0", "1 0 0", "3"), (Counts(first), Counts(second), Info.Cursor.ToString()));
        Assert.Equal(SyncEndReason.EndOfFeed, second.Result.EndReason);
    }

    [Fact]
    public async Task A_stream_that_was_cut_to_its_retention_removes_nothing_and_one_that_is_gone_is_an_error()
    {
        await using var server = Serve(
            (path, number) =>
                number switch
                {
                    1 => Json("""[{"id":1}]""", "Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\n"),
                    2 => Status("410 Gone"),
                    3 => Json("""[{"id":2}]""", "Stream-Next-Offset: 9\r\nStream-Up-To-Date: true\r\n"),
                    _ => Status("404 Not Found"),
                }
        );

        await SyncRun.ToEndAsync(Dialect(server, "log", "DurableStream"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "log", "DurableStream"));
        await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, "log", "DurableStream"));

        Assert.Equal(("1 0 0", 2), (Counts(second), Info.Rows));
    }

    [Fact]
    public async Task A_stream_that_is_made_again_under_its_name_is_read_from_its_beginning()
    {
        await using var server = Serve(
            (path, number) =>
                number == 1 ? Json("""[{"id":1},{"id":2}]""", "Stream-Next-Offset: 0002_9\r\nStream-Up-To-Date: true\r\n")
                : path.Contains("offset=-1") ? Json("""[{"id":3}]""", "Stream-Next-Offset: 0001_5\r\nStream-Up-To-Date: true\r\n")
                // An offset past the end is answered as the end.
                : Json("[]", "Stream-Next-Offset: 0001_5\r\nStream-Up-To-Date: true\r\n")
        );

        await SyncRun.ToEndAsync(Dialect(server, "log", "DurableStream"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "log", "DurableStream"));

        Assert.Equal(("1 0 0", "0001_5", 3), (Counts(second), Info.Cursor.ToString(), Info.Rows));
    }

    [Fact]
    public async Task Up_to_date_may_be_said_by_a_message_only_and_other_control_messages_say_nothing()
    {
        await using var server = Serve(
            (path, _) =>
                Json(
                    path.Contains("offset=-1")
                        ? "[" + Message("insert", "1", """{"n":1}""") + """,{"headers":{"control":"snapshot-end"}}]"""
                        : "[" + Message("insert", "2", """{"n":2}""") + """,{"headers":{"control":"up-to-date"}}]""",
                    Head("h1", path.Contains("offset=-1") ? "0_1" : "0_2", false)
                )
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("2 0 0", 2, "0_2"), (Counts(run), server.Requests.Count, Info.Cursor.ToString()));
    }

    [Fact]
    public async Task However_often_a_shape_is_thrown_away_while_it_is_read_it_is_asked_for_from_its_beginning()
    {
        await using var server = Serve(
            (path, number) =>
                path.Contains("offset=-1")
                    ? Json("[" + Message("insert", "1", """{"n":1}""") + "]", Head($"h{number}", "0_1", number > 5))
                    : Status("409 Conflict", "", """[{"headers":{"control":"must-refetch"}}]""")
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal("1 0 0", Counts(run));
        Assert.All(Paths(server), path => Assert.Contains("offset=", path));
    }

    [Fact]
    public async Task What_the_log_of_a_new_handle_deletes_is_reported()
    {
        await using var server = Serve(
            (path, number) =>
                number == 1
                    ? Json(
                        "[" + Message("insert", "1", """{"n":1}""") + "," + Message("insert", "2", """{"n":2}""") + "]",
                        Head("h1", "0_1", true)
                    )
                : number == 2 ? Status("409 Conflict", "electric-handle: h2\r\n", """[{"headers":{"control":"must-refetch"}}]""")
                : Json(
                    "["
                        + Message("insert", "1", """{"n":1}""")
                        + ","
                        + Message("insert", "2", """{"n":2}""")
                        + ","
                        + Message("delete", "2", "{}")
                        + "]",
                    Head("h2", "0_3", true)
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("0 0 1", 1), (Counts(second), Info.Rows));
        Assert.Equal(ChangeKind.Deleted, Assert.Single(second.Changes).Kind);
    }

    [Fact]
    public async Task A_cache_that_answers_an_old_offset_again_is_passed_by()
    {
        await using var server = Serve(
            (path, _) =>
                path.Contains("offset=-1") ? Json("[" + Message("insert", "1", """{"n":1}""") + "]", Head("h1", "0_1", false))
                : path.Contains("cache-buster=") ? Json("[" + Message("insert", "2", """{"n":2}""") + "]", Head("h1", "0_2", true))
                : Json("[]", Head("h1", "0_1", false))
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("2 0 0", "0_2", 3), (Counts(run), Info.Cursor.ToString(), server.Requests.Count));
    }

    [Fact]
    public async Task A_handle_that_was_refused_is_not_asked_for_again_whatever_a_cache_says()
    {
        var asked = new List<string>();
        await using var server = Serve(
            (path, number) =>
            {
                asked.Add(HandleOf(path));
                return number == 1 ? Json("[" + Message("insert", "1", """{"n":1}""") + "]", Head("h1", "0_1", true))
                    // The handle that is gone, again and again, however it is asked for: cached by its address.
                    : HandleOf(path) is "h1" or "h1-next"
                        ? Status("409 Conflict", "electric-handle: h1\r\n", """[{"headers":{"control":"must-refetch"}}]""")
                    : Json("[" + Message("insert", "2", """{"n":2}""") + "]", Head("h2", "0_1", true));
            }
        );

        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("1 0 1", "h2"), (Counts(second), Info.FeedIdentity));
        Assert.Equal(["", "h1", "h1-next", "h1-next2"], asked);
    }

    [Fact]
    public async Task A_handle_that_a_refusal_of_the_very_first_request_names_is_the_one_to_ask_for()
    {
        await using var server = Serve(
            (path, _) =>
                HandleOf(path) == "h2"
                    ? Json("[" + Message("insert", "1", """{"n":1}""") + "]", Head("h2", "0_1", true))
                    : Status("409 Conflict", "electric-handle: h2\r\n", """[{"headers":{"control":"must-refetch"}}]""")
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal(("1 0 0", 2), (Counts(run), server.Requests.Count));
    }

    [Fact]
    public async Task A_message_that_the_shape_is_to_be_fetched_again_counts_in_any_answer()
    {
        await using var server = Serve(
            (path, number) =>
                number == 2
                    ? Json("""[{"headers":{"control":"must-refetch"}}]""", Head("h1", "0_1", false))
                    : Json("[" + Message("insert", $"{number}", """{"n":1}""") + "]", Head("h1", "0_1", true))
        );

        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        Assert.Equal("1 0 1", Counts(second));
    }

    [Fact]
    public async Task Where_a_proxy_strips_the_wish_for_whole_rows_what_changed_is_laid_over_the_row()
    {
        await using var server = Serve(
            (path, _) =>
                path.Contains("offset=-1")
                    ? Json(
                        "["
                            + Message("insert", "1", """{"id":"1","n":"a","m":"b"}""")
                            + ","
                            + Message("insert", "2", """{"id":"2","n":"a","m":"b"}""")
                            + "]",
                        Head("h1", "0_1", true)
                    )
                    : Json(
                        "["
                            + Message("update", "1", """{"id":"1","n":"c"}""")
                            + ","
                            + Message("update", "1", """{"id":"1","m":null}""")
                            + ","
                            + Message("delete", "2", """{"id":"2"}""")
                            + "]",
                        Head("h1", "0_2", true)
                    )
        );

        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", "Shape"));

        // Each of the two updates is a change.
        Assert.Equal("0 2 1", Counts(second));
        Assert.Equal("""{"_key":"\"public\".\"t\"/\"1\"","id":"1","n":"c","m":null}""", Table());
    }

    [Fact]
    public async Task A_live_answer_without_a_body_is_a_sign_of_life_and_the_options_are_in_the_order_that_caches_expect()
    {
        await using var server = Serve(
            (path, number) =>
                path.Contains("offset=-1") ? Json("[" + Message("insert", "1", """{"n":1}""") + "]", Head("h1", "0_1", true))
                : path.Contains("live=true") && number > 4
                    ? Json("[" + Message("insert", "2", """{"n":2}""") + "]", Head("h1", "0_2", true) + "electric-cursor: 9\r\n")
                : Status("204 No Content", Head("h1", "0_1", true) + "electric-cursor: 8\r\n")
        );

        await FollowUntilAsync(server, "v1/shape?table=t", "Shape", () => Info.Rows == 2);

        Assert.Equal("/v1/shape?handle=h1&live=true&offset=0_1&replica=full&table=t", Paths(server).ElementAt(1));
        Assert.Contains("/v1/shape?cursor=8&handle=h1&live=true&offset=0_1&replica=full&table=t", Paths(server));
    }

    [Fact]
    public async Task A_stream_that_is_closed_ends_a_follower_after_answers_without_a_body()
    {
        await using var server = Serve(
            (path, number) =>
                path.Contains("offset=-1") ? Json("""[{"id":1}]""", "Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\n")
                : number < 5 ? Status("204 No Content", $"Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\nStream-Cursor: c{number}\r\n")
                : Json("""[{"id":2}]""", "Stream-Next-Offset: 2\r\nStream-Up-To-Date: true\r\nStream-Closed: true\r\n")
        );

        await FollowUntilAsync(server, "log", "DurableStream", () => false);

        Assert.Equal((2, "2"), (Info.Rows, Info.Cursor.ToString()));
        Assert.Contains("live=long-poll", Paths(server).Last());
        Assert.Contains("cursor=c4", Paths(server).Last());
    }

    [Fact]
    public async Task A_durable_stream_of_states_is_read_by_naming_its_parts()
    {
        const string States = """
            { "From": "DurableStream", "Record": "value", "Key": { "_key": "key" }, "Deleted": { "/headers/operation": "delete" } }
            """;
        await using var server = Serve(
            (_, _) =>
                Json(
                    """
                    [{"type":"user","key":"u1","value":{"name":"Ada"},"headers":{"operation":"insert"}},
                     {"type":"user","key":"u2","value":{"name":"Bea"},"headers":{"operation":"insert"}},
                     {"type":"user","key":"u1","value":{"name":"Ava"},"headers":{"operation":"update"}},
                     {"type":"user","key":"u2","headers":{"operation":"delete"}}]
                    """,
                    "Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\n"
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "log", States));

        Assert.Equal("""{"_key":"u1","name":"Ava"}""", Table());
    }

    [Fact]
    public async Task An_offset_that_the_server_cannot_read_is_an_error_and_removes_nothing()
    {
        await using var server = Serve(
            (path, _) =>
                path.Contains("offset=-1")
                    ? Json("""[{"id":1}]""", "Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\n")
                    : Status("400 Bad Request", "", "Invalid offset format")
        );
        await SyncRun.ToEndAsync(Dialect(server, "log", "DurableStream"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, "log", "DurableStream"));

        Assert.Contains("Invalid offset format", error.Message, StringComparison.Ordinal);
        Assert.Equal((1, "1"), (Info.Rows, Info.Cursor.ToString()));
    }

    private static string HandleOf(string path) =>
        path.Split('?', '&').FirstOrDefault(pair => pair.StartsWith("handle=", StringComparison.Ordinal))?[7..] ?? "";

    /// <summary>Follows until the table is as expected, or the feed ends.</summary>
    private async Task FollowUntilAsync(RawServer server, string path, string dialect, Func<bool> isDone)
    {
        var sync = new TableSync(
            Dialect(
                server,
                path,
                dialect,
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Follow = true,
                    RetryInterval = TimeSpan.FromMilliseconds(5),
                    PollInterval = TimeSpan.FromMilliseconds(5),
                }
            )
        );
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Eventually.Deadline);
        await foreach (var step in sync.RunAsync(limit.Token))
        {
            if (Engine.Tables.Table.IsTable(TablePath) && isDone())
                break;
        }
    }

    [Fact]
    public async Task The_head_tells_a_durable_stream()
    {
        await using var server = Serve((_, _) => Json("""[{"id":1}]""", "Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\n"));

        var run = await SyncRun.ToEndAsync(Dialect(server, "log", dialect: null));

        Assert.Equal("1 0 0", Counts(run));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Dialect && e.Message.Contains("DurableStream"));
    }
}
