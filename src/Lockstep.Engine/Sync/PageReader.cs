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
    /// <param name="isFirst">Whether it is the round's first page.</param>
    /// <param name="news">Knows which items have been seen before; null if that does not matter.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Page> ReadAsync(
        DialectRules rules,
        HttpResponseMessage response,
        MaximumCursor? maximum,
        bool isFirst,
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
        var items = new Items(session, rules, document, maximum, news);
        var body = await session.Client.OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
        await using var stream = new IdleStream(
            body,
            session.Client.Uri,
            session.Client.OperationTimeout,
            session.Context.Time,
            session.NoteBytes
        );
        if (!await ReadBodyAsync(rules, stream, document, items, cancellationToken).ConfigureAwait(false))
            throw (int)response.StatusCode == Accepted ? NotReady() : session.Requests.Wrong("its body is empty");
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
            // Some servers send null for an empty list. Elsewhere it may be a list that failed, with a valid cursor (D3); an empty set is
            // not believed at once (D4).
            if (document.IsNull && !rules.TypesItems && !(isFirst && session.Dialect.IsList))
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

    /// <summary>Reads the document. False if there is none: the body is empty.</summary>
    private async Task<bool> ReadBodyAsync(
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
                if (total == 0)
                    return false;
                throw session.Requests.Wrong("its body is not JSON: " + JsonText.Explain(e));
            }
            catch (InvalidDataException e)
            {
                throw session.Requests.Wrong(e.Message);
            }

            if (count == 0 && !document.IsWhole)
            {
                if (total == 0)
                    return false;
                throw new FeedCutException(session.Client.Uri, "its body ends before the JSON does.");
            }
        }

        return true;
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

    private FeedCutException NotReady() => new(session.Client.Uri, "it says that its answer is not ready yet.");

    /// <summary>An answer without its list is an error, never an empty set (D3).</summary>
    private FeedException Missing(DialectRules rules, HttpResponseMessage response, JsonElement body)
    {
        if ((int)response.StatusCode == Accepted)
            return NotReady();
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
                .SayAsync(FeedEventKind.Warning, "An item of a kind that the dialect does not know was skipped.", cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Takes the items of one page.</summary>
    private sealed class Items(DialectSession session, DialectRules rules, DocumentReader document, MaximumCursor? maximum, RoundNews? news)
    {
        private readonly DialectWriter _writer = session.Writer;
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
            var kind = _writer.Items.Read(rules, _places, signs: document.ItemsPlace.Length == 0, out var record);
            var reason = _writer.Items.Reason;
            if (_writer.Items.Cursor is { } cursor && kind != ItemKind.Malformed)
            {
                if (maximum is null)
                    LastCursor = cursor.Text;
                else if (!maximum.Note(cursor))
                    (kind, reason) = (ItemKind.Malformed, $"its '{rules.Cursor[0]}' is not of the type {rules.CursorType}");
            }

            switch (kind)
            {
                case ItemKind.Record:
                    Live += record.IsDeleted ? 0 : 1;
                    _writer.Add(record, rules);
                    break;
                case ItemKind.Parent:
                    _writer.AddChildren(rules, _places, offset);
                    break;
                case ItemKind.Malformed:
                    _writer.Refuse(item, offset, reason);
                    break;
                default:
                    IsUpToDate |= kind == ItemKind.UpToDate;
                    AsksForResync |= kind == ItemKind.Resync;
                    HasUnknown |= kind == ItemKind.Unknown;
                    break;
            }

            return _writer.IsFull;
        }

        /// <exception cref="DialectException">It is not a typed list, and only the address suggests that it should be.</exception>
        private ListType? TypeOfList()
        {
            using var list = document.Beginning();
            var type = ListType.Of(list.RootElement);
            return type is null && session is { IsGuess: true, IsConfirmed: false }
                ? throw session.Requests.Wrong("its list has no kind that ends in 'List'")
                : type;
        }
    }
}
