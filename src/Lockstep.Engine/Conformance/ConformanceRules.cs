using System.Globalization;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Conformance;

/// <summary>The rules of a feed, in the order in which a reader of the contract meets them.</summary>
internal static class ConformanceRules
{
    private static readonly string[] MediaTypes =
    [
        "text/plain",
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/json-seq",
    ];

    public static IReadOnlyList<ConformanceRule> All { get; } =
    [
        new("status", "Cursor 0 is answered with 2xx, or with 307 to a snapshot", Status),
        new("content-type", "A body is text or JSON by its Content-Type", ContentType),
        new("framing", "A body ends as its framing says, or stays open", Framing),
        new("objects", "A body holds JSON objects and white space, and no field twice", Objects),
        new("required-fields", "Every record has its required fields", RequiredFields),
        new("key", "Every record has a key", Key),
        new("order-type", "The order field keeps its JSON type", OrderType),
        new("order", "Records come sorted by the order field", Order),
        new("cursor-inclusive", "The records at a cursor are sent again", Inclusive),
        new("cursor-lower-bound", "Nothing below the cursor is sent", LowerBound),
        new("resume", "From a cursor on, everything that follows is sent", Resume),
        new("snapshot", "A redirect leads to a snapshot that is complete", Snapshot),
        new("update-mode", "With update=true there is no redirect", UpdateMode),
        new("snapshot-completed", "A transaction feed marks the end of its first dump", SnapshotCompleted),
        new("count", "The announced count is the count of records", Count),
        new("tombstones", "A deleted record is sent as a tombstone from a cursor on", Tombstones),
        new("heartbeat", "A silent feed shows that it is alive", Heartbeat),
    ];

    private static Finding Status(FeedObservation seen) =>
        Finding.Of(
            seen.First.IsSuccess || (seen.First.Status == 307 && seen.First.Location is not null)
                ? null
                : $"{seen.First.Uri} was answered with {seen.First.Status}{(seen.First.Status == 307 ? " without a Location" : "")}."
        );

    private static Finding ContentType(FeedObservation seen)
    {
        var wrong = seen.Readings.FirstOrDefault(reading =>
            reading.IsSuccess && !MediaTypes.Contains(reading.MediaType, StringComparer.OrdinalIgnoreCase)
        );
        return Finding.Of(wrong is null ? null : $"{wrong.Uri} says {wrong.MediaType ?? "nothing"}.");
    }

    private static Finding Framing(FeedObservation seen)
    {
        var wrong = seen.Readings.FirstOrDefault(reading => reading.End == ReadingEnd.Broken);
        return Finding.Of(wrong is null ? null : $"The body of {wrong.Uri} broke off after {wrong.Items.Count} objects.");
    }

    private static Finding Objects(FeedObservation seen)
    {
        foreach (var reading in seen.Readings)
        {
            if (reading.Items.FirstOrDefault(item => item.Kind == FeedItemKind.Malformed) is { } wrong)
                return Finding.Broken($"At offset {wrong.Offset} of {reading.Uri}: {wrong.Missing}");
        }
        return Finding.Kept;
    }

    private static Finding RequiredFields(FeedObservation seen) =>
        seen.Readings.Any(reading => reading.IsArray)
            ? Finding.Unknown("The body is one JSON array: the feed of another server, whose records have other fields.")
            : OfRecords(seen, item => item.Missing is null ? null : $"lacks {item.Missing}");

    private static Finding Key(FeedObservation seen) =>
        OfRecords(seen, item => item.Key is null ? "has no key that is a number, a string or a truth value" : null);

    private static Finding OrderType(FeedObservation seen)
    {
        OrderKind[] kinds = [.. seen.Records.Select(record => record.Item.Order.Kind).Where(kind => kind != OrderKind.Unknown).Distinct()];
        return kinds.Length == 0 ? NoRecords : Finding.Of(kinds.Length == 1 ? null : "Some are numbers and some are strings.");
    }

    private static Finding Order(FeedObservation seen)
    {
        if (!seen.Records.Any(record => record.Item.Order.Kind == OrderKind.Number))
            return Finding.Unknown("There are no numbers to compare.");
        foreach (var reading in seen.Readings)
        {
            FeedItem? last = null;

            // The set of a transaction feed comes in any order: it commits no cursor before it is complete.
            foreach (var item in reading.Records.Where(item => item.Order.Kind == OrderKind.Number && item.SetCursor is null))
            {
                if (last is not null && OrderValue.Compare(item.Order, last.Order) < 0)
                    return Finding.Broken($"At offset {item.Offset} of {reading.Uri}: {item.Order} follows {last.Order}.");
                last = item;
            }
        }
        return Finding.Kept;
    }

    private static Finding Inclusive(FeedObservation seen)
    {
        if (seen is not { Boundary: { } boundary, BoundaryCursor: { } cursor, Whole: { } whole })
            return NoRecords;
        FeedItem[] due = [.. whole.Records.Where(item => item.Order == cursor.Order && item.ComesAgain)];
        if (boundary.IsSuccess && due.Length == 0)
            return NothingDue;
        HashSet<string?> got = [.. boundary.Records.Select(item => item.Key)];
        var lost = Array.Find(due, item => !got.Contains(item.Key));
        return Finding.Of(
            !boundary.IsSuccess ? $"{boundary.Uri} was answered with {boundary.Status}."
            : lost is null ? null
            : $"{boundary.Uri} does not send the record {lost.Key}, which is at {cursor.Order}."
        );
    }

    private static Finding LowerBound(FeedObservation seen)
    {
        if (seen is not { Middle: { IsSuccess: true } middle, MiddleCursor: { Order.Kind: OrderKind.Number } cursor })
            return Finding.Unknown("There is no cursor between two numbers.");
        var below = middle.Records.FirstOrDefault(item =>
            item.Order.Kind == OrderKind.Number && OrderValue.Compare(item.Order, cursor.Order) < 0
        );
        return Finding.Of(below is null ? null : $"{middle.Uri} sends {below.Order}.");
    }

    private static Finding Resume(FeedObservation seen)
    {
        if (seen is not { Middle: { } middle, MiddleCursor: { } cursor, Whole: { } whole })
            return Finding.Unknown("No cursor in the middle was seen.");
        if (!middle.IsSuccess)
            return Finding.Broken($"{middle.Uri} was answered with {middle.Status}.");
        if (middle.End == ReadingEnd.Enough)
            return Finding.Unknown("There are more records than are looked at.");
        FeedItem[] due =
        [
            .. whole
                .Records.SkipWhile(item => item != cursor)
                .Where(item =>
                    (item.Order.Kind != OrderKind.Number || OrderValue.Compare(item.Order, cursor.Order) >= 0) && item.ComesAgain
                ),
        ];
        if (due.Length == 0)
            return NothingDue;
        HashSet<string?> got = [.. middle.Records.Select(item => item.Key)];
        var lost = Array.Find(due, item => !got.Contains(item.Key));
        return Finding.Of(lost is null ? null : $"{middle.Uri} does not send the record {lost.Key} at {lost.Order}.");
    }

    private static Finding Snapshot(FeedObservation seen) =>
        seen.Snapshot is not { } snapshot
            ? Finding.Unknown("There is no redirect.")
            : Finding.Of(
                !snapshot.IsSuccess ? $"{snapshot.Uri} was answered with {snapshot.Status}."
                : snapshot.End is ReadingEnd.Completed or ReadingEnd.Enough ? null
                : $"The body of {snapshot.Uri} does not end."
            );

    private static Finding UpdateMode(FeedObservation seen) =>
        seen.Update is not { } update
            ? Finding.Unknown("There is no redirect.")
            : Finding.Of(update.IsSuccess ? null : $"{update.Uri} was answered with {update.Status}.");

    private static Finding SnapshotCompleted(FeedObservation seen)
    {
        if (seen.Whole is not { } whole || !whole.Items.Any(item => item.Kind == FeedItemKind.Transaction))
            return Finding.Unknown("It is not a transaction feed.");
        if (whole.End == ReadingEnd.Enough || seen.Snapshot is not null)
            return Finding.Unknown("The end of the dump was not reached, or is marked by the body's end.");
        return Finding.Of(
            whole.Items.Any(item => item.Kind == FeedItemKind.SnapshotCompleted)
                ? null
                : "There is no control row of the type snapshot_completed."
        );
    }

    private static Finding Count(FeedObservation seen)
    {
        if (seen.Whole is not { AnnouncedCount: { } announced } whole || whole.End == ReadingEnd.Enough)
            return Finding.Unknown("There is no X-Amz-Meta-Count.");
        var count = whole.Records.Count();
        // Records added while an endless feed was being read do not count against it.
        var right =
            int.TryParse(announced, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && (whole.End == ReadingEnd.Completed ? number == count : number <= count);
        return Finding.Of(right ? null : $"{announced} were announced and {count} came.");
    }

    private static Finding Tombstones(FeedObservation seen)
    {
        if (!seen.Records.Any(record => record.Item.Deleted))
            return Finding.Unknown("No deleted record was seen.");
        if (seen is not { Middle: { IsSuccess: true } middle, MiddleCursor: { } cursor, Whole: { } whole })
            return Finding.Unknown("No cursor in the middle was seen.");
        HashSet<string?> got = [.. middle.Records.Where(item => item.Deleted).Select(item => item.Key)];
        var lost = whole
            .Records.SkipWhile(item => item != cursor)
            .FirstOrDefault(item => item.Deleted && OrderValue.Compare(item.Order, cursor.Order) >= 0 && !got.Contains(item.Key));
        return Finding.Of(
            lost is null || middle.End == ReadingEnd.Enough
                ? null
                : $"{middle.Uri} does not send the tombstone of {lost.Key} at {lost.Order}."
        );
    }

    private static Finding Heartbeat(FeedObservation seen) =>
        seen.Heartbeat is not { } reading
            ? Finding.Unknown(seen.IsEndless ? "No time was given to wait for one." : "The feed is finite.")
            : Finding.Of(reading.HasHeartbeat || reading.End is ReadingEnd.Completed ? null : $"{reading.Uri} was silent for too long.");

    private static Finding NothingDue => Finding.Unknown("All that was seen there is of the whole set, which need not come again.");

    private static Finding NoRecords => Finding.Unknown("No record was seen.");

    private static Finding OfRecords(FeedObservation seen, Func<FeedItem, string?> judge)
    {
        var any = false;
        foreach ((var reading, var item) in seen.Records)
        {
            any = true;
            if (judge(item) is { } wrong)
                return Finding.Broken($"The record at offset {item.Offset} of {reading.Uri} {wrong}.");
        }
        return any ? Finding.Kept : NoRecords;
    }
}
