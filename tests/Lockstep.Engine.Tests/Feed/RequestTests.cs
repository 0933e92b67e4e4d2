using System.Net;
using System.Net.Sockets;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>What a request carries, where it is redirected, and what never goes elsewhere.</summary>
public sealed class RequestTests : SyncTest
{
    private const string Password = "s3cr3t-pass";

    [Fact]
    public async Task A_connection_that_is_reset_at_once_is_a_feed_that_cannot_be_reached_whatever_the_system_calls_it()
    {
        await Parallel.ForAsync(
            0,
            4000,
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancellation },
            async (i, _) =>
            {
                // The system accepts the connection, and the server dies before it does.
                using var listener = new TcpListener(IPAddress.Loopback, 0);
                listener.Start();
                var feed = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/servers/");
                using var http = new FeedHttp(new FeedOptions { Uri = feed }, TimeProvider.System);
                var asking = http.GetAsync(feed, null, Cancellation);
                Thread.SpinWait(i * 10);
                listener.Stop();
                await Assert.ThrowsAsync<FeedUnreachableException>(() => asking);
            }
        );
    }

    [Fact]
    public async Task User_info_becomes_basic_authentication_and_a_token_goes_before_it()
    {
        await using var server = RawServer.WithBodies("");
        var withUser = new UriBuilder(server.FeedUri) { UserName = "me", Password = Password }.Uri;

        await SyncRun.ToEndAsync(Options(server, uri: withUser));
        await RunAsync(new FeedOptions { Uri = withUser, Credential = new NetworkCredential("you", "other") });
        await RunAsync(new FeedOptions { Uri = withUser, BearerToken = "tok" });
        await RunAsync(
            new FeedOptions
            {
                Uri = server.FeedUri,
                Headers = [new("Authorization", "Custom x"), new("X-Key", "k")],
                DisableCompression = true,
            }
        );

        Assert.Equal(
            [Basic("me:" + Password), Basic("you:other"), "Bearer tok", "Custom x"],
            server.Requests.Select(r => Header(r, "Authorization"))
        );
        Assert.Equal("k", Header(server.Requests.Last(), "X-Key"));
        Assert.Contains("gzip", Header(server.Requests.First(), "Accept-Encoding"), StringComparison.Ordinal);
        Assert.Equal("", Header(server.Requests.Last(), "Accept-Encoding"));
        Assert.StartsWith("Lockstep/", Header(server.Requests.First(), "User-Agent"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(308)]
    public async Task Ordinary_redirects_are_followed_and_are_no_snapshot(int status)
    {
        await using var server = new RawServer(exchange =>
            exchange.Head.StartsWith("GET /servers/", StringComparison.Ordinal)
                ? exchange.RedirectAsync("/elsewhere/" + exchange.Cursor, status)
                : exchange.BodyAsync(Record(1, 5))
        );

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(2, server.Requests.Count);
        Assert.Equal((1L, "5"), (run.Result.Added, run.Result.Cursor.ToString()));
    }

    [Fact]
    public async Task Redirects_that_lead_nowhere_are_errors()
    {
        await using var loop = new RawServer(exchange => exchange.RedirectAsync(exchange.Head.Split(' ')[1], 302));
        (var error, _) = await SyncRun.ToErrorAsync<FeedRedirectException>(Options(loop, follow: true));
        Assert.Contains("10 times", error.Message, StringComparison.Ordinal);
        Assert.Equal(11, loop.Requests.Count);

        await using var none = new RawServer(exchange => exchange.StatusAsync("307 Nowhere"));
        await SyncRun.ToErrorAsync<FeedRedirectException>(Options(none));
        await using var scheme = new RawServer(exchange => exchange.RedirectAsync("file:///etc/passwd", 302));
        await SyncRun.ToErrorAsync<FeedRedirectException>(Options(scheme));
    }

    [Fact]
    public async Task A_second_snapshot_right_after_the_first_is_an_error_to_whoever_does_not_follow()
    {
        await using var server = new RawServer(exchange =>
            exchange.Head.Contains("/snapshot", StringComparison.Ordinal)
                ? exchange.BodyAsync(Record(1, 5))
                : exchange.RedirectAsync("/snapshot")
        );

        await SyncRun.ToErrorAsync<FeedRedirectException>(Options(server));

        Assert.Equal(["0", "snapshot", "5?update=true"], server.Cursors);
        Assert.Equal(["1"], Keys);
    }

    [Fact]
    [Trait("Invariant", "I9")]
    public async Task Credentials_and_headers_never_go_to_another_host_or_port()
    {
        await using var other = RawServer.WithBodies(Record(1, 1));
        await using var server = new RawServer(exchange =>
            exchange.Number == 1
                ? exchange.RedirectAsync(
                    new UriBuilder(other.Root) { UserName = "x", Password = "y" }
                        .Uri
                        .AbsoluteUri
                )
                : exchange.BodyAsync("")
        );

        await RunAsync(
            new FeedOptions
            {
                Uri = new UriBuilder(server.FeedUri) { UserName = "me", Password = Password }.Uri,
                Headers = [new("X-Key", Password)],
            }
        );

        var request = Assert.Single(other.Requests);
        Assert.DoesNotContain("Authorization", request, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("X-Key", request, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(2, server.Requests.Count);
        Assert.All(server.Requests, r => Assert.Contains("X-Key", r, StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Invariant", "I9")]
    public async Task Credentials_do_not_go_unencrypted_over_a_network()
    {
        foreach (
            var options in (FeedOptions[])
                [
                    new() { Uri = new Uri("http://me:pw@192.0.2.1/x/") },
                    new() { Uri = new Uri("http://192.0.2.1/x/"), BearerToken = "t" },
                    new() { Uri = new Uri("http://192.0.2.1/x/"), Headers = [new("Authorization", "t")] },
                ]
        )
        {
            await Assert.ThrowsAsync<InsecureCredentialsException>(() => RunAsync(options));
        }
    }

    [Fact]
    public async Task A_server_that_never_answers_is_unreachable_after_the_connection_timeout()
    {
        await using var server = new RawServer(exchange => exchange.StallAsync());

        (var error, _) = await SyncRun.ToErrorAsync<FeedUnreachableException>(Options(server, connect: 0.3));

        Assert.True(error.IsTransient);
        Assert.NotEmpty(error.RecommendedAction);
    }

    private Task<SyncRun> RunAsync(FeedOptions feed) =>
        SyncRun.ToEndAsync(
            new Lockstep.Engine.Sync.SyncOptions
            {
                Feed = feed,
                Store = new Lockstep.Engine.Tables.FileTableStore(Folder(Guid.NewGuid().ToString("N") + ".db")),
            }
        );

    private static string Basic(string user) => "Basic " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(user));

    private static string Header(string request, string name) =>
        request
            .Split("\r\n")
            .FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
            ?.Split(':', 2)[1]
            .Trim()
        ?? "";
}
