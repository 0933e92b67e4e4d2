namespace Lockstep.Engine.Framing;

/// <summary>What a body begins with, once all that says nothing is left out: a byte order mark, white space, a guard.</summary>
internal static class BodyStart
{
    /// <summary>
    /// What servers write before JSON so that no browser runs it as a script; the longer one of two that begin alike first.
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

    /// <summary>What is left of a body's first stretch.</summary>
    public static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> start)
    {
        start = start.TrimStart(Blank);
        return start[GuardLength(start)..].TrimStart(Blank);
    }

    /// <summary>How long the guard is that a body begins with, once white space is left out; 0 where there is none.</summary>
    public static int GuardLength(ReadOnlySpan<byte> start)
    {
        foreach (var guard in Guards)
        {
            if (start.StartsWith(guard))
                return guard.Length;
        }

        return 0;
    }

    /// <summary>Whether a body of which no more is known may begin with a guard.</summary>
    public static bool MayBeGuard(ReadOnlySpan<byte> start)
    {
        foreach (var guard in Guards)
        {
            if (start.Length < guard.Length && guard.AsSpan().StartsWith(start))
                return true;
        }

        return false;
    }

    /// <summary>Whether a body that begins so is guarded JSON, be it that no more of it is here.</summary>
    public static bool IsGuarded(ReadOnlySpan<byte> start) => GuardLength(start.TrimStart(Blank)) > 0;

    /// <summary>Whether a body that begins so is a JSON array, and no line that happens to begin with a bracket.</summary>
    public static bool IsArray(ReadOnlySpan<byte> start) =>
        Content(start) is [(byte)'[', .. var rest]
        && rest.TrimStart(Blank)
            is []
                or [(byte)'{' or (byte)'[' or (byte)']' or (byte)'"' or (byte)'-' or (>= (byte)'0' and <= (byte)'9'), ..];
}
