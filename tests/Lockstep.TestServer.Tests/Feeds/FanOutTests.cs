using System.Globalization;
using System.Net;
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
            // Lets clients connect in between; how many records each finds differs from run to run, and must not matter.
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
        FanOut fanOut = new(new SharedRecords(options, log, new FeedSignals(options, log, TimeProvider.System)), new Pulse());
        using Socket first = new(SocketType.Stream, ProtocolType.Tcp);
        using Socket second = new(SocketType.Stream, ProtocolType.Tcp);
        TestRequest entry = new(1, TimeProvider.System, "GET", "/", null, new Dictionary<string, string>());
        // A client with a closed socket is gone, as soon as there is something to send.
        var gone = JoinAsync(first);
        log.Append([Encoding.UTF8.GetBytes(Record(1))], maker);
        Assert.True((await gone)!.Value.IsGone);
        Assert.Null(await JoinAsync(second).WaitAsync(Eventually.Deadline, Cancelled));

        Task<FanOut.Rest?> JoinAsync(Socket socket) =>
            fanOut.JoinAsync(socket, entry, 0, 0, Timeout.InfiniteTimeSpan, TimeProvider.System, Cancelled);
    }

    [Fact]
    public async Task A_client_whose_time_is_up_leaves_with_its_place()
    {
        ScriptedFeedOptions options = new();
        RecordLog log = new();
        FanOut fanOut = new(new SharedRecords(options, log, new FeedSignals(options, log, TimeProvider.System)), new Pulse());
        (var here, var there) = await ConnectAsync();
        using (here)
        using (there)
        {
            TestRequest entry = new(1, TimeProvider.System, "GET", "/", null, new Dictionary<string, string>());
            ManualTimeProvider time = new();
            var joined = fanOut.JoinAsync(here, entry, 0, 0, TimeSpan.FromMinutes(1), time, Cancelled);
            log.Append([Encoding.UTF8.GetBytes(Record(1))], new RecordMaker(options));
            await Eventually.TrueAsync(() => entry.LivePosition == 1);
            Assert.False(joined.IsCompleted);

            time.Advance(TimeSpan.FromMinutes(1));
            var rest = await joined.WaitAsync(Eventually.Deadline, Cancelled);
            Assert.Equal((1, 0, false), (rest!.Value.Position, rest.Value.Bytes.Length, rest.Value.IsGone));
        }
    }

    [Fact]
    public async Task More_clients_than_one_crowd_get_each_record_and_heartbeat_once()
    {
        const int clients = 600;
        await using var server = await TestServers.StartScriptedAsync(Cancelled);
        List<RawClient> all = [];
        try
        {
            for (var i = 0; i < clients; i++)
                all.Add((await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled)).Client);
            await server.WaitForClientsAsync(clients, Cancelled);
            for (var i = 1; i <= 20; i++)
                server.AddRecord(Record(i));
            server.SendHeartbeat(HeartbeatKind.BlankLine);
            server.AddRecord(Record(21));
            string[] records = [.. Enumerable.Range(1, 21).Select(Record)];
            var length = records.Sum(record => record.Length + 1) + "\n".Length;
            foreach (var client in all)
            {
                // Where the blank line stands depends on what there was at the client's turn.
                var lines = (await client.ReadChunkedAsync(length, Cancelled))[..^1].Split('\n');
                Assert.Equal(records, lines.Where(line => line.Length > 0));
                Assert.Single(lines, line => line.Length == 0);
            }
        }
        finally
        {
            foreach (var client in all)
                await client.DisposeAsync();
        }
    }

    private static async Task<(Socket Here, Socket There)> ConnectAsync()
    {
        using Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Socket here = new(SocketType.Stream, ProtocolType.Tcp);
        await here.ConnectAsync(listener.LocalEndPoint!, Cancelled);
        return (here, await listener.AcceptAsync(Cancelled));
    }

    private static string Record(int i) => $$"""{"id":{{i}},"updated_at":{{i}}}""";

    private static async Task<string> ReadAsync(LockstepTestServer server, int length)
    {
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
            return await client.ReadChunkedAsync(length, Cancelled);
    }
}
