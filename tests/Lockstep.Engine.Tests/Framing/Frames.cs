using System.Text;
using Lockstep.Engine.Framing;

namespace Lockstep.Engine.Tests.Framing;

/// <summary>A frame that outlives its reader's buffer.</summary>
internal sealed record ReadFrame(FrameKind Kind, string Text, long Offset, int Length)
{
    public override string ToString() => $"{Kind}@{Offset} {Text}";
}

/// <summary>Reads frames from bytes that come in pieces.</summary>
internal static class Frames
{
    public static List<ReadFrame> Of(string text, int maximum = FrameReader.DefaultMaximumLength) =>
        Read([Encoding.UTF8.GetBytes(text)], maximum);

    public static List<ReadFrame> Read(IEnumerable<byte[]> chunks, int maximum = FrameReader.DefaultMaximumLength)
    {
        var reader = new FrameReader(maximum);
        var frames = new List<ReadFrame>();
        foreach (var chunk in chunks)
        {
            reader.Append(chunk);
            Take(reader, frames);
        }

        reader.Complete();
        Take(reader, frames);
        return frames;
    }

    /// <summary>Cuts bytes into pieces of random length, 1 to <paramref name="longest"/>.</summary>
    public static IEnumerable<byte[]> Chop(byte[] bytes, Random random, int longest)
    {
        for (var start = 0; start < bytes.Length; )
        {
            var length = Math.Min(bytes.Length - start, random.Next(1, longest + 1));
            yield return bytes[start..(start + length)];
            start += length;
        }
    }

    private static void Take(FrameReader reader, List<ReadFrame> frames)
    {
        while (reader.TryRead(out var frame))
            frames.Add(new ReadFrame(frame.Kind, Encoding.UTF8.GetString(frame.Bytes), frame.Offset, frame.Bytes.Length));
    }
}
