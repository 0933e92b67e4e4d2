using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>
/// No feed, file or dialect can add a header to a request through a line break in a value, and a user's header arrives or is refused.
/// </summary>
public sealed class RequestHeaderTests : SyncTest
{
    [Theory]
    [InlineData("5\r\nAuthorization: Bearer x", "5  Authorization: Bearer x")]
    [InlineData("5\n\nGET / HTTP/1.1", "5  GET / HTTP/1.1")]
    [InlineData("a\0b\u0085c", "a b c")]
    [InlineData("plain", "plain")]
    public void A_value_stays_on_its_line(string value, string sent)
    {
        using HttpRequestMessage request = new();
        RequestHeader.Add(request.Headers, "Last-Event-ID", value);
        Assert.Equal(sent, Assert.Single(request.Headers.NonValidated["Last-Event-ID"]));
    }

    [Theory]
    [InlineData("X Api Key", "v", "'X Api Key'")]
    [InlineData("X-Key\r\nX-Other", "v", "X-Key X-Other")]
    [InlineData("", "v", "''")]
    [InlineData("X-Key: s3cr3t", "v", "'X-Key'")]
    [InlineData("Content-Type", "text/plain", "'Content-Type'")]
    [InlineData("content-length", "5", "'content-length'")]
    [InlineData("Transfer-Encoding", "chunked", "'Transfer-Encoding'")]
    [InlineData("X-Key", "s3cr3t\r\nX-Other: y", "'X-Key'")]
    [InlineData("X-Key", "s3cr3t\n", "'X-Key'")]
    [InlineData("X-Key", "s3cr3t\0", "'X-Key'")]
    public async Task A_header_that_cannot_be_sent_is_refused_by_name_before_anything_is_sent(string name, string value, string named)
    {
        await using var server = RawServer.WithBodies("");
        var feed = new FeedOptions { Uri = server.FeedUri, Headers = [new(name, value)] };

        var error = Assert.Throws<InvalidOptionException>(() => feed.Validate());
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAsync<InvalidOptionException>(async () =>
        {
            using var http = new FeedHttp(feed);
            await http.GetAsync(server.FeedUri, null, stop.Token);
        });

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", error.Message + error.Remedy, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Every_other_header_arrives_as_it_was_given()
    {
        await using var server = RawServer.WithBodies("""{"id":1,"updated_at":1}""");
        KeyValuePair<string, string>[] headers =
        [
            new("X-Key", "a\tb, c;\"d\""),
            new("X-Empty", ""),
            new("x.y!z", "ü"),
            new("Cookie", "a=b; c=d"),
            new("Host", "other.example"),
            new("If-None-Match", "\"x\""),
            new("Date", "not a date"),
        ];
        var options = Options(server);
        await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri, Headers = headers },
                Store = options.Store,
            }
        );

        var lines = server.Requests.First().Split("\r\n");
        foreach ((var name, var value) in headers.Where(header => header.Key != "x.y!z"))
            Assert.Contains($"{name}: {value}", lines);
        Assert.Contains(lines, line => line.StartsWith("x.y!z: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_with_a_line_break_is_refused()
    {
        await using var server = RawServer.WithBodies("");
        var error = Assert.Throws<InvalidOptionException>(() =>
            new FeedOptions { Uri = server.FeedUri, BearerToken = "s3cr3t\r\nX-Other: y" }.Validate()
        );

        Assert.Contains("BearerToken", error.Remedy.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("t\n", null, null)]
    [InlineData(null, "X Key", "v")]
    [InlineData(null, "X-Key", "v\r\nX-Other: y")]
    public async Task What_a_script_supplies_is_checked_too(string? token, string? name, string? value)
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("401 Unauthorized"));
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = Options(server).Store,
            AsksForToken = true,
        };

        await Assert.ThrowsAsync<InvalidOptionException>(async () =>
        {
            await foreach (var step in new TableSync(options).RunAsync(Cancellation))
            {
                if (step is CredentialsNeeded needed)
                {
                    needed.NewToken = token;
                    needed.NewHeaders = name is null ? null : [new(name, value!)];
                }
            }
        });

        Assert.True(server.Requests.Count <= 1);
        Assert.All(server.Requests, head => Assert.DoesNotContain("Authorization", head, StringComparison.Ordinal));
    }
}
