using System.Net.Http.Headers;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Serving;
using Lockstep.Testing;
using Microsoft.Playwright;
using static Lockstep.StatusPage.Tests.PageChecks;

namespace Lockstep.StatusPage.Tests;

/// <summary>The feed server's status page, as a person sees it: for a table file that is served again.</summary>
public sealed class FeedServerPageTests(Browser browser) : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private FeedServer? _server;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private Uri Address => new(_server!.Uri, "_lockstep/");

    public async ValueTask InitializeAsync() => await WriteAsync("""{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}""");

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task It_shows_feeds_clients_and_records_as_they_come()
    {
        await StartAsync();
        var page = await browser.OpenAsync(Address);
        await TextAsync(page, "#clients", "0");
        await TextAsync(page, "#feed-rows td:nth-child(1)", "servers");
        await TextAsync(page, "#feed-rows td:nth-child(2)", "ok");
        await TextAsync(page, "#feed-rows td:nth-child(4)", "2");
        Assert.Equal(0, await page.Locator("[data-control]:visible").CountAsync());

        using HttpClient http = new();
        await using (await http.GetStreamAsync(new Uri(_server!.Uri, "servers"), Cancelled))
        {
            await TextAsync(page, "#clients", "1");
            await TextAsync(page, "#records", "2");
            await TextAsync(page, "#client-rows td:nth-child(2)", "/servers");
            await TextAsync(page, "#client-rows td:nth-child(5)", "0.0 s");
            await TextAsync(page, "#client-rows td:nth-child(6)", "2");
            await TextAsync(page, "#client-rows td:nth-child(7)", "127.0.0.1");
            await WriteAsync("""{"id":3,"updated_at":3,"name":"<img src=x onerror='document.title=`run`'>"}""");
            await TextAsync(page, "#records", "3");
            await TextAsync(page, "#client-rows td:nth-child(6)", "3");
            await TextAsync(page, "#latest li:first-child b", "servers ");
            Assert.Contains("<img src=x", await page.Locator("#latest li:first-child span").TextContentAsync(), StringComparison.Ordinal);
            Assert.Equal(0, await page.Locator("#latest img").CountAsync());
        }

        await TextAsync(page, "#clients", "0");
        await TextAsync(page, "#records", "3");
        Assert.True(await page.Locator("#chart rect").CountAsync() > 0);
    }

    [Fact]
    public async Task A_feed_that_cannot_be_read_is_seen()
    {
        await StartAsync();
        var page = await browser.OpenAsync(Address);
        await TextAsync(page, "#feed-rows td:nth-child(2)", "ok");
        await File.WriteAllTextAsync(_folder["servers.db"], "no table", Cancelled);
        await TextAsync(page, "#feed-rows td:nth-child(2)", "cannot be read");
    }

    [Fact]
    public async Task A_server_that_ended_is_seen()
    {
        await StartAsync();
        var page = await browser.OpenAsync(Address);
        await TextAsync(page, "#alive", "");
        await _server!.DisposeAsync();
        await TextAsync(page, "#alive", "The server does not answer.");
    }

    [Fact]
    public async Task It_asks_nobody_else_and_complains_of_nothing()
    {
        await StartAsync();
        var page = await browser.OpenAsync(Address);
        var complaints = Complaints(page, _server!.Uri);
        await page.ReloadAsync();
        await TextAsync(page, "#feed-rows td:nth-child(1)", "servers");
        Assert.Empty(complaints);
    }

    [Theory]
    [InlineData("reader", "word")]
    [InlineData("whoever", "a-token")]
    public async Task A_browser_asks_for_the_feeds_credentials(string user, string password)
    {
        await StartAsync(FeedCredential.Basic("reader", "word"), FeedCredential.Bearer("a-token"));
        var page = await browser.OpenAsync(
            Address,
            new()
            {
                HttpCredentials = new() { Username = user, Password = password },
            }
        );
        await TextAsync(page, "#feed-rows td:nth-child(1)", "servers");
        using HttpClient http = new();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "a-token");
        await using var feed = await http.GetStreamAsync(new Uri(_server!.Uri, "servers"), Cancelled);
        await TextAsync(page, "#client-rows td:nth-child(2)", "/servers");
    }

    [Theory]
    [InlineData(ColorScheme.Dark)]
    [InlineData(ColorScheme.Light)]
    public async Task It_can_be_read_on_a_phone_by_day_and_by_night(ColorScheme scheme)
    {
        await StartAsync();
        using HttpClient http = new();
        await using var feed = await http.GetStreamAsync(new Uri(_server!.Uri, "servers"), Cancelled);
        var page = await browser.OpenAsync(
            Address,
            new()
            {
                ViewportSize = new() { Width = 390, Height = 844 },
                ColorScheme = scheme,
            }
        );
        await TextAsync(page, "#clients", "1");
        await WriteAsync($$"""{"id":3,"updated_at":3,"name":"{{new string('x', 300)}}"}""");
        await TextAsync(page, "#latest li:first-child b", "servers ");
        await LegibleAsync(page, scheme, "feed-server");
    }

    private async Task StartAsync(params FeedCredential[] credentials) =>
        _server = await FeedServer.StartAsync(
            [await TableFeed.StartAsync(new TableFeedOptions { Path = _folder["servers.db"] }, cancellationToken: Cancelled)],
            new FeedServerOptions { Credentials = credentials },
            cancellationToken: Cancelled
        );

    private async Task WriteAsync(params string[] records)
    {
        SyncOptions options = new()
        {
            Feed = new FeedOptions { Uri = new Uri("http://localhost/servers/") },
            Store = new FileTableStore(_folder["servers.db"]),
            TableName = "servers",
        };
        using MemoryStream source = new(Encoding.UTF8.GetBytes(string.Join('\n', records)));
        await foreach (var step in new TableImport(options, source).RunAsync(Cancelled)) { }
    }
}
