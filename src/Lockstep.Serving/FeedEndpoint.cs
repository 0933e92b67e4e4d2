using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lockstep.Serving;

/// <summary>
/// One source over HTTP. <c>GET /name?since=N</c> or <c>/name/N</c>: the snapshot if N is 0, then live updates, in one endless chunked
/// body. <c>GET /name/pages</c>: the snapshot in pages that caches can store; with <c>since</c> above 0, or <c>update=true</c>, the updates
/// after it, so that a client which reads pages continues at the same address. <c>GET /name/updates</c>: a page of the live updates that
/// clients share. The filter is in <c>columns</c> and <c>where</c>. A body that cannot continue is cut off, never ended: a clean end would
/// pass for the end of a snapshot (I6).
/// </summary>
internal sealed class FeedEndpoint(
    IFeedSource source,
    FeedServerOptions options,
    FeedAccess access,
    ServingMetrics metrics,
    FeedClients clients,
    SharedUpdates shared,
    SendBudget budget,
    ContentCodings codings,
    TimeProvider time,
    CancellationToken stopping
)
{
    /// <summary>What a client may request; the last three are those of pages, as in their links.</summary>
    private static readonly string[] KnownOptions = ["since", "update", "columns", "where", "horizon", "feed", "after"];

    public const string ContentType = "application/x-ndjson";
    public const string PagesSegment = "pages";
    private const string RecordVariant = "record";
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);
    private readonly ILogger _logger = options.LoggerFactory.CreateLogger(ServingLog.Category);
    private readonly PageEndpoint _pages = new(source, options, access, clients, codings, time);
    private readonly UpdatesEndpoint _updates = new(source, shared, access, clients);

    public async Task HandleAsync(HttpContext context)
    {
        var request = context.Request;
        var response = context.Response;
        if (options.InstanceName is { } instance)
            response.Headers[WireNames.InstanceNameHeader] = instance;
        if (!await access.AdmitAsync(context, source.Name).ConfigureAwait(false))
        {
            ServingLog.Refused(_logger, AddressOf(context), source.Name, response.StatusCode);
            return;
        }

        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            response.Headers.Allow = "GET, HEAD";
            await Answer
                .WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "method_not_allowed", "A feed can only be read.")
                .ConfigureAwait(false);
            return;
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using var share = budget.Join(() => _ = ending.CancelAsync());
        string? filterIdentity = null;
        try
        {
            var rest = request.Path.Value![PathOf(source.Name).Length..].Trim('/');
            if (rest == UpdatesEndpoint.Segment && options.ShareUpdates)
            {
                await _updates.HandleAsync(context, share, ending.Token).ConfigureAwait(false);
                return;
            }

            RequireKnownOptions(request);
            var filter = FeedFilter.Parse(request.Query["columns"], request.Query["where"]);
            filterIdentity = VariantOf(filter);
            if (filter is not null)
                filter.RequireColumns((await source.GetStateAsync(ending.Token).ConfigureAwait(false)).Columns);
            if (rest == PagesSegment && !WantsUpdates(request))
            {
                await _pages.HandleAsync(context, filter, share, ending.Token).ConfigureAwait(false);
            }
            else if (CursorOf(request, rest == PagesSegment ? "" : rest) is { } since)
            {
                await StreamAsync(context, since, filter, share, ending.Token).ConfigureAwait(false);
            }
            else
            {
                await Answer
                    .WriteAsync(context, StatusCodes.Status400BadRequest, "bad_cursor", "The cursor is a whole number, 0 or more.")
                    .ConfigureAwait(false);
            }
        }
        catch (FeedServingException e) when (!response.HasStarted)
        {
            metrics.Refused(source.Name, e);
            if (e is FeedUnavailableException)
                Failed(e);
            await FeedAnswer.WriteAsync(context, e, filterIdentity).ConfigureAwait(false);
        }
        catch (LockstepException e) when (!response.HasStarted)
        {
            Failed(e);
            await FeedAnswer
                .WriteAsync(context, new FeedUnavailableException(e.Message, RetryAfter, e), filterIdentity)
                .ConfigureAwait(false);
        }
        catch (NotSupportedException e) when (!response.HasStarted)
        {
            await Answer.WriteAsync(context, StatusCodes.Status404NotFound, "no_pages", e.Message).ConfigureAwait(false);
        }
        catch (Exception e) when (response.HasStarted && IsOfClosedResponse(e))
        {
            context.Abort();
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            context.Abort();
        }
        catch (Exception e) when (response.HasStarted)
        {
            Failed(e);
            context.Abort();
        }
    }

    /// <summary>
    /// Whether an error means that the client has disconnected, which a write shows before the request's token does: a flush by
    /// <see cref="FeedLineWriter.SendAsync"/>, and a write to the empty buffer that Kestrel then returns.
    /// </summary>
    private static bool IsOfClosedResponse(Exception error) =>
        error is OperationCanceledException or ArgumentOutOfRangeException { ParamName: "writer" };

    /// <summary>A client's read has failed: counts it, and reports it to the operator.</summary>
    private void Failed(Exception error)
    {
        metrics.ReadFailed(source.Name, error);
        ServingLog.ReadFailed(_logger, source.Name, error);
    }

    /// <summary>The path of a source: as the server sees it, where an encoded slash is the only character that stays encoded.</summary>
    public static string PathOf(string name) => "/" + name.Replace("/", "%2F", StringComparison.Ordinal);

    /// <summary>
    /// What distinguishes a client's feed from the source's: its filter, and the dialect, in which cursors mean something else.
    /// </summary>
    private string? VariantOf(FeedFilter? filter) =>
        source.RecordOrderField is null ? filter?.Identity : $"{filter?.Identity}{RecordVariant}";

    /// <summary>Whether a client asks to be told where a whole set continues, and therefore knows control rows in any dialect.</summary>
    public static bool AsksForControlRows(HttpRequest request) => request.Headers[WireNames.ResumeHeader] == WireNames.ResumeByPage;

    private static string AddressOf(HttpContext context) =>
        $"{context.Connection.RemoteIpAddress}:{context.Connection.RemotePort.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>
    /// Refuses unknown options: a misspelt filter would be no filter, and all rows would be sent. A secret is for a proxy in front, which
    /// may leave it in the query.
    /// </summary>
    /// <exception cref="FeedFilterException">The query contains an unknown name.</exception>
    private static void RequireKnownOptions(HttpRequest request)
    {
        var unknown = request.Query.Keys.FirstOrDefault(name =>
            !KnownOptions.Contains(name, StringComparer.OrdinalIgnoreCase) && !SecretNames.Contain(name)
        );
        if (unknown is not null)
        {
            throw new FeedFilterException(
                $"There is no query option '{(unknown.Length > 100 ? unknown[..100] + "..." : unknown)}'; there are "
                    + $"{string.Join(", ", KnownOptions)}.{Spelling.Suggestion(unknown, KnownOptions)}"
            );
        }
    }

    /// <summary>
    /// Whether the client gets live updates in shared pages. A cache may not keep what needs a credential: those clients get a stream.
    /// </summary>
    private bool SharesUpdates(HttpRequest request) =>
        options.ShareUpdates
        && access.IsOpen
        && source.RecordOrderField is null
        && request.Headers[WireNames.FollowHeader] == WireNames.FollowByPages;

    private static bool WantsUpdates(HttpRequest request) => CursorOf(request, "") is null or > 0 || request.Query["update"] == "true";

    private static long? CursorOf(HttpRequest request, string rest)
    {
        var text = request.Query.TryGetValue("since", out var since) ? since.ToString() : rest;
        if (text.Length == 0)
            return 0;
        return WholeNumber.TryParse(text, out var cursor) ? cursor : null;
    }

    private async Task StreamAsync(
        HttpContext context,
        long since,
        FeedFilter? filter,
        SendShare share,
        CancellationToken cancellationToken
    )
    {
        var variant = VariantOf(filter);
        var identity = FeedName.ForSource(context.Request.Headers[WireNames.FeedIdentityHeader], variant);
        var response = context.Response;
        var shares = filter is null && SharesUpdates(context.Request);
        if (shares && since == 0 && context.Request.Query["update"] != "true")
        {
            var pages = await source.GetStateAsync(cancellationToken).ConfigureAwait(false);
            if (pages.Pages)
            {
                await _pages.RedirectAsync(context, filter, cancellationToken).ConfigureAwait(false);
                response.Headers.CacheControl = "no-store";
                return;
            }
        }

        response.ContentType = ContentType;
        response.Headers.CacheControl = "no-store";
        if (HttpMethods.IsHead(context.Request.Method))
        {
            var state = await source.GetStateAsync(cancellationToken).ConfigureAwait(false);
            response.Headers[WireNames.FeedIdentityHeader] = FeedName.Join(state.Identity, variant);
            response.Headers[WireNames.KeyHeader] = KeyAnnouncement.Format(state.KeyColumns);
            return;
        }

        // Before what the client lacks is read: nothing is missed in between.
        var place = shares && since > 0 ? await shared.JoinAsync(cancellationToken).ConfigureAwait(false) : null;
        var reading = await source
            .OpenAsync(
                new FeedRequest(since, identity, options.HeartbeatInterval)
                {
                    Share = share,
                    Filter = filter,
                    InOrder = source.RecordOrderField is not null,
                    Mark = FeedMark.Parse(context.Request.Headers[WireNames.MarkHeader]),
                    WantsPages = AsksForControlRows(context.Request),
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        response.Headers[WireNames.FeedIdentityHeader] = FeedName.Join(reading.Identity, variant);
        response.Headers[WireNames.KeyHeader] = KeyAnnouncement.Format(reading.KeyColumns);
        if (reading.Continues is { } before)
            response.Headers[WireNames.ContinuesHeader] = FeedName.Join(before, variant);
        var wantsMarks = context.Request.Headers.ContainsKey(WireNames.MarkHeader);
        if (wantsMarks && reading.Mark is { } mark)
            response.Headers[WireNames.MarkHeader] = mark.ToString();
        // With a filter, something must be sent even while it leaves out row after row. Older clients know only heartbeats.
        var takesBlankLines = context.Request.Headers.Accept.Any(type =>
            type?.Contains("ndjson", StringComparison.OrdinalIgnoreCase) == true
        );
        if (takesBlankLines || (source.RecordOrderField is not null && filter is null))
            response.Headers[WireNames.CaughtUpHeader] = WireNames.CaughtUpByHeartbeat;
        if (place?.Identity == reading.Identity)
            _updates.Announce(response, place);
        else
            place = null;
        using var client = clients.Begin(context.Request, since);
        using var measurement = metrics.Client(source.Name);

        using var coding = source.RecordOrderField is null ? codings.Begin(context) : null;
        coding?.Announce(response);
        using var compressed = coding is null ? null : new CompressedPipeWriter(response.BodyWriter, coding);

        // The client learns the feed's identity before the first row, which may take a while.
        IFeedWriter writer = source.RecordOrderField is null
            ? new FeedLineWriter(compressed ?? response.BodyWriter, filter, reading.KeyColumns, time, share)
            : await RecordWriter.StartAsync(context, filter, reading.KeyColumns, source, share, cancellationToken).ConfigureAwait(false);
        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        ServingLog.ClientCame(_logger, AddressOf(context), source.Name, since);
        try
        {
            await SendAsync(
                    context.Request,
                    wantsMarks,
                    reading,
                    filter,
                    takesBlankLines,
                    writer,
                    client,
                    measurement,
                    share,
                    endsCaughtUp: place is not null,
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        finally
        {
            ServingLog.ClientLeft(_logger, AddressOf(context), source.Name, writer.Rows, writer.Bytes);
        }
    }

    private async Task SendAsync(
        HttpRequest request,
        bool wantsMarks,
        FeedReading reading,
        FeedFilter? filter,
        bool takesBlankLines,
        IFeedWriter writer,
        ServedClient client,
        ServingMetrics.ClientMeasurement measurement,
        SendShare share,
        bool endsCaughtUp,
        CancellationToken cancellationToken
    )
    {
        var spoke = time.GetTimestamp();
        await foreach (var chunk in reading.Chunks.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            client.Begin();

            // A filtered row is a copy, and so is one written in another dialect.
            var held = share.Cover(chunk.Lines.Length * (filter is null && writer is FeedLineWriter ? 1L : 2));
            if (wantsMarks && chunk.Mark is { } mark)
                writer.WriteMark(mark);
            var wrote = await writer.WriteRowsAsync(chunk, cancellationToken).ConfigureAwait(false);
            switch (chunk.Kind)
            {
                case FeedChunkKind.SnapshotCompleted:
                    writer.WriteCompleted(chunk.Since);
                    break;
                case FeedChunkKind.CaughtUp:
                    writer.WriteHeartbeat(chunk.Since);
                    break;
                case FeedChunkKind.SnapshotPage:
                    writer.WritePage(_pages.AddressOf(request, chunk.Page!, filter));
                    break;
                default:
                    // While a filter leaves out row after row, the client must not conclude that the connection is dead.
                    if (wrote)
                        break;
                    if (time.GetElapsedTime(spoke) < options.HeartbeatInterval)
                    {
                        share.Give(held);
                        continue;
                    }

                    if (takesBlankLines)
                        writer.WriteBlankLine();
                    else
                        writer.WriteHeartbeat(null);
                    break;
            }

            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
            share.Give(held);
            spoke = time.GetTimestamp();
            client.Sent(
                writer.Rows,
                writer.Bytes,
                chunk.Kind is FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp ? chunk.Since : null
            );
            measurement.Sent(writer.Bytes);
            if (endsCaughtUp && chunk.Kind == FeedChunkKind.CaughtUp)
                return;
        }
    }
}
