using System.Runtime.CompilerServices;
using System.Text;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving.Tests;

/// <summary>A source that returns what a test tells it, then waits or fails.</summary>
internal sealed class ScriptedSource(string name) : IFeedSource
{
    public string Name => name;

    public string Identity { get; set; } = "source-1";

    /// <summary>The order field of the record dialect; null for the transaction dialect.</summary>
    public string? RecordOrderField { get; set; }

    public List<FeedChunk> Chunks { get; } = [];

    /// <summary>Rows of a page.</summary>
    public int Rows { get; set; } = 1;

    /// <summary>What comes after <see cref="Chunks"/>, once <see cref="MoveOn"/> is called; null for nothing.</summary>
    public FeedChunk? Later { get; set; }

    private readonly TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void MoveOn() => _moved.TrySetResult();

    public Exception? OpenError { get; set; }

    public Exception? EndError { get; set; }

    public FeedRequest? Asked { get; private set; }

    public bool Disposed { get; private set; }

    /// <summary>How often a page was requested, and how often the list of what is served.</summary>
    public int PagesRead => _pagesRead;

    private int _pagesRead;

    public static FeedChunk Chunk(FeedChunkKind kind, long since, params string[] lines) =>
        new(kind, Encoding.UTF8.GetBytes(string.Concat(lines.Select(l => l + "\n"))), since);

    public Exception? CheckError { get; set; }

    /// <summary>Whether a check never ends.</summary>
    public bool Hangs { get; set; }

    public int Checks { get; private set; }

    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        Checks++;
        if (Hangs)
            await Task.Delay(Timeout.Infinite, CancellationToken.None);
        if (CheckError is not null)
            throw CheckError;
        await GetStateAsync(cancellationToken);
    }

    public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) =>
        OpenError is null ? ValueTask.FromResult(new FeedState(Identity, 9, ["id"], Pages: true)) : throw OpenError;

    public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        Asked = request;
        if (OpenError is not null)
            throw OpenError;
        return ValueTask.FromResult(new FeedReading(Identity, ["id"], ReadAsync(cancellationToken)));
    }

    public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        if (request.Identity is { } identity && identity != Identity)
            throw new FeedIdentityChangedException(Identity);
        Interlocked.Increment(ref _pagesRead);
        var last = request.After is not null;
        var first = last ? Rows + 1 : 1;
        var line = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(first, Rows).Select(i => Row(i) + "\n")));
        return ValueTask.FromResult(new SnapshotPage(Identity, request.Horizon ?? 9, ["id"], [line], last ? null : "p+/1"));
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }

    public static string Row(int id, string more = "") =>
        $$$"""{"txid":{{{id}}},"current_xmin":9,"since":{{{id}}},"deleted":false,"data":{"id":{{{id}}}{{{more}}}}}""";

    private async IAsyncEnumerable<FeedChunk> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var chunk in Chunks)
            yield return chunk;
        if (EndError is not null)
            throw EndError;
        if (Later is { } later)
        {
            await _moved.Task.WaitAsync(cancellationToken);
            yield return later;
        }

        await Task.Delay(Timeout.Infinite, cancellationToken);
    }
}
