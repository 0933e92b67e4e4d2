using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Wire;

internal enum GossipMessageKind
{
    Update,
    Header,
    Sync,

    /// <summary>JSON that does not belong to the protocol.</summary>
    Nothing,
}

/// <param name="Kind">Its kind.</param>
/// <param name="Update">The update, if it is one.</param>
/// <param name="Header">The header, if it is one.</param>
/// <param name="Shape">The observed shape of the update's change.</param>
/// <param name="Oddity">What is wrong with it, in a way that npm's scuttlebutt ignores; null if nothing is.</param>
internal readonly record struct GossipMessage(
    GossipMessageKind Kind,
    GossipUpdate? Update = null,
    GossipHeader? Header = null,
    ChangeShape Shape = default,
    string? Oddity = null
);

/// <summary>
/// Parses a line into a message, without I/O. Keeps one string for each source that it encounters. Not safe for concurrent use.
/// </summary>
internal sealed class GossipMessageParser
{
    private const string NotAnUpdateText =
        "An array is not an update: expected [change,timestamp,source] or [change,timestamp,source,signature].";
    private const string NotAHeaderText = "An object is not a header: expected {\"id\":...,\"clock\":{...}}.";

    /// <summary>The maximum length of a header's meta, in bytes.</summary>
    public const int MaxMetaBytes = 65_536;

    private const int MaxSources = 10_000;

    private readonly HashSet<string> _sources = new(StringComparer.Ordinal);
    private byte[] _lastSourceText = [];
    private string _lastSource = string.Empty;

    /// <param name="line">The line, without its end.</param>
    /// <param name="isUtf8">Whether it is known to be UTF-8.</param>
    /// <exception cref="GossipProtocolException">The line is no message.</exception>
    public GossipMessage Parse(ReadOnlySpan<byte> line, bool isUtf8 = false)
    {
        if (!isUtf8 && !System.Text.Unicode.Utf8.IsValid(line))
        {
            throw new GossipProtocolException("A line is not valid UTF-8.");
        }

        try
        {
            var reader = new Utf8JsonReader(line, GossipJson.ReaderOptions);
            reader.Read();
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    return ParseUpdate(ref reader, line);
                case JsonTokenType.StartObject:
                    return ParseHeader(ref reader, line.Length > GossipHeader.LargeBytes);
                case JsonTokenType.String when reader.ValueTextEquals("SYNC"u8):
                    reader.Read();
                    return new GossipMessage(GossipMessageKind.Sync);
                default:
                    reader.Read();
                    return Nothing("A line is neither a header, an update nor \"SYNC\".");
            }
        }
        catch (JsonException error)
        {
            throw new GossipProtocolException("A line is not one JSON value: " + error.Message, error);
        }
    }

    private GossipMessage ParseUpdate(ref Utf8JsonReader reader, ReadOnlySpan<byte> line)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            return NotAnUpdate(ref reader);
        }

        var start = (int)reader.TokenStartIndex;
        var shape = SkipChange(ref reader);
        var length = (int)reader.BytesConsumed - start;
        reader.Read();
        if (reader.TokenType != JsonTokenType.Number || !TryReadTime(ref reader, out var timestamp))
        {
            return NotAnUpdate(ref reader);
        }

        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            return NotAnUpdate(ref reader);
        }

        var source = ReadSource(ref reader);
        reader.Read();
        string? signature = null;
        string? oddity = null;
        GossipSeal? seal = null;
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            seal = ReadSeal(ref reader);
            oddity = seal is null ? NotAnUpdateText : null;
            reader.Read();
        }

        if (oddity is null && reader.TokenType == JsonTokenType.String)
        {
            signature = JsonText.Decode(ref reader);
            reader.Read();
        }
        else if (reader.TokenType == JsonTokenType.Null)
        {
            // JavaScript writes this for an undefined signature.
            reader.Read();
        }

        if (reader.TokenType != JsonTokenType.EndArray)
        {
            oddity = NotAnUpdateText;
            SkipRest(ref reader);
        }

        reader.Read();
        var update = new GossipUpdate(line.Slice(start, length).ToArray(), timestamp, source, signature);
        if (seal is not null)
        {
            update.Attach(seal with { Plain = signature });
        }

        return new GossipMessage(GossipMessageKind.Update, update, Shape: shape, Oddity: oddity);
    }

    /// <summary>Reads an array to its end; null if it is not a seal.</summary>
    private static GossipSeal? ReadSeal(ref Utf8JsonReader reader)
    {
        var number = 0L;
        var floor = 0L;
        string? present = null;
        string? signature = null;
        var depth = reader.CurrentDepth;
        var isSeal =
            TryReadCount(ref reader, out number)
            && TryReadCount(ref reader, out floor)
            && TryReadText(ref reader, out present)
            && TryReadText(ref reader, out signature)
            && reader.Read()
            && reader.TokenType == JsonTokenType.EndArray;
        while (reader.CurrentDepth > depth || reader.TokenType != JsonTokenType.EndArray)
        {
            reader.Read();
        }

        return isSeal && NumberRanges.TryParse(present!, floor) is { } ranges && ranges.Between(number, GossipSeal.MaxNumber).IsEmpty
            ? new GossipSeal(number, ranges, signature!, null)
            : null;
    }

    private static bool TryReadCount(ref Utf8JsonReader reader, out long number)
    {
        number = 0;
        return reader.Read()
            && reader.TokenType == JsonTokenType.Number
            && reader.TryGetInt64(out number)
            && number is > 0 and <= GossipSeal.MaxNumber;
    }

    private static bool TryReadText(ref Utf8JsonReader reader, out string? text)
    {
        text = reader.Read() && reader.TokenType == JsonTokenType.String ? JsonText.Decode(ref reader) : null;
        return text is not null;
    }

    /// <summary>The shape of a change on its own.</summary>
    public static ChangeShape ShapeOf(ReadOnlySpan<byte> change)
    {
        var reader = new Utf8JsonReader(change, GossipJson.ReaderOptions);
        reader.Read();
        return SkipChange(ref reader);
    }

    private static ChangeShape SkipChange(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return default;
        }

        var count = 0;
        var startsWithName = false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            startsWithName |= count++ == 0 && GossipJson.IsName(ref reader);
            reader.Skip();
        }

        return new ChangeShape(true, count, startsWithName);
    }

    private string ReadSource(ref Utf8JsonReader reader)
    {
        if (reader.ValueSpan.SequenceEqual(_lastSourceText))
        {
            return _lastSource;
        }

        var source = CheckId(JsonText.Decode(ref reader));
        if (_sources.TryGetValue(source, out var known))
        {
            source = known;
        }
        else
        {
            if (_sources.Count == MaxSources)
            {
                _sources.Clear();
            }

            _sources.Add(source);
        }

        _lastSourceText = reader.ValueSpan.ToArray();
        return _lastSource = source;
    }

    private static GossipMessage ParseHeader(ref Utf8JsonReader reader, bool isLarge)
    {
        string? id = null;
        GossipClock? clock = null;
        GossipClock? horizon = null;
        JsonElement? meta = null;
        string? oddity = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (reader.ValueTextEquals("id"u8) && reader.Read())
            {
                id = reader.TokenType == JsonTokenType.String ? CheckId(JsonText.Decode(ref reader)) : null;
                reader.Skip();
            }
            else if (reader.ValueTextEquals("clock"u8) && reader.Read())
            {
                clock = ParseClock(ref reader, ref oddity);
            }
            else if (reader.ValueTextEquals("horizon"u8) && reader.Read())
            {
                horizon = ParseClock(ref reader, ref oddity);
            }
            else if (reader.ValueTextEquals("meta"u8) && reader.Read())
            {
                var start = reader.TokenStartIndex;
                meta = JsonElement.ParseValue(ref reader);
                if (reader.BytesConsumed - start > MaxMetaBytes)
                {
                    throw new GossipProtocolException($"A header's meta is longer than {MaxMetaBytes} bytes.");
                }
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        reader.Read();
        if (clock is null)
        {
            throw NotAHeader();
        }

        return id is null
            ? Nothing(NotAHeaderText)
            : new GossipMessage(
                GossipMessageKind.Header,
                Header: new GossipHeader(id, clock, meta, horizon) { IsLarge = isLarge },
                Oddity: oddity
            );
    }

    private static GossipClock ParseClock(ref Utf8JsonReader reader, ref string? oddity)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw NotAHeader();
        }

        var clock = new GossipClock();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var source = CheckId(JsonText.Decode(ref reader));
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null)
            {
                // JavaScript writes this for an invalid time.
                oddity = $"The header's clock has no time for '{source}'.";
                continue;
            }

            clock.Advance(
                source,
                reader.TokenType == JsonTokenType.Number && TryReadTime(ref reader, out var time) ? time : throw NotAHeader()
            );
        }

        return clock;
    }

    private static string CheckId(string id)
    {
        if (id == GossipJson.ForbiddenName)
        {
            throw new GossipProtocolException("\"__proto__\" is refused as an id.");
        }

        return GossipJson.IsWellFormed(id) ? id : throw new GossipProtocolException("An id has an unpaired surrogate.");
    }

    private static bool TryReadTime(ref Utf8JsonReader reader, out double time)
    {
        if (GossipNumbers.TryRead(reader.ValueSpan, out time))
        {
            return true;
        }

        time = reader.GetDouble();
        return double.IsFinite(time);
    }

    private static void SkipRest(ref Utf8JsonReader reader)
    {
        while (reader.CurrentDepth > 0 && reader.Read()) { }
    }

    private static GossipMessage NotAnUpdate(ref Utf8JsonReader reader)
    {
        SkipRest(ref reader);
        reader.Read();
        return Nothing(NotAnUpdateText);
    }

    private static GossipMessage Nothing(string why) => new(GossipMessageKind.Nothing, Oddity: why);

    private static GossipProtocolException NotAHeader() => new(NotAHeaderText);
}
