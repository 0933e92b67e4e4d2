using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>The keys of the dialect language, each by what it changes.</summary>
public sealed class DialectKeyTests : DialectTest
{
    private const string Date = "Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n";

    [Theory]
    [InlineData("2", "1", false)]
    [InlineData("2", "2", true)]
    [InlineData("2", "10", true)]
    [InlineData("18446744073709551616", "18446744073709551615", false)]
    [InlineData("1.5", "1.25", false)]
    [InlineData("\"2026-01-01T10:00:00Z\"", "\"2026-01-01T11:00:00+02:00\"", false)]
    [InlineData("\"2026-01-01T10:00:00Z\"", "\"2026-01-01T10:00:00.5Z\"", true)]
    public async Task An_older_version_of_a_record_is_not_applied(string first, string second, bool isNewer)
    {
        const string Ordered = """
            {
              "From": "Rest", "Next": null, "OrderBy": "/meta/v", "Deleted": "gone", "Cursor": "c",
              "Changes": { "Query": { "c": "{cursor}" } }
            }
            """;
        await using var server = Serve(
            (_, number) =>
                Json($$$"""{"items":[{"id":1,"n":{{{number}}},"meta":{"v":{{{(number == 1 ? first : second)}}}}}],"c":"{{{number}}}"}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", Ordered));
        var run = await SyncRun.ToEndAsync(Dialect(server, "items", Ordered));

        Assert.Equal(isNewer ? "0 1 0" : "0 0 0", Counts(run));
        Assert.Contains(isNewer ? "\"n\":2" : "\"n\":1", Table(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task So_it_is_of_an_older_deletion_and_of_a_list_that_lags_behind()
    {
        const string Ordered = """{ "From": "Rest", "Next": null, "OrderBy": "v", "Deleted": "gone" }""";
        await using var server = Serve(
            (_, number) =>
                Json(
                    number switch
                    {
                        1 => """[{"id":1,"v":5},{"id":2,"v":5},{"id":3,"v":5}]""",
                        2 => """[{"id":1,"v":4,"gone":true},{"id":2,"v":6,"gone":true},{"id":3,"v":4,"old":true}]""",
                        _ => """[{"id":1,"v":5},{"id":2,"v":5},{"id":3,"v":6}]""",
                    }
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", Ordered));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", Ordered));
        Assert.Equal(("0 0 1", """{"id":1,"v":5}""" + "\n" + """{"id":3,"v":5}"""), (Counts(second), Table()));
        var third = await SyncRun.ToEndAsync(Dialect(server, "items", Ordered));

        Assert.Equal(("0 1 0", """{"id":1,"v":5}""" + "\n" + """{"id":3,"v":6}"""), (Counts(third), Table()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_version_written_in_another_way_is_no_change(bool isWhole)
    {
        var ordered = isWhole
            ? """{ "From": "Rest", "Next": null, "OrderBy": "v" }"""
            : """{ "From": "Rest", "Next": null, "OrderBy": "v", "Cursor": "c", "Changes": { "Query": { "c": "{cursor}" } } }""";
        await using var server = Serve(
            (_, number) =>
                Json(
                    (number == 1 ? """{"items":[{"id":1,"n":{"x":1,"y":2},"v":5}]""" : """{"items":[{"v":5, "id":1, "n":{"y":2,"x":1}}]""")
                        + $",\"c\":\"{number}\"}}"
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", ordered));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", ordered));

        Assert.Equal(("0 0 0", """{"id":1,"n":{"x":1,"y":2},"v":5}"""), (Counts(second), Table()));
    }

    [Theory]
    [InlineData("{\"id\":1}")]
    [InlineData("{\"id\":1,\"v\":\"1.10\"}")]
    [InlineData("{\"id\":1,\"v\":null}")]
    public async Task A_record_without_its_order_value_is_malformed(string item)
    {
        await using var server = Serve((_, _) => Json($"[{item}]"));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(
            Dialect(server, "items", """{ "From": "Rest", "OrderBy": "v" }""")
        );

        Assert.Contains("'v', its order field", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_of_JSON_are_a_stream_with_a_cursor_for_each_line()
    {
        const string Lines = """
            {
              "Framing": "JsonLines", "Key": "id", "Record": "doc", "Deleted": { "op": "d" }, "Skip": { "op": "x" }, "Heartbeat": "beat",
              "Cursor": "last:seq", "Whole": false, "Changes": { "Query": { "since": "{cursor}" } }
            }
            """;
        await using var server = Serve(
            (path, _) =>
                Json(
                    path.Contains("since=3")
                        ? """{"seq":4,"op":"d","doc":{"id":1}}""" + "\n" + """{"seq":5,"op":"u","doc":{"id":3,"n":1.50}}""" + "\n"
                        : """{"seq":1,"op":"u","doc":{"id":1}}"""
                            + "\n\n{\"beat\":true}\r\n"
                            + """{"seq":2,"op":"x","doc":{"id":9}}"""
                            + "\n"
                            + """{"seq":3,"op":"u","doc":{"id":2}}"""
                )
        );

        var first = await SyncRun.ToEndAsync(Dialect(server, "lines", Lines));
        var second = await SyncRun.ToEndAsync(Dialect(server, "lines", dialect: null));

        Assert.Equal(("2 0 0", "1 0 1", "5"), (Counts(first), Counts(second), Info.Cursor.ToString()));
        Assert.Equal("""{"id":2}""" + "\n" + """{"id":3,"n":1.50}""", Table());
        Assert.Equal(["/lines", "/lines?since=3"], Paths(server));
    }

    [Theory]
    [InlineData("Europe/Berlin", "2026-01-01 10:00", "2026-01-01T08:59:00Z", "2026-01-01 09:59")]
    [InlineData("America/New_York", "2026-01-01 05:00", "2026-01-01T09:59:00Z", "2026-01-01 04:59")]
    [InlineData("UTC", "2026-01-01 10:00", "2026-01-01T09:59:00Z", "2026-01-01 09:59")]
    public async Task Times_without_a_zone_are_of_the_dialects_zone_in_records_and_in_requests(
        string zone,
        string written,
        string cursor,
        string asked
    )
    {
        var dialect = $$"""
            {
              "From": "Rest", "Next": null, "Cursor": "max:at", "TimeZone": "{{zone}}",
              "Changes": { "Query": { "since": "{cursor:yyyy-MM-dd HH:mm}" } }
            }
            """;
        await using var server = Serve((_, number) => Json(number == 1 ? $$"""[{"id":1,"at":"{{written}}"}]""" : "[]", Date));

        await SyncRun.ToEndAsync(Dialect(server, "items", dialect));
        await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        Assert.Equal(
            DateTimeOffset.Parse(cursor, System.Globalization.CultureInfo.InvariantCulture),
            DateTimeOffset.Parse(Info.Cursor.ToString(), System.Globalization.CultureInfo.InvariantCulture)
        );
        Assert.Equal("/items?since=" + asked, Paths(server).Last());
    }

    [Fact]
    public async Task A_cursor_that_the_user_types_without_a_zone_is_of_that_zone_too()
    {
        const string Berlin = """
            {
              "From": "Rest", "Next": null, "Cursor": "max:at", "TimeZone": "Europe/Berlin",
              "Changes": { "Query": { "since": "{cursor}" } }
            }
            """;
        await using var server = Serve((_, _) => Json("[]", Date));

        await SyncRun.ToEndAsync(Dialect(server, "items", Berlin, o => With(o, since: "2026-01-01 10:00")));

        Assert.Equal(["/items?since=2026-01-01T09:00:00Z"], Paths(server));
    }

    [Theory]
    [InlineData("Seconds", "1767261600", "{cursor}", "1767261540")]
    [InlineData("Seconds", "1767261600.75", "{cursor}", "1767261540")]
    [InlineData("Milliseconds", "1767261600500", "{cursor}", "1767261540500")]
    [InlineData("Seconds", "1767261600", "{cursor:yyyy-MM-dd}", "2026-01-01")]
    [InlineData("Milliseconds", "1767261600500", "{cursor:s}", "1767261540")]
    [InlineData("Number", "4711", "{cursor}", "4711")]
    [InlineData("Number", "18446744073709551616", "{cursor}", "18446744073709551616")]
    public async Task The_largest_value_may_be_seconds_milliseconds_or_a_number(string type, string value, string query, string asked)
    {
        var dialect = $$"""
            { "From": "Rest", "Next": null, "Cursor": "max:at", "CursorType": "{{type}}", "Changes": { "Query": { "since": "{{query}}" } } }
            """;
        await using var server = Serve((_, number) => Json(number == 1 ? $$"""[{"id":1,"at":5},{"id":2,"at":{{value}}}]""" : "[]", Date));

        await SyncRun.ToEndAsync(Dialect(server, "items", dialect));
        await SyncRun.ToEndAsync(Dialect(server, "items", dialect: null));

        Assert.Equal("/items?since=" + asked, Paths(server).Last());
    }

    [Theory]
    [InlineData("Time", "5")]
    [InlineData("Seconds", "\"2026-01-01\"")]
    [InlineData("Milliseconds", "1e300")]
    [InlineData("Number", "\"5\"")]
    public async Task A_value_of_another_type_is_an_error_that_names_the_place(string type, string value)
    {
        var dialect = $$"""{ "From": "Rest", "Cursor": "max:at", "CursorType": "{{type}}", "Changes": { "Query": { "s": "{cursor}" } } }""";
        await using var server = Serve((_, _) => Json($$"""[{"id":1,"at":{{value}}}]""", Date));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, "items", dialect));

        Assert.Contains($"'at' is not of the type {type}", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(TablePath));
    }

    [Theory]
    [InlineData("max:updatedAt", true)]
    [InlineData("max:updated_at", false)]
    public async Task A_cursor_that_no_item_has_is_warned_of(string cursor, bool isTold)
    {
        var dialect = $$"""{ "From": "Rest", "Next": null, "Cursor": "{{cursor}}", "Changes": { "Query": { "s": "{cursor}" } } }""";
        await using var server = Serve((_, _) => Json("""[{"id":1,"updated_at":"2026-01-01T10:00:00Z"}]""", Date));

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", dialect));
        await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        Assert.Equal(isTold, run.Events.Any(e => e.Kind == FeedEventKind.Warning && e.Message.Contains("'updatedAt', the cursor")));
        Assert.Equal(isTold ? "/items" : "/items?s=2026-01-01T09:59:00Z", Paths(server).Last());
    }

    [Fact]
    public async Task Fields_are_left_out_by_name_and_by_how_they_end()
    {
        const string Dropping = """{ "From": "Rest", "Drop": ["etag", "*_url", "caf\u00e9"] }""";
        await using var server = Serve(
            (_, number) => Json($$"""[{"id":1,"etag":{{number}},"a_url":"x","url":"y","n":{"etag":1},"caf\u00e9":1,"_url":2}]""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", Dropping));
        var second = await SyncRun.ToEndAsync(Dialect(server, "items", Dropping));

        Assert.Equal(("0 0 0", """{"id":1,"url":"y","n":{"etag":1}}"""), (Counts(second), Table()));
        Assert.Equal(["id", "url", "n"], Info.Fields);
    }

    [Fact]
    public async Task Other_items_than_records_are_passed_over_and_told()
    {
        const string Only = """{ "From": "Rest", "Only": { "kind": ["user", "group"] }, "Skip": { "name": "test" } }""";
        await using var server = Serve(
            (_, _) =>
                Json("""[{"id":1,"kind":"user"},{"id":2,"kind":"robot"},{"id":3,"kind":"group"},{"id":4,"kind":"user","name":"test"}]""")
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", Only));

        Assert.Equal(["1", "3"], Keys);
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Theory]
    [InlineData("""{"removed":{"ref":"b"}}""", 1)]
    [InlineData("""{"removed":{"at":"https://x.example/items(b)"}}""", 1)]
    [InlineData("""{"removed":{"ref":null,"at":"items('b')"}}""", 1)]
    [InlineData("""{"id":"b","removed":{"ref":"a"}}""", 1)] // Its own key counts.
    [InlineData("""{"removed":{"ref":"c"}}""", 0)]
    public async Task A_deletion_may_name_its_record_elsewhere(string deletion, int deleted)
    {
        const string Elsewhere = """
            {
              "From": "Rest", "Next": null, "Deleted": "removed", "DeletedKey": ["/removed/ref", "/removed/at"],
              "Cursor": "c", "Changes": { "Query": { "c": "{cursor}" } }
            }
            """;
        await using var server = Serve(
            (_, number) => Json($$"""{"items":[{{(number == 1 ? """{"id":"a"},{"id":"b"}""" : deletion)}}],"c":"{{number}}"}""")
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", Elsewhere));
        var run = await SyncRun.ToEndAsync(Dialect(server, "items", Elsewhere));

        Assert.Equal(($"0 0 {deleted}", 2 - deleted, true), (Counts(run), Keys.Count, Keys.Contains("a")));
    }

    [Theory]
    [InlineData(0, "2026-01-01T11:29:00Z")]
    [InlineData(3600, "2026-01-01T10:30:00Z")]
    [InlineData(0.5, "2026-01-01T11:29:59Z")]
    public async Task Whoever_knows_how_late_writers_are_says_how_far_to_look_back(double lookback, string asked)
    {
        const string Since = """
            { "From": "Rest", "Next": null, "Cursor": "max:at", "Changes": { "Query": { "since": "{cursor}" } } }
            """;
        await using var server = Serve((_, _) => Json("""[{"id":1,"at":"2026-01-01T11:30:00Z"}]""", Date));

        await SyncRun.ToEndAsync(Dialect(server, "items", Since, o => With(o, lookback: (decimal)lookback)));
        await SyncRun.ToEndAsync(Dialect(server, "items", Since));

        Assert.Equal("/items?since=" + asked, Paths(server).Last());
    }

    [Fact]
    public async Task A_number_looks_back_by_its_own_units()
    {
        const string Since = """
            { "From": "Rest", "Next": null, "Cursor": "max:v", "CursorType": "Number", "Changes": { "Query": { "since": "{cursor}" } } }
            """;
        await using var server = Serve((_, _) => Json("""[{"id":1,"v":100}]""", Date));

        await SyncRun.ToEndAsync(Dialect(server, "items", Since, o => With(o, lookback: 30)));
        await SyncRun.ToEndAsync(Dialect(server, "items", Since));

        Assert.Equal("/items?since=70", Paths(server).Last());
    }

    [Fact]
    public async Task JSON_in_a_parameter_is_filled_too()
    {
        const string Filter = """
            {
              "From": "Rest", "Next": null, "Cursor": "max:at",
              "Changes": { "Query": { "filter": "{\"where\":{\"at\":{\"gt\":\"{cursor}\"}}}" } }
            }
            """;
        await using var server = Serve((_, _) => Json("""[{"id":1,"at":"2026-01-01T11:30:00Z"}]""", Date));

        await SyncRun.ToEndAsync(Dialect(server, "items", Filter));
        await SyncRun.ToEndAsync(Dialect(server, "items", Filter));

        Assert.Equal("""/items?filter={"where":{"at":{"gt":"2026-01-01T11:29:00Z"}}}""", Paths(server).Last());
    }

    private static SyncOptions With(SyncOptions o, string? since = null, decimal lookback = 0) =>
        new()
        {
            Feed = o.Feed,
            Store = o.Store,
            Foreign = o.Foreign,
            Since = since,
            Lookback = lookback,
        };
}
