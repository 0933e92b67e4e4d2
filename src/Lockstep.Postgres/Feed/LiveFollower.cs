using System.Runtime.CompilerServices;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>One client's way along the live log, once it has caught up with what came before it. Not thread-safe.</summary>
internal sealed class LiveFollower(LiveLog log, FeedMetrics metrics, string identity, TimeSpan heartbeat, TimeProvider time)
{
    /// <summary>What the client knows.</summary>
    public required PgSnapshot Known { get; set; }

    /// <summary>What the log holds from a place on, and what it gets; ends when the client was too slow for it.</summary>
    /// <exception cref="FeedIdentityChangedException">The log belongs to another feed now.</exception>
    public async IAsyncEnumerable<FeedChunk> FollowAsync(long place, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var silent = false;
        while (true)
        {
            switch (log.Take(ref place, identity, out var batch, out var more, out var end, out var changed))
            {
                case LiveOutcome.Batch:
                    silent = false;
                    if (Known.IsWithin(batch!.To))
                        Known = batch.To;
                    for (var i = 0; i < batch.Pieces.Count; i++)
                    {
                        yield return more || i < batch.Pieces.Count - 1
                            ? new FeedChunk(FeedChunkKind.Rows, batch.Pieces[i], 0)
                            : new FeedChunk(FeedChunkKind.CaughtUp, batch.Pieces[i], Known.Xmin);
                    }

                    break;
                case LiveOutcome.AtEnd:
                    // The client may have read from the database after the poller did.
                    if (Known.IsWithin(end!))
                        Known = end!;
                    if (silent)
                        yield return new FeedChunk(FeedChunkKind.CaughtUp, default, Known.Xmin);
                    silent = !await SignalledAsync(changed, cancellationToken).ConfigureAwait(false);
                    break;
                case LiveOutcome.Lost:
                    metrics.SentBack();
                    yield break;
                default:
                    throw new FeedIdentityChangedException(log.Identity!);
            }
        }
    }

    private async Task<bool> SignalledAsync(Task changed, CancellationToken cancellationToken)
    {
        try
        {
            await changed.WaitAsync(heartbeat, time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
