using System.Text;
using System.Text.Json;
using Lockstep.Engine.Serving;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>Reads a source as a client does, chunk by chunk.</summary>
internal sealed class RelayClient(IFeedSource source)
{
    public long Cursor { get; set; }

    public string? Identity { get; set; }

    /// <summary>Every row received: id, since, deleted.</summary>
    public List<(int Id, long Since, bool Deleted)> Rows { get; } = [];

    /// <summary>Connects, and reads up to the first chunk after which the client has everything.</summary>
    public Task CatchUpAsync() => ReadAsync(chunk => chunk.Kind is FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp);

    /// <summary>Connects, and reads until the last chunk wanted.</summary>
    public async Task ReadAsync(Func<FeedChunk, bool> enough)
    {
        var cancel = TestContext.Current.CancellationToken;
        var reading = await source.OpenAsync(new FeedRequest(Cursor, Identity, TimeSpan.FromMilliseconds(100)), cancel);
        Identity = reading.Identity;
        await foreach (var chunk in reading.Chunks.WithCancellation(cancel))
        {
            Rows.AddRange(Parse(chunk.Lines));
            if (chunk.Kind is FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp)
                Cursor = Math.Max(Cursor, chunk.Since);
            if (enough(chunk))
                return;
        }
    }

    public static IEnumerable<(int Id, long Since, bool Deleted)> Parse(ReadOnlyMemory<byte> lines) =>
        Encoding
            .UTF8.GetString(lines.Span)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line =>
            {
                using var json = JsonDocument.Parse(line);
                var row = json.RootElement;
                var since = row.GetProperty("since").GetInt64();
                Assert.Equal(Math.Min(row.GetProperty("txid").GetInt64(), row.GetProperty("current_xmin").GetInt64()), since);
                return (row.GetProperty("data").GetProperty("id").GetInt32(), since, row.GetProperty("deleted").GetBoolean());
            });
}
