using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;

namespace Lockstep.StatusPage.Tests;

/// <summary>Checks of the page, whichever server shows it.</summary>
internal static class PageChecks
{
    /// <summary>Waits until an element shows a text.</summary>
    public static async Task TextAsync(IPage page, string selector, string text) =>
        await page.WaitForFunctionAsync(
            "([selector, text]) => document.querySelector(selector)?.textContent === text",
            new[] { selector, text }
        );

    /// <summary>The browser's errors from now on, and its requests to anything but the server.</summary>
    public static ConcurrentQueue<string> Complaints(IPage page, Uri server)
    {
        ConcurrentQueue<string> complaints = [];
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                complaints.Enqueue(message.Text);
        };
        page.Request += (_, request) =>
        {
            if (
                !request.Url.StartsWith(server.ToString(), StringComparison.Ordinal)
                && !request.Url.StartsWith("data:", StringComparison.Ordinal)
            )
            {
                complaints.Enqueue(request.Url);
            }
        };
        return complaints;
    }

    /// <summary>
    /// The page fits its window and its colours can be told apart; takes a picture if LOCKSTEP_SCREENSHOTS names a folder.
    /// </summary>
    public static async Task LegibleAsync(IPage page, ColorScheme scheme, string name)
    {
        Assert.True(
            await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"),
            "The page is wider than the phone."
        );
        var (back, text, quiet) = (
            await ColorAsync(page, "section", "backgroundColor"),
            await ColorAsync(page, "#records", "color"),
            await ColorAsync(page, ".figures", "color")
        );
        Assert.Equal(scheme == ColorScheme.Dark, Luminance(back) < 0.1);
        Assert.True(Contrast(back, text) >= 7, $"Contrast {Contrast(back, text):F1}");
        Assert.True(Contrast(back, quiet) >= 4.5, $"Contrast {Contrast(back, quiet):F1}");

        if (Environment.GetEnvironmentVariable("LOCKSTEP_SCREENSHOTS") is { Length: > 0 } folder)
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{name}-{scheme}.png"), FullPage = true });
    }

    private static async Task<int[]> ColorAsync(IPage page, string selector, string property)
    {
        var json = await page.EvaluateAsync<string>(
            "([selector, property]) => "
                + "JSON.stringify(getComputedStyle(document.querySelector(selector))[property].match(/\\d+/g).map(Number))",
            new[] { selector, property }
        );
        return JsonSerializer.Deserialize<int[]>(json)!;
    }

    /// <summary>
    /// The contrast of two colours, 1 to 21, as the Web Content Accessibility Guidelines (2.1) define it: 4.5 is readable, 7 is good.
    /// </summary>
    private static double Contrast(int[] one, int[] other)
    {
        var (light, dark) = (Math.Max(Luminance(one), Luminance(other)), Math.Min(Luminance(one), Luminance(other)));
        return (light + 0.05) / (dark + 0.05);
    }

    private static double Luminance(int[] color)
    {
        var parts = color
            .Take(3)
            .Select(value => value / 255.0)
            .Select(value => value <= 0.03928 ? value / 12.92 : Math.Pow((value + 0.055) / 1.055, 2.4))
            .ToArray();
        return (0.2126 * parts[0]) + (0.7152 * parts[1]) + (0.0722 * parts[2]);
    }
}
