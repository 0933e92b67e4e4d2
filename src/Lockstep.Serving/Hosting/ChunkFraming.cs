using System.Buffers;
using System.Buffers.Text;

namespace Lockstep.Serving.Hosting;

/// <summary>The framing around a chunk's payload (RFC 9112, section 7.1).</summary>
internal static class ChunkFraming
{
    /// <summary>The maximum size of the framing around one payload.</summary>
    public const int MostBytes = 12;

    public static void Begin(IBufferWriter<byte> output, int length)
    {
        var head = output.GetSpan(10);
        Utf8Formatter.TryFormat(length, head, out var written, new StandardFormat('x'));
        "\r\n"u8.CopyTo(head[written..]);
        output.Advance(written + 2);
    }

    /// <summary>Writes a whole chunk; nothing for an empty payload, because that would end the body.</summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> payload)
    {
        if (payload.IsEmpty)
            return;
        Begin(output, payload.Length);
        output.Write(payload);
        End(output);
    }

    public static void End(IBufferWriter<byte> output) => output.Write("\r\n"u8);
}
