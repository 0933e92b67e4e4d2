using System.Text;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using static Lockstep.TestServer.Tests.Faults.FaultServer;

namespace Lockstep.TestServer.Tests.Faults;

/// <summary>Faults that answer instead of the feed, or change the head of its answer.</summary>
public sealed class AnswerFaultTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_sends_any_code_with_its_headers()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(
            new StatusFault
            {
                Code = 503,
                RetryAfter = "7",
                Headers = new Dictionary<string, string> { ["X-Why"] = "test" },
                Body = "later",
            }
        );
        (var head, var body) = await server.ReadAllAsync(Cancelled);
        Assert.StartsWith("HTTP/1.1 503 Service Unavailable\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Retry-After: 7\r\n", head, StringComparison.Ordinal);
        Assert.Contains("X-Why: test\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Content-Length: 6\r\n", head, StringComparison.Ordinal);
        Assert.Equal("later\n", body);
        Assert.Equal(503, server.Requests[0].Status);
    }

    [Theory]
    [InlineData("X Why", "test", "X Why")]
    [InlineData("X-Why", "a\r\nX-Other: b", "X-Why")]
    [InlineData("Retry-After", "7\n", "Retry-After")]
    public async Task Status_refuses_a_header_that_cannot_be_sent(string name, string value, string named)
    {
        await using var server = await StartAsync(Cancelled);

        var error = Assert.Throws<ArgumentException>(() =>
            server.Faults.Add(
                name == "Retry-After"
                    ? new StatusFault { RetryAfter = value }
                    : new StatusFault { Headers = new Dictionary<string, string> { [name] = value } }
            )
        );

        Assert.Contains($"'{named}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirect_points_wherever_it_is_told()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new RedirectFault { To = "/servers/0", Code = 302 });
        (var head, _) = await server.ReadAllAsync(Cancelled);
        Assert.StartsWith("HTTP/1.1 302 ", head, StringComparison.Ordinal);
        Assert.Contains("Location: /servers/0\r\n", head, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(FeedKind.Finite, "/servers/17")]
    [InlineData(FeedKind.ODataDelta, "/v1.0/users/delta?$select=id")]
    public async Task Redirect_that_is_told_nothing_is_a_loop_on_any_feed(FeedKind feed, string path)
    {
        await using var server = await TestServers.StartAsync(feed, Cancelled);
        server.Faults.Add(new RedirectFault());
        (var head, _) = await server.ReadAllAsync(Cancelled, path);
        Assert.StartsWith("HTTP/1.1 307 ", head, StringComparison.Ordinal);
        Assert.Contains($"Location: {path}\r\n", head, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AuthenticationScheme.Bearer, "tok-1", "Bearer tok-1")]
    [InlineData(AuthenticationScheme.Basic, "me:pw", "Basic bWU6cHc=")]
    public async Task Unauthorized_opens_to_the_right_credentials_only(AuthenticationScheme scheme, string token, string header)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new UnauthorizedFault { Token = token, Scheme = scheme });
        foreach (
            var wrong in new[]
            {
                "",
                $"Authorization: {header}x\r\n",
                $"Authorization: {(scheme == AuthenticationScheme.Basic ? "Bearer" : "Basic")} {header.Split(' ')[1]}\r\n",
            }
        )
        {
            (var head, _) = await server.ReadAllAsync(Cancelled, headers: wrong);
            Assert.StartsWith("HTTP/1.1 401 ", head, StringComparison.Ordinal);
            Assert.Contains($"WWW-Authenticate: {scheme} ", head, StringComparison.Ordinal);
        }
        (_, var body) = await server.ReadAllAsync(Cancelled, headers: $"Authorization: {header}\r\n");
        Assert.Equal(A + B + C, body);
    }

    [Fact]
    public async Task A_new_epoch_turns_away_who_brings_the_old_one_and_serves_who_brings_none_or_the_new()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new EpochFault { Identity = "feed-2" });
        (var old, _) = await server.ReadAllAsync(Cancelled, "/servers/2", "Lockstep-Feed: feed-1\r\n");
        Assert.StartsWith("HTTP/1.1 409 ", old, StringComparison.Ordinal);
        Assert.Contains("Lockstep-Feed: feed-2\r\n", old, StringComparison.Ordinal);
        (var head, var body) = await server.ReadAllAsync(Cancelled, "/servers/0");
        Assert.Contains("Lockstep-Feed: feed-2\r\n", head, StringComparison.Ordinal);
        Assert.DoesNotContain("feed-1", head, StringComparison.Ordinal);
        Assert.Equal(A + B + C, body);
        (_, var next) = await server.ReadAllAsync(Cancelled, "/servers/3", "Lockstep-Feed: feed-2\r\n");
        Assert.Equal(C, next);
    }

    [Theory]
    [InlineData(null, "/servers/0", 200)]
    [InlineData(null, "/servers?since=2", 410)]
    [InlineData(null, "/servers/5:5", 410)]
    [InlineData(3L, "/servers/2", 410)]
    [InlineData(3L, "/servers/3", 200)]
    public async Task An_expired_cursor_is_gone_and_0_is_served(long? below, string path, int status)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new CursorExpiredFault { Below = below });
        (var head, _) = await server.ReadAllAsync(Cancelled, path);
        Assert.StartsWith($"HTTP/1.1 {status} ", head, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-10)]
    [InlineData(10)]
    public async Task A_wrong_length_is_announced_and_the_body_stays_as_it_is(int delta)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new ContentLengthFault { Delta = delta });
        (var head, var body) = await server.ReadAllAsync(Cancelled);
        Assert.Contains($"Content-Length: {(A + B + C).Length + delta}\r\n", head, StringComparison.Ordinal);
        Assert.Equal(A + B + C, body);
    }

    [Fact]
    public async Task An_endless_feed_can_announce_a_length()
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        server.Faults.Add(new ContentLengthFault { Length = 100_000 });
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Contains("Content-Length: 100000\r\n", head, StringComparison.Ordinal);
            Assert.DoesNotContain("chunked", head, StringComparison.Ordinal);
            Assert.Equal(A + B + C, await client.ReadAsync((A + B + C).Length, Cancelled));
        }
    }

    [Fact]
    public async Task HEAD_gets_the_head_alone()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new DuplicateFault());
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("HEAD /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        Assert.EndsWith("\r\n\r\n", await client.ReadToEndAsync(Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_of_HTTP_1_0_gets_no_chunks()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new DuplicateFault { AtRecord = 1 });
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET /servers/0 HTTP/1.0\r\n\r\n", Cancelled);
        Assert.EndsWith("\r\n\r\n" + A + A + B + C, await client.ReadToEndAsync(Cancelled), StringComparison.Ordinal);
    }
}
