using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Plain JSON lists: the full set, what was updated since, or what a token leads to.</summary>
public sealed class RestTests : DialectTest
{
    private const string Since = """
        { "From": "Rest", "Cursor": "max:updated_at", "Ascending": true,
          "Changes": { "Query": { "since": "{cursor}", "sort": "updated" } } }
        """;

    private const string Date = "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n";

    [Fact]
    public async Task An_address_that_is_not_there_is_no_matter_of_the_cursors_place_and_a_list_has_no_cursor()
    {
        await using var server = Serve((path, _) => path == "/items" ? Json("""[{"id":1}]""") : Status("404 Not Found"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, "itms", "Rest"));
        var run = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.DoesNotContain("CursorStyle", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains("'Rest'", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal((1, false, false), (run.Result.Added, run.Result.HasCursor, Info.HasCursor));
    }

    [Theory]
    [InlineData("\"\"", "its key 'id' is empty")]
    [InlineData("null", "its key 'id' is null")]
    [InlineData("{}", "its key 'id' is an object")]
    [InlineData("[]", "its key 'id' is an array")]
    [InlineData("true", "its key 'id' is true or false")]
    public async Task A_key_that_is_there_and_is_none_is_told_for_what_it_is(string key, string says)
    {
        await using var server = Serve((_, _) => Json($$"""[{"id":{{key}}}]"""));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "items", "Rest"));

        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("it has 'id'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_set_comes_in_pages_and_what_it_lacks_later_is_gone()
    {
        await using var server = Serve(
            (path, number) =>
                path.Contains("after=1")
                    ? Json(number < 4 ? """[{"id":2,"v":1}]""" : "[]")
                    : Json("""[{"id":1,"v":1.0}]""", $"Link: </items?after=0>; rel=\"prev\", </items?after=1>; rel=\"next\"\r\n")
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", dialect: null));

        Assert.Equal(("2 0 0", "0 0 1", """{"id":1,"v":1.0}"""), (Counts(first), Counts(second), Table()));
    }

    [Theory]
    [InlineData(12, true)]
    [InlineData(3, false)]
    public async Task A_long_first_load_says_that_it_would_start_over(int pages, bool isSaid)
    {
        await using var server = Serve(
            (path, _) =>
            {
                var page = path.Contains("after=")
                    ? int.Parse(path.Split("after=")[1], System.Globalization.CultureInfo.InvariantCulture)
                    : 0;
                var more = page + 1 < pages ? $"Link: </items?after={page + 1}>; rel=\"next\"\r\n" : "";
                return Json($$"""[{"id":{{page}}}]""", more);
            }
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal(isSaid, first.Events.Any(e => e.Kind == FeedEventKind.Load));
        Assert.DoesNotContain(second.Events, e => e.Kind == FeedEventKind.Load);
        Assert.Equal(pages, Keys.Count);
    }

    [Fact]
    public async Task A_whole_set_that_comes_again_changes_nothing_also_when_it_is_written_in_another_way()
    {
        await using var server = Serve(
            (_, number) =>
                Json(
                    number == 1
                        ? """{"items":[{"id":"a","n":{"x":1,"y":2}}]}"""
                        : """{ "items": [ {"n":{"y":2, "x":1}, "id":"\u0061"} ] }"""
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var sequence = Info.Sequence;
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal(("0 0 0", sequence), (Counts(second), Info.Sequence));
    }

    [Fact]
    public async Task Of_pages_that_are_counted_only_what_two_rounds_lack_is_gone()
    {
        // Record 2 moves over the border between the pages while the first round reads; record 3 is really gone.
        await using var server = Serve(
            (path, number) =>
                number switch
                {
                    1 => Json("""{"items":[{"id":1},{"id":2}],"next":"/items?page=2"}"""),
                    2 => Json("""{"items":[{"id":3}]}"""),
                    3 => Json("""{"items":[{"id":1},{"id":9}],"next":"/items?page=2"}"""),
                    4 => Json("""{"items":[]}"""),
                    _ => path.Contains("page=2")
                        ? Json("""{"items":[{"id":9}]}""")
                        : Json("""{"items":[{"id":1},{"id":2}],"next":"/items?page=2"}"""),
                }
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal(("1 0 1", "{\"id\":1}\n{\"id\":2}\n{\"id\":9}"), (Counts(second), Table()));
        Assert.Equal(6, server.Requests.Count);
    }

    [Theory]
    [InlineData("sysparm_offset", 2)] // ServiceNow
    [InlineData("pageNumber", 1)]
    [InlineData("page%5Boffset%5D", 2)]
    [InlineData("StartIndex", 3)]
    public async Task Whatever_counts_the_pages_what_moves_between_them_is_read_in_a_second_round(string parameter, int second)
    {
        const string Dialect =
            """{ "From": "Rest", "Cursor": "max:updated_at", "Changes": { "Ascending": true, "Query": { "since": "{cursor}" } } }""";
        static string Item(int id, int day) => $$"""{"id":{{id}},"updated_at":"2026-01-{{day:D2}}T00:00:00Z"}""";
        // Between the first two pages the first record changes, and goes to the end: the third is on no page.
        await using var server = Serve(
            (path, number) =>
                (path.Contains(Uri.UnescapeDataString(parameter) + "="), number) switch
                {
                    (false, 1) => Json($"[{Item(1, 1)},{Item(2, 2)}]", Date + $"Link: </items?{parameter}={second}>; rel=\"next\"\r\n"),
                    (false, _) => Json($"[{Item(2, 2)},{Item(3, 3)}]", Date + $"Link: </items?{parameter}={second}>; rel=\"next\"\r\n"),
                    (true, _) => Json($"[{Item(4, 4)},{Item(1, 20)}]", Date),
                }
        );

        await SyncRun.ToEndAsync(this.Dialect(server, "items", Dialect));

        Assert.Equal(["1", "2", "3", "4"], Keys);
    }

    [Fact]
    public async Task A_list_that_comes_again_is_not_written_again()
    {
        var items = string.Join(',', Enumerable.Range(0, 20_000).Select(i => $$"""{"id":"k{{i:D6}}","text":"{{new string('x', 500)}}"}"""));
        await using var server = Serve((_, _) => Json($"[{items}]"));
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        var (before, sequence) = (new FileInfo(TablePath).Length, Info.Sequence);

        var second = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal(("0 0 0", 20_000, sequence), (Counts(second), second.Result.Unchanged, Info.Sequence));
        Assert.InRange(new FileInfo(TablePath).Length, before, before + (64 * 1024));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Of_a_record_that_comes_twice_in_a_set_the_later_one_counts_though_one_of_them_is_as_stored(
        bool everyVersion,
        bool inBatches
    )
    {
        const string One = """{"id":1,"v":1}""",
            Two = """{"id":2,"v":1}""",
            Three = """{"id":3,"v":1}""";
        string[] pages = [One + "," + Two + "," + Three, "", ""];
        await using var server = Serve(
            (path, _) =>
            {
                var at = path.Contains("page=", StringComparison.Ordinal) ? path[^1] - '0' : 0;
                return Json($"[{pages[at]}]", at < 2 ? $"Link: </items?page={at + 1}>; rel=\"next\"\r\n" : "");
            }
        );
        SyncOptions Options() =>
            Dialect(
                server,
                "items",
                "Rest",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Foreign = o.Foreign,
                    Store = o.Store,
                    WantsChanges = true,
                    EveryVersion = everyVersion,
                    // With an observer of its pages, a sync writes each page on its own.
                    DialectObserver = inBatches ? static _ => { } : null,
                }
            );
        await SyncRun.ToEndAsync(Options());

        pages = [One + "," + """{"id":2,"v":2}""", """{"id":1,"v":3}""", Two];
        var second = await SyncRun.ToEndAsync(Options());

        // 1 came as it is and then changed, 2 changed and then as it is, and 3 is gone.
        Assert.Equal("0 1 1", Counts(second));
        Assert.Equal("""{"id":1,"v":3}""" + "\n" + Two, Table());
    }

    [Fact]
    [Trait("Invariant", "D9")]
    public async Task What_changed_between_two_readings_and_moved_past_the_second_comes_with_the_next_updates()
    {
        const string Dialect = """
            { "From": "Rest", "Cursor": "max:updated_at", "Next": { "page": "page:" },
              "Changes": { "Query": { "since": "{cursor}" } } }
            """;
        static string Item(string id, int minute, int v = 1) =>
            $$"""{"id":"{{id}}","updated_at":"2025-12-31T22:{{minute:D2}}:00Z","v":{{v}}}""";
        // The clock of the records is 14 hours behind the server's.
        const string Clock = "Date: Thu, 01 Jan 2026 12:40:00 GMT\r\n";
        string[] pages =
        [
            // The order is none of the times, or the list would be read until nothing moves.
            $"{Item("a", 2)},{Item("b", 1)}",
            Item("c", 3),
            "",
            // b has changed and is behind c; then a changes, so that b moves onto the page that has come.
            $"{Item("a", 2)},{Item("c", 3)}",
            Item("a", 20, v: 2),
            "",
        ];
        await using var server = Serve(
            (path, number) =>
                !path.Contains("since=", StringComparison.Ordinal) ? Json($"[{pages[number - 1]}]", Clock)
                : path.Contains("page=", StringComparison.Ordinal) ? Json("[]", Clock)
                : Json(
                    string.CompareOrdinal(path.Split("since=")[1], "2025-12-31T22:10:00Z") <= 0
                        ? $"[{Item("b", 10, v: 2)},{Item("a", 20, v: 2)}]"
                        : $"[{Item("a", 20, v: 2)}]",
                    Clock
                )
        );

        await SyncRun.ToEndAsync(this.Dialect(server, "items", Dialect));
        await SyncRun.ToEndAsync(this.Dialect(server, "items", Dialect));

        Assert.Equal(string.Join('\n', Item("a", 20, v: 2), Item("b", 10, v: 2), Item("c", 3)), Table());
    }

    [Fact]
    [Trait("Invariant", "D9")]
    public async Task A_list_by_time_of_change_is_read_until_nothing_moves_between_its_pages()
    {
        const string Dialect = """
            { "From": "Rest", "Cursor": "max:updated_at", "Next": { "page": "page:" }, "Changes": { "Query": { "since": "{cursor}" } } }
            """;
        static string Item(string id, int minute) =>
            $$"""{"id":"{{id}}","updated_at":"2026-01-01T{{minute / 60:D2}}:{{minute % 60:D2}}:00Z"}""";
        List<string> list = [.. "abcdef".Select((c, i) => Item($"{c}", i))];
        // Who changes before which request, and so moves to the end: e is missed by the first two readings.
        var changes = new Dictionary<int, string> { [3] = "a", [6] = "bc" };
        var requests = 0;
        await using var server = Serve(
            (path, _) =>
            {
                requests++;
                foreach (var id in changes.GetValueOrDefault(requests, ""))
                {
                    list.RemoveAll(item => item.Contains($"\"id\":\"{id}\"", StringComparison.Ordinal));
                    list.Add(Item($"{id}", 600 + (requests * 10) + id));
                }

                var page = path.Contains("page=", StringComparison.Ordinal) ? int.Parse(path.Split("page=")[1]) : 1;
                return Json(
                    $"[{string.Join(',', path.Contains("since=", StringComparison.Ordinal) ? [] : list.Skip((page - 1) * 2).Take(2))}]"
                );
            }
        );

        var result = await SyncRun.ToEndAsync(this.Dialect(server, "items", Dialect));

        Assert.Equal("6 3 0", Counts(result));
        Assert.Equal(string.Join('\n', list.Order(StringComparer.Ordinal)), Table());
    }

    [Fact]
    public async Task Records_of_the_same_second_and_of_the_running_one_are_not_lost()
    {
        var asked = new List<string>();
        await using var server = Serve(
            (path, number) =>
            {
                asked.Add(path);
                return number switch
                {
                    1 => Json("""[{"id":1,"updated_at":"2026-01-01T11:59:59Z"},{"id":2,"updated_at":"2026-01-01T12:00:00Z"}]""", Date),
                    // A record of the second that was still running when the first round read it, with the same time.
                    2 => Json(
                        """[{"id":1,"updated_at":"2026-01-01T11:59:59Z"},{"id":2,"updated_at":"2026-01-01T12:00:00Z"},{"id":3"""
                            + ""","updated_at":"2026-01-01T12:00:00Z"}]""",
                        Date
                    ),
                    _ => Json("[]", Date),
                };
            }
        );

        await SyncRun.ToEndAsync(Dialect(server, "issues", Since));
        var second = await SyncRun.ToEndAsync(Dialect(server, "issues", Since));
        await SyncRun.ToEndAsync(Dialect(server, "issues", Since));

        Assert.Equal(("1 0 0", 3), (Counts(second), Info.Rows));
        Assert.Equal("/issues", asked[0]);
        Assert.Equal("/issues?since=2026-01-01T11:58:59Z&sort=updated", asked[1]);
    }

    [Fact]
    public async Task A_cursor_that_the_user_names_is_asked_from_and_one_that_the_dialect_cannot_have_is_refused_by_name()
    {
        await using var server = Serve((_, _) => Json("""[{"id":1,"updated_at":"2026-01-01T01:00:00Z"}]""", Date));
        SyncOptions From(string since, string dialect, bool resync = false) =>
            new()
            {
                Feed = new FeedOptions { Uri = new Uri(server.Root, "issues") },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Parse(dialect, "mine"),
                Since = since,
                Resync = resync,
            };

        await SyncRun.ToEndAsync(From("2025-06-01T00:00:00Z", Since));
        Assert.Equal(["/issues?since=2025-06-01T00:00:00Z&sort=updated"], Paths(server));

        (var noTime, _) = await SyncRun.ToErrorAsync<InvalidOptionException>(From("last tuesday", Since));
        (var noCursor, _) = await SyncRun.ToErrorAsync<InvalidOptionException>(From("5", """{ "From": "Rest" }"""));
        await SyncRun.ToErrorAsync<InvalidOptionException>(From("2025-06-01T00:00:00Z", Since, resync: true));
        Assert.Contains("'last tuesday' is not a time", noTime.Message, StringComparison.Ordinal);
        Assert.Contains("'mine' returns the whole set", noCursor.Message, StringComparison.Ordinal);
        Assert.Contains("Leave since out", noCursor.Remedy.ToString(), StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task What_was_updated_since_is_asked_for_by_its_largest_value_and_not_by_page_numbers()
    {
        // While page one is read, record 1 is updated and moves to the end: record 3 moves to page one, and page two begins with 4.
        await using var server = Serve(
            (path, _) =>
                !path.Contains("since=") ? Json("""[{"id":1,"updated_at":"2026-01-01T01:00:00Z"}]""", Date)
                : path.Contains("page=2") ? Json("""[{"id":4,"updated_at":"2026-01-01T04:00:00Z"}]""", Date)
                : path.Contains("T02:00")
                    ? Json("""[{"id":2,"updated_at":"2026-01-01T02:00:00Z"},{"id":3,"updated_at":"2026-01-01T03:00:00Z"}]""", Date)
                : Json(
                    """[{"id":1,"updated_at":"2026-01-01T01:00:00Z"},{"id":2,"updated_at":"2026-01-01T02:00:00Z"}]""",
                    Date + "Link: </issues?since=x&page=2>; rel=\"next\"\r\n"
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "issues", Since));
        var second = await SyncRun.ToEndAsync(Dialect(server, "issues", Since));

        Assert.Equal(("2 0 0", 3), (Counts(second), Info.Rows));
        Assert.DoesNotContain(Paths(server), path => path.Contains("page="));
        Assert.StartsWith("2026-01-01T02:59:00", Info.Cursor.ToString());
    }

    [Fact]
    public async Task A_server_without_an_order_is_read_page_by_page_and_twice()
    {
        // The newest come first, and while page two is read record 2 is deleted, so that record 3 moves to page one.
        const string Unordered =
            """{ "From": "Rest", "Cursor": "max:at", "Next": { "page": "page:" }, "Changes": { "Query": { "since": "{cursor}" } } }""";
        var at = new Dictionary<int, string>
        {
            [1] = "03",
            [2] = "03",
            [3] = "03",
            [4] = "02",
        };
        var isFirst = true;
        await using var server = Serve(
            (path, _) =>
            {
                if (!path.Contains("since="))
                    return Json(path.Contains("page=") ? "[]" : """[{"id":1,"at":"2026-01-01T01:00:00Z"}]""", Date);
                var page =
                    path.Contains("page=2") ? 1
                    : path.Contains("page=3") ? 2
                    : 0;
                if (page == 1 && isFirst)
                {
                    isFirst = false;
                    at.Remove(2);
                }

                var items = at.Skip(page * 2).Take(2).Select(pair => $$"""{"id":{{pair.Key}},"at":"2026-01-01T{{pair.Value}}:00:00Z"}""");
                return Json($"[{string.Join(',', items)}]", Date);
            }
        );

        await SyncRun.ToEndAsync(Dialect(server, "issues", Unordered));
        await SyncRun.ToEndAsync(Dialect(server, "issues", Unordered));

        Assert.Equal(["1", "2", "3", "4"], Keys);
    }

    [Fact]
    public async Task One_instant_that_fills_a_page_is_read_by_the_number_of_its_pages()
    {
        await using var server = Serve(
            (path, _) =>
            {
                if (!path.Contains("since="))
                    return Json("[]", Date);
                var page =
                    path.Contains("page=2") ? 1
                    : path.Contains("page=3") ? 2
                    : 0;
                var ids = Enumerable.Range(page * 2, Math.Min(2, 5 - (page * 2)));
                var next = page < 2 ? $"Link: </issues?since=x&page={page + 2}>; rel=\"next\"\r\n" : "";
                return Json(
                    "[" + string.Join(',', ids.Select(id => $$"""{"id":{{id}},"updated_at":"2026-01-01T03:00:00Z"}""")) + "]",
                    Date + next
                );
            }
        );
        await SyncRun.ToEndAsync(Dialect(server, "issues?since=x", Since));

        Assert.Equal(5, Info.Rows);
    }

    [Fact]
    public async Task What_moves_while_an_instant_is_read_by_numbers_comes_in_a_second_round()
    {
        // Four of one instant in pages of two, and one after it. While the second page is requested, the first two have moved to the end.
        int[] ids = [1, 2, 3, 4, 5];
        var hasMoved = false;
        string Item(int id) => $$"""{"id":{{id}},"updated_at":"2026-01-01T03:00:0{{(id == 5 ? 1 : hasMoved && id < 3 ? 2 : 0)}}Z"}""";
        await using var server = Serve(
            (path, number) =>
            {
                if (number == 1)
                    return Json($"[{Item(9).Replace("03:", "02:", StringComparison.Ordinal)}]", Date);
                if (path.Contains("page=2") && !hasMoved)
                    (hasMoved, ids) = (true, [3, 4, 5, 1, 2]);
                var since = path.Split("since=")[1].Split('&')[0];
                var left = ids.Where(id =>
                    string.CompareOrdinal($"2026-01-01T03:00:0{(id == 5 ? 1 : hasMoved && id < 3 ? 2 : 0)}Z", since) >= 0
                );
                var page = path.Contains("page=2") ? left.Skip(2).Take(2) : left.Take(2);
                var next = left.Count() > 2 && !path.Contains("page=2") ? $"Link: </issues?since={since}&page=2>; rel=\"next\"\r\n" : "";
                return Json("[" + string.Join(',', page.Select(Item)) + "]", Date + next);
            }
        );

        await SyncRun.ToEndAsync(Dialect(server, "issues", Since));
        await SyncRun.ToEndAsync(Dialect(server, "issues", Since));

        Assert.Equal(["1", "2", "3", "4", "5", "9"], Keys);
    }

    [Fact]
    public async Task A_record_without_the_key_says_what_it_has_and_how_to_name_it()
    {
        await using var server = Serve((_, _) => Json("""[{"number":1,"title":"a"}]"""));

        var (error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "issues", "Rest"));

        Assert.Contains("it has 'number', 'title'", error.Message);
        Assert.Contains("Name the field that is the key", error.Remedy!.ToString());
    }

    [Theory]
    [InlineData("""{ "From": "Rest", "Itmes": "result" }""", "Did you mean 'Items'?")]
    [InlineData("""{ "From": "Rest", "Changes": { "Qeury": {} } }""", "Did you mean 'Query'?")]
    [InlineData("""{ "From": "Kubernets" }""", "Did you mean 'Kubernetes'?")]
    public void A_misspelt_name_is_told_what_was_meant(string dialect, string said) =>
        Assert.EndsWith(said, Assert.Throws<DialectFormatException>(() => DialectDescription.Parse(dialect, "test")).Message);

    [Fact]
    public async Task An_answer_that_is_not_ready_is_asked_for_again_and_a_key_of_another_kind_is_told_by_its_field()
    {
        await using var server = Serve(
            (_, number) =>
                number == 1 ? Status("202 Accepted", "Content-Type: application/json\r\n", "{}")
                : number == 2 ? Json("""[{"id":1}]""")
                : Json("""[{"id":"1"}]""")
        );

        await SyncRun.ToErrorAsync<FeedCutException>(Dialect(server, "items", "Rest"));
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "items", "Rest"));

        Assert.Contains("'id'", error.Message);
        Assert.Equal("""{"id":1}""", Table());
    }

    [Fact]
    public async Task A_token_leads_to_what_changed_and_its_expiry_to_the_whole_set()
    {
        const string Calendar = """
            { "From": "Rest", "Items": "items", "Deleted": { "status": "cancelled" }, "Next": { "pageToken": "nextPageToken" },
              "Cursor": "nextSyncToken", "Changes": { "Query": { "syncToken": "{cursor}" } }, "Resync": 410 }
            """;
        await using var server = Serve(
            (path, number) =>
                path.Contains("pageToken=p") ? Json("""{"items":[{"id":"b"}],"nextSyncToken":"s1"}""")
                : path.Contains("syncToken=s1") ? Json("""{"nextSyncToken":"s2","items":[{"id":"a","status":"cancelled"}]}""")
                : path.Contains("syncToken=s2") ? Status("410 Gone")
                : number == 1 ? Json("""{"items":[{"id":"a"}],"nextPageToken":"p"}""")
                : Json("""{"items":[{"id":"c"}],"nextSyncToken":"s3"}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "events", Calendar));
        var second = await SyncRun.ToEndAsync(Dialect(server, "events", dialect: null));
        var third = await SyncRun.ToEndAsync(Dialect(server, "events", dialect: null));

        Assert.Equal(("0 0 1", "1 0 1", "s3"), (Counts(second), Counts(third), Info.Cursor.ToString()));
        Assert.Equal("""{"id":"c"}""", Table());
    }

    [Fact]
    public async Task A_link_that_is_always_there_ends_at_an_empty_page_and_a_loop_is_an_error()
    {
        const string Log = """{ "From": "Rest", "Key": "uuid", "Cursor": "link:next", "Next": "link:next", "Whole": false }""";
        await using var okta = Serve(
            (path, _) => Json(path.Contains("after=1") ? "[]" : """[{"uuid":"a"}]""", "Link: </logs?after=1>; rel=\"next\"\r\n")
        );
        await using var loop = Serve((_, _) => Json("""[{"id":"a"}]""", "Link: </items?after=1>; rel=\"next\"\r\n"));

        await SyncRun.ToEndAsync(Dialect(okta, "logs", Log));
        await SyncRun.ToEndAsync(Dialect(okta, "logs", Log));
        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(
            Dialect(
                loop,
                "items",
                "Rest",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Foreign = o.Foreign,
                    Store = new FileTableStore(Folder("loop.db")),
                }
            )
        );

        Assert.Equal(["/logs", "/logs?after=1", "/logs?after=1"], Paths(okta));
        Assert.Contains("already read", error.Message);
    }

    [Theory]
    [InlineData("""{ "From": "Rest", "Next": { "page": "page:" } }""", "/items?page=2", "/items?page=3")]
    [InlineData("""{ "From": "Rest", "Next": { "startAt": "offset:" } }""", "/items?startAt=1", "/items?startAt=2")]
    [InlineData("""{ "From": "Rest", "Next": { "starting_after": "last:id" } }""", "/items?starting_after=1", "/items?starting_after=2")]
    public async Task Pages_can_be_counted_and_end_at_an_empty_one(string dialect, string second, string third)
    {
        await using var server = Serve((_, number) => Json(number < 3 ? $$"""{"data":[{"id":{{number}}}]}""" : """{"data":[]}"""));

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        Assert.Equal("2 0 0", Counts(run));
        Assert.Equal(["/items", second, third], Paths(server));
    }

    [Fact]
    public async Task A_set_that_cannot_page_is_asked_for_by_its_tag()
    {
        var conditions = 0;
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Head.Contains("If-None-Match: \"t1\"", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref conditions);
                await exchange.StatusAsync("304 Not Modified");
                return;
            }

            await exchange.BodyAsync("""[{"id":1}]""", "ETag: \"t1\"\r\n");
        });
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Root, "items") },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Parse("""{ "From": "Rest", "Next": null }""", "test"),
                Follow = true,
                PollInterval = TimeSpan.FromMilliseconds(1),
            }
        );
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (Volatile.Read(ref conditions) >= 2)
                break;
        }

        Assert.Equal("""{"id":1}""", Table());
    }

    [Fact]
    public async Task Not_modified_without_a_condition_is_an_error()
    {
        await using var server = Serve((_, _) => Status("304 Not Modified"));

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", "Rest"));

        Assert.Contains("304", error.Message);
    }

    [Fact]
    public async Task A_list_that_nobody_named_a_dialect_for_is_read_as_one_with_a_warning()
    {
        await using var server = Serve((_, _) => Json("""[{"id":7,"name":"x"}]"""));

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", dialect: null));
        var again = await SyncRun.ToEndAsync(Dialect(server, "items", dialect: null));

        Assert.Equal(("1 0 0", "0 0 0", """{"id":7,"name":"x"}"""), (Counts(run), Counts(again), Table()));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning && e.Message.Contains("Rest"));
        Assert.DoesNotContain(again.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Fact]
    public async Task Keys_by_place_and_records_within_items_keep_their_text()
    {
        const string Nested = """{ "From": "Rest", "Items": "/d/results", "Record": "entity", "Key": "/metadata/uid" }""";
        await using var server = Serve(
            (_, _) => Json("""{"d":{"results":[{"entity":{"metadata":{"uid":"u/1"},"n":1.10,"s":"\u00e9"},"x":1}]}}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", Nested));

        Assert.Equal(["u/1"], Keys);
        Assert.Equal("""{"metadata":{"uid":"u/1"},"n":1.10,"s":"\u00e9"}""", Table());
    }

    [Fact]
    public async Task A_record_may_be_transformed_if_its_key_by_place_stays()
    {
        const string Nested = """{ "From": "Rest", "Key": "/metadata/uid" }""";
        await using var server = Serve((_, _) => Json("""[{"metadata":{"uid":"u1"},"n":1}]"""));
        SyncOptions Transforming(SyncOptions o) =>
            new()
            {
                Feed = o.Feed,
                Store = o.Store,
                Foreign = o.Foreign,
                Transforms = true,
            };

        await SyncRun.ToEndAsync(
            Dialect(server, "items", Nested, Transforming),
            step =>
            {
                if (step is RecordsToTransform asked)
                    asked.Records[0].Replace("""{"metadata":{"uid":"u1"},"m":2}"""u8.ToArray());
            }
        );
        await Assert.ThrowsAsync<TransformException>(() =>
            SyncRun.ToEndAsync(
                Dialect(server, "items", Nested, Transforming),
                step =>
                {
                    if (step is RecordsToTransform asked)
                        asked.Records[0].Replace("""{"metadata":{"uid":"u2"}}"""u8.ToArray());
                }
            )
        );

        Assert.Equal("""{"metadata":{"uid":"u1"},"m":2}""", Table());
    }

    [Fact]
    public async Task A_table_is_compared_with_its_feed_by_the_same_dialect()
    {
        await using var server = Serve(
            (_, number) => Json(number == 1 ? """{"result":[{"sys_id":"a","v":1}]}""" : """{"result":[{"sys_id":"a","v":2}]}""")
        );
        var options = Dialect(server, "items", """{ "From": "Rest", "Items": "result", "Key": "sys_id" }""");
        await SyncRun.ToEndAsync(options);

        var differences = new List<SyncStep>();
        await foreach (var step in new TableComparison(Dialect(server, "items", dialect: null)).RunAsync(Cancellation))
        {
            if (step is DifferenceFound)
                differences.Add(step);
        }

        Assert.Single(differences);
    }

    [Fact]
    public async Task A_list_that_is_null_is_an_empty_one_where_the_user_says_that_it_is_the_list_and_empties_no_table_at_once()
    {
        const string Named = """{ "From": "Rest", "Items": "items" }""";
        await using var server = Serve((_, number) => Json(number == 2 ? """{"items":[{"id":1}]}""" : """{"items":null}"""));

        var first = await SyncRun.ToEndAsync(Dialect(server, "items", Named));
        await SyncRun.ToEndAsync(Dialect(server, "items", Named));
        await SyncRun.ToErrorAsync<SweepRefusedException>(Dialect(server, "items", Named));
        await SyncRun.ToErrorAsync<DialectException>(
            Dialect(
                server,
                "items",
                "Rest",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Foreign = o.Foreign,
                    Store = new FileTableStore(Folder("guessed.db")),
                }
            )
        );

        Assert.Equal((SyncOutcome.Complete, 1), (first.Result.Outcome, Info.Rows));
    }

    [Fact]
    [Trait("Invariant", "I6")]
    public async Task A_list_that_is_null_on_a_later_page_is_no_end_of_the_list()
    {
        await using var server = Serve(
            (_, number) => Json(number is 2 or 4 ? """{"items":null}""" : """{"items":[{"id":1}],"next":"/items?page=2"}""")
        );

        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", """{ "From": "Rest", "Items": "items" }"""));
        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", "Rest"));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("")]
    public async Task A_follower_asks_again_for_an_answer_that_is_not_ready(string body)
    {
        await using var server = Serve(
            (_, number) =>
                number is 2 or 3
                    ? Status("202 Accepted", "Content-Type: application/json\r\n", body)
                    : Json(number == 1 ? """[{"id":1}]""" : """[{"id":1},{"id":2}]""")
        );
        var sync = new TableSync(
            Dialect(
                server,
                "items",
                "Rest",
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Follow = true,
                    RetryInterval = TimeSpan.FromMilliseconds(1),
                    PollInterval = TimeSpan.FromMilliseconds(1),
                }
            )
        );
        var events = new List<FeedEvent>();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Eventually.Deadline);
        await foreach (var step in sync.RunAsync(limit.Token))
        {
            if (step is FeedEventOccurred happened)
                events.Add(happened.Event);
            if (sync.Result.Added == 2)
                break;
        }

        Assert.Equal(2, events.Count(e => e.Kind == FeedEventKind.Close && e.Message.Contains("not ready yet")));
    }

    [Theory]
    [InlineData("page:", new[] { "", "&page=2", "&page=3" })]
    [InlineData("offset:", new[] { "", "&page=2", "&page=4" })]
    public async Task A_page_that_is_smaller_than_what_was_asked_for_is_not_the_last(string count, string[] pages)
    {
        await using var server = Serve(
            (path, _) =>
                Json(
                    path.EndsWith(pages[1], StringComparison.Ordinal) ? """{"data":[{"id":3},{"id":4}]}"""
                    : path.EndsWith(pages[2], StringComparison.Ordinal) ? """{"data":[]}"""
                    : """{"data":[{"id":1},{"id":2}]}"""
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items?per_page=1000", $$$"""{ "From": "Rest", "Next": { "page": "{{{count}}}" } }"""));

        Assert.Equal(4, Info.Rows);
        Assert.Equal(pages.Select(page => "/items?per_page=1000" + page), Paths(server));
    }

    [Theory]
    [InlineData("""{"From":"Rest","Itmes":"x"}""", "Itmes")]
    [InlineData("""{"From":"Nobody"}""", "Nobody")]
    [InlineData("""{"From":"Rest","Snapshot":{"Query":{"a":"{curser}"}}}""", "curser")]
    [InlineData("""{"From":"Rest","Headers":{"Authorization":"x"}}""", "Authorization")]
    [InlineData("""{"From":"Rest","Headers":{"Accept":"a\r\nX: y"}}""", "line break")]
    [InlineData("""{"From":"Rest","Deleted":99}""", "99")]
    [InlineData("""{"From":"Rest","Changes":{}}""", "no Cursor")]
    [InlineData("""{"From":"Rest","Interval":"soon"}""", "Interval")]
    [InlineData("""{"From":"Rest","Key":"/a~b"}""", "~")]
    [InlineData("""[1]""", "not a JSON object")]
    [InlineData("""{""", "not JSON")]
    public void A_description_that_is_wrong_is_told_what_is(string json, string part)
    {
        var error = Assert.Throws<DialectFormatException>(() => DialectDescription.Parse(json, "mine"));

        Assert.Contains(part, error.Message);
        Assert.Contains("'mine'", error.Message);
    }

    [Fact]
    public void Keys_are_read_in_any_case_and_stand_as_they_are_documented()
    {
        var dialect = DialectDescription.Parse("""{ "from": "rest", "items": "result", "key": "sys_id", "interval": 60 }""", "mine");

        Assert.Contains("\"Items\":\"result\"", dialect.Json);
        Assert.Equal(TimeSpan.FromMinutes(1), dialect.Interval);
        Assert.Equal(["sys_id"], dialect.Snapshot.Key.Select(key => key.Field));
    }

    [Theory]
    [InlineData(
        """{"total":26,"page":1,"things":[{"id":1}]}""",
        "the body is one object that holds a list in 'things'",
        "\"Items\":\"things\""
    )]
    [InlineData("""{"total":26,"id":1,"things":[{"id":1}]}""", "updated_at", "OrderBy")]
    [InlineData("""{"timestamp":26,"things":[{"id":1}]}""", "updated_at", "OrderBy timestamp")]
    [InlineData("""{"total":26,"things":[{"id":1}],"others":[{"id":2}]}""", "updated_at", "OrderBy")]
    [InlineData("""{"total":26,"things":["a"]}""", "updated_at", "OrderBy")]
    public async Task An_object_that_holds_its_records_under_a_name_of_its_own_is_told_as_one(string body, string said, string advice)
    {
        await using var server = Serve((_, _) => Json(body));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "things", null));

        Assert.Contains(said, error.Message, StringComparison.Ordinal);
        Assert.Contains(advice, error.Remedy.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dialect_that_names_no_key_is_told_to_name_one()
    {
        await using var server = Serve((_, _) => Json("""{"things":[{"id":1}]}"""));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "things", """{"Items":"things"}"""));

        Assert.Contains("the dialect names no key", error.Message, StringComparison.Ordinal);
        Assert.StartsWith("Add Key to the dialect", error.Remedy.ToString(), StringComparison.Ordinal);
    }
}
