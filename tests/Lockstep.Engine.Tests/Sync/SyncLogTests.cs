using System.Collections.Concurrent;
using System.Diagnostics;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>What a sync writes to a log and a trace.</summary>
public sealed class SyncLogTests : SyncTest
{
    private const string Ended = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";

    [Fact(Timeout = Pace.Limit)]
    public async Task A_run_is_logged_from_its_opening_to_its_end_with_stable_ids()
    {
        var body = Record(1, 1) + Record(2, 2);
        await using var server = new RawServer(exchange => exchange.SendAsync($"{Ended}{body.Length}\r\n\r\n{body}"));
        var log = new ListLogger();

        await SyncRun.ToEndAsync(new TableSync(With(Options(server), log)));

        Assert.Equal([1, 20, 2, 21, 3], log.Entries.Select(entry => entry.Id.Id));
        Assert.Equal(
            [LogLevel.Information, LogLevel.Debug, LogLevel.Debug, LogLevel.Debug, LogLevel.Information],
            log.Entries.Select(entry => entry.Level)
        );
        Assert.Contains("2 added", log.Entries.Last().Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_failed_run_is_logged_as_an_error_with_its_exception_and_no_secret()
    {
        await using var server = new RawServer(exchange => exchange.SendAsync("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
        var log = new ListLogger();
        var options = With(Options(server), log, new UriBuilder(server.FeedUri) { UserName = "ann", Password = "geheim" }.Uri);

        await Assert.ThrowsAnyAsync<LockstepException>(() => SyncRun.ToEndAsync(new TableSync(options)));

        Assert.Contains(log.Entries, entry => entry is { Level: LogLevel.Warning, Id.Name: nameof(FeedEventKind.ClientError) });
        var last = log.Entries.Last();
        Assert.Equal((4, LogLevel.Error), (last.Id.Id, last.Level));
        Assert.IsType<FeedStatusException>(last.Error);
        Assert.DoesNotContain(log.Entries, entry => entry.Message.Contains("geheim", StringComparison.Ordinal));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_run_is_traced_with_a_connection_in_it_and_what_it_did()
    {
        var body = Record(1, 1);
        await using var server = new RawServer(exchange => exchange.SendAsync($"{Ended}{body.Length}\r\n\r\n{body}"));
        var feed = FeedUri.Parse(server.FeedUri).Display;
        var activities = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TableSync.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);

        await SyncRun.ToEndAsync(new TableSync(Options(server)));

        // Other tests sync beside this one.
        var own = activities.Where(activity => (string?)activity.GetTagItem("lockstep.feed") == feed).ToList();
        Assert.Equal(["lockstep.connection", "lockstep.sync"], own.Select(activity => activity.OperationName));
        Assert.Equal(own[1].SpanId, own[0].ParentSpanId);
        Assert.Equal((1L, "EndOfFeed"), (own[1].GetTagItem("lockstep.added"), own[1].GetTagItem("lockstep.end_reason")));
    }

    private static SyncOptions With(SyncOptions options, ILogger logger, Uri? uri = null) =>
        new()
        {
            Feed = new FeedOptions { Uri = uri ?? options.Feed.Uri },
            Store = options.Store,
            Settle = options.Settle,
            Logger = logger,
        };
}
