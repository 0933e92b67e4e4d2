using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// One update, which goes over the wire as <c>[change,timestamp,source]</c> or <c>[change,timestamp,source,signature]</c>. Immutable; of
/// its text it keeps the change only, since a node has many.
/// </summary>
public class GossipUpdate
{
    private readonly byte[] _change;

    internal GossipUpdate(byte[] change, double timestamp, string source, string? signature)
    {
        _change = change;
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
    public ReadOnlyMemory<byte> Change => _change;

    /// <summary>
    /// Why this node's data type cannot apply the change, which is kept and passed on nonetheless; null for a change that it can.
    /// </summary>
    public virtual string? Misfit => null;

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

    /// <summary>
    /// Which of two updates is the later one everywhere: by timestamp, and on equal timestamps by source id, so that no two nodes ever
    /// choose differently.
    /// </summary>
    public int CompareTo(GossipUpdate other) => Compare(Timestamp, Source, other);

    /// <summary>The change as a JSON value of its own.</summary>
    public JsonElement GetChange()
    {
        var reader = new Utf8JsonReader(_change, GossipJson.ReaderOptions);
        return JsonElement.ParseValue(ref reader);
    }

    /// <summary>Writes the whole update as one line of JSON text, without the newline.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        WriteTo(output, SourceText(Source));
    }

    /// <summary>As the other one, for a caller that has many updates of one source.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="source">The source as <see cref="SourceText"/> writes it.</param>
    internal void WriteTo(IBufferWriter<byte> output, ReadOnlySpan<byte> source)
    {
        WriteSigned(output, source);
        if (Signature is not null)
        {
            output.Write(","u8);
            JavaScriptString.Write(Signature, output);
        }

        output.Write("]"u8);
    }

    /// <summary>The text that a signature covers: the update without one.</summary>
    internal ReadOnlySpan<byte> TextToSign()
    {
        var text = new ArrayBufferWriter<byte>(_change.Length + 128);
        WriteSigned(text, SourceText(Source));
        text.Write("]"u8);
        return text.WrittenSpan;
    }

    internal static byte[] SourceText(string source)
    {
        var text = new ArrayBufferWriter<byte>(source.Length + 16);
        JavaScriptString.Write(source, text);
        return text.WrittenSpan.ToArray();
    }

    /// <summary>The wire text.</summary>
    public override string ToString()
    {
        var text = new ArrayBufferWriter<byte>(_change.Length + 128);
        WriteTo(text);
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private void WriteSigned(IBufferWriter<byte> output, ReadOnlySpan<byte> source)
    {
        const int Number = 32;
        var span = output.GetSpan(_change.Length + Number + source.Length + 3);
        span[0] = (byte)'[';
        _change.CopyTo(span[1..]);
        var length = _change.Length + 1;
        span[length++] = (byte)',';
        length += JavaScriptNumber.Format(Timestamp, span.Slice(length, Number));
        span[length++] = (byte)',';
        source.CopyTo(span[length..]);
        output.Advance(length + source.Length);
    }
}
