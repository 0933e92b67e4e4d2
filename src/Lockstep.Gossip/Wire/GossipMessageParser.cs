using System.Text;
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
}

internal readonly record struct GossipMessage(
    GossipMessageKind Kind,
    GossipUpdate? Update = null,
    GossipHeader? Header = null,
    ChangeShape Shape = default
);

/// <summary>One line to one message; no I/O in it. Keeps one string for each source that it meets. Not safe for concurrent use.</summary>
internal sealed class GossipMessageParser
{
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
                    var update = ParseUpdate(ref reader, line, out var shape);
                    return new GossipMessage(GossipMessageKind.Update, update, Shape: shape);
                case JsonTokenType.StartObject:
                    return new GossipMessage(GossipMessageKind.Header, Header: ParseHeader(ref reader));
                case JsonTokenType.String when reader.ValueTextEquals("SYNC"u8):
                    reader.Read();
                    return new GossipMessage(GossipMessageKind.Sync);
                default:
                    throw new GossipProtocolException("A line is neither a header, an update nor \"SYNC\".");
            }
        }
        catch (JsonException error)
        {
            throw new GossipProtocolException("A line is not one JSON value: " + error.Message, error);
        }
    }

    private GossipUpdate ParseUpdate(ref Utf8JsonReader reader, ReadOnlySpan<byte> line, out ChangeShape shape)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            throw NotAnUpdate();
        }

        var start = (int)reader.TokenStartIndex;
        shape = SkipChange(ref reader);
        var length = (int)reader.BytesConsumed - start;
        reader.Read();
        if (reader.TokenType != JsonTokenType.Number)
        {
            throw NotAnUpdate();
        }

        var timestamp = Finite(ref reader);
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            throw NotAnUpdate();
        }

        var source = ReadSource(ref reader);
        reader.Read();
        string? signature = null;
        if (reader.TokenType == JsonTokenType.String)
        {
            signature = JsonText.Decode(ref reader);
            reader.Read();
        }
        else if (reader.TokenType == JsonTokenType.Null)
        {
            // What JavaScript writes for a signature that is undefined.
            reader.Read();
        }

        if (reader.TokenType != JsonTokenType.EndArray)
        {
            throw NotAnUpdate();
        }

        reader.Read();
        return new GossipUpdate(line.Slice(start, length).ToArray(), timestamp, source, signature);
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
            _sources.Add(source);
        }

        _lastSourceText = reader.ValueSpan.ToArray();
        return _lastSource = source;
    }

    private static GossipHeader ParseHeader(ref Utf8JsonReader reader)
    {
        string? id = null;
        GossipClock? clock = null;
        GossipClock? horizon = null;
        JsonElement? meta = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (reader.ValueTextEquals("id"u8) && reader.Read())
            {
                id = reader.TokenType == JsonTokenType.String ? CheckId(JsonText.Decode(ref reader)) : throw NotAHeader();
            }
            else if (reader.ValueTextEquals("clock"u8) && reader.Read())
            {
                clock = ParseClock(ref reader);
            }
            else if (reader.ValueTextEquals("horizon"u8) && reader.Read())
            {
                horizon = ParseClock(ref reader);
            }
            else if (reader.ValueTextEquals("meta"u8) && reader.Read())
            {
                meta = JsonElement.ParseValue(ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        reader.Read();
        return id is null || clock is null ? throw NotAHeader() : new GossipHeader(id, clock, meta, horizon);
    }

    private static GossipClock ParseClock(ref Utf8JsonReader reader)
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
            if (reader.TokenType != JsonTokenType.Number)
            {
                throw NotAHeader();
            }

            clock.Advance(source, Finite(ref reader));
        }

        return clock;
    }

    private static string CheckId(string id)
    {
        if (id == GossipJson.ForbiddenName)
        {
            throw new GossipProtocolException("\"__proto__\" is refused as an id.");
        }

        return IsWellFormed(id) ? id : throw new GossipProtocolException("An id has an unpaired surrogate.");
    }

    /// <summary>Whether the text can be written as UTF-8.</summary>
    public static bool IsWellFormed(string text)
    {
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var used) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }

            rest = rest[used..];
        }

        return true;
    }

    private static double Finite(ref Utf8JsonReader reader)
    {
        if (GossipNumbers.TryRead(reader.ValueSpan, out var value))
        {
            return value;
        }

        value = reader.GetDouble();
        return double.IsFinite(value) ? value : throw new GossipProtocolException("A timestamp is out of range.");
    }

    private static GossipProtocolException NotAnUpdate() =>
        new("An array is not an update: expected [change,timestamp,source] or [change,timestamp,source,signature].");

    private static GossipProtocolException NotAHeader() => new("An object is not a header: expected {\"id\":...,\"clock\":{...}}.");
}
