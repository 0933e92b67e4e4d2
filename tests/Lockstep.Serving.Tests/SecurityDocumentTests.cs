using System.Text.RegularExpressions;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

/// <summary>The limits in docs/SECURITY.md are those of the code.</summary>
public sealed class SecurityDocumentTests
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
            { "CountedListener.Rest", (long)CountedListener.Rest.TotalMilliseconds },
            { "UnsentLimit.Bytes", UnsentLimit.Bytes },
            { "PageSize.Bytes", PageSize.Bytes },
            { "SharedUpdates.KeptBytes", SharedUpdates.KeptBytes },
            { "RowLimits.MaximumDepth", RowLimits.MaximumDepth },
            { "ContentCodings.Most", ContentCodings.Most },
            { "DialectDescription.MaximumLength", DialectDescription.MaximumLength },
            { "RecordingFormat.LongestLine", RecordingFormat.LongestLine },
            { "RecordingScrubber.MostSecrets", RecordingScrubber.MostSecrets },
            { "FilterGuard.MaximumLength", FilterGuard.MaximumLength },
            { "FilterGuard.MaximumText", FilterGuard.MaximumText },
            { "FeedFilter.MaximumConditions", FeedFilter.MaximumConditions },
            { "FeedFilter.MaximumColumns", FeedFilter.MaximumColumns },
            { "FeedFilter.MaximumLength", FeedFilter.MaximumLength },
        };

    /// <summary>Limits that other projects compare, and the one that is not a number.</summary>
    private static readonly string[] Elsewhere =
    [
        "Lockstep.Cli.Tests/LineLimitTests.cs",
        "Lockstep.Gossip.Tests/LimitTests.cs",
        "Lockstep.Postgres.Tests/SecurityDocumentTests.cs",
    ];

    [Fact]
    public void Each_limit_that_the_document_names_is_compared()
    {
        string[] tests = [.. Elsewhere.Select(file => File.ReadAllText(RepositoryFile.PathOf("tests/" + file)))];
        var named = Regex.Matches(File.ReadAllText(RepositoryFile.PathOf("docs/SECURITY.md")), @"\(`([A-Za-z]+(?:\.[A-Za-z]+)+)`\)");
        var compared = Limits.Select(limit => limit.Data.Item1).ToHashSet();
        Assert.True(named.Count > 30);
        Assert.DoesNotContain(
            named.Select(match => match.Groups[1].Value),
            name => !compared.Contains(name) && !tests.Any(test => test.Contains($"\"{name}\"", StringComparison.Ordinal))
        );
    }

    [Fact]
    public void The_oldest_SQLite_in_the_document_is_that_of_the_code() =>
        Assert.Contains(
            $"older than {SqliteLibrary.Oldest}",
            File.ReadAllText(RepositoryFile.PathOf("docs/SECURITY.md")),
            StringComparison.Ordinal
        );

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_in_the_document_is_that_of_the_code(string name, long value) => Assert.Equal(value, DocumentedLimits.Of(name));
}
