using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Delta queries as Microsoft Graph answers them.</summary>
public sealed class ODataDeltaTests : DialectTest
{
    private const string Users = "v1.0/users/delta?$select=displayName,mail";

    private static string Page(RawServer server, string items, string? next = null, string? delta = null) =>
        "{\"@odata.context\":\"x\",\"value\":["
        + items
        + "]"
        + (next is null ? "" : $",\"@odata.nextLink\":\"{server.Root}v1.0/users/delta?$skiptoken={next}\"")
        + (delta is null ? "" : $",\"@odata.deltaLink\":\"{server.Root}v1.0/users/delta?$deltatoken={delta}\"")
        + "}";

    [Fact]
    public async Task A_first_load_that_was_cut_off_is_compared_with_its_feed_in_the_dialect_that_the_address_shows()
    {
        RawServer server = null!;
        await using var _ = server = Serve(
            (path, number) =>
                !path.Contains("skiptoken", StringComparison.Ordinal) ? Json(Page(server, """{"id":"a"}""", next: "2"))
                : number == 2 ? Status("403 Forbidden")
                : Json(Page(server, """{"id":"b"}""", delta: "d"))
        );
        await Assert.ThrowsAnyAsync<FeedException>(() => SyncRun.ToEndAsync(Dialect(server, Users, dialect: null)));
        Assert.Equal((1, null), (Info.Rows, Info.LastSync));

        var differences = new List<SyncStep>();
        await foreach (var step in new TableComparison(Dialect(server, Users, dialect: null)).RunAsync(Cancellation))
        {
            if (step is DifferenceFound)
                differences.Add(step);
        }

        Assert.Single(differences);
    }

    [Fact]
    public async Task A_first_round_takes_all_pages_and_later_ones_only_what_changed()
    {
        RawServer server = null!;
        server = Serve(
            (path, _) =>
                path.Contains("$skiptoken=2") ? Json(Page(server, """{"id":"b","displayName":"Bea","mail":null}""", delta: "one"))
                : path.Contains("$deltatoken=one")
                    ? Json(Page(server, """{"id":"a","mail":"a@x"},{"id":"b","@removed":{"reason":"deleted"}}""", delta: "two"))
                : path.Contains("$deltatoken=two") ? Json(Page(server, "", delta: "three"))
                : Json(Page(server, """{"id":"a","displayName":"Ada","mail":null},{"id":"z","@removed":{"reason":"deleted"}}""", next: "2"))
        );
        await using var disposing = server;

        var first = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));
        var third = await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));

        Assert.Equal(("2 0 0", "0 1 1", "0 0 0"), (Counts(first), Counts(second), Counts(third)));
        Assert.Equal("""{"id":"a","displayName":"Ada","mail":"a@x"}""", Table());
        Assert.Equal(
            ["$select=displayName,mail", "$skiptoken=2", "$deltatoken=one", "$deltatoken=two"],
            Paths(server).Select(path => path.Split('?')[1])
        );
    }

    [Fact]
    public async Task All_changes_of_a_page_are_reported_where_its_keys_are_whole_numbers_and_then_fractions()
    {
        RawServer server = null!;
        await using var _ = server = Serve(
            (path, _) =>
                path.Contains("$deltatoken=one")
                    ? Json(Page(server, """{"id":1,"a":2},{"id":7.25},{"id":2,"@removed":{"reason":"deleted"}}""", delta: "two"))
                    : Json(Page(server, """{"id":1,"a":1},{"id":2},{"id":2.5},{"id":3}""", delta: "one"))
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));

        Assert.Equal(["Added 1", "Added 2", "Added 2.5", "Added 3"], first.Changes.Select(change => $"{change.Kind} {change.Key}"));
        Assert.Equal(["Updated 1", "Added 7.25", "Deleted 2"], second.Changes.Select(change => $"{change.Kind} {change.Key}"));
        Assert.Equal("""{"id":1,"a":1}""", Encoding.UTF8.GetString(first.Changes[0].Record.Span));
    }

    [Fact]
    public async Task Empty_pages_that_link_to_themselves_are_no_end_of_a_round_without_its_cursor()
    {
        RawServer server = null!;
        server = Serve(
            (path, _) => path.Contains("token") ? Json(Page(server, "", next: "loop")) : Json(Page(server, """{"id":"a"}""", delta: "one"))
        );
        await using var disposing = server;
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, dialect: null));

        Assert.Contains("already read", error.Message);
    }

    [Fact]
    [Trait("Invariant", "I2")]
    public async Task A_first_load_that_is_refused_between_its_pages_keeps_nothing_that_the_next_one_lacks()
    {
        SeesChanges = false;
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                path.Contains("$skiptoken") ? Status("410 Gone")
                : number == 1 ? Json(Page(server, """{"id":"a"},{"id":"gone"}""", next: "2"))
                : Json(Page(server, """{"id":"a"},{"id":"b"}""", delta: "one"))
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal("{\"id\":\"a\"}\n{\"id\":\"b\"}", Table());
    }

    [Fact]
    [Trait("Invariant", "I1")]
    public async Task Pages_that_came_before_a_cut_are_committed_with_their_link_and_nothing_of_the_page_that_was_cut()
    {
        SeesChanges = false;
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                path.Contains("$select") ? Json(Page(server, """{"id":"a"}""", next: "2"))
                : path.Contains("$skiptoken=2") ? Json(Page(server, """{"id":"b"}""", next: "3"))
                : number == 3 ? Json("{\"value\":[{\"id\":\"c\"},{\"id\":") with { IsCut = true }
                : Json(Page(server, """{"id":"d"}""", delta: "one"))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, Users, "ODataDelta"));
        Assert.Equal(("{\"id\":\"a\"}\n{\"id\":\"b\"}", true), (Table(), Info.Cursor.IsStart));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal("{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"d\"}", Table());
        Assert.Equal(2, Paths(server).Count(path => path.Contains("$skiptoken=3")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Invariant", "I1")]
    public async Task A_first_load_in_a_recognised_dialect_is_resumed_in_it_whatever_came_in_between(bool seesChanges)
    {
        SeesChanges = seesChanges;
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                number == 2 ? Status("401 Unauthorized")
                : number == 3 ? Status("200 OK", "Content-Type: text/html\r\n", "<html>sign in</html>")
                : path.Contains("$skiptoken=2") ? Json(Page(server, """{"id":"c"}""", delta: "one"))
                : path.Contains("$deltatoken=one")
                    ? Json(Page(server, """{"id":"a","v":2},{"id":"b","@removed":{"reason":"deleted"}}""", delta: "two"))
                : Json(Page(server, """{"id":"a","v":1},{"id":"b","v":1}""", next: "2"))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, Users, dialect: null));
        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, dialect: null));
        await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));

        Assert.Equal("{\"id\":\"a\",\"v\":2}\n{\"id\":\"c\"}", Table());
        Assert.Equal(
            ["$select=displayName,mail", "$skiptoken=2", "$skiptoken=2", "$skiptoken=2", "$deltatoken=one"],
            Paths(server).Select(path => path.Split('?')[1])
        );
    }

    [Fact]
    public async Task A_page_to_sign_in_at_says_nothing_against_the_dialect_that_the_address_looks_like()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                number == 1 ? Status("200 OK", "Content-Type: text/html\r\n", "<html>sign in</html>")
                : path.Contains("token") ? Json(Page(server, "", delta: "one"))
                : Json(Page(server, """{"id":"a"}""", delta: "one"))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, dialect: null));
        await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));

        Assert.Equal("{\"id\":\"a\"}", Table());
        Assert.All(Paths(server), path => Assert.DoesNotContain("since=", path));
    }

    [Fact]
    public async Task What_came_is_in_the_table_while_the_next_page_takes_its_time()
    {
        SeesChanges = false;
        using var release = new SemaphoreSlim(0);
        RawServer server = null!;
        server = new RawServer(async exchange =>
        {
            var isFirst = exchange.Head.Contains("$select", StringComparison.Ordinal);
            if (!isFirst)
                await release.WaitAsync(Cancellation);
            var body = isFirst ? Page(server, """{"id":"a"}""", next: "2") : Page(server, """{"id":"b"}""", delta: "one");
            await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        });
        await using var disposing = server;

        var sync = SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await Eventually.TrueAsync(HasRow);
        release.Release();
        await sync;

        Assert.Equal("{\"id\":\"a\"}\n{\"id\":\"b\"}", Table());

        bool HasRow()
        {
            try
            {
                return Info.Rows == 1;
            }
            catch (TableNotFoundException)
            {
                // It has not been created yet.
                return false;
            }
        }
    }

    [Fact]
    public async Task A_round_that_is_cut_off_between_pages_goes_on_where_it_was_and_then_asks_for_what_came_since()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                path.Contains("$select") ? Json(Page(server, """{"id":"a"}""", next: "2"))
                : path.Contains("$deltatoken") ? Json(Page(server, """{"id":"c"}""", delta: "two"))
                : number == 2 ? Json("{\"value\":[{\"id\":\"b\"},{\"id\":") with { IsCut = true }
                : Json(Page(server, """{"id":"b"}""", delta: "one"))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, Users, "ODataDelta"));
        Assert.Equal(("""{"id":"a"}""", true), (Table(), Info.Cursor.IsStart));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("2 0 0", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}"), (Counts(second), Table()));
        Assert.Equal(
            ["$select=displayName,mail", "$skiptoken=2", "$skiptoken=2", "$deltatoken=one"],
            Paths(server).Select(path => path.Split('?')[1])
        );
    }

    [Theory]
    [InlineData("410 Gone", "Location: /v1.0/users/delta?$deltatoken=\r\n", "")]
    [InlineData("410 Gone", "", "")]
    [InlineData("400 Bad Request", "", """{"error":{"code":"SyncStateNotFound"}}""")]
    [InlineData("404 Not Found", "", """{"error":{"code":"syncStateNotFound"}}""")]
    public async Task An_expired_token_fetches_the_whole_set_and_removes_what_it_lacks(string status, string headers, string body)
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                number == 1 ? Json(Page(server, """{"id":"a","n":1},{"id":"b","n":1}""", delta: "one"))
                : number == 2 ? Status(status, headers, body)
                : Json(Page(server, """{"id":"a","n":1},{"id":"c","n":1},{"id":"q","@removed":{"reason":"changed"}}""", delta: "two"))
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal("1 0 1", Counts(second));
        Assert.Equal("{\"id\":\"a\",\"n\":1}\n{\"id\":\"c\",\"n\":1}", Table());
        Assert.Contains(second.Events, e => e.Kind == FeedEventKind.Resync);
        Assert.EndsWith(headers.Length > 0 ? "?$deltatoken=" : "?$select=displayName,mail", Paths(server).Last());
    }

    [Fact]
    public async Task A_location_of_another_host_is_refused()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1
                    ? Json(Page(server, """{"id":"a"}""", delta: "one"))
                    : Status("410 Gone", "Location: https://elsewhere.example/users/delta\r\n")
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, "ODataDelta"));

        Assert.Contains("elsewhere.example", error.Message);
        Assert.Equal("""{"id":"a"}""", Table());
    }

    [Fact]
    public async Task A_page_link_that_is_refused_later_starts_over_and_sweeps()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                number == 1 ? Json(Page(server, """{"id":"a"},{"id":"gone"}""", next: "2"))
                : number == 2 ? Status("500 Oops")
                : number == 3 ? Status("400 Bad Request", body: """{"error":{"code":"Directory_ExpiredPageToken"}}""")
                : Json(Page(server, """{"id":"a"},{"id":"b"}""", delta: "one"))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("1 0 1", "{\"id\":\"a\"}\n{\"id\":\"b\"}"), (Counts(second), Table()));
    }

    [Theory]
    [InlineData("404 Not Found")]
    [InlineData("400 Bad Request")]
    [InlineData("410 Gone")]
    public async Task A_page_link_of_a_later_round_that_is_refused_in_any_words_goes_on_from_the_delta_link(string refusal)
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                path.Contains("$skiptoken") ? Status(number == 3 ? "500 Oops" : refusal)
                : number == 1 ? Json(Page(server, """{"id":"a"}""", delta: "one"))
                : number == 2 ? Json(Page(server, """{"id":"b"}""", next: "2"))
                : Json(Page(server, """{"id":"b"},{"id":"c"}""", delta: "two"))
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, Users, "ODataDelta"));
        var third = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("1 0 0", 3), (Counts(third), Info.Rows));
        Assert.EndsWith("$deltatoken=one", Paths(server).Last());
    }

    [Fact]
    public async Task A_page_of_nothing_but_deletions_is_as_good_as_any()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                Json(
                    Page(
                        server,
                        string.Join(
                            ',',
                            Enumerable
                                .Range(1, 1000)
                                .Select(i =>
                                    number == 1 ? $$"""{"id":"{{i}}"}""" : $$$"""{"id":"{{{i}}}","@removed":{"reason":"deleted"}}"""
                                )
                        ),
                        delta: "one"
                    )
                )
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var third = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("0 0 1000", "0 0 0", 0), (Counts(second), Counts(third), Info.Rows));
    }

    [Fact]
    public async Task What_is_said_to_be_gone_twice_is_reported_once()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                Json(
                    Page(
                        server,
                        number == 1 ? """{"id":"a"},{"id":"b"}""" : $$$"""{"id":"a","@removed":{"reason":"r{{{number}}}"}}""",
                        delta: "one"
                    )
                )
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var third = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("0 0 1", "0 0 0"), (Counts(second), Counts(third)));
        Assert.Empty(third.Changes);
    }

    [Fact]
    public async Task Two_tables_of_one_resource_know_nothing_of_each_other_and_a_byte_order_mark_is_no_error()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) => Json("\uFEFF" + Page(server, $$"""{"id":"{{(path.Contains("token") ? "b" : "a")}}"}""", delta: $"{number}"))
        );
        await using var disposing = server;
        SyncOptions Other(SyncOptions o) =>
            new()
            {
                Feed = o.Feed,
                Foreign = o.Foreign,
                Store = new FileTableStore(Folder("other.db")),
            };

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta", Other));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta", Other));

        Assert.Equal(["a", "b"], Keys);
        Assert.Equal(["deltatoken=1", "deltatoken=2"], Paths(server).Skip(2).Select(path => path.Split('$')[1]));
    }

    [Fact]
    public async Task What_was_removed_and_comes_back_in_a_later_page_is_there_without_its_old_fields()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                number == 1 ? Json(Page(server, """{"id":"a","x":1,"y":2}""", delta: "one"))
                : path.Contains("$skiptoken") ? Json(Page(server, """{"id":"a","y":3}""", delta: "two"))
                : Json(Page(server, """{"id":"a","@removed":{"reason":"changed"}}""", next: "2"))
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal("""{"id":"a","y":3}""", Table());
    }

    [Fact]
    public async Task Patches_of_one_record_in_one_page_are_laid_over_each_other_and_null_is_a_value()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1
                    ? Json(Page(server, """{"id":"a","x":1.50,"y":2,"z":"\u00e4"}""", delta: "one"))
                    : Json(Page(server, """{"id":"a","x":3},{"id":"a","y":null},{"id":"a","w":[1, 2]}""", delta: "two"))
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal("""{"id":"a","x":3,"y":null,"z":"\u00e4","w":[1, 2]}""", Table());
        Assert.Equal(
            """{"id":"a","x":3,"y":null,"z":"\u00e4","w":[1, 2]}""",
            System.Text.Encoding.UTF8.GetString(second.Changes[^1].Record.Span)
        );
    }

    [Fact]
    public async Task Empty_pages_that_link_on_are_no_end_and_what_comes_again_is_no_change()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                path.Contains("=2") ? Json(Page(server, "", next: "3"))
                : path.Contains("=3") ? Json(Page(server, """{"id":"a","v":1}""", delta: "one"))
                : path.Contains("=one") ? Json(Page(server, """{"v":1,"id":"a"}""", delta: "one"))
                : Json(Page(server, "", next: "2"))
        );
        await using var disposing = server;

        var first = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("1 0 0", "0 0 0"), (Counts(first), Counts(second)));
    }

    [Theory]
    [InlineData("""{"error":{"code":"x"}}""")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("<html>Sign in</html>")]
    [InlineData("")]
    public async Task An_answer_without_its_list_is_an_error_and_never_an_empty_set(string body)
    {
        RawServer server = null!;
        server = Serve((_, number) => number == 1 ? Json(Page(server, """{"id":"a"}""", delta: "one")) : Json(body));
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, "ODataDelta", o => o));
        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users + "&x=1", "ODataDelta"));

        Assert.Equal("""{"id":"a"}""", Table());
    }

    [Fact]
    public async Task Throttling_is_waited_for_as_long_as_the_server_asks()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1 ? Status("429 Too Many Requests", "Retry-After: 0\r\n") : Json(Page(server, """{"id":"a"}""", delta: "one"))
        );
        await using var disposing = server;

        var run = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("1 0 0", 2), (Counts(run), server.Requests.Count));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.ClientError);
    }

    [Fact]
    public async Task What_a_service_cannot_track_is_an_error_and_no_reason_to_ask_again()
    {
        await using var server = Serve(
            (_, _) =>
                Status(
                    "501 Not Implemented",
                    "Content-Type: application/json\r\n",
                    """{"error":{"code":"NotImplemented","message":"Change tracking is not supported against 'signInActivity'."}}"""
                )
        );

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(
            Dialect(
                server,
                Users,
                "ODataDelta",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Follow = true,
                    RetryInterval = TimeSpan.FromMilliseconds(1),
                }
            )
        );

        Assert.Contains("signInActivity", error.Message, StringComparison.Ordinal);
        Assert.Contains("does not track", error.Remedy!.ToString(), StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task The_link_of_a_round_in_which_nothing_changed_is_the_next_one()
    {
        RawServer server = null!;
        server = Serve((_, number) => Json(Page(server, number == 1 ? """{"id":"a"}""" : "", delta: $"t{number}")));
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Contains("t2", Paths(server).Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_options_start_over_without_an_error()
    {
        RawServer server = null!;
        server = Serve(
            (path, _) => Json(Page(server, path.Contains("mail") ? """{"id":"a","mail":"m"}""" : """{"id":"a"}""", delta: "one"))
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, "v1.0/users/delta?$select=id", "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "v1.0/users/delta?$select=id,mail", "ODataDelta"));

        Assert.Equal(("0 1 0", """{"id":"a","mail":"m"}"""), (Counts(second), Table()));
        Assert.Contains(second.Events, e => e.Kind == FeedEventKind.Resync && e.Message.Contains("options"));
    }

    [Fact]
    public async Task A_delta_link_that_still_says_latest_does_not_stay_empty_for_ever()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                Json($$"""{"value":[],"@odata.deltaLink":"{{server.Root}}v1.0/users/delta?token=latest&$deltatoken=t{{number}}"}""")
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users + "&token=latest", "ODataDelta"));
        await SyncRun.ToEndAsync(Dialect(server, Users + "&token=latest", "ODataDelta"));

        Assert.EndsWith("delta?$deltatoken=t1", Paths(server).Last());
    }

    [Fact]
    public async Task Slices_of_relations_are_left_out_and_said_so()
    {
        RawServer server = null!;
        server = Serve((_, _) => Json(Page(server, """{"id":"g","members@delta":[{"id":"u"}]}""", delta: "one")));
        await using var disposing = server;

        var run = await SyncRun.ToEndAsync(Dialect(server, "v1.0/groups/delta", "ODataDelta"));

        Assert.Equal("""{"id":"g"}""", Table());
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("members@delta"));
    }

    [Fact]
    public async Task Links_are_kept_and_never_shown()
    {
        RawServer server = null!;
        server = Serve((_, _) => Json(Page(server, """{"id":"a"}""", delta: "geheim")));
        await using var disposing = server;
        ListLogger log = new();
        ConcurrentQueue<string?> tags = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TableSync.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                foreach (var tag in activity.Tags)
                    tags.Enqueue(tag.Value);
            },
        };
        ActivitySource.AddActivityListener(listener);

        var options = Dialect(server, Users, "ODataDelta");
        options = new SyncOptions
        {
            Feed = options.Feed,
            Store = options.Store,
            Foreign = options.Foreign,
            Logger = log,
        };
        var run = await SyncRun.ToEndAsync(options);
        await SyncRun.ToEndAsync(options);

        Assert.Contains("geheim", Paths(server).Last());
        Assert.DoesNotContain("geheim", run.Result.Cursor.ToString() + Info.Cursor + string.Concat(run.Events.Select(e => e.Message)));
        Assert.Contains(log.Entries, entry => entry.Message.Contains("begins to sync", StringComparison.Ordinal));
        Assert.DoesNotContain("geheim", string.Concat(log.Entries.Select(entry => entry.Message)) + string.Concat(tags));
    }

    [Fact]
    public async Task A_link_that_the_server_repeats_in_its_error_is_not_shown()
    {
        RawServer server = null!;
        server = Serve(
            (path, number) =>
                number == 1
                    ? Json(Page(server, """{"id":"a"}""", delta: "SEKRET-DT"))
                    : Status("400 No SEKRET-DT", body: """{"error":{"message":"Unknown token SEKRET-DT; 'displayName' is known."}}""")
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, Users, "ODataDelta"));

        Assert.EndsWith(" answered 400 No ***: Unknown token ***; 'displayName' is known.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Deleted_entities_of_OData_4_and_facets_of_drives_are_deletions()
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1
                    ? Json(Page(server, """{"id":"a"},{"id":"b"},{"id":"c"}""", delta: "one"))
                    : Json(
                        Page(
                            server,
                            """{"@odata.context":"x/$metadata#accounts/$deletedEntity","id":"a","reason":"deleted"}"""
                                + """,{"id":"b","deleted":{}}""",
                            delta: "two"
                        )
                    )
        );
        await using var disposing = server;

        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(("0 0 2", """{"id":"c"}"""), (Counts(second), Table()));
    }

    [Theory]
    [InlineData("accountid", "\"a\"", "\"a\"")] // Dataverse
    [InlineData("accountid", "\"a\"", "\"accounts('a')\"")]
    [InlineData("accountid", "7", "\"https://x.example/api/accounts(7)\"")]
    [InlineData("id", "7", "\"accounts(7)\"")]
    [InlineData("id", "\"7\"", "\"accounts('7')\"")]
    [InlineData("id", "\"o'n/e (1)\"", "\"https://x.example/a(1)/accounts('o''n%2Fe (1)')\"")]
    public async Task A_deleted_entity_is_found_by_its_address_and_by_id_alone(string key, string value, string id)
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 1
                    ? Json(Page(server, $$"""{"{{key}}":{{value}},"v":1}""", delta: "one"))
                    : Json(
                        Page(
                            server,
                            $$"""{"@odata.context":"x/$metadata#accounts/$deletedEntity","id":{{id}},"reason":"deleted"}"""
                                + $$""",{"@odata.context":"x/$metadata#accounts/$link","source":"a","relationship":"b","target":"c"}""",
                            delta: "two"
                        )
                    )
        );
        await using var disposing = server;
        var dialect = $$"""{"From":"ODataDelta","Key":"{{key}}"}""";

        await SyncRun.ToEndAsync(Dialect(server, Users, dialect));
        var second = await SyncRun.ToEndAsync(Dialect(server, Users, dialect));

        Assert.Equal(("0 0 1", ""), (Counts(second), Table()));
    }

    [Fact]
    public async Task The_URI_tells_the_dialect_and_the_table_is_named_after_what_is_asked_for()
    {
        RawServer server = null!;
        server = Serve((_, _) => Json(Page(server, """{"id":"a"}""", delta: "one")));
        await using var disposing = server;

        var run = await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));

        Assert.Equal(("users", "1 0 0"), (run.Result.Table, Counts(run)));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Dialect && e.Message.Contains("ODataDelta"));
        Assert.DoesNotContain(Paths(server), path => path.Contains("since="));
    }
}
