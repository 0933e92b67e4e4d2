using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Feeds;

public sealed class FiniteFeedTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/servers/998")]
    [InlineData("/servers/0")]
    [InlineData("/servers/")]
    public async Task Answers_two_lines_and_ends(string path)
    {
        await using var server = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        (var client, var head) = await RawClient.GetAsync(server.Uri, path, Cancelled, "Connection: close\r\n");
        await using (client)
        {
            const string expected =
                """{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}"""
                + "\n"
                + """{"id":124,"updated_at":1000,"deleted_at":1000,"ip":"0.0.0.0","port":1234}"""
                + "\n";
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", head, StringComparison.Ordinal);
            Assert.Contains($"Content-Length: {expected.Length}\r\n", head, StringComparison.Ordinal);
            Assert.Equal(expected, await client.ReadToEndAsync(Cancelled));
        }
        var request = await server.EndOfOnlyRequestAsync();
        Assert.Equal(RequestEnding.Completed, request.Ending);
        Assert.Equal(2, request.Records);
        Assert.Null(server.RedirectUri);
    }

    [Fact]
    public async Task Knows_no_other_path()
    {
        await using var server = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/others/0", Cancelled);
        await using (client)
            Assert.StartsWith("HTTP/1.1 404 ", head, StringComparison.Ordinal);
    }
}
