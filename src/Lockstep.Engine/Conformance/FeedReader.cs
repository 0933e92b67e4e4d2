using System.Net.Http.Headers;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Conformance;

/// <summary>Sends requests to a feed and reads the answers, without following redirects or repairing anything.</summary>
internal sealed class FeedReader : IDisposable
{
    private readonly FeedHttp _http;
    private readonly ConformanceOptions _options;
    private readonly TimeProvider _time;
    private string? _identity;

    public FeedReader(FeedOptions feed, ConformanceOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _http = new FeedHttp(feed, time, decompresses: true);
    }

    /// <summary>Reads one response until it ends, falls silent, or has said enough.</summary>
    /// <param name="uri">What to ask.</param>
    /// <param name="isSet">Whether the answer is the whole set, and not what follows a cursor.</param>
    /// <param name="heartbeat">Whether to wait for a heartbeat once the records are there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="FeedException">There is no answer, or credentials may not be sent.</exception>
    public async Task<ObservedResponse> ReadAsync(Uri uri, bool isSet, bool heartbeat, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(uri, isSet ? null : AddIdentity, cancellationToken).ConfigureAwait(false);
        if (isSet && response.Headers.TryGetValues(WireNames.FeedIdentityHeader, out var identities))
            _identity = identities.First();
        var count = response.Headers.TryGetValues("X-Amz-Meta-Count", out var counts) ? counts.First() : null;
        var location = response.Headers.Location is { } given ? WildcardHost.ToHostOf(new Uri(uri, given), uri) : null;
        var body = response.IsSuccessStatusCode
            ? await ReadBodyAsync(
                    response,
                    isSet,
                    heartbeat ? _options.Heartbeat ?? _options.Settle : _options.Settle,
                    heartbeat,
                    cancellationToken
                )
                .ConfigureAwait(false)
            : new Body();
        return new ObservedResponse(
            FeedUri.Parse(uri).Display,
            (int)response.StatusCode,
            response.Content.Headers.ContentType?.MediaType,
            location,
            count,
            body.End,
            body.Items,
            body.BlankLines
        );
    }

    public void Dispose() => _http.Dispose();

    /// <summary>A cursor goes with the identity of its feed, as from every client.</summary>
    private void AddIdentity(HttpRequestHeaders headers)
    {
        if (_identity is not null)
            headers.TryAddWithoutValidation(WireNames.FeedIdentityHeader, _identity);
    }

    private sealed class Body
    {
        public ReadingEnd End { get; set; }

        public List<FeedItem> Items { get; } = [];

        public int BlankLines { get; set; }

        public int Records { get; set; }

        /// <summary>Whether what comes next is of the whole set.</summary>
        public bool IsInSet { get; set; }

        /// <summary>The order value of the set's first record.</summary>
        public OrderValue? SetCursor { get; set; }

        public bool IsAlive => BlankLines > 0 || Items.Exists(item => item.Kind == FeedItemKind.Heartbeat);
    }

    private async Task<Body> ReadBodyAsync(
        HttpResponseMessage response,
        bool isSet,
        TimeSpan patience,
        bool heartbeat,
        CancellationToken cancellationToken
    )
    {
        Body body = new() { IsInSet = isSet };
        FrameReader frames = new();
        FeedItemReader items = new(_options);
        using CancellationTokenSource silence = new(patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        try
        {
            var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            int read;
            do
            {
                read = await stream.ReadAsync(frames.GetFreeMemory(), either.Token).ConfigureAwait(false);
                frames.Advance(read);
                if (read == 0)
                    frames.Complete();
                var before = body.Records;
                Take(frames, items, body);
                // Heartbeats do not count: a feed may send them more often than this waits.
                if (body.Records > before)
                    silence.CancelAfter(patience);
                if (body.Items.Count >= _options.MaximumRecords || (heartbeat && body.IsAlive))
                    return Ended(body, ReadingEnd.Enough);
            } while (read > 0);
            return Ended(body, ReadingEnd.Completed);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Ended(body, ReadingEnd.Settled);
        }
        catch (Exception error) when (error is IOException or HttpRequestException or InvalidDataException)
        {
            return Ended(body, ReadingEnd.Broken);
        }
    }

    private static void Take(FrameReader frames, FeedItemReader items, Body body)
    {
        while (frames.TryRead(out var frame))
        {
            if (items.Read(frame) is not { } item)
            {
                body.BlankLines++;
                continue;
            }
            body.IsInSet &= item.Kind != FeedItemKind.SnapshotCompleted;
            if (body.IsInSet && item.Kind == FeedItemKind.Transaction)
                item = item with { SetCursor = body.SetCursor ??= item.Order };

            // Heartbeats are recorded once; a long wait would otherwise accumulate them (I8).
            if (item.Kind != FeedItemKind.Heartbeat || !body.IsAlive)
                body.Items.Add(item);
            if (item.Kind is FeedItemKind.Record or FeedItemKind.Transaction)
                body.Records++;
        }
    }

    private static Body Ended(Body body, ReadingEnd end)
    {
        body.End = end;
        return body;
    }
}
