using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace Lockstep.Engine.Records;

/// <summary>One key field's value while its record is read: its position in the record's bytes. <c>default</c> is missing.</summary>
internal readonly struct KeyPart(JsonSlice slice)
{
    public KeyPartKind Kind =>
        slice.Kind switch
        {
            JsonKind.Number => KeyPartKind.Number,
            JsonKind.String => KeyPartKind.Text,
            _ => default,
        };

    public bool TryGetInteger(ReadOnlySpan<byte> json, out long value)
    {
        value = 0;
        return slice.Kind == JsonKind.Number && DecimalText.TryGetInt64(slice.Of(json), out value);
    }

    public bool IsValidText(ReadOnlySpan<byte> json) => Utf8.IsValid(slice.Of(json));

    public void Encode(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        if (slice.Kind == JsonKind.Number)
        {
            KeyEncoding.WriteNumber(output, slice.Of(json));
        }
        else
        {
            KeyEncoding.WriteText(output, slice.IsEscaped ? Unescape(slice, json) : slice.Of(json));
        }
    }

    /// <summary>A string, unescaped.</summary>
    /// <exception cref="InvalidOperationException">It holds half a surrogate pair, which UTF-8 cannot represent.</exception>
    public static byte[] Unescape(JsonSlice text, ReadOnlySpan<byte> json)
    {
        var bytes = new byte[text.Length];
        if (TryUnescape(text.Of(json), bytes, out var length))
            return bytes[..length];
        // A string token on its own, quotes included.
        var reader = new Utf8JsonReader(json.Slice(text.Start - 1, text.Length + 2));
        reader.Read();
        return bytes[..reader.CopyString(bytes)];
    }

    /// <summary>Unescapes a valid string in which every escape stands for the character itself: a quote, a backslash or a slash.</summary>
    private static bool TryUnescape(ReadOnlySpan<byte> text, Span<byte> unescaped, out int length)
    {
        length = 0;
        while (text.IndexOf((byte)'\\') is var at and >= 0)
        {
            var escaped = text[at + 1];
            if (escaped is not ((byte)'"' or (byte)'\\' or (byte)'/'))
                return false;
            text[..at].CopyTo(unescaped[length..]);
            length += at;
            unescaped[length++] = escaped;
            text = text[(at + 2)..];
        }

        text.CopyTo(unescaped[length..]);
        length += text.Length;
        return Utf8.IsValid(unescaped[..length]);
    }
}
