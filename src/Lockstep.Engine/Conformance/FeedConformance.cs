using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Conformance;

/// <summary>
/// Checks any feed against the contract, rule by rule, by asking it as a client would: from the start, from its end, from its middle.
/// </summary>
public static class FeedConformance
{
    /// <summary>Checks a feed, reading only.</summary>
    /// <param name="feed">How to reach it: credentials, proxy and so on. Secrets are used and never shown.</param>
    /// <param name="options">How to check it; null for the defaults.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArgumentException">The URI is neither http nor https.</exception>
    /// <exception cref="FeedException">The feed does not answer at all.</exception>
    public static async Task<ConformanceReport> CheckAsync(
        FeedOptions feed,
        ConformanceOptions? options = null,
        TimeProvider? timeProvider = null,
        CancellationToken cancellationToken = default
    )
    {
        var uri = feed.Address;
        options ??= new ConformanceOptions();
        var time = timeProvider ?? TimeProvider.System;
        var start = time.GetUtcNow();
        var began = time.GetTimestamp();
        using FeedReader reader = new(feed, options, time);
        var seen = await ObserveAsync(uri, feed, reader, options, cancellationToken).ConfigureAwait(false);
        RuleResult[] results = [.. ConformanceRules.All.Select(rule => rule.Check(seen))];
        return new ConformanceReport(uri.Display, start, time.GetElapsedTime(began), results);
    }

    private static async Task<FeedObservation> ObserveAsync(
        FeedUri uri,
        FeedOptions feed,
        FeedReader reader,
        ConformanceOptions options,
        CancellationToken cancellationToken
    )
    {
        var first = await AskAsync("0").ConfigureAwait(false);
        ObservedResponse? snapshot = null;
        ObservedResponse? update = null;
        if (first is { Status: 307, Location: { } location })
        {
            snapshot = await reader.ReadAsync(location, isSet: true, heartbeat: false, cancellationToken).ConfigureAwait(false);
            update = await AskAsync("0", update: true).ConfigureAwait(false);
        }
        var whole = snapshot ?? (first.IsSuccess ? first : null);
        FeedItem[] records = [.. (whole?.Records ?? []).Where(item => item.Order.Kind != OrderKind.Unknown)];
        var last = records.Aggregate(
            (FeedItem?)null,
            (greatest, item) =>
                greatest is null || item.Order.Kind != OrderKind.Number || OrderValue.Compare(item.Order, greatest.Order) > 0
                    ? item
                    : greatest
        );
        var middle = records.Length == 0 ? null : records[records.Length / 2];
        var boundary = last is null ? null : await AskAsync(last.Order.ToString()).ConfigureAwait(false);
        var from = middle is null ? null : await AskAsync(middle.Order.ToString()).ConfigureAwait(false);
        var waits = options.Heartbeat is not null && whole?.End == ReadingEnd.Settled;
        var heartbeat = waits ? await AskAsync(last?.Order.ToString() ?? "0", wait: true).ConfigureAwait(false) : null;
        return new FeedObservation(first, snapshot, whole, boundary, from, update, heartbeat, last, middle);

        Task<ObservedResponse> AskAsync(string cursor, bool update = false, bool wait = false) =>
            reader.ReadAsync(
                uri.Request(feed.CursorStyle, Cursor.Parse(cursor), feed.Query, update),
                isSet: cursor == "0",
                wait,
                cancellationToken
            );
    }
}
