using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// How long the poller waits without notifications: little while there are changes, longer while there are none. The clock stands still,
/// and the server is the test's own, because any commit on it counts.
/// </summary>
public sealed class PollPauseTests : IAsyncDisposable
{
    private const string Polls = "lockstep.feed.polls";
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(64);

    private readonly ManualTimeProvider _time = new();
    private readonly CancellationTokenSource _stop = new();
    private PostgresServer? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _stop.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [Fact(Timeout = 300_000)]
    public async Task It_is_short_while_there_are_changes_and_grows_while_there_are_none()
    {
        _server = await PostgresServer.StartAsync(Cancel, "autovacuum=off");
        await using var db = TestDatabase.Open(_server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE others (id int)");
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        using var metrics = new FeedMeasurements("paused");
        var starting = PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions
            {
                Table = TableCase.Items,
                Name = "paused",
                PollInterval = Interval,
            },
            _time,
            Cancel
        );
        await EndedAsync(starting);
        await using var feed = await starting;
        var opening = feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromDays(1)), Cancel).AsTask();
        await EndedAsync(opening);
        var reading = await opening;
        var lines = 0;
        var following = Task.Run(FollowAsync, Cancel);

        // In an idle database the server is asked whether anything was committed, more and more rarely, and the table is left alone.
        await PassAsync(2, 4, 8, 8);
        var polls = metrics.Sum(Polls);
        await PassAsync(8, 8);
        Assert.Equal(polls, metrics.Sum(Polls));

        // A change is found by the next question. While there are more, the next ones are found soon.
        for (var i = 1; i <= 4; i++)
        {
            await db.RunAsync($"INSERT INTO items VALUES ({i})");
            await PassAsync(i == 1 ? 8 : 1);
            await Eventually.TrueAsync(() => Volatile.Read(ref lines) == i);
            Assert.Equal(polls + i, metrics.Sum(Polls));
        }

        // While only others write, each question is followed by a poll that finds nothing, and they become rarer, up to the interval.
        foreach (var seconds in (int[])[1, 2, 4, 8, 16, 32, 64, 64])
        {
            await db.RunAsync("INSERT INTO others VALUES (1)");
            await PassAsync(seconds);
        }

        await db.RunAsync("INSERT INTO items VALUES (5)");
        await PassAsync(64);
        await db.RunAsync("INSERT INTO items VALUES (6)");
        await PassAsync(1);
        await Eventually.TrueAsync(() => Volatile.Read(ref lines) == 6);
        await _stop.CancelAsync();
        await following;

        async Task FollowAsync()
        {
            try
            {
                await foreach (var chunk in reading.Chunks.WithCancellation(_stop.Token))
                {
                    Interlocked.Add(ref lines, chunk.Lines.Span.Count((byte)'\n'));
                }
            }
            catch (OperationCanceledException)
            {
                // The test has seen enough.
            }
        }
    }

    /// <summary>For each number, checks that the poller waits so long, lets that time pass, and returns when it waits again.</summary>
    private async Task PassAsync(params int[] seconds)
    {
        foreach (var expected in seconds)
        {
            var pause = await WaitsAsync();
            Assert.Equal(TimeSpan.FromSeconds(expected), pause);
            _time.Advance(pause);
            await WaitsAsync();
        }
    }

    /// <summary>Returns when the poller waits, for how long; a client's heartbeat is further away.</summary>
    private async Task<TimeSpan> WaitsAsync()
    {
        var pause = TimeSpan.Zero;
        await Eventually.TrueAsync(() =>
        {
            SkipMoments();
            var isWaiting = _time.ScheduledTimers == 2;
            pause = isWaiting ? _time.NextDue!.Value - _time.GetUtcNow() : pause;
            return isWaiting && pause >= TimeSpan.FromSeconds(1);
        });
        return pause;
    }

    /// <summary>Returns when something has ended that may wait for the server's disk.</summary>
    private Task EndedAsync(Task task) =>
        Eventually.TrueAsync(() =>
        {
            SkipMoments();
            return task.IsCompleted;
        });

    /// <summary>Lets a wait for the server's disk pass, which takes a few milliseconds at a time.</summary>
    private void SkipMoments()
    {
        if (_time.NextDue - _time.GetUtcNow() is { } pause && pause < TimeSpan.FromSeconds(1))
        {
            _time.Advance(pause);
        }
    }
}
