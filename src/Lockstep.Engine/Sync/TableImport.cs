using System.Runtime.CompilerServices;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Fills a table from a stream of records, such as a file with one JSON object per line or with an array of them, by the same rules as a
/// feed. It is pulled like <see cref="TableSync"/>. A table bound to a feed keeps its cursor; any other gets the largest order value as
/// its cursor.
/// </summary>
/// <param name="options">
/// What to fill, and how; of the feed's options only the URI is used, with any scheme, to name the source in errors.
/// </param>
/// <param name="source">The records; read to its end, not disposed.</param>
/// <param name="time">The clock; null for the system's.</param>
public sealed class TableImport(SyncOptions options, Stream source, TimeProvider? time = null)
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly SyncCounters _counters = new();
    private volatile SyncResult _result = new()
    {
        Table = options.TableName ?? "",
        Location = options.Store.Description,
        Feed = FeedUri.OfImport(options.Feed.Uri).Display,
    };

    /// <summary>Runs the import, step by step.</summary>
    /// <exception cref="LockstepException">
    /// The source is malformed, or the table cannot be written; what was committed before is kept.
    /// </exception>
    public async IAsyncEnumerable<SyncStep> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var start = _time.GetTimestamp();
        var steps = new StepChannel(_time);
        SyncResult Now() => _counters.Fill(_result) with { Duration = _time.GetElapsedTime(start) };
        var work = Task.Run(() => WorkAsync(steps, start, Now, stop.Token), CancellationToken.None);
        try
        {
            await foreach (var step in steps.ReadAsync(() => new SyncProgress(Now()), cancellationToken).ConfigureAwait(false))
                yield return step;
            await work.ConfigureAwait(false);
            yield return new SyncEnded(Now());
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WorkAsync(StepChannel steps, long start, Func<SyncResult> now, CancellationToken cancellationToken)
    {
        try
        {
            await using var session = await SyncSession
                .OpenAsync(options, null, steps, _counters, now, _time, cancellationToken)
                .ConfigureAwait(false);
            var state = session.Target.State;
            _result = _result with { Table = state.Name };
            var context = session.CreateContext(
                start,
                async (kind, message, remedy) =>
                    await steps
                        .PostAsync(
                            new FeedEventOccurred(new FeedEvent(kind, _time.GetUtcNow(), message) { Remedy = remedy }),
                            cancellationToken
                        )
                        .ConfigureAwait(false),
                static () => { }
            );
            var list = new ListBody(new Utf8Body(source));
            var body = new BodySource
            {
                Feed = FeedUri.OfImport(options.Feed.Uri),
                Stream = list,
                Start = state.RequestCursor,
                HasDefiniteEnd = true,
                IsImport = true,
                // The feed's own cursor says how far the feed was read, about which an import says nothing.
                IsHeld = state.Feed is not null,
            };
            await new BodyReader(context, body).ReadAsync(cancellationToken).ConfigureAwait(false);
            var end = new TableCommit { Resume = session.Target.State.Resume, IsImporting = false };
            await session.Queue.RunAsync(new CommitJob(CommitKind.Commit, end), cancellationToken).ConfigureAwait(false);
            var table = session.Target.Committed;
            if (list.IsCutOff)
                throw new FeedCutException(body.Feed, "it ended within its list.");
            _result = _result with
            {
                Cursor = table.Cursor,
                Quarantined = table.Quarantined,
                EndReason = SyncEndReason.EndOfFeed,
                State = SyncState.Initial.Next(SyncTrigger.Finished),
                IsComplete = true,
            };
            if (context.FirstMalformed is { } first)
            {
                await new SyncEvents(steps, options.Logger, _time)
                    .PostQuarantineAsync(_counters.Malformed, table, cancellationToken)
                    .ConfigureAwait(false);
                if (_counters.Received == 0)
                    throw new AllRecordsMalformedException(body.Feed, _counters.Malformed, first.Reason, first.Remedy);
            }

            steps.Complete(null);
        }
        catch (Exception e)
        {
            _result = _result with { EndReason = SyncEndReason.Failed, State = SyncState.Initial.Next(SyncTrigger.GaveUp) };
            steps.Complete(e);
        }
    }
}
