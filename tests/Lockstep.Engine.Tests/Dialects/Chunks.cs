using Lockstep.Engine.Tests.Framing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Ways to cut bytes into chunks.</summary>
internal static class Chunks
{
    /// <summary>One byte at a time, and a few random ways.</summary>
    public static IEnumerable<IEnumerable<byte[]>> Of(byte[] bytes, int seed)
    {
        yield return bytes.Select(b => new[] { b });
        var random = new Random(seed);
        foreach (var longest in (int[])[3, 7, 40])
            yield return Frames.Chop(bytes, random, longest);
    }
}
