using System.Text.Json;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>What a page contained besides its records.</summary>
/// <param name="Places">Its places; valid until the page is disposed.</param>
/// <param name="Count">How many items it had, of any kind.</param>
/// <param name="IsUpToDate">Whether it says that this is everything.</param>
/// <param name="AsksForResync">Whether it says that the feed cannot continue.</param>
internal sealed record Page(ResponsePlaces Places, int Count, bool IsUpToDate, bool AsksForResync) : IDisposable
{
    /// <summary>What surrounds the items; null for an answer without a body.</summary>
    public JsonDocument? Around { get; init; }

    /// <summary>How many of the items are records that exist.</summary>
    public int Live { get; init; }

    /// <summary>Where the items were; null if there were none.</summary>
    public string? ItemsPlace { get; init; }

    /// <summary>The cursor of the last item that has one.</summary>
    public string? LastCursor { get; init; }

    /// <summary>A fingerprint of its items: two pages with the same one have the same items.</summary>
    public (ulong Hash, long Length, int Count) Fingerprint { get; init; }

    /// <summary>Whether one of its items is new in this round.</summary>
    public bool HasNews { get; init; }

    public void Dispose() => Around?.Dispose();
}

/// <summary>Reads one page: its items go to the writer, its signs to the caller. One thread at a time.</summary>
internal sealed class PageReader(DialectSession session)
{
    private const int NoContent = 204;
    private const int Accepted = 202;

    /// <summary>How much white space may follow the document.</summary>
    private const int MostBlank = 1024 * 1024;

    private bool _hasWarnedOfUnknown;
    private byte[]? _buffer;

    /// <summary>Reads the page of a successful answer.</summary>
    /// <param name="rules">The rules to apply.</param>
    /// <param name="response">The answer.</param>
    /// <param name="maximum">Receives the values for a cursor that is the largest one; null if there is none.</param>
    /// <param name="news">Knows which items have been seen before; null if that does not matter.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Page> ReadAsync(
        DialectRules rules,
        HttpResponseMessage response,
        MaximumCursor? maximum,
        RoundNews? news,
        CancellationToken cancellationToken
    )
    {
        if ((int)response.StatusCode == NoContent)
        {
            session.Context.Counters.Heartbeats++;
            return new Page(new ResponsePlaces(response), 0, IsUpToDate: true, AsksForResync: false);
        }

        if (response.Content.Headers.ContentType?.MediaType?.Contains("html", StringComparison.OrdinalIgnoreCase) == true)
            throw session.Requests.IsPage();
        var limit = session.Context.Options.MaximumRecordSize;
        var document = new DocumentReader(rules.Items, limit, _buffer);
        _buffer = null;
        var items = new Items(session.Writer, rules, document, maximum, news);
        var body = await session.Client.OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
        await using var stream = new IdleStream(
            body,
            session.Client.Uri,
            session.Client.OperationTimeout,
            session.Context.Time,
            session.NoteBytes
        );
        await ReadBodyAsync(rules, stream, document, items, cancellationToken).ConfigureAwait(false);
        await RequireEndAsync(stream, document, cancellationToken).ConfigureAwait(false);
        _buffer = document.Buffer;
        var around = document.Around();
        var places = new ResponsePlaces(response, around.RootElement);
        var page = new Page(
            places,
            items.Count,
            items.IsUpToDate || rules.UpToDate?.Holds(places) == true,
            items.AsksForResync || rules.Resync?.Holds(places) == true
        )
        {
            Around = around,
            LastCursor = items.LastCursor,
            Live = items.Live,
            Fingerprint = items.Fingerprint,
            HasNews = items.HasNews,
            ItemsPlace = document.HasItems ? document.ItemsPlace : null,
        };
        try
        {
            if (rules.Body is not null && !page.AsksForResync && ErrorOf(around.RootElement) is { } error)
                throw session.Requests.Wrong($"it answers with an error: {error}");
            if (!document.HasItems && !page.AsksForResync)
                throw Missing(rules, response, around.RootElement);
            // Kubernetes sends null for an empty list; from others it may be a list that failed, with a valid cursor (D3).
            if (document.IsNull && !rules.TypesItems)
                throw session.Requests.Wrong("its list is null, which is not an empty list");
            session.IsConfirmed = true;
            await WarnAsync(items, cancellationToken).ConfigureAwait(false);
            return page;
        }
        catch
        {
            page.Dispose();
            throw;
        }
    }

    private async Task ReadBodyAsync(
        DialectRules rules,
        IdleStream stream,
        DocumentReader document,
        Items items,
        CancellationToken cancellationToken
    )
    {
        var total = 0L;
        while (!document.IsWhole)
        {
            var read = stream.ReadAsync(document.GetFreeMemory(), cancellationToken);
            var count = read.IsCompleted
                ? await read.ConfigureAwait(false)
                : await session.Writer.WaitForBytesAsync(read.AsTask(), cancellationToken).ConfigureAwait(false);
            total += count;
            document.Advance(count);
            try
            {
                while (document.Read(items.Take))
                    await session.Writer.FlushAsync(canStage: !rules.Merges && !rules.IsAtomic, cancellationToken).ConfigureAwait(false);
            }
            catch (JsonException e)
            {
                if (count == 0 && total > 0)
                    throw new FeedCutException(session.Client.Uri, "its body ends before the JSON does.", e);
                throw session.Requests.Wrong(total == 0 ? "its body is empty" : "its body is not JSON: " + JsonText.Explain(e));
            }
            catch (InvalidDataException e)
            {
                throw session.Requests.Wrong(e.Message);
            }

            if (count == 0 && !document.IsWhole)
            {
                if (total == 0)
                    throw session.Requests.Wrong("its body is empty");
                throw new FeedCutException(session.Client.Uri, "its body ends before the JSON does.");
            }
        }
    }

    /// <summary>The first error of GraphQL, which arrives with status 200, perhaps along with part of the data (D3).</summary>
    private static string? ErrorOf(JsonElement body)
    {
        if (
            body.ValueKind != JsonValueKind.Object
            || !body.TryGetProperty("errors", out var errors)
            || errors.ValueKind != JsonValueKind.Array
            || errors.GetArrayLength() == 0
        )
        {
            return null;
        }

        var text =
            errors[0] is { ValueKind: JsonValueKind.Object } error && error.TryGetProperty("message", out var message)
                ? message.ToString()
                : errors[0].ToString();
        return text.Length > 200 ? text[..200] + "…" : text;
    }

    /// <summary>
    /// Reads the body to its end: a truncation after the document is still a truncation, and anything after the document, such as a second
    /// list, would be lost silently. A limited amount of white space may follow.
    /// </summary>
    private async Task RequireEndAsync(IdleStream stream, DocumentReader document, CancellationToken cancellationToken)
    {
        var time = session.Context.Time;
        var limit = session.Client.OperationTimeout;
        var began = time.GetTimestamp();
        var blank = 0;
        for (var count = 1; count > 0; document.Advance(count))
        {
            if (!document.TakeRest())
                throw session.Requests.Wrong("something follows its JSON");
            if (blank > MostBlank || (limit != Timeout.InfiniteTimeSpan && time.GetElapsedTime(began) > limit))
                throw session.Requests.Wrong("its body does not end after its JSON");
            count = await stream.ReadAsync(document.GetFreeMemory(), cancellationToken).ConfigureAwait(false);
            blank += count;
        }
    }

    /// <summary>An answer without its list is an error, never an empty set (D3).</summary>
    private FeedException Missing(DialectRules rules, HttpResponseMessage response, JsonElement body)
    {
        if ((int)response.StatusCode == Accepted)
            return new FeedCutException(session.Client.Uri, "it says that its answer is not ready yet.");
        var has =
            body.ValueKind == JsonValueKind.Object ? string.Join(", ", body.EnumerateObject().Take(8).Select(p => $"'{p.Name}'")) : "";
        var wanted = rules.Items is { } place ? $"no list in '{place}'" : "no list where lists usually are";
        return session.Requests.Wrong(
            $"it has {wanted}{(has.Length > 0 ? $"; it has {has}" : "")}",
            $"Check the URI; set where its records are with Items in {Term.Dialect}."
        );
    }

    private async Task WarnAsync(Items items, CancellationToken cancellationToken)
    {
        await session.SayIfDeletionIsUnknownAsync(cancellationToken).ConfigureAwait(false);
        await session.SayIfChildrenAreLeftOutAsync(cancellationToken).ConfigureAwait(false);
        if (items.HasUnknown && !_hasWarnedOfUnknown)
        {
            _hasWarnedOfUnknown = true;
            await session
                .SayAsync(FeedEventKind.Warning, "Something unknown to the dialect was received and skipped.", cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Takes the items of one page.</summary>
    private sealed class Items(DialectWriter writer, DialectRules rules, DocumentReader document, MaximumCursor? maximum, RoundNews? news)
    {
        private readonly ItemPlaces _places = new() { Item = document.Item };
        private ulong _hash;
        private long _length;

        public (ulong Hash, long Length, int Count) Fingerprint => (_hash, _length, Count);

        public bool HasNews => news is null ? Count > 0 : news.TakeNews();

        public int Count { get; private set; }

        public int Live { get; private set; }

        public bool IsUpToDate { get; private set; }

        public bool AsksForResync { get; private set; }

        public bool HasUnknown { get; private set; }

        public string? LastCursor { get; private set; }

        public bool Take(long offset)
        {
            var item = document.Item.Bytes.Span;
            if (Count++ == 0 && rules.TypesItems)
                _places.Origin = new ItemOrigin(null, null, TypeOfList());
            var hash = RoundNews.HashOf(item);
            _hash = (_hash * 31) + hash;
            _length += item.Length;
            news?.Note(hash);
            // Signs are in the object around the items; if there is none, among the items.
            var kind = writer.Items.Read(rules, _places, signs: document.ItemsPlace.Length == 0, out var record);
            var reason = writer.Items.Reason;
            if (writer.Items.Cursor is { } cursor && kind != ItemKind.Malformed)
            {
                if (maximum is null)
                    LastCursor = cursor.Text;
                else if (!maximum.Note(cursor))
                    (kind, reason) = (ItemKind.Malformed, "its cursor is of another type");
            }

            switch (kind)
            {
                case ItemKind.Record:
                    Live += record.IsDeleted ? 0 : 1;
                    writer.Add(record, rules);
                    break;
                case ItemKind.Parent:
                    writer.AddChildren(rules, _places, offset);
                    break;
                case ItemKind.Malformed:
                    writer.Refuse(item, offset, reason);
                    break;
                default:
                    IsUpToDate |= kind == ItemKind.UpToDate;
                    AsksForResync |= kind == ItemKind.Resync;
                    HasUnknown |= kind == ItemKind.Unknown;
                    break;
            }

            return writer.IsFull;
        }

        private ListType? TypeOfList()
        {
            using var list = document.Beginning();
            return ListType.Of(list.RootElement);
        }
    }
}
