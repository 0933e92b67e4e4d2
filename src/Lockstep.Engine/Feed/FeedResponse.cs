using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>A feed's response being read. Disposing it closes its connection at once. One reader.</summary>
internal sealed class FeedResponse(HttpResponseMessage response, Stream stream, bool isSnapshot) : IAsyncDisposable
{
    /// <summary>The body's bytes, decompressed.</summary>
    public Stream Stream => stream;

    /// <summary>Whether the feed redirected here for a snapshot.</summary>
    public bool IsSnapshot => isSnapshot;

    /// <summary>The feed's identity, if it names one.</summary>
    public string? FeedIdentity { get; init; }

    /// <summary>The identity under which the client got its cursor, if the feed continues under another; null otherwise.</summary>
    public string? Continues { get; init; }

    /// <summary>How far the client has seen every change, before the body's next byte; null if the feed does not say.</summary>
    public Func<FeedMark?>? Mark { get; init; }

    /// <summary>The members that the feed says are its key; null if it does not say.</summary>
    public IReadOnlyList<string>? KeyFields { get; init; }

    public string? InstanceName { get; init; }

    /// <summary>How the feed says that it has nothing more for now.</summary>
    public CaughtUpSign CaughtUpBy { get; init; }

    /// <summary>The dialect of another server that the headers reveal; null if they reveal none.</summary>
    public string? Foreign { get; init; }

    /// <summary>How many records the body holds, if the feed says so.</summary>
    public long? ExpectedRecords { get; init; }

    /// <summary>The body's length in bytes as sent, if known.</summary>
    public long? ContentLength { get; init; }

    /// <summary>Whether it is the rest of an interrupted whole set.</summary>
    public bool IsRest { get; init; }

    /// <summary>How many bytes of its snapshot precede it.</summary>
    public long Start { get; init; }

    /// <summary>The entity tag with which the rest of the snapshot can be requested; null if it cannot.</summary>
    public string? RangeTag { get; init; }

    /// <summary>The page that the body is coming from; null if it does not come in pages.</summary>
    public Func<Uri>? Page { get; init; }

    /// <summary>Whether its content type is that of an HTML or XML page.</summary>
    public bool IsMarkup { get; init; }

    /// <summary>Whether the body itself says where it ends, so that its end can be told from a cut (I6).</summary>
    public bool HasDefiniteEnd { get; init; }

    public async ValueTask DisposeAsync()
    {
        // The response goes first: disposing a decoder would otherwise wait for the rest of an endless body.
        response.Dispose();
        try
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or HttpRequestException or ObjectDisposedException or InvalidDataException)
        {
            // It was being closed anyway.
        }
    }
}
