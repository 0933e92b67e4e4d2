using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// A client by the book: a record is applied unless its <c>since</c> is below the stored one for its key, tombstones count as stored (I3),
/// the cursor never goes back (I4), a snapshot replaces the table at once and sweeps what it does not contain (I6). Not thread-safe.
/// </summary>
internal sealed class Follower(IFeedSource served, string key = "id")
{
    public static readonly TimeSpan Heartbeat = TimeSpan.FromMilliseconds(100);

    private FeedMark? _mark;
    private Dictionary<string, Entry> _table = new(StringComparer.Ordinal);

    /// <summary>Where the next connection goes.</summary>
    public IFeedSource Source { get; set; } = served;

    public long Cursor { get; private set; }

    public string? Identity { get; private set; }

    /// <summary>Rows received, including repeated ones.</summary>
    public int Received { get; private set; }

    public int Resyncs { get; private set; }

    /// <summary>Every line received.</summary>
    public List<string> Lines { get; } = [];

    private FeedRequest Request => new(Cursor, Identity, Heartbeat) { Mark = _mark };

    public SortedDictionary<string, string> Rows =>
        new(_table.Where(e => !e.Value.Deleted).ToDictionary(e => e.Key, e => e.Value.Data), StringComparer.Ordinal);

    /// <summary>
    /// Connects, and reads until it has everything that exists now, then on until <paramref name="enough"/> accepts a chunk.
    /// </summary>
    public async Task ReadAsync(Func<FeedChunk, bool> enough, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stop.CancelAfter(Eventually.Deadline);
        try
        {
            // It has ended before another one begins. Who does not stop when told to is not waited for either.
            await ReadAsync(enough, stop).WaitAsync(2 * Eventually.Deadline, CancellationToken.None);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"A client at cursor {Cursor} did not get what it waits for within {Eventually.Deadline}.");
        }
    }

    private async Task ReadAsync(Func<FeedChunk, bool> enough, CancellationTokenSource stop)
    {
        FeedReading reading;
        try
        {
            reading = await Source.OpenAsync(Request, stop.Token);
        }
        catch (FeedIdentityChangedException)
        {
            (Cursor, Identity, _mark) = (0, null, null);
            Resyncs++;
            reading = await Source.OpenAsync(Request, stop.Token);
        }
        catch (FeedCursorExpiredException)
        {
            Cursor = 0;
            Resyncs++;
            reading = await Source.OpenAsync(Request, stop.Token);
        }

        if (Identity != reading.Identity && (Identity is null || Identity != reading.Continues))
            _table = new Dictionary<string, Entry>(StringComparer.Ordinal);
        Identity = reading.Identity;
        _mark = FeedMark.Later(_mark, reading.Mark);
        var snapshot = Cursor == 0 ? new Dictionary<string, Entry>(StringComparer.Ordinal) : null;
        var highest = Cursor;
        await foreach (var chunk in reading.Chunks.WithCancellation(stop.Token))
        {
            _mark = FeedMark.Later(_mark, chunk.Mark);
            foreach (var line in Split(chunk.Lines))
                Apply(line, snapshot ?? _table, ref highest);
            if (chunk.Kind == FeedChunkKind.SnapshotCompleted)
            {
                Assert.NotNull(snapshot);
                _table = snapshot;
                snapshot = null;
            }

            if (chunk.Kind is FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp)
                highest = Math.Max(highest, chunk.Since);
            if (snapshot is null)
                Cursor = Math.Max(Cursor, highest);
            if (enough(chunk))
                break;
        }
    }

    /// <summary>Connects, and returns once it follows live; the result then ends with this many rows.</summary>
    public async Task<Task> FollowAsync(int rows, CancellationToken cancellationToken)
    {
        var follows = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reading = ReadAsync(
            chunk =>
            {
                if (chunk.Kind == FeedChunkKind.CaughtUp)
                    follows.TrySetResult();
                return Rows.Count == rows;
            },
            cancellationToken
        );
        if (await Task.WhenAny(follows.Task, reading) == reading)
            await reading;
        return reading;
    }

    /// <summary>Reads until the feed says that it has caught up with a horizon; resyncs when told to.</summary>
    public async Task CatchUpAsync(long horizon, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await ReadAsync(
                    chunk => chunk.Kind is (FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp) && chunk.Since >= horizon,
                    cancellationToken
                );
                return;
            }
            catch (Exception e) when (e is FeedIdentityChangedException or FeedCursorExpiredException && attempt < 20)
            {
                // Cut off in the middle of the body: the next request is told to resync.
            }
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> lines)
    {
        while (!lines.IsEmpty)
        {
            var end = lines.Span.IndexOf((byte)'\n');
            Assert.True(end >= 0, "A chunk holds whole lines.");
            yield return lines[..end];
            lines = lines[(end + 1)..];
        }
    }

    private void Apply(ReadOnlyMemory<byte> line, Dictionary<string, Entry> table, ref long highest)
    {
        using var json = JsonDocument.Parse(line);
        var row = json.RootElement;
        if (row.TryGetProperty("control", out _))
        {
            Lines.Add(System.Text.Encoding.UTF8.GetString(line.Span));
            return;
        }

        var since = row.GetProperty("since").GetInt64();
        Assert.Equal(Math.Min(row.GetProperty("txid").GetInt64(), row.GetProperty("current_xmin").GetInt64()), since);
        var data = row.GetProperty("data");
        var id = data.GetProperty(key).GetRawText();
        Received++;
        Lines.Add(System.Text.Encoding.UTF8.GetString(line.Span));
        highest = Math.Max(highest, since);
        if (table.TryGetValue(id, out var stored) && since < stored.Since)
            return;
        table[id] = new Entry(since, row.GetProperty("deleted").GetBoolean(), JsonText.Canonical(data.GetRawText()));
    }

    private sealed record Entry(long Since, bool Deleted, string Data);
}
