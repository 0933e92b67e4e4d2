using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>
/// Requests a feed's records: cursor, credentials, redirects, compression. It opens one body at a time; the caller decides what to do when
/// that ends or fails. One thread at a time.
/// </summary>
internal sealed class FeedClient : IDisposable
{
    private readonly TimeProvider _time;
    private readonly FeedHttp _http;

    public FeedClient(FeedOptions options, TimeProvider time)
    {
        _time = time;
        _http = new FeedHttp(options, time);
    }

    /// <summary>The feed.</summary>
    public FeedUri Uri => _http.Uri;

    /// <summary>Sends the requests; also used by dialects that build their own.</summary>
    internal FeedHttp Http => _http;

    public TimeSpan ConnectionTimeout => _http.Options.ConnectionTimeout;

    public TimeSpan OperationTimeout => _http.Options.OperationTimeout;

    /// <summary>Continues with settings the feed's owner has changed; the cursor stays. Null leaves a setting unchanged.</summary>
    public void Replace(string? bearerToken, Uri? uri, IReadOnlyList<KeyValuePair<string, string>>? headers) =>
        _http.Replace(bearerToken, uri, headers);

    /// <summary>Requests the feed from a cursor. A 307 is taken as a snapshot's address, unless only updates are wanted.</summary>
    /// <exception cref="FeedException">The feed cannot be reached or answers otherwise than with records.</exception>
    public Task<FeedResponse> OpenAsync(Cursor cursor, bool updatesOnly, string? feedIdentity, CancellationToken cancellationToken) =>
        OpenAsync(
            Uri.Request(_http.Options.CursorStyle, cursor, _http.Options.Query, updatesOnly),
            isPage: false,
            range: null,
            updatesOnly,
            headers =>
            {
                AddHeaders(headers, feedIdentity, isWhole: cursor.IsStart && !updatesOnly);
                // A recording is of one body.
                if (_http.Options.Tap is null)
                    headers.TryAddWithoutValidation(WireNames.FollowHeader, WireNames.FollowByPages);
            },
            cancellationToken
        );

    /// <summary>Requests the whole set, and the rest of the snapshot that it leads to.</summary>
    /// <param name="range">Where the rest begins.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <inheritdoc cref="OpenAsync(Cursor, bool, string, CancellationToken)" path="/exception"/>
    public Task<FeedResponse> OpenRestAsync(SnapshotRange range, CancellationToken cancellationToken) =>
        OpenAsync(
            Uri.Request(_http.Options.CursorStyle, Cursor.Start, _http.Options.Query, update: false),
            isPage: false,
            range,
            updatesOnly: false,
            headers => AddHeaders(headers, feedIdentity: null, isWhole: false),
            cancellationToken
        );

    /// <summary>Resumes an interrupted whole set at a page, and reads the pages after it.</summary>
    /// <param name="page">As <see cref="FeedUri.Keep"/> gave it.</param>
    /// <param name="feedIdentity">The identity of the set so far.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <inheritdoc cref="OpenAsync(Cursor, bool, string, CancellationToken)" path="/exception"/>
    public Task<FeedResponse> OpenPageAsync(string page, string? feedIdentity, CancellationToken cancellationToken) =>
        OpenAsync(
            new Uri(Uri.Location, page),
            isPage: true,
            range: null,
            updatesOnly: false,
            headers => AddHeaders(headers, feedIdentity, isWhole: false),
            cancellationToken
        );

    private async Task<FeedResponse> OpenAsync(
        Uri target,
        bool isPage,
        SnapshotRange? range,
        bool updatesOnly,
        Action<HttpRequestHeaders> addHeaders,
        CancellationToken cancellationToken
    )
    {
        var isSnapshot = isPage;
        for (var redirects = 0; redirects <= FeedHttp.MostRedirects; redirects++)
        {
            var part = isSnapshot ? range : null;
            var response = await _http
                .GetAsync(
                    target,
                    headers =>
                    {
                        addHeaders(headers);
                        part?.AddTo(headers);
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.PartialContent && part?.IsAnsweredBy(response) != true)
            {
                using (response)
                {
                    throw new FeedCutException(
                        Uri,
                        part is null
                            ? "it answers with a part of itself (206 Partial Content), which was not requested."
                            : "it answers with another part of its snapshot than was requested."
                    );
                }
            }

            if (response.StatusCode == HttpStatusCode.Accepted)
            {
                using (response)
                    throw new FeedCutException(Uri, "it says that its answer is not ready yet.");
            }

            if (response.IsSuccessStatusCode)
                return await ReadAsync(response, target, isSnapshot, isPage, part, cancellationToken).ConfigureAwait(false);

            using (response)
            {
                if (_http.RedirectOf(response, target) is not { } location)
                    throw await RefusalAsync(response, cancellationToken).ConfigureAwait(false);
                if (response.StatusCode == HttpStatusCode.TemporaryRedirect)
                {
                    // The snapshot has been taken already; a follower asks again later for newer changes.
                    if (updatesOnly)
                    {
                        throw new FeedRedirectException(
                            Uri,
                            "it answered a request for updates with a snapshot's address.",
                            isTransient: true
                        );
                    }

                    isSnapshot = true;
                }

                target = location;
            }
        }

        throw _http.TooManyRedirects();
    }

    public void Dispose() => _http.Dispose();

    private void AddHeaders(HttpRequestHeaders headers, string? feedIdentity, bool isWhole)
    {
        headers.TryAddWithoutValidation("Accept", "application/x-ndjson, application/json;q=0.9, */*;q=0.5");
        if (!_http.Options.DisableCompression)
            headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br");
        var (identity, mark) = feedIdentity is null ? (null, null) : FeedMark.Split(feedIdentity);
        if (identity is not null)
            RequestHeader.Add(headers, WireNames.FeedIdentityHeader, identity);
        if (identity is not null || isWhole)
            headers.TryAddWithoutValidation(WireNames.MarkHeader, mark?.ToString() ?? WireNames.NoMark);
        if (isWhole)
            headers.TryAddWithoutValidation(WireNames.ResumeHeader, WireNames.ResumeByPage);
    }

    private async Task<FeedResponse> ReadAsync(
        HttpResponseMessage response,
        Uri target,
        bool isSnapshot,
        bool isPage,
        SnapshotRange? part,
        CancellationToken cancellationToken
    )
    {
        Stream stream;
        try
        {
            stream = await OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            response.Dispose();
            throw;
        }

        string? Header(string name) =>
            response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values)
                ? values.FirstOrDefault()
                : null;

        // Only a snapshot that the feed led to, and updates of which it says so, are fetched page by page: elsewhere a link says nothing
        // about the body.
        var isLive = !isSnapshot && Header(WireNames.FollowHeader) == WireNames.FollowByPages;
        var isPaged = (isSnapshot || isLive) && PagedBody.NextOf(response, target) is not null;
        PagedBody? pages = null;
        if (isPaged && isLive)
            stream = new PagedBody(Uri, target, response, stream, FetchUpdatesAsync, OpenContentAsync, _time);
        else if (isPaged)
            stream = pages = new PagedBody(Uri, target, response, stream, FetchPageAsync, OpenContentAsync);

        return new FeedResponse(response, stream, isSnapshot)
        {
            FeedIdentity = Header(WireNames.FeedIdentityHeader),
            Continues = Header(WireNames.ContinuesHeader),
            Mark =
                pages is not null ? () => pages.Mark
                : FeedMark.Parse(Header(WireNames.MarkHeader)) is { } mark ? () => mark
                : null,
            KeyFields = KeyAnnouncement.Parse(Header(WireNames.KeyHeader)),
            InstanceName = Header(WireNames.InstanceNameHeader),
            CaughtUpBy = Header(WireNames.CaughtUpHeader) switch
            {
                WireNames.CaughtUpBySilence => CaughtUpSign.Silence,
                WireNames.CaughtUpByHeartbeat => CaughtUpSign.Heartbeat,
                _ => CaughtUpSign.None,
            },
            Foreign = isSnapshot ? null : DialectDetection.ByHead(Header),
            ExpectedRecords = long.TryParse(Header(WireNames.CountHeader), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                ? count
                : null,
            IsRest = isPage || response.StatusCode == HttpStatusCode.PartialContent,
            Start = response.StatusCode == HttpStatusCode.PartialContent ? part!.From : 0,
            RangeTag = isSnapshot && !isPaged ? SnapshotRange.TagOf(response) : null,
            Page = pages is null ? null : () => pages.Page,
            // A status without content does not vouch for an empty set (I6).
            ContentLength =
                isPaged || response.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.ResetContent
                    ? null
                    : response.Content.Headers.ContentLength,
            IsMarkup = ForeignBody.IsMarkup(response.Content.Headers.ContentType?.MediaType),
            HasDefiniteEnd =
                response.Content.Headers.ContentLength is not null
                || response.Headers.TransferEncodingChunked == true
                || response.Version.Major >= 2,
        };
    }

    internal async Task<Stream> OpenContentAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        foreach (var encoding in response.Content.Headers.ContentEncoding.Reverse())
            stream = Decode(stream, encoding);
        // The rest of a body has no beginning to recognise it by.
        return response.StatusCode == HttpStatusCode.PartialContent ? stream : new Utf8Body(stream);
    }

    private async Task<HttpResponseMessage> FetchPageAsync(Uri page, CancellationToken cancellationToken)
    {
        var response = await _http
            .GetAsync(page, headers => AddHeaders(headers, feedIdentity: null, isWhole: false), cancellationToken)
            .ConfigureAwait(false);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw await RefusalAsync(response, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Fetches a page of updates, which the feed holds until there is one. One that is no longer there is no reason to start over: the feed
    /// is asked from the cursor, as after any cut.
    /// </summary>
    private async Task<HttpResponseMessage> FetchUpdatesAsync(Uri page, CancellationToken cancellationToken)
    {
        var response = await _http
            .AskAsync(
                page,
                headers => AddHeaders(headers, feedIdentity: null, isWhole: false),
                body: null,
                _http.Options.OperationTimeout,
                cancellationToken
            )
            .ConfigureAwait(false);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
        {
            if ((int)response.StatusCode is 400 or 404 or 409 or 410)
                throw new FeedCutException(Uri, "the next page of its updates is no longer available.");
            throw await RefusalAsync(response, cancellationToken).ConfigureAwait(false);
        }
    }

    private Stream Decode(Stream stream, string encoding) =>
        EncodedStream.Open(stream, encoding) ?? throw new FeedCutException(Uri, $"its content encoding '{encoding}' is not known.");

    /// <summary>The error for a status that is not a success, with what the server says about it; reads the body.</summary>
    /// <inheritdoc cref="Refusal" path="/param"/>
    internal async Task<FeedStatusException> RefusalAsync(
        HttpResponseMessage response,
        CancellationToken cancellationToken,
        string? dialect = null
    )
    {
        using var body = await ErrorBody.ReadAsync(this, response, cancellationToken).ConfigureAwait(false);
        return Refusal(response, body, dialect);
    }

    /// <summary>The same, for a body that has been read.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="body">Its body.</param>
    /// <param name="dialect">The dialect of another server that was used for the request; null for Lockstep's own.</param>
    internal FeedStatusException Refusal(HttpResponseMessage response, ErrorBody body, string? dialect) =>
        new(
            Uri,
            response.StatusCode,
            ReasonOf(response),
            RetryAfterOf(response),
            ExcerptOf(response, body),
            FeedStatusException.AdviceOf(response.StatusCode, dialect, RetryAfterOf(response) is not null)
        )
        {
            Headers = ResponseHeaders.Of(response),
        };

    /// <summary>What the server says about its error; null if it says nothing.</summary>
    internal string? ExcerptOf(HttpResponseMessage response, ErrorBody body) => ErrorExcerpt.Of(body, _http.SecretsOf(response));

    /// <summary>The status in the server's words, without secrets.</summary>
    internal string? ReasonOf(HttpResponseMessage response) =>
        response.ReasonPhrase is { } reason ? ErrorExcerpt.Hide(reason, _http.SecretsOf(response)) : null;

    internal RetryAfter? RetryAfterOf(HttpResponseMessage response) => RetryAfter.Of(response, _time.GetUtcNow());
}
