using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>What a feed says between its records.</summary>
internal enum FeedSignalKind
{
    /// <summary>It is alive and has nothing more for now.</summary>
    Heartbeat,

    /// <summary>The whole set has been sent.</summary>
    SnapshotCompleted,

    /// <summary>It leaves out a row that it could not read.</summary>
    RowLeftOut,

    /// <summary>Everything up to here is in the table when the whole set continues at <see cref="FeedSignal.Next"/>.</summary>
    Page,

    /// <summary>What follows belongs to the origin's history up to <see cref="FeedSignal.Mark"/>.</summary>
    Mark,

    /// <summary>A control row of another type, which is ignored.</summary>
    Other,
}

/// <summary>
/// What a feed says between its records: a heartbeat is an object with exactly that member, a control row has <c>control</c> true and a
/// <c>type</c>. Immutable.
/// </summary>
/// <param name="Kind">What it says.</param>
/// <param name="Cursor">The cursor before which everything has been sent; null when it names none.</param>
/// <param name="IsControlRow">Whether it is a control row, and not the heartbeat object.</param>
internal readonly record struct FeedSignal(FeedSignalKind Kind, Cursor? Cursor, bool IsControlRow)
{
    /// <summary>For a row that is left out: its key as JSON and the reason, as the feed gives it. Null otherwise.</summary>
    public string? LeftOut { get; private init; }

    /// <summary>The address of the page at which the whole set continues after a cut; null for other signals.</summary>
    public string? Next { get; init; }

    /// <summary>Up to where the client has seen every change once what follows has arrived; null for other signals.</summary>
    public FeedMark? Mark { get; private init; }

    /// <summary>Reads an object that is valid JSON; null if it is no signal.</summary>
    public static FeedSignal? Read(ReadOnlySpan<byte> json, JsonReaderOptions options)
    {
        var reader = new Utf8JsonReader(json, options);
        reader.Read();
        var members = 0;
        bool heartbeat = false,
            control = false,
            snapshot = false,
            beat = false,
            page = false,
            isOfMark = false,
            leftOut = false,
            typed = false;
        string? key = null,
            reason = null;
        Cursor? cursor = null;
        string? next = null;
        FeedMark? mark = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            members++;
            bool isHeartbeat = reader.ValueTextEquals(WireNames.Heartbeat),
                isControl = reader.ValueTextEquals(WireNames.Control);
            bool isType = reader.ValueTextEquals(WireNames.ControlType),
                isSince = reader.ValueTextEquals(WireNames.Since),
                isNext = reader.ValueTextEquals(WireNames.Next),
                isMark = reader.ValueTextEquals(WireNames.Mark);
            bool isKey = reader.ValueTextEquals(WireNames.Key),
                isReason = reader.ValueTextEquals(WireNames.Reason);
            reader.Read();
            if (isHeartbeat)
                heartbeat = reader.TokenType == JsonTokenType.True;
            if (isControl)
                control = reader.TokenType == JsonTokenType.True;
            if (isType && reader.TokenType == JsonTokenType.String)
            {
                typed = true;
                snapshot = reader.ValueTextEquals(WireNames.SnapshotCompleted);
                beat = reader.ValueTextEquals(WireNames.Heartbeat);
                leftOut = reader.ValueTextEquals(WireNames.RowLeftOut);
                page = reader.ValueTextEquals(WireNames.Page);
                isOfMark = reader.ValueTextEquals(WireNames.Mark);
            }

            if (isSince)
                cursor = ReadCursor(ref reader);
            if (isReason && reader.TokenType == JsonTokenType.String)
                reason = ForeignText.Shorten(JsonText.Decode(ref reader));
            if (isNext && reader.TokenType == JsonTokenType.String)
                next = JsonText.Decode(ref reader);
            if (isMark && reader.TokenType == JsonTokenType.String)
                mark = FeedMark.Parse(JsonText.Decode(ref reader));
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (isKey)
                key = ForeignText.Shorten(Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]));
        }

        if (heartbeat && members == 1)
            return new FeedSignal(FeedSignalKind.Heartbeat, cursor, IsControlRow: false);
        if (!control || !typed)
            return null;
        var kind =
            snapshot ? FeedSignalKind.SnapshotCompleted
            : beat ? FeedSignalKind.Heartbeat
            : leftOut ? FeedSignalKind.RowLeftOut
            : page && next is not null ? FeedSignalKind.Page
            : isOfMark && mark is not null ? FeedSignalKind.Mark
            : FeedSignalKind.Other;
        return new FeedSignal(kind, cursor, IsControlRow: true)
        {
            Next = kind == FeedSignalKind.Page ? next : null,
            Mark = kind == FeedSignalKind.Mark ? mark : null,
            LeftOut = leftOut ? $"{key}: {reason}" : null,
        };
    }

    private static Cursor? ReadCursor(ref Utf8JsonReader reader) =>
        reader.TokenType switch
        {
            JsonTokenType.Number => Records.Cursor.Parse(Encoding.ASCII.GetString(reader.ValueSpan)),
            JsonTokenType.String => Records.Cursor.Parse(reader.GetString()),
            _ => null,
        };
}
