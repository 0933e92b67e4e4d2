using System.Net;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving.Tests;

/// <summary>Live updates in pages that a cache may hold for all clients.</summary>
public sealed class SharedUpdatesTests
{
    private static readonly FeedServerOptions Sharing = new() { ShareUpdates = true };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_takes_pages_gets_what_it_lacks_and_where_the_updates_go_on()
    {
        var source = Source();
        await using var server = await FeedServer.StartAsync([source], Sharing, null, Cancel);
        using var http = Client(server);

        using var answer = await http.GetAsync("items?since=5", Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        Assert.Equal("pages", Assert.Single(answer.Headers.GetValues("Lockstep-Follow")));
        Assert.Equal("source-1", Assert.Single(answer.Headers.GetValues("Lockstep-Feed")));
        Assert.Equal("heartbeat", Assert.Single(answer.Headers.GetValues("Lockstep-Caught-Up")));
        var body = await answer.Content.ReadAsStringAsync(Cancel);
        Assert.StartsWith(ScriptedSource.Row(7) + "\n", body, StringComparison.Ordinal);
        Assert.Contains("\"type\":\"heartbeat\"", body, StringComparison.Ordinal);

        var next = Next(answer);
        using var page = await http.GetAsync(next[..(next.LastIndexOf('=') + 1)] + "0", Cancel);
        Assert.Equal("public, max-age=60", page.Headers.CacheControl?.ToString());
        Assert.Equal("source-1", Assert.Single(page.Headers.GetValues("Lockstep-Feed")));
        Assert.Equal(page.Content.Headers.ContentLength, (await page.Content.ReadAsByteArrayAsync(Cancel)).Length);
        Assert.EndsWith("page=1", Next(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_never_changes_and_one_that_has_not_ended_is_waited_for()
    {
        var source = Source();
        await using var server = await FeedServer.StartAsync([source], Sharing, null, Cancel);
        using var http = Client(server);
        var first = await FirstPageAsync(http);
        var body = await http.GetStringAsync(first, Cancel);
        Assert.Equal(body, await http.GetStringAsync(first, Cancel));
        Assert.Contains("\"since\":9", body, StringComparison.Ordinal);

        // The source says no more, so the page after it ends only with the server.
        var second = http.GetAsync(first.Replace("page=0", "page=1", StringComparison.Ordinal), Cancel);
        Assert.Equal(body, await http.GetStringAsync(first, Cancel));
        Assert.False(second.IsCompleted);
        await server.DisposeAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => second);
    }

    [Theory]
    [InlineData("page=0", "page=2", HttpStatusCode.NotFound)]
    [InlineData("page=0", "page=99999999999", HttpStatusCode.NotFound)]
    [InlineData("page=0", "page=-1", HttpStatusCode.BadRequest)]
    [InlineData("page=0", "page=x", HttpStatusCode.BadRequest)]
    [InlineData("page=0", "", HttpStatusCode.BadRequest)]
    [InlineData("sequence=", "sequence=0", HttpStatusCode.NotFound)]
    public async Task An_address_that_no_page_has_is_refused_and_not_kept(string from, string to, HttpStatusCode status)
    {
        await using var server = await FeedServer.StartAsync([Source()], Sharing, null, Cancel);
        using var http = Client(server);
        var first = await FirstPageAsync(http);
        await http.GetStringAsync(first, Cancel);
        using var answer = await http.GetAsync(first.Replace(from, to, StringComparison.Ordinal), Cancel);
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task Pages_of_a_feed_that_became_another_are_refused_and_the_new_ones_have_other_addresses()
    {
        var source = Source();
        source.EndError = new FeedIdentityChangedException("source-2");
        await using var server = await FeedServer.StartAsync([source], Sharing, null, Cancel);
        using var http = Client(server);
        var first = await FirstPageAsync(http);

        // The page holds what came before the end of the feed, or the feed ended before the page did.
        using var page = await http.GetAsync(first, Cancel);
        Assert.Contains(page.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.Conflict, HttpStatusCode.NotFound]);
        source.Identity = "source-2";
        var other = await FirstPageAsync(http);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public async Task The_whole_set_comes_in_pages_too()
    {
        await using var server = await FeedServer.StartAsync([Source()], Sharing, null, Cancel);
        using var http = Client(server);
        using var answer = await http.GetAsync("items?since=0", Cancel);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.StartsWith("/items/pages?", answer.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
    }

    [Theory]
    [InlineData("asks for nothing")]
    [InlineData("filters")]
    [InlineData("credential")]
    [InlineData("record dialect")]
    [InlineData("not switched on")]
    public async Task Others_get_the_stream(string why)
    {
        var source = Source();
        source.RecordOrderField = why == "record dialect" ? "updated_at" : null;
        var options = new FeedServerOptions
        {
            ShareUpdates = why != "not switched on",
            Credentials = why == "credential" ? [FeedCredential.Bearer("t")] : [],
        };
        await using var server = await FeedServer.StartAsync([source], options, null, Cancel);
        using var http = Client(server);
        http.DefaultRequestHeaders.Authorization = new("Bearer", "t");
        if (why == "asks for nothing")
            http.DefaultRequestHeaders.Remove("Lockstep-Follow");

        var address = why == "filters" ? "items?since=5&columns=id" : "items?since=5";
        using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Link"));
        Assert.False(answer.Headers.Contains("Lockstep-Follow"));
        if (why == "not switched on")
        {
            using var updates = await http.GetAsync("items/updates?sequence=0&page=0", Cancel);
            Assert.Equal(HttpStatusCode.BadRequest, updates.StatusCode);
        }
    }

    [Fact]
    public async Task A_cursor_of_another_feed_is_refused_as_ever()
    {
        var source = Source();
        await using var server = await FeedServer.StartAsync([source], Sharing, null, Cancel);
        using var http = Client(server);
        await FirstPageAsync(http);
        source.OpenError = new FeedCursorExpiredException(5, 6);
        using var answer = await http.GetAsync("items?since=5", Cancel);
        Assert.Equal(HttpStatusCode.Gone, answer.StatusCode);
    }

    /// <summary>Has one row more than cursor 5.</summary>
    private static ScriptedSource Source()
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.Rows, 0, ScriptedSource.Row(7)));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.CaughtUp, 9));
        return source;
    }

    private static HttpClient Client(FeedServer server)
    {
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = server.Uri };
        http.DefaultRequestHeaders.Add("Lockstep-Follow", "pages");
        http.DefaultRequestHeaders.Accept.ParseAdd("application/x-ndjson");
        return http;
    }

    /// <summary>The address of page 0.</summary>
    private static async Task<string> FirstPageAsync(HttpClient http)
    {
        using var answer = await http.GetAsync("items?since=5", Cancel);
        answer.EnsureSuccessStatusCode();
        var next = Next(answer);
        return next[..(next.LastIndexOf('=') + 1)] + "0";
    }

    private static string Next(HttpResponseMessage answer) => Assert.Single(answer.Headers.GetValues("Link")).Split('<', '>')[1];
}
