using System.Buffers;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// An update's modern signature: it covers the model, how many updates its source has written, and which of them it still has. On the wire
/// it is an array in place of npm's signature, <c>[number,floor,"present","signature"]</c>; npm's own, if any, follows and covers it as
/// well, because npm's nodes treat the last element as the signature of everything before it.
/// </summary>
/// <param name="Number">The number of the update among those of its source and model, from 1.</param>
/// <param name="Present">Which of its source's earlier updates its source still had then: the others were replaced or forgotten.</param>
/// <param name="Text">The signature in base64.</param>
/// <param name="Plain">npm's signature in base64; null if the scheme has none.</param>
internal sealed record GossipSeal(long Number, NumberRanges Present, string Text, string? Plain)
{
    /// <summary>The largest number that JavaScript represents exactly.</summary>
    public const long MaxNumber = (1L << 53) - 1;

    /// <summary>With the existing signature schemes, no seal takes more bytes than this on the wire.</summary>
    public const int MaxBytes = 8192;

    /// <summary>Writes it as a part of the update, with the comma before it and without npm's signature.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        output.Write(",["u8);
        WriteNumbers(output, Number, Present);
        output.Write(","u8);
        JavaScriptString.Write(Text, output);
        output.Write("]"u8);
    }

    /// <summary>
    /// The text that the signature covers. Its form differs from that of any update, so that a signature of one is never valid for the
    /// other.
    /// </summary>
    /// <param name="model">The model's shared name.</param>
    /// <param name="kind">The kind of node.</param>
    /// <param name="update">The update's text without signatures and without its end.</param>
    /// <param name="number">As in the seal.</param>
    /// <param name="present">As in the seal.</param>
    public static byte[] TextToSign(string model, string kind, ReadOnlySpan<byte> update, long number, NumberRanges present)
    {
        var text = new ArrayBufferWriter<byte>(update.Length + 256);
        text.Write("[\"lockstep-seal-1\","u8);
        JavaScriptString.Write(model, text);
        text.Write(","u8);
        JavaScriptString.Write(kind, text);
        text.Write(","u8);
        WriteNumbers(text, number, present);
        text.Write(","u8);
        text.Write(update[1..]);
        text.Write("]"u8);
        return text.WrittenSpan.ToArray();
    }

    private static void WriteNumbers(IBufferWriter<byte> output, long number, NumberRanges present)
    {
        JavaScriptNumber.Write(number, output);
        output.Write(","u8);
        JavaScriptNumber.Write(present.Floor, output);
        output.Write(","u8);
        JavaScriptString.Write(present.ToString(), output);
    }
}
