using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Runs a sync to its end and keeps what it reported.</summary>
internal sealed class SyncRun
{
    public required SyncResult Result { get; init; }

    public List<TableChange> Changes { get; } = [];

    public List<FeedEvent> Events { get; } = [];

    public static SyncOptions Options(Uri uri, string path) =>
        new()
        {
            Feed = new FeedOptions { Uri = uri },
            Store = new FileTableStore(path),
            Settle = TimeSpan.FromMilliseconds(200),
            WantsChanges = true,
        };

    public static Task<SyncRun> ToEndAsync(SyncOptions options, Action<SyncStep>? onStep = null) =>
        ToEndAsync(new TableSync(options), onStep);

    public static async Task<SyncRun> ToEndAsync(TableSync sync, Action<SyncStep>? onStep = null)
    {
        var run = new SyncRun { Result = null! };
        SyncResult? result = null;
        await foreach (var step in sync.RunAsync(TestContext.Current.CancellationToken))
        {
            onStep?.Invoke(step);
            switch (step)
            {
                case ChangesCommitted committed:
                    // The bytes are only valid until the next step.
                    run.Changes.AddRange(committed.Changes.Select(c => c with { Record = c.Record.ToArray() }));
                    break;
                case FeedEventOccurred happened:
                    run.Events.Add(happened.Event);
                    break;
                case SyncEnded ended:
                    result = ended.Result;
                    break;
            }
        }

        return new SyncRun { Result = result! }.With(run);
    }

    /// <summary>Runs a sync that must fail, and keeps what it reported before.</summary>
    public static async Task<(TError Error, List<FeedEvent> Events)> ToErrorAsync<TError>(SyncOptions options)
        where TError : Exception
    {
        var events = new List<FeedEvent>();
        var error = await Assert.ThrowsAnyAsync<TError>(() =>
            ToEndAsync(
                options,
                step =>
                {
                    if (step is FeedEventOccurred happened)
                        events.Add(happened.Event);
                }
            )
        );
        return (error, events);
    }

    /// <summary>The live records of a table file, by key.</summary>
    public static SortedDictionary<string, string> Read(string path, RecordQuery? query = null)
    {
        var records = new SortedDictionary<string, string>(StringComparer.Ordinal);
        using var scan = new Table(path).Read(query);
        while (scan.Read())
            records[scan.Key.ToString()] = Encoding.UTF8.GetString(scan.Json);
        return records;
    }

    private SyncRun With(SyncRun other)
    {
        Changes.AddRange(other.Changes);
        Events.AddRange(other.Events);
        return this;
    }
}
