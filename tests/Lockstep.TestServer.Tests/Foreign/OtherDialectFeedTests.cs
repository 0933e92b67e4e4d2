using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>CouchDB, event streams, lists, Electric and Durable Streams, as their servers answer.</summary>
public sealed class OtherDialectFeedTests : DialectFeedTest
{
    [Fact]
    public async Task CouchDb_tells_the_newest_change_of_a_document_and_how_many_are_pending()
    {
        await StartAsync(FeedKind.CouchDb, null, """{"_id":"a"}""", """{"id":"b","n":1}""", """{"_id":"a","n":2}""");
        Server.RemoveRecord("""{"_id":"b"}""");

        var first = (await GetAsync("?limit=1&include_docs=true")).Json;
        var second = (await GetAsync($"?since={first["last_seq"]}&include_docs=true")).Json;

        Assert.Equal(
            (1, "a", 2, 1),
            (
                first["results"]!.AsArray().Count,
                $"{first["results"]![0]!["id"]}",
                (int)first["results"]![0]!["doc"]!["n"]!,
                (int)first["pending"]!
            )
        );
        Assert.StartsWith("2-", $"{first["results"]![0]!["changes"]![0]!["rev"]}");
        var gone = second["results"]![0]!;
        Assert.Equal(("b", true, true), ($"{gone["id"]}", (bool)gone["deleted"]!, (bool)gone["doc"]!["_deleted"]!));
        Assert.Equal("[]", (await GetAsync($"?since={second["last_seq"]}")).Json["results"]!.ToJsonString());
        Assert.Equal(400, (await GetAsync("?since=7")).Status);
        Assert.Equal(1, (int)(await GetAsync("/db")).Json["doc_count"]!);
    }

    [Fact]
    public async Task CouchDb_streams_changes_with_heartbeats_or_up_to_a_timeout()
    {
        await StartAsync(FeedKind.CouchDb, null, """{"_id":"a"}""");

        var lines = await LinesAsync("?feed=continuous&timeout=30", 9);
        var beats = await LinesAsync("?feed=continuous&since=now&heartbeat=10", 2);
        var events = await LinesAsync("?feed=eventsource&heartbeat=10", 5);

        Assert.Equal(("a", 0), ($"{JsonNode.Parse(lines[0])!["id"]}", (int)JsonNode.Parse(lines[1])!["pending"]!));
        Assert.Equal(["", ""], beats);
        Assert.StartsWith("id: \"1-", events[0]);
        Assert.Equal("event: heartbeat", events[3]);
    }

    [Fact]
    public async Task CouchDb_holds_a_long_poll_until_there_is_a_change()
    {
        await StartAsync(FeedKind.CouchDb, null, """{"_id":"a"}""");
        var waiting = GetAsync("?feed=longpoll&since=now&timeout=60000");
        await Server.WaitForClientsAsync(1, Cancel);
        await Server.WaitForDeliveryAsync(Cancel);
        Server.AddRecord("""{"_id":"b"}""");

        Assert.Equal("b", $"{(await waiting).Json["results"]![0]!["id"]}");
    }

    [Fact]
    public async Task An_event_stream_goes_on_from_the_last_id_and_names_removals()
    {
        await StartAsync(FeedKind.EventStream, null, """{"id":1}""", """{"id":2}""");
        Server.RemoveRecord("""{"id":1}""");

        var all = await LinesAsync("", 9);
        var rest = await LinesAsync("", 7, ("Last-Event-ID", "event-2"));

        Assert.Equal([": welcome", "retry: 1000", "", "id: event-1", "data: {\"id\":1}", "", "id: event-2", "data: {\"id\":2}", ""], all);
        Assert.Equal(["id: event-3", "event: delete", "data: {\"id\":1}", ""], rest[3..]);
    }

    [Fact]
    public async Task A_hub_that_no_longer_has_the_event_says_from_which_it_goes_on()
    {
        await StartAsync(FeedKind.EventStream, o => o.HeartbeatInterval = TimeSpan.FromMilliseconds(10), """{"id":1}""");
        Server.Faults.Add(new CursorExpiredFault());

        Assert.Equal(": heartbeat", (await LinesAsync("", 4, ("Last-Event-ID", "event-1")))[3]);
    }

    [Fact]
    public async Task A_list_has_links_and_is_not_sent_again_unchanged()
    {
        await StartAsync(FeedKind.Rest, o => o.PageSize = 2, """{"id":1}""", """{"id":2}""", """{"id":3}""");

        var first = await GetAsync();
        var link = first.Header("Link")!;
        var last = await GetAsync(link[1..link.IndexOf('>')]);

        Assert.Equal(("""[{"id":1},{"id":2}]""", """[{"id":3}]""", (string?)null), (first.Text, last.Text, last.Header("Link")));
        Assert.Equal(304, (await GetAsync("", ("If-None-Match", first.Header("ETag")!))).Status);
        Assert.Equal("""[{"id":3}]""", (await GetAsync("?page=2&per_page=2")).Text);
    }

    [Theory]
    [InlineData("""{"From":"Rest","Cursor":"max:updated_at","Changes":{"Query":{"since":"{cursor}"}}}""", "?since=2026-01-02T00:00:00Z")]
    [InlineData(
        """{"From":"Rest","Cursor":"max:updated_at","Changes":{"Query":{"q":"updated_at>={cursor:yyyy-MM-dd HH:mm}^ORDER"}}}""",
        "?q=updated_at>=2026-01-02 00:00^ORDER"
    )]
    public async Task A_list_tells_what_was_updated_since_in_the_dialects_own_words(string dialect, string asked)
    {
        await StartAsync(
            FeedKind.Rest,
            o => o.Description = DialectDescription.Parse(dialect, "test"),
            """{"id":1,"updated_at":"2026-01-03T00:00:00Z"}""",
            """{"id":2,"updated_at":"2026-01-01T00:00:00Z"}""",
            """{"id":3,"updated_at":"2026-01-02T00:00:00Z"}"""
        );

        Assert.Equal("3 1", string.Join(' ', (await GetAsync(asked)).Json.AsArray().Select(item => item!["id"])));
        Assert.Equal("2 3 1", string.Join(' ', (await GetAsync()).Json.AsArray().Select(item => item!["id"])));
    }

    [Fact]
    public async Task A_list_by_token_gives_the_token_at_the_end_and_marks_what_is_gone()
    {
        var dialect =
            """{"From":"Rest","Items":"items","Deleted":{"status":"cancelled"},"Next":{"pageToken":"nextPageToken"}"""
            + ""","Cursor":"nextSyncToken","Changes":{"Query":{"syncToken":"{cursor}"}}}""";
        await StartAsync(
            FeedKind.Rest,
            o => (o.PageSize, o.Description) = (1, DialectDescription.Parse(dialect, "test")),
            """{"id":1}""",
            """{"id":2}"""
        );

        var first = (await GetAsync()).Json;
        var last = (await GetAsync($"?pageToken={first["nextPageToken"]}")).Json;
        Server.RemoveRecord("""{"id":1}""");
        var changes = (await GetAsync($"?syncToken={last["nextSyncToken"]}")).Json;

        Assert.Null(first["nextSyncToken"]);
        Assert.Null(last["nextPageToken"]);
        Assert.Equal("""[{"id":1,"status":"cancelled"}]""", changes["items"]!.ToJsonString());
        Assert.Equal(410, (await GetAsync("?syncToken=old")).Status);
    }

    [Fact]
    public async Task A_shape_is_a_log_that_is_read_to_its_end_and_then_live()
    {
        await StartAsync(FeedKind.Shape, o => o.PageSize = 2, """{"id":1,"n":1,"t":"x"}""", """{"id":2,"n":2}""");
        Server.AddRecord("""{"id":1,"n":7}""");

        var first = await GetAsync("/v1/shape?table=items&offset=-1");
        var (handle, offset) = (first.Header("electric-handle"), first.Header("electric-offset"));
        var second = await GetAsync($"/v1/shape?table=items&offset={offset}&handle={handle}");
        var whole = await GetAsync($"/v1/shape?table=items&offset={offset}&handle={handle}&replica=full");
        var live = await GetAsync($"/v1/shape?table=items&offset={second.Header("electric-offset")}&handle={handle}&live=true");

        Assert.Null(first.Header("electric-up-to-date"));
        Assert.NotNull(second.Header("electric-up-to-date"));
        Assert.Equal("\"public\".\"items\"/\"1\" insert", $"{first.Json[0]!["key"]} {first.Json[0]!["headers"]!["operation"]}");
        Assert.Equal("""{"id":"1","n":"7"}""", second.Json[0]!["value"]!.ToJsonString());
        Assert.Equal("""{"id":"1","n":"7","t":"x"}""", whole.Json[0]!["value"]!.ToJsonString());
        Assert.Equal("up-to-date", $"{second.Json[1]!["headers"]!["control"]}");
        Assert.NotNull(live.Header("electric-cursor"));
        Assert.Equal("int8", $"{JsonNode.Parse(first.Header("electric-schema")!)!["n"]!["type"]}");
    }

    [Fact]
    public async Task A_shape_under_another_handle_is_to_be_fetched_again()
    {
        await StartAsync(FeedKind.Shape, null, """{"id":1}""");

        var answer = await GetAsync("/v1/shape?table=items&offset=1_0&handle=other");
        Server.Faults.Add(new CursorExpiredFault { Times = 1 });
        var expired = await GetAsync("/v1/shape?table=items&offset=1_0&handle=" + answer.Header("electric-handle"));
        var again = await GetAsync("/v1/shape?table=items&offset=-1&handle=" + expired.Header("electric-handle"));

        Assert.Equal((409, """[{"headers":{"control":"must-refetch"}}]"""), (answer.Status, answer.Text));
        Assert.NotEqual(answer.Header("electric-handle"), expired.Header("electric-handle"));
        Assert.Equal(expired.Header("electric-handle"), again.Header("electric-handle"));
        Assert.Equal(400, (await GetAsync("/v1/shape?table=others&offset=-1")).Status);
    }

    [Fact]
    public async Task A_durable_stream_is_read_by_offset_by_long_poll_and_as_events()
    {
        await StartAsync(FeedKind.DurableStream, o => o.PageSize = 1, """{"id":1}""", """{"id":2}""");

        var first = await GetAsync();
        var second = await GetAsync($"?offset={first.Header("Stream-Next-Offset")}");
        var end = second.Header("Stream-Next-Offset");
        var poll = await GetAsync($"?offset={end}&live=long-poll");
        var events = await LinesAsync("?offset=-1&live=sse", 5);

        Assert.Equal(("""[{"id":1}]""", """[{"id":2}]"""), (first.Text, second.Text));
        Assert.Equal((null, "true"), (first.Header("Stream-Up-To-Date"), second.Header("Stream-Up-To-Date")));
        Assert.Equal((204, end, "true"), (poll.Status, poll.Header("Stream-Next-Offset"), poll.Header("Stream-Up-To-Date")));
        Assert.Equal(["event: data", "data: [{\"id\":1}]", "", "event: control"], events[..4]);
        Assert.Contains("streamNextOffset", events[4]);
        Assert.Equal(304, (await GetAsync("", ("If-None-Match", first.Header("ETag")!))).Status);
        Assert.Equal(400, (await GetAsync("?offset=x")).Status);
    }

    [Fact]
    public async Task Faults_change_the_records_of_a_document_and_leave_it_one()
    {
        await StartAsync(FeedKind.Rest, null, """{"id":1}""", """{"id":2}""", """{"id":3}""");
        Server.Faults.Add(new ReorderFault { Window = 3 });
        Server.Faults.Add(new DuplicateFault { AtRecord = 1 });

        Assert.Equal("""[{"id":3},{"id":3},{"id":2},{"id":1}]""", (await GetAsync()).Text);
    }
}
