using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Options are checked against their ranges before anything is opened. Those of the front ends have tests of their own.</summary>
public sealed class SyncOptionsTests
{
    [Theory]
    [InlineData("Settle", -1)]
    [InlineData("FollowFor", 0)]
    [InlineData("RetryInterval", double.NaN)]
    [InlineData("PollInterval", 0)]
    [InlineData("ConnectionTimeout", 1e300)]
    [InlineData("OperationTimeout", -5)]
    public void A_time_that_cannot_be_is_named(string name, double seconds)
    {
        TimeSpan? Of(string option, TimeSpan? otherwise) => name == option ? OptionCheck.Seconds(seconds) : otherwise;

        var error = Assert.Throws<InvalidOptionException>(() =>
            new TableSync(
                new SyncOptions
                {
                    Feed = new FeedOptions
                    {
                        Uri = new Uri("http://127.0.0.1:1/x/"),
                        ConnectionTimeout = Of("ConnectionTimeout", TimeSpan.FromSeconds(1))!.Value,
                        OperationTimeout = Of("OperationTimeout", Timeout.InfiniteTimeSpan)!.Value,
                    },
                    Store = new FileTableStore("/none"),
                    Settle = Of("Settle", TimeSpan.Zero)!.Value,
                    RetryInterval = Of("RetryInterval", TimeSpan.Zero)!.Value,
                    FollowFor = Of("FollowFor", null),
                    PollInterval = Of("PollInterval", null),
                }
            )
        );

        Assert.StartsWith($"{name} takes a number of seconds", error.Message, StringComparison.Ordinal);
        Assert.Equal("InvalidOption", error.ErrorId);
    }

    [Fact]
    public void A_front_end_has_it_in_its_own_words()
    {
        var options = new FeedOptions { Uri = new Uri("http://127.0.0.1:1/x/"), ConnectionTimeout = TimeSpan.Zero };

        var error = Assert.Throws<InvalidOptionException>(() => options.Validate((term, _) => $"<{term}>"));

        Assert.StartsWith("<ConnectionTimeout> takes", error.Message, StringComparison.Ordinal);
    }
}
