using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Requests;

public sealed class RequestLogTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_entry_tells_what_was_asked_and_what_became_of_it()
    {
        var before = TimeProvider.System.GetUtcNow();
        await using var server = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/99%3A8?update=true", Cancelled, "X-Test: yes\r\n");
        await using (client)
        {
            var request = await server.EndOfOnlyRequestAsync();
            Assert.Equal(1, request.Number);
            Assert.InRange(request.Time, before, TimeProvider.System.GetUtcNow());
            Assert.Equal("GET", request.Method);
            Assert.StartsWith("/servers/99", request.Path, StringComparison.Ordinal);
            Assert.Equal("99:8", request.Cursor);
            Assert.Equal("yes", request.Headers["x-test"]);
            Assert.Equal(200, request.Status);
            Assert.Equal(147, request.Bytes);
            Assert.Equal(RequestEnding.Completed, request.Ending);
        }
    }

    [Fact]
    public async Task A_client_that_leaves_is_noted()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled, null, """{"id":1,"updated_at":1}""");
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers?since=1", Cancelled);
        await using (client)
            await client.ReadChunkAsync(Cancelled);
        var request = await server.EndOfOnlyRequestAsync();
        Assert.Equal(RequestEnding.ClientClosed, request.Ending);
        Assert.Equal("1", request.Cursor);
        Assert.Equal(1, request.Records);
        Assert.Equal(200, request.Status);
    }

    [Fact]
    public async Task I9_no_secret_is_kept()
    {
        const string secret = "s3cr3t-value";
        var headers = string.Concat(
            new[]
            {
                "Authorization: Basic ",
                "Proxy-Authorization: Bearer ",
                "Cookie: id=",
                "X-Api-Key: ",
                "X-Auth-Token: ",
                "My-Client-Secret: ",
            }.Select(header => $"{header}{secret}\r\n")
        );
        await using var server = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        (var client, _) = await RawClient.GetAsync(
            server.Uri,
            $"/servers/5?access_token={secret}&region=kept&sig={secret}&X-Amz-Signature={secret}",
            Cancelled,
            headers
        );
        await using (client)
        {
            var request = await server.EndOfOnlyRequestAsync();
            Assert.DoesNotContain(secret, request.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain(secret, request.Path, StringComparison.Ordinal);
            Assert.All(request.Headers, header => Assert.DoesNotContain(secret, header.Value, StringComparison.Ordinal));
            Assert.Equal("Basic ***", request.Headers["Authorization"]);
            Assert.Contains("&region=kept&", request.Path, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task I8_only_the_newest_are_kept()
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Finite,
            RequestLogCapacity = 3,
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        using HttpClient http = new();
        for (var i = 1; i <= 5; i++)
            await http.GetStringAsync(new Uri(server.FeedUri, $"{i}"), Cancelled);
        Assert.Equal(["3", "4", "5"], server.Requests.Select(request => request.Cursor));
    }
}
