using System.Globalization;
using System.Text.Json;
using Lockstep.Testing;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Feeds;

public sealed class ScriptedFeedTests
{
    private const string One = """{"id":1,"updated_at":1,"deleted_at":null}""";
    private const string Three = """{"id":3,"updated_at":3,"deleted_at":null}""";
    private const string Two = """{"id":2,"updated_at":2,"deleted_at":2}""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/servers/0", One + "\n" + Three + "\n" + Two + "\n")]
    [InlineData("/servers/", One + "\n" + Three + "\n" + Two + "\n")]
    [InlineData("/servers", One + "\n" + Three + "\n" + Two + "\n")]
    [InlineData("/servers/2", Three + "\n" + Two + "\n")]
    [InlineData("/servers?since=2&update=true", Three + "\n" + Two + "\n")]
    [InlineData("/servers/2.5", Three + "\n")]
    [InlineData("/servers/4", "")]
    public async Task The_cursor_is_inclusive_in_both_styles_and_arrival_is_the_order(string path, string expected)
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled, feed => feed.Endless = false, One, Three, Two);
        Assert.Equal(expected, await GetBodyAsync(server, path));
    }

    [Theory]
    [InlineData(ScriptedDialect.Record, null, false, true)]
    [InlineData(ScriptedDialect.Record, null, true, true)]
    [InlineData(ScriptedDialect.Record, false, false, false)]
    [InlineData(ScriptedDialect.Record, false, true, false)]
    [InlineData(ScriptedDialect.Transaction, null, false, false)]
    [InlineData(ScriptedDialect.Transaction, true, false, true)]
    public async Task Each_record_of_the_record_dialect_is_a_chunk_of_its_own_unless_told_otherwise(
        ScriptedDialect dialect,
        bool? told,
        bool faulted,
        bool each
    )
    {
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed => (feed.Dialect, feed.ChunkPerRecord) = (dialect, told),
            One,
            Two
        );
        if (faulted)
            server.Faults.Add(new DuplicateFault { AtRecord = 100 });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal(each ? 1 : 2, Lines(await client.ReadChunkAsync(Cancelled)));
            if (each)
                Assert.Equal(1, Lines(await client.ReadChunkAsync(Cancelled)));
            if (dialect == ScriptedDialect.Transaction)
                Assert.Contains("snapshot_completed", await client.ReadChunkAsync(Cancelled), StringComparison.Ordinal);
            // All clients get together what is added; the one with a fault gets it alone.
            await server.WaitForDeliveryAsync(Cancelled);
            server.AddRecords([Three, Two]);
            Assert.Equal(each ? 1 : 2, Lines(await client.ReadChunkAsync(Cancelled)));
            if (each)
                Assert.Equal(1, Lines(await client.ReadChunkAsync(Cancelled)));
        }

        static int Lines(string chunk) => chunk.Count(c => c == '\n');
    }

    [Fact]
    public async Task A_string_cursor_goes_on_from_its_first_record_and_an_unknown_one_is_gone()
    {
        const string a = """{"id":1,"updated_at":"5:5000"}""";
        const string b = """{"id":2,"updated_at":"4:1/2"}""";
        await using var server = await TestServers.StartScriptedAsync(Cancelled, feed => feed.Endless = false, a, b, a);
        Assert.Equal($"{a}\n{b}\n{a}\n", await GetBodyAsync(server, "/servers/5:5000"));
        Assert.Equal($"{b}\n{a}\n", await GetBodyAsync(server, "/servers/4%3A1%2F2"));
        Assert.Equal($"{b}\n{a}\n", await GetBodyAsync(server, "/servers?since=4:1/2"));
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/6:1", Cancelled);
        await using (client)
            Assert.StartsWith("HTTP/1.1 410 ", head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_added_goes_to_connected_clients_in_order_whatever_its_cursor()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled, null, One);
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/1", Cancelled);
        (var other, _) = await RawClient.GetAsync(server.Uri, "/servers/5", Cancelled);
        await using (client)
        await using (other)
        {
            Assert.Equal(One + "\n", await client.ReadChunkAsync(Cancelled));
            server.AddRecord(Three);
            server.AddRecords([Two, One]);
            Assert.Equal($"{Three}\n{Two}\n{One}\n", await client.ReadChunkedAsync(Three.Length + Two.Length + One.Length + 3, Cancelled));
            Assert.Equal($"{Three}\n{Two}\n{One}\n", await other.ReadChunkedAsync(Three.Length + Two.Length + One.Length + 3, Cancelled));
        }
        Assert.Equal(4, server.RecordCount);
    }

    [Theory]
    [InlineData(HeartbeatKind.Auto, ScriptedDialect.Record, "{\"heartbeat\":true}\n")]
    [InlineData(HeartbeatKind.Object, ScriptedDialect.Record, "{\"heartbeat\":true}\n")]
    [InlineData(HeartbeatKind.BlankLine, ScriptedDialect.Record, "\n")]
    public async Task Silence_is_filled_with_heartbeats(HeartbeatKind kind, ScriptedDialect dialect, string expected)
    {
        ManualTimeProvider time = new();
        TestServerOptions options = new() { Port = 0, Feed = FeedKind.Scripted };
        (options.Scripted.Dialect, options.Scripted.Heartbeat, options.Scripted.HeartbeatInterval) = (
            dialect,
            kind,
            TimeSpan.FromSeconds(30)
        );
        await using var server = await LockstepTestServer.StartAsync(options, time, Cancelled);
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
        await using (client)
        {
            for (var i = 0; i < 3; i++)
            {
                await time.WaitForTimersAsync(1, Cancelled);
                time.Advance(TimeSpan.FromSeconds(30));
                Assert.Equal(expected, await client.ReadChunkAsync(Cancelled));
            }
        }
    }

    [Fact]
    public async Task A_heartbeat_can_be_asked_for_and_goes_to_everyone()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled, null, One);
        (var first, _) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
        (var second, _) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
        await using (first)
        await using (second)
        {
            foreach (var client in new[] { first, second })
                Assert.Equal(One + "\n", await client.ReadChunkAsync(Cancelled));
            server.AddRecord(Two);
            foreach (var client in new[] { first, second })
                Assert.Equal(Two + "\n", await client.ReadChunkAsync(Cancelled));
            server.SendHeartbeat(HeartbeatKind.BlankLine);
            foreach (var client in new[] { first, second })
                Assert.Equal("\n", await client.ReadChunkAsync(Cancelled));
            server.SendHeartbeat();
            Assert.Equal("{\"heartbeat\":true}\n", await first.ReadChunkAsync(Cancelled));
        }
    }

    [Fact]
    public async Task Heartbeats_asked_for_go_out_one_by_one_to_all_whose_request_has_come_and_to_no_later_one()
    {
        for (var i = 0; i < 20; i++)
        {
            await using var server = await TestServers.StartScriptedAsync(Cancelled, null, One);
            Task<(RawClient Client, string)>[] early =
            [
                .. Enumerable.Range(0, 4).Select(_ => RawClient.GetAsync(server.Uri, "/servers/", Cancelled)),
            ];
            // That a request has arrived says nothing of how far its response is.
            await server.WaitForRequestsAsync(early.Length, Cancelled);
            server.SendHeartbeat(HeartbeatKind.BlankLine);
            server.SendHeartbeat();
            (var late, _) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
            await server.WaitForDeliveryAsync(Cancelled);
            server.AddRecord(Two);
            foreach ((var client, _) in await Task.WhenAll(early))
            {
                await using (client)
                    Assert.Equal([One + "\n", "\n", "{\"heartbeat\":true}\n", Two + "\n"], await ReadSortedAsync(client, 4));
            }
            await using (late)
                Assert.Equal([One + "\n", Two + "\n"], await ReadSortedAsync(late, 2));
        }

        // A record precedes a waiting heartbeat.
        static async Task<string[]> ReadSortedAsync(RawClient client, int chunks)
        {
            List<string> got = [];
            while (got.Count < chunks)
                got.Add(await client.ReadChunkAsync(Cancelled));
            got.Remove(Two + "\n");
            return [.. got, Two + "\n"];
        }
    }

    [Fact]
    public async Task A_wrapped_record_is_numbered_above_the_ready_made_rows_before_it()
    {
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed => (feed.Dialect, feed.Endless) = (ScriptedDialect.Transaction, false),
            """{"txid":41,"current_xmin":41,"since":41,"deleted":false,"data":{"id":1}}""",
            One
        );
        var body = await GetBodyAsync(server, "/servers/42");
        Assert.StartsWith("""{"txid":42,""", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_transaction_dialect_wraps_records_and_marks_the_end_of_the_snapshot_and_of_each_set()
    {
        const string row = """{"txid":9,"current_xmin":12,"since":9,"deleted":false,"data":{"id":7}}""";
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed => feed.Dialect = ScriptedDialect.Transaction,
            One,
            Two,
            row
        );
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal(
                $$"""{"txid":1,"current_xmin":1,"since":1,"deleted":false,"data":{{One}}}"""
                    + "\n"
                    + $$"""{"txid":2,"current_xmin":2,"since":2,"deleted":true,"data":{{Two}}}"""
                    + "\n"
                    + row
                    + "\n",
                await client.ReadChunkAsync(Cancelled)
            );
            AssertControl("snapshot_completed", since: 9, await client.ReadChunkAsync(Cancelled));
            server.AddRecord("""{"txid":10,"current_xmin":13,"since":10,"deleted":true,"data":{"id":7}}""");
            Assert.StartsWith("""{"txid":10,""", await client.ReadChunkAsync(Cancelled), StringComparison.Ordinal);
            AssertControl("heartbeat", since: 10, await client.ReadChunkAsync(Cancelled));
        }
    }

    [Fact]
    public async Task Cursor_0_can_be_redirected_to_a_snapshot_that_stays_the_same()
    {
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed =>
            {
                feed.RedirectToSnapshot = true;
                feed.AnnounceCount = true;
            },
            One,
            Three
        );
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
            Assert.StartsWith("HTTP/1.1 307 ", head, StringComparison.Ordinal);
        server.AddRecord(Two);
        Uri snapshot = new(head.Split("Location: ")[1].Split("\r\n")[0]);
        Assert.Equal($"{One}\n{Three}\n", await GetBodyAsync(server, snapshot.PathAndQuery));
        (var live, var liveHead) = await RawClient.GetAsync(server.Uri, "/servers?since=0&update=true", Cancelled);
        await using (live)
        {
            Assert.Contains("X-Amz-Meta-Count: 3\r\n", liveHead, StringComparison.Ordinal);
            Assert.Equal($"{One}\n{Three}\n{Two}\n", await live.ReadChunkedAsync(One.Length + Three.Length + Two.Length + 3, Cancelled));
        }
    }

    [Theory]
    [InlineData(true, ScriptedDialect.Record, null, true)]
    [InlineData(true, ScriptedDialect.Record, "Stall", false)]
    [InlineData(true, ScriptedDialect.Record, "Reorder", false)]
    [InlineData(true, ScriptedDialect.Record, "Duplicate", true)]
    [InlineData(true, ScriptedDialect.Record, "EqualOrder", true)]
    [InlineData(true, ScriptedDialect.Transaction, null, false)]
    [InlineData(false, ScriptedDialect.Record, null, false)]
    public async Task An_endless_feed_says_that_its_silence_tells_unless_control_rows_do_or_a_fault_may_make_it_silent(
        bool endless,
        ScriptedDialect dialect,
        string? fault,
        bool says
    )
    {
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed => (feed.Endless, feed.Dialect) = (endless, dialect),
            One
        );
        if (fault is not null)
            server.Faults.Add(FaultKinds.Create(fault));
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
            Assert.Equal(says, head.Contains("Lockstep-Caught-Up: silence\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Deleted_records_can_be_left_out_of_a_snapshot_only()
    {
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed => (feed.OmitDeleted, feed.Endless) = (true, false),
            One,
            Two,
            Three
        );
        Assert.Equal($"{One}\n{Three}\n", await GetBodyAsync(server, "/servers/0"));
        Assert.Equal($"{One}\n{Two}\n{Three}\n", await GetBodyAsync(server, "/servers/1"));
    }

    [Fact]
    public async Task A_client_of_another_feed_gets_409_and_the_right_identity()
    {
        await using var server = await TestServers.StartScriptedAsync(
            Cancelled,
            feed => (feed.Identity, feed.InstanceName) = ("new", "node-1"),
            One
        );
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/1", Cancelled, "Lockstep-Feed: old\r\n");
        await using (client)
        {
            Assert.StartsWith("HTTP/1.1 409 ", head, StringComparison.Ordinal);
            Assert.Contains("Lockstep-Feed: new\r\n", head, StringComparison.Ordinal);
            Assert.Contains("Instance-Name: node-1\r\n", head, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Records_come_from_a_file_and_keep_their_bytes()
    {
        using TempFolder folder = new();
        const string odd = """{ "id" : 12345678901234567890123, "updated_at":1e3, "name":"\u00e9é" }""";
        await File.WriteAllTextAsync(folder["r.ndjson"], $"{odd}\r\n\n{One}\n", Cancelled);
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            RecordsFile = folder["r.ndjson"],
        };
        (options.Scripted.Endless, options.Scripted.Separator) = (false, "");
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        using HttpClient http = new();
        Assert.Equal(odd + One, await http.GetStringAsync(server.FeedUri, Cancelled));
        Assert.Equal(odd, await http.GetStringAsync(new Uri(server.FeedUri, "1000"), Cancelled));
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("{\"id\":1")]
    [InlineData("{}{}")]
    [InlineData("")]
    [InlineData("""{"\ud800":1}""")]
    [InlineData("""{"updated_at":"\ud800"}""")]
    public async Task What_is_not_one_object_is_refused(string record)
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled);
        Assert.Throws<InvalidRecordException>(() => server.AddRecord(record));
        Assert.Equal(0, server.RecordCount);
    }

    [Fact]
    public async Task Only_a_scripted_feed_takes_records()
    {
        await using var server = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        Assert.Throws<InvalidOperationException>(() => server.AddRecord(One));
        await Assert.ThrowsAsync<ArgumentException>(() =>
            LockstepTestServer.StartAsync(new TestServerOptions { Port = 0, Records = [One] }, cancellationToken: Cancelled)
        );
    }

    private static void AssertControl(string type, long since, string line)
    {
        using var row = JsonDocument.Parse(line);
        Assert.True(row.RootElement.GetProperty("control").GetBoolean());
        Assert.Equal(type, row.RootElement.GetProperty("type").GetString());
        Assert.Equal(since, row.RootElement.GetProperty("since").GetInt64());
        Assert.True(row.RootElement.GetProperty("timestamp").GetInt64() > 0);
    }

    private static async Task<string> GetBodyAsync(LockstepTestServer server, string path)
    {
        (var client, var head) = await RawClient.GetAsync(server.Uri, path, Cancelled, "Connection: close\r\n");
        await using (client)
        {
            Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
            var body = await client.ReadToEndAsync(Cancelled);
            Assert.Contains(
                string.Create(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n"),
                head,
                StringComparison.Ordinal
            );
            return body;
        }
    }
}
