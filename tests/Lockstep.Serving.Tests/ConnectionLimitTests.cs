using System.Net;
using System.Net.Sockets;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Serving.Tests;

public sealed class ConnectionLimitTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_comes_beyond_the_limit_is_told_to_come_back_and_may_when_another_has_gone()
    {
        await using var server = await StartAsync(new ConnectionLimits { Most = 2 });
        using var one = await OpenAsync(server);
        using var two = await OpenAsync(server);
        using (var three = new HttpClient())
        {
            using var refused = await three.GetAsync(new Uri(server.Uri, "items"), HttpCompletionOption.ResponseHeadersRead, Cancel);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.True(refused.Headers.ConnectionClose);
        }

        two.Dispose();
        await Lockstep.Testing.Eventually.TrueAsync(async () =>
        {
            using var four = new HttpClient();
            using var admitted = await four.GetAsync(new Uri(server.Uri, "items"), HttpCompletionOption.ResponseHeadersRead, Cancel);
            return admitted.StatusCode == HttpStatusCode.OK;
        });
    }

    [Fact]
    public async Task One_address_has_a_limit_of_its_own()
    {
        await using var server = await StartAsync(new ConnectionLimits { MostPerAddress = 1 });
        using var one = await OpenAsync(server);
        using var two = new HttpClient();
        using var refused = await two.GetAsync(new Uri(server.Uri, "items"), HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    [Fact]
    public void Connections_are_counted_together_and_by_address_with_some_to_spare()
    {
        var (one, other) = (IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2"));
        var count = new ConnectionCount(new ConnectionLimits { Most = 100, MostPerAddress = 2 });
        Assert.Equal(Admission.Within, count.Came(one));
        Assert.Equal(Admission.Within, count.Came(one));
        Assert.Equal(Admission.Excess, count.Came(one));
        Assert.Equal(Admission.Within, count.Came(other));
        for (var i = 1; i < ConnectionLimits.Spare; i++)
            Assert.Equal(Admission.Excess, count.Came(one));
        Assert.Equal(Admission.Refused, count.Came(one));
        for (var i = 0; i <= ConnectionLimits.Spare; i++)
            count.Left(one);
        Assert.Equal(Admission.Within, count.Came(one));
    }

    [Theory]
    [InlineData("::ffff:10.0.0.1", "10.0.0.1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    [InlineData("10.0.0.1", "10.0.0.1")]
    public void A_network_that_one_machine_has_for_itself_counts_as_one_client(string address, string client) =>
        Assert.Equal(IPAddress.Parse(client), ClientAddress.Of(IPAddress.Parse(address)));

    private static readonly IPEndPoint Asked = new(IPAddress.Loopback, 0);

    [Theory]
    [InlineData(120L, 9)]
    [InlineData(1024L, 800)]
    [InlineData(null, 2048)]
    public void There_are_no_more_connections_than_the_process_may_open_files_for(long? files, int most) =>
        Assert.Equal(most, new ConnectionLimits().Within(files, Asked).Most);

    [Fact]
    public void A_process_that_may_open_next_to_nothing_serves_nothing_and_says_why()
    {
        var error = Assert.Throws<ListenException>(() => new ConnectionLimits().Within(64, Asked));

        Assert.Contains("only 64 more files", error.Message, StringComparison.Ordinal);
        Assert.Contains("ulimit -n", error.RecommendedAction, StringComparison.Ordinal);
    }

    private static Task<FeedServer> StartAsync(ConnectionLimits limits) =>
        FeedServer.StartAsync(
            [new ScriptedSource("items") { Chunks = { ScriptedSource.Chunk(FeedChunkKind.CaughtUp, 7) } }],
            new FeedServerOptions { Connections = limits },
            null,
            Cancel
        );

    private static async Task<TcpClient> OpenAsync(FeedServer server)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Uri.Port, Cancel);
        await client.GetStream().WriteAsync("GET /items?since=5 HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), Cancel);
        Assert.NotEqual(0, await client.GetStream().ReadAsync(new byte[1], Cancel));
        return client;
    }
}
