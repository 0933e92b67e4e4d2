using System.Text.Json;

namespace Lockstep.Engine.Records;

internal static class JsonNumber
{
    /// <summary>Whether the bytes are exactly one number by JSON's grammar.</summary>
    public static bool IsValid(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8[0] is not ((byte)'-' or (>= (byte)'0' and <= (byte)'9')))
            return false;
        try
        {
            var reader = new Utf8JsonReader(utf8);
            return reader.Read() && reader.TokenType == JsonTokenType.Number && reader.BytesConsumed == utf8.Length;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
