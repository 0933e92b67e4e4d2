using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Servers that are busy, or have had enough requests (D8), on a clock of the test.</summary>
public sealed class ThrottlingTests : DialectTest
{
    private readonly ManualTimeProvider _time = new();

    [Theory(Timeout = Pace.Limit)]
    [InlineData("429 Too Many Requests", "Retry-After: 20\r\n", 20)]
    [InlineData("503 Service Unavailable", "Retry-After: 20\r\n", 20)]
    [InlineData("504 Gateway Timeout", "Retry-After: 20\r\n", 20)]
    [InlineData("403 Forbidden", "Retry-After: 20\r\n", 20)]
    [InlineData("403 Forbidden", "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 90\r\n", 90)]
    [InlineData("403 Forbidden", "x-ratelimit-remaining: 0\r\n", 60)]
    [InlineData("429 Too Many Requests", "RateLimit: \"default\";r=0;t=50\r\n", 50)]
    [InlineData("429 Too Many Requests", "Retry-After: 20\r\nRateLimit: \"default\";r=0;t=50\r\n", 50)]
    [InlineData("429 Too Many Requests", "Retry-After: 20\r\nx-ratelimit-remaining: 70\r\nx-ratelimit-reset: 800\r\n", 20)]
    [InlineData("429 Too Many Requests", "", 60)]
    public async Task A_refusal_for_a_while_is_waited_for_as_long_as_the_server_asks(string status, string headers, int seconds)
    {
        var times = new List<DateTimeOffset>();
        await using var server = Serve(
            (_, number) =>
            {
                times.Add(_time.GetUtcNow());
                return number == 1 ? Status(status, headers) : Json("""[{"id":1}]""");
            }
        );

        var run = SyncRun.ToEndAsync(new TableSync(Patient(server), _time));
        await Pace.MoveAsync(_time, TimeSpan.FromSeconds(1), run);

        Assert.Equal("1 0 0", Counts(await run));
        // The clock moves on while a request is under way.
        Assert.InRange((times[1] - times[0]).TotalSeconds, seconds, seconds + 3600);
        Assert.Contains((await run).Events, e => e.Kind == FeedEventKind.Retry && e.Message.Contains($" in {seconds}.0 s"));
    }

    [Fact]
    public async Task A_403_that_is_not_of_a_limit_is_one_of_the_credentials_at_once()
    {
        await using var server = Serve((_, _) => Status("403 Forbidden", "x-ratelimit-remaining: 4000\r\nx-ratelimit-reset: 30\r\n"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, "items", "Rest"));

        Assert.Equal((ErrorKind.AccessDenied, false), (error.Kind, error.IsTransient));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_limit_that_ends_much_later_is_an_error_that_says_so_and_not_one_of_the_credentials()
    {
        await using var server = Serve((_, _) => Status("403 Forbidden", "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 3000\r\n"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Dialect(server, "items", "Rest"));

        Assert.Equal((ErrorKind.Unavailable, TimeSpan.FromSeconds(3000)), (error.Kind, error.RetryAfter));
        Assert.DoesNotContain("credentials", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Who_follows_waits_for_the_end_of_a_limit_also_at_the_start()
    {
        var times = new List<DateTimeOffset>();
        await using var server = Serve(
            (_, number) =>
            {
                times.Add(_time.GetUtcNow());
                return number == 1
                    ? Status("403 Forbidden", "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 3000\r\n")
                    : Json("""[{"id":1}]""");
            }
        );

        await FollowAsync(server, step => step is ChangesCommitted);

        Assert.InRange((times[1] - times[0]).TotalSeconds, 3000, 7200);
    }

    [Theory(Timeout = Pace.Limit)]
    [InlineData("X-Poll-Interval: 900\r\n", "900.0 s")]
    [InlineData("X-Poll-Interval: 5\r\n", "40.0 s")]
    [InlineData("", "40.0 s")]
    public async Task The_interval_of_polls_is_the_dialects_and_no_shorter_than_the_servers(string headers, string wait)
    {
        await using var server = Serve((_, _) => Json("""[{"id":1}]""", headers));
        var polls = new List<string>();

        await FollowAsync(
            server,
            step =>
            {
                if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Poll, Message: var message } })
                    polls.Add(message);
                return polls.Count == 2;
            }
        );

        Assert.All(polls, message => Assert.Contains(wait, message, StringComparison.Ordinal));
    }

    private async Task FollowAsync(RawServer server, Func<SyncStep, bool> isOver)
    {
        var over = new TaskCompletionSource();
        var moving = Pace.MoveAsync(_time, TimeSpan.FromSeconds(5), over.Task);
        await foreach (var step in new TableSync(Patient(server, follows: true), _time).RunAsync(Cancellation))
        {
            if (isOver(step))
                break;
        }

        over.SetResult();
        await moving;
    }

    private SyncOptions Patient(RawServer server, bool follows = false) =>
        new()
        {
            Feed = new FeedOptions
            {
                Uri = new Uri(server.Root, "items"),
                ConnectionTimeout = Timeout.InfiniteTimeSpan,
                OperationTimeout = Timeout.InfiniteTimeSpan,
            },
            Store = new FileTableStore(TablePath),
            Foreign = DialectDescription.Parse("""{ "From": "Rest", "Interval": 40 }""", "test"),
            Follow = follows,
            WantsChanges = true,
        };
}
