using System.Buffers;
using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>One key field's value while its record is read: where it lies in the record's bytes. <c>default</c> is missing.</summary>
internal readonly struct KeyPart
{
    private readonly int _start;
    private readonly int _length;
    private readonly bool _escaped;

    private KeyPart(KeyPartKind kind, int start, int length, bool escaped)
    {
        Kind = kind;
        _start = start;
        _length = length;
        _escaped = escaped;
    }

    public KeyPartKind Kind { get; }

    /// <summary>The reader's current value, or <c>default</c> when it is neither a number nor a string.</summary>
    public static KeyPart From(ref Utf8JsonReader reader)
    {
        int start = (int)reader.TokenStartIndex, length = reader.ValueSpan.Length;
        return reader.TokenType switch
        {
            JsonTokenType.Number => new KeyPart(KeyPartKind.Number, start, length, false),
            JsonTokenType.String => new KeyPart(KeyPartKind.Text, start + 1, length, reader.ValueIsEscaped),
            _ => default,
        };
    }

    public bool TryGetInteger(ReadOnlySpan<byte> json, out long value)
    {
        value = 0;
        return Kind == KeyPartKind.Number && DecimalText.TryGetInt64(json.Slice(_start, _length), out value);
    }

    public void Encode(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> value = json.Slice(_start, _length);
        if (Kind == KeyPartKind.Number)
        {
            KeyEncoding.WriteNumber(output, value);
        }
        else if (!_escaped)
        {
            KeyEncoding.WriteText(output, value);
        }
        else
        {
            // A string token on its own, quotes included, so that the reader takes the escapes out.
            var reader = new Utf8JsonReader(json.Slice(_start - 1, _length + 2));
            reader.Read();
            byte[] unescaped = new byte[_length];
            KeyEncoding.WriteText(output, unescaped.AsSpan(0, reader.CopyString(unescaped)));
        }
    }
}
