using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>What a value says about whether its record is deleted.</summary>
internal enum Deletion : byte
{
    Alive = 0,
    Deleted,

    /// <summary>Alive, but expressed in a way that deserves a warning.</summary>
    OddlyAlive,

    /// <summary>Deleted, but expressed in a way that deserves a warning.</summary>
    OddlyDeleted,

    /// <summary>Undecidable: the record is malformed.</summary>
    Unclear,
}

/// <summary>
/// Reads the values that mark a tombstone: <c>deleted_at</c> of the record dialect, a time or null, and <c>deleted</c> of the transaction
/// dialect, true or false. Feeds deviate from both: this decides what each other value means (docs/PROTOCOL.md).
/// </summary>
internal static class DeletionMark
{
    private const int MostShown = 40;

    /// <summary>What Go and .NET write for a time that was never set.</summary>
    private static ReadOnlySpan<byte> ZeroTime => "0001-01-01"u8;

    private static readonly string[] YesWords = ["true", "t", "yes", "y", "on", "1"];
    private static readonly string[] NoWords = ["false", "f", "no", "n", "off", "0", ""];

    /// <summary>What <c>deleted_at</c> says.</summary>
    public static Deletion OfTime(JsonSlice value, ReadOnlySpan<byte> bytes) =>
        value.Kind switch
        {
            JsonKind.Null or JsonKind.False => Deletion.Alive,
            JsonKind.True => Deletion.Deleted,
            JsonKind.Number => IsZero(value.Of(bytes)) ? Deletion.OddlyAlive : Deletion.Deleted,
            JsonKind.String => IsNoTime(value.Of(bytes)) ? Deletion.OddlyAlive : Deletion.Deleted,
            _ => Deletion.OddlyDeleted,
        };

    /// <summary>What <c>deleted</c> says.</summary>
    public static Deletion OfFlag(JsonSlice value, ReadOnlySpan<byte> bytes) =>
        value.Kind switch
        {
            JsonKind.True => Deletion.Deleted,
            JsonKind.False or JsonKind.Null => Deletion.Alive,
            JsonKind.Number => IsZero(value.Of(bytes)) ? Deletion.OddlyAlive : Deletion.OddlyDeleted,
            JsonKind.String when Is(YesWords, value.Of(bytes)) => Deletion.OddlyDeleted,
            JsonKind.String when Is(NoWords, value.Of(bytes)) => Deletion.OddlyAlive,
            _ => Deletion.Unclear,
        };

    /// <summary>An odd value and how it was taken, in words.</summary>
    public static string Describe(string field, JsonSlice value, ReadOnlySpan<byte> bytes, Deletion meaning)
    {
        var text = value.Kind switch
        {
            JsonKind.Object => "an object",
            JsonKind.Array => "an array",
            JsonKind.String => $"the string \"{Shown(value.Of(bytes))}\"",
            _ => Shown(value.Of(bytes)),
        };
        return $"a record's '{field}' is {text}, which counts as {(meaning == Deletion.OddlyAlive ? "not deleted" : "deleted")}";
    }

    private static string Shown(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, MostShown)]);

    /// <summary>Whether a JSON number is 0, in whatever notation.</summary>
    private static bool IsZero(ReadOnlySpan<byte> number)
    {
        foreach (var character in number)
        {
            if (character is (byte)'e' or (byte)'E')
                return true;
            if (character is >= (byte)'1' and <= (byte)'9')
                return false;
        }

        return true;
    }

    /// <summary>
    /// Whether a text names no time: it is empty, a zero like <c>0</c> and <c>0000-00-00 00:00:00</c>, the zero time, or the word null or
    /// false.
    /// </summary>
    private static bool IsNoTime(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith(ZeroTime) || Ascii.EqualsIgnoreCase(text, "null"u8) || Ascii.EqualsIgnoreCase(text, "false"u8))
            return true;
        foreach (var character in text)
        {
            if (character is not ((byte)'0' or (byte)'-' or (byte)':' or (byte)'.' or (byte)' ' or (byte)'+' or (byte)'T' or (byte)'Z'))
                return false;
        }

        return true;
    }

    private static bool Is(string[] words, ReadOnlySpan<byte> text)
    {
        foreach (var word in words)
        {
            if (Ascii.EqualsIgnoreCase(text, word))
                return true;
        }

        return false;
    }
}
