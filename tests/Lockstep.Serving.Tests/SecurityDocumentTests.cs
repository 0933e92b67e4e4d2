using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

/// <summary>The limits that docs/SECURITY.md names are those of the code.</summary>
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
            { "FeedFilter.MaximumConditions", FeedFilter.MaximumConditions },
            { "FeedFilter.MaximumColumns", FeedFilter.MaximumColumns },
            { "FeedFilter.MaximumLength", FeedFilter.MaximumLength },
        };

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_in_the_document_is_that_of_the_code(string name, long value) => Assert.Equal(value, DocumentedLimits.Of(name));
}
