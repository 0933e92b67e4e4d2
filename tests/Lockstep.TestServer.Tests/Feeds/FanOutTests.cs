using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Feeds;

public sealed class FanOutTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Clients_that_come_while_records_are_added_get_each_record_once_and_in_order()
    {
        const int records = 3000;
        await using var server = await TestServers.StartScriptedAsync(Cancelled);
        var all = string.Concat(Enumerable.Range(1, records).Select(i => Record(i) + "\n"));
        var clients = new Task<string>[30];
        for (int i = 1, next = 0; i <= records; i++)
        {
            if (i % (records / clients.Length) == 1)
                clients[next++] = ReadAsync(server, all.Length);
            server.AddRecord(Record(i));
            // Lets clients come in between; how many records each finds there differs from run to run, and must not matter.
            if (i % 10 == 0)
                await Task.Yield();
        }
        foreach (var got in await Task.WhenAll(clients))
            Assert.Equal(all, got);
    }

    [Fact]
    public async Task A_client_that_stops_reading_leaves_the_others_and_loses_nothing()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled);
        (var slow, _) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
        (var quick, _) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
        await using (slow)
        await using (quick)
        {
            string padding = new('x', 1000);
            var all = "";
            for (var set = 0; set < 15; set++)
            {
                string[] records =
                [
                    .. Enumerable.Range(set * 1000, 1000).Select(i => $$"""{"id":{{i}},"updated_at":{{i}},"text":"{{padding}}"}"""),
                ];
                server.AddRecords(records);
                var text = string.Concat(records.Select(record => record + "\n"));
                Assert.Equal(text, await quick.ReadChunkedAsync(text.Length, Cancelled));
                all += text;
            }
            Assert.True(server.Requests[0].LivePosition < 15_000);
            Assert.Equal(15_000, server.Requests[1].Records);
            Assert.Equal(all, await slow.ReadChunkedAsync(all.Length, Cancelled));
            await server.WaitForDeliveryAsync(Cancelled);
            Assert.Equal(15_000, server.Requests[0].Records);
            // Both are served together again.
            server.AddRecord(Record(20_000));
            Assert.Equal(Record(20_000) + "\n", await slow.ReadChunkAsync(Cancelled));
            Assert.Equal(Record(20_000) + "\n", await quick.ReadChunkAsync(Cancelled));
        }
    }

    [Fact]
    public async Task When_all_have_left_the_next_one_is_served_as_well()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled);
        for (var i = 1; i <= 3; i++)
        {
            (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/" + i.ToString(CultureInfo.InvariantCulture), Cancelled);
            await using (client)
            {
                await server.WaitForClientsAsync(1, Cancelled);
                server.AddRecord(Record(i));
                Assert.Equal(Record(i) + "\n", await client.ReadChunkAsync(Cancelled));
            }
        }
    }

    [Fact]
    public async Task Who_comes_after_the_last_one_has_left_and_lacks_what_that_one_got_is_told_to_fetch_it()
    {
        ScriptedFeedOptions options = new();
        RecordLog log = new();
        RecordMaker maker = new(options);
        FanOut fanOut = new(options, log, new FeedSignals(options, log, TimeProvider.System), new Pulse());
        using Socket first = new(SocketType.Stream, ProtocolType.Tcp);
        using Socket second = new(SocketType.Stream, ProtocolType.Tcp);
        TestRequest entry = new(1, TimeProvider.System, "GET", "/", null, new Dictionary<string, string>());
        // A socket that is not connected is one whose client is gone, as soon as there is something to send.
        var gone = fanOut.JoinAsync(first, entry, 0, 0, Cancelled);
        log.Append([Encoding.UTF8.GetBytes(Record(1))], maker);
        Assert.True((await gone)!.Value.IsGone);
        Assert.Null(await fanOut.JoinAsync(second, entry, 0, 0, Cancelled).WaitAsync(Eventually.Deadline, Cancelled));
    }

    private static string Record(int i) => $$"""{"id":{{i}},"updated_at":{{i}}}""";

    private static async Task<string> ReadAsync(LockstepTestServer server, int length)
    {
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
            return await client.ReadChunkedAsync(length, Cancelled);
    }
}
