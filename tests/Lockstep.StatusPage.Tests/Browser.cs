using Lockstep.StatusPage.Tests;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Browser))]

namespace Lockstep.StatusPage.Tests;

/// <summary>This machine's headless Chromium, for all tests; none is downloaded.</summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string[] Names =
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome.exe",
        "msedge.exe",
    ];

    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private string? _missing;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Find() is not { } program)
        {
            _missing = "There is no Chromium on this machine (on Debian: apt-get install chromium).";
            return;
        }

        try
        {
            _playwright = await Playwright.CreateAsync();
            // Chromium's own sandbox does not work as root, which a build machine's container often uses. Only our own page is opened.
            _browser = await _playwright.Chromium.LaunchAsync(
                new() { ExecutablePath = program, Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] }
            );
        }
        catch (PlaywrightException problem)
        {
            _missing = $"'{program}' cannot be driven: {problem.Message}";
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    /// <summary>A page in its own browser context; skips the test if there is no browser.</summary>
    internal async Task<IPage> OpenAsync(Uri address, BrowserNewContextOptions? options = null)
    {
        Assert.SkipWhen(_browser is null, _missing ?? "");
        var context = await _browser!.NewContextAsync(options ?? new());
        context.SetDefaultTimeout(60_000);
        var page = await context.NewPageAsync();
        await page.GotoAsync(address.ToString());
        await page.WaitForSelectorAsync("body[data-ready=true]");
        return page;
    }

    private static string? Find() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(folder => Names.Select(name => Path.Combine(folder, name)))
            .FirstOrDefault(File.Exists);
}
