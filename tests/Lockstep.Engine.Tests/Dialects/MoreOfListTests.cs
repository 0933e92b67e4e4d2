using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A list that may be incomplete is not called complete, and sweeps nothing (D2).</summary>
public sealed class MoreOfListTests : DialectTest
{
    private const string Two = """[{"id":1},{"id":2}]""";

    [Theory]
    // A count of all.
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"total":5}""", "", "'total' announces 5")]
    [InlineData("items", """{"count":5,"results":[{"id":1},{"id":2}]}""", "", "'count'")]
    [InlineData(
        "items",
        """{"data":[{"id":1},{"id":2}],"meta":{"pagination":{"total_count":"3"}}}""",
        "",
        "'/meta/pagination/total_count'"
    )]
    [InlineData("items", """{"totalResults":3,"Resources":[{"id":1},{"id":2}]}""", "", "'totalResults'")]
    [InlineData("items", """{"@odata.count":3,"value":[{"id":1},{"id":2}]}""", "", "'@odata.count'")]
    [InlineData("items", Two, "X-Total-Count: 3\r\n", "'header:X-Total-Count'")]
    [InlineData("items", Two, "Content-Range: items 0-1/7\r\n", "'header:Content-Range'")]
    // A count of pages.
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"page":1,"total_pages":4}""", "", "4 pages")]
    [InlineData("items", Two, "X-Total-Pages: 2\r\n", "2 pages")]
    [InlineData("items", Two, "Link: </items?page=1>; rel=\"first\", </items?page=3>; rel=\"last\"\r\n", "'link:last'")]
    // A flag.
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"has_more":true}""", "", "'has_more'")]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"paging":{"hasNextPage":true}}""", "", "'/paging/hasNextPage'")]
    [InlineData("items", """{"content":null,"items":[{"id":1},{"id":2}],"last":false}""", "", "'last'")]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"isTruncated":true}""", "", "'isTruncated'")]
    // A token.
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"nextPageToken":"abc"}""", "", "\"Next\": { \"pageToken\": \"nextPageToken\" }")]
    [InlineData(
        "items",
        """{"data":[{"id":1},{"id":2}],"meta":{"next_cursor":"xyz"}}""",
        "",
        "\"Next\": { \"cursor\": \"/meta/next_cursor\" }"
    )]
    [InlineData("items", """{"records":[{"id":1},{"id":2}],"offset":"itr1/rec2"}""", "", "\"Next\": { \"offset\": \"offset\" }")]
    [InlineData("items", """{"results":[{"id":1},{"id":2}],"paging":{"next":{"after":"2"}}}""", "", "\"after\": \"/paging/next/after\"")]
    [InlineData("items", Two, "x-ms-continuation: t\r\n", "continuationToken")]
    // As many as requested.
    [InlineData("items?limit=2", Two, "", "'limit'")]
    [InlineData("items?per_page=2", Two, "", "'per_page'")]
    [InlineData("items?%24top=2", Two, "", "'$top'")]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"limit":2,"offset":0}""", "", "2 records")]
    // What the answer is counted by.
    [InlineData("items", """{"results":[{"id":1},{"id":2}],"count":5,"offset":0,"limit":2}""", "", "\"Next\": { \"offset\": \"offset:\" }")]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"startAt":0,"total":5}""", "", "\"Next\": { \"startAt\": \"offset:\" }")]
    // It does not start with the first one.
    [InlineData("items?page=3", Two, "", "'page=3'")]
    [InlineData("items?offset=40&limit=20", Two, "", "'offset=40'")]
    public async Task What_a_list_may_have_more_of_is_said_and_nothing_is_removed(string path, string body, string headers, string part)
    {
        await using var server = Serve(
            (_, number) => Json(number == 1 ? """[{"id":1},{"id":2},{"id":3}]""" : body, number == 1 ? "" : headers)
        );
        await SyncRun.ToEndAsync(Dialect(server, path, """{ "From": "Rest", "Whole": true }"""));

        var run = await SyncRun.ToEndAsync(Dialect(server, path, "Rest"));

        Assert.Equal((3, false, SyncOutcome.Incomplete), (Info.Rows, run.Result.IsComplete, run.Result.Outcome));
        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Contains(part, warning.Message + warning.Remedy, StringComparison.Ordinal);
        Assert.Contains("\"Whole\": true", warning.Remedy!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_load_that_lacks_what_the_list_announces_has_not_ended()
    {
        var announced = 5;
        await using var server = Serve(
            (_, _) => Json($$"""{"items":[{"id":1},{"id":2}],"has_more":{{(announced > 2 ? "true" : "false")}}}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal((2, null, true), (Info.Rows, Info.LastSync, Info.IsLoadUnfinished));

        announced = 2;
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.False(Info.IsLoadUnfinished);
    }

    [Theory]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"total":5}""", true, true)]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"total":5,"offset":0}""", false, true)]
    [InlineData("items?skip=2", """{"items":[{"id":1},{"id":2}],"total":5}""", false, true)]
    [InlineData("items?page=2", """{"items":[{"id":1},{"id":2}],"total":5}""", true, false)]
    public async Task Pages_and_offsets_are_both_named_where_nothing_shows_which_the_server_counts(
        string path,
        string body,
        bool pages,
        bool offsets
    )
    {
        await using var server = Serve((_, number) => number == 1 ? Json(body) : Status("404 Not Found"));

        var run = await SyncRun.ToEndAsync(Dialect(server, path, "Rest"));

        var remedy = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Remedy!.ToString();
        Assert.Equal(
            (pages, offsets),
            (remedy.Contains("\"page:\"", StringComparison.Ordinal), remedy.Contains("\"offset:\"", StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task The_last_page_of_a_whole_list_is_told_as_up_to_date_and_no_other()
    {
        await using var server = Serve(
            (path, _) => path.Contains("page=2") ? Json(Two) : Json("""[{"id":3}]""", "Link: </items?page=2>; rel=\"next\"\r\n")
        );
        var steps = new List<DialectStep>();

        await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Root, "items") },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Load("Rest"),
                DialectObserver = steps.Add,
            }
        );

        Assert.Equal([false, true], steps.Select(step => step.IsUpToDate));
    }

    [Theory]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"total":2}""", "")]
    [InlineData("items?limit=2", """{"items":[{"id":1},{"id":2}],"total":2}""", "")]
    [InlineData("items?limit=2", """{"items":[{"id":1},{"id":2}],"next":null}""", "")]
    [InlineData("items?limit=2", """{"items":[{"id":1},{"id":2}],"has_more":false}""", "")]
    [InlineData("items?limit=3", Two, "")]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"limit":50,"count":2,"totalPages":1,"last":true}""", "")]
    [InlineData("items?per_page=2", Two, "Link: </items?page=1>; rel=\"first\", </items?page=1>; rel=\"last\"\r\n")]
    [InlineData("items?per_page=2", Two, "X-Next-Page: \r\n")]
    [InlineData("items", """{"items":[{"id":1},{"id":2}],"stats":{"total":99,"has_more":true}}""", "")]
    [InlineData("items", Two, "Content-Range: items 0-1/2\r\n")]
    public async Task A_list_that_says_that_it_is_all_or_says_nothing_is_whole(string path, string body, string headers)
    {
        await using var server = Serve(
            (_, number) => Json(number == 1 ? """[{"id":1},{"id":2},{"id":3}]""" : body, number == 1 ? "" : headers)
        );
        await SyncRun.ToEndAsync(Dialect(server, path, """{ "From": "Rest", "Whole": true }"""));

        var run = await SyncRun.ToEndAsync(Dialect(server, path, "Rest"));

        Assert.Equal((2, true), (Info.Rows, run.Result.IsComplete));
        Assert.DoesNotContain(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Theory]
    [InlineData("items?page=1&per_page=2", "")]
    [InlineData("items?page=0&per_page=2", "")]
    [InlineData("items?offset=0&limit=2", "")]
    [InlineData("items?page=1", "total")]
    [InlineData("items", "link")]
    [InlineData("items", "object")]
    public async Task Pages_that_the_uri_counts_or_that_are_linked_in_an_odd_place_are_followed(string path, string sign)
    {
        await using var server = Serve(
            (asked, number) =>
            {
                var page =
                    number == 1 ? Two
                    : number == 2 ? """[{"id":3},{"id":4}]"""
                    : """[{"id":5}]""";
                var next = number < 3 ? $"\"/items?after={number}\"" : "null";
                return Json(
                    sign switch
                    {
                        "total" => $$"""{"items":{{page}},"total":5}""",
                        "link" => "{\"items\":" + page + ",\"paging\":{\"next\":" + next + "}}",
                        "object" => "{\"items\":" + page + ",\"_links\":{\"next\":" + (number < 3 ? $"{{\"url\":{next}}}" : "null") + "}}",
                        _ => page,
                    }
                );
            }
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, path, "Rest"));

        Assert.Equal(("5 0 0", true, 3), (Counts(run), run.Result.IsComplete, server.Requests.Count));
        Assert.Single(run.Events, e => e.Kind == FeedEventKind.Dialect);
    }

    [Theory]
    [InlineData("items?page=1", 5)]
    [InlineData("items?page=0", 5)]
    [InlineData("items?p=1", 5)]
    [InlineData("items?pageNumber=1", 5)]
    [InlineData("items?offset=0", 5)]
    [InlineData("items?skip=0", 5)]
    [InlineData("items?start=0", 5)]
    [InlineData("items?page=1&per_page=100", 5)]
    [InlineData("items?page=1&per_page=2", 5)]
    [InlineData("items?page=1&per_page=2", 4)]
    [InlineData("items?page=1", 4)]
    [InlineData("items?page=1", 5, "count")]
    [Trait("Invariant", "D2")]
    public async Task Pages_that_the_uri_counts_are_asked_for_until_one_is_empty(string path, int all, string? count = null)
    {
        var gone = 0;
        await using var server = Serve(
            (asked, _) =>
            {
                var given = asked.Split('?')[1].Split('&').Select(pair => pair.Split('=')).First(pair => pair[0] != "per_page");
                var number = int.Parse(given[1], null);
                var skip = given[0] is "offset" or "skip" or "start" ? number : 2 * (number - (path.Contains("page=0") ? 0 : 1));
                var page = Enumerable.Range(1, all).Where(id => id != gone).Skip(skip).Take(2).Select(id => $$"""{"id":{{id}}}""").ToList();
                var items = "[" + string.Join(',', page) + "]";
                return Json(count is null ? items : $$"""{"{{count}}":{{page.Count}},"results":{{items}}}""");
            }
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, path, "Rest"));
        gone = 1;
        var second = await SyncRun.ToEndAsync(Dialect(server, path, "Rest"));

        Assert.Equal(($"{all} 0 0", true), (Counts(first), first.Result.IsComplete));
        Assert.Equal((all - 1, true, 1L), (Info.Rows, second.Result.IsComplete, second.Result.Swept));
    }

    [Theory]
    // How the answer counts, what the dialect says, and what a page is called in a request.
    [InlineData("""{ "From": "Rest", "Next": { "offset": "offset:" } }""", "results,count,offset,limit", "offset")]
    [InlineData("""{ "From": "Rest", "Next": { "skip": "offset:" } }""", "items,total,skip,take", "skip")]
    [InlineData(
        """{ "From": "Rest", "Next": { "startAt": "offset:" }, "Items": "issues" }""",
        "issues,total,startAt,maxResults",
        "startAt"
    )]
    // An answer that says how many records the page has, and none of all.
    [InlineData("""{ "From": "Rest", "Next": { "offset": "offset:" } }""", "results,count,offset,limit", "offset", true)]
    [Trait("Invariant", "D2")]
    public async Task An_api_that_counts_in_its_answers_is_read_to_its_end_by_an_offset(
        string dialect,
        string names,
        string parameter,
        bool countsPage = false
    )
    {
        var gone = 0;
        var name = names.Split(',');
        await using var server = Serve(
            (path, _) =>
            {
                var at = path.IndexOf(parameter + "=", StringComparison.Ordinal) is > 0 and var found
                    ? int.Parse(path[(found + parameter.Length + 1)..].Split('&')[0], null)
                    : 0;
                var all = Enumerable.Range(1, 7).Where(id => id != gone).ToList();
                var page = all.Skip(at).Take(3).Select(id => $$"""{"id":{{id}}}""").ToList();
                var signs = $"\"{name[1]}\":{(countsPage ? page.Count : all.Count)},\"{name[2]}\":{at},\"{name[3]}\":3";
                return Json($"{{{signs},\"{name[0]}\":[{string.Join(',', page)}]}}");
            }
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "items", dialect));
        gone = 2;
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        Assert.Equal(("7 0 0", true), (Counts(first), first.Result.IsComplete));
        Assert.Equal(("0 0 1", true, 6), (Counts(second), second.Result.IsComplete, (int)Info.Rows));
        Assert.DoesNotContain(first.Events.Concat(second.Events), e => e.Kind == FeedEventKind.Warning);
    }

    [Theory]
    [InlineData("400 Bad Request")]
    [InlineData("404 Not Found")]
    [InlineData("422 Unprocessable Content")]
    [Trait("Invariant", "D2")]
    public async Task A_page_that_was_guessed_and_is_refused_leaves_the_list_incomplete(string status)
    {
        await using var server = Serve(
            (asked, number) =>
                !asked.Contains("page=1", StringComparison.Ordinal)
                    ? Status(status)
                    : Json(number == 1 ? """[{"id":1},{"id":2},{"id":3}]""" : Two)
        );

        await SyncRun.ToEndAsync(Dialect(server, "items?page=1", "Rest"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items?page=1", "Rest"));

        Assert.Equal((3, SyncOutcome.Incomplete), (Info.Rows, second.Result.Outcome));
        Assert.Contains("'page=1'", Assert.Single(second.Events, e => e.Kind == FeedEventKind.Warning).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_paged_list_is_read_twice_only_where_something_is_missing_and_counted_once()
    {
        await using var server = Serve(
            (path, number) =>
                path.Contains("page=2", StringComparison.Ordinal)
                    ? Json(number <= 4 ? """{"items":[{"id":3}]}""" : """{"items":[{"id":4}]}""")
                    : Json("""{"items":[{"id":1},{"id":2}],"next":"/items?page=2"}""")
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal((4, 3L, 3L), (server.Requests.Count, first.Result.Received, second.Result.Received));

        var third = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal((8, 3L, "1 0 1", 2L), (server.Requests.Count, third.Result.Received, Counts(third), third.Result.Unchanged));
        Assert.Contains(third.Events, e => e.Message.Contains("1 record is in none of the pages", StringComparison.Ordinal));
    }

    /// <summary>A list in pages of three, of which the last record of a page may come again as the first of the next.</summary>
    private static RawServer ServeMixed(Func<int, IReadOnlyList<int>> list, Func<int, int> announced) =>
        Serve(
            (path, number) =>
            {
                var page = path.Contains("page=2", StringComparison.Ordinal) ? 1 : 0;
                var items = string.Join(',', list(number).Skip(page * 3).Take(3).Select(id => $$"""{"id":{{id}}}"""));
                var next = page == 0 ? ",\"next\":\"/items?page=2\"" : "";
                return Json($$"""{"total":{{announced(number)}},"items":[{{items}}]{{next}}}""");
            }
        );

    [Theory]
    [InlineData("Rest", true)]
    [InlineData("Rest", false)]
    [InlineData(
        """{ "From": "Rest", "Cursor": "max:id", "CursorType": "Number", "Changes": { "Query": { "after": "{cursor}" } } }""",
        true
    )]
    [Trait("Invariant", "D9")]
    public async Task A_list_that_announces_more_records_than_its_pages_hold_is_read_again_and_not_called_complete(
        string dialect,
        bool staysMixed
    )
    {
        // Six records, of which 4 came twice and 6 not at all.
        await using var server = ServeMixed(number => staysMixed || number <= 2 ? [1, 2, 3, 3, 4, 5] : [1, 2, 3, 4, 5, 6], _ => 6);

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        Assert.Equal(4, server.Requests.Count);
        if (!staysMixed)
        {
            Assert.Equal((6, SyncOutcome.Complete), (Info.Rows, run.Result.Outcome));
            return;
        }

        Assert.Equal((5, SyncOutcome.Incomplete, "0"), (Info.Rows, run.Result.Outcome, Info.Cursor.ToString()));
        var warning = Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning);
        Assert.Contains("'total' announces 6 records, and 5 different ones came", warning.Message, StringComparison.Ordinal);
        Assert.Contains("\"Whole\": true", warning.Remedy!.ToString(), StringComparison.Ordinal);
        // Its pages came: nobody waits forever for a count that may always be wrong.
        Assert.NotNull(Info.LastSync);
        Assert.False(Info.IsLoadUnfinished);
    }

    [Fact]
    [Trait("Invariant", "D9")]
    public async Task A_count_that_the_pages_do_not_bear_out_removes_nothing_unless_the_user_says_that_it_is_wrong()
    {
        var list = new List<int> { 1, 2, 3, 4, 5 };
        await using var server = ServeMixed(_ => list, _ => list.Count);
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        list[4] = 4;

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal((5, SyncOutcome.Incomplete, 0L), (Info.Rows, run.Result.Outcome, run.Result.Swept));

        var told = await SyncRun.ToEndAsync(Dialect(server, "items", """{ "From": "Rest", "Whole": true }"""));
        Assert.Equal((4, SyncOutcome.Complete, 1L), (Info.Rows, told.Result.Outcome, told.Result.Swept));
    }

    [Fact]
    public async Task Items_that_are_no_records_count_for_what_a_list_announces()
    {
        await using var server = Serve(
            (path, _) =>
                path.Contains("page=2", StringComparison.Ordinal)
                    ? Json("""{"total":4,"items":[{"id":3},{"id":4,"gone":true}]}""")
                    : Json("""{"total":4,"items":[{"id":1},{"id":2}],"next":"/items?page=2"}""")
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", """{ "From": "Rest", "Deleted": "gone" }"""));

        Assert.Equal((3, SyncOutcome.Complete, 2), (Info.Rows, run.Result.Outcome, server.Requests.Count));
    }

    [Fact]
    [Trait("Invariant", "D13")]
    public async Task A_record_that_comes_as_it_is_and_then_deleted_is_gone_although_it_came()
    {
        var isGone = false;
        await using var server = Serve(
            (path, _) =>
                path.Contains("page=2", StringComparison.Ordinal)
                    ? Json(isGone ? """{"items":[{"id":3},{"id":1,"gone":true}]}""" : """{"items":[{"id":3}]}""")
                    : Json("""{"items":[{"id":1},{"id":2}],"next":"/items?page=2"}""")
        );
        const string WithDeleted = """{ "From": "Rest", "Deleted": "gone" }""";
        await SyncRun.ToEndAsync(Dialect(server, "items", WithDeleted));
        isGone = true;

        // With an observer each page is staged by itself.
        var run = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Root, "items") },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Parse(WithDeleted, "test"),
                DialectObserver = _ => { },
            }
        );

        Assert.Equal((2, 1L), (Info.Rows, run.Result.Deleted));
    }

    [Fact]
    public async Task What_a_list_lacks_that_may_go_on_is_no_difference_of_the_table()
    {
        await using var server = Serve(
            (_, number) => Json(number == 1 ? """[{"id":1},{"id":2},{"id":3}]""" : """{"items":[{"id":1},{"id":2,"v":2}],"total":3}""")
        );
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        var kinds = new List<DifferenceKind>();
        await foreach (var step in new TableComparison(Dialect(server, "items", "Rest")).RunAsync(Cancellation))
        {
            if (step is DifferenceFound found)
                kinds.Add(found.Difference.Kind);
        }

        Assert.Equal([DifferenceKind.Different], kinds);
    }

    [Theory]
    [InlineData("""[{"id":1}] garbage""")]
    [InlineData("""[{"id":1}][{"id":2}]""")]
    [InlineData("""{"items":[{"id":1}]}{"items":[{"id":2}]}""")]
    [Trait("Invariant", "I7")]
    public async Task What_follows_a_list_is_not_dropped_without_a_word(string body)
    {
        await using var server = Serve((_, number) => Json(number == 1 ? Two + " \r\n" : body));
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", "Rest"));

        Assert.Contains("something follows its JSON", error.Message, StringComparison.Ordinal);
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task Between_two_polls_of_a_list_a_sync_that_follows_waits()
    {
        await using var server = Serve((_, _) => Json(Two));
        var options = Dialect(server, "items", "Rest");
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = options.Feed,
                Store = options.Store,
                Foreign = options.Foreign,
                Follow = true,
            }
        );

        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is not FeedEventOccurred { Event.Kind: FeedEventKind.Poll })
                continue;
            Assert.Equal(SyncPhase.Waiting, sync.Result.State.Phase);
            break;
        }
    }

    [Fact]
    public async Task A_server_that_does_not_heed_the_page_is_not_asked_for_ever()
    {
        await using var server = Serve((_, _) => Json(Two));

        var guessed = await SyncRun.ToEndAsync(Dialect(server, "items?page=1&per_page=2", "Rest"));
        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(
            Dialect(server, "items?page=1&per_page=2", """{ "From": "Rest", "Next": { "page": "page:" } }""")
        );

        Assert.Equal((2, false), (guessed.Result.Added, guessed.Result.IsComplete));
        Assert.Contains("same records", error.Message, StringComparison.Ordinal);
        Assert.Equal(4, server.Requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_what_was_updated_since_a_full_page_moves_the_cursor_only_where_the_order_says_that_nothing_is_missed(bool isSorted)
    {
        const string Date = "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n";
        await using var server = Serve(
            (path, number) =>
                Json(
                    number == 1 ? """[{"id":1,"updated_at":"2026-01-01T01:00:00Z"}]"""
                        : path.Contains("T03:", StringComparison.Ordinal) ? """[{"id":3,"updated_at":"2026-01-01T03:00:00Z"}]"""
                        : """[{"id":2,"updated_at":"2026-01-01T02:00:00Z"},{"id":3,"updated_at":"2026-01-01T03:00:00Z"}]""",
                    Date
                )
        );
        var ascending = isSorted ? "\"Ascending\": true, " : "";
        var dialect =
            "{ \"From\": \"Rest\", \"Cursor\": \"max:updated_at\", \"Changes\": { "
            + ascending
            + "\"Query\": { \"since\": \"{cursor}\", \"limit\": \"2\" } } }";

        await SyncRun.ToEndAsync(Dialect(server, "issues", dialect));
        var cursor = Info.Cursor.ToString();
        var second = await SyncRun.ToEndAsync(Dialect(server, "issues", dialect));

        Assert.Equal((isSorted, 3), (second.Result.IsComplete, Info.Rows));
        Assert.Equal(isSorted, cursor != Info.Cursor.ToString());
    }
}
