using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Microsoft.Playwright;
using static Lockstep.StatusPage.Tests.PageChecks;

namespace Lockstep.StatusPage.Tests;

/// <summary>The test server's status page, as a person sees and uses it.</summary>
public sealed class StatusPageTests(Browser browser) : IAsyncLifetime
{
    private LockstepTestServer _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private Uri Address => new(_server.Uri, "_lockstep/");

    public async ValueTask InitializeAsync() =>
        _server = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = ["""{"id":1,"updated_at":1}""", """{"id":2,"updated_at":2}"""],
            },
            cancellationToken: Cancelled
        );

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task It_shows_clients_and_records_as_they_come()
    {
        var page = await browser.OpenAsync(Address);
        await TextAsync(page, "#feed", "Scripted feed");
        await TextAsync(page, "#records", "2");
        await TextAsync(page, "#clients", "0");
        await TextAsync(page, "#latest li:first-child", """{"id":2,"updated_at":2}""");

        using HttpClient http = new();
        await using (await http.GetStreamAsync(_server.FeedUri, Cancelled))
        {
            await TextAsync(page, "#clients", "1");
            await TextAsync(page, "#client-rows td:nth-child(4)", "2");
            await TextAsync(page, "#client-rows td:nth-child(5)", "0");
            _server.AddRecord("""{"id":3,"updated_at":3}""");
            await TextAsync(page, "#records", "3");
            await TextAsync(page, "#client-rows td:nth-child(4)", "3");
            await TextAsync(page, "#latest li:first-child", """{"id":3,"updated_at":3}""");
        }

        await TextAsync(page, "#clients", "0");
        await TextAsync(page, "#request-rows td:nth-child(2)", "/servers/");
        Assert.True(await page.Locator("#chart rect").CountAsync() > 0);
    }

    [Fact]
    public async Task A_fault_is_switched_on_and_off()
    {
        var page = await browser.OpenAsync(Address);
        var cut = page.GetByLabel("Fault Cut", new() { Exact = true });
        await cut.CheckAsync();
        await page.WaitForSelectorAsync(".fault.on[data-kind=Cut]");
        Assert.Equal("Cut", Assert.Single(_server.Faults).Kind);

        await cut.UncheckAsync();
        await page.WaitForSelectorAsync(".fault:not(.on)[data-kind=Cut]");
        Assert.Empty(_server.Faults);
    }

    [Fact]
    public async Task A_fault_takes_its_parameters_from_the_page()
    {
        var page = await browser.OpenAsync(Address);
        var status = page.Locator(".fault[data-kind=Status]");
        await status.Locator("summary span").ClickAsync();
        await status.Locator("[name=Code]").FillAsync("503");
        await status.Locator("[name=Times]").FillAsync("2");
        await status.Locator("input[type=checkbox]").CheckAsync();
        await page.WaitForSelectorAsync(".fault.on[data-kind=Status]");
        var fault = Assert.IsType<StatusFault>(Assert.Single(_server.Faults).Fault);
        Assert.Equal((503, 2), (fault.Code, fault.Times));
    }

    [Fact]
    public async Task What_does_not_fit_is_explained_and_the_switch_stays_off()
    {
        var page = await browser.OpenAsync(Address);
        var cut = page.Locator(".fault[data-kind=Cut]");
        await cut.Locator("summary span").ClickAsync();
        await cut.Locator("[name=AtByte]").FillAsync("soon");
        await cut.Locator("input[type=checkbox]").ClickAsync();
        await page.WaitForFunctionAsync("() => !document.getElementById('problem').hidden");
        Assert.Contains("AtByte takes Int64", await page.Locator("#problem").TextContentAsync(), StringComparison.Ordinal);
        await page.WaitForFunctionAsync("() => !document.querySelector('.fault[data-kind=Cut] input[type=checkbox]').checked");
        Assert.Empty(_server.Faults);
    }

    [Fact]
    public async Task A_fault_that_was_added_elsewhere_is_seen()
    {
        var page = await browser.OpenAsync(Address);
        _server.Faults.Add("Stall");
        await page.WaitForSelectorAsync(".fault.on[data-kind=Stall]");
        Assert.True(await page.GetByLabel("Fault Stall", new() { Exact = true }).IsCheckedAsync());
    }

    [Fact]
    public async Task Clients_can_be_cut_off()
    {
        var page = await browser.OpenAsync(Address);
        using HttpClient http = new();
        await using var feed = await http.GetStreamAsync(_server.FeedUri, Cancelled);
        await TextAsync(page, "#clients", "1");
        await page.ClickAsync("#close");
        await TextAsync(page, "#clients", "0");
    }

    [Fact]
    public async Task What_a_record_says_is_shown_and_never_run()
    {
        const string Record =
            """{"id":9,"updated_at":9,"name":"<img src=x onerror='document.title=`run`'><script>document.title='run'</script>"}""";
        _server.AddRecord(Record);
        var page = await browser.OpenAsync(Address);
        await TextAsync(page, "#latest li:first-child", Record);
        Assert.Equal("Lockstep feed server", await page.TitleAsync());
        Assert.Equal(0, await page.Locator("#latest img, #latest script").CountAsync());
    }

    [Fact]
    public async Task It_asks_nobody_else_and_complains_of_nothing()
    {
        var page = await browser.OpenAsync(Address);
        var complaints = Complaints(page, _server.Uri);
        await page.ReloadAsync();
        await TextAsync(page, "#records", "2");
        Assert.Empty(complaints);
    }

    [Theory]
    [InlineData(ColorScheme.Dark)]
    [InlineData(ColorScheme.Light)]
    public async Task It_can_be_read_on_a_phone_by_day_and_by_night(ColorScheme scheme)
    {
        _server.AddRecord($$"""{"id":3,"updated_at":3,"name":"{{new string('x', 300)}}"}""");
        using HttpClient http = new();
        await using var feed = await http.GetStreamAsync(_server.FeedUri, Cancelled);
        var page = await browser.OpenAsync(
            Address,
            new()
            {
                ViewportSize = new() { Width = 390, Height = 844 },
                ColorScheme = scheme,
            }
        );
        await TextAsync(page, "#records", "3");
        await TextAsync(page, "#clients", "1");

        await LegibleAsync(page, scheme, "test-server");
    }
}
