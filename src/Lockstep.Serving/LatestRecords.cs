using System.Text;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>
/// The newest records of a feed, for the status page: read as a client of the source, only while somebody is watching, so that nothing is
/// kept or copied otherwise. Earlier records are not read: there may be any amount. Thread-safe.
/// </summary>
internal sealed class LatestRecords(IFeedSource source, TimeProvider time, CancellationToken stopping)
{
    /// <summary>How many are kept.</summary>
    public const int Capacity = 20;

    /// <summary>How much of a record is shown, in bytes.</summary>
    private const int MaxLength = 2000;

    /// <summary>How long to continue after the last request.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Queue<string> _records = new();
    private long _looked;

    /// <summary>The task that follows the source; completes when nobody is watching any more.</summary>
    public Task Following { get; private set; } = Task.CompletedTask;

    /// <summary>The records since the first request, newest first.</summary>
    public IReadOnlyList<string> Look()
    {
        lock (_gate)
        {
            _looked = time.GetTimestamp();
            if (Following.IsCompleted && !stopping.IsCancellationRequested)
                Following = Task.Run(FollowAsync, CancellationToken.None);
            return [.. _records.Reverse()];
        }
    }

    private bool IsLookedAt
    {
        get
        {
            lock (_gate)
                return time.GetElapsedTime(_looked) < Patience;
        }
    }

    private async Task FollowAsync()
    {
        try
        {
            var state = await source.GetStateAsync(stopping).ConfigureAwait(false);
            var reading = await source
                .OpenAsync(new FeedRequest(state.Horizon, state.Identity, Patience / 2), stopping)
                .ConfigureAwait(false);
            await foreach (var chunk in reading.Chunks.WithCancellation(stopping).ConfigureAwait(false))
            {
                Keep(chunk.Lines.Span);
                if (!IsLookedAt)
                    return;
            }
        }
        catch (Exception e) when (e is FeedServingException or OperationCanceledException)
        {
            // The page shows that the feed cannot be read; the next request retries.
        }
    }

    private void Keep(ReadOnlySpan<byte> lines)
    {
        List<string> newest = [];
        for (lines = lines.TrimEnd((byte)'\n'); !lines.IsEmpty && newest.Count < Capacity; )
        {
            var end = lines.LastIndexOf((byte)'\n');
            var line = lines[(end + 1)..];
            newest.Add(line.Length <= MaxLength ? Encoding.UTF8.GetString(line) : Encoding.UTF8.GetString(line[..MaxLength]) + "…");
            lines = lines[..Math.Max(end, 0)];
        }

        lock (_gate)
        {
            for (var i = newest.Count - 1; i >= 0; i--)
                _records.Enqueue(newest[i]);
            while (_records.Count > Capacity)
                _records.Dequeue();
        }
    }
}
