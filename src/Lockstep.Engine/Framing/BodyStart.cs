namespace Lockstep.Engine.Framing;

/// <summary>What a body begins with, once everything meaningless is skipped: a byte order mark, white space, a guard.</summary>
internal static class BodyStart
{
    /// <summary>
    /// Prefixes that servers put before JSON so that no browser runs it as a script; of two that begin alike, the longer first.
    /// </summary>
    private static readonly byte[][] Guards =
    [
        ")]}',"u8.ToArray(),
        ")]}'"u8.ToArray(),
        ")]}"u8.ToArray(),
        "while(1);"u8.ToArray(),
        "for(;;);"u8.ToArray(),
    ];

    private static ReadOnlySpan<byte> Blank => " \t\r\n\x1E\uFEFF"u8;

    /// <summary>What remains of a body's first bytes.</summary>
    public static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> start)
    {
        start = start.TrimStart(Blank);
        return start[GuardLength(start)..].TrimStart(Blank);
    }

    /// <summary>The length of the guard that a body begins with, once white space is skipped; 0 if there is none.</summary>
    public static int GuardLength(ReadOnlySpan<byte> start)
    {
        foreach (var guard in Guards)
        {
            if (start.StartsWith(guard))
                return guard.Length;
        }

        return 0;
    }

    /// <summary>Whether a body of which only this much is known may begin with a guard.</summary>
    public static bool MayBeGuard(ReadOnlySpan<byte> start)
    {
        foreach (var guard in Guards)
        {
            if (start.Length < guard.Length && guard.AsSpan().StartsWith(start))
                return true;
        }

        return false;
    }

    /// <summary>Whether a body that begins like this is guarded JSON, even if the rest has not arrived.</summary>
    public static bool IsGuarded(ReadOnlySpan<byte> start) => GuardLength(start.TrimStart(Blank)) > 0;

    /// <summary>Whether a body that begins like this is a JSON array, and not a line that happens to begin with a bracket.</summary>
    public static bool IsArray(ReadOnlySpan<byte> start) =>
        Content(start) is [(byte)'[', .. var rest]
        && rest.TrimStart(Blank)
            is []
                or [(byte)'{' or (byte)'[' or (byte)']' or (byte)'"' or (byte)'-' or (>= (byte)'0' and <= (byte)'9'), ..];
}
