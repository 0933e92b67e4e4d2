using System.Globalization;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Sync;

/// <summary>A body that is cut off after it has been silent for too long, and whose failures are feed errors.</summary>
internal sealed class IdleStream(Stream inner, FeedUri feed, TimeSpan limit, TimeProvider time, Action<int> received) : ReadOnlyStream
{
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var read = inner.ReadAsync(buffer, cancellationToken);
            int count;
            if (read.IsCompleted || limit == Timeout.InfiniteTimeSpan)
            {
                count = await read.ConfigureAwait(false);
            }
            else
            {
                var pending = read.AsTask();
                if (!await pending.CompletesWithinAsync(limit, time).ConfigureAwait(false))
                {
                    // Nobody is waiting for it any more; closing the body ends it.
                    _ = pending.ContinueWith(
                        static task => task.Exception,
                        CancellationToken.None,
                        TaskContinuationOptions.OnlyOnFaulted,
                        TaskScheduler.Default
                    );
                    throw new FeedCutException(
                        feed,
                        string.Create(CultureInfo.InvariantCulture, $"nothing was received for {limit.TotalSeconds:0.###} s.")
                    );
                }

                count = await pending.ConfigureAwait(false);
            }

            received(count);
            return count;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException)
        {
            throw new FeedCutException(feed, "the connection was closed before the body was complete.", e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
