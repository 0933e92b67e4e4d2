using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// One update, sent over the wire as <c>[change,timestamp,source]</c> followed by its signatures, see <see cref="Signature"/> and
/// <see cref="Number"/>. Immutable; it keeps only the change's text, since a node has many updates.
/// </summary>
public class GossipUpdate
{
    private readonly byte[] _change;

    /// <summary>npm's signature, a <see cref="GossipSeal"/>, or null: a single field, since most updates have none.</summary>
    private object? _signature;

    internal GossipUpdate(byte[] change, double timestamp, string source, string? signature)
        : this(change, timestamp, source, (object?)signature) { }

    /// <summary>The same update with its change in another form.</summary>
    internal GossipUpdate(GossipUpdate update, byte[] change)
        : this(change, update.Timestamp, update.Source, update._signature) { }

    private GossipUpdate(byte[] change, double timestamp, string source, object? signature)
    {
        _change = change;
        Timestamp = timestamp;
        Source = source;
        _signature = signature;
    }

    /// <summary>Milliseconds since 1970, with a fraction; increasing within a source.</summary>
    public double Timestamp { get; }

    /// <summary>The id of the node that made the update.</summary>
    public string Source { get; }

    /// <summary>The signature that npm's nodes know, in base64, or null.</summary>
    public string? Signature => _signature as string ?? Seal?.Plain;

    /// <summary>
    /// The update's number among those of its source and model, if it has a modern signature, which covers this and the model's name;
    /// otherwise null.
    /// </summary>
    public long? Number => Seal?.Number;

    /// <summary>The number of the update among those accepted in this process; 0 before a node accepts it.</summary>
    internal long Arrival { get; set; }

    internal GossipSeal? Seal => _signature as GossipSeal;

    /// <summary>The JSON text of the change: whatever the data type defines, such as <c>["key",value]</c>.</summary>
    public ReadOnlyMemory<byte> Change => _change;

    /// <summary>Why this node's data type cannot apply the change, which is kept and passed on nonetheless; null if it can.</summary>
    public virtual string? Misfit => null;

    /// <summary>The timestamp as a point in time; values beyond the range become its ends.</summary>
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
    /// Which of two updates every node considers the later one: by timestamp, and on equal timestamps by source id, so that no two nodes
    /// choose differently.
    /// </summary>
    public int CompareTo(GossipUpdate other) => Compare(Timestamp, Source, other);

    /// <summary>The change as a separate JSON value.</summary>
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

    /// <summary>The same, for a caller that has many updates of one source.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="source">The source as <see cref="SourceText"/> writes it.</param>
    internal void WriteTo(IBufferWriter<byte> output, ReadOnlySpan<byte> source)
    {
        WriteSigned(output, source);
        WriteSignatures(output);
        output.Write("]"u8);
    }

    /// <summary>The parts of a line before and after the change, including the end of the line.</summary>
    internal (byte[] Before, byte[] After) WriteAround()
    {
        var after = new ArrayBufferWriter<byte>(128);
        after.Write(","u8);
        JavaScriptNumber.Write(Timestamp, after);
        after.Write(","u8);
        JavaScriptString.Write(Source, after);
        WriteSignatures(after);
        after.Write("]\n"u8);
        return ([(byte)'['], after.WrittenSpan.ToArray());
    }

    /// <summary>The text that npm's signature covers: the update without it.</summary>
    internal ReadOnlySpan<byte> TextToSign()
    {
        var text = new ArrayBufferWriter<byte>(_change.Length + 128);
        WriteSigned(text, SourceText(Source));
        Seal?.WriteTo(text);
        text.Write("]"u8);
        return text.WrittenSpan;
    }

    /// <summary>The text that a modern signature covers, see <see cref="GossipSeal"/>.</summary>
    internal ReadOnlySpan<byte> TextToSeal(string model, string kind, long number, NumberRanges present)
    {
        var text = new ArrayBufferWriter<byte>(_change.Length + 128);
        WriteSigned(text, SourceText(Source));
        return GossipSeal.TextToSign(model, kind, text.WrittenSpan, number, present);
    }

    /// <summary>Attaches the seal to an update that is being read or written, before anybody else can see it.</summary>
    internal void Attach(GossipSeal seal) => _signature = seal;

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

    private void WriteSignatures(IBufferWriter<byte> output)
    {
        Seal?.WriteTo(output);
        if (Signature is { } signature)
        {
            output.Write(","u8);
            JavaScriptString.Write(signature, output);
        }
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
