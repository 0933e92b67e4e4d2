using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Gossip;

/// <summary>One update as it goes over the wire: <c>[change,timestamp,source]</c> or <c>[change,timestamp,source,signature]</c>. Immutable; it keeps its own UTF-8 text.</summary>
public sealed class GossipUpdate
{
    private readonly byte[] _text;
    private readonly int _changeStart;
    private readonly int _changeLength;

    internal GossipUpdate(byte[] text, int changeStart, int changeLength, double timestamp, string source, string? signature)
    {
        _text = text;
        _changeStart = changeStart;
        _changeLength = changeLength;
        Timestamp = timestamp;
        Source = source;
        Signature = signature;
    }

    /// <summary>Milliseconds since 1970, with a fraction; rising within a source.</summary>
    public double Timestamp { get; }

    /// <summary>The id of the node that made the update.</summary>
    public string Source { get; }

    /// <summary>The signature in base64, or null.</summary>
    public string? Signature { get; }

    /// <summary>The JSON text of the change: whatever the data type puts there, such as <c>["key",value]</c>.</summary>
    public ReadOnlyMemory<byte> Change => _text.AsMemory(_changeStart, _changeLength);

    /// <summary>The whole update as one line of JSON text, without the newline.</summary>
    public ReadOnlyMemory<byte> Text => _text;

    /// <summary>The timestamp as a point in time; the ends of the range stand for what lies beyond them.</summary>
    public DateTimeOffset Time => ToTime(Timestamp);

    internal static DateTimeOffset ToTime(double milliseconds)
    {
        var ticks = milliseconds * TimeSpan.TicksPerMillisecond;
        return ticks >= (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks ? DateTimeOffset.MaxValue
            : ticks <= (DateTimeOffset.MinValue - DateTimeOffset.UnixEpoch).Ticks ? DateTimeOffset.MinValue
            : DateTimeOffset.UnixEpoch.AddTicks((long)ticks);
    }

    internal static int Compare(double timestamp, string source, GossipUpdate other)
    {
        var order = timestamp.CompareTo(other.Timestamp);
        return order != 0 ? order : string.CompareOrdinal(source, other.Source);
    }

    /// <summary>Which of two updates is the later one everywhere: by timestamp, and on equal timestamps by source id, so that no two nodes ever choose differently.</summary>
    public int CompareTo(GossipUpdate other) => Compare(Timestamp, Source, other);

    /// <summary>The change as a JSON value of its own.</summary>
    public JsonElement GetChange() => Parse(Change.Span);

    /// <summary>The wire text.</summary>
    public override string ToString() => Encoding.UTF8.GetString(_text);

    internal static JsonElement Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, GossipJson.ReaderOptions);
        return JsonElement.ParseValue(ref reader);
    }
}
