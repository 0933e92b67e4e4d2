using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>The changes of CouchDB, and of servers that only resemble it.</summary>
public sealed class CouchDbTests : DialectTest
{
    private static string Row(string id, string seq, string? more = null, bool deleted = false) =>
        deleted
            ? $$$"""{"seq":"{{{seq}}}","id":"{{{id}}}","changes":[{"rev":"2-x"}],"deleted":true"""
                + $$$""","doc":{"_id":"{{{id}}}","_rev":"2-x","_deleted":true}}"""
            : $$$"""{"seq":"{{{seq}}}","id":"{{{id}}}","changes":[{"rev":"1-x"}],"doc":{"_id":"{{{id}}}","_rev":"1-x"{{{more}}}}}""";

    private static string Page(string rows, string last, int? pending = 0) =>
        "{\"results\":[\n" + rows + "\n],\n\"last_seq\":\"" + last + "\"" + (pending is null ? "" : $",\"pending\":{pending}") + "}\n";

    private static Reply Root(string started) => Json($$"""{"db_name":"db","instance_start_time":"{{started}}","purge_seq":"0-g1AAAA"}""");

    [Fact]
    public async Task Pages_go_on_by_their_own_cursor_until_nothing_is_pending()
    {
        await using var server = Serve(
            (path, _) =>
                path == "/db/" ? Root("1")
                : path.Contains("since=2-b") ? Json(Page(Row("c", "3-c") + ",\r\n" + Row("a", "4-d", deleted: true), "4-d"))
                : path.Contains("since=4-d") ? Json(Page("", "5-e"))
                : Json(Page(Row("a", "1-a", ",\"n\":1.0") + ",\r\n" + Row("b", "2-b", ",\"id\":77"), "2-b", pending: 2))
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", dialect: null));

        Assert.Equal(("3 0 1", "0 0 0", "5-e"), (Counts(first), Counts(second), Info.Cursor.ToString()));
        Assert.Equal("""{"_id":"b","_rev":"1-x","id":77}""" + "\n" + """{"_id":"c","_rev":"1-x"}""", Table());
        Assert.Equal(("db", "1 0"), (first.Result.Table, Info.FeedIdentity));
    }

    [Theory]
    [InlineData("text/html", "<html>sign in</html>")]
    [InlineData("application/json", """{"message":"try later"}""")]
    [InlineData("application/json", "")]
    [Trait("Invariant", "I6")]
    public async Task An_address_of_another_server_that_only_answers_wrongly_is_no_empty_feed(string type, string body)
    {
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Root("1")
                : number == 2 ? Status("200 OK", $"Content-Type: {type}\r\n", body)
                : Status("200 OK")
        );

        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "db/_changes", dialect: null));
    }

    [Fact]
    public async Task Another_query_is_refused_until_the_whole_set_is_fetched_by_it()
    {
        await using var server = Serve(
            (path, _) =>
                path == "/db/" ? Root("1")
                : path.Contains("filter=b") ? Json(Page(Row("b", "3-c"), "3-c"))
                : Json(Page(Row("a", "1-a"), "1-a"))
        );
        SyncOptions Filtered(string filter, bool resync = false) =>
            new()
            {
                Feed = new FeedOptions { Uri = new Uri(server.Root, "db/_changes"), Query = [new("filter", filter)] },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Load("CouchDb"),
                Settle = TimeSpan.FromMilliseconds(200),
                Resync = resync,
            };

        await SyncRun.ToEndAsync(Filtered("a"));
        await SyncRun.ToErrorAsync<TableMismatchException>(Filtered("b"));
        Assert.Equal("""{"_id":"a","_rev":"1-x"}""", Table());
        await SyncRun.ToEndAsync(Filtered("b", resync: true));
        await SyncRun.ToEndAsync(Filtered("b"));

        Assert.Equal("""{"_id":"b","_rev":"1-x"}""", Table());
    }

    [Fact]
    public async Task A_database_that_was_created_again_is_another_feed_and_its_old_rows_go()
    {
        var started = "1";
        await using var server = Serve(
            (path, _) =>
                path == "/db/"
                    ? Root(Volatile.Read(ref started))
                    : Json(Page(Volatile.Read(ref started) == "1" ? Row("a", "1-a") + "," + Row("b", "2-b") : Row("b", "1-z"), "1-z"))
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        Volatile.Write(ref started, "2");
        var second = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(("0 0 1", """{"_id":"b","_rev":"1-x"}"""), (Counts(second), Table()));
        Assert.DoesNotContain("since=", Paths(server).Last());
    }

    [Fact]
    public async Task A_cursor_that_the_server_cannot_read_starts_over()
    {
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Root("1")
                : path.Contains("since=")
                    ? Status(
                        "400 Bad Request",
                        body: """{"error":"bad_request","reason":"Malformed sequence supplied in 'since' parameter."}"""
                    )
                : Json(Page(Row(number < 3 ? "a" : "b", "1-a"), "1-a"))
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal("1 0 1", Counts(second));
    }

    [Fact]
    public async Task Without_pending_an_empty_page_is_the_end_and_a_cursor_may_be_a_number_or_a_list()
    {
        await using var server = Serve(
            (path, _) =>
                path == "/db/" ? Json("{}")
                : path.Contains("since=[7,\"x\"]") ? Json("""{"results":[],"last_seq":[7,"x"]}""")
                : path.Contains("since=2")
                    ? Json(
                        """{"results":[{"seq":7,"id":"b","changes":[],"doc":{"_id":"b"}},{"seq":8,"id":"c","changes":[]"""
                            + ""","doc":null}],"last_seq":[7,"x"]}"""
                    )
                : Json("""{"results":[{"seq":2,"id":"a","changes":[],"doc":{"_id":"a"}}],"last_seq":2}""")
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(("2 0 0", "[7,\"x\"]"), (Counts(run), Info.Cursor.ToString()));
    }

    [Fact]
    public async Task A_cursor_above_the_newest_one_of_the_database_is_of_another_one()
    {
        // PouchDB Server answers with nothing, and with the position itself.
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Json(number == 1 ? """{"update_seq":9}""" : """{"update_seq":2}""")
                : path.Contains("since=9") ? Json("""{"results":[],"last_seq":9}""")
                : path.Contains("since=2") ? Json("""{"results":[],"last_seq":2}""")
                : number < 4 ? Json("""{"results":[{"seq":9,"id":"old","changes":[],"doc":{"_id":"old"}}],"last_seq":9}""")
                : Json("""{"results":[{"seq":2,"id":"new","changes":[],"doc":{"_id":"new"}}],"last_seq":2}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(("1 0 1", "2"), (Counts(second), Info.Cursor.ToString()));
        Assert.Equal(["new"], Keys);
    }

    [Fact]
    public async Task What_the_database_says_of_itself_is_asked_for_again_where_it_was_cut_off()
    {
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Json($$"""{"instance_start_time":"{{(number < 5 ? 1 : 2)}}"}""") with { IsCut = number == 1 }
                : path.Contains("since=") ? Json("""{"results":[],"last_seq":"1-a","pending":0}""")
                : Json(number < 5 ? Page(Row("a", "1-a"), "1-a") : Page(Row("b", "1-a"), "1-a"))
        );

        await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, "db/_changes", "CouchDb"));
        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(["b"], Keys);
    }

    [Fact]
    public async Task The_last_sequence_of_an_empty_page_is_kept_and_a_row_whose_document_is_gone_is_passed_over()
    {
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Json("""{"instance_start_time":"1"}""")
                : number == 2 ? Json("""{"results":[{"seq":"1-a","id":"a","changes":[],"doc":null}],"last_seq":"1-a","pending":0}""")
                : Json("""{"results":[],"last_seq":"7-filtered","pending":0}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal((0, "7-filtered"), (Info.Rows, Info.Cursor.ToString()));
    }

    [Fact]
    public async Task Without_documents_a_row_is_the_record()
    {
        await using var server = Serve(
            (path, _) =>
                path == "/db/"
                    ? Json("{}")
                    : Json("""{"results":[{"seq":1,"id":"left-pad","changes":[{"rev":"1"}]}],"last_seq":1,"pending":0}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal("""{"_id":"left-pad","seq":1,"id":"left-pad","changes":[{"rev":"1"}]}""", Table());
    }

    [Fact]
    public async Task Following_streams_what_comes_with_heartbeats_and_seq_null_moves_nothing()
    {
        await using var server = new RawServer(async exchange =>
        {
            var path = exchange.Head.Split(' ')[1];
            if (path == "/db/")
            {
                await exchange.BodyAsync("""{"instance_start_time":"1"}""");
            }
            else if (!path.Contains("feed=continuous", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(Page(Row("a", "1-a"), "1-a"));
            }
            else
            {
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync(
                    "\n" + Row("b", "2-b") + "\n" + """{"seq":null,"id":"c","changes":[],"doc":{"_id":"c"}}""" + "\n\n"
                );
                await exchange.StallAsync();
            }
        });
        var sync = new TableSync(Dialect(server, "db/_changes", "CouchDb", Following));
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (Lockstep.Engine.Tables.Table.IsTable(TablePath) && Info.Rows == 3)
                break;
        }

        Assert.Equal(["a", "b", "c"], Keys);
        Assert.Equal("2-b", Info.Cursor.ToString());
        Assert.Contains("since=1-a", Paths(server).Last());
    }

    [Theory]
    [InlineData("upstream connect error")]
    [InlineData("""{"error":"timeout","reason":"The request could not be processed in time."}""" + "\n")]
    public async Task What_stands_in_place_of_a_continuous_feed_is_a_failed_connection_and_no_malformed_record(string body)
    {
        var streams = 0;
        await using var server = new RawServer(async exchange =>
        {
            var path = exchange.Head.Split(' ')[1];
            if (path == "/db/")
            {
                await exchange.BodyAsync("""{"instance_start_time":"1"}""");
            }
            else if (!path.Contains("feed=continuous", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(Page(Row("a", "1-a"), "1-a"));
            }
            else if (++streams < 3)
            {
                await exchange.BodyAsync(body);
            }
            else
            {
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync(Row("b", "2-b") + "\n");
                await exchange.StallAsync();
            }
        });
        var told = new List<FeedEvent>();
        var sync = new TableSync(Dialect(server, "db/_changes", "CouchDb", Following));
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Close } happened })
                told.Add(happened);
            if (Lockstep.Engine.Tables.Table.IsTable(TablePath) && Info.Rows == 2)
                break;
        }

        Assert.Equal((2, 0), (told.Count, Info.Quarantined));
        Assert.All(told, e => Assert.Contains(body.StartsWith('{') ? "timeout" : body, e.Message));
    }

    [Fact]
    public async Task A_server_that_answers_a_continuous_feed_with_a_page_is_polled_and_nothing_is_lost()
    {
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Json("{}")
                : path.Contains("since=1")
                    ? Json("""{"results":[{"seq":2,"id":"b","changes":[],"doc":{"_id":"b"}}],"last_seq":2,"pending":0}""")
                : path.Contains("since=2") ? Json("""{"results":[],"last_seq":2,"pending":0}""")
                : Json("""{"results":[{"seq":1,"id":"a","changes":[],"doc":{"_id":"a"}}],"last_seq":1,"pending":0}""")
        );
        var sync = new TableSync(Dialect(server, "db/_changes", "CouchDb", Following));
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (Lockstep.Engine.Tables.Table.IsTable(TablePath) && Info.Cursor.ToString() == "2")
                break;
        }

        Assert.Equal(["a", "b"], Keys);
    }

    [Fact]
    public async Task Attachments_are_kept_as_stubs_what_is_replayed_is_no_change_and_a_tag_is_not_sent_for_a_set_in_pages()
    {
        const string Stub = ",\"_attachments\":{\"a.png\":{\"digest\":\"md5-x\",\"length\":9,\"stub\":true}}";
        await using var server = Serve(
            (path, _) =>
                path == "/db/" ? Root("1") : Json(Page(Row("a", path.Contains("since") ? "1-b" : "1-a", Stub), "1-z"), "ETag: \"ABC\"\r\n")
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(("0 0 0", $$"""{"_id":"a","_rev":"1-x"{{Stub}}}"""), (Counts(second), Table()));
        Assert.DoesNotContain(server.Requests, request => request.Contains("If-None-Match", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_purge_tells_nothing_to_the_changes_and_is_seen_by_the_counter_of_the_database()
    {
        var purges = 0;
        await using var server = Serve(
            (path, _) =>
                path == "/db/" ? Json($$"""{"instance_start_time":"1","purge_seq":"{{Volatile.Read(ref purges)}}-g1AAAAB"}""")
                : path.Contains("since=") ? Json(Page("", "2-b"))
                : Json(Page(Row("a", "1-a") + (Volatile.Read(ref purges) == 0 ? "," + Row("b", "2-b") : ""), "2-b"))
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));
        Volatile.Write(ref purges, 1);
        var second = await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(("0 0 1", 1), (Counts(second), Info.Rows));
    }

    [Fact]
    public async Task Under_a_stream_that_never_ends_a_purge_is_seen_within_minutes()
    {
        var time = new ManualTimeProvider();
        int purges = 0,
            streams = 0;
        TableSync? sync = null;
        await using var server = new RawServer(async exchange =>
        {
            var path = exchange.Head.Split(' ')[1];
            if (path == "/db/")
            {
                await exchange.BodyAsync($$"""{"instance_start_time":"1","purge_seq":{{Volatile.Read(ref purges)}}}""");
            }
            else if (!path.Contains("feed=continuous", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(Page(Row("a", "1-a") + (Volatile.Read(ref purges) == 0 ? "," + Row("b", "2-b") : ""), "2-b"));
            }
            else
            {
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync(Row("c", "3-c") + "\n");
                if (Interlocked.Increment(ref streams) == 1)
                {
                    await Eventually.TrueAsync(() => sync!.Result.Added == 3);
                    Volatile.Write(ref purges, 1);
                    time.Advance(TimeSpan.FromMinutes(5.1));
                    await exchange.ChunkAsync("\n");
                }

                await exchange.StallAsync();
            }
        });
        sync = new TableSync(Dialect(server, "db/_changes", "CouchDb", o => Patient(o, Timeout.InfiniteTimeSpan)), time);

        await FollowUntilAsync(sync, time, Pace.Commit, () => sync.Result.Deleted > 0);

        Assert.DoesNotContain("b", Keys);
    }

    [Fact]
    public async Task A_server_that_sends_no_heartbeats_is_asked_again_from_the_last_row()
    {
        await using var server = new RawServer(async exchange =>
        {
            var path = exchange.Head.Split(' ')[1];
            if (path == "/db/")
            {
                await exchange.BodyAsync("{}");
            }
            else if (!path.Contains("feed=continuous", StringComparison.Ordinal))
            {
                await exchange.BodyAsync(Page(Row("a", "1-a"), "1-a"));
            }
            else
            {
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync(Row(path.Contains("since=2-b") ? "c" : "b", path.Contains("since=2-b") ? "3-c" : "2-b") + "\n");
                await exchange.StallAsync();
            }
        });
        var time = new ManualTimeProvider();
        var sync = new TableSync(Dialect(server, "db/_changes", "CouchDb", o => Patient(o, TimeSpan.FromMinutes(1))), time);

        await FollowUntilAsync(sync, time, TimeSpan.FromSeconds(1), () => sync.Result.Added == 3);

        Assert.Equal(["a", "b", "c"], Keys);
    }

    /// <summary>Follows on a clock that goes by steps, until something has happened.</summary>
    private static async Task FollowUntilAsync(TableSync sync, ManualTimeProvider time, TimeSpan step, Func<bool> isDone)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Eventually.Deadline);
        var following = Task.Run(
            async () =>
            {
                await foreach (var _ in sync.RunAsync(limit.Token))
                {
                    if (isDone())
                        break;
                }
            },
            Cancellation
        );
        await Pace.MoveAsync(time, step, following);
        await following;
    }

    private static SyncOptions Patient(SyncOptions o, TimeSpan silence) =>
        new()
        {
            Feed = new FeedOptions
            {
                Uri = o.Feed.Uri,
                OperationTimeout = silence,
                ConnectionTimeout = Timeout.InfiniteTimeSpan,
            },
            Store = o.Store,
            Foreign = o.Foreign,
            Follow = true,
            RetryInterval = TimeSpan.FromMilliseconds(5),
            PollInterval = TimeSpan.FromMilliseconds(5),
        };

    private static SyncOptions Following(SyncOptions o) =>
        new()
        {
            Feed = o.Feed,
            Store = o.Store,
            Foreign = o.Foreign,
            Follow = true,
            RetryInterval = TimeSpan.FromMilliseconds(5),
            PollInterval = TimeSpan.FromMilliseconds(5),
        };
}
