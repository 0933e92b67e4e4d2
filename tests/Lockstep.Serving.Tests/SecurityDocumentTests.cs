using System.Globalization;
using System.Text.RegularExpressions;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Serving.Tests;

/// <summary>The limits that docs/SECURITY.md names are those of the code.</summary>
public sealed partial class SecurityDocumentTests
{
    public static TheoryData<string, long> Limits =>
        new()
        {
            { "ConnectionLimits.Most", new ConnectionLimits().Most },
            { "ConnectionLimits.MostPerAddress", new ConnectionLimits().MostPerAddress },
            { "SendBudget.DefaultBytes", new FeedServerOptions().BufferBytes },
            { "SendBudget.LongestWait", (long)SendBudget.LongestWait.TotalSeconds },
            { "SendBudget.Patience", (long)SendBudget.Patience.TotalSeconds },
            { "TableFeedOptions.DefaultMaximumRowBytes", TableFeedOptions.DefaultMaximumRowBytes },
            { "FeedFilter.MaximumConditions", FeedFilter.MaximumConditions },
            { "FeedFilter.MaximumColumns", FeedFilter.MaximumColumns },
            { "FeedFilter.MaximumLength", FeedFilter.MaximumLength },
        };

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_in_the_document_is_that_of_the_code(string name, long value)
    {
        var text = Regex.Replace(File.ReadAllText(Document()), @"\s+", " ");
        var at = text.IndexOf($"(`{name}`)", StringComparison.Ordinal);
        Assert.True(at > 0, $"{name} is not in the document.");
        var said = Number().Matches(text[..at])[^1].Value.Replace(",", "", StringComparison.Ordinal);
        Assert.Equal(value, long.Parse(said, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"\d[\d,]*")]
    private static partial Regex Number();

    private static string Document()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "docs", "SECURITY.md")))
            folder = Path.GetDirectoryName(folder) ?? throw new FileNotFoundException("docs/SECURITY.md");
        return Path.Combine(folder, "docs", "SECURITY.md");
    }
}
