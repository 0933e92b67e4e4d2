using System.Buffers;
using System.Globalization;
using System.Text;

namespace Lockstep.Gossip.Json;

/// <summary>
/// Strings as JSON.stringify writes them: only what must be escaped is escaped. Includes unpaired surrogates, which JavaScript has and
/// System.Text.Json refuses.
/// </summary>
internal static class JavaScriptString
{
    /// <summary>Writes a string with its quotes. Unpaired surrogates are written as escapes.</summary>
    public static void Write(ReadOnlySpan<char> value, IBufferWriter<byte> output)
    {
        output.Write("\""u8);
        while (!value.IsEmpty)
        {
            var plain = PlainLength(value);
            if (plain > 0)
            {
                var span = output.GetSpan(Encoding.UTF8.GetMaxByteCount(plain));
                output.Advance(Encoding.UTF8.GetBytes(value[..plain], span));
                value = value[plain..];
                continue;
            }

            var escape = value[0] switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\b' => "\\b",
                '\f' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                var other => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)other:x4}"),
            };
            output.Advance(Encoding.ASCII.GetBytes(escape, output.GetSpan(escape.Length)));
            value = value[1..];
        }

        output.Write("\""u8);
    }

    private static int PlainLength(ReadOnlySpan<char> value)
    {
        var i = 0;
        while (i < value.Length)
        {
            var c = value[i];
            if (c is < ' ' or '"' or '\\')
            {
                break;
            }

            if (!char.IsSurrogate(c))
            {
                i++;
            }
            else if (char.IsHighSurrogate(c) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
            {
                i += 2;
            }
            else
            {
                break;
            }
        }

        return i;
    }
}
